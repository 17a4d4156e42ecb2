//! `join`: the columns of two data sets side by side.

use std::sync::Arc;

use dsl::signature::ColumnRule;
use dsl::types::{Content, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{
    Complaint, Context, Facts, Flow, InParts, Plugin, ReadColumns, Sketch, at_once,
};
use engine::words;

use super::support::matching::{self, Matcher, Within};
use super::support::source::grouped;
use crate::calls::{distinct, filled, with_rows};

words! {
    /// Which rows stay.
    pub enum How {
        /// Those with a row in both.
        Inner = "inner",
        /// All of the first data.
        Left = "left",
    }
}

plugin! {
    /// The rows of the first data with the columns of the second.
    ///
    /// Rows belong together that are alike in the columns `by`, which both must have; the second
    /// data have one row at most for each. `inner` keeps the rows with a partner, `left` keeps
    /// all rows of the first data, which miss the columns of the second where they have none;
    /// either way a note counts them. Rows keep the order of the first data.
    ///
    /// Numbers must be equal, or differ by at most `within`, in their unit: latitudes that one
    /// file keeps in 32 bits and another in 64 are not equal. Times must be equal whatever their
    /// units, or differ by at most `within_time`. The nearest row is the partner. Longitudes (a
    /// column in `degrees_east`, or called `lon` or `longitude`) are alike when they differ by
    /// 360 degrees. An infinite number equals itself alone, whatever `within` is; a missing one
    /// has no partner.
    ///
    /// A climatology of other rows is subtracted by `join` and `derive`: with
    /// `usual = mean(temp)` by `month`, `unusual = temp - usual`.
    ///
    /// ```farcast
    /// data slopes = derive(all, slope = 2 * z, steep = 3 * z)
    /// data both = join(all, slopes, by: [x, z, y], suffix: "_of_slopes")
    /// ```
    "join" version 2
    pub struct Join {
        /// The rows.
        data: Input<Dataset>;
        /// The data that give further columns.
        other: Input<Dataset>;
        /// The columns in which rows that belong together are alike.
        by: Vec<Column>, texts();
        /// Which rows stay.
        how: How = "inner";
        /// How far numbers of the `by` columns may be apart.
        within: Option<f64>, range("0.0..");
        /// How far times of the `by` columns may be apart, such as `12 h`.
        within_time: Option<f64>, unit("d"), range("0.0..");
        /// What is added to the names of columns that both have.
        suffix: Option<String>;
    }
}

impl Plugin for Join {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let mut found = Vec::from_iter(
            [filled(call, "by", "column"), distinct(call, "by")]
                .into_iter()
                .flatten(),
        );
        found.extend(matching::complaints(call, "by", "data", "other"));
        found.extend(tolerances(call));
        if let (Some(mine), Some(its)) = (call.schema("data"), call.schema("other")) {
            let by = call.get::<Vec<Column>>("by").unwrap_or_default();
            let suffix = call.get::<String>("suffix").unwrap_or_default();
            found.extend(collision(mine, its, &by, &suffix));
        }
        found
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let by = call.get::<Vec<Column>>("by").unwrap_or_default();
        let suffix = call.get::<String>("suffix").unwrap_or_default();
        let schemas = call.schema("data").zip(call.schema("other"));
        Facts {
            columns: schemas.map(|(mine, its)| Arc::new(schema(mine, its, &by, &suffix))),
            ..with_rows(call, call.rows("data"))
        }
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Maps("data"))
    }

    fn flow(self) -> Result<Box<dyn Flow>, Fault> {
        Ok(Box::new(self.joining()?))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let data = Dataset::clone(&self.data);
        at_once(self.joining()?, data, context)
    }
}

/// The rows of the second data, for rows of the first that come in parts.
struct Joining {
    call: Join,
    matcher: Matcher,
}

impl Flow for Joining {
    fn push(&mut self, rows: Dataset, context: &Context) -> Result<Option<Dataset>, Fault> {
        context.check_stop()?;
        let Self { call, matcher } = self;
        let mut partners = matcher.next(&rows)?;
        let rows = match call.how {
            How::Left => rows,
            How::Inner => {
                let kept = (0..).zip(&partners).filter(|(_, other)| other.is_some());
                let kept: Vec<u32> = kept.map(|(row, _)| row).collect();
                partners.retain(Option::is_some);
                match kept.len() == rows.rows() {
                    true => rows,
                    false => rows.take(&kept),
                }
            }
        };
        let suffix = call.suffix.as_deref().unwrap_or_default();
        let mut columns = rows.columns().to_vec();
        for column in call.other.columns() {
            if call.by.iter().any(|Column(name)| *name == column.name) {
                continue;
            }
            let mut joined = beside(column, &partners);
            if rows.column(&column.name).is_ok() {
                joined.name.push_str(suffix);
            }
            columns.push(joined);
        }
        Dataset::new(columns).map(Some)
    }

    fn reads(&self, after: &ReadColumns) -> ReadColumns {
        // Names that both have are told apart by a suffix.
        let others = self.call.other.columns().iter();
        let by = self.call.by.iter().map(|Column(name)| name);
        after.and(by.chain(others.map(|it| &it.name)).map(String::as_str))
    }

    fn finish(&mut self, context: &Context) -> Result<Option<Dataset>, Fault> {
        let Self { call, matcher } = self;
        if matcher.lost() > 0 {
            context.note(call.told(matcher));
        }
        if matcher.unused() > 0 {
            context.note(format!(
                "{} of {} rows of `{}` belong to no row of `{}`",
                grouped(matcher.unused()),
                grouped(call.other.rows()),
                call.other.label,
                call.data.label
            ));
        }
        if matcher.lost() == matcher.rows() && call.how == How::Inner {
            let fault = Fault::at("by", "no row has a partner: nothing is left");
            return Err(match matcher.hint() {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            });
        }
        Ok(None)
    }
}

/// Tolerances that no column has a use for.
fn tolerances(call: &Sketch<'_>) -> Vec<Complaint> {
    let (Some(schema), Some(by)) = (call.schema("data"), call.get::<Vec<Column>>("by")) else {
        return Vec::new();
    };
    let contents = by
        .iter()
        .map(|Column(name)| Some(schema.find(name)?.content));
    let Some(contents) = contents.collect::<Option<Vec<Content>>>() else {
        return Vec::new();
    };
    let has_times = contents.iter().any(|it| it.time().is_some());
    let has_numbers = contents.iter().any(Content::is_number);
    let mut found = Vec::new();
    if call.has("within") && !has_numbers {
        let complaint = Complaint::at("within", "no column of `by` holds numbers");
        found.push(match has_times {
            true => complaint.with_hint("times may be apart by `within_time: 12 h`"),
            false => complaint,
        });
    }
    if call.has("within_time") && !has_times {
        let complaint = Complaint::at("within_time", "no column of `by` holds times");
        found.push(complaint);
    }
    found
}

impl Join {
    fn joining(self) -> Result<Joining, Fault> {
        let within = Within {
            number: self.within,
            days: self.within_time,
        };
        let matcher = Matcher::of(&self.data, &self.other, &self.by, within)?;
        Ok(Joining {
            call: self,
            matcher,
        })
    }

    /// The note about rows without a partner.
    fn told(&self, matches: &Matcher) -> String {
        let outcome = match self.how {
            How::Inner => "are left out",
            How::Left => "miss its columns",
        };
        let mut told = format!(
            "{} of {} rows of `{}` have no partner in `{}` and {outcome}",
            grouped(matches.lost()),
            grouped(matches.rows()),
            self.data.label,
            self.other.label
        );
        if let Some(hint) = matches.hint() {
            told.push_str(&format!("; {hint}"));
        }
        told
    }
}

/// The values of a column at these rows; missing where there is none.
fn beside(column: &DataColumn, rows: &[Option<u32>]) -> DataColumn {
    let value = |row: &Option<u32>| row.map_or(f64::NAN, |row| column.values[row as usize]);
    DataColumn {
        values: rows.iter().map(value).collect(),
        ..column.clone()
    }
}

/// The columns of the result.
fn schema(mine: &Schema, its: &Schema, by: &[Column], suffix: &str) -> Schema {
    let mut columns = mine.columns.clone();
    for column in &its.columns {
        if by.iter().any(|Column(name)| *name == column.name) {
            continue;
        }
        let mut column = column.clone();
        if mine.find(&column.name).is_some() {
            column.name.push_str(suffix);
        }
        columns.push(column);
    }
    Schema { columns }
}

/// A column that would exist twice.
fn collision(mine: &Schema, its: &Schema, by: &[Column], suffix: &str) -> Option<Complaint> {
    let joined = schema(mine, its, by, suffix);
    let mut seen = std::collections::HashSet::new();
    let twice = joined
        .columns
        .iter()
        .find(|column| !seen.insert(&column.name))?;
    let complaint = Complaint::at("other", format!("both data have a column `{}`", twice.name));
    Some(complaint.with_hint(match suffix {
        "" => "add it to `by`, or tell them apart: `suffix: \"_2\"`",
        _ => "another `suffix` tells them apart",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, expect_reads, named, table};

    fn join(how: How, within: Option<f64>) -> Join {
        Join {
            data: Input::new(table(&[
                ("lat", &[1.0, 2.0, 1.0, 3.0]),
                ("x", &[10.0, 20.0, 30.0, 40.0]),
            ])),
            other: Input::new(table(&[("x", &[-1.0, -2.0]), ("lat", &[1.0, 2.001])])),
            by: vec![Column("lat".to_owned())],
            how,
            within,
            within_time: None,
            suffix: Some("_2".to_owned()),
        }
    }

    #[test]
    fn rows_without_a_partner_are_left_out_or_miss_values_and_are_counted() {
        let context = Context::alone("join");
        let data = join(How::Inner, None).run(&context).expect("data");
        assert_eq!(data.values("x").expect("x")[..], [10.0, 30.0]);
        assert_eq!(data.values("x_2").expect("x_2")[..], [-1.0, -1.0]);
        let notes = context.take_notes();
        assert!(notes[0].starts_with("2 of 4 rows of "), "{}", notes[0]);
        assert!(notes[1].starts_with("1 of 2 rows of "), "{}", notes[1]);
        let data = join(How::Left, Some(0.01)).run(&context).expect("data");
        assert_eq!(data.values("x_2").expect("x_2")[..3], [-1.0, -2.0, -1.0]);
        assert!(data.values("x_2").expect("x_2")[3].is_nan());
        assert_eq!(data.rows(), 4);
    }

    #[test]
    fn infinite_numbers_equal_themselves_with_and_without_a_tolerance() {
        let [up, down] = [f64::INFINITY, f64::NEG_INFINITY];
        for within in [None, Some(0.5)] {
            let both = Join {
                data: Input::new(table(&[("lat", &[up, 1.0, down, f64::NAN])])),
                other: Input::new(table(&[("lat", &[down, up]), ("y", &[-5.0, 5.0])])),
                ..join(How::Left, within)
            };
            let data = both.run(&Context::alone("join")).expect("data");
            let y = data.values("y").expect("y");
            assert_eq!((y[0], y[2]), (5.0, -5.0), "{within:?}");
            assert!(y[1].is_nan() && y[3].is_nan(), "{within:?}");
        }
    }

    #[test]
    fn columns_that_nobody_reads_may_be_missing() {
        let both = join(How::Inner, None);
        let data = Dataset::clone(&both.data).with(DataColumn::numbers("z", None, vec![0.0; 4]));
        let data = data.expect("data");
        for after in [&["x_2"][..], &["x"], &["lat"], &["z", "x_2"], &[]] {
            let flow = |head| {
                let call = Join {
                    data: Input::new(head),
                    ..join(How::Inner, None)
                };
                call.flow().expect("a flow")
            };
            expect_reads(flow, &data, &named(after));
        }
    }

    #[test]
    fn nothing_left_is_refused() {
        let empty = Join {
            other: Input::new(table(&[("lat", &[7.0])])),
            ..join(How::Inner, None)
        };
        let (param, message) = complaint(empty.run(&Context::alone("join")));
        assert_eq!(param, Some("by"));
        assert_eq!(message, "no row has a partner: nothing is left");
    }
}
