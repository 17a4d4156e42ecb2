//! What training makes of a member: its network, its weights and how they came about.

use dsl::types::Kind;
use engine::artifact::{Artifact, Metadata, Parts};
use engine::error::Fault;

use crate::networks::Network;
use crate::recipes::{Trained, Training};

/// One trained member.
#[derive(Clone, Debug, PartialEq)]
pub struct Parent {
    /// Shape and scaling.
    pub network: Network,
    /// The weights in parameter order, as `network.layout()` says.
    pub weights: Vec<f32>,
    /// The loss along training: `(step, training loss, held-out loss)`.
    pub losses: Vec<(u64, f64, Option<f64>)>,
    /// How it was trained; `None` where that was elsewhere.
    pub training: Option<Training>,
}

impl From<Trained> for Parent {
    fn from(trained: Trained) -> Self {
        Self {
            network: trained.network,
            weights: trained.weights,
            losses: trained.losses,
            training: Some(trained.training),
        }
    }
}

impl Parent {
    fn safetensors(&self, made_by: Metadata) -> Result<Vec<u8>, Fault> {
        let network =
            serde_json::to_string(&self.network).map_err(|error| Fault::Bug(error.to_string()))?;
        let metadata = [
            ("format".to_owned(), "pt".to_owned()),
            ("network".to_owned(), network),
        ];
        let metadata = metadata.into_iter().chain(made_by);
        self.network
            .layout()
            .to_safetensors(&self.weights, metadata)
    }
}

impl Artifact for Parent {
    const KIND: Kind = Kind::Parent;
    const PARTS: &'static [&'static str] = &[
        "weights.safetensors",
        "network.json",
        "losses.json",
        "training.json",
    ];

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default()
            .with("weights.safetensors", self.safetensors(Metadata::new())?)
            .with_json("network.json", &self.network)?
            .with_json("losses.json", &self.losses)?
            .with_json("training.json", &self.training)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let network: Network = parts.json("network.json")?;
        let weights = network
            .layout()
            .from_safetensors(parts.get("weights.safetensors")?)?;
        Ok(Self {
            network,
            weights,
            losses: parts.json("losses.json")?,
            training: parts.json("training.json")?,
        })
    }

    fn weights_file(&self, made_by: Metadata) -> Result<Option<Vec<u8>>, Fault> {
        self.safetensors(made_by).map(Some)
    }
}
