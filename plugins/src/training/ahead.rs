//! Rows of several steps, fetched from a large table together.

use std::ops::Range;

use crate::networks::{SampleSource, Samples};

/// Rows in the order of the table, in which neighbours share what is read of memory.
#[derive(Default)]
pub struct Ahead {
    rows: Samples,
    /// Which of these each wanted row is.
    ranks: Vec<u32>,
}

/// Up to this many numbers are fetched ahead.
const AHEAD: usize = 1 << 20;

impl Ahead {
    /// How many rows are best fetched at a time, at most.
    pub fn most(from: &SampleSource) -> usize {
        AHEAD / from.width().max(1)
    }

    /// How many rows were wanted.
    pub fn count(&self) -> usize {
        self.ranks.len()
    }

    /// Fetches these rows, instead of those before.
    pub fn fetch(&mut self, from: &SampleSource, wanted: &[u32]) {
        let mut sorted: Vec<u64> = (0..)
            .zip(wanted)
            .map(|(place, row)| u64::from(*row) << 32 | place)
            .collect();
        sorted.sort_unstable();
        self.ranks.resize(wanted.len(), 0);
        let in_order = sorted.iter().zip(0..).map(|(row, rank)| {
            self.ranks[*row as u32 as usize] = rank;
            (row >> 32) as u32
        });
        let in_order: Vec<u32> = in_order.collect();
        self.rows.clear();
        from.draw(&in_order, &mut self.rows);
    }

    /// Adds some of the rows that were wanted, by their places among all.
    pub fn add(&self, places: Range<usize>, to: &mut Samples) {
        to.extend(&self.rows, &self.ranks[places]);
    }
}
