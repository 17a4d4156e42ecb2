//! `joint(net, seen, z)`: weights linear in predictors, fitted to all rows at once.

use std::cmp::Ordering;

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::{Formula, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use faer::{Mat, Side};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::support::shared::times;
use super::{Basis, Form, Regression};
use crate::calls::complaints;
use crate::networks::{Differentiate, Loss, Network, Samples, TrainerChoice};
use crate::parents::{Parent, not_runnable};
use crate::predictors::{Fitted, PredictorRows, Predictors};
use crate::row_weights::{constant_weight, not_by_program, row_weights};
use crate::training::{Optimizer, OptimizerState, Schedule};

plugin! {
    /// Weights that are linear in the predictors, fitted to all rows at once.
    ///
    /// `W(z) = W_0 + A + Σ_p z_p B_p`, `W_0` the parent, makes the parent's own loss on the rows
    /// small, plus `anchor · |A|² + penalty · Σ_p |B_p|²`: ridges towards the parent.
    /// Predictors are those of each row, on the scale of the rows (mean 0, standard deviation
    /// 1). It is our own variant of the conditional update: fine-tuning window by window and
    /// regressing afterwards weighs each weight's anomaly alike, whether the loss feels it or
    /// not, and loses what a window is too short to show; here the loss weighs them together.
    ///
    /// The rows need not be those of the parent: where few rows have the predictors, they are
    /// given here, and the parent keeps what the many have taught it. No fine-tuned weights stand
    /// behind it, so `nearest` and the `clip` of `apply` have nothing to take. It is fitted on all
    /// rows given and says nothing of its own skill: choose the penalties by `inner`.
    ///
    /// Networks whose outputs are linear in their weights, those without hidden layers, are
    /// fitted exactly: without penalties that is least squares with products of inputs and
    /// predictors. Others descend the gradient in minibatches, from the parent on; with `rank`
    /// each matrix of `B_p` is a product of two thin ones (as LoRA, Hu et al. 2021). A step takes
    /// a pass forward and back for each different value of the predictors in its minibatch.
    ///
    /// ```farcast
    /// regression bent = joint(net, seen, regime, steps: 50)
    /// child moved = apply(bent, unseen)
    /// ```
    "joint" version 6
    pub struct Joint {
        /// The network whose weights move.
        parent: Input<Parent>;
        /// The rows to learn from, with predictors and the truth.
        data: Input<Dataset>, with_truth(), not_in_stream();
        /// What moves the weights.
        predictors: Vec<Input<Predictors>>, variadic(), not_in_stream();
        /// How many columns the factors of each matrix of slopes have; all are free without it.
        rank: Option<usize>, range("1..=10000");
        /// How much slopes cost.
        penalty: f64 = "1e-4", range("0.."), not_in_stream();
        /// How much it costs to leave the parent.
        anchor: f64 = "1e-4", range("0.."), not_in_stream();
        /// How gradients move slopes.
        optimizer: Optimizer = "adam(rate: 1e-3)", not_in_stream();
        /// How the learning rate changes along training.
        schedule: Schedule = "cosine(to: 0.01)", not_in_stream();
        /// Steps of the descent.
        steps: u64 = "3000", range("1.."), not_in_stream();
        /// Rows of a minibatch.
        batch: usize = "64", range("1..=1000000"), not_in_stream();
        /// How much each row counts: a column, or a formula such as `area(lat)`.
        weights: Option<Formula>, not_in_stream();
    }
}

impl Plugin for Joint {
    type Output = Regression;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let none = call.inputs("predictors").is_empty();
        complaints([
            not_runnable(call, "parent"),
            not_by_program(call),
            constant_weight(call),
            none.then(|| Complaint::at("predictors", "expected at least one predictor")),
            times(call, "predictors", call.input("data")),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        call.inherited()
    }

    fn run(self, context: &Context) -> Result<Regression, Fault> {
        let network = self.parent.network()?;
        let (problem, form) = self.problem(network, context)?;
        let coefficients = match problem.solve()? {
            Some(exact) => exact,
            None => self.descend(&problem, context)?,
        };
        let start = problem.loss(&vec![0.0; coefficients.len()]);
        let end = problem.loss(&coefficients);
        if !end.is_finite() {
            return Err(Fault::Diverged(
                "the fitted weights are not finite".to_owned(),
            ));
        }
        context.note(format!(
            "the loss on the {} rows falls from {start:.4} to {end:.4}",
            problem.samples.rows
        ));
        Ok(Regression {
            form,
            layout: network.layout(),
            coefficients: coefficients.into_iter().map(|c| c as f32).collect(),
        })
    }
}

impl Joint {
    /// The rows that have all they need, and the form of what is fitted to them.
    fn problem<'a>(
        &'a self,
        network: &'a Network,
        context: &Context,
    ) -> Result<(JointFit<'a>, Form), Fault> {
        let recipes = self.predictors.iter().map(|recipe| recipe.fit(&self.data));
        let recipes = recipes.collect::<Result<Vec<Fitted>, Fault>>()?;
        let known = PredictorRows::of(&recipes, &self.data)?;
        let samples = network.samples(&self.data)?;
        let width = |values: &[f32]| values.len() / samples.rows.max(1);
        let (inputs, targets) = (width(&samples.inputs), width(&samples.targets));
        let is_complete = |row: &u32| {
            let row = *row as usize;
            let numbers = samples.inputs[row * inputs..][..inputs].iter();
            let numbers = numbers.chain(&samples.targets[row * targets..][..targets]);
            numbers.copied().all(f32::is_finite) && known.row(row).iter().all(|z| z.is_finite())
        };
        let all = 0..samples.rows as u32;
        let rows: Vec<u32> = all.clone().filter(is_complete).collect();
        if rows.len() < all.len() {
            let missing = all.len() - rows.len();
            context.note(format!(
                "{missing} of {} rows lack an input, the truth or a predictor and were left out",
                all.len()
            ));
        }
        if rows.len() < 2 {
            let message = format!("expected at least 2 complete rows, found {}", rows.len());
            return Err(Fault::at("data", message));
        }
        let column = |at: usize| -> Vec<f64> {
            rows.iter()
                .map(|row| known.row(*row as usize)[at])
                .collect()
        };
        let columns: Vec<Vec<f64>> = (0..known.names.len()).map(column).collect();
        let weights = match &self.weights {
            Some(Formula(formula)) => row_weights(Some(formula), &self.data.take(&rows))?,
            None => None,
        };
        let weights = weights.as_deref();
        let scaling = columns.iter();
        let scaling = scaling.map(|values| mean_and_std(values, weights));
        let scaling: Vec<(f64, f64)> = scaling.collect();
        if let Some(flat) = scaling.iter().position(|(_, std)| *std == 0.0) {
            let message = format!("`{}` is the same in all rows", known.names[flat]);
            return Err(Fault::at("predictors", message));
        }
        let seen = columns.iter().map(|values| {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            (
                low,
                values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            )
        });
        let form = Form {
            predictors: recipes,
            names: known.names.clone(),
            seen: seen.collect(),
            basis: Basis::Polynomial(1),
            rows: rows.len(),
            // There are no anomalies to explain.
            explained: Vec::new(),
            pruned: Vec::new(),
            evidence: Default::default(),
            scaling,
        };
        let factors = rows.iter().flat_map(|row| {
            let standardised = form.standardised(known.row(*row as usize));
            std::iter::once(1.0).chain(standardised)
        });
        let problem = JointFit {
            factors: factors.map(|factor| factor as f32).collect(),
            sets: form.names.len() + 1,
            samples: samples.take(&rows).weighted(weights),
            network,
            parent: &self.parent.weights,
            anchor: self.anchor,
            penalty: self.penalty,
        };
        Ok((problem, form))
    }

    /// Coefficients by gradient descent from the parent on.
    fn descend(&self, problem: &JointFit, context: &Context) -> Result<Vec<f64>, Fault> {
        let shape = Shape {
            layout: problem.network.layout(),
            sets: problem.sets,
            rank: self.rank,
        };
        let mut slopes = shape.start(&mut context.rng("start"));
        let mut differentiate = problem.network.differentiate(TrainerChoice::Auto);
        differentiate.use_cores(context.cores());
        let mut state = OptimizerState::new(slopes.len());
        let mut order: Vec<usize> = (0..problem.samples.rows).collect();
        let mut rng = context.rng("batches");
        let mut next = order.len();
        for step in 0..self.steps {
            context.check_stop()?;
            if next + self.batch.min(order.len()) > order.len() {
                order.shuffle(&mut rng);
                next = 0;
            }
            let rows = &order[next..][..self.batch.min(order.len())];
            next += rows.len();
            let coefficients = shape.expand(&slopes);
            let (loss, gradient) = problem.gradient(&mut *differentiate, &coefficients, rows);
            if !loss.is_finite() {
                let message = format!("the loss is not finite at step {step}");
                return Err(Fault::Diverged(message));
            }
            let gradient = shape.contract(&slopes, &gradient);
            let share = self.schedule.share(step, self.steps);
            self.optimizer
                .update(&mut state, &mut slopes, &gradient, share);
            context.progress(step + 1, self.steps, Some(loss));
        }
        let coefficients = shape.expand(&slopes);
        Ok(coefficients.into_iter().map(f64::from).collect())
    }
}

fn mean_and_std(values: &[f64], weights: Option<&[f64]>) -> (f64, f64) {
    let scaled = crate::networks::Scaled::weighted("", values, weights);
    let is_flat = values.iter().all(|value| *value == values[0]);
    (scaled.mean, if is_flat { 0.0 } else { scaled.std })
}

/// What is made small.
struct JointFit<'a> {
    network: &'a Network,
    parent: &'a [f32],
    samples: Samples,
    /// One and the standardised predictors of each row, row after row.
    factors: Vec<f32>,
    /// How many factors a row has.
    sets: usize,
    anchor: f64,
    penalty: f64,
}

impl JointFit<'_> {
    /// One and the standardised predictors of a row.
    fn factors(&self, row: usize) -> &[f32] {
        &self.factors[row * self.sets..][..self.sets]
    }

    /// How the predictors of two rows are ordered.
    fn order(&self, one: u32, other: u32) -> Ordering {
        let [one, other] = [one, other].map(|row| self.factors(row as usize).iter());
        let differing = one.zip(other).map(|(one, other)| one.total_cmp(other));
        { differing }
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// What a coefficient of a set costs.
    fn cost(&self, set: usize) -> f64 {
        match set {
            0 => self.anchor,
            _ => self.penalty,
        }
    }

    /// The weights of the network of one row; coefficients are `[sets, weights]`.
    fn weights(&self, coefficients: &[f32], row: usize) -> Vec<f32> {
        let mut weights = self.parent.to_vec();
        for (factor, set) in self
            .factors(row)
            .iter()
            .zip(coefficients.chunks_exact(weights.len()))
        {
            let pairs = weights.iter_mut().zip(set);
            pairs.for_each(|(weight, slope)| *weight += factor * slope);
        }
        weights
    }

    /// The mean loss over all rows, without penalties.
    fn loss(&self, coefficients: &[f64]) -> f64 {
        let coefficients: Vec<f32> = coefficients.iter().map(|c| *c as f32).collect();
        let losses = (0..self.samples.rows).map(|row| {
            let weights = self.weights(&coefficients, row);
            self.network
                .loss_on(&self.samples.take(&[row as u32]), &weights)
        });
        losses.sum::<f64>() / self.samples.rows as f64
    }

    /// The mean loss of some rows with the penalties, and its gradient by the coefficients.
    fn gradient(
        &self,
        differentiate: &mut dyn Differentiate,
        coefficients: &[f32],
        rows: &[usize],
    ) -> (f64, Vec<f32>) {
        let width = self.parent.len();
        let mut sum = 0.0;
        let mut gradient = vec![0.0; coefficients.len()];
        // Rows with the same predictors have the same network.
        let mut rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        rows.sort_by(|one, other| self.order(*one, *other));
        for alike in rows.chunk_by(|one, other| self.order(*one, *other).is_eq()) {
            let weights = self.weights(coefficients, alike[0] as usize);
            let samples = self.samples.take(alike);
            let (loss, by_weights) = differentiate.gradient(&weights, &samples);
            sum += alike.len() as f64 * loss;
            let share = alike.len() as f32 / rows.len() as f32;
            for (factor, set) in self
                .factors(alike[0] as usize)
                .iter()
                .zip(gradient.chunks_exact_mut(width))
            {
                let pairs = set.iter_mut().zip(by_weights);
                pairs.for_each(|(sum, slope)| *sum += share * factor * slope);
            }
        }
        let mut loss = sum / rows.len() as f64;
        let sets = coefficients.chunks_exact(width).enumerate();
        for ((set, own), gradient) in sets.zip(gradient.chunks_exact_mut(width)) {
            let cost = self.cost(set);
            loss += cost * own.iter().map(|c| f64::from(*c).powi(2)).sum::<f64>();
            for (gradient, own) in gradient.iter_mut().zip(own) {
                *gradient += 2.0 * cost as f32 * own;
            }
        }
        (loss, gradient)
    }

    /// The exact minimum, where outputs are linear in the weights.
    fn solve(&self) -> Result<Option<Vec<f64>>, Fault> {
        let (width, rows) = (self.parent.len(), self.samples.rows);
        // Networks with more than a matrix and its bias are not; large ones take too long.
        let is_one = self.network.loss() == Loss::Mse && self.samples.targets.len() == rows;
        if !is_one || self.network.layout().tensors.len() > 2 || width * self.sets > LARGEST {
            return Ok(None);
        }
        let inputs = &self.samples.inputs;
        // What each weight alone adds to the output.
        let features: Vec<Vec<f32>> = (0..width)
            .map(|at| {
                let mut unit = vec![0.0; width];
                unit[at] = 1.0;
                self.network.evaluate(&unit, inputs, rows)
            })
            .collect();
        let before = self.network.evaluate(self.parent, inputs, rows);
        let is_sum = (0..rows).all(|row| {
            let parts = features.iter().zip(self.parent);
            let sum: f32 = parts.map(|(feature, weight)| feature[row] * weight).sum();
            (sum - before[row]).abs() <= 1e-3 * (1.0 + before[row].abs())
        });
        if !is_sum {
            return Ok(None);
        }
        let size = width * self.sets;
        let mut products = Mat::<f64>::zeros(size, size);
        let mut moments = Mat::<f64>::zeros(size, 1);
        let mut row = vec![0.0; size];
        for at in 0..rows {
            let factors = self.factors(at);
            for (place, value) in row.iter_mut().enumerate() {
                let feature = f64::from(features[place % width][at]);
                *value = f64::from(factors[place / width]) * feature;
            }
            let counts = self.samples.weights.get(at).copied();
            let share = counts.map_or(1.0, f64::from) / rows as f64;
            let residual = f64::from(self.samples.targets[at]) - f64::from(before[at]);
            for (first, value) in row.iter().enumerate() {
                moments[(first, 0)] += share * value * residual;
                for (second, other) in row.iter().enumerate().take(first + 1) {
                    products[(first, second)] += share * value * other;
                }
            }
        }
        for place in 0..size {
            products[(place, place)] += self.cost(place / width);
        }
        // Of what the rows do not tell apart the solution of least norm is taken.
        let eigen = products.self_adjoint_eigen(Side::Lower);
        let eigen =
            eigen.map_err(|_| Fault::user("the inputs and predictors have no covariance"))?;
        let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
        let largest = values.iter().copied().fold(0.0, f64::max);
        let mut coefficients = vec![0.0; size];
        for (mode, value) in values
            .iter()
            .enumerate()
            .filter(|(_, v)| **v > RANK * largest)
        {
            let direction = eigen.U().col(mode);
            let pairs = direction.iter().zip(moments.col(0).iter());
            let along: f64 = pairs.map(|(part, moment)| part * moment).sum::<f64>() / value;
            let pairs = coefficients.iter_mut().zip(direction.iter());
            pairs.for_each(|(coefficient, part)| *coefficient += along * part);
        }
        Ok(Some(coefficients))
    }
}

/// The exact fit solves for at most this many coefficients.
const LARGEST: usize = 2000;

/// Directions whose share of the variance is smaller are rounding of single precision.
const RANK: f64 = 1e-12;

/// How coefficients are made from what is trained: unchanged, or matrices as products of two.
struct Shape {
    layout: Layout,
    sets: usize,
    rank: Option<usize>,
}

/// Numbers that make one tensor of coefficients.
enum CoefficientBlock {
    /// They are it.
    Whole(usize),
    /// `[outputs, rank]`, then `[rank, inputs]`.
    Thin {
        outputs: usize,
        inputs: usize,
        rank: usize,
    },
}

impl CoefficientBlock {
    /// How many numbers are trained.
    fn trained(&self) -> usize {
        match *self {
            CoefficientBlock::Whole(count) => count,
            CoefficientBlock::Thin {
                outputs,
                inputs,
                rank,
            } => rank * (outputs + inputs),
        }
    }

    /// How many coefficients they make.
    fn made(&self) -> usize {
        match *self {
            CoefficientBlock::Whole(count) => count,
            CoefficientBlock::Thin {
                outputs, inputs, ..
            } => outputs * inputs,
        }
    }
}

impl Shape {
    /// The parts of all sets; the first has no slopes and is always whole.
    fn parts(&self) -> impl Iterator<Item = CoefficientBlock> {
        let sets = 0..self.sets;
        sets.flat_map(move |set| {
            let tensors = self.layout.tensors.iter();
            tensors.map(move |tensor| match (self.rank, &tensor.shape[..]) {
                (Some(rank), [outputs, inputs]) if set > 0 && rank < (*outputs).min(*inputs) => {
                    CoefficientBlock::Thin {
                        outputs: *outputs,
                        inputs: *inputs,
                        rank,
                    }
                }
                _ => CoefficientBlock::Whole(tensor.len()),
            })
        })
    }

    /// Numbers that make coefficients of zero: of two factors the first is random.
    fn start(&self, rng: &mut impl Rng) -> Vec<f32> {
        let mut start = Vec::new();
        for part in self.parts() {
            let first = match part {
                CoefficientBlock::Whole(_) => 0,
                CoefficientBlock::Thin { outputs, rank, .. } => outputs * rank,
            };
            start.extend((0..first).map(|_| rng.random_range(-1.0..1.0f32)));
            start.extend(std::iter::repeat_n(0.0, part.trained() - first));
        }
        start
    }

    /// The coefficients, `[sets, weights]`.
    fn expand(&self, trained: &[f32]) -> Vec<f32> {
        let mut rest = trained;
        let mut made = Vec::new();
        for part in self.parts() {
            let (own, after) = rest.split_at(part.trained());
            rest = after;
            match part {
                CoefficientBlock::Whole(_) => made.extend_from_slice(own),
                CoefficientBlock::Thin {
                    outputs,
                    inputs,
                    rank,
                } => {
                    let (left, right) = own.split_at(outputs * rank);
                    made.extend(left.chunks_exact(rank).flat_map(|left| {
                        (0..inputs).map(move |input| {
                            let pairs = left.iter().zip(right.iter().skip(input).step_by(inputs));
                            pairs.map(|(left, right)| left * right).sum::<f32>()
                        })
                    }));
                }
            }
        }
        made
    }

    /// The gradient by what is trained, from that by the coefficients.
    fn contract(&self, trained: &[f32], gradient: &[f32]) -> Vec<f32> {
        let (mut rest, mut slopes) = (trained, gradient);
        let mut contracted = Vec::with_capacity(trained.len());
        for part in self.parts() {
            let (own, after) = rest.split_at(part.trained());
            let (by, later) = slopes.split_at(part.made());
            (rest, slopes) = (after, later);
            match part {
                CoefficientBlock::Whole(_) => contracted.extend_from_slice(by),
                CoefficientBlock::Thin {
                    outputs,
                    inputs,
                    rank,
                } => {
                    let (left, right) = own.split_at(outputs * rank);
                    for by in by.chunks_exact(inputs) {
                        contracted.extend(right.chunks_exact(inputs).map(|right| {
                            right
                                .iter()
                                .zip(by)
                                .map(|(right, by)| right * by)
                                .sum::<f32>()
                        }));
                    }
                    for at in 0..rank {
                        let left = left.iter().skip(at).step_by(rank);
                        let mut sums = vec![0.0; inputs];
                        for (left, by) in left.zip(by.chunks_exact(inputs)) {
                            let pairs = sums.iter_mut().zip(by);
                            pairs.for_each(|(sum, by)| *sum += left * by);
                        }
                        contracted.extend(sums);
                    }
                }
            }
        }
        contracted
    }
}

#[cfg(test)]
mod tests;
