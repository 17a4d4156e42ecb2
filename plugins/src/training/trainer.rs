//! Steps down the gradient of the loss, for one row of weights after another of one network.

use pulp::Arch;

use super::{Optimizer, OptimizerState};
use crate::networks::{Differentiate, Network, Samples, TrainerChoice, vectorised};

/// Moves the weights of one network down the gradient of its loss.
pub struct Trainer<'a> {
    gradient: Box<dyn Differentiate>,
    optimizer: &'a Optimizer,
    state: OptimizerState,
    arch: Arch,
}

impl<'a> Trainer<'a> {
    /// A trainer of networks of this shape, its optimiser fresh.
    pub fn new(network: &Network, choice: TrainerChoice, optimizer: &'a Optimizer) -> Self {
        let weights = network.layout().len();
        Self::by(
            network.differentiate(choice),
            weights,
            optimizer,
            Arch::new(),
        )
    }

    fn by(
        gradient: Box<dyn Differentiate>,
        weights: usize,
        optimizer: &'a Optimizer,
        arch: Arch,
    ) -> Self {
        Self {
            gradient,
            optimizer,
            state: OptimizerState::new(weights),
            arch,
        }
    }

    /// Moves the weights one step on a batch, with the learning rate times `share`; returns the
    /// mean loss of the batch before the step.
    pub fn step(&mut self, weights: &mut [f32], batch: &Samples, share: f64) -> f64 {
        let (loss, gradient) = self.gradient.gradient(weights, batch);
        let (optimizer, state) = (self.optimizer, &mut self.state);
        vectorised(
            self.arch,
            #[inline(always)]
            || optimizer.update(state, weights, gradient, share),
        );
        loss
    }

    /// Makes the optimiser forget all earlier steps.
    pub fn restart(&mut self) {
        self.state.reset();
    }
}

#[cfg(test)]
mod tests;
