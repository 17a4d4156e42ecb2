//! Reports: what a reader gets to see of an experiment.

mod page;
pub(crate) mod support;

use engine::plugin::Registry;

pub use page::{Plot, Summary};

/// Adds the reports and what they are made of.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Summary>();
    registry.constructors(Plot::constructors());
}
