//! Standardised inputs and targets, row after row: all training data, or one batch of them.

use engine::artifact::Dataset;
use engine::error::Fault;

use crate::parents::Network;

/// Rows of standardised inputs and targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Standardised inputs, `[rows, inputs]`.
    pub inputs: Vec<f32>,
    /// Standardised targets or class indices, `[rows, targets]`.
    pub targets: Vec<f32>,
    /// How many rows.
    pub rows: usize,
}

impl Samples {
    /// The rows of `data` as the network sees them.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn new(network: &Network, data: &Dataset) -> Result<Self, Fault> {
        Ok(Self {
            inputs: network.inputs_of(data)?,
            targets: network.targets_of(data)?,
            rows: data.rows(),
        })
    }

    /// Takes all rows out, to be filled again without allocation.
    pub fn clear(&mut self) {
        self.inputs.clear();
        self.targets.clear();
        self.rows = 0;
    }

    /// Adds the rows of other samples with these indices, in this order.
    pub fn extend(&mut self, from: &Samples, rows: impl IntoIterator<Item = usize>) {
        let width = from.inputs.len() / from.rows.max(1);
        let targets = from.targets.len() / from.rows.max(1);
        for row in rows {
            push_row(&mut self.inputs, &from.inputs[row * width..][..width]);
            push_row(&mut self.targets, &from.targets[row * targets..][..targets]);
            self.rows += 1;
        }
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        let mut taken = Self::default();
        taken.extend(self, rows);
        taken
    }

    /// The mean loss of the network with these weights; not a number without rows.
    pub fn loss(&self, network: &Network, weights: &[f32]) -> f64 {
        network.mean_loss(
            &network.evaluate(weights, &self.inputs, self.rows),
            &self.targets,
        )
    }
}

/// Adds a row; short ones number by number, as to call `memcpy` would take longer.
#[inline(always)]
fn push_row(to: &mut Vec<f32>, row: &[f32]) {
    match *row {
        [a] => to.push(a),
        [a, b] => to.extend([a, b]),
        [a, b, c] => to.extend([a, b, c]),
        _ => to.extend_from_slice(row),
    }
}
