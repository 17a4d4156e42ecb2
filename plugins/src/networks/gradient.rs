//! Gradients of the loss of a network by its weights.

use engine::words;

use super::Samples;

words! {
    /// What computes the gradients.
    pub enum TrainerChoice {
        /// The fastest that can.
        Auto = "auto",
        /// The fused kernel.
        FanOut = "fan_out",
        /// dfdx, the reference.
        Dfdx = "dfdx",
    }
}

/// Computes gradients for one row of weights after another, all of one network.
pub trait Differentiate {
    /// The mean loss of the batch and its gradient by the weights, in parameter order.
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]);
}
