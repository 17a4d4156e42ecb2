//! Training on minibatches: optimisers, schedules, samples and the trainers that take steps.

mod batches;
mod fan_out;
mod lanes;
mod optimizer;
mod products;
mod samples;
mod tile;

pub use batches::Batches;
pub use fan_out::FanOut;
pub(crate) use lanes::{Lanes, exp, tanh, vectorised};
pub use optimizer::{
    Adam, AdamW, Constant, Cosine, Cyclic, Optimizer, OptimizerState, RmsProp, Schedule, Sgd, Step,
};
pub use samples::Samples;

use engine::plugin::Registry;

/// Something that moves the weights of one network down the gradient of its loss.
pub trait Trainer {
    /// Moves the weights one step on a batch, with the learning rate times `share`; gives the
    /// mean loss of the batch before the step.
    fn step(&mut self, weights: &mut [f32], batch: &Samples, share: f64) -> f64;

    /// Makes the optimiser forget what it remembers of earlier steps.
    fn restart(&mut self);
}

/// Adds the optimisers and schedules to the registry.
pub fn register(registry: &mut Registry) {
    registry.constructors(Optimizer::constructors());
    registry.constructors(Schedule::constructors());
}
