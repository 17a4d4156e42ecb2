//! A row of weights in the role of a parent: how it came about, and how to run it where that is
//! known.

use std::sync::Arc;

use dsl::types::Kind;
use engine::artifact::{
    AnyArtifact, Artifact, Layout, Metadata, Parts, Row, Saved, WeightsFiles, downcast,
};
use engine::error::Fault;
use engine::foreign::{Parcel, Values, WEIGHTS};
use engine::plugin::{Complaint, ReadColumns, Sketch};
use serde_json::json;

use crate::networks::{Network, Scaled};
use crate::recipes::{StartingPoint, Trained, Training};

/// One member: trained here, or adopted.
#[derive(Clone, Debug, PartialEq)]
pub struct Parent {
    /// The tensors of its weights.
    pub layout: Layout,
    /// The weights in the order of the layout.
    pub weights: Vec<f32>,
    /// How to run them; none for weights that came from files, which do not say it.
    pub network: Option<Network>,
    /// The loss along training: `(step, training loss, held-out loss)`.
    pub losses: Vec<(u64, f64, Option<f64>)>,
    /// How it was trained; `None` where that was elsewhere.
    pub training: Option<Training>,
    /// The weights along training, where the program that trained it kept some.
    pub states: Option<States>,
    /// How such weights are saved where they come from.
    pub saved: Option<Arc<Saved>>,
}

/// Weights after some steps of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    /// The steps, ascending.
    pub steps: Vec<u64>,
    /// Their weights, `[steps, weights]`.
    pub weights: Vec<f32>,
}

impl States {
    /// Adds the parts that hold them.
    fn add_to(&self, parts: Parts) -> Result<Parts, Fault> {
        let bytes: Vec<u8> = self
            .weights
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect();
        Ok(parts.with_json(STEPS, &self.steps)?.with(STATES, bytes))
    }

    fn from_parts(parts: &Parts, width: usize) -> Result<Option<Self>, Fault> {
        if !parts.has(STEPS) {
            return Ok(None);
        }
        let steps: Vec<u64> = parts.json(STEPS)?;
        let (numbers, rest) = parts.get(STATES)?.as_chunks();
        let weights: Vec<f32> = numbers.iter().map(|it| f32::from_le_bytes(*it)).collect();
        if !rest.is_empty() || Some(weights.len()) != steps.len().checked_mul(width) {
            return Err(Fault::Bug(format!("`{STATES}` does not hold the states")));
        }
        Ok(Some(Self { steps, weights }))
    }
}

/// Adds the parts that hold where a training began, if it was given.
fn with_start(parts: Parts, start: &StartingPoint) -> Parts {
    let parts = match &start.weights {
        Some(weights) => {
            let bytes: Vec<u8> = weights.iter().flat_map(|it| it.to_le_bytes()).collect();
            parts.with(START, bytes)
        }
        None => parts,
    };
    match start.freedom.is_empty() {
        true => parts,
        false => parts.with(FREEDOM, start.freedom_bytes()),
    }
}

fn start_of(parts: &Parts) -> Result<StartingPoint, Fault> {
    let mut start = StartingPoint::default();
    if parts.has(START) {
        let (numbers, _) = parts.get(START)?.as_chunks();
        start.weights = Some(numbers.iter().map(|it| f32::from_le_bytes(*it)).collect());
    }
    if parts.has(FREEDOM) {
        start.freedom = StartingPoint::freedom_of(parts.get(FREEDOM)?)?;
    }
    Ok(start)
}

const START: &str = "start.f32";
const FREEDOM: &str = "freedom.u8";
const STEPS: &str = "steps.json";
const STATES: &str = "states.f32";

impl From<Trained> for Parent {
    fn from(trained: Trained) -> Self {
        Self {
            losses: trained.losses,
            training: Some(trained.training),
            ..Self::new(trained.network, trained.weights)
        }
    }
}

impl Parent {
    /// Weights of a network that was not trained by steps.
    pub fn new(network: Network, weights: Vec<f32>) -> Self {
        Self {
            layout: network.layout(),
            weights,
            network: Some(network),
            losses: Vec::new(),
            training: None,
            states: None,
            saved: None,
        }
    }

    /// How to run the weights.
    ///
    /// # Errors
    /// The user's fault when that is not known.
    pub fn network(&self) -> Result<&Network, Fault> {
        self.network
            .as_ref()
            .ok_or_else(|| Fault::user(NO_NETWORK).with_hint(ELSEWHERE))
    }

    /// The columns that its predictions read.
    pub fn reads(&self) -> ReadColumns {
        let inputs = self.network.iter().flat_map(Network::inputs);
        ReadColumns::none().and(inputs.map(|input| input.name.as_str()))
    }

    /// A file of its weights in the names of the layout.
    fn safetensors(&self) -> Result<Vec<u8>, Fault> {
        let metadata = std::iter::once(("format".to_owned(), "pt".to_owned()));
        let metadata = metadata.chain(about_network(self.network.as_ref())?);
        self.layout.to_safetensors(&self.weights, metadata)
    }
}

const NO_NETWORK: &str = "these weights cannot be run: they come from files, which hold no network";
const ELSEWHERE: &str = "export them with `--weights` and run them elsewhere";

/// Why one of the inputs in an argument cannot be run.
pub fn not_runnable(call: &Sketch, param: &str) -> Option<Complaint> {
    let mut inputs = call.inputs(param).into_iter();
    let is_bare = inputs.any(|input| input.facts.no_network);
    is_bare.then(|| Complaint::at(param, NO_NETWORK).with_hint(ELSEWHERE))
}

impl Artifact for Parent {
    const KIND: Kind = Kind::Parent;
    const PARTS: &'static [&'static str] = &["weights.safetensors", "losses.json", "training.json"];

    fn to_parts(&self) -> Result<Parts, Fault> {
        let parts = Parts::default().with("weights.safetensors", self.safetensors()?);
        let parts = match &self.network {
            Some(network) => parts.with_json("network.json", network)?,
            None => parts.with_json("layout.json", &self.layout)?,
        };
        let parts = match &self.saved {
            Some(saved) => saved.add_to(parts)?,
            None => parts,
        };
        let parts = match &self.states {
            Some(states) => states.add_to(parts)?,
            None => parts,
        };
        let parts = match &self.training {
            Some(training) => with_start(parts, &training.recipe.start),
            None => parts,
        };
        parts
            .with_json("losses.json", &self.losses)?
            .with_json("training.json", &self.training)
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        let columns = |of: &[Scaled]| -> Vec<_> {
            let columns = of.iter();
            columns
                .map(|it| json!({ "name": it.name, "mean": it.mean, "std": it.std }))
                .collect()
        };
        let parcel = Parcel::default().with("layout", json!(self.layout));
        let parcel = match &self.network {
            Some(network) => parcel
                .with("inputs", columns(network.inputs()))
                .with("targets", columns(network.targets())),
            None => parcel,
        };
        let weights = Values::F32(self.weights.as_slice().into());
        Ok(parcel.with_array(WEIGHTS, vec![self.weights.len()], weights))
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let network: Option<Network> = match parts.has("network.json") {
            true => Some(parts.json("network.json")?),
            false => None,
        };
        let layout = match &network {
            Some(network) => network.layout(),
            None => parts.json("layout.json")?,
        };
        let mut training: Option<Training> = parts.json("training.json")?;
        if let Some(training) = &mut training {
            training.recipe.start = start_of(parts)?;
        }
        Ok(Self {
            states: States::from_parts(parts, layout.len())?,
            weights: layout.from_safetensors(parts.get("weights.safetensors")?)?,
            layout,
            network,
            losses: parts.json("losses.json")?,
            training,
            saved: Saved::from_parts(parts)?.map(Arc::new),
        })
    }

    /// One row of weights is a network, too.
    fn from_stored(stored: &AnyArtifact) -> Option<Arc<Self>> {
        downcast(stored).or_else(|| downcast(&stored.in_role(Kind::Parent)?))
    }

    fn weights_files(&self, stem: &str, made_by: Metadata) -> Result<WeightsFiles<'_>, Fault> {
        let metadata = about_network(self.network.as_ref())?;
        let metadata = metadata.into_iter().chain(made_by).collect();
        let row = Row::Slice(&self.weights);
        row.files(stem, &self.layout, self.saved.as_deref(), metadata)
    }
}

/// How to run weights, for the head of a file.
pub(crate) fn about_network(network: Option<&Network>) -> Result<Option<(String, String)>, Fault> {
    let network = network.map(serde_json::to_string).transpose();
    let network = network.map_err(|error| Fault::Bug(error.to_string()))?;
    Ok(network.map(|network| ("network".to_owned(), network)))
}
