//! The rows each step learns from.

use std::ops::Range;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::networks::{SampleSource, Samples};

/// Minibatches in a new random order each epoch; the last of an epoch may be smaller.
pub struct Batches<'a, R> {
    train: &'a SampleSource<'a>,
    rng: R,
    order: Vec<u32>,
    at: usize,
    size: Option<usize>,
    batch: Samples,
}

impl<'a, R: Rng> Batches<'a, R> {
    /// Batches of `size` rows; without a size all rows in their own order.
    pub fn new(train: &'a SampleSource<'a>, size: Option<usize>, rng: R) -> Self {
        Self {
            train,
            rng,
            order: match size {
                Some(_) => (0..train.rows() as u32).collect(),
                None => Vec::new(),
            },
            at: train.rows(),
            size,
            batch: Samples::default(),
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
        }
        let start = self.at;
        self.at = self.order.len().min(start + size);
        Some(start..self.at)
    }

    /// The rows of the next step.
    pub fn draw(&mut self) -> &Samples {
        let places = self.next();
        if let (None, Some(all)) = (&places, self.train.all()) {
            return all;
        }
        self.batch.clear();
        self.train
            .draw(&self.order[places.unwrap_or_default()], &mut self.batch);
        &self.batch
    }
}
