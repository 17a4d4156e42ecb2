//! The loop over the steps of one member's training.

use engine::error::Fault;
use engine::plugin::Context;

use super::jump::{Counts, Jumper, OptimizerMemory};
use super::recipe::{Length, Recipe, Watch};
use crate::networks::{Network, Samples};
use crate::training::{Batches, Trainer};

/// The loss along training: `(step, training loss, held-out loss)`.
pub type Curve = Vec<(u64, f64, Option<f64>)>;

/// One member's training.
pub(super) struct Run<'a> {
    pub recipe: &'a Recipe,
    pub network: &'a Network,
    pub train: &'a Samples,
    pub held_out: &'a Samples,
    pub context: &'a Context<'a>,
}

/// About how many points a loss curve has.
const POINTS: u64 = 200;

/// The weights of the smallest loss on the rows held out.
struct Best {
    loss: f64,
    epoch: u64,
    weights: Vec<f32>,
}

impl Run<'_> {
    /// Trains to the end or to early stopping; gives the weights, the loss curve and what that
    /// took.
    pub fn train(
        &self,
        mut weights: Vec<f32>,
        watch: &mut Watch,
    ) -> Result<(Vec<f32>, Curve, Counts), Fault> {
        let recipe = self.recipe;
        let steps = match recipe.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs.saturating_mul(self.steps_per_epoch()),
        };
        let interval = steps.div_ceil(POINTS);
        let mut trainer = Trainer::new(self.network, recipe.trainer, &recipe.optimizer);
        let mut batches = Batches::new(self.train, recipe.batch, recipe.streams.rng("batches"));
        let mut curve = Curve::new();
        let mut interval_loss = Mean::default();
        let mut best = None;
        let mut jumper = recipe
            .jumps
            .as_ref()
            .map(|jumps| Jumper::new(jumps, self.network.layout()));
        let mut counts = Counts::default();
        watch(0, &weights)?;
        for step in 0..steps {
            let share = recipe.schedule.share(step, steps);
            let loss = trainer.step(&mut weights, batches.draw(), share);
            if !loss.is_finite() {
                return Err(self.diverged(step, loss));
            }
            interval_loss.add(loss);
            let done = step + 1;
            if let Some(jumper) = jumper.as_mut().filter(|_| done < steps) {
                let loss = |weights: &[f32]| self.held_out_loss(weights);
                if let Some(landing) = jumper.look(done, &weights, loss)? {
                    weights = landing.weights;
                    if landing.memory == OptimizerMemory::Reset {
                        trainer.restart();
                    }
                }
                counts = jumper.counts;
            }
            counts.steps = done;
            watch(done, &weights)?;
            if done % interval == 0 || done == steps {
                self.context.check_stop()?;
                let mean = interval_loss.take();
                self.context.progress(done, steps, Some(mean));
                curve.push((done, mean, self.held_out_loss(&weights)));
            }
            if done % self.steps_per_epoch() == 0 && self.out_of_patience(done, &weights, &mut best)
            {
                break;
            }
        }
        if let Some(best) = best {
            weights = best.weights;
        }
        match weights.iter().all(|weight| weight.is_finite()) {
            true => Ok((weights, curve, counts)),
            false => Err(self.diverged(steps, f64::NAN)),
        }
    }

    fn steps_per_epoch(&self) -> u64 {
        let batch = self.recipe.batch.unwrap_or(self.train.rows);
        self.train.rows.div_ceil(batch) as u64
    }

    fn held_out_loss(&self, weights: &[f32]) -> Option<f64> {
        (self.held_out.rows > 0).then(|| self.network.loss_on(self.held_out, weights))
    }

    /// Whether early stopping ends training after this step, the last of an epoch.
    fn out_of_patience(&self, done: u64, weights: &[f32], best: &mut Option<Best>) -> bool {
        let Some(patience) = self.recipe.patience else {
            return false;
        };
        let Some(loss) = self.held_out_loss(weights) else {
            return false;
        };
        let epoch = done / self.steps_per_epoch();
        match best {
            Some(best) if loss.is_nan() || loss >= best.loss => epoch - best.epoch >= patience,
            _ => {
                *best = Some(Best {
                    loss,
                    epoch,
                    weights: weights.to_vec(),
                });
                false
            }
        }
    }

    fn diverged(&self, step: u64, loss: f64) -> Fault {
        let loss = match loss.is_infinite() {
            true => "infinite",
            false => "NaN",
        };
        let member = match self.context.member() {
            Some(member) => format!("member {member}: "),
            None => String::new(),
        };
        Fault::Diverged(format!("{member}the loss is {loss} at step {step}"))
    }
}

/// A mean in the making.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// The mean since it was last taken.
    fn take(&mut self) -> f64 {
        let Self { sum, count } = std::mem::take(self);
        sum / count as f64
    }
}
