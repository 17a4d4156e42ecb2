//! Training on minibatches: optimisers, schedules, and the steps they take.

mod batches;
mod optimizer;
mod trainer;

pub use batches::Batches;
pub use optimizer::{
    Adam, AdamW, Constant, Cosine, Cyclic, Optimizer, OptimizerState, RmsProp, Schedule, Sgd, SgdW,
    Step,
};
pub use trainer::Trainer;

use engine::plugin::Registry;

/// Adds the optimisers and schedules to the registry.
pub fn register(registry: &mut Registry) {
    registry.constructors(Optimizer::CONSTRUCTORS);
    registry.constructors(Schedule::CONSTRUCTORS);
}
