//! `nested`: ever smaller parts of one shuffled order of the rows.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use rand::seq::SliceRandom;

use super::Subsets;
use crate::calls::with_rows;

plugin! {
    /// Nested parts of the rows: prefixes of one random order, each a share of the one before.
    ///
    /// With a ratio of 0.5 and five levels: all rows, half, a quarter, an eighth, a sixteenth,
    /// each holding those that follow. KNOW (arXiv 2508.05059) fine-tunes on them from the
    /// largest to the smallest and reads the trajectory backwards.
    ///
    /// ```farcast
    /// subset shrinking = nested(seen, ratio: 0.5, levels: 4)
    /// ```
    "nested" version 1
    pub struct Nested {
        /// The rows.
        data: Input<Dataset>;
        /// The share of its rows that each level leaves to the next.
        ratio: f64 = "0.5", range("0.001..1");
        /// How many levels, all rows being the first.
        levels: usize = "5", range("1..=1000");
    }
}

impl Plugin for Nested {
    type Output = Subsets;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let sizes = call.get::<f64>("ratio").zip(call.get::<u32>("levels"));
        let (Some(rows), Some((ratio, levels))) = (call.rows("data"), sizes) else {
            return Vec::new();
        };
        let message = || format!("at most {rows} rows do not last for {levels} levels");
        let is_empty = size(rows as usize, ratio, levels as i32 - 1) == 0;
        let complaint = || Complaint::at("levels", message()).with_hint(FEWER);
        Vec::from_iter(is_empty.then(complaint))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.get("levels"))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let total = self.data.rows();
        let mut order: Vec<u32> = (0..total as u32).collect();
        order.shuffle(&mut context.rng("order"));
        let size = |level| size(total, self.ratio, level);
        let levels = i32::try_from(self.levels).unwrap_or(i32::MAX);
        if size(levels - 1) == 0 {
            return Err(Fault::at(
                "levels",
                format!("{total} rows do not last for {levels} levels"),
            )
            .with_hint(FEWER));
        }
        Ok(Subsets {
            rows: (0..levels)
                .map(|level| order[..size(level)].to_vec())
                .collect(),
        })
    }
}

const FEWER: &str = "ask for fewer levels, or a larger `ratio`";

/// How many of some rows are in a level.
fn size(rows: usize, ratio: f64, level: i32) -> usize {
    (rows as f64 * ratio.powi(level)).round() as usize
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::data;
    use super::*;

    fn nested(rows: usize, levels: usize) -> Result<Subsets, Fault> {
        Nested {
            data: data(&[("x", &vec![0.0; rows])]),
            ratio: 0.5,
            levels,
        }
        .run(&Context::alone("nested"))
    }

    #[test]
    fn each_level_begins_the_one_before() {
        let levels = nested(100, 5).expect("subsets").rows;
        let sizes: Vec<usize> = levels.iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 50, 25, 13, 6]);
        assert!(levels.windows(2).all(|pair| pair[0].starts_with(&pair[1])));
        let mut all = levels[0].clone();
        assert!(!all.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn levels_without_rows_are_refused() {
        let fault = nested(10, 9).map(|_| ()).expect_err("too many");
        assert_eq!(fault.to_string(), "10 rows do not last for 9 levels");
    }
}
