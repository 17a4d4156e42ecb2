//! Weights: tables of whatever origin, and what is computed of them weight by weight.
//!
//! A parent is a row of weights, a trajectory a row per step, an anomaly a row per subset: all of
//! them stand where `weights` are asked for.

mod across;
mod align;
mod average;
mod combine;
mod diagnose;
mod elect;
mod ema;
mod evaluate;
mod generate;
#[cfg(test)]
mod identity;
mod landscape;
mod member;
mod members;
mod novelty;
mod only;
mod path;
mod pick;
mod project;
mod prune;
mod quantise;
mod resize;
mod safetensors;
mod similarity;
mod slerp;
mod soup;
mod spectral;
mod stock;
pub(crate) mod support;
mod track;
mod trim;
mod vary;

use std::sync::Arc;

use dsl::types::Kind;
use engine::artifact::{
    AnyArtifact, Artifact, Metadata, Parts, Row, Trajectory, WeightsFiles, downcast,
};
use engine::error::Fault;
use engine::plugin::Registry;
use polars::prelude::{DataFrame, NamedFrom, Series};

use crate::children::Child;
use crate::farcasts::Farcast;
use crate::networks::Network;
use crate::parents::{Parent, about_network};

pub use across::Across;
pub use align::{Align, Compared};
pub use average::Average;
pub use combine::Combine;
pub use diagnose::{Against, Diagnose, Figure, Of};
pub use elect::Elect;
pub use ema::Ema;
pub use evaluate::{Evaluate, Quality};
pub use generate::{Generate, Model};
pub use landscape::{Landscape, Relief};
pub use member::Member;
pub use members::Members;
pub use novelty::Novelty;
pub use only::Only;
pub use path::{Pairs, Path};
pub use pick::Pick;
pub use project::{Basis, Project};
pub use prune::{Among, Piece, Prune, Worth};
pub use quantise::{Quantise, Rounding};
pub use resize::{Choice, Grow, Resize};
pub use safetensors::Safetensors;
pub use similarity::{Likeness, Similarity};
pub use slerp::Slerp;
pub use soup::Soup;
pub use spectral::{Edit, Spectral};
pub use stock::Stock;
pub use track::Track;
pub use trim::Trim;
pub use vary::Vary;

/// Adds what is computed of weights.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Weights>();
    registry.plugin::<Across>();
    registry.plugin::<Average>();
    registry.plugin::<Align>();
    registry.plugin::<Diagnose>();
    registry.plugin::<Path>();
    registry.plugin::<Similarity>();
    registry.constructors(Model::CONSTRUCTORS);
    registry.plugin::<Combine>();
    registry.plugin::<Elect>();
    registry.plugin::<Ema>();
    registry.plugin::<Evaluate>();
    registry.plugin::<Generate>();
    registry.plugin::<Landscape>();
    registry.plugin::<Member>();
    registry.plugin::<Members>();
    registry.plugin::<Novelty>();
    registry.plugin::<Only>();
    registry.plugin::<Pick>();
    registry.plugin::<Project>();
    registry.plugin::<Prune>();
    registry.plugin::<Quantise>();
    registry.plugin::<Resize>();
    registry.plugin::<Safetensors>();
    registry.plugin::<Slerp>();
    registry.plugin::<Soup>();
    registry.plugin::<Spectral>();
    registry.plugin::<Stock>();
    registry.plugin::<Track>();
    registry.plugin::<Trim>();
    registry.plugin::<Vary>();
}

/// Rows of weights of one layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The rows and what is known of them.
    pub table: Trajectory,
    /// How to run a row; none where that is not known, or is found along the arguments.
    pub network: Option<Network>,
}

/// The coordinate of a single row.
pub(crate) fn single() -> Result<DataFrame, Fault> {
    Ok(DataFrame::new(
        1,
        vec![Series::new("row".into(), [0_u32]).into()],
    )?)
}

impl Weights {
    /// One row.
    ///
    /// # Errors
    /// A bug when the layout has another length.
    pub fn of(parent: &Parent) -> Result<Self, Fault> {
        let layout = parent.layout.clone();
        let table = Trajectory::from_rows(layout, single()?, &parent.weights)?;
        Ok(Self {
            table: table.with_saved(parent.saved.clone()),
            network: parent.network.clone(),
        })
    }

    /// Its only row as a network.
    fn parent(&self) -> Option<Parent> {
        if self.table.rows() != 1 {
            return None;
        }
        Some(Parent {
            layout: self.table.layout.clone(),
            weights: self.table.networks(&[0]).ok()?.pop()?,
            network: self.network.clone(),
            losses: Vec::new(),
            training: None,
            states: None,
            saved: self.table.saved.clone(),
        })
    }
}

impl Artifact for Weights {
    const KIND: Kind = Kind::Weights;
    const PARTS: &'static [&'static str] = &[
        "coordinates.parquet",
        "layout.json",
        "width.json",
        "weights.digests",
        "network.json",
    ];

    fn to_parts(&self) -> Result<Parts, Fault> {
        let parts = self.table.to_parts()?;
        parts.with_json("network.json", &self.network)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        Ok(Self {
            table: Trajectory::from_parts(parts)?,
            network: parts.json("network.json")?,
        })
    }

    /// Networks, states along training, anomalies and farcasts are tables too.
    fn from_stored(stored: &AnyArtifact) -> Option<Arc<Self>> {
        if let Some(weights) = downcast(stored) {
            return Some(weights);
        }
        if let Some(farcast) = downcast::<Farcast>(stored) {
            let table = farcast.predicted.clone();
            let network = None;
            return Some(Arc::new(Self { table, network }));
        }
        if let Some(table) = Trajectory::from_stored(stored) {
            let table = Trajectory::clone(&table);
            let network = None;
            return Some(Arc::new(Self { table, network }));
        }
        if let Some(child) = downcast::<Child>(stored) {
            let alone = child.correction.is_none().then_some(&child.parent);
            return Self::of(alone?).ok().map(Arc::new);
        }
        let parent = Parent::from_stored(stored)?;
        Self::of(&parent).ok().map(Arc::new)
    }

    /// A single row is a parent.
    fn in_role(&self, role: Kind) -> Option<AnyArtifact> {
        match role {
            Kind::Parent => Some(Arc::new(self.parent()?)),
            _ => None,
        }
    }

    fn table(&self) -> Result<Option<DataFrame>, Fault> {
        self.table.table()
    }

    fn weights_files(&self, stem: &str, made_by: Metadata) -> Result<WeightsFiles<'_>, Fault> {
        if self.table.rows() != 1 {
            return Ok(WeightsFiles::new());
        }
        let metadata = about_network(self.network.as_ref())?;
        let metadata = metadata.into_iter().chain(made_by).collect();
        let saved = self.table.saved.as_deref();
        Row::InTable(&self.table, 0).files(stem, &self.table.layout, saved, metadata)
    }
}
