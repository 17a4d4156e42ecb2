//! Trajectories: the weights of networks along training.

mod checkpoints;
mod record;
pub(crate) mod support;

pub use checkpoints::Checkpoints;
pub(crate) use checkpoints::{at_files, foreign};
pub use record::Record;

use engine::plugin::Registry;

/// Adds the trajectories.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Checkpoints>();
    registry.plugin::<Record>();
}
