//! Gradients of the loss of a network by its weights.

use engine::plugin::Cores;
use engine::words;

use super::{AdamStep, Samples};

words! {
    /// What computes the gradients.
    pub enum TrainerChoice {
        /// The fastest that can.
        Auto = "auto",
        /// The vectorised kernels.
        FanOut = "fan_out",
        /// dfdx, the reference.
        Dfdx = "dfdx",
    }
}

/// Computes gradients for one row of weights after another, all of one network.
pub trait Differentiate {
    /// The mean loss of the batch and its gradient by the weights, in parameter order.
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]);

    /// How many of `count` networks are best given to [`gradients`](Self::gradients) at a time.
    fn at_once(&self, _count: usize) -> usize {
        1
    }

    /// The gradients of several networks, as many as there are losses and at most
    /// [`at_once`](Self::at_once), each on its own equal part of the batch; puts their mean losses
    /// into `losses`.
    ///
    /// Weights and gradients are side by side, weight by weight: `[weights, networks]`.
    fn gradients(&mut self, weights: &[f32], batch: &Samples, losses: &mut [f64]) -> &[f32] {
        debug_assert_eq!(losses.len(), 1);
        let (loss, gradient) = self.gradient(weights, batch);
        losses[0] = loss;
        gradient
    }

    /// Moves the weights by such gradients, each once, in parts of any size and order.
    fn descend(
        &mut self,
        weights: &mut [f32],
        batch: &Samples,
        losses: &mut [f64],
        moves: &mut Moves,
    ) {
        let gradients = self.gradients(weights, batch, losses);
        moves.part(0, weights, gradients);
    }

    /// Lets idle cores help with long gradients; the bytes are the same.
    fn use_cores(&mut self, _cores: &Cores) {}
}

/// How weights move by their gradients.
pub enum Moves<'a> {
    /// By Adam, which a kernel may do register by register.
    Adam(AdamStep<'a>),
    /// By another rule.
    Other(&'a mut MovePart<'a>),
}

/// Moves some weights by their gradients: the place of the first of them among all, the weights and
/// the gradients.
pub type MovePart<'a> = dyn FnMut(usize, &mut [f32], &[f32]) + 'a;

impl Moves<'_> {
    /// Moves the weights from the `first` on.
    pub fn part(&mut self, first: usize, weights: &mut [f32], gradients: &[f32]) {
        match self {
            Moves::Adam(step) => step.move_part(first, weights, gradients),
            Moves::Other(rule) => rule(first, weights, gradients),
        }
    }
}

/// A matrix of `columns` with its rows and columns exchanged.
pub(crate) fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let column = |at: usize| matrix.iter().skip(at).step_by(columns).copied();
    (0..columns).flat_map(column).collect()
}
