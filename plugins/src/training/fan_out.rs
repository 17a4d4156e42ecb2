//! The fast trainer of small multilayer perceptrons: one fused pass forward, backward and
//! update, for thousands of short fine-tunes from one parent.
//!
//! A batch is cut into tiles of [`TILE`] rows. Activations are kept feature by feature with
//! the rows of the tile side by side in vector lanes, so forward and backward are sums of
//! `weight * lanes`; weight gradients are sums over rows of `delta * lanes`, for which inputs
//! are also kept row by row. Nothing is allocated after construction.
//!
//! The pass is compiled for several instruction sets and the best one the machine has is
//! taken. Machines that differ in this may give results that differ in the last bits; on one
//! machine they are always the same.

use pulp::{Arch, Simd, WithSimd};

use super::lanes::{Lanes, at_least, exp, tanh};
use super::{Optimizer, OptimizerState, Samples, Trainer};
use crate::parents::{Activation, GELU_CUBIC, GELU_SCALE, Loss, Network};

/// Rows of a batch treated together.
const TILE: usize = 32;
/// Features side by side where rows are kept one by one.
const GROUP: usize = 16;

/// One value for each row of a tile.
type Rows = Lanes<TILE>;
/// One value for each of some features.
type Features = Lanes<GROUP>;

/// Trains one network after another of the same shape; see the module.
pub struct FanOut<'a> {
    network: &'a Network,
    optimizer: &'a Optimizer,
    state: OptimizerState,
    layers: Vec<Layer>,
    /// In parameter order.
    gradients: Vec<f32>,
    arch: Arch,
}

/// An affine map and what a pass keeps of it.
struct Layer {
    /// Where its weights start among all.
    start: usize,
    /// Width of the input.
    width: usize,
    /// Inputs for each row of the tile, `[width]`.
    inputs: Vec<Rows>,
    /// Derivative of the activation that made the inputs, `[width]`.
    slopes: Vec<Rows>,
    /// The inputs again, row by row, `[TILE, groups]`.
    by_row: Vec<Features>,
    /// Outputs on the way forward, derivatives of the loss by them on the way back, `[out]`.
    outputs: Vec<Rows>,
    /// Derivative of the loss by the weights, `[out, groups]`.
    weight_gradients: Vec<Features>,
    /// Derivative of the loss by the biases, `[out]`.
    bias_gradients: Vec<f32>,
}

impl Layer {
    fn new(start: usize, width: usize, out: usize) -> Self {
        let groups = width.div_ceil(GROUP);
        Self {
            start,
            width,
            inputs: vec![Rows::ZERO; width],
            slopes: vec![Rows::ZERO; width],
            by_row: vec![Features::ZERO; TILE * groups],
            outputs: vec![Rows::ZERO; out],
            weight_gradients: vec![Features::ZERO; out * groups],
            bias_gradients: vec![0.0; out],
        }
    }

    fn weights<'w>(&self, all: &'w [f32]) -> (&'w [f32], &'w [f32]) {
        let out = self.outputs.len();
        all[self.start..][..out * self.width + out].split_at(out * self.width)
    }
}

impl<'a> FanOut<'a> {
    /// A trainer of networks of this shape, its optimiser fresh.
    pub fn new(network: &'a Network, optimizer: &'a Optimizer) -> Self {
        let mut weights = 0;
        let layers = network
            .widths
            .windows(2)
            .map(|pair| {
                let layer = Layer::new(weights, pair[0], pair[1]);
                weights += (pair[0] + 1) * pair[1];
                layer
            })
            .collect();
        Self {
            network,
            optimizer,
            state: OptimizerState::new(weights),
            layers,
            gradients: vec![0.0; weights],
            arch: Arch::new(),
        }
    }

    /// The mean loss of the batch and its gradient by the weights, in parameter order.
    pub fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        let loss = self.arch.dispatch(Pass {
            network: self.network,
            layers: &mut self.layers,
            gradients: &mut self.gradients,
            weights,
            batch,
        });
        (loss, &self.gradients)
    }
}

impl Trainer for FanOut<'_> {
    fn step(&mut self, weights: &mut [f32], batch: &Samples, share: f64) -> f64 {
        let (loss, _) = self.gradient(weights, batch);
        self.arch.dispatch(|| {
            self.optimizer
                .update(&mut self.state, weights, &self.gradients, share);
        });
        loss
    }

    fn restart(&mut self) {
        self.state.reset();
    }
}

/// One pass forward and backward over a batch.
struct Pass<'a> {
    network: &'a Network,
    layers: &'a mut [Layer],
    gradients: &'a mut [f32],
    weights: &'a [f32],
    batch: &'a Samples,
}

impl WithSimd for Pass<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> f64 {
        for layer in &mut *self.layers {
            layer.weight_gradients.fill(Features::ZERO);
            layer.bias_gradients.fill(0.0);
        }
        let mut loss = 0.0;
        for start in (0..self.batch.rows).step_by(TILE) {
            self.load(start);
            self.forward(simd);
            loss += self.derive_loss(simd, start);
            self.backward(simd);
        }
        self.collect_gradients();
        loss
    }
}

impl Pass<'_> {
    /// Fills the first layer with the rows from `start`; missing ones are zero.
    #[inline(always)]
    fn load(&mut self, start: usize) {
        let Some(layer) = self.layers.first_mut() else {
            return;
        };
        let batch = self.batch;
        let width = layer.width;
        let rows = TILE.min(batch.rows - start);
        if rows < TILE {
            layer.inputs.fill(Rows::ZERO);
            layer.by_row.fill(Features::ZERO);
        }
        let groups = width.div_ceil(GROUP);
        let inputs = &batch.inputs[start * width..][..rows * width];
        for (row, (values, by_row)) in inputs
            .chunks_exact(width)
            .zip(layer.by_row.chunks_exact_mut(groups))
            .enumerate()
        {
            for (value, input) in values.iter().zip(&mut layer.inputs) {
                input.0[row] = *value;
            }
            for (values, features) in values.chunks(GROUP).zip(by_row) {
                features.0[..values.len()].copy_from_slice(values);
            }
        }
    }

    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S) {
        for at in 0..self.layers.len() {
            let (before, after) = self.layers.split_at_mut(at + 1);
            let layer = &mut before[at];
            affine(simd, layer, self.weights);
            if let Some(next) = after.first_mut() {
                activate(simd, self.network.activation, &layer.outputs, next);
                transpose(next);
            }
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S) {
        for at in (0..self.layers.len()).rev() {
            let (before, after) = self.layers.split_at_mut(at);
            let layer = &mut after[0];
            sum_gradients(simd, layer);
            if let Some(previous) = before.last_mut() {
                pass_back(simd, layer, self.weights, &mut previous.outputs);
            }
        }
    }

    /// Turns the last outputs into derivatives of the mean loss; gives the tile's part of it.
    #[inline(always)]
    fn derive_loss<S: Simd>(&mut self, simd: S, start: usize) -> f64 {
        let Some(layer) = self.layers.last_mut() else {
            return 0.0;
        };
        let batch = self.batch;
        let rows = TILE.min(batch.rows - start);
        match self.network.loss {
            Loss::Mse => {
                let width = layer.outputs.len();
                let targets = &batch.targets[start * width..][..rows * width];
                squared_error(simd, &mut layer.outputs, targets, batch.rows * width)
            }
            Loss::CrossEntropy => {
                let classes = &batch.targets[start..][..rows];
                cross_entropy(simd, &mut layer.outputs, classes, batch.rows)
            }
        }
    }

    #[inline(always)]
    fn collect_gradients(&mut self) {
        for layer in &*self.layers {
            let (width, out) = (layer.width, layer.outputs.len());
            let groups = width.div_ceil(GROUP);
            let (weights, biases) =
                self.gradients[layer.start..][..out * width + out].split_at_mut(out * width);
            for (row, features) in weights
                .chunks_exact_mut(width)
                .zip(layer.weight_gradients.chunks_exact(groups))
            {
                for (part, features) in row.chunks_mut(GROUP).zip(features) {
                    part.copy_from_slice(&features.0[..part.len()]);
                }
            }
            biases.copy_from_slice(&layer.bias_gradients);
        }
    }
}

/// Sums held in registers at a time: `R` rows of `C` registers.
type Sums<S, const R: usize, const C: usize> = [[<S as Simd>::f32s; C]; R];

/// `sums[r] += factors[r] * values`.
#[inline(always)]
fn add_products<S: Simd, const R: usize, const C: usize>(
    simd: S,
    sums: &mut Sums<S, R, C>,
    factors: [f32; R],
    values: &[S::f32s],
) {
    for (sums, factor) in sums.iter_mut().zip(factors) {
        let factor = simd.splat_f32s(factor);
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = simd.mul_add_e_f32s(factor, *value, *sum);
        }
    }
}

/// `outputs = weight · inputs + bias`, four outputs at a time.
#[inline(always)]
fn affine<S: Simd>(simd: S, layer: &mut Layer, weights: &[f32]) {
    let (weight, bias) = layer.weights(weights);
    let whole = layer.outputs.len() / 4 * 4;
    for out in (0..whole).step_by(4) {
        affine_block::<S, 4>(simd, layer, weight, bias, out);
    }
    for out in whole..layer.outputs.len() {
        affine_block::<S, 1>(simd, layer, weight, bias, out);
    }
}

#[inline(always)]
fn affine_block<S: Simd, const R: usize>(
    simd: S,
    layer: &mut Layer,
    weight: &[f32],
    bias: &[f32],
    out: usize,
) {
    let inputs = &layer.inputs[..layer.width];
    let mut rows = [weight; R];
    let mut start: Sums<S, R, 2> = [[simd.splat_f32s(0.0); 2]; R];
    for r in 0..R {
        rows[r] = &weight[(out + r) * layer.width..][..inputs.len()];
        start[r] = [simd.splat_f32s(bias[out + r]); 2];
    }
    for column in (0..TILE / S::F32_LANES).step_by(2) {
        let mut sums = start;
        for (at, input) in inputs.iter().enumerate() {
            let values = &input.registers::<S>()[column..column + 2];
            add_products(simd, &mut sums, rows.map(|row| row[at]), values);
        }
        for (output, sums) in layer.outputs[out..out + R].iter_mut().zip(sums) {
            output.registers_mut::<S>()[column..column + 2].copy_from_slice(&sums);
        }
    }
}

/// The inputs of the next layer and the derivatives of the activation.
#[inline(always)]
fn activate<S: Simd>(simd: S, activation: Activation, outputs: &[Rows], next: &mut Layer) {
    let [zero, half, one] = [0.0, 0.5, 1.0].map(|value| simd.splat_f32s(value));
    match activation {
        Activation::Tanh => apply::<S>(
            outputs,
            next,
            #[inline(always)]
            |x| {
                let value = tanh(simd, x);
                (value, simd.negate_mul_add_e_f32s(value, value, one))
            },
        ),
        Activation::Relu => apply::<S>(
            outputs,
            next,
            #[inline(always)]
            |x| {
                let active = simd.greater_than_f32s(x, zero);
                (at_least(simd, 0.0, x), simd.select_f32s(active, one, zero))
            },
        ),
        Activation::Sigmoid => apply::<S>(
            outputs,
            next,
            #[inline(always)]
            |x| {
                let bend = tanh(simd, simd.mul_f32s(half, x));
                let value = simd.mul_add_e_f32s(half, bend, half);
                (value, simd.negate_mul_add_e_f32s(value, value, value))
            },
        ),
        Activation::Gelu => apply::<S>(
            outputs,
            next,
            #[inline(always)]
            |x| gelu(simd, x),
        ),
    }
}

/// GELU in its tanh form and its derivative.
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let [half, one] = [0.5, 1.0].map(|value| simd.splat_f32s(value));
    let scale = simd.splat_f32s(GELU_SCALE);
    let cubic = |factor| simd.splat_f32s(factor * GELU_CUBIC);
    let square = simd.mul_f32s(x, x);
    let inner = simd.mul_add_e_f32s(cubic(1.0), square, one);
    let bend = tanh(simd, simd.mul_f32s(simd.mul_f32s(scale, x), inner));
    let share = simd.mul_add_e_f32s(half, bend, half);
    let inner_slope = simd.mul_f32s(scale, simd.mul_add_e_f32s(cubic(3.0), square, one));
    let bend_slope = simd.negate_mul_add_e_f32s(bend, bend, one);
    let half_x = simd.mul_f32s(half, x);
    let slope = simd.mul_add_e_f32s(simd.mul_f32s(half_x, bend_slope), inner_slope, share);
    (simd.mul_f32s(x, share), slope)
}

#[inline(always)]
fn apply<S: Simd>(outputs: &[Rows], next: &mut Layer, f: impl Fn(S::f32s) -> (S::f32s, S::f32s)) {
    let inputs = next.inputs.iter_mut().zip(&mut next.slopes);
    for (output, (input, slope)) in outputs.iter().zip(inputs) {
        let inputs = input.registers_mut::<S>().iter_mut();
        let slopes = slope.registers_mut::<S>();
        for ((output, input), slope) in output.registers::<S>().iter().zip(inputs).zip(slopes) {
            (*input, *slope) = f(*output);
        }
    }
}

/// Keeps the inputs row by row too.
#[inline(always)]
fn transpose(layer: &mut Layer) {
    let groups = layer.width.div_ceil(GROUP);
    for (group, inputs) in layer.inputs.chunks(GROUP).enumerate() {
        for row in 0..TILE {
            let features = &mut layer.by_row[row * groups + group];
            for (feature, input) in features.0.iter_mut().zip(inputs) {
                *feature = input.0[row];
            }
        }
    }
}

/// `gradient += Σ_row delta · input`.
#[inline(always)]
fn sum_gradients<S: Simd>(simd: S, layer: &mut Layer) {
    // As many sums as hide the latency of an addition, whatever the width of a register.
    if S::F32_LANES == GROUP {
        sum_gradients_by::<S, 8, 1>(simd, layer);
    } else {
        sum_gradients_by::<S, 4, 2>(simd, layer);
    }
}

#[inline(always)]
fn sum_gradients_by<S: Simd, const R: usize, const C: usize>(simd: S, layer: &mut Layer) {
    let whole = layer.outputs.len() / R * R;
    for out in (0..whole).step_by(R) {
        gradient_block::<S, R, C>(simd, layer, out);
    }
    for out in whole..layer.outputs.len() {
        gradient_block::<S, 1, C>(simd, layer, out);
    }
    for (gradient, delta) in layer.bias_gradients.iter_mut().zip(&layer.outputs) {
        *gradient += delta.sum(simd);
    }
}

#[inline(always)]
fn gradient_block<S: Simd, const R: usize, const C: usize>(simd: S, layer: &mut Layer, out: usize) {
    let groups = layer.width.div_ceil(GROUP);
    let deltas = &layer.outputs[out..out + R];
    for group in 0..groups {
        for column in (0..GROUP / S::F32_LANES).step_by(C) {
            let mut sums: Sums<S, R, C> = [[simd.splat_f32s(0.0); C]; R];
            let rows = layer.by_row.chunks_exact(groups).take(TILE);
            for (row, features) in rows.enumerate() {
                let values = &features[group].registers::<S>()[column..column + C];
                let mut factors = [0.0; R];
                for r in 0..R {
                    factors[r] = deltas[r].0[row];
                }
                add_products(simd, &mut sums, factors, values);
            }
            for (r, sums) in sums.into_iter().enumerate() {
                let gradient = &mut layer.weight_gradients[(out + r) * groups + group];
                let gradient = &mut gradient.registers_mut::<S>()[column..column + C];
                for (gradient, sum) in gradient.iter_mut().zip(sums) {
                    *gradient = simd.add_f32s(*gradient, sum);
                }
            }
        }
    }
}

/// `deltas = (weightᵀ · outputs) slope`, four inputs at a time.
#[inline(always)]
fn pass_back<S: Simd>(simd: S, layer: &Layer, weights: &[f32], deltas: &mut [Rows]) {
    let (weight, _) = layer.weights(weights);
    let whole = layer.width / 4 * 4;
    for input in (0..whole).step_by(4) {
        pass_back_block::<S, 4>(simd, layer, weight, deltas, input);
    }
    for input in whole..layer.width {
        pass_back_block::<S, 1>(simd, layer, weight, deltas, input);
    }
}

#[inline(always)]
fn pass_back_block<S: Simd, const R: usize>(
    simd: S,
    layer: &Layer,
    weight: &[f32],
    deltas: &mut [Rows],
    input: usize,
) {
    for column in (0..TILE / S::F32_LANES).step_by(2) {
        let mut sums: Sums<S, R, 2> = [[simd.splat_f32s(0.0); 2]; R];
        for (row, output) in weight.chunks_exact(layer.width).zip(&layer.outputs) {
            let values = &output.registers::<S>()[column..column + 2];
            let mut factors = [0.0; R];
            factors.copy_from_slice(&row[input..input + R]);
            add_products(simd, &mut sums, factors, values);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let slopes = &layer.slopes[input + r].registers::<S>()[column..column + 2];
            let deltas = &mut deltas[input + r].registers_mut::<S>()[column..column + 2];
            for ((delta, sum), slope) in deltas.iter_mut().zip(sums).zip(slopes) {
                *delta = simd.mul_f32s(sum, *slope);
            }
        }
    }
}

/// The tile's part of the mean squared error over `count` numbers, and its derivatives.
#[inline(always)]
fn squared_error<S: Simd>(simd: S, outputs: &mut [Rows], targets: &[f32], count: usize) -> f64 {
    let scale = simd.splat_f32s(2.0 / count as f32);
    let width = outputs.len();
    let mut loss = 0.0;
    for (column, output) in outputs.iter_mut().enumerate() {
        let mut truth = *output;
        for (lane, row) in truth.0.iter_mut().zip(targets.chunks_exact(width)) {
            *lane = row[column];
        }
        let mut squares = simd.splat_f32s(0.0);
        let truth = truth.registers::<S>();
        for (output, truth) in output.registers_mut::<S>().iter_mut().zip(truth) {
            let error = simd.sub_f32s(*output, *truth);
            squares = simd.mul_add_e_f32s(error, error, squares);
            *output = simd.mul_f32s(scale, error);
        }
        loss += f64::from(simd.reduce_sum_f32s(squares));
    }
    loss / count as f64
}

/// The tile's part of the mean cross-entropy over `count` rows, and its derivatives.
#[inline(always)]
fn cross_entropy<S: Simd>(simd: S, outputs: &mut [Rows], classes: &[f32], count: usize) -> f64 {
    let mut largest = outputs[0];
    for output in &*outputs {
        let output = output.registers::<S>();
        for (largest, output) in largest.registers_mut::<S>().iter_mut().zip(output) {
            *largest = simd.max_f32s(*largest, *output);
        }
    }
    let mut loss = 0.0;
    for (row, class) in classes.iter().enumerate() {
        loss -= f64::from(outputs[*class as usize].0[row] - largest.0[row]);
    }
    let mut sums = Rows::ZERO;
    for output in &mut *outputs {
        let largest = largest.registers::<S>();
        let sums = sums.registers_mut::<S>();
        let outputs = output.registers_mut::<S>().iter_mut();
        for ((output, largest), sum) in outputs.zip(largest).zip(sums) {
            *output = exp(simd, simd.sub_f32s(*output, *largest));
            *sum = simd.add_f32s(*sum, *output);
        }
    }
    // Rows that are missing have no part in the gradient.
    let mut scale = Rows::ZERO;
    for (scale, sum) in scale.0.iter_mut().zip(&sums.0[..classes.len()]) {
        loss += f64::from(*sum).ln();
        *scale = 1.0 / (sum * count as f32);
    }
    for output in &mut *outputs {
        let scale = scale.registers::<S>();
        for (output, scale) in output.registers_mut::<S>().iter_mut().zip(scale) {
            *output = simd.mul_f32s(*output, *scale);
        }
    }
    for (row, class) in classes.iter().enumerate() {
        outputs[*class as usize].0[row] -= 1.0 / count as f32;
    }
    loss / count as f64
}

#[cfg(test)]
#[path = "fan_out_tests.rs"]
mod tests;
