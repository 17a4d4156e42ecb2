//! Scores: how good parents, children and farcasts are.

mod compare;
mod ensemble;
mod groups;
mod metric;

use engine::plugin::Registry;

pub use compare::Compare;
pub use metric::Metric;

/// Adds the scores.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Compare>();
}
