//! Reports: what a reader gets to see of an experiment.

mod anomalies;
mod members;
mod page;
mod plots;

use engine::plugin::Registry;

pub use page::{Plot, Summary};

/// Adds the reports and what they are made of.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Summary>();
    registry.constructors(Plot::constructors());
}
