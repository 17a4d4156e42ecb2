//! `mlp`: multilayer perceptrons, one member per action.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin::{Context, Plugin};
use engine::{plugin, words};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::dfdx_trainer::DfdxTrainer;
use super::{Activation, Loss, Network, Parent, Scaled};
use crate::complete::complete;
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

plugin! {
    /// Multilayer perceptrons trained on all rows, one for each member.
    ///
    /// Inputs and target are standardised by the mean and standard deviation of the training
    /// rows. Weights start as those of `torch.nn.Linear`, uniform within ±1/√inputs; every
    /// member has its own start and its own order of minibatches.
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, hidden: [8, 8], epochs: 4, members: 3)
    /// ```
    "mlp" version 2
    pub struct Mlp {
        /// The training data.
        data: Input<Dataset>, with_truth();
        /// The input columns.
        inputs: Vec<Column>, needed();
        /// The column to be predicted; for `cross_entropy` class indices from 0.
        target: Column, target();
        /// Widths of the hidden layers; none for a linear model.
        hidden: Vec<usize> = "[16, 16]", range("1..=4096");
        /// What follows each hidden layer.
        activation: Activation = "tanh";
        /// What training makes small.
        loss: Loss = "mse";
        /// How gradients move weights.
        optimizer: Optimizer = "adam(rate: 3e-3)";
        /// How the learning rate changes along training.
        schedule: Schedule = "constant()";
        /// Rows of a minibatch.
        batch: usize = "64", range("1..=1000000");
        /// Passes over the training rows.
        epochs: u64 = "60", range("1..");
        /// Steps instead of epochs.
        steps: Option<u64>, range("1..");
        /// How many networks.
        members: u32 = "10", range("1..=100000");
        /// Share of the rows, drawn at random, that is kept from training.
        hold_out: f64 = "0", range("0..=0.9");
        /// Stop after so many passes without a smaller loss on the rows held out, and go back
        /// to the weights of the smallest.
        patience: Option<u64>, range("1..");
        /// What computes the gradients.
        trainer: TrainerChoice = "auto";
    }
}

impl Plugin for Mlp {
    type Output = Parent;
    const RANDOM: bool = true;
    const MEMBERS: Option<&'static str> = Some("members");

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        if self.patience.is_some() && self.hold_out == 0.0 {
            return Err(Fault::at("patience", "`patience` needs rows held out")
                .with_hint("give `hold_out: 0.1` too"));
        }
        let (train, held_out) = self.split(context)?;
        let network = self.network(&train)?;
        let train = Samples::new(&network, &train)?;
        let held_out = Samples::new(&network, &held_out)?;
        let mut training = Training {
            steps_per_epoch: train.rows.div_ceil(self.batch) as u64,
            weights: initial(&network, context),
            mlp: &self,
            network: &network,
            train: &train,
            held_out: &held_out,
            context,
        };
        let losses = match self.trainer {
            TrainerChoice::Dfdx => training.run(DfdxTrainer::new(&network, &self.optimizer)),
            TrainerChoice::Auto | TrainerChoice::FanOut => {
                training.run(FanOut::new(&network, &self.optimizer))
            }
        }?;
        Ok(Parent {
            weights: training.weights,
            losses,
            network,
        })
    }
}

impl Mlp {
    /// The rows to train on and the rows held out.
    fn split(&self, context: &Context) -> Result<(Dataset, Dataset), Fault> {
        let rows = self.data.rows();
        let mut order: Vec<u32> = (0..rows as u32).collect();
        let held_out = (rows as f64 * self.hold_out).round() as usize;
        if rows - held_out < 2 {
            return Err(Fault::at(
                "data",
                format!(
                    "expected 2 rows or more to train on, found {}",
                    rows - held_out
                ),
            ));
        }
        if held_out > 0 {
            order.shuffle(&mut context.rng("hold_out"));
        }
        let (held_out, train) = order.split_at(held_out);
        Ok((self.data.take(train), self.data.take(held_out)))
    }

    fn network(&self, train: &Dataset) -> Result<Network, Fault> {
        if self.inputs.is_empty() {
            return Err(Fault::at(
                "inputs",
                "expected one input or more, found none",
            ));
        }
        let inputs = self
            .inputs
            .iter()
            .map(|Column(name)| {
                complete(&self.data, name, "inputs")?;
                Ok(Scaled::of(name, train.values(name)?))
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let name = &self.target.0;
        let truth = complete(&self.data, name, "target")?;
        let (target, outputs) = match self.loss {
            Loss::Mse => (Scaled::of(name, train.values(name)?), 1),
            Loss::CrossEntropy => (Scaled::as_is(name), classes(name, truth)?),
        };
        let mut widths = vec![inputs.len()];
        widths.extend(&self.hidden);
        widths.push(outputs);
        Ok(Network {
            inputs,
            targets: vec![target],
            widths,
            activation: self.activation,
            loss: self.loss,
        })
    }
}

/// The most classes a network may have.
const MOST_CLASSES: f64 = 10_000.0;

/// How many classes a column of class indices has.
fn classes(name: &str, values: &[f64]) -> Result<usize, Fault> {
    let wrong = values
        .iter()
        .find(|value| value.fract() != 0.0 || **value < 0.0 || **value >= MOST_CLASSES);
    if let Some(wrong) = wrong {
        return Err(Fault::at(
            "target",
            format!("expected class indices 0, 1, … in `{name}`, found {wrong}"),
        )
        .with_hint("`loss: mse` takes any numbers"));
    }
    let largest = values.iter().copied().fold(0.0, f64::max);
    Ok(largest as usize + 1)
}

/// Weights and biases uniform within ±1/√inputs, as `torch.nn.Linear` starts.
fn initial(network: &Network, context: &Context) -> Vec<f32> {
    let mut rng = context.rng("init");
    let mut weights = Vec::with_capacity(network.layout().len());
    for pair in network.widths.windows(2) {
        let limit = 1.0 / (pair[0] as f32).sqrt();
        weights.extend((0..(pair[0] + 1) * pair[1]).map(|_| rng.random_range(-limit..limit)));
    }
    weights
}

/// One member's training.
struct Training<'a> {
    mlp: &'a Mlp,
    network: &'a Network,
    train: &'a Samples,
    held_out: &'a Samples,
    context: &'a Context<'a>,
    steps_per_epoch: u64,
    weights: Vec<f32>,
}

/// About how many points a loss curve has.
const POINTS: u64 = 200;

/// The weights of the smallest loss on the rows held out.
struct Best {
    loss: f64,
    epoch: u64,
    weights: Vec<f32>,
}

impl Training<'_> {
    /// Trains to the end or to early stopping; gives the loss curve.
    fn run(&mut self, mut trainer: impl Trainer) -> Result<Vec<(u64, f64, Option<f64>)>, Fault> {
        let steps = match self.mlp.steps {
            Some(steps) => steps,
            None => self.mlp.epochs.saturating_mul(self.steps_per_epoch),
        };
        let interval = steps.div_ceil(POINTS);
        let mut batches = Batches::new(self.train, self.mlp.batch, self.context.rng("batches"));
        let mut curve = Vec::new();
        let mut interval_loss = Mean::default();
        let mut best = None;
        for step in 0..steps {
            let share = self.mlp.schedule.share(step, steps);
            let loss = trainer.step(&mut self.weights, batches.next(), share);
            if !loss.is_finite() {
                return Err(self.diverged(step, loss));
            }
            interval_loss.add(loss);
            let done = step + 1;
            if done % interval == 0 || done == steps {
                self.context.check_stop()?;
                let mean = interval_loss.take();
                self.context.progress(done, steps, Some(mean));
                curve.push((done, mean, self.held_out_loss()));
            }
            if done % self.steps_per_epoch == 0 && self.out_of_patience(done, &mut best) {
                break;
            }
        }
        if let Some(best) = best {
            self.weights = best.weights;
        }
        match self.weights.iter().all(|weight| weight.is_finite()) {
            true => Ok(curve),
            false => Err(self.diverged(steps, f64::NAN)),
        }
    }

    fn held_out_loss(&self) -> Option<f64> {
        (self.held_out.rows > 0).then(|| self.held_out.loss(self.network, &self.weights))
    }

    /// Whether early stopping ends training after this step, the last of an epoch.
    fn out_of_patience(&self, done: u64, best: &mut Option<Best>) -> bool {
        let (Some(patience), Some(loss)) = (self.mlp.patience, self.held_out_loss()) else {
            return false;
        };
        let epoch = done / self.steps_per_epoch;
        match best {
            Some(best) if loss.is_nan() || loss >= best.loss => epoch - best.epoch >= patience,
            _ => {
                *best = Some(Best {
                    loss,
                    epoch,
                    weights: self.weights.clone(),
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

/// Minibatches in a new random order each epoch; the last of an epoch may be smaller.
struct Batches<'a, R> {
    train: &'a Samples,
    rng: R,
    order: Vec<usize>,
    at: usize,
    size: usize,
    batch: Samples,
}

impl<'a, R: Rng> Batches<'a, R> {
    fn new(train: &'a Samples, size: usize, rng: R) -> Self {
        Self {
            train,
            rng,
            order: (0..train.rows).collect(),
            at: train.rows,
            size,
            batch: Samples::default(),
        }
    }

    fn next(&mut self) -> &Samples {
        if self.at == self.order.len() {
            self.order.shuffle(&mut self.rng);
            self.at = 0;
        }
        let end = self.order.len().min(self.at + self.size);
        self.batch.clear();
        for row in &self.order[self.at..end] {
            self.batch.push(self.train, *row);
        }
        self.at = end;
        &self.batch
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::{Artifact, DataColumn};

    use super::*;
    use crate::training::Adam;

    fn data(columns: &[(&str, Vec<f64>)]) -> Input<Dataset> {
        let columns = columns
            .iter()
            .map(|(name, values)| DataColumn {
                name: (*name).to_owned(),
                unit: None,
                values: values.clone().into(),
            })
            .collect();
        Input::new(Dataset::new(columns).expect("columns of one length"))
    }

    fn wave(rows: usize) -> Input<Dataset> {
        let x: Vec<f64> = (0..rows).map(|i| i as f64 / 20.0).collect();
        let y = x.iter().map(|x| 5.0 + 3.0 * x.sin()).collect();
        data(&[("x", x), ("y", y)])
    }

    fn mlp(data: Input<Dataset>) -> Mlp {
        Mlp {
            data,
            inputs: vec![Column("x".to_owned())],
            target: Column("y".to_owned()),
            hidden: vec![16, 16],
            activation: Activation::Tanh,
            loss: Loss::Mse,
            optimizer: Optimizer::Adam(Adam {
                rate: 1e-2,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
            }),
            schedule: Schedule::Constant(crate::training::Constant {}),
            batch: 32,
            epochs: 200,
            steps: None,
            members: 1,
            hold_out: 0.0,
            patience: None,
            trainer: TrainerChoice::Auto,
        }
    }

    fn message(result: Result<Parent, Fault>) -> String {
        result.map(|_| ()).expect_err("a fault").to_string()
    }

    #[test]
    fn it_learns_a_wave_and_tells_how() {
        let parent = mlp(wave(100)).run(&Context::alone("wave")).expect("trains");
        let (steps, last, held_out) = *parent.losses.last().expect("a curve");
        assert_eq!((steps, held_out), (200 * 4, None));
        assert!(parent.losses.len() <= 200);
        assert!(last < 0.02, "{last}");
        // The mean error in the unit of the target, whose standard deviation is about 2.
        let x = parent.network.inputs_of(&wave(100)).expect("inputs");
        let outputs = parent.network.evaluate(&parent.weights, &x, 100);
        let found = parent.network.unscale(&outputs);
        let truth = wave(100);
        let truth = truth.values("y").expect("y");
        let error: f64 = found
            .iter()
            .zip(&truth[..])
            .map(|(f, t)| (f - t).abs())
            .sum();
        assert!(error / 100.0 < 0.3, "{error}");
    }

    #[test]
    fn the_same_action_gives_the_same_bytes_and_another_one_others() {
        let run = |name| {
            let mut mlp = mlp(wave(50));
            mlp.epochs = 3;
            let parent = mlp.run(&Context::alone(name)).expect("trains");
            parent.to_parts().expect("parts")
        };
        assert_eq!(run("a"), run("a"));
        assert_ne!(run("a"), run("b"));
    }

    #[test]
    fn both_trainers_go_the_same_way() {
        let run = |trainer| {
            let mut mlp = mlp(wave(50));
            mlp.epochs = 5;
            mlp.trainer = trainer;
            mlp.run(&Context::alone("same")).expect("trains").weights
        };
        let pairs = run(TrainerChoice::FanOut)
            .into_iter()
            .zip(run(TrainerChoice::Dfdx));
        for (fast, reference) in pairs {
            assert!((fast - reference).abs() < 1e-4, "{fast} {reference}");
        }
    }

    #[test]
    fn early_stopping_returns_the_best_weights() {
        let mut mlp = mlp(wave(60));
        mlp.hold_out = 0.5;
        mlp.patience = Some(5);
        mlp.epochs = 5000;
        let held_out = mlp.split(&Context::alone("stop")).expect("rows").1;
        let parent = mlp.run(&Context::alone("stop")).expect("trains");
        let samples = Samples::new(&parent.network, &held_out).expect("columns");
        let kept = samples.loss(&parent.network, &parent.weights);
        let curve = parent.losses.iter().filter_map(|(_, _, loss)| *loss);
        assert!(curve.clone().count() > 0);
        assert!(curve.fold(f64::INFINITY, f64::min) >= kept);
        assert!(parent.losses.last().expect("a curve").0 < 5000 * 2);
    }

    #[test]
    fn classes_are_learned_by_cross_entropy() {
        let x: Vec<f64> = (0..90).map(f64::from).collect();
        let y = x.iter().map(|x| (x / 30.0).floor()).collect();
        let mut mlp = mlp(data(&[("x", x), ("y", y)]));
        mlp.loss = Loss::CrossEntropy;
        mlp.activation = Activation::Gelu;
        let parent = mlp.run(&Context::alone("classes")).expect("trains");
        assert_eq!(parent.network.widths, [1, 16, 16, 3]);
        let x = [-1.5, 0.0, 1.5];
        let logits = parent.network.evaluate(&parent.weights, &x, 3);
        assert_eq!(parent.network.unscale(&logits), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn constant_columns_have_unit_scale() {
        let mut mlp = mlp(data(&[("x", vec![7.0; 10]), ("y", vec![3.0; 10])]));
        mlp.hidden = Vec::new();
        let parent = mlp.run(&Context::alone("flat")).expect("trains");
        assert_eq!(parent.network.inputs[0].std, 1.0);
        assert_eq!(parent.weights.len(), 2);
    }

    #[test]
    fn gaps_short_data_and_wrong_classes_are_refused() {
        let run = |data| message(mlp(data).run(&Context::alone("bad")));
        assert_eq!(
            run(data(&[
                ("x", vec![1.0, f64::NAN, 2.0]),
                ("y", vec![0.0; 3])
            ])),
            "column `x` has no value in 1 of 3 rows"
        );
        assert_eq!(
            run(data(&[("x", vec![1.0]), ("y", vec![0.0])])),
            "expected 2 rows or more to train on, found 1"
        );
        let mut mlp = mlp(data(&[("x", vec![1.0, 2.0]), ("y", vec![0.0, 0.5])]));
        mlp.loss = Loss::CrossEntropy;
        assert_eq!(
            message(mlp.run(&Context::alone("bad"))),
            "expected class indices 0, 1, … in `y`, found 0.5"
        );
    }

    #[test]
    fn divergence_says_who_and_when() {
        let mut mlp = mlp(wave(50));
        mlp.activation = Activation::Relu;
        mlp.optimizer = Optimizer::Sgd(crate::training::Sgd {
            rate: 1e6,
            momentum: 0.0,
        });
        let fault = mlp.run(&Context::alone("wild")).map(|_| ());
        assert!(matches!(fault, Err(Fault::Diverged(text)) if text.starts_with("the loss is ")));
    }
}
