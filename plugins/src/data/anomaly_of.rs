//! `anomaly_of`: rows less the climatology of others.

use std::sync::Arc;

use dsl::column::ColumnExpr;
use dsl::signature::ColumnRule;
use dsl::types::Schema;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::label::Label;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{
    Complaint, Context, Facts, Flow, InParts, Plugin, ReadColumns, Sketch, at_once,
};

use super::support::formulas::by_group;
use super::support::groups::Groups;
use super::support::matching::{self, Matcher, Within};
use super::support::source::grouped;
use crate::calls::{distinct, filled, with_rows};

plugin! {
    /// The rows with the climatology of others subtracted from some columns.
    ///
    /// The climatology is the mean of a column over the rows of the second data that are alike in
    /// the columns `by`: `anomaly_of(unseen, seen, by: [lat, lon, month], columns: temp)` says
    /// how unusual each temperature is by what was known in training. Rows that are one for each
    /// group already, as `aggregate` makes them, are their own means. A row whose group the second
    /// data do not have misses the columns, and a note counts them.
    ///
    /// Columns keep their names and units; missing values take no part in a mean. Numbers of `by`
    /// are alike as in `join`.
    ///
    /// ```farcast
    /// data steps = derive(all, step = floor(4 * z))
    /// data usual = where(steps, x < 1)
    /// data unusual = anomaly_of(steps, usual, by: step, columns: y)
    /// ```
    "anomaly_of" version 2
    pub struct AnomalyOf {
        /// The rows.
        data: Input<Dataset>;
        /// The rows that the climatology is of.
        climatology: Input<Dataset>;
        /// The columns in which rows of a group are alike; both data have them.
        by: Vec<Column>, texts();
        /// The columns that become anomalies; both data have them.
        columns: Vec<Column>;
        /// How far numbers of the `by` columns may be apart.
        within: Option<f64>, range("0.0..");
    }
}

impl Plugin for AnomalyOf {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let mut found: Vec<Complaint> = [
            filled(call, "by", "column"),
            distinct(call, "by"),
            filled(call, "columns", "column"),
            distinct(call, "columns"),
        ]
        .into_iter()
        .flatten()
        .collect();
        found.extend(matching::complaints(call, "by", "data", "climatology"));
        found.extend(matching::complaints(call, "columns", "data", "climatology"));
        let of = |field: &str| call.get::<Vec<Column>>(field).unwrap_or_default();
        let by = of("by");
        for Column(name) in of("columns") {
            let column = call.schema("data").and_then(|schema| schema.find(&name));
            let message = match column {
                _ if by.iter().any(|Column(other)| *other == name) => {
                    format!("`{name}` is a column of `by`, too")
                }
                Some(column) if !column.content.is_number() => {
                    format!("expected a column of numbers, found `{name}`")
                }
                _ => continue,
            };
            found.push(Complaint::at("columns", message));
        }
        found
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let columns = call.get::<Vec<Column>>("columns").unwrap_or_default();
        let of_doubles = |schema: &Schema| {
            let mut schema = schema.clone();
            for column in &mut schema.columns {
                // Means have the digits of 64 bits.
                column.single &= columns.iter().all(|Column(name)| *name != column.name);
            }
            Arc::new(schema)
        };
        Facts {
            columns: call.schema("data").map(of_doubles),
            ..with_rows(call, call.rows("data"))
        }
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Maps("data"))
    }

    fn flow(self) -> Result<Box<dyn Flow>, Fault> {
        Ok(Box::new(self.anomalies()?))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let data = Dataset::clone(&self.data);
        at_once(self.anomalies()?, data, context)
    }
}

/// The rows of the climatology, for rows that come in parts.
struct Anomalies {
    usual: Dataset,
    matcher: Matcher,
    by: Vec<Column>,
    columns: Vec<Column>,
    label: Label,
}

impl Flow for Anomalies {
    fn push(&mut self, rows: Dataset, context: &Context) -> Result<Option<Dataset>, Fault> {
        context.check_stop()?;
        let matches = self.matcher.next(&rows)?;
        let columns = rows.columns().iter().map(|column| {
            let is_wanted = self.columns.iter().any(|Column(name)| *name == column.name);
            if !is_wanted {
                return Ok(column.clone());
            }
            let means = self.usual.values(&column.name)?;
            let mean = |row: &Option<u32>| row.map_or(f64::NAN, |row| means[row as usize]);
            let all = column.values.part(0..rows.rows());
            let pairs = all.iter().zip(&matches);
            let values = pairs.map(|(value, row)| value - mean(row));
            Ok(DataColumn {
                values: values.collect(),
                ..column.clone()
            })
        });
        Dataset::new(columns.collect::<Result<_, Fault>>()?).map(Some)
    }

    fn reads(&self, after: &ReadColumns) -> ReadColumns {
        after.and(self.by.iter().map(|Column(name)| name.as_str()))
    }

    fn finish(&mut self, context: &Context) -> Result<Option<Dataset>, Fault> {
        let (rows, lost) = (self.matcher.rows(), self.matcher.lost());
        let hint = self.matcher.hint();
        if lost == rows {
            let message = format!("no row is in a group of `{}`", self.label);
            let fault = Fault::at("by", message);
            return Err(match hint {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            });
        }
        if lost > 0 {
            let hint = hint.map_or(String::new(), |hint| format!("; {hint}"));
            context.note(format!(
                "{} of {} rows are in no group of `{}` and have no anomaly{hint}",
                grouped(lost),
                grouped(rows),
                self.label
            ));
        }
        Ok(None)
    }
}

impl AnomalyOf {
    fn anomalies(self) -> Result<Anomalies, Fault> {
        let within = Within {
            number: self.within,
            days: None,
        };
        let usual = self.means()?;
        Ok(Anomalies {
            matcher: Matcher::of(&self.data, &usual, &self.by, within)?,
            usual,
            by: self.by,
            columns: self.columns,
            label: self.climatology.label.clone(),
        })
    }

    /// A row for each group of the climatology, with the means of the columns.
    fn means(&self) -> Result<Dataset, Fault> {
        let data = &*self.climatology;
        let groups = Groups::of(data, &self.by, None)?;
        let starts = groups.ranges.iter().map(|range| range.start);
        let first: Vec<u32> = starts.map(|start| groups.rows[start]).collect();
        let mut columns = Vec::new();
        for Column(name) in &self.by {
            columns.push(data.column(name)?.take(&first));
        }
        let mean = |Column(name): &Column| {
            let column = vec![ColumnExpr::Column(name.clone())];
            (name.clone(), ColumnExpr::Call("mean".to_owned(), column))
        };
        let formulas: Vec<(String, ColumnExpr)> = self.columns.iter().map(mean).collect();
        let means = by_group(&formulas, data, &groups.rows, &groups.ranges)?;
        for ((name, _), means) in formulas.into_iter().zip(means) {
            columns.push(DataColumn::numbers(name, None, means));
        }
        Dataset::new(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, expect_reads, named, table};

    fn names(names: &[&str]) -> Vec<Column> {
        let columns = names.iter().map(|name| Column((*name).to_owned()));
        columns.collect()
    }

    fn anomaly(data: Dataset, of: Dataset) -> AnomalyOf {
        AnomalyOf {
            data: Input::new(data),
            climatology: Input::new(of),
            by: names(&["month"]),
            columns: names(&["t"]),
            within: None,
        }
    }

    // xarray: seen.groupby("month").mean() is 2 and 10; unseen less that is 1 and -2.
    #[test]
    fn the_mean_of_the_group_is_subtracted() {
        let seen = table(&[
            ("month", &[1.0, 1.0, 2.0, 1.0]),
            ("t", &[1.0, 3.0, 10.0, f64::NAN]),
        ]);
        let unseen = table(&[
            ("month", &[1.0, 2.0, 3.0, 1.0]),
            ("t", &[3.0, 8.0, 5.0, f64::NAN]),
            ("other", &[1.0, 2.0, 3.0, 4.0]),
        ]);
        let context = Context::alone("anomaly_of");
        let data = anomaly(unseen, seen).run(&context).expect("anomalies");
        let t = data.values("t").expect("t");
        assert_eq!(t[..2], [1.0, -2.0]);
        assert!(t[2].is_nan() && t[3].is_nan());
        assert_eq!(
            data.values("other").expect("other")[..],
            [1.0, 2.0, 3.0, 4.0]
        );
        assert_eq!(
            context.take_notes(),
            ["1 of 4 rows are in no group of `` and have no anomaly"]
        );
    }

    #[test]
    fn columns_that_nobody_reads_may_be_missing() {
        let of = table(&[("month", &[1.0, 2.0]), ("t", &[2.0, 10.0])]);
        let data = table(&[
            ("month", &[1.0, 2.0, 3.0, 1.0]),
            ("t", &[3.0, 8.0, 5.0, f64::NAN]),
            ("other", &[1.0, 2.0, 3.0, 4.0]),
        ]);
        let flow = |head| anomaly(head, of.clone()).flow().expect("a flow");
        for after in [&["t"][..], &["other"], &["month", "t"], &[]] {
            expect_reads(flow, &data, &named(after));
        }
    }

    #[test]
    fn no_group_in_common_is_refused() {
        let data = table(&[("month", &[1.0]), ("t", &[1.0])]);
        let of = table(&[("month", &[2.0]), ("t", &[1.0])]);
        let (param, message) = complaint(anomaly(data, of).run(&Context::alone("anomaly_of")));
        assert_eq!(param, Some("by"));
        assert_eq!(message, "no row is in a group of ``");
    }
}
