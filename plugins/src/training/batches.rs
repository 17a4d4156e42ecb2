//! The rows each step learns from.

use std::ops::Range;

use engine::error::Fault;
use engine::plugin::Context;
use rand::Rng;
use rand::seq::SliceRandom;

use super::{Ahead, WholeTable};
use crate::networks::{Network, SampleSource, Samples};

/// Minibatches in a new random order each epoch; the last of an epoch may be smaller.
pub struct Batches<'a, R> {
    train: &'a SampleSource<'a>,
    rng: R,
    order: Vec<u32>,
    at: usize,
    size: Option<usize>,
    ahead: Ahead,
    /// The places that those ahead have in the order of the epoch.
    fetched: Range<usize>,
    batch: Samples,
    /// Where each step learns from all rows of a large table.
    all: Option<WholeTable<'a>>,
}

/// What the next step learns from.
pub enum StepRows<'b, 'a> {
    /// These rows.
    Rows(&'b Samples),
    /// All rows of a large table.
    All(&'b mut WholeTable<'a>),
}

impl<'a, R: Rng> Batches<'a, R> {
    /// Batches of `size` rows; without a size all rows in their own order.
    ///
    /// # Errors
    /// When the run is stopped.
    pub fn new(
        network: &Network,
        train: &'a SampleSource<'a>,
        size: Option<usize>,
        rng: R,
        context: &Context,
    ) -> Result<Self, Fault> {
        let is_whole = size.is_none() && train.all().is_none();
        let all = is_whole.then(|| WholeTable::of(network, train, context));
        let all = all.transpose()?;
        Ok(Self {
            all,
            ..Self::drawn(train, size, rng)
        })
    }

    fn drawn(train: &'a SampleSource<'a>, size: Option<usize>, rng: R) -> Self {
        Self {
            train,
            rng,
            order: match size {
                Some(_) => (0..train.rows() as u32).collect(),
                None => Vec::new(),
            },
            at: train.rows(),
            size,
            ahead: Ahead::default(),
            fetched: 0..0,
            batch: Samples::default(),
            all: None,
        }
    }

    /// Leaves out the rows of this many steps.
    pub fn skip(&mut self, steps: u64) {
        for _ in 0..steps {
            self.next();
        }
    }

    /// Which places in the order the rows of the next step have; none for all rows.
    fn next(&mut self) -> Option<Range<usize>> {
        let size = self.size?;
        if self.at == self.order.len() {
            self.order.shuffle(&mut self.rng);
            self.at = 0;
            self.fetched = 0..0;
        }
        let start = self.at;
        self.at = self.order.len().min(start + size);
        Some(start..self.at)
    }

    /// The rows of the next step.
    pub fn draw(&mut self) -> StepRows<'_, 'a> {
        let places = self.next();
        let Self {
            train,
            order,
            ahead,
            fetched,
            batch,
            all,
            ..
        } = self;
        batch.clear();
        match (all, places, train.all()) {
            (Some(all), ..) => return StepRows::All(all),
            (None, None, Some(all)) => return StepRows::Rows(all),
            (None, None, None) => (),
            (None, Some(places), Some(all)) => batch.extend(all, &order[places]),
            (None, Some(places), None) => {
                if !fetched.contains(&places.start) {
                    // Twice as many as before: a short training does without most rows.
                    let size = places.len();
                    let most = Ahead::most(train) / size * size;
                    let count = (2 * ahead.count() / size * size).min(most).max(size);
                    *fetched = places.start..order.len().min(places.start + count);
                    ahead.fetch(train, &order[fetched.clone()]);
                }
                let first = fetched.start;
                ahead.add(places.start - first..places.end - first, batch);
            }
        }
        StepRows::Rows(batch)
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::{DataColumn, Dataset};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;
    use crate::networks::testing::{made_up, network};
    use crate::networks::{Loss, Scaled, TrainingRows};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn rows_fetched_ahead_are_those_drawn_one_by_one(
            count in 1usize..300,
            size in 1usize..40,
            skipped in 0u64..20,
            columns in 1usize..30,
            weighs in any::<bool>(),
        ) {
            let names: Vec<String> = (0..columns).map(|at| format!("x{at}")).collect();
            let all = names.iter().enumerate().map(|(at, name)| {
                DataColumn::numbers(name, None, made_up(count, at))
            });
            let data = Dataset::new(all.collect()).expect("columns of one length");
            let scaled: Vec<Scaled> = names.iter().map(|name| Scaled::as_is(name)).collect();
            let network = network([scaled.clone(), scaled[..1].to_vec()], &[columns, 1], Loss::Mse);
            let weights = weighs.then(|| (0..count).map(|row| row as f64 + 1.0).collect());
            let rows = TrainingRows::weighted(data, weights);
            let source = SampleSource::columns(&network, &rows).expect("a source");
            let rng = Xoshiro256PlusPlus::seed_from_u64(4);
            let mut batches = Batches::drawn(&source, Some(size), rng.clone());
            batches.skip(skipped);
            let mut one_by_one = Batches::drawn(&source, Some(size), rng);
            one_by_one.skip(skipped);
            for _ in 0..30 {
                let places = one_by_one.next().expect("a step");
                let expected = source.take(&one_by_one.order[places]);
                match batches.draw() {
                    StepRows::Rows(rows) => prop_assert_eq!(rows, &expected),
                    StepRows::All(_) => prop_assert!(false, "all rows"),
                }
            }
        }
    }
}
