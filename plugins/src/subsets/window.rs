//! `window`: neighbouring rows in the order of a column.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::words;
use rand::seq::SliceRandom;

use super::{Subsets, check_size};
use crate::calls::{at_most_rows, complaints, subsets_too_large, with_rows};
use crate::complete::complete;

words! {
    /// In which order rows of equal value stand.
    pub enum Ties {
        /// That of the data.
        Order = "order",
        /// At random.
        Random = "random",
    }
}

plugin! {
    /// Windows of neighbouring rows in the order of a column, their starts evenly spaced.
    ///
    /// The first window holds the smallest values, the last one the largest. Rows with equal
    /// values keep the order of the data, so that windows within one value follow that order:
    /// one depth of a map is cut into strips of latitude. With `ties: random` each is a sample
    /// of the whole map.
    ///
    /// ```farcast
    /// subset layers = window(seen, by: z, count: 16, size: 32)
    /// subset samples = window(seen, by: z, count: 16, size: 32, ties: random)
    /// ```
    "window" version 2
    pub struct Window {
        /// The rows to draw from.
        data: Input<Dataset>;
        /// The column whose order the windows follow.
        by: Column;
        /// How many windows; fewer when the data do not have as many different ones.
        count: usize = "256", range("1..=1000000");
        /// Rows of a window.
        size: usize = "400", range("1..");
        /// In which order rows of equal value stand.
        ties: Ties = "order";
    }
}

impl Plugin for Window {
    type Output = Subsets;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints([
            at_most_rows(call, "data", "size", "subsets no larger than the data"),
            Self::too_large(call),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.get("count"))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let values = complete(&self.data, &self.by.0, "by")?;
        check_size(self.size, values.len())?;
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        if self.ties == Ties::Random {
            order.shuffle(&mut context.rng("ties"));
        }
        // Stable: what is equal stays in its order.
        order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
        let room = values.len() - self.size;
        let count = self.count.min(room + 1);
        if count < self.count {
            context.note(format!(
                "{} windows asked for, {count} different ones of {} rows exist",
                self.count, self.size
            ));
        }
        let rows: Vec<Vec<u32>> = (0..count)
            .map(|window| room * window / (count - 1).max(1))
            .map(|start| order[start..start + self.size].to_vec())
            .collect();
        self.note_ties(&rows, values, context);
        Ok(Subsets { rows })
    }
}

impl Window {
    /// Refuses more windows than memory holds; there are no more different ones than rows.
    fn too_large(call: &Sketch) -> Option<Complaint> {
        let (count, rows) = (call.get::<u64>("count")?, call.rows("data"));
        subsets_too_large(call, rows.map_or(count, |rows| count.min(rows)))
    }

    /// Says where the order of the data alone decides which rows are in which window.
    fn note_ties(&self, windows: &[Vec<u32>], values: &[f64], context: &Context) {
        let ends = windows.iter().filter_map(|rows| {
            let value = |row: Option<&u32>| row.map(|row| values[*row as usize]);
            Some((value(rows.first())?, value(rows.last())?))
        });
        let flat: Vec<f64> = ends.filter(|(a, b)| a == b).map(|(a, _)| a).collect();
        let shares = flat.windows(2).any(|pair| pair[0] == pair[1]);
        if shares && self.ties == Ties::Order {
            let by = &self.by.0;
            context.note(format!(
                "{} of {} windows have one value of `{by}` each, some the same: which rows are in \
                 which follows the order of the data (`ties: random` draws them)",
                flat.len(),
                windows.len()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::data;
    use super::*;

    fn run(values: &[f64], count: usize, size: usize) -> Result<Subsets, Fault> {
        Window {
            data: data(&[("x", values)]),
            by: Column("x".to_owned()),
            count,
            size,
            ties: Ties::Order,
        }
        .run(&Context::alone("window"))
    }

    #[test]
    fn random_ties_mix_rows_of_equal_value_only() {
        let values: Vec<f64> = (0..60).map(|row| f64::from(row / 20)).collect();
        let context = Context::alone("window");
        let drawn = |ties| {
            let window = Window {
                data: data(&[("x", &values)]),
                by: Column("x".to_owned()),
                count: 6,
                size: 10,
                ties,
            };
            window.run(&context).expect("subsets").rows
        };
        let (plain, mixed) = (drawn(Ties::Order), drawn(Ties::Random));
        let told = &context.take_notes()[..];
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("6 of 6 windows have one value of `x` each"),
            "{told:?}"
        );
        assert_eq!(plain[1], (10..20).collect::<Vec<u32>>());
        for (at, rows) in mixed.iter().enumerate() {
            let value = (at / 2) as u32;
            assert!(rows.iter().all(|row| row / 20 == value), "{rows:?}");
            assert_ne!(*rows, plain[at]);
        }
        let mut first: Vec<u32> = mixed[..2].concat();
        first.sort_unstable();
        assert_eq!(first, (0..20).collect::<Vec<u32>>());
    }

    #[test]
    fn windows_slide_from_the_smallest_to_the_largest() {
        let subsets = run(&[5.0, 1.0, 4.0, 2.0, 3.0, 2.0], 3, 2).expect("subsets");
        assert_eq!(subsets.rows, [[1, 3], [5, 4], [2, 0]]);
        assert_eq!(run(&[3.0, 1.0, 2.0], 1, 2).expect("one").rows, [[1, 2]]);
    }

    #[test]
    fn there_are_no_more_windows_than_starts() {
        assert_eq!(run(&[1.0, 2.0, 3.0], 9, 2).expect("two").rows.len(), 2);
        assert_eq!(run(&[1.0, 2.0], 9, 2).expect("one").rows.len(), 1);
    }

    #[test]
    fn windows_larger_than_the_data_and_gaps_are_refused() {
        let message = |values: &[f64]| {
            let result = run(values, 3, 4).map(|_| ());
            result.expect_err("a fault").to_string()
        };
        assert_eq!(
            message(&[1.0, 2.0]),
            "expected subsets no larger than the data, found 4 of 2 rows"
        );
        assert_eq!(
            message(&[1.0, f64::NAN]),
            "column `x` has no value in 1 of 2 rows"
        );
    }
}
