//! `concat`: data sets one below the other.

use dsl::signature::ColumnRule;
use dsl::types::Schema;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::stacking::{self, Part};
use crate::calls::with_rows;

plugin! {
    /// All rows of several data sets, one below the other.
    ///
    /// All must have the same columns with the same units, in any order; the result has that of
    /// the first.
    ///
    /// ```farcast
    /// data both = concat(seen, unseen)
    /// ```
    "concat" version 1
    pub struct Concat {
        /// The data sets.
        data: Vec<Input<Dataset>>, variadic();
    }
}

impl Plugin for Concat {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let inputs = call.inputs("data");
        if inputs.len() < 2 {
            return vec![Complaint::at("data", "expected two data sets or more")];
        }
        let parts = inputs.iter().map(|input| Some((input.name, input.schema?)));
        let Some(parts) = parts.collect::<Option<Vec<(&str, &Schema)>>>() else {
            return Vec::new();
        };
        let names = parts
            .iter()
            .map(|(name, schema)| (format!("`{name}`"), *schema));
        match stacking::expect_all_alike(names, "data") {
            Ok(()) => Vec::new(),
            Err(fault) => vec![Complaint::from(fault)],
        }
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let rows = call
            .inputs("data")
            .iter()
            .map(|input| input.facts.rows)
            .sum();
        with_rows(call, rows)
    }

    fn run(self, _: &Context) -> Result<Dataset, Fault> {
        let parts = self.data.iter().map(|input| Part {
            name: format!("`{}`", input.label),
            partitions: Vec::new(),
            data: Dataset::clone(input),
            empty: Vec::new(),
        });
        stacking::concatenated(parts.collect(), None, "data")
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::DataColumn;

    use super::*;
    use crate::data::support::testing::{complaint, table};

    fn concat(tables: Vec<Dataset>) -> Result<Dataset, Fault> {
        let data = tables.into_iter().map(Input::new).collect();
        Concat { data }.run(&Context::alone("concat"))
    }

    #[test]
    fn rows_stand_one_below_the_other() {
        let first = table(&[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0])]);
        let second = table(&[("b", &[6.0]), ("a", &[5.0])]);
        let data = concat(vec![first.clone(), second]).expect("data");
        assert_eq!(data.values("a").expect("a")[..], [1.0, 2.0, 5.0]);
        assert_eq!(data.values("b").expect("b")[..], [3.0, 4.0, 6.0]);
        let (param, message) = complaint(concat(vec![first, table(&[("a", &[1.0])])]));
        assert_eq!(param, Some("data"));
        assert!(message.contains("has no column `b`, which"), "{message}");
    }

    #[test]
    fn a_unit_may_be_written_in_another_way() {
        let speed = |unit: &str, value: f64| {
            let column = DataColumn::numbers("u", Some(unit.to_owned()), vec![value]);
            Dataset::new(vec![column]).expect("a table")
        };
        let data = concat(vec![speed("m s-1", 1.0), speed("m/s", 2.0)]).expect("data");
        assert_eq!(data.values("u").expect("u")[..], [1.0, 2.0]);
        assert_eq!(data.columns()[0].unit.as_deref(), Some("m s-1"));
        let (_, message) = complaint(concat(vec![speed("m s-1", 1.0), speed("km/h", 2.0)]));
        assert!(message.contains("in `m s-1`") && message.contains("in `km/h`"));
    }
}
