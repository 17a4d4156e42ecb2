//! Trajectories: the weights of networks along training.

mod checkpoints;
mod record;

pub use checkpoints::Checkpoints;
pub use record::Record;

use engine::plugin::Registry;

/// Adds the trajectories.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Checkpoints>();
    registry.plugin::<Record>();
}
