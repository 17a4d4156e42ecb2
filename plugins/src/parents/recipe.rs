//! How a member is trained: enough, with its data, to train it again to the same bytes.

use dsl::experiment::{Experiment, Node, NodeId, Value};
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Declared;
use engine::plugin::Context;
use engine::streams::Streams;
use engine::words;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::run::Run;
use super::{Conv, Counts, DfdxTrainer, Jumps, Network, Parent, Transformer};
use crate::training::{FanOut, Optimizer, Samples, Schedule, Trainer};

words! {
    /// What computes the gradients.
    pub enum TrainerChoice {
        /// The fastest that can.
        Auto = "auto",
        /// The fused kernel.
        FanOut = "fan_out",
        /// dfdx, the reference.
        Dfdx = "dfdx",
    }
}

impl TrainerChoice {
    /// The trainer of a network of this shape; convolutions and encoders are for dfdx alone.
    pub fn trainer<'a>(
        self,
        network: &'a Network,
        optimizer: &'a Optimizer,
    ) -> Box<dyn Trainer + 'a> {
        match (self, &network.front) {
            (TrainerChoice::Dfdx, _) | (_, Some(_)) => {
                Box::new(DfdxTrainer::new(network, optimizer))
            }
            (TrainerChoice::Auto | TrainerChoice::FanOut, None) => {
                Box::new(FanOut::new(network, optimizer))
            }
        }
    }
}

/// What trains the networks that `parent` made in a call that may choose, in the words of the plan.
pub fn trainer_of(call: &Node, parent: &Node) -> String {
    let chosen = call.args.get("trainer").map(|argument| &argument.value);
    let told = match chosen {
        _ if has_convolutions(parent) => "dfdx, because fan_out takes no convolutions",
        _ if parent.plugin == Transformer::NAME => "dfdx, because fan_out takes no transformers",
        Some(Value::Text(word)) if word == TrainerChoice::Dfdx.word() => "dfdx, as it says",
        _ => "fan_out",
    };
    told.to_owned()
}

/// Whether a call makes networks with convolutions: without channels `conv` makes none.
fn has_convolutions(parent: &Node) -> bool {
    let channels = parent.args.get("channels").map(|channels| &channels.value);
    parent.plugin == Conv::NAME && !matches!(channels, Some(Value::List(none)) if none.is_empty())
}

/// What leads from a call to the networks it goes on from: `adopt` takes those that its farcast
/// foretells.
const LEADS: [&str; 3] = ["parent", "farcast", "trajectory"];

/// The call that made the networks that a call goes on from, farcast and adopted or not.
pub fn parent_of<'a>(call: &Node, experiment: &'a Experiment) -> Option<&'a Node> {
    let lead = LEADS.iter().find_map(|lead| call.args.get(*lead))?;
    let Value::Node(NodeId(from)) = lead.value else {
        return None;
    };
    let from = experiment.nodes.get(from)?;
    parent_of(from, experiment).or(Some(from))
}

/// How long training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Length {
    /// Passes over the training rows.
    Epochs(u64),
    /// Minibatches.
    Steps(u64),
}

/// All that training depends on beside the network and the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// What its chance is derived from: the start, the rows held out, the order of batches.
    pub streams: Streams,
    /// How gradients move weights.
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Rows of a minibatch; `None` for all rows at every step.
    pub batch: Option<usize>,
    /// How long.
    pub length: Length,
    /// Share of the rows kept from training.
    pub hold_out: f64,
    /// Epochs without a smaller loss on the rows held out before training stops.
    pub patience: Option<u64>,
    /// What computes the gradients.
    pub trainer: TrainerChoice,
    /// When and where the weights jump.
    pub jumps: Option<Jumps>,
}

/// How a member was trained, and what that took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// What it can be trained by again.
    pub recipe: Recipe,
    /// How often what was done.
    pub counts: Counts,
}

/// Who is told the weights before the first step and after every step.
pub type Watch<'a> = dyn FnMut(u64, &[f32]) -> Result<(), Fault> + 'a;

/// Which rows are for what.
pub struct Rows {
    /// To train on.
    pub train: Vec<u32>,
    /// To judge by.
    pub held_out: Vec<u32>,
}

impl Recipe {
    /// The rows to train on and the rows held out.
    ///
    /// # Errors
    /// When fewer than two are left, or when patience has nothing to go by.
    pub fn rows(&self, data: &Dataset) -> Result<Rows, Fault> {
        if self.patience.is_some() && self.hold_out == 0.0 {
            return Err(Fault::at("patience", "`patience` needs rows held out")
                .with_hint("give `hold_out: 0.1` too"));
        }
        let rows = data.rows();
        let held_out = (rows as f64 * self.hold_out).round() as usize;
        let left = rows - held_out;
        if left < 2 {
            let message = format!("expected 2 rows or more to train on, found {left}");
            return Err(Fault::at("data", message));
        }
        let mut order: Vec<u32> = (0..rows as u32).collect();
        if held_out > 0 {
            order.shuffle(&mut self.streams.rng("hold_out"));
        }
        let train = order.split_off(held_out);
        Ok(Rows {
            train,
            held_out: order,
        })
    }

    /// A trained member; `network` makes the network of the rows to train on.
    ///
    /// # Errors
    /// Those of [`rows`](Self::rows), `network` and [`train`](Self::train).
    pub fn member(
        self,
        data: &Dataset,
        context: &Context,
        network: impl FnOnce(&Dataset) -> Result<Network, Fault>,
    ) -> Result<Parent, Fault> {
        let [train, held_out] = self.parts(data)?;
        let network = network(&train)?;
        self.train_on(network, [&train, &held_out], context, &mut |_, _| Ok(()))
    }

    /// The same of a network that is known.
    ///
    /// # Errors
    /// [`Fault::Diverged`] when the loss or a weight leaves the finite numbers.
    pub fn train(
        self,
        network: Network,
        data: &Dataset,
        context: &Context,
        watch: &mut Watch,
    ) -> Result<Parent, Fault> {
        let [train, held_out] = self.parts(data)?;
        self.train_on(network, [&train, &held_out], context, watch)
    }

    /// The data to train on and those held out.
    fn parts(&self, data: &Dataset) -> Result<[Dataset; 2], Fault> {
        let Rows { train, held_out } = self.rows(data)?;
        Ok([data.take(&train), data.take(&held_out)])
    }

    fn train_on(
        self,
        network: Network,
        [train, held_out]: [&Dataset; 2],
        context: &Context,
        watch: &mut Watch,
    ) -> Result<Parent, Fault> {
        let run = Run {
            train: &Samples::new(&network, train)?,
            held_out: &Samples::new(&network, held_out)?,
            recipe: &self,
            network: &network,
            context,
        };
        let (weights, losses, counts) = run.train(initial(&network, &self.streams), watch)?;
        Ok(Parent {
            weights,
            losses,
            network,
            training: Some(Training {
                recipe: self,
                counts,
            }),
        })
    }
}

/// Weights and biases uniform within ±1/√inputs, as `torch.nn.Linear` and `Conv2d` start; norms
/// that change nothing.
fn initial(network: &Network, streams: &Streams) -> Vec<f32> {
    let mut rng = streams.rng("init");
    let layout = network.layout();
    let mut weights = Vec::with_capacity(layout.len());
    for layer in layout.tensors.chunks_exact(2) {
        if let [scales] = layer[0].shape[..] {
            weights.extend(std::iter::repeat_n(1.0, scales));
            weights.extend(std::iter::repeat_n(0.0, scales));
            continue;
        }
        let inputs: usize = layer[0].shape[1..].iter().product();
        let limit = 1.0 / (inputs as f32).sqrt();
        let count = layer[0].len() + layer[1].len();
        weights.extend((0..count).map(|_| rng.random_range(-limit..limit)));
    }
    weights
}
