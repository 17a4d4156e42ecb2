//! `derive`: new columns computed from others.

use std::collections::BTreeSet;
use std::ops::Range;

use dsl::signature::ColumnRule;
use engine::artifact::{DataColumn, Dataset, Each};
use engine::error::Fault;
use engine::params::{Column, Definitions, Input};
use engine::plugin;
use engine::plugin::{Context, Facts, Flow, InParts, Plugin, ReadColumns, Sketch};

use super::support::counted::AllRows;
use super::support::formulas::{by_row, no_dates, told_no_dates};
use super::support::groups::Groups;
use crate::calls::with_rows;

plugin! {
    /// The same rows with more columns, each `name = formula`.
    ///
    /// A formula may use the columns defined before it. New columns have no unit, but times stay
    /// times and texts stay texts. Functions
    /// of many rows, such as `mean` or `lag`, are of all rows, or with `by` of those alike in
    /// some columns: `derive(winds, by: [lat, lon], along: time, before = lag(u, 12))` has the
    /// wind of the same cell twelve rows earlier.
    ///
    /// ```farcast
    /// data smooth = derive(all, along: z, trend = running_mean(y, 20), rest = y - trend)
    /// data richer = derive(all, square = x ^ 2, wave = sin(pi * x))
    /// ```
    "derive" version 2
    pub struct Derive {
        /// The rows.
        data: Input<Dataset>;
        /// The new columns, such as `p = 1.02 * depth`.
        definitions: Definitions;
        /// The columns in which the rows are alike that functions of many rows see together.
        by: Vec<Column> = "[]", texts();
        /// The column in whose order `lag` and `running_mean` see the rows.
        along: Option<Column>;
    }
}

impl Plugin for Derive {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Extend("data".to_owned())
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.rows("data"))
    }

    fn in_parts(call: &Sketch<'_>) -> Option<InParts> {
        let Definitions(definitions) = call.get("definitions")?;
        let by: Vec<Column> = call.get("by")?;
        let along: Option<Column> = call.get("along").flatten();
        let is_by_row = definitions.iter().all(|(_, it)| it.of_rows().is_none());
        let has_order = along.is_some() || !by.is_empty();
        Some(match is_by_row && !has_order {
            true => InParts::Maps("data"),
            false => InParts::Rereads("data"),
        })
    }

    fn flow(self) -> Result<Box<dyn Flow>, Fault> {
        Ok(Box::new(NewColumns::of(self.definitions, &self.data)?))
    }

    fn read_parts(self, context: &Context, each: Each<'_>) -> Result<(), Fault> {
        let rows = |each: Each<'_>| context.rows(&self.data, each);
        let columns = context.once(|| self.columns_of_all(&rows, context))?;
        pass(&rows, &columns, each)
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        Dataset::of_pass(|each| self.read_parts(context, each))
    }
}

impl Derive {
    /// The new columns of all rows, from no more columns than these follow from.
    fn columns_of_all(
        &self,
        rows: AllRows<'_>,
        context: &Context,
    ) -> Result<Vec<DataColumn>, Fault> {
        let formulas = self.definitions.0.iter();
        let used = formulas.flat_map(|(_, formula)| formula.columns());
        let order = self.by.iter().chain(&self.along);
        let used = used.chain(order.map(|Column(name)| name.as_str()));
        let mut reads = ReadColumns::none().and(used);
        let (mut parts, mut columns) = (Vec::new(), None);
        rows(&mut |part| {
            if columns.is_none() {
                columns = Some(NewColumns::of(self.definitions.clone(), &part)?);
                reads = reads.among(&part);
            }
            parts.push(part.only(&reads));
            Ok(reads.clone())
        })?;
        let data = Dataset::of_parts(parts)?;
        let Some(mut columns) = columns else {
            return Ok(Vec::new());
        };
        let groups = Groups::of(&data, &self.by, self.along.as_ref())?;
        let new = |all: Dataset| {
            let before = all.columns().len() - self.definitions.0.len();
            all.columns()[before..].to_vec()
        };
        let added = match groups.is_order_of_data() {
            true => new(columns.added(data, &groups.ranges, context)?),
            false => {
                // What no formula reads stays as it is.
                let read = columns.read(&data)?.take(&groups.rows);
                drop(data);
                let turned = new(columns.added(read, &groups.ranges, context)?);
                let mut back = vec![0; groups.rows.len()];
                for (at, row) in (0..).zip(&groups.rows) {
                    back[*row as usize] = at;
                }
                turned.iter().map(|column| column.take(&back)).collect()
            }
        };
        columns.tell(context);
        Ok(added)
    }
}

/// Passes rows on with new columns of all of them.
fn pass(rows: AllRows<'_>, columns: &[DataColumn], each: Each<'_>) -> Result<(), Fault> {
    let mut start = 0;
    rows(&mut |mut part| {
        let end = start + part.rows();
        for column in columns {
            part = part.with(column.part(start..end))?;
        }
        start = end;
        each(part)
    })
}

/// The columns that are added.
struct NewColumns {
    definitions: Definitions,
    /// In how many rows each formula has no date.
    no_dates: Vec<usize>,
}

impl NewColumns {
    fn of(definitions: Definitions, data: &Dataset) -> Result<Self, Fault> {
        let mut known: BTreeSet<&str> = data.columns().iter().map(|it| &*it.name).collect();
        for (name, _) in &definitions.0 {
            if !known.insert(name) {
                let message = format!("column `{name}` exists already");
                let fault = Fault::at("definitions", message);
                return Err(fault.with_hint("give the new column another name"));
            }
        }
        Ok(Self {
            no_dates: vec![0; definitions.0.len()],
            definitions,
        })
    }

    /// The columns that the formulas read; one at least, which says how many rows there are.
    fn read(&self, data: &Dataset) -> Result<Dataset, Fault> {
        let formulas = self.definitions.0.iter();
        let used: BTreeSet<&str> = formulas.flat_map(|(_, it)| it.columns()).collect();
        let columns = data.columns().iter().enumerate();
        let read = columns.filter(|(at, column)| *at == 0 || used.contains(&*column.name));
        Dataset::new(read.map(|(_, column)| column.clone()).collect())
    }

    /// The rows with the new columns; functions of many rows see those of a group.
    fn added(
        &mut self,
        mut rows: Dataset,
        groups: &[Range<usize>],
        context: &Context,
    ) -> Result<Dataset, Fault> {
        for ((name, formula), lost) in self.definitions.0.iter().zip(&mut self.no_dates) {
            context.check_stop()?;
            *lost += no_dates(formula, &rows);
            let values = by_row(formula, &rows, groups)
                .map_err(|message| Fault::at("definitions", message))?;
            let column = rows.derived(name.clone(), formula, values);
            rows = rows.with(column)?;
        }
        Ok(rows)
    }

    fn tell(&self, context: &Context) {
        for ((name, _), lost) in self.definitions.0.iter().zip(&self.no_dates) {
            if let Some(lost) = told_no_dates(*lost) {
                context.note(format!("`{name}`: {lost}"));
            }
        }
    }
}

impl Flow for NewColumns {
    fn push(&mut self, rows: Dataset, context: &Context) -> Result<Option<Dataset>, Fault> {
        let all = 0..rows.rows();
        self.added(rows, std::slice::from_ref(&all), context)
            .map(Some)
    }

    fn reads(&self, after: &ReadColumns) -> ReadColumns {
        let formulas = self.definitions.0.iter();
        after.and(formulas.flat_map(|(_, formula)| formula.columns()))
    }

    fn finish(&mut self, context: &Context) -> Result<Option<Dataset>, Fault> {
        self.tell(context);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use dsl::ast::BinaryOp;
    use dsl::column::ColumnExpr;
    use engine::artifact::Artifact;
    use proptest::prelude::*;

    use super::*;
    use crate::data::support::testing::{complaint, expect_reads, in_parts, named, table};
    use crate::testing::{call, given};

    fn times(column: &str, factor: f64) -> ColumnExpr {
        ColumnExpr::Binary(
            BinaryOp::Multiply,
            Box::new(ColumnExpr::Column(column.to_owned())),
            Box::new(ColumnExpr::Number(factor)),
        )
    }

    fn derive(definitions: &[(&str, ColumnExpr)]) -> Result<Dataset, Fault> {
        Derive {
            data: Input::new(table(&[("a", &[1.0, 2.0])])),
            definitions: Definitions(
                definitions
                    .iter()
                    .map(|(name, formula)| ((*name).to_owned(), formula.clone()))
                    .collect(),
            ),
            by: Vec::new(),
            along: None,
        }
        .run(&Context::alone("derive"))
    }

    #[test]
    fn columns_that_nobody_reads_may_be_missing() {
        let data = table(&[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0]), ("c", &[5.0, 6.0])]);
        let flow = |head| {
            let double = ("double".to_owned(), times("b", 2.0));
            let call = Derive {
                data: Input::new(head),
                definitions: Definitions(vec![double, ("more".to_owned(), times("double", 2.0))]),
                by: Vec::new(),
                along: None,
            };
            call.flow().expect("a flow")
        };
        for after in [&["more"][..], &["a"], &["c", "double"]] {
            expect_reads(flow, &data, &named(after));
        }
    }

    #[test]
    fn later_columns_may_use_earlier_ones() {
        let data = derive(&[("b", times("a", 3.0)), ("c", times("b", 10.0))]).expect("columns");
        let expected = table(&[("a", &[1.0, 2.0]), ("b", &[3.0, 6.0]), ("c", &[30.0, 60.0])]);
        assert_eq!(data, expected);
    }

    #[test]
    fn a_taken_name_is_refused() {
        let (param, message) = complaint(derive(&[("a", times("a", 2.0))]));
        assert_eq!(param, Some("definitions"));
        assert_eq!(message, "column `a` exists already");
    }

    proptest! {
        #[test]
        fn rows_in_parts_have_the_columns_of_all_at_once(
            values in proptest::collection::vec((0..3_u8, 0..9_u8, any::<bool>()), 1..100),
            size in 1..30_usize,
            by in proptest::sample::subsequence(vec!["cell", "port"], 0..=2),
            is_along in any::<bool>(),
        ) {
            let cells: Vec<f64> = values.iter().map(|it| f64::from(it.0)).collect();
            let times: Vec<f64> = values.iter().map(|it| f64::from(it.1)).collect();
            let singles: Vec<f32> = values.iter().map(|it| f32::from(it.1) / 3.0).collect();
            let ports = values.iter().map(|it| it.2.then_some("Bonn"));
            let data = Dataset::new(vec![
                DataColumn::numbers("cell", None, cells),
                DataColumn::numbers("time", None, times),
                DataColumn::numbers("u", None, singles),
                DataColumn::texts("port", ports),
                DataColumn::numbers("other", None, vec![0.5; values.len()]),
            ]);
            let data = data.expect("columns of one length");
            let along = if is_along { ", along: time" } else { "" };
            let written = format!(
                "rows, by: [{}]{along}, before = lag(u, 1), off = before - mean(u), \
                 twice = 2 * cell, smooth = running_mean(twice, 3)",
                by.join(", ")
            );
            let call = || call::<Derive>(&written, &[("rows", given(data.clone()))]);
            let context = Context::alone("derive");
            let bytes = |data: Dataset| data.to_parts().expect("bytes");
            let whole = call().run(&context).map(bytes).map_err(|it| it.to_string());
            let rows = in_parts(&data, size);
            let mut parts = Vec::new();
            let found = call().columns_of_all(&rows, &context).and_then(|columns| {
                pass(&rows, &columns, &mut |part| {
                    parts.push(part);
                    Ok(ReadColumns::All)
                })
            });
            let found = found.and_then(|()| Dataset::of_parts(parts));
            prop_assert_eq!(found.map(bytes).map_err(|it| it.to_string()), whole);
        }
    }

    #[test]
    fn rows_of_other_groups_are_not_seen_and_the_order_stays() {
        let call = |name: &str| {
            let arguments = vec![ColumnExpr::Column("u".to_owned()), ColumnExpr::Number(1.0)];
            ColumnExpr::Call(name.to_owned(), arguments)
        };
        let data = Derive {
            data: Input::new(table(&[
                ("cell", &[1.0, 2.0, 1.0, 2.0, 1.0]),
                ("time", &[3.0, 1.0, 1.0, 2.0, 2.0]),
                ("u", &[30.0, 10.0, 1.0, 20.0, 2.0]),
            ])),
            definitions: Definitions(vec![("before".to_owned(), call("lag"))]),
            by: vec![Column("cell".to_owned())],
            along: Some(Column("time".to_owned())),
        }
        .run(&Context::alone("derive"))
        .expect("columns");
        let before = data.values("before").expect("before");
        assert_eq!((before[0], before[3], before[4]), (2.0, 10.0, 1.0));
        assert!(before[1].is_nan() && before[2].is_nan());
        assert_eq!(
            data.values("u").expect("u")[..],
            [30.0, 10.0, 1.0, 20.0, 2.0]
        );
    }
}
