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

    /// How many rows of weights to give to [`gradients`](Self::gradients) where there are many.
    fn at_once(&self) -> usize {
        1
    }

    /// The gradients, `[sets, weights]`, of up to [`at_once`](Self::at_once) rows of weights, each
    /// on its own equal part of the batch; puts their mean losses into `losses`, one for each row.
    fn gradients(&mut self, weights: &[f32], batch: &Samples, losses: &mut [f64]) -> &[f32] {
        debug_assert_eq!(losses.len(), 1);
        let (loss, gradient) = self.gradient(weights, batch);
        losses[0] = loss;
        gradient
    }
}
