//! One linear layer from observed states to horizons, shared by all weights of all networks.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::Gather;
use engine::plugin::Context;
use engine::{group, words};
use rand::Rng;
use rand::seq::{SliceRandom, index};

use super::adam::AdamOptions;
use super::deviations::least_absolute;
use super::moments::{Moments, Whitening};
use super::objective::{Batch, Norm, Objective};
use super::plateau::{self, Learner, divided, is_held_out};
use super::runs::Runs;
use super::window::Window;
use crate::farcasts::{Farcast, HorizonUnit, Origin, forecast};
use crate::training::{Adam, Optimizer, OptimizerState};

words! {
    /// How a linear map is fitted.
    pub enum FitBy {
        /// To the least absolute deviations, and with L_grad on from there by minibatches.
        Minibatches = "minibatches",
        /// By exact least squares over all weights.
        LeastSquares = "least_squares",
    }
}

group! {
    /// How the layer of LFD is fitted.
    pub struct LayerFit {
        /// How it is fitted.
        fit: FitBy = "minibatches";
        /// The share of L_grad in the loss.
        beta: f64 = "0.1", range("0..");
        /// How moves are measured in L_grad.
        norm: Norm = "l2";
        /// By which minibatches.
        adam: AdamOptions, flatten();
    }
}

impl LayerFit {
    /// The training of the L1 loss; none where least squares is the fit.
    pub fn training(&self) -> Option<Training> {
        (self.fit == FitBy::Minibatches).then_some(Training {
            objective: Objective::Absolute {
                beta: self.beta,
                norm: self.norm,
            },
            start: Start::LeastDeviations,
            adam: self.adam,
        })
    }
}

/// What the layer sees of the observed states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    /// The states; the layer predicts the state.
    States,
    /// The states less the last one; the layer predicts the move from the last state.
    Moves,
    /// A moving average over N states, and what remains of each state.
    TrendAndRest(usize),
}

/// How a layer is fitted by minibatches.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// What is made small.
    pub objective: Objective,
    /// Where it starts.
    pub start: Start,
    /// What it learns from, a tenth of it to decide when to stop, and for how long.
    pub adam: AdamOptions,
}

/// Where the training of a layer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the least absolute deviations, along the directions in which the features vary.
    LeastDeviations,
    /// At the mean of the features, as the published code of DLinear does.
    Mean,
}

/// `ŵ_h = [w_n +] Σ_i A_hi φ_i + b_h`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearMap {
    features: Features,
    /// `A`, horizon by horizon.
    slopes: Vec<f64>,
    /// `b`.
    offsets: Vec<f64>,
}

impl Features {
    /// How many features a number of states has.
    fn count(self, states: usize) -> usize {
        match self {
            Features::States => states,
            Features::Moves => states - 1,
            Features::TrendAndRest(_) => 2 * states,
        }
    }

    /// The features of weights with these states, feature by feature.
    fn of(self, states: &[&[f32]]) -> Vec<Vec<f32>> {
        let minus = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        match (self, states) {
            (Features::States, _) => states.iter().map(|state| state.to_vec()).collect(),
            (Features::Moves, [earlier @ .., last]) => {
                earlier.iter().map(|state| minus(state, last)).collect()
            }
            (Features::Moves, []) => Vec::new(),
            (Features::TrendAndRest(kernel), _) => {
                let trends: Vec<Vec<f32>> = (0..states.len())
                    .map(|at| average(states, at, kernel))
                    .collect();
                let rests = states
                    .iter()
                    .zip(&trends)
                    .map(|(state, trend)| minus(state, trend));
                let rests: Vec<Vec<f32>> = rests.collect();
                [trends, rests].concat()
            }
        }
    }

    /// What the layer adds to: the last state, for moves.
    fn base<'a>(self, states: &[&'a [f32]]) -> Option<&'a [f32]> {
        match self {
            Features::Moves => states.last().copied(),
            _ => None,
        }
    }
}

/// The mean of `kernel` states around one, the first and last repeated beyond the ends.
fn average(states: &[&[f32]], at: usize, kernel: usize) -> Vec<f32> {
    let (before, last) = ((kernel - 1) / 2, states.len() - 1);
    let mut sums = vec![0.0; states[at].len()];
    for place in 0..kernel {
        let state = states[(at + place).saturating_sub(before).min(last)];
        sums.iter_mut()
            .zip(state)
            .for_each(|(sum, value)| *sum += value);
    }
    sums.iter_mut().for_each(|sum| *sum /= kernel as f32);
    sums
}

/// Fits a layer to the runs and predicts all members with it.
///
/// # Errors
/// Those of reading the runs.
pub fn farcast(
    trajectory: &Gather<Trajectory>,
    runs: &Runs,
    window: Window,
    features: Features,
    training: Option<Training>,
    context: &Context,
) -> Result<Farcast, Fault> {
    let (map, fit_operations) = LinearMap::fit(runs, &window, features, training, context)?;
    let predicted = forecast(
        trajectory,
        &window,
        HorizonUnit::Steps,
        context,
        |_, history| Ok(map.predict(&history.states)),
    )?;
    let weights = window.layout.len() as f64;
    Ok(Farcast {
        predicted,
        origin: Origin {
            observed: window.steps,
            fitted_on: runs.fitted_on.clone(),
            fit_operations: Some(fit_operations),
            predict_operations: Some(2.0 * weights * map.slopes.len() as f64),
        },
    })
}

impl LinearMap {
    /// Fits it; returns the operations that took, too.
    pub fn fit(
        runs: &Runs,
        window: &Window,
        features: Features,
        training: Option<Training>,
        context: &Context,
    ) -> Result<(Self, f64), Fault> {
        let count = features.count(window.steps.len());
        let horizons = window.horizons.len();
        let mut moments = Moments::new(count, horizons);
        let mut drawn = training.map(|training| Drawn::new(runs, training, context));
        runs.visit(|example| {
            context.check_stop()?;
            let rows = features.of(&example.states);
            let base = features.base(&example.states);
            let targets = example.targets.iter().map(|target| match base {
                Some(base) => target.iter().zip(base).map(|(t, b)| t - b).collect(),
                None => target.to_vec(),
            });
            let targets: Vec<Vec<f32>> = targets.collect();
            let [rows, targets]: [Vec<&[f32]>; 2] =
                [&rows, &targets].map(|rows| rows.iter().map(Vec::as_slice).collect());
            // The start knows nothing of the weights that decide when training stops.
            let held_out = drawn.as_ref().map_or(Vec::new(), |drawn| {
                drawn.held_out(example.start, example.states[0].len())
            });
            match held_out.is_empty() {
                true => moments.add(&rows, &targets),
                false => {
                    let [rows, targets] = [&rows, &targets].map(|rows| without(rows, &held_out));
                    let [rows, targets]: [Vec<&[f32]>; 2] =
                        [&rows, &targets].map(|rows| rows.iter().map(Vec::as_slice).collect());
                    moments.add(&rows, &targets);
                }
            }
            if let Some(drawn) = &mut drawn {
                let last = match base {
                    // The layer predicts moves: what it starts from is not a move.
                    Some(_) => &vec![0.0; targets[0].len()][..],
                    None => example.states.last().copied().unwrap_or_default(),
                };
                drawn.take(example.start, &rows, &targets, last);
            }
            Ok(())
        })?;
        let operations = 2.0 * (runs.weights() * count * (count + horizons)) as f64;
        let whitening = moments.whitening()?;
        let least_squares = DirectionLayer {
            slopes: moments.slopes(&whitening),
            offsets: (0..horizons)
                .map(|horizon| moments.mean(count + horizon))
                .collect(),
            whitening,
        };
        let Some((training, drawn)) = training.zip(drawn) else {
            return Ok((least_squares.map(features), operations));
        };
        let start = match training.start {
            Start::LeastDeviations => least_squares,
            Start::Mean => DirectionLayer::mean(count, horizons, drawn.size()),
        };
        let (layer, trained) = start.train(&drawn, training, window, context)?;
        Ok((layer.map(features), operations + trained))
    }

    /// The weights at every horizon, `[horizons, weights]`.
    pub fn predict(&self, states: &[&[f32]]) -> Vec<f32> {
        let rows = self.features.of(states);
        let base = self.features.base(states);
        let width = states.first().map_or(0, |state| state.len());
        let mut predictions = Vec::with_capacity(width * self.offsets.len());
        for (slopes, offset) in self.slopes.chunks(rows.len().max(1)).zip(&self.offsets) {
            let mut sums = vec![*offset; width];
            for (slope, row) in slopes.iter().zip(&rows) {
                let parts = sums.iter_mut().zip(row);
                parts.for_each(|(sum, value)| *sum += slope * f64::from(*value));
            }
            if let Some(base) = base {
                sums.iter_mut()
                    .zip(base)
                    .for_each(|(sum, last)| *sum += f64::from(*last));
            }
            predictions.extend(sums.iter().map(|sum| *sum as f32));
        }
        predictions
    }
}

/// The rows without the columns at these places, which are in order.
fn without(rows: &[&[f32]], places: &[usize]) -> Vec<Vec<f32>> {
    let row = |row: &&[f32]| {
        let kept = row.iter().enumerate();
        let kept = kept.filter(|(at, _)| places.binary_search(at).is_err());
        kept.map(|(_, value)| *value).collect()
    };
    rows.iter().map(row).collect()
}

/// A layer over directions of the features.
#[derive(Clone, Debug)]
struct DirectionLayer {
    whitening: Whitening,
    /// Horizon by horizon.
    slopes: Vec<f64>,
    offsets: Vec<f64>,
}

impl DirectionLayer {
    /// The mean of the features at every horizon, features and targets of this size.
    fn mean(features: usize, horizons: usize, size: f64) -> Self {
        // A trend and its rest are halves of one state.
        let share = 2.0 * size / features as f64;
        let direction = |at: usize| (0..features).map(move |k| f64::from(u8::from(k == at)) / size);
        Self {
            whitening: Whitening {
                center: vec![0.0; features],
                directions: (0..features).map(|at| direction(at).collect()).collect(),
            },
            slopes: vec![share; features * horizons],
            offsets: vec![0.0; horizons],
        }
    }

    /// The same over the features themselves.
    fn map(&self, features: Features) -> LinearMap {
        let Whitening { center, directions } = &self.whitening;
        let mut map = LinearMap {
            features,
            slopes: Vec::new(),
            offsets: self.offsets.clone(),
        };
        for (horizon, offset) in map.offsets.iter_mut().enumerate() {
            let along = &self.slopes[horizon * directions.len()..][..directions.len()];
            for (at, center) in center.iter().enumerate() {
                let parts = along.iter().zip(directions);
                let slope: f64 = parts.map(|(slope, direction)| slope * direction[at]).sum();
                *offset -= slope * center;
                map.slopes.push(slope);
            }
        }
        map
    }

    /// Moves it down the objective; the best on held-out weights stays.
    fn train(
        self,
        drawn: &Drawn,
        training: Training,
        window: &Window,
        context: &Context,
    ) -> Result<(Self, f64), Fault> {
        let scale = drawn.size();
        let problem = DrawnWeights::new(&self.whitening, drawn, scale, window);
        let (order, held_out) = divided(drawn.last.len());
        let parts = self.slopes.iter().chain(&self.offsets);
        let mut layer: Vec<f64> = parts.map(|value| value / scale).collect();
        let mut epochs = 0;
        if training.start == Start::LeastDeviations {
            layer = problem.least_absolute(&layer, &order, context);
        }
        // Without L_grad that is the minimum.
        if !training.objective.is_mean_deviation() {
            let examples = order.len();
            let mut descent = LayerDescent {
                problem: &problem,
                training,
                optimizer: Optimizer::Adam(Adam {
                    rate: training.adam.rate,
                    beta1: 0.9,
                    beta2: 0.999,
                    epsilon: 1e-8,
                }),
                state: OptimizerState::new(layer.len()),
                best: layer.clone(),
                layer,
                order,
                held_out,
                rng: context.rng("order"),
                context,
            };
            epochs = plateau::train(&mut descent, examples, training.adam, context)?;
            layer = descent.layer;
        }
        let operations = 6.0 * (epochs * drawn.last.len() * layer.len()) as f64;
        let (slopes, offsets) = layer.split_at(self.slopes.len());
        let layer = Self {
            slopes: slopes.iter().map(|slope| slope * scale).collect(),
            offsets: offsets.iter().map(|offset| offset * scale).collect(),
            ..self
        };
        Ok((layer, operations))
    }
}

/// A layer on its way down an objective, in units of the size of the weights.
struct LayerDescent<'a, R> {
    problem: &'a DrawnWeights,
    training: Training,
    optimizer: Optimizer,
    state: OptimizerState,
    /// Slopes, then offsets.
    layer: Vec<f64>,
    best: Vec<f64>,
    order: Vec<usize>,
    held_out: Vec<usize>,
    rng: R,
    context: &'a Context<'a>,
}

impl<R: Rng> Learner for LayerDescent<'_, R> {
    fn pass(&mut self, share: f64) -> Result<(), Fault> {
        self.context.check_stop()?;
        let mut weights: Vec<f32> = self.layer.iter().map(|weight| *weight as f32).collect();
        self.order.shuffle(&mut self.rng);
        for batch in self.order.chunks(self.training.adam.batch) {
            let at: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let (_, gradient) = self.problem.loss(&at, batch, self.training.objective);
            let gradient: Vec<f32> = gradient.iter().map(|part| *part as f32).collect();
            self.optimizer
                .update(&mut self.state, &mut weights, &gradient, share);
        }
        self.layer = weights.iter().map(|weight| f64::from(*weight)).collect();
        Ok(())
    }

    fn held_out_loss(&self) -> f64 {
        let objective = self.training.objective;
        self.problem.loss(&self.layer, &self.held_out, objective).0
    }

    fn keep(&mut self) {
        self.best.clone_from(&self.layer);
    }

    fn restart(&mut self) {
        self.layer.clone_from(&self.best);
        self.state.reset();
    }
}

/// The drawn weights along the directions of a layer, in units of their size.
struct DrawnWeights {
    /// `[weights, directions + horizons + 1]`: the inputs, the truth and the last state of a weight,
    /// beside each other as they are read together, in random order.
    rows: Vec<f64>,
    directions: usize,
    gaps: Vec<f64>,
}

impl DrawnWeights {
    fn new(whitening: &Whitening, drawn: &Drawn, scale: f64, window: &Window) -> Self {
        let Whitening { center, directions } = whitening;
        let ahead = window.ahead(1.0);
        let before = std::iter::once(0.0).chain(ahead.iter().copied());
        let gaps: Vec<f64> = ahead
            .iter()
            .zip(before)
            .map(|(at, before)| at - before)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let mut rows = Vec::with_capacity(drawn.last.len() * (directions.len() + gaps.len() + 1));
        let features = drawn.features.chunks_exact(center.len());
        let targets = drawn.targets.chunks_exact(gaps.len());
        for ((features, targets), last) in features.zip(targets).zip(&drawn.last) {
            let centred: Vec<f64> = features
                .iter()
                .zip(center)
                .map(|(value, center)| f64::from(*value) - center)
                .collect();
            rows.extend(directions.iter().map(|direction| {
                let parts = direction.iter().zip(&centred);
                parts.map(|(factor, value)| factor * value).sum::<f64>()
            }));
            let states = targets.iter().chain([last]);
            rows.extend(states.map(|state| f64::from(*state) / scale));
        }
        Self {
            rows,
            directions: directions.len(),
            gaps: gaps.iter().map(|gap| gap / mean).collect(),
        }
    }

    /// The inputs of a weight, its truth and its last state.
    fn row(&self, weight: usize) -> (&[f64], &[f64], f64) {
        let (inputs, horizons) = (self.directions, self.gaps.len());
        let row = &self.rows[weight * (inputs + horizons + 1)..][..inputs + horizons + 1];
        (
            &row[..inputs],
            &row[inputs..][..horizons],
            row[inputs + horizons],
        )
    }

    /// The layer of least absolute deviations over some of the weights; horizons do not depend on
    /// each other.
    fn least_absolute(&self, start: &[f64], weights: &[usize], context: &Context) -> Vec<f64> {
        let (inputs, horizons) = (self.directions, self.gaps.len());
        let (slopes, offsets) = start.split_at(inputs * horizons);
        let all: Vec<usize> = (0..horizons).collect();
        let maps = context.share(&all, |horizon| {
            let mut examples = Vec::with_capacity(weights.len() * (inputs + 2));
            for weight in weights {
                let (inputs, truth, _) = self.row(*weight);
                examples.extend_from_slice(inputs);
                examples.extend([1.0, truth[*horizon]]);
            }
            let slopes = &slopes[horizon * inputs..][..inputs];
            least_absolute(&examples, &[slopes, &[offsets[*horizon]]].concat())
        });
        let slopes = maps.iter().flat_map(|map| &map[..inputs]);
        let offsets = maps.iter().map(|map| &map[inputs]);
        slopes.chain(offsets).copied().collect()
    }

    /// The objective over some of the weights, and its gradient by slopes and offsets.
    fn loss(&self, layer: &[f64], weights: &[usize], objective: Objective) -> (f64, Vec<f64>) {
        let (inputs, horizons) = (self.directions, self.gaps.len());
        let (slopes, offsets) = layer.split_at(inputs * horizons);
        // Copied first: nothing is computed while the rows come from memory.
        let mut rows = Vec::with_capacity(weights.len() * inputs);
        let mut truth = Vec::with_capacity(weights.len() * horizons);
        let mut last = Vec::with_capacity(weights.len());
        for weight in weights {
            let row = self.row(*weight);
            rows.extend_from_slice(row.0);
            truth.extend_from_slice(row.1);
            last.push(row.2);
        }
        let input = |at: usize| &rows[at * inputs..][..inputs];
        let mut predictions = Vec::with_capacity(truth.len());
        for at in 0..weights.len() {
            predictions.extend(offsets.iter().enumerate().map(|(horizon, offset)| {
                let slopes = &slopes[horizon * inputs..][..inputs];
                let parts = slopes.iter().zip(input(at));
                offset + parts.map(|(slope, value)| slope * value).sum::<f64>()
            }));
        }
        let batch = Batch {
            predictions: &predictions,
            truth: &truth,
            last: &last,
            gaps: &self.gaps,
        };
        let mut errors = vec![0.0; predictions.len()];
        let loss = objective.evaluate(&batch, &mut errors);
        let mut gradient = vec![0.0; layer.len()];
        for (at, errors) in errors.chunks_exact(horizons.max(1)).enumerate() {
            for (horizon, error) in errors.iter().enumerate() {
                let slopes = &mut gradient[horizon * inputs..][..inputs];
                slopes
                    .iter_mut()
                    .zip(input(at))
                    .for_each(|(g, value)| *g += error * value);
                gradient[inputs * horizons + horizon] += error;
            }
        }
        (loss, gradient)
    }
}

/// Weights drawn at random from all runs, weight by weight.
struct Drawn {
    /// Where they stand among all weights, in order.
    places: Vec<usize>,
    features: Vec<f32>,
    targets: Vec<f32>,
    last: Vec<f32>,
}

impl Drawn {
    fn new(runs: &Runs, training: Training, context: &Context) -> Self {
        let all = runs.weights();
        let mut rng = context.rng("sample");
        let mut places = index::sample(&mut rng, all, training.adam.sample.min(all)).into_vec();
        places.sort_unstable();
        Self {
            places,
            features: Vec::new(),
            targets: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Which of `count` weights from `start` on are held out, counted from 0.
    fn held_out(&self, start: usize, count: usize) -> Vec<usize> {
        let first = self.places.partition_point(|place| *place < start);
        let drawn = self.places.iter().enumerate().skip(first);
        let here = drawn.take_while(|(_, place)| **place < start + count);
        let held_out = here.filter(|(at, _)| is_held_out(*at));
        held_out.map(|(_, place)| place - start).collect()
    }

    fn take(&mut self, start: usize, features: &[&[f32]], targets: &[&[f32]], last: &[f32]) {
        let here = self.places.partition_point(|place| *place < start)
            ..self
                .places
                .partition_point(|place| *place < start + last.len());
        for place in &self.places[here] {
            let at = place - start;
            self.features.extend(features.iter().map(|row| row[at]));
            self.targets.extend(targets.iter().map(|row| row[at]));
            self.last.push(last[at]);
        }
    }

    /// The root of the mean square of the targets.
    fn size(&self) -> f64 {
        let squares = self.targets.iter().map(|value| f64::from(*value).powi(2));
        let size = (squares.sum::<f64>() / self.targets.len().max(1) as f64).sqrt();
        if size > 0.0 { size } else { 1.0 }
    }
}

#[cfg(test)]
mod tests;
