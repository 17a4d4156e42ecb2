//! `split`: two complementary parts of the rows.

use dsl::signature::ColumnRule;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::words;
use rand::seq::SliceRandom;

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

    fn run(self, _: &Context) -> Result<Dataset, Fault> {
        let mut order = self.order()?;
        let test = order.split_off(Part::Train.rows(self.share, order.len()));
        let mut rows = match self.part {
            Part::Train => order,
            Part::Test => test,
        };
        if rows.is_empty() {
            let part = self.part.word();
            return Err(Fault::at("share", format!("no rows are left for `{part}`")));
        }
        rows.sort_unstable();
        Ok(self.data.take(&rows))
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

impl Split {
    fn order(&self) -> Result<Vec<u32>, Fault> {
        let count = self.data.rows();
        let mut rows: Vec<u32> = (0..).take(count).collect();
        match &self.by {
            Some(Column(name)) => {
                let values = self.data.values(name)?;
                let key = |row: u32| values[row as usize];
                rows.sort_by(|a, b| {
                    let (a, b) = (key(*a), key(*b));
                    a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(&b))
                });
            }
            // Not the action's own stream: it would differ between the two parts.
            None => {
                let stream = Context::alone(&format!("split of {count} rows, seed {}", self.seed));
                rows.shuffle(&mut stream.rng("rows"));
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, table};

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
}
