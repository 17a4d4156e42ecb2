//! Scores: how good parents, children and farcasts are.

mod compare;
mod forecast_error;
mod inner;
mod predict;
mod reach;
mod relate;
pub(crate) mod support;

use engine::plugin::Registry;

pub use compare::{Compare, Model, TRUSTED, UNTRUSTED};
pub(crate) use compare::{children, ensembles, mismatch};
pub use forecast_error::{Apart, ForecastError, Measure};
pub use inner::Inner;
pub use predict::Predict;
pub use reach::Reach;
pub use relate::{Correlation, Relate, Unit};
pub use support::metric::Metric;

/// Adds the scores.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Compare>();
    registry.plugin::<Inner>();
    registry.plugin::<Reach>();
    registry.plugin::<ForecastError>();
    registry.plugin::<Predict>();
    registry.plugin::<Relate>();
}
