//! How a member is trained: enough, with its data, to train it again to the same bytes.

use dsl::column::ColumnExpr;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::plugin::Context;
use engine::streams::Streams;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::jump::{Counts, Jumps};
use super::run::{Curve, Run};
use super::starting_point::{FIRST, StartingPoint};
use crate::networks::{Network, SampleSource, TrainerChoice, TrainingRows};
use crate::row_weights::{any_counts, row_weights};
use crate::training::{Optimizer, Schedule};

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
    /// How much each row counts; all the same when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<ColumnExpr>,
    /// Where it begins; stored beside the recipe.
    #[serde(skip)]
    pub start: StartingPoint,
}

/// How a member was trained, and what that took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// What it can be trained by again.
    pub recipe: Recipe,
    /// How often what was done.
    pub counts: Counts,
}

/// One trained member.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// How to run the weights.
    pub network: Network,
    /// The weights at the end, in parameter order.
    pub weights: Vec<f32>,
    /// The loss along training.
    pub losses: Curve,
    /// How it was trained.
    pub training: Training,
}

/// Receives the weights before the first step and after every step.
pub type Watch<'a> = dyn FnMut(u64, &[f32]) -> Result<(), Fault> + 'a;

/// Which rows are for what.
pub struct Rows {
    /// To train on; all when left out.
    pub train: Option<Vec<u32>>,
    /// To judge by.
    pub held_out: Vec<u32>,
}

impl Recipe {
    /// The rows to train on and the rows held out.
    ///
    /// # Errors
    /// When fewer than two are left.
    pub fn rows(&self, data: &Dataset) -> Result<Rows, Fault> {
        let rows = data.rows();
        let held_out = (rows as f64 * self.hold_out).round() as usize;
        let left = rows - held_out;
        if left < 2 {
            let message = format!("expected 2 rows or more to train on, found {left}");
            return Err(Fault::at("data", message));
        }
        if held_out == 0 {
            return Ok(Rows {
                train: None,
                held_out: Vec::new(),
            });
        }
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.shuffle(&mut self.streams.rng("hold_out"));
        let train = order.split_off(held_out);
        order.shrink_to_fit();
        Ok(Rows {
            train: Some(train),
            held_out: order,
        })
    }

    /// A trained member; `network` makes the network of the rows to train on, and says where it
    /// begins.
    ///
    /// # Errors
    /// Those of [`rows`](Self::rows), `network` and [`train`](Self::train).
    pub fn member(
        mut self,
        data: &Dataset,
        context: &Context,
        network: impl FnOnce(&TrainingRows) -> Result<(Network, StartingPoint), Fault>,
    ) -> Result<Trained, Fault> {
        let [train, held_out] = self.parts(data)?;
        let (network, start) = network(&train)?;
        self.start = start;
        self.start.note(context);
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
    ) -> Result<Trained, Fault> {
        let [train, held_out] = self.parts(data)?;
        self.train_on(network, [&train, &held_out], context, watch)
    }

    /// The data to train on and those held out.
    fn parts(&self, data: &Dataset) -> Result<[TrainingRows; 2], Fault> {
        let Rows { train, held_out } = self.rows(data)?;
        let weights = row_weights(self.weights.as_ref(), data)?;
        let part = |rows: Vec<u32>, which: &str| -> Result<TrainingRows, Fault> {
            let own = |all: &Vec<f64>| rows.iter().map(|row| all[*row as usize]).collect();
            let weights: Option<Vec<f64>> = weights.as_ref().map(own);
            any_counts(weights.as_deref().unwrap_or_default(), which)?;
            Ok(TrainingRows {
                data: data.clone(),
                rows: Some(rows),
                weights,
            })
        };
        let held_out = part(held_out, "all rows held out")?;
        let train = match train {
            Some(train) => part(train, "all rows to train on")?,
            None => TrainingRows::weighted(data.clone(), weights),
        };
        Ok([train, held_out])
    }

    fn train_on(
        self,
        network: Network,
        [train, held_out]: [&TrainingRows; 2],
        context: &Context,
        watch: &mut Watch,
    ) -> Result<Trained, Fault> {
        let drawn = || network.initial(&mut self.streams.rng(FIRST));
        let start = self.start.first(drawn);
        let train = SampleSource::of(&network, train)?;
        let held_out = SampleSource::of(&network, held_out)?;
        let run = Run {
            train: &train,
            held_out: &held_out,
            recipe: &self,
            network: &network,
            context,
        };
        let (weights, losses, counts) = run.train(start, watch)?;
        drop((train, held_out));
        Ok(Trained {
            network,
            weights,
            losses,
            training: Training {
                recipe: self,
                counts,
            },
        })
    }
}

/// What computes gradients where `chosen` may be, in the words of the plan.
pub fn trainer_words(chosen: Option<TrainerChoice>) -> String {
    let words = match chosen {
        Some(TrainerChoice::Dfdx) => "dfdx, as it says",
        Some(TrainerChoice::Auto | TrainerChoice::FanOut) | None => "fan_out",
    };
    words.to_owned()
}
