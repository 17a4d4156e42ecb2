//! Scores: how good parents, children and farcasts are.

mod compare;
mod distances;
mod ensemble;
mod evaluate;
mod forecast_error;
mod groups;
mod metric;
mod reach;
mod table;

use engine::plugin::Registry;

pub use compare::Compare;
pub use evaluate::{Evaluate, Quality};
pub use forecast_error::{Apart, ForecastError, Measure};
pub use metric::Metric;
pub use reach::Reach;

/// Adds the scores.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Compare>();
    registry.plugin::<Evaluate>();
    registry.plugin::<Reach>();
    registry.plugin::<ForecastError>();
}
