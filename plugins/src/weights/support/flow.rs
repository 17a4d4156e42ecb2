//! A flow that carries normal numbers to the scores of networks: a generator that is learned.
//!
//! `dx/dt = v(x, t)` from `t = 0` to `1`, where the network `v` has learned to predict `x₁ - x₀` from
//! `x_t = (1 - t) x₀ + t x₁`, with `x₀` normal, `x₁` of the population and `t` uniform (flow matching,
//! Lipman et al. 2023, equations 21 to 23 with σ = 0; of weights: DeepWeightFlow).

use engine::error::Fault;
use engine::plugin::Context;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::networks::{
    Activation, Columns, Feedforward, Layers, Loss, Network, Samples, Scaled, TrainerChoice,
};
use crate::training::{Adam, Optimizer, Trainer};

/// Where scores move, and how fast.
pub(crate) struct Velocity {
    network: Network,
    weights: Vec<f32>,
}

/// How it is learned.
pub(crate) struct Lessons<'a> {
    /// Widths of its hidden layers.
    pub hidden: &'a [usize],
    /// Steps of gradient descent.
    pub steps: u64,
    /// Examples for each.
    pub batch: usize,
    /// The learning rate of Adam.
    pub rate: f64,
}

impl Velocity {
    fn new(scores: usize, hidden: &[usize], weights: impl FnOnce(&Network) -> Vec<f32>) -> Self {
        let names = |count: usize| {
            let names = 0..count;
            names.map(|at| Scaled::as_is(&at.to_string())).collect()
        };
        let widths = [&[scores + 1], hidden, &[scores]].concat();
        let network = Network::from(Feedforward {
            columns: Columns {
                inputs: names(scores + 1),
                targets: names(scores),
            },
            layers: Layers {
                widths,
                activation: Activation::Silu,
            },
            loss: Loss::Mse,
        });
        let weights = weights(&network);
        Self { network, weights }
    }

    /// Learns from the scores of some networks, each as many.
    ///
    /// # Errors
    /// When the run is stopped, or it diverges.
    pub fn learn(
        population: &[Vec<f64>],
        lessons: &Lessons,
        context: &Context,
    ) -> Result<Self, Fault> {
        let mut rng = context.rng("flow");
        let scores = population[0].len();
        let start = |network: &Network| network.initial(&mut rng);
        let mut found = Self::new(scores, lessons.hidden, start);
        let optimizer = Optimizer::Adam(Adam {
            rate: lessons.rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        });
        let trainer = Trainer::new(&found.network, TrainerChoice::FanOut, &optimizer);
        let mut trainer = trainer.with_cores(context.cores());
        let mut rng = context.rng("examples");
        let mut batch = Samples::default();
        for step in 0..lessons.steps {
            context.check_stop()?;
            batch.clear();
            for _ in 0..lessons.batch {
                let end = &population[rng.random_range(0..population.len())];
                let start: Vec<f64> = normal(scores, &mut rng);
                add_example(&mut batch, &start, end, rng.random());
            }
            let loss = trainer.step(&mut found.weights, &batch, 1.0);
            if !loss.is_finite() {
                let message = format!("the flow diverged at step {step}: take a smaller `rate`");
                return Err(Fault::Diverged(message));
            }
            context.progress(step + 1, lessons.steps, Some(loss));
        }
        Ok(found)
    }

    /// Where it carries scores in so many steps of Euler.
    pub fn carry(&self, start: &[f64], steps: usize) -> Vec<f64> {
        let mut scores = start.to_vec();
        for step in 0..steps {
            let time = step as f64 / steps as f64;
            let inputs = scores.iter().chain([&time]);
            let inputs: Vec<f32> = inputs.map(|value| *value as f32).collect();
            let velocity = self.network.evaluate(&self.weights, &inputs, 1);
            for (score, velocity) in scores.iter_mut().zip(velocity) {
                *score += f64::from(velocity) / steps as f64;
            }
        }
        scores
    }
}

/// Normal numbers.
pub(crate) fn normal(count: usize, rng: &mut impl Rng) -> Vec<f64> {
    (0..count).map(|_| rng.sample(StandardNormal)).collect()
}

/// Adds the place at a time between a start and an end, and the way from one to the other.
fn add_example(batch: &mut Samples, start: &[f64], end: &[f64], time: f64) {
    let pairs = || start.iter().zip(end);
    let places = pairs().map(|(start, end)| ((1.0 - time) * start + time * end) as f32);
    batch.inputs.extend(places);
    batch.inputs.push(time as f32);
    batch
        .targets
        .extend(pairs().map(|(start, end)| (end - start) as f32));
    batch.rows += 1;
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::testing::golden;
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        /// Of each layer its matrix and its biases.
        velocity: Vec<(Vec<Vec<f32>>, Vec<f32>)>,
        x0: Vec<Vec<f64>>,
        x1: Vec<Vec<f64>>,
        t: Vec<f64>,
        flow_loss: f64,
        euler_steps: usize,
        euler_end: Vec<Vec<f64>>,
    }

    #[test]
    fn loss_and_end_are_those_of_the_golden_file() {
        let golden: Golden = golden(include_str!(
            "../../../testdata/golden/weightspace/generate.json"
        ));
        let layers = golden.velocity.iter();
        let weights = layers.flat_map(|(weight, bias)| [weight.concat(), bias.clone()].concat());
        let velocity = Velocity::new(3, &[3], |_| weights.collect());
        let mut batch = Samples::default();
        for ((x0, x1), t) in golden.x0.iter().zip(&golden.x1).zip(&golden.t) {
            add_example(&mut batch, x0, x1, *t);
        }
        let loss = velocity.network.loss_on(&batch, &velocity.weights);
        assert!((loss / golden.flow_loss - 1.0).abs() < 1e-6, "{loss}");
        for (x0, end) in golden.x0.iter().zip(&golden.euler_end) {
            for (found, expected) in velocity.carry(x0, golden.euler_steps).iter().zip(end) {
                assert!(
                    (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
                    "{found} {expected}"
                );
            }
        }
    }

    #[test]
    fn two_heaps_are_carried_to_two_heaps() {
        let context = Context::alone("flow");
        let mut rng = context.rng("test");
        let population: Vec<Vec<f64>> = (0..40)
            .map(|at| {
                vec![
                    if at % 2 == 0 { 1.0 } else { -1.0 },
                    0.1 * rng.random::<f64>(),
                ]
            })
            .collect();
        let lessons = Lessons {
            hidden: &[32, 32],
            steps: 1500,
            batch: 64,
            rate: 3e-3,
        };
        let velocity = Velocity::learn(&population, &lessons, &context).unwrap();
        let ends: Vec<f64> = (0..200)
            .map(|_| velocity.carry(&normal(2, &mut rng), 100)[0])
            .collect();
        let near = |heap: f64| {
            ends.iter()
                .filter(|end| (**end - heap).abs() < 0.35)
                .count()
        };
        // A normal of the same variance has 33 % of its numbers there.
        assert!(
            near(1.0) > 60 && near(-1.0) > 60,
            "{} {}",
            near(1.0),
            near(-1.0)
        );
    }
}
