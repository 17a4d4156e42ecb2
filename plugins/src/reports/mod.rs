//! Reports: what a reader gets to see of an experiment.

mod map;
mod page;
pub(crate) mod support;
mod timeline;

use engine::plugin::Registry;

pub use map::Map;
pub use page::{Plot, Summary};
pub use timeline::Timeline;

/// Adds the reports and what they are made of.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Summary>();
    registry.plugin::<Map>();
    registry.plugin::<Timeline>();
    registry.constructors(Plot::CONSTRUCTORS);
}
