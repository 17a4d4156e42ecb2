//! Dense layers in double precision, with all that passes through them: inputs of layers,
//! gradients by the sums of units, products of the Hessian with vectors (Pearlmutter 1994).
//!
//! It serves where a network is looked into, once; training has the fused kernel.

use faer::Mat;

use super::{Activation, Layers, Loss, Samples};

/// The dense layers of a network with one row of weights.
pub(crate) struct Precise<'a> {
    layers: &'a Layers,
    loss: Loss,
    /// For each layer the weights `[outputs, inputs]` and the biases.
    matrices: Vec<Matrix>,
}

/// The weights of a layer, `[outputs, inputs]`, and its biases.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub weight: Mat<f64>,
    pub bias: Vec<f64>,
}

/// What passes through layers forward, `[rows, numbers]`.
pub(crate) struct Passed {
    /// What each layer takes.
    pub inputs: Vec<Mat<f64>>,
    /// What each gives before the activation.
    pub sums: Vec<Mat<f64>>,
}

/// The loss, and how it changes.
pub(crate) struct Slope {
    pub loss: f64,
    /// By the weights, in parameter order.
    pub gradient: Vec<f64>,
    /// By the sums of each layer's units, `[rows, outputs]`.
    pub by_sums: Vec<Mat<f64>>,
}

/// The matrices of layers of these widths from weights in parameter order.
pub(crate) fn matrices(widths: &[usize], weights: &[f64]) -> Vec<Matrix> {
    let mut rest = weights;
    let pairs = widths.windows(2).map(|pair| {
        let (inputs, outputs) = (pair[0], pair[1]);
        let (weight, after) = rest.split_at(inputs * outputs);
        let (bias, after) = after.split_at(outputs);
        rest = after;
        Matrix {
            weight: Mat::from_fn(outputs, inputs, |row, column| weight[row * inputs + column]),
            bias: bias.to_vec(),
        }
    });
    pairs.collect()
}

/// Weights in parameter order.
fn flat(matrices: &[Matrix]) -> Vec<f64> {
    let mut weights = Vec::new();
    for Matrix { weight, bias } in matrices {
        for row in 0..weight.nrows() {
            weights.extend((0..weight.ncols()).map(|column| weight[(row, column)]));
        }
        weights.extend(bias);
    }
    weights
}

/// A table of rows as a matrix.
pub(crate) fn table(numbers: &[f32], rows: usize) -> Mat<f64> {
    let width = numbers.len() / rows.max(1);
    Mat::from_fn(rows, width, |row, column| {
        f64::from(numbers[row * width + column])
    })
}

/// What each layer but the first takes of rows of inputs.
pub(crate) fn hidden(layers: &Layers, weights: &[f32], inputs: Mat<f64>) -> Vec<Mat<f64>> {
    let weights: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
    // What the loss is plays no part forward.
    let mut taken = Precise::new(layers, Loss::Mse, &weights)
        .pass(inputs)
        .inputs;
    taken.remove(0);
    taken
}

impl Matrix {
    /// What the layer makes of rows.
    pub fn of(&self, inputs: &Mat<f64>) -> Mat<f64> {
        let mut sums = inputs * self.weight.transpose();
        for column in 0..sums.ncols() {
            for row in 0..sums.nrows() {
                sums[(row, column)] += self.bias[column];
            }
        }
        sums
    }
}

impl<'a> Precise<'a> {
    /// Layers with weights in parameter order.
    pub fn new(layers: &'a Layers, loss: Loss, weights: &[f64]) -> Self {
        Self {
            layers,
            loss,
            matrices: matrices(&layers.widths, weights),
        }
    }

    /// Runs rows of inputs forward.
    pub fn pass(&self, inputs: Mat<f64>) -> Passed {
        let mut passed = Passed {
            inputs: vec![inputs],
            sums: Vec::new(),
        };
        for (at, layer) in self.matrices.iter().enumerate() {
            let sums = layer.of(&passed.inputs[at]);
            if at + 1 < self.matrices.len() {
                passed.inputs.push(self.activated(&sums));
            }
            passed.sums.push(sums);
        }
        passed
    }

    /// The activations of sums.
    pub fn activated(&self, sums: &Mat<f64>) -> Mat<f64> {
        let activation = self.layers.activation;
        Mat::from_fn(sums.nrows(), sums.ncols(), |row, column| {
            curve(activation, sums[(row, column)])[0]
        })
    }

    /// The mean loss and its gradient.
    pub fn slope(&self, samples: &Samples) -> Slope {
        self.slope_at(table(&samples.inputs, samples.rows), &samples.targets)
    }

    fn slope_at(&self, inputs: Mat<f64>, targets: &[f32]) -> Slope {
        let passed = self.pass(inputs);
        let (loss, by_outputs) = self.by_outputs(&passed, targets);
        let mut gradients = Vec::new();
        let mut by_sums = vec![by_outputs];
        for at in (0..self.matrices.len()).rev() {
            let by = &by_sums[by_sums.len() - 1];
            gradients.push(Matrix {
                weight: by.transpose() * &passed.inputs[at],
                bias: columns(by),
            });
            if at > 0 {
                let mut before = by * &self.matrices[at].weight;
                self.through(&mut before, &passed.sums[at - 1], 1);
                by_sums.push(before);
            }
        }
        gradients.reverse();
        by_sums.reverse();
        Slope {
            loss,
            gradient: flat(&gradients),
            by_sums,
        }
    }

    /// Multiplies by a derivative of the activation at the sums.
    fn through(&self, numbers: &mut Mat<f64>, sums: &Mat<f64>, order: usize) {
        for column in 0..numbers.ncols() {
            for row in 0..numbers.nrows() {
                numbers[(row, column)] *= curve(self.layers.activation, sums[(row, column)])[order];
            }
        }
    }

    /// The mean loss and its gradient by the outputs.
    fn by_outputs(&self, passed: &Passed, targets: &[f32]) -> (f64, Mat<f64>) {
        let outputs = &passed.sums[passed.sums.len() - 1];
        let (rows, width) = (outputs.nrows(), outputs.ncols());
        match self.loss {
            Loss::Mse => {
                let count = (rows * width) as f64;
                let error = |row: usize, column: usize| {
                    outputs[(row, column)] - f64::from(targets[row * width + column])
                };
                let by = Mat::from_fn(rows, width, |row, column| 2.0 * error(row, column) / count);
                let places = (0..rows).flat_map(|row| (0..width).map(move |at| (row, at)));
                let squares = places.map(|(row, column)| error(row, column).powi(2));
                (squares.sum::<f64>() / count, by)
            }
            Loss::CrossEntropy => {
                let mut by = softmax(outputs);
                let mut loss = 0.0;
                for row in 0..rows {
                    let class = targets[row] as usize;
                    loss -= log_share(outputs, row, class);
                    by[(row, class)] -= 1.0;
                    for column in 0..width {
                        by[(row, column)] /= rows as f64;
                    }
                }
                (loss / rows as f64, by)
            }
        }
    }

    /// The Hessian of the mean loss times a vector in parameter order.
    pub fn hessian_times(&self, samples: &Samples, vector: &[f64]) -> Vec<f64> {
        let inputs = table(&samples.inputs, samples.rows);
        self.product_at(inputs, &samples.targets, vector)
    }

    fn product_at(&self, inputs: Mat<f64>, targets: &[f32], vector: &[f64]) -> Vec<f64> {
        let passed = self.pass(inputs);
        let moves = matrices(&self.layers.widths, vector);
        // How inputs and sums change as the weights move along the vector.
        let first = &passed.inputs[0];
        let mut moved_inputs = vec![Mat::zeros(first.nrows(), first.ncols())];
        let mut moved_sums = Vec::new();
        for (at, (layer, along)) in self.matrices.iter().zip(&moves).enumerate() {
            let sums = along.of(&passed.inputs[at]) + &moved_inputs[at] * layer.weight.transpose();
            if at + 1 < self.matrices.len() {
                let mut inputs = sums.clone();
                self.through(&mut inputs, &passed.sums[at], 1);
                moved_inputs.push(inputs);
            }
            moved_sums.push(sums);
        }
        let (_, mut by) = self.by_outputs(&passed, targets);
        let mut moved_by = self.moved_by_outputs(&passed, &moved_sums);
        let mut products = Vec::new();
        for at in (0..self.matrices.len()).rev() {
            products.push(Matrix {
                weight: moved_by.transpose() * &passed.inputs[at]
                    + by.transpose() * &moved_inputs[at],
                bias: columns(&moved_by),
            });
            if at > 0 {
                let weight = &self.matrices[at].weight;
                let sums = &passed.sums[at - 1];
                let mut before = &moved_by * weight + &by * &moves[at].weight;
                self.through(&mut before, sums, 1);
                let mut bent = &by * weight;
                let mut curved = bent.clone();
                self.through(&mut curved, sums, 2);
                for column in 0..curved.ncols() {
                    for row in 0..curved.nrows() {
                        before[(row, column)] +=
                            curved[(row, column)] * moved_sums[at - 1][(row, column)];
                    }
                }
                self.through(&mut bent, sums, 1);
                (by, moved_by) = (bent, before);
            }
        }
        products.reverse();
        flat(&products)
    }

    /// How the gradient by the outputs changes as these do.
    fn moved_by_outputs(&self, passed: &Passed, moved_sums: &[Mat<f64>]) -> Mat<f64> {
        let last = passed.sums.len() - 1;
        let (outputs, moved) = (&passed.sums[last], &moved_sums[last]);
        let (rows, width) = (outputs.nrows(), outputs.ncols());
        match self.loss {
            Loss::Mse => {
                let factor = 2.0 / (rows * width) as f64;
                Mat::from_fn(rows, width, |row, column| factor * moved[(row, column)])
            }
            Loss::CrossEntropy => {
                let shares = softmax(outputs);
                let mean = |row: usize| -> f64 {
                    (0..width)
                        .map(|at| shares[(row, at)] * moved[(row, at)])
                        .sum()
                };
                let means: Vec<f64> = (0..rows).map(mean).collect();
                Mat::from_fn(rows, width, |row, column| {
                    shares[(row, column)] * (moved[(row, column)] - means[row]) / rows as f64
                })
            }
        }
    }
}

/// The sums of columns.
fn columns(matrix: &Mat<f64>) -> Vec<f64> {
    let sum = |column| (0..matrix.nrows()).map(|row| matrix[(row, column)]).sum();
    (0..matrix.ncols()).map(sum).collect()
}

fn largest(logits: &Mat<f64>, row: usize) -> f64 {
    let all = (0..logits.ncols()).map(|column| logits[(row, column)]);
    all.fold(f64::NEG_INFINITY, f64::max)
}

/// The probabilities of classes, row by row.
fn softmax(logits: &Mat<f64>) -> Mat<f64> {
    let mut shares = logits.clone();
    for row in 0..logits.nrows() {
        let top = largest(logits, row);
        let mut sum = 0.0;
        for column in 0..logits.ncols() {
            shares[(row, column)] = (logits[(row, column)] - top).exp();
            sum += shares[(row, column)];
        }
        for column in 0..logits.ncols() {
            shares[(row, column)] /= sum;
        }
    }
    shares
}

/// The logarithm of the probability of a class.
fn log_share(logits: &Mat<f64>, row: usize, class: usize) -> f64 {
    let top = largest(logits, row);
    let sum: f64 = (0..logits.ncols())
        .map(|column| (logits[(row, column)] - top).exp())
        .sum();
    logits[(row, class)] - top - sum.ln()
}

/// An activation with its first and second derivative.
fn curve(activation: Activation, x: f64) -> [f64; 3] {
    match activation {
        Activation::Tanh => {
            let t = x.tanh();
            let slope = 1.0 - t * t;
            [t, slope, -2.0 * t * slope]
        }
        Activation::Relu if x > 0.0 => [x, 1.0, 0.0],
        Activation::Relu => [if x.is_nan() { x } else { 0.0 }, 0.0, 0.0],
        Activation::Sigmoid => {
            let s = 1.0 / (1.0 + (-x).exp());
            let slope = s * (1.0 - s);
            [s, slope, slope * (1.0 - 2.0 * s)]
        }
        Activation::Silu => {
            let s = 1.0 / (1.0 + (-x).exp());
            let slope = s * (1.0 - s);
            let curved = slope * (1.0 - 2.0 * s);
            [x * s, s + x * slope, 2.0 * slope + x * curved]
        }
        Activation::Gelu => {
            let (share, density) = (normal(x), density(x));
            [x * share, share + x * density, density * (2.0 - x * x)]
        }
        Activation::GeluTanh => {
            const CUBIC: f64 = 0.044_715;
            let scale = (2.0 / std::f64::consts::PI).sqrt();
            let t = (scale * (x + CUBIC * x.powi(3))).tanh();
            let bend = scale * (1.0 + 3.0 * CUBIC * x * x);
            let slope = (1.0 - t * t) * bend;
            let curved = (1.0 - t * t) * scale * 6.0 * CUBIC * x - 2.0 * t * slope * bend;
            [
                0.5 * x * (1.0 + t),
                0.5 * (1.0 + t) + 0.5 * x * slope,
                slope + 0.5 * x * curved,
            ]
        }
    }
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// The cumulative normal distribution.
fn normal(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let size = x.abs();
    // Beyond 40 it is nothing in double precision.
    let tail = match size {
        40.0.. => 0.0,
        // A continued fraction from its far end (Abramowitz and Stegun 26.2.14).
        2.0.. => {
            let fraction = (1..=120)
                .rev()
                .fold(size, |rest, at| size + f64::from(at) / rest);
            density(size) / fraction
        }
        // 26.2.11: all terms are positive.
        _ => {
            let (mut term, mut sum) = (size, size);
            for at in 1..200 {
                term *= size * size / f64::from(2 * at + 1);
                sum += term;
            }
            0.5 - density(size) * sum
        }
    };
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::networks::testing::{dense, draw};
    use crate::networks::{Model, TrainerChoice};

    #[derive(Deserialize)]
    struct Curvature {
        network: Vec<(Vec<Vec<f64>>, Vec<f64>)>,
        x: Vec<Vec<f64>>,
        y: Vec<f32>,
        loss: f64,
        gradient: Vec<f64>,
        hessian_times: Vec<f64>,
        hvp: Vec<f64>,
        trace: f64,
        awp_weights: Vec<f64>,
        awp_loss: f64,
    }

    fn apart(found: &[f64], expected: &[f64]) -> f64 {
        assert_eq!(found.len(), expected.len());
        let size = expected.iter().fold(0.0_f64, |size, it| size.max(it.abs()));
        let pairs = found.iter().zip(expected);
        pairs.fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs())) / size
    }

    #[test]
    fn losses_gradients_and_products_are_those_of_the_golden_file() {
        let text = include_str!("../../testdata/golden/weightspace/curvature.json");
        let golden: Curvature = serde_json::from_str(text).expect("figures");
        let net = golden.network.iter();
        let weights: Vec<f64> = net
            .flat_map(|(weight, bias)| [weight.concat(), bias.clone()].concat())
            .collect();
        let layers = Layers {
            widths: vec![2, 3, 2],
            activation: Activation::Tanh,
        };
        let x = Mat::from_fn(8, 2, |row, column| golden.x[row][column]);
        let at = |weights: &[f64]| Precise::new(&layers, Loss::CrossEntropy, weights);
        let here = at(&weights);
        let product = |vector: &[f64]| here.product_at(x.clone(), &golden.y, vector);
        let slope = here.slope_at(x.clone(), &golden.y);
        assert!((slope.loss / golden.loss - 1.0).abs() < 1e-12);
        assert!(apart(&slope.gradient, &golden.gradient) < 1e-12);
        assert!(apart(&product(&golden.hessian_times), &golden.hvp) < 1e-9);
        let unit = |at: usize| {
            let mut unit = vec![0.0; weights.len()];
            unit[at] = 1.0;
            unit
        };
        let trace: f64 = (0..weights.len()).map(|at| product(&unit(at))[at]).sum();
        assert!((trace / golden.trace - 1.0).abs() < 1e-9);
        let worst = at(&golden.awp_weights).slope_at(x.clone(), &golden.y).loss;
        assert!((worst / golden.awp_loss - 1.0).abs() < 1e-12);
    }

    #[test]
    fn gradients_are_those_of_the_kernel_and_products_their_differences() {
        for activation in [
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::Silu,
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Relu,
        ] {
            for loss in [Loss::Mse, Loss::CrossEntropy] {
                let network = dense(&[3, 5, 4, 2], activation, loss);
                let (weights, samples) = draw(&network, 9, 4);
                let doubles: Vec<f64> = weights.iter().map(|it| f64::from(*it)).collect();
                let at = |weights: &[f64]| {
                    Precise::new(&network.layers, loss, weights)
                        .slope(&samples)
                        .gradient
                };
                let mut kernel = network.differentiate(TrainerChoice::Auto);
                let (_, found) = kernel.gradient(&weights, &samples);
                let found: Vec<f64> = found.iter().map(|it| f64::from(*it)).collect();
                assert!(apart(&found, &at(&doubles)) < 1e-5, "{activation:?}");
                let vector: Vec<f64> = (0..weights.len()).map(|i| (i as f64).sin()).collect();
                let moved = |by: f64| -> Vec<f64> {
                    let pairs = doubles.iter().zip(&vector);
                    at(&pairs.map(|(w, v)| w + by * v).collect::<Vec<_>>())
                };
                let (up, down) = (moved(1e-5), moved(-1e-5));
                let expected: Vec<f64> =
                    up.iter().zip(&down).map(|(a, b)| (a - b) / 2e-5).collect();
                let precise = Precise::new(&network.layers, loss, &doubles);
                let found = precise.hessian_times(&samples, &vector);
                assert!(apart(&found, &expected) < 1e-7, "{activation:?} {loss:?}");
            }
        }
    }

    #[test]
    fn the_normal_distribution_has_its_published_values() {
        // Python: 0.5 * math.erfc(-x / math.sqrt(2)).
        for (x, value) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.999, 0.022804176932658883),
            (-2.5, 0.006_209_665_325_776_139),
            (-4.999, 2.881_420_141_464_143_4e-7),
            (-8.0, 6.220_960_574_271_819e-16),
        ] {
            assert!(
                (normal(x) - value).abs() <= 1e-11 * value,
                "{x} {}",
                normal(x)
            );
        }
    }
}
