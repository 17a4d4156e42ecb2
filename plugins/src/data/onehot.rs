//! `onehot(d, station, values: ["De Bilt", "Cabauw"])`: a column of 0 and 1 for each text.

use std::collections::BTreeSet;
use std::sync::Arc;

use dsl::name::is_writable;
use dsl::signature::ColumnRule;
use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::source::grouped;
use crate::calls::with_rows;

plugin! {
    /// A column of 0 and 1 for each text of a column, for networks and other methods of numbers.
    ///
    /// The column of the text `a` of `station` is called `station_a`. It is 1 in the rows of that
    /// text, 0 in the others, and missing where the text is missing. Rows of a text that is not
    /// in `values` have 0 in all columns, with a note.
    ///
    /// ```farcast
    /// data named = csv("stations.csv")
    /// data numbers = onehot(named, station, values: ["De Bilt", "Cabauw"])
    /// ```
    "onehot" version 1
    pub struct OneHot {
        /// The rows.
        data: Input<Dataset>;
        /// The column of texts.
        column: Column, texts();
        /// The texts that get a column each.
        values: Vec<String>;
    }
}

impl Plugin for OneHot {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let Some((Column(column), values)) = call
            .get::<Column>("column")
            .zip(call.get::<Vec<String>>("values"))
        else {
            return Vec::new();
        };
        let schema = call.schema("data");
        let found = schema.and_then(|schema| schema.find(&column));
        if found.is_some_and(|found| found.content != dsl::types::Content::Text) {
            let message = format!("expected a column of texts, found `{column}`, which holds none");
            return vec![Complaint::at("column", message)];
        }
        Vec::from_iter(unfit(&column, &values, schema))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let names = call
            .get::<Column>("column")
            .zip(call.get::<Vec<String>>("values"));
        let columns = call
            .schema("data")
            .zip(names)
            .map(|(schema, (column, values))| {
                let new = values
                    .iter()
                    .map(|text| ColumnInfo::numbers(name(&column.0, text), None));
                Arc::new(Schema {
                    columns: schema.columns.iter().cloned().chain(new).collect(),
                })
            });
        Facts {
            columns,
            ..with_rows(call, call.rows("data"))
        }
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let texts = self.data.column(&self.column.0)?.clone();
        let mut data = Dataset::clone(&self.data);
        let places: Vec<Option<usize>> = (self.values.iter())
            .map(|text| texts.labels.iter().position(|label| label == text))
            .collect();
        let absent = self.values.iter().zip(&places);
        for (text, _) in absent.filter(|(_, place)| place.is_none()) {
            context.note(format!("no row of `{}` is \"{text}\"", self.column.0));
        }
        for (text, place) in self.values.iter().zip(&places) {
            let is_it = |value: &f64| match value.is_nan() {
                true => f64::NAN,
                false => f64::from(u8::from(Some(*value as usize) == *place)),
            };
            let values: Vec<f64> = texts.values.iter().map(is_it).collect();
            data = data.with(DataColumn::numbers(
                name(&self.column.0, text),
                None,
                values,
            ))?;
        }
        let known: BTreeSet<usize> = places.into_iter().flatten().collect();
        let is_other = |value: &&f64| !value.is_nan() && !known.contains(&(**value as usize));
        let others = texts.values.iter().filter(is_other).count();
        if others > 0 {
            context.note(format!(
                "{} of {} rows have another text than {}: 0 in all columns",
                grouped(others),
                grouped(texts.values.len()),
                listed(&self.values)
            ));
        }
        Ok(data)
    }
}

fn name(column: &str, text: &str) -> String {
    format!("{column}_{text}")
}

fn listed(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|text| format!("\"{text}\"")).collect();
    quoted.join(", ")
}

/// What is wrong with the texts.
fn unfit(column: &str, values: &[String], schema: Option<&Schema>) -> Option<Complaint> {
    if values.is_empty() {
        return Some(Complaint::at(
            "values",
            "expected one text or more, found none",
        ));
    }
    let mut seen = BTreeSet::new();
    values.iter().find_map(|text| {
        let name = name(column, text);
        let is_taken = schema.is_some_and(|schema| schema.find(&name).is_some());
        let message = match () {
            () if !seen.insert(text) => format!("\"{text}\" is named twice"),
            () if is_taken => format!("column `{name}` exists already"),
            () if !is_writable(&name) => format!("\"{text}\" cannot be part of a column's name"),
            () => return None,
        };
        Some(Complaint::at("values", message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_its_column_and_others_are_told() {
        let texts = [Some("a"), Some("b"), None, Some("c")];
        let data = Dataset::new(vec![DataColumn::texts("s", texts)]).expect("data");
        let onehot = OneHot {
            data: Input::new(data),
            column: Column("s".to_owned()),
            values: ["b", "a", "x"].map(str::to_owned).to_vec(),
        };
        let context = Context::alone("onehot");
        let found = onehot.run(&context).expect("columns");
        let of = |name: &str| found.values(name).expect(name).to_vec();
        assert_eq!(of("s_a")[..2], [1.0, 0.0]);
        assert_eq!(of("s_b")[..2], [0.0, 1.0]);
        assert_eq!((of("s_a")[3], of("s_b")[3], of("s_x")[3]), (0.0, 0.0, 0.0));
        assert!(of("s_a")[2].is_nan() && of("s_x")[2].is_nan());
        assert_eq!(
            context.take_notes(),
            [
                "no row of `s` is \"x\"",
                "1 of 4 rows have another text than \"b\", \"a\", \"x\": 0 in all columns",
            ]
        );
    }
}
