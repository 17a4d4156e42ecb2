//! Data: rows from files and generators, and new data made from other data.

mod cf;
mod csv;
mod derive;
mod idx;
mod netcdf;
mod parquet;
mod source;
mod split;
mod synthetic;
#[cfg(test)]
pub(crate) mod testing;
mod r#where;

use engine::plugin::Registry;

pub use csv::Csv;
pub use derive::Derive;
pub use idx::Idx;
pub use netcdf::NetCdf;
pub use parquet::Parquet;
pub use split::{Part, Split};
pub use synthetic::{Law, Synthetic};
pub use r#where::Where;

/// Adds every data plugin.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Csv>();
    registry.plugin::<Derive>();
    registry.plugin::<Idx>();
    registry.plugin::<NetCdf>();
    registry.plugin::<Parquet>();
    registry.plugin::<Split>();
    registry.plugin::<Synthetic>();
    registry.plugin::<Where>();
}
