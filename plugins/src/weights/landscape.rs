//! `landscape(net, on: seen, metrics: [trace])`: how the loss is curved around networks.

use engine::artifact::{Dataset, Scores};
use engine::error::Fault;
use engine::params::{Gather, Input};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{plugin, words};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::complete::complete;
use crate::networks::precise::Precise;
use crate::networks::{Differentiate, Layers, Loss, Network, Samples, TrainerChoice};
use crate::parents::{Parent, not_runnable};
use crate::scores::support::table::{Measured, rows_of};

words! {
    /// What is measured of the loss around a network.
    pub enum Relief {
        /// The mean loss.
        Loss = "loss",
        /// The norm of its gradient.
        Gradient = "gradient",
        /// The trace of its Hessian, with `trace_error`, the standard error of the estimate.
        Trace = "trace",
        /// The eigenvalue of the Hessian that is farthest from zero.
        TopEigenvalue = "top_eigenvalue",
        /// How much the loss rises up the gradient, by `radius` of each tensor's norm.
        Sharpness = "sharpness",
    }
}

plugin! {
    /// How high, steep and curved the loss is at networks, on rows of data.
    ///
    /// Products of the Hessian with vectors are exact and in double precision for dense layers
    /// (Pearlmutter 1994); for other networks they are central differences of gradients in single
    /// precision, good to about three digits, and a note says so. `trace` is the mean of `vᵀ H v` over
    /// `probes` vectors of ±1 (Hutchinson 1990). `top_eigenvalue` is by power iteration, until it
    /// changes by less than `tolerance`, of itself, or 100 products are made. `sharpness` is `L(θ + d) - L(θ)` with
    /// `d = radius · ‖θ_T‖ g_T / ‖g_T‖` for each tensor `T` (Wu et al. 2020). A product costs as much as
    /// two gradients on all `rows`.
    ///
    /// ```farcast
    /// score curved = landscape(net, on: seen, metrics: [loss, trace, top_eigenvalue], rows: 64)
    /// ```
    "landscape" version 4
    pub struct Landscape {
        /// The networks.
        parents: Vec<Gather<Parent>>, variadic();
        /// The rows, with the truth.
        on: Input<Dataset>, with_truth();
        /// What is measured.
        metrics: Vec<Relief> = "[loss]";
        /// How many rows at most, drawn at random.
        rows: usize = "512", range("1..=1000000");
        /// How many vectors the trace is estimated with.
        probes: usize = "20", range("2..=100000");
        /// How far up `sharpness` goes.
        radius: f64 = "0.02", range("0..=1");
        /// The change that ends the search for the eigenvalue.
        tolerance: f64 = "1e-3", range("0..=1");
    }
}

impl Plugin for Landscape {
    type Output = Scores;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let metrics = call.get::<Vec<Relief>>("metrics");
        let empty = metrics.is_some_and(|metrics| metrics.is_empty());
        let empty =
            empty.then(|| Complaint::at("metrics", "expected a metric or more, found none"));
        let bare = not_runnable(call, "parents");
        bare.into_iter().chain(empty).collect()
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let data = self.drawn(context);
        let mut lines = Vec::new();
        let mut names = Vec::new();
        for metric in &self.metrics {
            names.push(metric.word());
            if *metric == Relief::Trace {
                names.push("trace_error");
            }
        }
        for parents in &self.parents {
            let mut members: Vec<Option<Measured>> = Vec::new();
            for (number, member) in parents.members.iter().enumerate() {
                let measured = member.as_deref().map(|parent| {
                    let mut rng = context.rng(&format!("member {number}"));
                    self.measured(parent, &data, &mut rng, context)
                });
                members.push(measured.transpose()?);
            }
            lines.extend(rows_of(&parents.label.0, names.iter().copied(), &members));
        }
        Ok(Scores {
            rows: lines,
            ..Scores::default()
        })
    }
}

/// How many products the search for an eigenvalue makes at most.
const ITERATIONS: usize = 100;

impl Landscape {
    /// The rows that are looked at, in their order.
    fn drawn(&self, context: &Context) -> Dataset {
        let mut rows: Vec<u32> = (0..self.on.rows() as u32).collect();
        if rows.len() > self.rows {
            rows.shuffle(&mut context.rng("rows"));
            rows.truncate(self.rows);
            rows.sort_unstable();
        }
        self.on.take(&rows)
    }

    fn measured(
        &self,
        parent: &Parent,
        data: &Dataset,
        rng: &mut impl Rng,
        context: &Context,
    ) -> Result<Measured, Fault> {
        let network = parent.network().map_err(|fault| fault.inside("parents"))?;
        for column in network.inputs().iter().chain(network.targets()) {
            complete(data, &column.name, "on")?;
        }
        if data.rows() == 0 {
            return Err(Fault::at("on", "expected rows, found none"));
        }
        let samples = network.samples(data)?;
        let mut surface = Surface::of(network, &samples, context);
        let at: Vec<f64> = parent.weights.iter().map(|it| f64::from(*it)).collect();
        let (loss, gradient) = surface.slope(&at);
        let mut measured = Vec::new();
        for metric in &self.metrics {
            context.check_stop()?;
            match metric {
                Relief::Loss => measured.push(Some(loss)),
                Relief::Gradient => measured.push(Some(norm(&gradient))),
                Relief::Trace => {
                    let (trace, error) = self.trace(&mut surface, &at, rng, context)?;
                    measured.extend([Some(trace), Some(error)]);
                }
                Relief::TopEigenvalue => {
                    measured.push(Some(self.top(&mut surface, &at, rng, context)?));
                }
                Relief::Sharpness => {
                    let up = uphill(&at, &gradient, parent, self.radius);
                    measured.push(Some(surface.slope(&up).0 - loss));
                }
            }
        }
        Ok(measured)
    }

    /// The mean of `vᵀ H v` and its standard error.
    fn trace(
        &self,
        surface: &mut Surface,
        at: &[f64],
        rng: &mut impl Rng,
        context: &Context,
    ) -> Result<(f64, f64), Fault> {
        let mut values = Vec::with_capacity(self.probes);
        for _ in 0..self.probes {
            context.check_stop()?;
            let signs = at
                .iter()
                .map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 });
            let signs: Vec<f64> = signs.collect();
            values.push(dot(&signs, &surface.product(at, &signs)));
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Ok((mean, (squares / (count - 1.0) / count).sqrt()))
    }

    /// The eigenvalue farthest from zero.
    fn top(
        &self,
        surface: &mut Surface,
        at: &[f64],
        rng: &mut impl Rng,
        context: &Context,
    ) -> Result<f64, Fault> {
        let mut vector: Vec<f64> = at.iter().map(|_| rng.sample(StandardNormal)).collect();
        let mut value = 0.0;
        for _ in 0..ITERATIONS {
            context.check_stop()?;
            let size = norm(&vector);
            if size == 0.0 || !size.is_finite() {
                return Ok(value);
            }
            vector.iter_mut().for_each(|number| *number /= size);
            let product = surface.product(at, &vector);
            let found = dot(&vector, &product);
            let change = (found - value).abs();
            value = found;
            vector = product;
            if change <= self.tolerance * value.abs() {
                break;
            }
        }
        Ok(value)
    }
}

/// The weights moved up the gradient, each tensor by a share of its norm.
fn uphill(at: &[f64], gradient: &[f64], parent: &Parent, radius: f64) -> Vec<f64> {
    let mut up = at.to_vec();
    for (_, range) in parent.layout.ranges() {
        let slope = norm(&gradient[range.clone()]);
        if slope > 0.0 {
            let step = radius * norm(&at[range.clone()]) / slope;
            for place in range {
                up[place] += step * gradient[place];
            }
        }
    }
    up
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(numbers: &[f64]) -> f64 {
    dot(numbers, numbers).sqrt()
}

/// The loss as a function of the weights.
enum Surface<'a> {
    /// Exact, in double precision.
    Dense(&'a Layers, Loss, &'a Samples),
    /// By gradients in single precision.
    Other(Box<dyn Differentiate>, &'a Samples),
}

/// How far apart gradients are taken, as a share of the weights' norm.
const APART: f64 = 1e-3;

impl<'a> Surface<'a> {
    fn of(network: &'a Network, samples: &'a Samples, context: &Context) -> Self {
        match network.dense() {
            Some(layers) => Self::Dense(layers, network.loss(), samples),
            None => {
                context.note(
                    "curvatures are central differences of gradients in single precision, good \
                     to about three digits",
                );
                Self::Other(network.differentiate(TrainerChoice::Auto), samples)
            }
        }
    }

    /// The loss and its gradient.
    fn slope(&mut self, at: &[f64]) -> (f64, Vec<f64>) {
        match self {
            Self::Dense(layers, loss, samples) => {
                let slope = Precise::new(layers, *loss, at).slope(samples);
                (slope.loss, slope.gradient)
            }
            Self::Other(gradient, samples) => {
                let single: Vec<f32> = at.iter().map(|weight| *weight as f32).collect();
                let (loss, gradient) = gradient.gradient(&single, samples);
                (loss, gradient.iter().map(|it| f64::from(*it)).collect())
            }
        }
    }

    /// The Hessian times a vector.
    fn product(&mut self, at: &[f64], vector: &[f64]) -> Vec<f64> {
        if let Self::Dense(layers, loss, samples) = self {
            return Precise::new(layers, *loss, at).hessian_times(samples, vector);
        }
        let size = norm(vector);
        if size == 0.0 {
            return vec![0.0; vector.len()];
        }
        let step = APART * norm(at).max(1.0) / size;
        let mut slope = |step: f64| {
            let pairs = at.iter().zip(vector);
            self.slope(
                &pairs
                    .map(|(at, along)| at + step * along)
                    .collect::<Vec<_>>(),
            )
        };
        let ((_, up), (_, down)) = (slope(step), slope(-step));
        let pairs = up.iter().zip(&down);
        pairs.map(|(up, down)| (up - down) / (2.0 * step)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::data::support::testing::table;
    use crate::testing::{Given, call, given};
    use crate::weights::support::testing::{Net, golden, parent};

    #[derive(Deserialize)]
    struct Golden {
        network: Net,
        x: Vec<Vec<f64>>,
        y: Vec<f64>,
        loss: f64,
        gradient: Vec<f64>,
        trace: f64,
        top_eigenvalue: f64,
        awp_loss: f64,
    }

    fn file() -> (Golden, [(&'static str, Given); 2]) {
        let golden: Golden = golden(include_str!(
            "../../testdata/golden/weightspace/curvature.json"
        ));
        let column = |at: usize| golden.x.iter().map(|row| row[at]).collect::<Vec<f64>>();
        let data = table(&[("x0", &column(0)[..]), ("x1", &column(1)), ("y", &golden.y)]);
        let inputs = [("p", given(parent(&golden.network))), ("d", given(data))];
        (golden, inputs)
    }

    fn values(text: &str, inputs: &[(&str, Given)]) -> Vec<f64> {
        let landscape: Landscape = call(text, inputs);
        let scores = landscape.run(&Context::alone("landscape")).expect("scores");
        let rows = scores.rows.iter().filter(|row| row.member == "0");
        rows.map(|row| row.value.expect("a value")).collect()
    }

    #[test]
    fn figures_are_those_of_the_golden_file() {
        // Weights and inputs are rounded to single precision first.
        let (golden, inputs) = file();
        let metrics = "[loss, gradient, trace, top_eigenvalue, sharpness]";
        let text = format!("p, on: d, metrics: {metrics}, probes: 4000, tolerance: 1e-9");
        let found = values(&text, &inputs);
        let close = |found: f64, expected: f64, tolerance: f64| {
            assert!(
                (found / expected - 1.0).abs() < tolerance,
                "{found} {expected}"
            );
        };
        close(found[0], golden.loss, 1e-6);
        close(found[1], norm(&golden.gradient), 1e-6);
        let (trace, error) = (found[2], found[3]);
        assert!(
            (trace - golden.trace).abs() < 3.0 * error,
            "{trace} {error}"
        );
        assert!(error < 0.03 * golden.trace, "{error}");
        close(found[4], golden.top_eigenvalue, 1e-6);
        close(found[5], golden.awp_loss - golden.loss, 1e-4);
    }

    #[test]
    fn differences_of_gradients_are_near_exact_products() {
        let (golden, _) = file();
        let parent = parent(&golden.network);
        let network = parent.network.as_ref().expect("a network");
        let layers = network.dense().expect("layers");
        let samples = Samples {
            inputs: golden.x.concat().into_iter().map(|it| it as f32).collect(),
            targets: golden.y.iter().map(|it| *it as f32).collect(),
            weights: Vec::new(),
            rows: 8,
        };
        let mut surfaces = [
            Surface::Dense(layers, network.loss(), &samples),
            Surface::Other(network.differentiate(TrainerChoice::Dfdx), &samples),
        ];
        let at: Vec<f64> = parent.weights.iter().map(|it| f64::from(*it)).collect();
        let vector: Vec<f64> = (0..at.len()).map(|at| (at as f64).cos()).collect();
        let [exact, near] = surfaces.each_mut().map(|it| it.product(&at, &vector));
        let apart: Vec<f64> = exact.iter().zip(&near).map(|(a, b)| a - b).collect();
        assert!(
            norm(&apart) < 2e-3 * norm(&exact),
            "{}",
            norm(&apart) / norm(&exact)
        );
    }

    #[test]
    fn rows_are_drawn_where_there_are_more() {
        let (_, inputs) = file();
        let all = values("p, on: d", &inputs);
        assert_eq!(values("p, on: d, rows: 8", &inputs), all);
        let some = values("p, on: d, rows: 5", &inputs);
        assert_ne!(some, all);
        assert_eq!(values("p, on: d, rows: 5", &inputs), some);
    }
}
