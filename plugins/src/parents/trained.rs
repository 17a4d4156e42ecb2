//! What all parents have in common that are trained on minibatches: the parameters of their
//! training.

/// Declares such a parent: a `plugin!` with the optimiser, how many epochs and how many members
/// it has by default, and the parameters before those of training.
macro_rules! trained {
    ($(#[doc = $doc:literal])* $name:literal version $version:literal,
     optimizer $optimizer:literal, epochs $epochs:literal, members $members:literal
     pub struct $Struct:ident { $($own:tt)* }) => {
        engine::plugin! {
            $(#[doc = $doc])*
            $name version $version
            pub struct $Struct {
                $($own)*
                /// How gradients move weights.
                optimizer: $crate::training::Optimizer = $optimizer;
                /// How the learning rate changes along training.
                schedule: $crate::training::Schedule = "constant()";
                /// Rows of a minibatch.
                batch: usize = "64", range("1..=1000000");
                /// Passes over the training rows.
                epochs: u64 = $epochs, range("1..");
                /// Steps instead of epochs.
                steps: Option<u64>, range("1..");
                /// How many networks.
                members: u32 = $members, range("1..=100000");
                /// Share of the rows, drawn at random, that is kept from training.
                hold_out: f64 = "0", range("0..=0.9");
                /// Stop after so many passes without a smaller loss on the rows held out, and go
                /// back to the weights of the smallest.
                patience: Option<u64>, range("1..");
                /// Leave the path of the gradients now and then.
                jump: Option<$crate::recipes::Jump>, not_in_stream();
            }
        }

        impl $Struct {
            fn recipe(
                &self,
                trainer: $crate::networks::TrainerChoice,
                context: &engine::plugin::Context,
            ) -> Result<$crate::recipes::Recipe, engine::error::Fault> {
                use $crate::recipes::{Jumps, Length, Recipe};
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
    };
}
pub(super) use trained;
