//! The shape of dense layers.

use serde::{Deserialize, Serialize};

use super::Activation;

/// Dense layers without their weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Widths: the inputs of the first layer, then the outputs of each.
    pub widths: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
}

impl Layers {
    /// How many outputs the last has.
    pub fn outputs(&self) -> usize {
        self.widths.last().copied().unwrap_or(1)
    }
}
