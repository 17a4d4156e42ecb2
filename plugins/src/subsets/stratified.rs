//! `stratified`: random rows with the same share of every stratum.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use rand::seq::index::sample;

use super::{Subsets, check_size};
use crate::calls::{at_most_rows, complaints, too_many_rows, with_rows};
use crate::complete::complete;

plugin! {
    /// Rows drawn at random with the same number from every stratum of a column.
    ///
    /// The rows are cut into `strata` parts of equal size in the order of the column; rows
    /// with equal values keep the order of the data. Each subset draws from every stratum
    /// `size / strata` rows, none twice; where that is not a whole number, the first strata give
    /// one more. All subsets then cover the column alike: what still differs between them is
    /// not due to it.
    ///
    /// ```farcast
    /// subset even = stratified(seen, by: z, strata: 4, count: 8, size: 32)
    /// ```
    "stratified" version 1
    pub struct Stratified {
        /// The rows to draw from.
        data: Input<Dataset>;
        /// The column whose order makes the strata; texts stand by the alphabet.
        by: Column, texts();
        /// How many strata.
        strata: usize = "10", range("1..");
        /// How many subsets.
        count: usize = "256", range("1..=1000000");
        /// Rows of a subset.
        size: usize = "400", range("1..");
    }
}

impl Plugin for Stratified {
    type Output = Subsets;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let sizes = call.get::<usize>("strata").zip(call.get::<usize>("size"));
        let narrow = sizes.filter(|(strata, size)| strata > size);
        let message = |(strata, size)| {
            format!("expected no more strata than rows of a subset, found {strata} of {size}")
        };
        complaints([
            narrow.map(|sizes| Complaint::at("strata", message(sizes))),
            at_most_rows(call, "data", "size", "subsets no larger than the data"),
            too_many_rows(call),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.get("count"))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let values = complete(&self.data, &self.by.0, "by")?;
        let total = values.len();
        check_size(self.size, total)?;
        let mut order: Vec<u32> = (0..total as u32).collect();
        order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
        let share = |of: usize, at: usize| of / self.strata + usize::from(at < of % self.strata);
        let mut rng = context.rng("subsets");
        let mut rows = Vec::with_capacity(self.count);
        for _ in 0..self.count {
            context.check_stop()?;
            let mut subset = Vec::with_capacity(self.size);
            let mut rest = &order[..];
            for stratum in 0..self.strata {
                let (own, others) = rest.split_at(share(total, stratum));
                let drawn = sample(&mut rng, own.len(), share(self.size, stratum));
                subset.extend(drawn.into_iter().map(|at| own[at]));
                rest = others;
            }
            rows.push(subset);
        }
        Ok(Subsets { rows })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixtures::data;
    use super::*;

    fn stratified(strata: usize, size: usize) -> Result<Subsets, Fault> {
        let falling: Vec<f64> = (0..50).map(|row| f64::from(-row)).collect();
        Stratified {
            data: data(&[("x", &falling)]),
            by: Column("x".to_owned()),
            strata,
            count: 20,
            size,
        }
        .run(&Context::alone("stratified"))
    }

    #[test]
    fn every_stratum_gives_its_share() {
        for subset in stratified(4, 10).expect("subsets").rows {
            assert_eq!(subset.iter().collect::<BTreeSet<_>>().len(), 10);
            // 50 rows are strata of 13, 13, 12 and 12; 10 rows 3, 3, 2 and 2 of them.
            let falling = |row: &&u32| 49 - **row;
            let count = |from, to| {
                subset
                    .iter()
                    .filter(|row| (from..to).contains(&falling(row)))
                    .count()
            };
            assert_eq!(
                [count(0, 13), count(13, 26), count(26, 38), count(38, 50)],
                [3, 3, 2, 2]
            );
        }
    }
}
