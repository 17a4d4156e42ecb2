//! `aggregate`: one row for all rows that are alike in some columns.

use std::ops::Range;

use dsl::column::{ColumnExpr, Gathered};
use dsl::signature::ColumnRule;
use engine::artifact::{DataColumn, Dataset, Numbers};
use engine::error::Fault;
use engine::params::{Column, Definitions, Input};
use engine::plugin;
use engine::plugin::{
    Complaint, Context, Facts, Flow, InParts, Plugin, ReadColumns, Sketch, at_once,
};
use rayon::prelude::*;

use super::support::formulas::{by_group, by_row};
use super::support::groups::Groups;
use super::support::keys::{GroupKeys, NO_GROUP};
use super::support::tallies::Tally;
use crate::calls::{complaints, distinct, filled, with_rows};

/// How many rows are added at a time.
const TOGETHER: usize = 1 << 15;

plugin! {
    /// One row for all rows that are alike in some columns, each `name = formula` of them.
    ///
    /// `aggregate(winds, by: [lat, lon, month], calm = share(speed < 2))` gives a row for each
    /// cell and calendar month. A formula must give one number for a group: columns stand
    /// inside `mean`, `std`, `median`, `sum`, `lowest`, `highest` or `count`, which pass over
    /// missing values, or `share`, which is of all rows: a comparison with a missing value is
    /// false. Of the rows that have one it is `share(speed < 2) / share(not is_missing(speed))`.
    /// Groups come in the order of their values; rows that miss one of the `by` columns are in
    /// none. New columns have no unit; `lowest(time)` is a time.
    ///
    /// ```farcast
    /// data steps = derive(all, step = floor(4 * z))
    /// data coarse = aggregate(steps, by: step, centre = mean(x), spread = std(y))
    /// ```
    "aggregate" version 3
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

    fn in_parts(call: &Sketch<'_>) -> Option<InParts> {
        let Definitions(definitions) = call.get("definitions")?;
        gathered(&definitions).map(|_| InParts::Gathers("data"))
    }

    fn flow(self) -> Result<Box<dyn Flow>, Fault> {
        match self.gathering()? {
            Some(gathering) => Ok(Box::new(gathering)),
            None => Err(Fault::Bug("rows must be seen more than once".to_owned())),
        }
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        if let Some(gathering) = self.gathering()? {
            return at_once(gathering, Dataset::clone(&self.data), context);
        }
        let groups = self.complete_groups(context)?;
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

/// What formulas gather of the rows, and the formulas with that in its place; none where rows must
/// be seen more than once.
fn gathered(definitions: &[(String, ColumnExpr)]) -> Option<(Vec<Gathered>, Vec<ColumnExpr>)> {
    let mut found = Vec::new();
    let formulas = definitions
        .iter()
        .map(|(_, it)| it.gathered(&mut found, name_of));
    let formulas: Vec<ColumnExpr> = formulas.collect::<Option<_>>()?;
    let of = found.iter().flat_map(|gathered| gathered.of.columns());
    let is_new = |name: &str| definitions.iter().any(|(new, _)| new == name);
    (!{ of }.any(is_new)).then_some((found, formulas))
}

/// What the column of something gathered is called: no column of data is.
fn name_of(at: usize) -> String {
    format!("\0{at}")
}

/// Groups of rows that come in parts.
struct Gathering {
    /// The data without rows.
    head: Dataset,
    keys: GroupKeys,
    gathered: Vec<Gathered>,
    tallies: Vec<Tally>,
    definitions: Vec<(String, ColumnExpr)>,
    /// The definitions, with what is gathered as columns.
    formulas: Vec<ColumnExpr>,
    left_out: usize,
}

impl Flow for Gathering {
    fn push(&mut self, rows: Dataset, context: &Context) -> Result<Option<Dataset>, Fault> {
        context.check_stop()?;
        let groups = self.keys.groups(&rows)?;
        self.left_out += groups.iter().filter(|group| **group == NO_GROUP).count();
        let count = self.keys.len();
        let tallies = self.tallies.par_iter_mut().zip(&self.gathered);
        let added = tallies.map(|(tally, gathered)| {
            tally.grow(count);
            let values = match &gathered.of {
                ColumnExpr::Column(name) => rows.column(name)?.values.clone(),
                formula => by_row(formula, &rows, &[])
                    .map_err(|message| Fault::at("definitions", message))?,
            };
            for (part, groups) in groups.chunks(TOGETHER).enumerate() {
                let start = part * TOGETHER;
                tally.add(groups, &values.part(start..start + groups.len()));
            }
            Ok(())
        });
        added.collect::<Result<(), Fault>>()?;
        Ok(None)
    }

    fn reads(&self, _: &ReadColumns) -> ReadColumns {
        let gathered = self.gathered.iter().flat_map(|it| it.of.columns());
        ReadColumns::none().and(self.keys.names().chain(gathered))
    }

    fn finish(&mut self, context: &Context) -> Result<Option<Dataset>, Fault> {
        if self.keys.len() == 0 {
            let message = "no row has a value in each of these columns";
            return Err(Fault::at("by", message));
        }
        if self.left_out > 0 {
            context.note(format!(
                "{} rows without a value to group by were left out",
                self.left_out
            ));
        }
        let empty = GroupKeys::of(&self.head, &[])?;
        let (order, columns) = std::mem::replace(&mut self.keys, empty).sorted();
        let gathered = self.tallies.drain(..).map(|tally| {
            let values = tally.values();
            order.iter().map(|group| values[*group as usize]).collect()
        });
        let gathered: Vec<Vec<f64>> = gathered.collect();
        let is_key = |name: &str| columns.iter().any(|column| column.name == name);
        let others = self.head.columns().iter().filter(|it| !is_key(&it.name));
        // What formulas know of columns: those of the groups, and what the data's others hold.
        let heads = others.cloned().chain(columns.iter().map(|it| it.take(&[])));
        let mut known = Dataset::new(heads.collect())?;
        let mut table = Dataset::new(columns)?;
        for ((name, definition), formula) in self.definitions.iter().zip(&self.formulas) {
            let look = |name: &str| match name.strip_prefix('\0') {
                Some(at) => gathered
                    .get(at.parse::<usize>().ok()?)
                    .map(|it| it[..].into()),
                None => table.look(name),
            };
            let values = formula
                .evaluate(order.len(), &look)
                .map_err(|message| Fault::at("definitions", message))?;
            let column = known.derived(name.clone(), definition, values.into());
            known = known.with(column.take(&[]))?;
            table = table.with(column)?;
        }
        Ok(Some(table))
    }
}

impl Aggregate {
    /// What gathers rows in parts; none where they must be seen more than once.
    fn gathering(&self) -> Result<Option<Gathering>, Fault> {
        let definitions = &self.definitions.0;
        for (name, _) in definitions {
            if self.data.column(name).is_ok() {
                let message = format!("column `{name}` exists already");
                let fault = Fault::at("definitions", message);
                return Err(fault.with_hint("give the new column another name"));
            }
        }
        let Some((gathered, formulas)) = gathered(definitions) else {
            return Ok(None);
        };
        let tallies = gathered.iter().map(Tally::of);
        let head = self.data.take(&[]);
        Ok(Some(Gathering {
            keys: GroupKeys::of(&head, &self.by)?,
            tallies: tallies.collect::<Option<_>>().unwrap_or_default(),
            head,
            gathered,
            definitions: definitions.clone(),
            formulas,
            left_out: 0,
        }))
    }

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
    use engine::artifact::Artifact;

    use super::*;
    use crate::data::support::testing::{complaint, expect_reads, named, table};

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

    fn wide(data: &Dataset) -> Aggregate {
        let of = |function: &str| call(function, column("u"));
        let is_a = ColumnExpr::Binary(
            BinaryOp::Equal,
            Box::new(column("name")),
            Box::new(ColumnExpr::Text("a".to_owned())),
        );
        let functions = ["mean", "sum", "std", "lowest", "highest", "count", "median"];
        let mut definitions: Vec<(String, ColumnExpr)> = functions
            .map(|function| (format!("of_{function}"), of(function)))
            .into();
        definitions.push(("named".to_owned(), call("share", is_a)));
        definitions.push(("who".to_owned(), column("name")));
        Aggregate {
            data: Input::new(data.clone()),
            by: vec![Column("name".to_owned()), Column("cell".to_owned())],
            definitions: Definitions(definitions),
        }
    }

    proptest::proptest! {
        /// Wherever the rows are cut, the bytes are the same, and those of all rows at once.
        #[test]
        fn parts_of_rows_do_not_matter(
            rows in proptest::collection::vec((0..4_u8, -2..3_i8, -9..9_i8), 1..60),
            cuts in proptest::collection::vec(0..60_usize, 0..5),
            few in proptest::bool::ANY,
        ) {
            let number = |value: i8| if value == 8 { f64::NAN } else { f64::from(value) / 3.0 };
            let texts = rows.iter().map(|row| ["b", "a", "c"].get(usize::from(row.0)));
            let cells: Vec<u16> = rows.iter().map(|row| (row.1 + 2).cast_unsigned().into()).collect();
            let values = [-2.0, -1.0, 0.0, 1.0, f64::NAN];
            let cells = match few {
                true => Numbers::coded(&values[..], cells),
                false => cells.iter().map(|at| values[usize::from(*at)]).collect(),
            };
            let u: Vec<f64> = rows.iter().map(|row| number(row.2)).collect();
            let data = Dataset::new(vec![
                DataColumn::texts("name", texts),
                DataColumn::numbers("cell", None, cells),
                DataColumn::numbers("u", None, u),
            ]).expect("data");
            let whole = wide(&data).run(&Context::alone("whole"));
            let context = Context::alone("parts");
            let mut flow = wide(&data.take(&[])).flow().expect("a flow");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(rows.len())).collect();
            cuts.extend([0, rows.len()]);
            cuts.sort_unstable();
            for ends in cuts.windows(2) {
                let own: Vec<u32> = (ends[0] as u32..ends[1] as u32).collect();
                // As a reader does it, texts have labels of their own in each part.
                let part = data.take(&own);
                let names = (0..own.len()).map(|row| part.columns()[0].text(row));
                let mut columns = vec![DataColumn::texts("name", names)];
                columns.extend_from_slice(&part.columns()[1..]);
                let part = Dataset::new(columns).expect("a part");
                assert_eq!(flow.push(part, &context).expect("groups"), None);
            }
            match (whole, flow.finish(&context)) {
                (Ok(whole), Ok(Some(parts))) => {
                    let bytes = |data: &Dataset| data.to_parts().expect("parts");
                    assert_eq!(bytes(&whole), bytes(&parts));
                }
                (whole, parts) => assert!(whole.is_err() && parts.is_err()),
            }
        }
    }

    #[test]
    fn columns_that_nobody_reads_may_be_missing() {
        let data = table(&[
            ("other", &[9.0; 6]),
            ("cell", &CELL),
            ("month", &MONTH),
            ("u", &U),
        ]);
        let flow = |head| {
            let call = Aggregate {
                data: Input::new(head),
                by: vec![Column("month".to_owned())],
                definitions: Definitions(vec![("middle".to_owned(), call("mean", column("u")))]),
            };
            call.flow().expect("a flow")
        };
        expect_reads(flow, &data, &ReadColumns::All);
        let reads = flow(data.take(&[])).reads(&ReadColumns::All);
        assert_eq!(reads, named(&["month", "u"]));
    }

    #[test]
    fn what_sees_rows_twice_takes_them_at_once() {
        let off = ColumnExpr::Binary(
            BinaryOp::Subtract,
            Box::new(column("u")),
            Box::new(call("mean", column("u"))),
        );
        let definitions = [("off".to_owned(), call("mean", call("abs", off)))];
        assert!(gathered(&definitions).is_none());
        let data = table(&[("cell", &[1.0, 1.0]), ("u", &[1.0, 4.0])]);
        let groups = Aggregate {
            data: Input::new(data),
            by: vec![Column("cell".to_owned())],
            definitions: Definitions(definitions.into()),
        };
        let groups = groups.run(&Context::alone("aggregate")).expect("groups");
        assert_eq!(groups.values("off").expect("off")[..], [1.5]);
    }

    #[test]
    fn the_spread_of_numbers_far_from_zero_is_kept() {
        let far: Vec<f64> = (0..1000).map(|at| 1e9 + f64::from(at % 2)).collect();
        let data = table(&[("cell", &[1.0; 1000]), ("u", &far)]);
        let groups = Aggregate {
            data: Input::new(data),
            by: vec![Column("cell".to_owned())],
            definitions: Definitions(vec![("spread".to_owned(), call("std", column("u")))]),
        };
        let groups = groups.run(&Context::alone("aggregate")).expect("groups");
        // Halves at both ends of one: n / (n - 1) / 4 is the variance.
        let expected = (1000.0_f64 / 999.0 / 4.0).sqrt();
        let spread = groups.values("spread").expect("spread")[0];
        assert!((spread / expected - 1.0).abs() < 1e-9, "{spread}");
    }

    #[test]
    fn nothing_to_group_is_told() {
        let data = table(&[("cell", &[f64::NAN]), ("month", &[1.0]), ("u", &[1.0])]);
        let (param, message) = complaint(aggregate(data, &Context::alone("aggregate")));
        assert_eq!(param, Some("by"));
        assert_eq!(message, "no row has a value in each of these columns");
    }
}
