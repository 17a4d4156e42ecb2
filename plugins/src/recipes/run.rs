//! The loop over the steps of one member's training.

use std::collections::BTreeMap;

use engine::error::Fault;
use engine::plugin::Context;

use super::jump::{Counts, Jumper, OptimizerMemory};
use super::recipe::{Length, Recipe, Watch};
use super::so_far::{Best, SoFar};
use crate::networks::{Network, SampleSource};
use crate::training::{Batches, StepRows, Trainer};

/// The loss along training: `(step, training loss, held-out loss)`.
pub type Curve = Vec<(u64, f64, Option<f64>)>;

/// One member's training.
pub(super) struct Run<'a> {
    pub recipe: &'a Recipe,
    pub network: &'a Network,
    pub train: &'a SampleSource<'a>,
    pub held_out: &'a SampleSource<'a>,
    pub context: &'a Context<'a>,
}

/// About how many points a loss curve has.
const POINTS: u64 = 200;

impl Run<'_> {
    /// Trains to the end or to early stopping; returns the weights, the loss curve and what that
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
        let trainer = Trainer::new(self.network, recipe.trainer, &recipe.optimizer);
        let mut trainer = trainer.with_cores(self.context.cores());
        let rng = recipe.streams.rng("batches");
        let (size, context) = (recipe.batch, self.context);
        let mut batches = Batches::new(self.network, self.train, size, rng, context)?;
        let mut curve = Curve::new();
        let mut interval_loss = Mean::default();
        let mut best = None;
        let mut jumper = recipe
            .jumps
            .as_ref()
            .map(|jumps| Jumper::new(jumps, self.network.layout()));
        let mut counts = Counts::default();
        let leaves = self.context.leaves() && self.can_go_on();
        let (mut losses, mut held_out) = (Vec::new(), BTreeMap::new());
        let (mut first, began) = (0, weights.clone());
        match self.begun(steps, interval) {
            Some((so_far, begun)) => {
                first = so_far.step;
                batches.skip(first);
                trainer.remember(so_far.memory);
                weights = so_far.weights;
                best = so_far.best;
                (losses, held_out) = (so_far.losses, so_far.held_out);
                (curve, interval_loss) = begun;
                counts.steps = first;
            }
            None => {
                watch(0, &weights)?;
                self.context.state(0, &weights);
            }
        }
        let mut is_whole = true;
        for step in first..steps {
            let share = recipe.schedule.share(step, steps);
            let loss = match batches.draw() {
                StepRows::Rows(rows) => trainer.step(&mut weights, rows, share),
                StepRows::All(rows) => trainer.step_on_all(&mut weights, rows, share, context)?,
            };
            recipe.start.hold(&mut weights, &began);
            if !loss.is_finite() {
                return Err(self.diverged(step, loss));
            }
            interval_loss.add(loss);
            if leaves {
                losses.push(loss);
            }
            let done = step + 1;
            if let Some(jumper) = jumper.as_mut().filter(|_| done < steps) {
                let loss = |weights: &[f32]| self.held_out_loss(weights);
                if let Some(landing) = jumper.look(done, &weights, loss)? {
                    weights = landing.weights;
                    recipe.start.hold(&mut weights, &began);
                    if landing.memory == OptimizerMemory::Reset {
                        trainer.restart();
                    }
                }
                counts = jumper.counts;
            }
            counts.steps = done;
            watch(done, &weights)?;
            self.context.state(done, &weights);
            if done % interval == 0 || done == steps {
                self.context.check_stop()?;
                let mean = interval_loss.take();
                self.context.progress(done, steps, Some(mean));
                let loss = self.held_out_loss(&weights);
                held_out.extend(loss.map(|loss| (done, loss)));
                curve.push((done, mean, loss));
            }
            if done % self.steps_per_epoch() == 0 && self.out_of_patience(done, &weights, &mut best)
            {
                is_whole = false;
                break;
            }
        }
        if leaves && is_whole {
            let so_far = SoFar {
                step: steps,
                weights: weights.clone(),
                memory: trainer.memory().clone(),
                losses,
                held_out,
                best: best.clone(),
            };
            self.context.leave(so_far.to_bytes()?);
        }
        if let Some(best) = best {
            weights = best.weights;
        }
        match weights.iter().all(|weight| weight.is_finite()) {
            true => Ok((weights, curve, counts)),
            false => Err(self.diverged(steps, f64::NAN)),
        }
    }

    /// Whether a longer training begins with the same steps.
    fn can_go_on(&self) -> bool {
        self.recipe.jumps.is_none() && !self.recipe.schedule.looks_ahead()
    }

    /// The longest of shorter trainings, with its loss curve.
    fn begun(&self, steps: u64, interval: u64) -> Option<(SoFar, (Curve, Mean))> {
        if !self.can_go_on() {
            return None;
        }
        let shorter = self.context.shorter().iter().enumerate();
        let shorter = shorter.filter_map(|(at, bytes)| {
            let so_far = SoFar::from_bytes(bytes).filter(|it| it.step <= steps)?;
            let begun = self.curve_of(&so_far, interval)?;
            Some((at, so_far, begun))
        });
        let (at, so_far, begun) = shorter.max_by_key(|(_, so_far, _)| so_far.step)?;
        self.context.goes_on_from(at);
        Some((so_far, begun))
    }

    /// The loss curve with this interval; none when a loss on the rows held out is not known.
    fn curve_of(&self, so_far: &SoFar, interval: u64) -> Option<(Curve, Mean)> {
        let (mut curve, mut mean) = (Curve::new(), Mean::default());
        for (done, loss) in (1..).zip(&so_far.losses) {
            mean.add(*loss);
            if done % interval == 0 {
                let held_out = match self.held_out.rows() {
                    0 => None,
                    _ => Some(*so_far.held_out.get(&done)?),
                };
                curve.push((done, mean.take(), held_out));
            }
        }
        Some((curve, mean))
    }

    fn steps_per_epoch(&self) -> u64 {
        let batch = self.recipe.batch.unwrap_or(self.train.rows());
        self.train.rows().div_ceil(batch) as u64
    }

    fn held_out_loss(&self, weights: &[f32]) -> Option<f64> {
        (self.held_out.rows() > 0).then(|| self.held_out.loss(self.network, weights))
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
