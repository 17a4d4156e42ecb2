//! `split`: two complementary parts of the rows.

use std::borrow::Cow;
use std::cmp::Ordering;

use dsl::signature::ColumnRule;
use engine::artifact::{Dataset, Each};
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, InParts, Plugin, ReadColumns, Sketch};
use engine::words;
use rand::seq::SliceRandom;

use super::support::counted::{AllRows, Counted};
use crate::calls::with_rows;

words! {
    /// Which part of the rows.
    pub enum Part {
        /// The first share.
        Train = "train",
        /// The rest.
        Test = "test",
    }
}

plugin! {
    /// One of two parts of the rows; with the same arguments, both parts make up the whole.
    ///
    /// `train` holds `share` of the rows, drawn at random or, with `by`, the first in the order
    /// of a column (rows without a value last); `test` holds the others. Rows keep their
    /// order. The drawing depends on the number of rows and on `seed` alone.
    ///
    /// ```farcast
    /// data training = split(all, share: 0.8, part: train)
    /// data testing = split(all, share: 0.8, part: test)
    /// ```
    "split" version 1
    pub struct Split {
        /// The rows.
        data: Input<Dataset>;
        /// The share of rows in `train`.
        share: f64 = "0.8", range("0..=1");
        /// Which part to take.
        part: Part;
        /// The column whose order decides instead of chance.
        by: Option<Column>;
        /// Another number draws other rows.
        seed: u64 = "0", range("0..");
    }
}

impl Plugin for Split {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let rows = call.rows("data").unwrap_or(MOST_ROWS);
        let (Some(share), Some(part)) = (call.get("share"), call.get::<Part>("part")) else {
            return Vec::new();
        };
        let message = || format!("no rows are left for `{}`", part.word());
        let is_empty = part.rows(share, rows as usize) == 0;
        Vec::from_iter(is_empty.then(|| Complaint::at("share", message())))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let (share, part) = (call.get("share"), call.get::<Part>("part"));
        let rows = call.rows("data").zip(share.zip(part));
        with_rows(
            call,
            rows.map(|(rows, (share, part))| part.rows(share, rows as usize) as u64),
        )
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Rereads("data"))
    }

    fn read_parts(self, context: &Context, each: Each<'_>) -> Result<(), Fault> {
        let rows = |each: Each<'_>| context.rows(&self.data, each);
        let first = context.once(|| self.first_rows(&rows))?;
        self.pass(&rows, &first, each)
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        Dataset::of_pass(|each| self.read_parts(context, each))
    }
}

/// More rows than any data have.
const MOST_ROWS: u64 = 1 << 40;

impl Part {
    /// How many of some rows belong to it; more of more rows.
    fn rows(self, share: f64, rows: usize) -> usize {
        let first = ((share * rows as f64).round() as usize).min(rows);
        match self {
            Part::Train => first,
            Part::Test => rows - first,
        }
    }
}

/// Which rows are those of `train`.
enum FirstRows {
    /// Those drawn.
    At(DrawnRows),
    /// Those whose value in a column comes before the last one, and of those alike this many.
    UpTo { name: String, last: f64, alike: u64 },
}

/// Drawn among rows, a bit for each row.
struct DrawnRows(Vec<u64>);

impl DrawnRows {
    fn of(rows: usize, places: &[u32]) -> Self {
        let mut bits = vec![0; rows.div_ceil(64)];
        for place in places {
            bits[*place as usize / 64] |= 1 << (place % 64);
        }
        Self(bits)
    }

    fn has(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }
}

/// The order of values of a column: missing ones come last.
fn in_order(a: f64, b: f64) -> Ordering {
    a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(&b))
}

impl Split {
    /// Passes the rows of the part to `each`.
    fn pass(&self, rows: AllRows<'_>, first: &FirstRows, each: Each<'_>) -> Result<(), Fault> {
        let (mut row, mut ties) = (0, 0);
        rows(&mut |part| {
            let mut wanted = Vec::new();
            let mut choose = |at: usize, is_first: bool| {
                if is_first == (self.part == Part::Train) {
                    wanted.push(at as u32);
                }
            };
            match first {
                FirstRows::At(places) => {
                    (0..part.rows()).for_each(|at| choose(at, places.has(row + at)));
                }
                FirstRows::UpTo { name, last, alike } => {
                    let values = part.column(name)?.values.pieces();
                    for (at, value) in values.flat_map(Cow::into_owned).enumerate() {
                        let order = in_order(value, *last);
                        ties += u64::from(order.is_eq());
                        choose(at, order.is_lt() || (order.is_eq() && ties <= *alike));
                    }
                }
            }
            row += part.rows();
            Ok(each(part.take(&wanted))?.and(self.by_name()))
        })
    }

    /// The column whose order decides.
    fn by_name(&self) -> Option<&str> {
        self.by.as_ref().map(|Column(name)| name.as_str())
    }

    /// Looks at all rows once.
    fn first_rows(&self, rows: AllRows<'_>) -> Result<FirstRows, Fault> {
        let (mut count, mut known, mut missing) = (0, Counted::default(), Counted::default());
        rows(&mut |part| {
            count += part.rows();
            if let Some(Column(name)) = &self.by {
                let values = part.column(name)?.values.pieces();
                for value in values.flat_map(Cow::into_owned) {
                    match value.is_nan() {
                        true => missing.add(value),
                        false => known.add(value),
                    }
                }
            }
            Ok(ReadColumns::none().and(self.by_name()))
        })?;
        if self.part.rows(self.share, count) == 0 {
            let part = self.part.word();
            return Err(Fault::at("share", format!("no rows are left for `{part}`")));
        }
        let first = Part::Train.rows(self.share, count);
        let Some(Column(name)) = &self.by else {
            // Not the action's own stream: it would differ between the two parts.
            let stream = Context::alone(&format!("split of {count} rows, seed {}", self.seed));
            let mut places: Vec<u32> = (0..).take(count).collect();
            places.shuffle(&mut stream.rng("rows"));
            return Ok(FirstRows::At(DrawnRows::of(count, &places[..first])));
        };
        let (mut last, mut alike, mut before) = (f64::NEG_INFINITY, 0, 0);
        for (values, counts) in [known.settled(), missing.settled()] {
            for (value, count) in values.into_iter().zip(counts) {
                if before < first as u64 {
                    (last, alike) = (value, first as u64 - before);
                }
                before += count;
            }
        }
        Ok(FirstRows::UpTo {
            name: name.clone(),
            last,
            alike,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::support::testing::{complaint, in_parts, named, table};

    fn split(part: Part, by: Option<&str>, seed: u64) -> Split {
        let count: Vec<f64> = (0..100).map(f64::from).collect();
        let falling: Vec<f64> = (0..100)
            .map(|row| if row == 99 { f64::NAN } else { f64::from(-row) })
            .collect();
        Split {
            data: Input::new(table(&[("count", &count), ("falling", &falling)])),
            part,
            share: 0.8,
            by: by.map(|name| Column(name.to_owned())),
            seed,
        }
    }

    fn rows(split: Split) -> Vec<f64> {
        let part = split.run(&Context::alone("split")).expect("a part");
        part.values("count").expect("count").to_vec()
    }

    #[test]
    fn the_parts_make_up_the_whole() {
        for by in [None, Some("falling")] {
            let train = rows(split(Part::Train, by, 0));
            assert_eq!(train.len(), 80);
            assert!(train.is_sorted());
            let mut both = [train, rows(split(Part::Test, by, 0))].concat();
            both.sort_by(f64::total_cmp);
            let all: Vec<f64> = (0..100).map(f64::from).collect();
            assert_eq!(both, all);
        }
    }

    #[test]
    fn chance_depends_on_the_seed_alone() {
        let again = rows(split(Part::Test, None, 0));
        assert_eq!(rows(split(Part::Test, None, 0)), again);
        assert_ne!(rows(split(Part::Test, None, 1)), again);
        let last: Vec<f64> = (80..100).map(f64::from).collect();
        assert_ne!(again, last);
    }

    #[test]
    fn the_order_of_a_column_decides_with_missing_values_last() {
        let expected: Vec<f64> = (0..19).chain([99]).map(f64::from).collect();
        assert_eq!(rows(split(Part::Test, Some("falling"), 0)), expected);
    }

    #[test]
    fn an_empty_part_is_refused() {
        let all = Split {
            share: 1.0,
            ..split(Part::Test, None, 0)
        };
        let (param, message) = complaint(all.run(&Context::alone("split")));
        assert_eq!(param, Some("share"));
        assert_eq!(message, "no rows are left for `test`");
    }

    proptest! {
        #[test]
        fn rows_in_parts_are_split_as_all_at_once(
            values in proptest::collection::vec(-3..4_i32, 1..200),
            size in 1..50_usize,
            share in 0.0..1.0_f64,
            is_by in any::<bool>(),
            is_train in any::<bool>(),
        ) {
            let value = |value: &i32| match value {
                -3 => f64::NAN,
                -2 => -0.0,
                value => f64::from(*value),
            };
            let values: Vec<f64> = values.iter().map(value).collect();
            let places: Vec<f64> = (0..values.len()).map(|at| at as f64).collect();
            let data = table(&[("place", &places), ("falling", &values)]);
            let call = || Split {
                data: Input::new(data.clone()),
                share,
                ..split(if is_train { Part::Train } else { Part::Test }, is_by.then_some("falling"), 1)
            };
            let places = |data: Dataset| data.values("place").map(|it| it.to_vec());
            let whole = call().run(&Context::alone("split")).and_then(places);
            let rows = in_parts(&data, size);
            let mut found = Vec::new();
            let split = call().first_rows(&rows).and_then(|first| {
                call().pass(&rows, &first, &mut |part| {
                    found.extend(part.values("place")?.to_vec());
                    Ok(named(&["place"]))
                })
            });
            let found = split.map(|()| found);
            prop_assert_eq!(found.map_err(|it| it.to_string()), whole.map_err(|it| it.to_string()));
        }
    }
}
