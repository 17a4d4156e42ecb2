//! Steps down the gradient of the loss, for one network after another of the same shape, or many.

use engine::error::Fault;
use engine::plugin::{Context, Cores};
use pulp::Arch;

use super::{Optimizer, OptimizerState, WholeTable};
use crate::networks::{Differentiate, Moves, Network, Samples, TrainerChoice};

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

    /// The same with the help of idle cores where steps are long.
    pub fn with_cores(mut self, cores: &Cores) -> Self {
        self.gradient.use_cores(cores);
        self
    }

    /// Moves the weights one step on a batch, with the learning rate times `share`; returns the
    /// mean loss of the batch before the step.
    pub fn step(&mut self, weights: &mut [f32], batch: &Samples, share: f64) -> f64 {
        let mut loss = [0.0];
        self.step_all(weights, batch, share, &mut loss);
        loss[0]
    }

    /// The same on all rows of a large table.
    ///
    /// # Errors
    /// When the run is stopped.
    pub fn step_on_all(
        &mut self,
        weights: &mut [f32],
        rows: &mut WholeTable,
        share: f64,
        context: &Context,
    ) -> Result<f64, Fault> {
        let (loss, gradient) = rows.gradient(weights, &mut *self.gradient, context)?;
        self.state.begin_step();
        self.optimizer
            .move_part(&mut self.state, 0, weights, gradient, share, self.arch);
        Ok(loss)
    }

    /// How many of `count` networks are best moved by one [`step_all`](Self::step_all).
    pub fn at_once(&self, count: usize) -> usize {
        self.gradient.at_once(count)
    }

    /// Moves several networks one step, each on its own equal part of the batch, and puts the mean
    /// loss of each before the step into `losses`. Their weights are side by side,
    /// `[weights, networks]`; the optimisers work weight by weight, so one memory serves all.
    pub fn step_all(
        &mut self,
        weights: &mut [f32],
        batch: &Samples,
        share: f64,
        losses: &mut [f64],
    ) {
        let (optimizer, state, arch) = (self.optimizer, &mut self.state, self.arch);
        state.begin_step();
        match optimizer.adam(state, share, arch) {
            Some(step) => {
                let mut moves = Moves::Adam(step);
                self.gradient.descend(weights, batch, losses, &mut moves);
            }
            None => {
                let mut rule = |first: usize, weights: &mut [f32], gradients: &[f32]| {
                    optimizer.move_part(state, first, weights, gradients, share, arch);
                };
                let mut moves = Moves::Other(&mut rule);
                self.gradient.descend(weights, batch, losses, &mut moves);
            }
        }
    }

    /// What the optimiser remembers.
    pub fn memory(&self) -> &OptimizerState {
        &self.state
    }

    /// Makes the optimiser remember this.
    pub fn remember(&mut self, memory: OptimizerState) {
        self.state = memory;
    }

    /// Makes the optimiser forget all earlier steps.
    pub fn restart(&mut self) {
        self.state.reset();
    }

    /// The same, for another number of weights in all networks.
    pub fn restart_with(&mut self, weights: usize) {
        self.state.reset_for(weights);
    }
}

#[cfg(test)]
mod tests;
