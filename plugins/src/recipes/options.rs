//! The parameters of training by minibatches, and the recipe they add up to.

use engine::error::Fault;
use engine::group;
use engine::plugin::Context;

use super::{Jump, Jumps, Length, Recipe};
use crate::networks::TrainerChoice;
use crate::training::{Optimizer, Schedule};

group! {
    /// How a network is trained by minibatches.
    pub struct TrainOptions {
        /// How gradients move weights.
        optimizer: Optimizer = "adam(rate: 1e-3)";
        /// How the learning rate changes along training.
        schedule: Schedule = "constant()";
        /// Rows of a minibatch.
        batch: usize = "64", range("1..=1000000");
        /// Passes over the training rows.
        epochs: u64 = "60", range("1..");
        /// Steps instead of epochs.
        steps: Option<u64>, range("1..");
        /// How many networks.
        members: u32 = "3", range("1..=100000");
        /// Share of the rows, drawn at random, that is kept from training.
        hold_out: f64 = "0", range("0..=0.9");
        /// Stop after this many passes without a smaller loss on the rows held out, and go
        /// back to the weights of the smallest.
        patience: Option<u64>, range("1..");
        /// Leave the path of the gradients now and then.
        jump: Option<Jump>, not_in_stream();
    }
}

impl TrainOptions {
    /// How a member is trained, its gradients computed by this trainer.
    ///
    /// # Errors
    /// Those of reading the file with the network of a jump.
    pub fn recipe(&self, trainer: TrainerChoice, context: &Context) -> Result<Recipe, Fault> {
        let jumps = self.jump.as_ref();
        let jumps = jumps.map(|jump| Jumps::new(jump, self.hold_out, context.files()));
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
        })
    }
}
