//! Scores: how good parents, children and farcasts are.

mod compare;
mod ensemble;
mod evaluate;
mod groups;
mod metric;
mod reach;
mod table;

use engine::plugin::Registry;

pub use compare::Compare;
pub use evaluate::{Evaluate, Quality};
pub use metric::Metric;
pub use reach::Reach;

/// Adds the scores.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Compare>();
    registry.plugin::<Evaluate>();
    registry.plugin::<Reach>();
}
