//! The parameters of training by minibatches, and the recipe they add up to.

use engine::error::Fault;
use engine::group;
use engine::params::Formula;
use engine::plugin::{Complaint, Context, Sketch, Training};

use super::{Jump, Jumps, Length, Recipe, StartingPoint};
use crate::calls::complaints;
use crate::networks::TrainerChoice;
use crate::row_weights::constant_weight;
use crate::training::{Optimizer, Schedule};

group! {
    /// How a network is trained by minibatches.
    pub struct TrainOptions {
        /// How gradients move weights.
        optimizer: Optimizer = "adam(rate: 1e-3)", not_in_stream();
        /// How the learning rate changes along training.
        schedule: Schedule = "constant()", not_in_stream();
        /// Rows of a minibatch.
        batch: usize = "64", range("1..=1000000"), not_in_stream();
        /// Passes over the training rows.
        epochs: u64 = "60", range("1.."), not_in_stream(), length();
        /// Steps instead of epochs.
        steps: Option<u64>, range("1.."), not_in_stream(), length();
        /// How many networks.
        members: u32 = "3", range("1..=100000");
        /// Share of the rows, drawn at random, that is kept from training.
        hold_out: f64 = "0", range("0..=0.9"), not_in_stream();
        /// Stop after this many passes without a smaller loss on the rows held out, and go
        /// back to the weights of the smallest.
        patience: Option<u64>, range("1.."), not_in_stream();
        /// How much each row counts: a column, or a formula such as `area(lat)`. The loss, and the
        /// means and deviations that standardise, are those of rows repeated that often.
        weights: Option<Formula>, not_in_stream();
        /// Leave the path of the gradients now and then.
        jump: Option<Jump>, not_in_stream();
    }
}

impl TrainOptions {
    /// What is wrong with the training of a call.
    pub fn check(call: &Sketch) -> Vec<Complaint> {
        let Some(options) = call.group::<Self>() else {
            return Vec::new();
        };
        let hold_out = options.hold_out;
        let impatient = options.patience.is_some() && hold_out == 0.0;
        let patience = || Complaint::at("patience", "`patience` needs rows held out");
        complaints([
            impatient.then(|| patience().with_hint("give `hold_out: 0.1` too")),
            options.jump.and_then(|jump| jump.complaint(hold_out)),
            rows_left(call, hold_out),
            constant_weight(call),
        ])
    }

    /// How the network of a call is trained.
    pub fn training(call: &Sketch) -> Training {
        let Some(options) = call.group::<Self>() else {
            return Training::Steps {
                most: None,
                exact: false,
                held_out: false,
            };
        };
        let per_epoch = call.rows("data").map(|rows| {
            let held_out = (rows as f64 * options.hold_out).round() as u64;
            rows.saturating_sub(held_out).div_ceil(options.batch as u64)
        });
        let epochs = per_epoch.map(|steps| steps.saturating_mul(options.epochs));
        Training::Steps {
            most: options.steps.or(epochs),
            exact: options.steps.is_some() && options.patience.is_none(),
            held_out: options.hold_out > 0.0,
        }
    }

    /// How a member is trained, its gradients computed by this trainer.
    ///
    /// # Errors
    /// Those of reading the file with the network of a jump.
    pub fn recipe(&self, trainer: TrainerChoice, context: &Context) -> Result<Recipe, Fault> {
        let jumps = self.jump.as_ref();
        let jumps = jumps.map(|jump| Jumps::new(jump, context.files()));
        Ok(Recipe {
            streams: context.streams(),
            optimizer: self.optimizer.clone(),
            schedule: self.schedule.clone(),
            batch: Some(self.batch),
            length: match self.steps {
                Some(steps) => Length::Steps(steps),
                None => Length::Epochs(self.epochs),
            },
            hold_out: self.hold_out,
            patience: self.patience,
            trainer,
            jumps: jumps.transpose()?,
            weights: self.weights.clone().map(|Formula(weights)| weights),
            start: StartingPoint::default(),
        })
    }
}

/// Refuses data of which too few rows are left to train on.
pub fn rows_left(call: &Sketch, hold_out: f64) -> Option<Complaint> {
    let rows = call.rows("data")?;
    let left = rows.saturating_sub((rows as f64 * hold_out).round() as u64);
    let message = format!("expected 2 rows or more to train on, found at most {left}");
    (left < 2).then(|| Complaint::at("data", message))
}
