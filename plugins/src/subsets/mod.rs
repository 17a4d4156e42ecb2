//! Subsets: groups of rows of a data set, one fine-tune each.

use dsl::types::Kind;
use engine::artifact::{Artifact, Parts};
use engine::error::Fault;
use serde::{Deserialize, Serialize};

/// The rows of each subset, as indices into the data set they were drawn from.
///
/// That data set is the `data` argument of every subset plugin; what takes subsets finds it
/// with `via("subsets.data")`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subsets {
    /// Row indices, one list per subset, none empty.
    pub rows: Vec<Vec<u32>>,
}

impl Artifact for Subsets {
    const KIND: Kind = Kind::Subset;

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default().with_json("subsets.json", self)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        parts.json("subsets.json")
    }
}
