//! The rows each step learns from.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::networks::Samples;

/// Minibatches in a new random order each epoch; the last of an epoch may be smaller.
pub struct Batches<'a, R> {
    train: &'a Samples,
    rng: R,
    order: Vec<u32>,
    at: usize,
    size: Option<usize>,
    batch: Samples,
}

impl<'a, R: Rng> Batches<'a, R> {
    /// Batches of `size` rows; without a size all rows in their own order.
    pub fn new(train: &'a Samples, size: Option<usize>, rng: R) -> Self {
        Self {
            train,
            rng,
            order: (0..train.rows as u32).collect(),
            at: train.rows,
            size,
            batch: Samples::default(),
        }
    }

    /// The rows of the next step.
    pub fn draw(&mut self) -> &Samples {
        let Some(size) = self.size else {
            return self.train;
        };
        if self.at == self.order.len() {
            self.order.shuffle(&mut self.rng);
            self.at = 0;
        }
        let end = self.order.len().min(self.at + size);
        self.batch.clear();
        self.batch.extend(self.train, &self.order[self.at..end]);
        self.at = end;
        &self.batch
    }
}
