//! `introspection`: one small network on four moments of a weight's past.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use rand::seq::{SliceRandom, index};
use rand::{Rng, RngExt};

use super::support::adam::AdamOptions;
use super::support::examine;
use super::support::plateau::{self, Learner, divided};
use super::support::runs::{FitRuns, Runs};
use super::support::window::{History, Observed, Window};
use super::{Farcast, HorizonUnit, Origin, forecast};
use crate::networks::{
    Activation, Columns, Feedforward, Layers, Loss, Network, Samples, Scaled, TrainerChoice,
};
use crate::training::{Adam, Optimizer, Trainer};

/// Neurons of the hidden layer.
const HIDDEN: usize = 40;

/// Where along the observed steps the network looks, the newest first.
const MOMENTS: [f64; 4] = [1.0, 0.7, 0.4, 0.0];

plugin! {
    /// Introspection: a network of 40 rectifiers on four moments of a weight's past.
    ///
    /// `ŵ = W_2 relu(W_1 (w_t, w_0.7t, w_0.4t, w_0) + b_1) + b_2`, the same for all weights
    /// (Sinha et al., IJCAI 2017, arXiv 1704.04959): there one output, `w_2t`; here one for each
    /// horizon, so that `observe: 0..=t, horizon: [2t]` is theirs. The moments are the observed
    /// steps nearest to those shares. Trained here on the squared error, inputs and outputs in
    /// units of the size of the weights, by Adam over a sample of the weights of runs that
    /// reached the horizons, a tenth held out; training ends as that of `lfd2` does.
    ///
    /// Some `80 (4 + m)` operations a weight for `m` horizons; memory one block and the sample.
    /// US patent 10,755,199 claims the training scheme: ask before you use it in a product.
    ///
    /// ```farcast
    /// farcast ahead = introspection(walk, observe: 4..=16, horizon: [24, 32], epochs: 5, train_on: [0])
    /// ```
    "introspection" version 7
    pub struct Introspection {
        /// What is observed and predicted.
        observed: Observed, flatten();
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
        /// How it is trained.
        adam: AdamOptions, flatten(batch = "256");
    }
}

impl Plugin for Introspection {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks, version 3 trains for longer.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::fitted(call, |window| {
            window.expect(MOMENTS.len())?;
            Ok(window.nearest_to(&MOMENTS))
        })
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = self.observed.window()?;
        window.expect(MOMENTS.len())?;
        let window = window.nearest_to(&MOMENTS);
        let runs = Runs::new(&self.observed.trajectory, &self.fit_runs, &window)?;
        let (samples, size) = self.draw(&runs, &window, context)?;
        let (net, fit_operations) = self.train(&window, &samples, context)?;
        let predicted = forecast(
            &self.observed.trajectory,
            &window,
            HorizonUnit::Steps,
            context,
            |_, history| Ok(net.predict(history, size)),
        )?;
        let weights = window.layout.len() as f64;
        Ok(Farcast {
            predicted,
            origin: Origin {
                observed: window.steps,
                fitted_on: runs.fitted_on,
                fit_operations: Some(fit_operations),
                predict_operations: Some(2.0 * net.weights.len() as f64 * weights),
            },
        })
    }
}

impl Introspection {
    /// The moments and the states at the horizons of drawn weights, in units of the returned
    /// size.
    fn draw(
        &self,
        runs: &Runs,
        window: &Window,
        context: &Context,
    ) -> Result<(Samples, f32), Fault> {
        let all = runs.weights();
        let mut rng = context.rng("sample");
        let mut places = index::sample(&mut rng, all, self.adam.sample.min(all)).into_vec();
        places.sort_unstable();
        let mut samples = Samples {
            rows: places.len(),
            ..Samples::default()
        };
        runs.visit(|example| {
            let width = example.states[0].len();
            let here = places.partition_point(|place| *place < example.start)
                ..places.partition_point(|place| *place < example.start + width);
            for place in &places[here] {
                let at = place - example.start;
                samples
                    .inputs
                    .extend(example.states.iter().map(|state| state[at]));
                samples
                    .targets
                    .extend(example.targets.iter().map(|state| state[at]));
            }
            Ok(())
        })?;
        let squares = samples
            .targets
            .iter()
            .map(|value| f64::from(*value).powi(2));
        let count = (places.len() * window.horizons.len()) as f64;
        let size = (squares.sum::<f64>() / count).sqrt() as f32;
        let size = if size > 0.0 { size } else { 1.0 };
        samples
            .inputs
            .iter_mut()
            .chain(&mut samples.targets)
            .for_each(|value| *value /= size);
        Ok((samples, size))
    }

    /// The network that does best on held-out samples, and the operations it took.
    fn train(
        &self,
        window: &Window,
        samples: &Samples,
        context: &Context,
    ) -> Result<(SmallNet, f64), Fault> {
        let names = |count: usize| {
            (0..count)
                .map(|at| Scaled::as_is(&at.to_string()))
                .collect()
        };
        let outputs = window.horizons.len();
        let widths = vec![MOMENTS.len(), HIDDEN, outputs];
        let network = Network::from(Feedforward {
            columns: Columns {
                inputs: names(MOMENTS.len()),
                targets: names(outputs),
            },
            layers: Layers {
                widths: widths.clone(),
                activation: Activation::Relu,
            },
            loss: Loss::Mse,
        });
        let optimizer = Optimizer::Adam(Adam {
            rate: self.adam.rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        });
        let mut rng = context.rng("network");
        let mut weights: Vec<f32> = Vec::new();
        for pair in widths.windows(2) {
            // Uniform within the root of 1 / inputs, as torch.nn.Linear starts.
            let limit = (1.0 / pair[0] as f32).sqrt();
            let count = (pair[0] + 1) * pair[1];
            weights.extend((0..count).map(|_| rng.random_range(-limit..limit)));
        }
        let (order, held_out) = divided(samples.rows);
        let [order, held_out] = [order, held_out]
            .map(|rows| rows.into_iter().map(|row| row as u32).collect::<Vec<_>>());
        let examples = order.len();
        let mut descent = SquaredDescent {
            trainer: Trainer::new(&network, TrainerChoice::FanOut, &optimizer)
                .with_cores(context.cores()),
            network: &network,
            samples,
            batch: self.adam.batch,
            best: weights.clone(),
            weights,
            order,
            held_out: samples.take(&held_out),
            rng,
            context,
        };
        let epochs = plateau::train(&mut descent, examples, self.adam, context)?;
        let weights = descent.weights;
        let operations = 6.0 * (epochs * samples.rows * weights.len()) as f64;
        Ok((SmallNet { network, weights }, operations))
    }
}

/// A network on its way down the squared error.
struct SquaredDescent<'a, R> {
    trainer: Trainer<'a>,
    network: &'a Network,
    samples: &'a Samples,
    batch: usize,
    weights: Vec<f32>,
    best: Vec<f32>,
    order: Vec<u32>,
    held_out: Samples,
    rng: R,
    context: &'a Context<'a>,
}

impl<R: Rng> Learner for SquaredDescent<'_, R> {
    fn pass(&mut self, share: f64) -> Result<(), Fault> {
        self.order.shuffle(&mut self.rng);
        for rows in self.order.chunks(self.batch) {
            self.context.check_stop()?;
            let batch = self.samples.take(rows);
            self.trainer.step(&mut self.weights, &batch, share);
        }
        Ok(())
    }

    fn held_out_loss(&self) -> f64 {
        self.network.loss_on(&self.held_out, &self.weights)
    }

    fn keep(&mut self) {
        self.best.copy_from_slice(&self.weights);
    }

    fn restart(&mut self) {
        self.weights.copy_from_slice(&self.best);
        self.trainer.restart();
    }
}

struct SmallNet {
    network: Network,
    weights: Vec<f32>,
}

impl SmallNet {
    /// `[horizons, weights]`.
    fn predict(&self, history: &History, size: f32) -> Vec<f32> {
        let inputs = (0..history.len()).flat_map(|weight| history.of(weight));
        let inputs: Vec<f32> = inputs.map(|value| value / size).collect();
        let outputs = self.network.evaluate(&self.weights, &inputs, history.len());
        let horizons = self.network.targets().len();
        let horizon = |at: usize| outputs.iter().skip(at).step_by(horizons);
        (0..horizons)
            .flat_map(horizon)
            .map(|value| value * size)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::testing::{predictions, run};
    use super::*;
    use crate::testing::{call, members};

    #[test]
    fn a_network_trained_on_some_runs_predicts_another() {
        let rates = [0.2, 0.22, 0.26, 0.28, 0.3, 0.24];
        let runs = [("w", members(rates.map(|rate| Some(run(rate)))))];
        let call: Introspection = call(
            "w, observe: 0..=30, horizon: [60], train_on: 0..=4, epochs: 2000, batch: 32, rate: 3e-3",
            &runs,
        );
        let farcast = call.run(&Context::alone("introspection")).unwrap();
        assert_eq!(farcast.origin.observed, [30, 20, 10, 0]);
        let found = &predictions(&farcast)[5];
        let truth = run(0.24).networks(&[3, 6]).unwrap();
        let error = |found: &[f32]| -> f32 {
            found
                .iter()
                .zip(&truth[1])
                .map(|(found, truth)| (found - truth).abs())
                .sum()
        };
        let (found, persistence) = (error(found), error(&truth[0]));
        assert!(found < 0.5 * persistence, "{found} {persistence}");
    }
}
