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
use engine::plugin::{
    Complaint, Context, Facts, Flow, InParts, Plugin, ReadColumns, Sketch, at_once,
};

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

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Maps("data"))
    }

    fn flow(self) -> Result<Box<dyn Flow>, Fault> {
        Ok(Box::new(self.flags()))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let data = Dataset::clone(&self.data);
        at_once(self.flags(), data, context)
    }
}

impl OneHot {
    fn flags(self) -> Flags {
        Flags {
            column: self.column.0,
            found: vec![0; self.values.len()],
            values: self.values,
            others: 0,
            rows: 0,
        }
    }
}

/// The columns that are added.
struct Flags {
    column: String,
    values: Vec<String>,
    /// How many rows have each text.
    found: Vec<usize>,
    /// How many rows have another.
    others: usize,
    rows: usize,
}

impl Flow for Flags {
    fn push(&mut self, mut rows: Dataset, _: &Context) -> Result<Option<Dataset>, Fault> {
        let texts = rows.column(&self.column)?.clone();
        let places: Vec<Option<usize>> = (self.values.iter())
            .map(|text| texts.labels.iter().position(|label| label == text))
            .collect();
        for ((text, place), found) in self.values.iter().zip(&places).zip(&mut self.found) {
            let is_it = |value: &f64| match value.is_nan() {
                true => f64::NAN,
                false => f64::from(u8::from(Some(*value as usize) == *place)),
            };
            let values: Vec<f64> = texts.values.iter().map(is_it).collect();
            *found += values.iter().filter(|value| **value == 1.0).count();
            let name = name(&self.column, text);
            rows = rows.with(DataColumn::numbers(name, None, values))?;
        }
        let known: BTreeSet<usize> = places.into_iter().flatten().collect();
        let is_other = |value: &&f64| !value.is_nan() && !known.contains(&(**value as usize));
        self.others += texts.values.iter().filter(is_other).count();
        self.rows += rows.rows();
        Ok(Some(rows))
    }

    fn reads(&self, after: &ReadColumns) -> ReadColumns {
        after.and([&*self.column])
    }

    fn finish(&mut self, context: &Context) -> Result<Option<Dataset>, Fault> {
        let absent = self.values.iter().zip(&self.found);
        for (text, _) in absent.filter(|(_, found)| **found == 0) {
            context.note(format!("no row of `{}` is \"{text}\"", self.column));
        }
        if self.others > 0 {
            context.note(format!(
                "{} of {} rows have another text than {}: 0 in all columns",
                grouped(self.others),
                grouped(self.rows),
                listed(&self.values)
            ));
        }
        Ok(None)
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
    use crate::data::support::testing::{expect_reads, named};

    #[test]
    fn columns_that_nobody_reads_may_be_missing() {
        let data = Dataset::new(vec![
            DataColumn::numbers("x", None, vec![1.0, 2.0, 3.0]),
            DataColumn::texts("s", ["a", "c", "b"].map(Some)),
        ]);
        let flow = |head| {
            let call = OneHot {
                data: Input::new(head),
                column: Column("s".to_owned()),
                values: vec!["a".to_owned(), "d".to_owned()],
            };
            call.flow().expect("a flow")
        };
        let data = data.expect("data");
        for after in [&["x"][..], &["s_a"], &["s"]] {
            expect_reads(flow, &data, &named(after));
        }
    }

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
