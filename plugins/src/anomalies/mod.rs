//! Anomalies: how weights move when a parent is fine-tuned on subsets.

mod finetune;
pub(crate) mod support;

pub use finetune::{Finetune, Start};

use engine::plugin::Registry;

/// Adds the fine-tuners to the registry.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Finetune>();
}
