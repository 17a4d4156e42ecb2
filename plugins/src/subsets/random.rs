//! `random`: rows drawn at random.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use rand::seq::index::sample;

use super::{Subsets, check_size};
use crate::calls::{at_most_rows, complaints, too_many_rows, with_rows};

plugin! {
    /// Rows drawn at random, none twice in a subset.
    ///
    /// The control of every other choice of subsets: no predictor tells these apart.
    ///
    /// ```farcast
    /// subset some = random(seen, count: 8, size: 32)
    /// ```
    "random" version 1
    pub struct Random {
        /// The rows to draw from.
        data: Input<Dataset>;
        /// How many subsets.
        count: usize = "256", range("1..=1000000");
        /// Rows of a subset.
        size: usize = "400", range("1..");
    }
}

impl Plugin for Random {
    type Output = Subsets;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints([
            at_most_rows(call, "data", "size", "subsets no larger than the data"),
            too_many_rows(call),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.get("count"))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        check_size(self.size, self.data.rows())?;
        let mut rng = context.rng("subsets");
        let draw = |_| {
            sample(&mut rng, self.data.rows(), self.size)
                .into_iter()
                .map(|row| row as u32)
                .collect()
        };
        Ok(Subsets {
            rows: (0..self.count).map(draw).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixtures::data;
    use super::*;

    fn run(name: &str, size: usize) -> Result<Subsets, Fault> {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        Random {
            data: data(&[("x", &values)]),
            count: 20,
            size,
        }
        .run(&Context::alone(name))
    }

    #[test]
    fn no_row_is_drawn_twice() {
        let subsets = run("a", 30).expect("subsets");
        assert_eq!(subsets.rows.len(), 20);
        for rows in &subsets.rows {
            let distinct: BTreeSet<u32> = rows.iter().copied().collect();
            assert_eq!((distinct.len(), rows.len()), (30, 30));
            assert!(distinct.into_iter().all(|row| row < 50));
        }
    }

    #[test]
    fn the_action_decides_the_draw() {
        assert_eq!(run("a", 5).expect("subsets"), run("a", 5).expect("subsets"));
        assert_ne!(run("a", 5).expect("subsets"), run("b", 5).expect("subsets"));
        assert!(run("a", 51).is_err());
    }
}
