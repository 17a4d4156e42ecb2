//! Training on minibatches: optimisers, schedules, and the steps they take.

mod ahead;
mod batches;
mod draws;
mod optimizer;
mod trainer;
mod whole_table;

pub use ahead::Ahead;
pub use batches::{Batches, StepRows};
pub use draws::Draws;
pub use optimizer::{
    Adam, AdamW, Constant, Cosine, Cyclic, Optimizer, OptimizerState, RmsProp, Schedule, Sgd, SgdW,
    Step,
};
pub use trainer::Trainer;
pub use whole_table::WholeTable;

use engine::plugin::Registry;

/// Adds the optimisers and schedules to the registry.
pub fn register(registry: &mut Registry) {
    registry.constructors(Optimizer::CONSTRUCTORS);
    registry.constructors(Schedule::CONSTRUCTORS);
}
