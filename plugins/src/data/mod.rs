//! Data: rows from files and generators, and new data made from other data.

mod aggregate;
mod anomaly_of;
mod box_model;
mod concat;
mod csv;
mod derive;
mod distort;
mod edge;
mod idx;
mod join;
mod netcdf;
mod onehot;
mod parquet;
mod split;
pub(crate) mod support;
pub(crate) mod surroundings;
mod synthetic;
mod r#where;
mod zarr;

use engine::plugin::Registry;

pub use aggregate::Aggregate;
pub use anomaly_of::AnomalyOf;
pub use box_model::BoxModel;
pub use concat::Concat;
pub use csv::Csv;
pub use derive::Derive;
pub use distort::{Distort, Distortion};
pub use edge::{Edge, EdgePart, EdgeReach, Side, one_matched, room_for_layers};
pub use idx::Idx;
pub use join::Join;
pub use netcdf::NetCdf;
pub use onehot::OneHot;
pub use parquet::Parquet;
pub use split::{Part, Split};
pub(crate) use support::counted::Counted;
pub use surroundings::Surroundings;
pub use synthetic::{Law, Synthetic};
pub use r#where::Where;
pub use zarr::Zarr;

/// Adds every data plugin.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Aggregate>();
    registry.plugin::<AnomalyOf>();
    registry.plugin::<BoxModel>();
    registry.plugin::<Concat>();
    registry.plugin::<Csv>();
    registry.plugin::<Derive>();
    registry.constructors(Distortion::CONSTRUCTORS);
    registry.plugin::<Distort>();
    registry.plugin::<Edge>();
    registry.plugin::<Idx>();
    registry.plugin::<Join>();
    registry.plugin::<NetCdf>();
    registry.plugin::<OneHot>();
    registry.plugin::<Parquet>();
    registry.plugin::<Split>();
    registry.plugin::<Surroundings>();
    registry.plugin::<Synthetic>();
    registry.plugin::<Where>();
    registry.plugin::<Zarr>();
}
