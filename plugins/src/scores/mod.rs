//! Scores: how good parents, children and farcasts are.

mod compare;
mod distances;
mod ensemble;
mod forecast_error;
mod groups;
mod metric;

use engine::plugin::Registry;

pub use compare::Compare;
pub use forecast_error::{Apart, ForecastError, Measure};
pub use metric::Metric;

/// Adds the scores.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Compare>();
    registry.plugin::<ForecastError>();
}
