//! Scores: how good parents, children and farcasts are.

mod compare;
mod ensemble;
mod groups;
mod inner;
mod measure;
mod metric;
mod trial;

use engine::plugin::Registry;

pub use compare::{Compare, Model, TRUSTED, UNTRUSTED};
pub use inner::Inner;
pub use metric::Metric;

/// Adds the scores.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Compare>();
    registry.plugin::<Inner>();
}
