//! `linear_regression`: a straight line through all rows by plain gradient descent.

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::{Column, Formula, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch, Training};

use super::Parent;
use super::support::examine;
use super::support::start::StartOptions;
use super::support::targets::Targets;
use crate::networks::{
    Activation, Columns, Feedforward, Layers, Loss, Network, TrainerChoice, TrainingRows,
    scaled_inputs,
};
use crate::recipes::rows_left;
use crate::recipes::{Length, Recipe, StartingPoint};
use crate::row_weights::constant_weight;
use crate::training::{Optimizer, Schedule};

plugin! {
    /// Linear regression by gradient descent on all rows at once.
    ///
    /// The loss is the mean squared error of the standardised target, so that with `sgd` each
    /// step is `w ← w − rate · ∇L(w)` and the weights go a smooth way to the least-squares
    /// ones: the synthetic study of arXiv 2505.02714. Momentum of the optimiser or a `cyclic`
    /// schedule break that smoothness. Members differ in their start, uniform within ±1/√inputs.
    ///
    /// Of a table of more than 8 million numbers, and of 256 columns or fewer, a member keeps the
    /// triangle of its QR decomposition, from which loss and gradient follow; it reads the rows once.
    ///
    /// ```farcast
    /// parent line = linear_regression(seen, inputs: [x, z], target: y, steps: 50, members: 2)
    /// ```
    "linear_regression" version 6
    pub struct LinearRegression {
        /// The training data.
        data: Input<Dataset>, with_truth(), not_in_stream();
        /// The input columns.
        inputs: Vec<Column>, needed();
        /// The column to be predicted, or several, `[u, v]`: the loss is their mean.
        target: Targets, target();
        /// How gradients move weights.
        optimizer: Optimizer = "sgd(rate: 5e-2)", not_in_stream();
        /// How the learning rate changes along training.
        schedule: Schedule = "constant()", not_in_stream();
        /// Steps, each on all rows.
        steps: u64 = "200", range("1.."), not_in_stream(), length();
        /// How many networks.
        members: u32 = "10", range("1..=100000");
        /// Share of the rows, drawn at random, that is kept from training.
        hold_out: f64 = "0", range("0..=0.9"), not_in_stream();
        /// How much each row counts: a column, or a formula such as `area(lat)`.
        weights: Option<Formula>, not_in_stream();
        /// Where training begins.
        start: StartOptions, flatten();
    }
}

impl Plugin for LinearRegression {
    type Output = Parent;
    const RANDOM: bool = true;
    // Version 3 sums gradients over many rows otherwise.
    const STREAMS: u32 = 2;
    const MEMBERS: Option<&'static str> = Some("members");

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let left = rows_left(call, call.get("hold_out").unwrap_or_default());
        let start = StartOptions::check(call, Self::layout(call).as_ref());
        let found = examine::columns(call).into_iter().chain(left);
        let found = found.chain(start);
        found.chain(constant_weight(call)).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let training = Training::Steps {
            most: call.get("steps"),
            exact: true,
            held_out: call.get::<f64>("hold_out").is_some_and(|share| share > 0.0),
        };
        let facts = examine::network(call, None, training, None);
        examine::with_tensors(facts, Self::layout(call))
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let recipe = Recipe {
            streams: context.streams(),
            optimizer: self.optimizer.clone(),
            schedule: self.schedule.clone(),
            batch: None,
            length: Length::Steps(self.steps),
            hold_out: self.hold_out,
            patience: None,
            trainer: TrainerChoice::Auto,
            jumps: None,
            weights: self.weights.clone().map(|Formula(weights)| weights),
            start: StartingPoint::default(),
        };
        let trained = recipe.member(&self.data, context, |train| {
            self.start.of(self.network(train)?, context)
        })?;
        Ok(trained.into())
    }
}

impl LinearRegression {
    /// The tensors of the network of a call.
    fn layout(call: &Sketch) -> Option<Layout> {
        Some(Layout::mlp(&[
            examine::inputs(call)?,
            examine::targets(call)?,
        ]))
    }

    fn network(&self, train: &TrainingRows) -> Result<Network, Fault> {
        let inputs = scaled_inputs(&self.inputs, &self.data, train)?;
        let (targets, outputs) = self.target.scaled(Loss::Mse, &self.data, train)?;
        Ok(Network::from(Feedforward {
            layers: Layers {
                widths: vec![inputs.len(), outputs],
                activation: Activation::Tanh,
            },
            columns: Columns { inputs, targets },
            loss: Loss::Mse,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::table;
    use crate::training::{Constant, Sgd};

    fn line(rate: f64, momentum: f64, steps: u64) -> LinearRegression {
        let (a, b) = ([0.0, 1.0, 2.0, 3.0], [1.0, -1.0, 1.0, 2.0]);
        let y: Vec<f64> = a.iter().zip(b).map(|(a, b)| 3.0 * a - b + 0.5).collect();
        LinearRegression {
            data: Input::new(table(&[("a", &a[..]), ("b", &b), ("y", &y)])),
            inputs: ["a", "b"].map(|name| Column(name.to_owned())).to_vec(),
            target: Targets(vec![Column("y".to_owned())]),
            optimizer: Optimizer::Sgd(Sgd { rate, momentum }),
            schedule: Schedule::Constant(Constant {}),
            steps,
            members: 1,
            hold_out: 0.0,
            weights: None,
            start: StartOptions::default(),
        }
    }

    fn train(line: LinearRegression) -> Parent {
        line.run(&Context::alone("line")).expect("trains")
    }

    #[test]
    fn it_ends_at_the_exact_law() {
        let parent = train(line(0.3, 0.0, 400));
        let [a, b] = [0, 1].map(|at| parent.network().expect("a network").inputs()[at].std);
        let y = parent.network().expect("a network").targets()[0].std;
        let expected = [3.0 * a / y, -b / y, 0.0];
        for (weight, expected) in parent.weights.iter().zip(expected) {
            assert!(
                (f64::from(*weight) - expected).abs() < 1e-5,
                "{weight} {expected}"
            );
        }
    }

    #[test]
    fn a_step_follows_the_gradient_of_all_rows() {
        // w' = w - rate 2/n Xᵀ(Xw - y) with a column of ones, in f64.
        let steps = |count| train(line(0.1, 0.0, count)).weights;
        let parent = train(line(0.1, 0.0, 1));
        let data = line(0.1, 0.0, 1).data;
        let x = parent
            .network()
            .expect("a network")
            .inputs_of(&data)
            .expect("inputs");
        let y = parent
            .network()
            .expect("a network")
            .samples(&data)
            .expect("targets")
            .targets;
        let (one, two) = (steps(1), steps(2));
        let mut gradient = [0.0; 3];
        for (x, y) in x.chunks(2).zip(&y) {
            let row = [f64::from(x[0]), f64::from(x[1]), 1.0];
            let sum: f64 = row.iter().zip(&one).map(|(x, w)| x * f64::from(*w)).sum();
            let error = sum - f64::from(*y);
            for (gradient, x) in gradient.iter_mut().zip(row) {
                *gradient += 2.0 / 4.0 * error * x;
            }
        }
        for ((one, two), gradient) in one.iter().zip(&two).zip(gradient) {
            let expected = f64::from(*one) - 0.1 * gradient;
            assert!(
                (f64::from(*two) - expected).abs() < 1e-6,
                "{two} {expected}"
            );
        }
    }
}
