//! `aggregate`: one row for all rows that are alike in some columns.

use std::ops::Range;

use dsl::signature::ColumnRule;
use engine::artifact::{DataColumn, Dataset, Numbers};
use engine::error::Fault;
use engine::params::{Column, Definitions, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::formulas::by_group;
use super::support::groups::Groups;
use crate::calls::{complaints, distinct, filled, with_rows};

plugin! {
    /// One row for all rows that are alike in some columns, each `name = formula` of them.
    ///
    /// `aggregate(winds, by: [lat, lon, month], calm = share(speed < 2))` gives a row for each
    /// cell and calendar month. A formula must give one number for a group: columns stand
    /// inside `mean`, `std`, `median`, `sum`, `lowest`, `highest`, `count` or `share`, which
    /// pass over missing values. Groups come in the order of their values; rows that miss one
    /// of the `by` columns are in none. New columns have no unit; `lowest(time)` is a time.
    ///
    /// ```farcast
    /// data steps = derive(all, step = floor(4 * z))
    /// data coarse = aggregate(steps, by: step, centre = mean(x), spread = std(y))
    /// ```
    "aggregate" version 2
    pub struct Aggregate {
        /// The rows.
        data: Input<Dataset>;
        /// The columns in which rows of a group are alike; they are kept.
        by: Vec<Column>, texts();
        /// The numbers of each group, such as `spread = std(speed)`.
        definitions: Definitions;
    }
}

impl Plugin for Aggregate {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Groups("by".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints([filled(call, "by", "column"), distinct(call, "by")])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.rows("data"))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let groups = self.complete_groups(context)?;
        for (name, _) in &self.definitions.0 {
            if self.data.values(name).is_ok() {
                let message = format!("column `{name}` exists already");
                return Err(
                    Fault::at("definitions", message).with_hint("give the new column another name")
                );
            }
        }
        let starts = groups.ranges.iter().map(|range| range.start);
        let first: Vec<u32> = starts.map(|start| groups.rows[start]).collect();
        let mut columns = Vec::new();
        for Column(name) in &self.by {
            columns.push(self.data.column(name)?.take(&first));
        }
        context.check_stop()?;
        let formulas = &self.definitions.0;
        let values = by_group(formulas, &self.data, &groups.rows, &groups.ranges)?;
        let mut known = self.data.take(&[]);
        for ((name, formula), values) in formulas.iter().zip(values) {
            let labels = formula.labels(&|name| known.look(name)?.labels);
            let labels = labels.map(|labels| labels.into_owned());
            let column = known.derived(name.clone(), formula, values.into());
            // Later formulas were computed with the places of all labels.
            known = known.with(DataColumn {
                labels: labels.unwrap_or_default().into(),
                ..column.take(&[])
            })?;
            columns.push(column);
        }
        Dataset::new(columns)
    }
}

impl Aggregate {
    /// The groups that have a value in each of their columns.
    fn complete_groups(&self, context: &Context) -> Result<Groups, Fault> {
        let mut groups = Groups::of(&self.data, &self.by, None)?;
        let keys = self
            .by
            .iter()
            .map(|column| Ok(&self.data.column(&column.0)?.values))
            .collect::<Result<Vec<&Numbers>, Fault>>()?;
        // The rows of a group are alike: one speaks for all.
        let complete = |range: &Range<usize>| {
            let row = groups.rows[range.start] as usize;
            keys.iter()
                .all(|key| key.get(row).is_some_and(|value| !value.is_nan()))
        };
        if groups.ranges.iter().all(complete) && !groups.rows.is_empty() {
            return Ok(groups);
        }
        let mut rows = Vec::with_capacity(groups.rows.len());
        let mut ranges = Vec::with_capacity(groups.ranges.len());
        for range in &groups.ranges {
            let members = &groups.rows[range.clone()];
            if complete(range) {
                ranges.push(rows.len()..rows.len() + members.len());
                rows.extend_from_slice(members);
            }
        }
        if rows.is_empty() {
            return Err(Fault::at(
                "by",
                "no row has a value in each of these columns",
            ));
        }
        let left_out = groups.rows.len() - rows.len();
        if left_out > 0 {
            context.note(format!(
                "{left_out} rows without a value to group by were left out"
            ));
        }
        (groups.rows, groups.ranges) = (rows, ranges);
        Ok(groups)
    }
}

#[cfg(test)]
mod tests {
    use dsl::ast::BinaryOp;
    use dsl::column::ColumnExpr;

    use super::*;
    use crate::data::support::testing::{complaint, table};

    fn column(name: &str) -> ColumnExpr {
        ColumnExpr::Column(name.to_owned())
    }

    fn call(function: &str, argument: ColumnExpr) -> ColumnExpr {
        ColumnExpr::Call(function.to_owned(), vec![argument])
    }

    fn aggregate(data: Dataset, context: &Context) -> Result<Dataset, Fault> {
        let square = ColumnExpr::Binary(
            BinaryOp::Multiply,
            Box::new(column("middle")),
            Box::new(column("cell")),
        );
        Aggregate {
            data: Input::new(data),
            by: vec![Column("cell".to_owned()), Column("month".to_owned())],
            definitions: Definitions(vec![
                ("middle".to_owned(), call("mean", column("u"))),
                ("known".to_owned(), call("count", column("u"))),
                ("product".to_owned(), square),
            ]),
        }
        .run(context)
    }

    const CELL: [f64; 6] = [3.0, 1.0, 3.0, 1.0, 3.0, f64::NAN];
    const MONTH: [f64; 6] = [1.0, 2.0, 1.0, 1.0, 2.0, 1.0];
    const U: [f64; 6] = [5.0, 1.0, 7.0, 2.0, f64::NAN, 9.0];

    #[test]
    fn groups_become_rows_in_the_order_of_their_values() {
        let context = Context::alone("aggregate");
        let data = table(&[("cell", &CELL), ("month", &MONTH), ("u", &U)]);
        let groups = aggregate(data, &context).expect("groups");
        let values = |name: &str| groups.values(name).expect(name).to_vec();
        assert_eq!(values("cell"), [1.0, 1.0, 3.0, 3.0]);
        assert_eq!(values("month"), [1.0, 2.0, 1.0, 2.0]);
        assert_eq!(values("middle")[..3], [2.0, 1.0, 6.0]);
        assert!(values("middle")[3].is_nan());
        assert_eq!(values("known"), [1.0, 1.0, 2.0, 0.0]);
        assert_eq!(values("product")[..3], [2.0, 1.0, 18.0]);
        assert_eq!(
            context.take_notes(),
            ["1 rows without a value to group by were left out"]
        );
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter() {
        let data = table(&[("cell", &CELL[..4]), ("month", &MONTH[..4]), ("u", &U[..4])]);
        let turned = data.take(&[3, 1, 0, 2]);
        let context = Context::alone("aggregate");
        let groups = aggregate(data, &context).expect("groups");
        assert_eq!(groups, aggregate(turned, &context).expect("groups"));
    }

    #[test]
    fn nothing_to_group_is_told() {
        let data = table(&[("cell", &[f64::NAN]), ("month", &[1.0]), ("u", &[1.0])]);
        let (param, message) = complaint(aggregate(data, &Context::alone("aggregate")));
        assert_eq!(param, Some("by"));
        assert_eq!(message, "no row has a value in each of these columns");
    }
}
