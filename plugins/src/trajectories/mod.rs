//! Trajectories: the weights of networks along training.

mod checkpoints;

pub use checkpoints::Checkpoints;

use engine::plugin::Registry;

/// Adds the trajectories that no parent of ours made.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Checkpoints>();
}
