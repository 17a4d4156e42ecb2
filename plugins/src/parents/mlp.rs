//! `mlp`: multilayer perceptrons, one member per action.

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Parent;
use super::support::examine;
use super::support::start::StartOptions;
use super::support::targets::Targets;
use crate::networks::{
    Activation, Columns, Feedforward, Layers, Loss, Network, TrainerChoice, TrainingRows,
    scaled_inputs,
};
use crate::recipes::TrainOptions;

plugin! {
    /// Multilayer perceptrons trained on all rows, one for each member.
    ///
    /// Inputs and targets are standardised by the mean and standard deviation of the training
    /// rows. Weights start as those of `torch.nn.Linear`, uniform within ±1/√inputs; every
    /// member has its own start and its own order of minibatches. Of several targets the loss is
    /// the mean over all, each in its standard deviations.
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, hidden: [8, 8], epochs: 4, members: 3)
    /// ```
    "mlp" version 9
    pub struct Mlp {
        /// The training data.
        data: Input<Dataset>, with_truth(), not_in_stream();
        /// The input columns.
        inputs: Vec<Column>, needed();
        /// The column to be predicted, or several, `[u, v]`; for `cross_entropy` class indices
        /// from 0.
        target: Targets, target();
        /// Widths of the hidden layers; none for a linear model.
        hidden: Vec<usize> = "[16, 16]", range("1..=4096");
        /// What follows each hidden layer.
        activation: Activation = "tanh";
        /// What training makes small.
        loss: Loss = "mse";
        /// What computes the gradients.
        trainer: TrainerChoice = "auto", not_in_stream();
        /// How it is trained.
        training: TrainOptions, flatten(optimizer = "adam(rate: 3e-3)", members = "10");
        /// Where training begins.
        start: StartOptions, flatten();
    }
}

impl Plugin for Mlp {
    type Output = Parent;
    const RANDOM: bool = true;
    // Later versions note how it trained, round the loss on rows held out otherwise, and have the
    // exact `gelu`.
    const STREAMS: u32 = 2;
    const MEMBERS: Option<&'static str> = Some("members");

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let large = examine::trainable("hidden", Self::weights(call));
        let layout = Self::layout(call);
        let start = StartOptions::check(call, layout.as_ref());
        let found = [examine::columns(call), TrainOptions::check(call), start].concat();
        found.into_iter().chain(large).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let training = TrainOptions::training(call);
        let facts = examine::network(call, Self::weights(call), training, None);
        examine::with_tensors(facts, Self::layout(call))
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let recipe = self.training.recipe(self.trainer, context)?;
        let trained = recipe.member(&self.data, context, |train| {
            self.start.of(self.network(train)?, context)
        })?;
        Ok(trained.into())
    }
}

impl Mlp {
    /// The widths of the network of a call.
    fn widths(call: &Sketch) -> Option<Vec<usize>> {
        let hidden = call.get::<Vec<usize>>("hidden")?;
        let ends = [examine::inputs(call)?, examine::targets(call)?];
        Some([&ends[..1], &hidden, &ends[1..]].concat())
    }

    /// The tensors of the network of a call.
    fn layout(call: &Sketch) -> Option<Layout> {
        Some(Layout::mlp(&Self::widths(call)?))
    }

    /// How many weights it has.
    fn weights(call: &Sketch) -> Option<u64> {
        examine::dense(&Self::widths(call)?)
    }

    fn network(&self, train: &TrainingRows) -> Result<Network, Fault> {
        let inputs = scaled_inputs(&self.inputs, &self.data, train)?;
        let (targets, outputs) = self.target.scaled(self.loss, &self.data, train)?;
        let mut widths = vec![inputs.len()];
        widths.extend(&self.hidden);
        widths.push(outputs);
        Ok(Network::from(Feedforward {
            columns: Columns { inputs, targets },
            layers: Layers {
                widths,
                activation: self.activation,
            },
            loss: self.loss,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use engine::artifact::{Artifact, DataColumn, Layout};

    use super::*;
    use crate::data::{Law, Synthetic};
    use crate::testing::{call, given};
    use crate::training::{Optimizer, Sgd, Trainer};

    fn data(columns: &[(&str, Vec<f64>)]) -> Dataset {
        let columns = columns
            .iter()
            .map(|(name, values)| DataColumn::numbers(*name, None, values.clone()))
            .collect();
        Dataset::new(columns).expect("columns of one length")
    }

    fn wave(rows: usize) -> Dataset {
        let x: Vec<f64> = (0..rows).map(|i| i as f64 / 20.0).collect();
        let y = x.iter().map(|x| 5.0 + 3.0 * x.sin()).collect();
        data(&[("x", x), ("y", y)])
    }

    fn mlp(data: Dataset) -> Mlp {
        mlp_of(&["x".to_owned()], data)
    }

    fn mlp_of(inputs: &[String], data: Dataset) -> Mlp {
        let arguments = format!(
            "seen, inputs: [{}], target: y, optimizer: adam(rate: 1e-2), batch: 32, epochs: 200",
            inputs.join(", ")
        );
        call(&arguments, &[("seen", given(data))])
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
        let x = parent
            .network()
            .expect("a network")
            .inputs_of(&wave(100))
            .expect("inputs");
        let outputs = parent
            .network()
            .expect("a network")
            .evaluate(&parent.weights, &x, 100);
        let found = parent.network().expect("a network").unscale(&outputs);
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
            mlp.training.epochs = 3;
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
            mlp.training.epochs = 5;
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
        mlp.training.hold_out = 0.5;
        mlp.training.patience = Some(5);
        mlp.training.epochs = 5000;
        let data = wave(60);
        let parent = mlp.run(&Context::alone("stop")).expect("trains");
        let training = parent.training.as_ref().expect("how it was trained");
        let held_out = data.take(&training.recipe.rows(&data).expect("rows").held_out);
        let samples = parent
            .network()
            .expect("a network")
            .samples(&held_out)
            .expect("columns");
        let kept = parent
            .network()
            .expect("a network")
            .loss_on(&samples, &parent.weights);
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
        assert_eq!(
            parent.network().expect("a network").layout(),
            Layout::mlp(&[1, 16, 16, 3])
        );
        let x = [-1.5, 0.0, 1.5];
        let logits = parent
            .network()
            .expect("a network")
            .evaluate(&parent.weights, &x, 3);
        assert_eq!(
            parent.network().expect("a network").unscale(&logits),
            [0.0, 1.0, 2.0]
        );
    }

    /// The classes of `experiments/farcast_syn.farcast`, mixed by noise, with 16 harmonics.
    fn mixed_classes() -> (Vec<String>, Dataset) {
        let line = Synthetic {
            law: Law::Linear,
            rows: 512,
            noise: 0.5,
            from: -PI,
            to: PI,
            slope: 1.0,
        };
        let line = line.run(&Context::alone("line")).expect("data");
        let (x, y) = (line.values("x"), line.values("y"));
        let (x, y) = (x.expect("x").to_vec(), y.expect("y").to_vec());
        let waves = (1..=8).flat_map(|k| {
            let phases = x.iter().map(move |x| f64::from(k) * x);
            [
                (format!("s{k}"), phases.clone().map(f64::sin).collect()),
                (format!("c{k}"), phases.map(f64::cos).collect()),
            ]
        });
        let mut columns: Vec<(String, Vec<f64>)> = waves.collect();
        let inputs = columns.iter().map(|(name, _)| name.clone());
        let inputs = inputs.collect();
        let is_upper = |(x, y): (&f64, &f64)| f64::from(y + (3.0 * x).sin() > 2.0 * x + 1.0);
        columns.push(("y".to_owned(), x.iter().zip(&y).map(is_upper).collect()));
        let columns: Vec<_> = (columns.iter())
            .map(|(name, values)| (name.as_str(), values.clone()))
            .collect();
        (inputs, data(&columns))
    }

    #[test]
    fn beyond_the_edge_of_stability_runs_from_nearly_equal_starts_part() {
        let (inputs, classes) = mixed_classes();
        for member in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let mut mlp = mlp_of(&inputs, classes.clone());
            mlp.loss = Loss::CrossEntropy;
            mlp.hidden = vec![16];
            mlp.training.steps = Some(1);
            let Parent {
                network, weights, ..
            } = mlp.run(&Context::alone(member)).expect("trains");
            let network = network.expect("a network");
            let all = network.samples(&classes).expect("columns");
            // How far two runs on all rows get that begin 1e-6 apart in one weight.
            let apart = |rate: f64| -> Vec<f64> {
                let optimizer = Optimizer::Sgd(Sgd {
                    rate,
                    momentum: 0.0,
                });
                let mut trainer = Trainer::new(&network, TrainerChoice::Auto, &optimizer);
                let mut starts = [weights.clone(), weights.clone()];
                starts[1][0] += 1e-6;
                let steps = (0..200).map(|_| {
                    for weights in &mut starts {
                        assert!(trainer.step(weights, &all, 1.0).is_finite());
                    }
                    let [one, two] = &starts;
                    let squares = one.iter().zip(two);
                    let squares = squares.map(|(one, two)| f64::from(one - two).powi(2));
                    squares.sum::<f64>().sqrt()
                });
                steps.collect()
            };
            let (calm, wild) = (apart(1e-2), apart(10.0));
            assert!(calm.iter().all(|distance| *distance < 1e-5), "{calm:?}");
            assert!(wild[199] > 1.0, "{wild:?}");
        }
    }

    #[test]
    fn constant_columns_have_unit_scale() {
        let mut mlp = mlp(data(&[("x", vec![7.0; 10]), ("y", vec![3.0; 10])]));
        mlp.hidden = Vec::new();
        let parent = mlp.run(&Context::alone("flat")).expect("trains");
        assert_eq!(parent.network().expect("a network").inputs()[0].std, 1.0);
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
        mlp.training.optimizer = Optimizer::Sgd(Sgd {
            rate: 1e6,
            momentum: 0.0,
        });
        let fault = mlp.run(&Context::alone("wild")).map(|_| ());
        assert!(matches!(fault, Err(Fault::Diverged(text)) if text.starts_with("the loss is ")));
    }
}
