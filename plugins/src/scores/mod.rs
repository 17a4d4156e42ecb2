//! Scores: how good parents, children and farcasts are.

mod compare;
mod distances;
mod ensemble;
mod evaluate;
mod forecast_error;
mod groups;
mod inner;
mod measure;
mod metric;
mod trial;

mod reach;
mod table;

use engine::plugin::Registry;

pub use compare::{Compare, Model, TRUSTED, UNTRUSTED};
pub use evaluate::{Evaluate, Quality};
pub use forecast_error::{Apart, ForecastError, Measure};
pub use inner::Inner;
pub use metric::Metric;
pub use reach::Reach;

/// Adds the scores.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Compare>();
    registry.plugin::<Inner>();
    registry.plugin::<Evaluate>();
    registry.plugin::<Reach>();
    registry.plugin::<ForecastError>();
}
