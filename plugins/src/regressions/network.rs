//! `network(shift, z)`: a small network from predictors to all weights.

use std::cmp::Ordering;

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::components::Components;
use super::support::fit::{Method, Model, regress};
use super::support::sample::Sample;
use super::support::shared;
use super::support::shared::{FitOptions, Sources, Variables};
use super::{Basis, Regression, Unit};
use crate::networks::{
    Activation, Columns, Feedforward, Layers, Loss, Network, Samples, Scaled, TrainerChoice,
};
use crate::splines::{Penalty, Strength};
use crate::training::{Optimizer, Trainer};

plugin! {
    /// A small network from the predictors to the anomalies of all weights.
    ///
    /// One hidden layer of tangents, trained on all subsets at once to give the leading
    /// principal components of the anomalies (`pca`, eight when left out). Its units are then
    /// taken as functions of the predictors and the components regressed on them, a squared
    /// slope costing `penalty`, so that the last layer is exact and slopes have standard errors.
    /// Tangents saturate: far from the subsets the weights stay where they are.
    ///
    /// ```farcast
    /// regression learned = network(shift, regime, units: 3, steps: 50, pca: 2)
    /// ```
    "network" version 8
    pub struct Hidden {
        /// The anomalies and the predictors.
        variables: Variables, flatten();
        /// How many units the hidden layer has.
        units: usize = "6", range("1..=256");
        /// How gradients move the weights of the network.
        optimizer: Optimizer = "adam(rate: 1e-2)";
        /// Steps, each on all subsets.
        steps: u64 = "1000", range("1..");
        /// What a squared slope of the last layer costs.
        penalty: f64 = "1e-3", range("0..");
        /// What all regressions share.
        options: FitOptions, flatten();
    }
}

/// How many components there are when `pca` is left out.
const COMPONENTS: usize = 8;

impl Plugin for Hidden {
    type Output = Regression;
    const RANDOM: bool = true;
    // Later versions sum in another order.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        shared::check(call, None)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        shared::facts(call)
    }

    fn run(self, context: &Context) -> Result<Regression, Fault> {
        let sources = Sources {
            pca: Some(self.components()),
            ..Sources::new(&self.variables, &self.options)
        };
        regress(&sources, &self, context)
    }
}

impl Method for Hidden {
    fn model(&self, sample: &Sample, context: &Context) -> Result<Model, Fault> {
        let units = self.trained(sample, context)?;
        Ok(Model {
            penalty: Penalty::of_slopes(units.len(), Strength::Given(self.penalty)),
            basis: Basis::Units(units),
        })
    }
}

impl Hidden {
    fn components(&self) -> usize {
        self.options.pca.unwrap_or(COMPONENTS)
    }

    /// The hidden layer after training.
    fn trained(&self, sample: &Sample, context: &Context) -> Result<Vec<Unit>, Fault> {
        let samples = samples(sample, self.components(), context)?;
        let inputs = sample.names().len();
        let outputs = samples.targets.len() / samples.rows.max(1);
        if outputs == 0 {
            return Err(Fault::at("anomalies", "the anomalies do not vary"));
        }
        let unscaled = |name: &String| Scaled::as_is(name);
        let network = Network::from(Feedforward {
            columns: Columns {
                inputs: sample.names().iter().map(unscaled).collect(),
                targets: Vec::new(),
            },
            layers: Layers {
                widths: vec![inputs, self.units, outputs],
                activation: Activation::Tanh,
            },
            loss: Loss::Mse,
        });
        let mut weights = network.initial(&mut context.rng("network"));
        let trainer = Trainer::new(&network, TrainerChoice::FanOut, &self.optimizer);
        let mut trainer = trainer.with_cores(context.cores());
        for step in 0..self.steps {
            context.check_stop()?;
            let loss = trainer.step(&mut weights, &samples, 1.0);
            context.progress(step, self.steps, Some(loss));
        }
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(
                Fault::at("optimizer", "the network diverged").with_hint("take a smaller rate")
            );
        }
        let (slopes, rest) = weights.split_at(self.units * inputs);
        let units = slopes.chunks_exact(inputs).zip(rest);
        Ok(units
            .map(|(slopes, bias)| Unit {
                bias: f64::from(*bias),
                slopes: slopes.iter().map(|slope| f64::from(*slope)).collect(),
            })
            .collect())
    }
}

/// Predictors and leading components, these on the scale of the first.
fn samples(sample: &Sample, components: usize, context: &Context) -> Result<Samples, Fault> {
    let components = Components::of(sample, components, context)?;
    let scores = &components.scores;
    let size = match scores.nrows() {
        0 => 1.0,
        _ => scores.row(0).norm_l2() / (scores.ncols() as f64).sqrt(),
    };
    let points = sample.points();
    let mut order: Vec<usize> = (0..points.len()).collect();
    // Sums of floats depend on the order; that of the subsets must not matter.
    order.sort_by(|a, b| {
        points[*a]
            .partial_cmp(&points[*b])
            .unwrap_or(Ordering::Equal)
    });
    Ok(Samples {
        inputs: order
            .iter()
            .flat_map(|row| points[*row].iter())
            .map(|z| *z as f32)
            .collect(),
        targets: order
            .iter()
            .flat_map(|row| scores.col(*row).iter().map(|score| (*score / size) as f32))
            .collect(),
        weights: Vec::new(),
        rows: points.len(),
    })
}
