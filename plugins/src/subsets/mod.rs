//! Subsets: groups of rows of a data set, one fine-tune each.

mod bins;
mod cluster;
mod each;
mod neighbours;
mod nested;
mod random;
mod regions;
mod stratified;
pub(crate) mod support;
mod window;

pub use bins::Bins;
pub use cluster::Cluster;
pub use each::Each;
pub use neighbours::{Neighbours, Space};
pub use nested::Nested;
pub use random::Random;
pub use regions::{Area, Region, Regions};
pub use stratified::Stratified;
pub use window::Window;

use dsl::types::Kind;
use engine::artifact::{Artifact, Dataset, Parts};
use engine::error::Fault;
use engine::foreign::{FromParcel, Made, Parcel, Simple, Unfit};
use engine::params::{Input, ParamType};
use engine::plugin::Registry;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The rows of each subset, as indices into the data set they were drawn from.
///
/// That data set is the `data` argument of every subset plugin; dependents of subsets find it
/// with `via("subsets.data")`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subsets {
    /// Row indices, one list per subset, none empty.
    pub rows: Vec<Vec<u32>>,
}

impl Artifact for Subsets {
    const KIND: Kind = Kind::Subset;
    const PARTS: &'static [&'static str] = &["subsets.json"];

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default().with_json("subsets.json", self)
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        Ok(Parcel::default().with("rows", json!(self.rows)))
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        parts.json("subsets.json")
    }
}

impl FromParcel for Subsets {
    fn from_parcel(parcel: Parcel, made: &Made<'_>) -> Result<Self, Unfit> {
        let rows: Vec<Vec<u32>> = parcel.answered_list("rows")?;
        let argument = made
            .bindings
            .args
            .get("data")
            .map(|argument| &argument.value);
        let missing = || Fault::Bug("a subset without data".to_owned());
        let data =
            Input::<Dataset>::from_value("data", argument.ok_or_else(missing)?, made.bindings)?;
        if rows.is_empty() {
            return Err("no subset".to_owned().into());
        }
        for (subset, of) in rows.iter().enumerate() {
            if of.is_empty() {
                return Err(format!("subset {subset} has no rows").into());
            }
            if let Some(row) = of.iter().find(|row| **row as usize >= data.rows()) {
                let count = data.rows();
                return Err(
                    format!("subset {subset} has row {row}, of data with {count} rows").into(),
                );
            }
        }
        Ok(Self { rows })
    }
}

/// Adds the subset plugins to the registry.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Subsets>();
    registry.maker_of(Kind::Subset, Simple::<Subsets>::default());
    registry.plugin::<Bins>();
    registry.plugin::<Cluster>();
    registry.plugin::<Each>();
    registry.plugin::<Neighbours>();
    registry.plugin::<Nested>();
    registry.plugin::<Random>();
    registry.plugin::<Regions>();
    registry.plugin::<Stratified>();
    registry.plugin::<Window>();
    registry.constructors(Region::CONSTRUCTORS);
}

/// Refuses subsets that are larger than the data.
///
/// # Errors
/// The user's fault, at `size`.
fn check_size(size: usize, rows: usize) -> Result<(), Fault> {
    if size <= rows {
        return Ok(());
    }
    Err(Fault::at(
        "size",
        format!("expected subsets no larger than the data, found {size} of {rows} rows"),
    )
    .with_hint(match rows {
        0 => "the data have no rows".to_owned(),
        _ => format!("`size` can be 1 to {rows}"),
    }))
}

#[cfg(test)]
mod fixtures {
    use engine::artifact::Dataset;
    use engine::params::Input;

    use crate::data::support::testing::table;

    /// A data set of these columns.
    pub fn data(columns: &[(&str, &[f64])]) -> Input<Dataset> {
        Input::new(table(columns))
    }
}
