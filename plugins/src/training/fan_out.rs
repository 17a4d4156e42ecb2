//! The fast trainer of small multilayer perceptrons: one fused pass forward, backward and
//! update, for thousands of short fine-tunes from one parent.
//!
//! A batch is cut into tiles of [`TILE`] rows. Activations are kept feature by feature with
//! the rows of the tile side by side in vector lanes, so forward and backward are sums of
//! `weight * lanes`; weight gradients are sums over rows of `delta * lanes`, for which inputs
//! are also kept row by row. Nothing is allocated after construction.
//!
//! The pass is compiled twice, for AVX2 with FMA and for any machine. Machines that differ in this may give results that
//! differ in the last bits; on one machine they are always the same.

use super::lanes::{Lanes, exp, fused, tanh};
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
    instructions: Instructions,
}

/// The vector instructions a pass is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Any,
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
            instructions: Instructions::best(),
        }
    }

    /// Makes the optimiser forget, for the next network.
    pub fn restart(&mut self) {
        self.state.reset();
    }

    /// The gradient of the mean loss of the batch by the weights, in parameter order.
    pub fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        let mut weights = weights.to_vec();
        let loss = self.dispatch(&mut weights, batch, None);
        (loss, &self.gradients)
    }

    fn dispatch(&mut self, weights: &mut [f32], batch: &Samples, share: Option<f64>) -> f64 {
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Instructions::best` found these features on this machine.
            Instructions::Avx2 => unsafe { pass_avx2(self, weights, batch, share) },
            // Where fused multiply-adds are no instruction they are a slow function.
            Instructions::Any if cfg!(target_arch = "aarch64") => {
                self.pass::<true, 2, 4>(weights, batch, share)
            }
            Instructions::Any => self.pass::<false, 1, 2>(weights, batch, share),
        }
    }
}

impl Trainer for FanOut<'_> {
    fn step(&mut self, weights: &mut [f32], batch: &Samples, share: f64) -> f64 {
        self.dispatch(weights, batch, Some(share))
    }
}

impl Instructions {
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Instructions::Avx2;
            }
        }
        Instructions::Any
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn pass_avx2(
    trainer: &mut FanOut,
    weights: &mut [f32],
    batch: &Samples,
    share: Option<f64>,
) -> f64 {
    trainer.pass::<true, 2, 4>(weights, batch, share)
}

/// The pass itself, inlined into the functions above. `R` sums over rows and `S` sums over
/// features are held in registers at a time.
impl FanOut<'_> {
    #[inline(always)]
    fn pass<const FUSED: bool, const R: usize, const S: usize>(
        &mut self,
        weights: &mut [f32],
        batch: &Samples,
        share: Option<f64>,
    ) -> f64 {
        for layer in &mut self.layers {
            layer.weight_gradients.fill(Features::ZERO);
            layer.bias_gradients.fill(0.0);
        }
        let mut loss = 0.0;
        for start in (0..batch.rows).step_by(TILE) {
            self.load(batch, start);
            self.forward::<FUSED, R>(weights);
            loss += self.derive_loss::<FUSED>(batch, start);
            self.backward::<FUSED, R, S>(weights);
        }
        self.collect_gradients();
        if let Some(share) = share {
            self.optimizer
                .update(&mut self.state, weights, &self.gradients, share);
        }
        loss
    }

    /// Fills the first layer with the rows from `start`; missing ones are zero.
    #[inline(always)]
    fn load(&mut self, batch: &Samples, start: usize) {
        let Some(layer) = self.layers.first_mut() else {
            return;
        };
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
    fn forward<const FUSED: bool, const R: usize>(&mut self, weights: &[f32]) {
        for at in 0..self.layers.len() {
            let (before, after) = self.layers.split_at_mut(at + 1);
            let layer = &mut before[at];
            affine::<FUSED, R>(layer, weights);
            if let Some(next) = after.first_mut() {
                activate::<FUSED>(self.network.activation, &layer.outputs, next);
                transpose(next);
            }
        }
    }

    #[inline(always)]
    fn backward<const FUSED: bool, const R: usize, const S: usize>(&mut self, weights: &[f32]) {
        for at in (0..self.layers.len()).rev() {
            let (before, after) = self.layers.split_at_mut(at);
            let layer = &mut after[0];
            sum_gradients::<FUSED, S>(layer);
            if let Some(previous) = before.last_mut() {
                pass_back::<FUSED, R>(layer, weights, &mut previous.outputs);
            }
        }
    }

    /// Turns the last outputs into derivatives of the mean loss; gives the tile's part of it.
    #[inline(always)]
    fn derive_loss<const FUSED: bool>(&mut self, batch: &Samples, start: usize) -> f64 {
        let Some(layer) = self.layers.last_mut() else {
            return 0.0;
        };
        let rows = TILE.min(batch.rows - start);
        match self.network.loss {
            Loss::Mse => {
                let width = layer.outputs.len();
                let targets = &batch.targets[start * width..][..rows * width];
                squared_error(&mut layer.outputs, targets, batch.rows * width)
            }
            Loss::CrossEntropy => {
                let classes = &batch.targets[start..][..rows];
                cross_entropy::<FUSED>(&mut layer.outputs, classes, batch.rows)
            }
        }
    }

    #[inline(always)]
    fn collect_gradients(&mut self) {
        for layer in &self.layers {
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

/// `outputs = weight · inputs + bias`, `R` outputs at a time.
#[inline(always)]
fn affine<const FUSED: bool, const R: usize>(layer: &mut Layer, weights: &[f32]) {
    let (weight, bias) = layer.weights(weights);
    let whole = layer.outputs.len() / R * R;
    for out in (0..whole).step_by(R) {
        affine_block::<FUSED, R>(layer, weight, bias, out);
    }
    for out in whole..layer.outputs.len() {
        affine_block::<FUSED, 1>(layer, weight, bias, out);
    }
}

#[inline(always)]
fn affine_block<const FUSED: bool, const R: usize>(
    layer: &mut Layer,
    weight: &[f32],
    bias: &[f32],
    out: usize,
) {
    let inputs = &layer.inputs[..layer.width];
    let rows: [&[f32]; R] =
        std::array::from_fn(|r| &weight[(out + r) * layer.width..][..inputs.len()]);
    let mut sums: [Rows; R] = std::array::from_fn(|r| Rows::splat(bias[out + r]));
    for (at, input) in inputs.iter().enumerate() {
        for (sum, row) in sums.iter_mut().zip(&rows) {
            *sum = sum.plus::<FUSED>(row[at], input);
        }
    }
    layer.outputs[out..out + R].copy_from_slice(&sums);
}

/// The inputs of the next layer and the derivatives of the activation.
#[inline(always)]
fn activate<const FUSED: bool>(activation: Activation, outputs: &[Rows], next: &mut Layer) {
    match activation {
        Activation::Tanh => apply(outputs, next, |x| {
            let value = tanh::<FUSED>(x);
            (value, 1.0 - value * value)
        }),
        Activation::Relu => apply(outputs, next, |x| {
            // A NaN stays one, so that the loss shows it.
            let value = if x < 0.0 { 0.0 } else { x };
            (value, if x > 0.0 { 1.0 } else { 0.0 })
        }),
        Activation::Sigmoid => apply(outputs, next, |x| {
            let value = fused::<FUSED>(0.5, tanh::<FUSED>(0.5 * x), 0.5);
            (value, value * (1.0 - value))
        }),
        Activation::Gelu => apply(outputs, next, |x| {
            let square = x * x;
            let inner = GELU_SCALE * x * fused::<FUSED>(GELU_CUBIC, square, 1.0);
            let bend = tanh::<FUSED>(inner);
            let half = fused::<FUSED>(0.5, bend, 0.5);
            let inner_slope = GELU_SCALE * fused::<FUSED>(3.0 * GELU_CUBIC, square, 1.0);
            let slope = fused::<FUSED>(0.5 * x * (1.0 - bend * bend), inner_slope, half);
            (x * half, slope)
        }),
    }
}

#[inline(always)]
fn apply(outputs: &[Rows], next: &mut Layer, f: impl Fn(f32) -> (f32, f32)) {
    let inputs = next.inputs.iter_mut().zip(&mut next.slopes);
    for (output, (input, slope)) in outputs.iter().zip(inputs) {
        for lane in 0..TILE {
            let (value, derivative) = f(output.0[lane]);
            input.0[lane] = value;
            slope.0[lane] = derivative;
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

/// `gradient += Σ_row delta · input`, `S` outputs at a time.
#[inline(always)]
fn sum_gradients<const FUSED: bool, const S: usize>(layer: &mut Layer) {
    let whole = layer.outputs.len() / S * S;
    for out in (0..whole).step_by(S) {
        gradient_block::<FUSED, S>(layer, out);
    }
    for out in whole..layer.outputs.len() {
        gradient_block::<FUSED, 1>(layer, out);
    }
}

#[inline(always)]
fn gradient_block<const FUSED: bool, const S: usize>(layer: &mut Layer, out: usize) {
    let groups = layer.width.div_ceil(GROUP);
    let deltas = &layer.outputs[out..out + S];
    for group in 0..groups {
        let mut sums: [Features; S] =
            std::array::from_fn(|s| layer.weight_gradients[(out + s) * groups + group]);
        for (row, features) in layer.by_row.chunks_exact(groups).enumerate().take(TILE) {
            for (sum, delta) in sums.iter_mut().zip(deltas) {
                *sum = sum.plus::<FUSED>(delta.0[row], &features[group]);
            }
        }
        for (s, sum) in sums.into_iter().enumerate() {
            layer.weight_gradients[(out + s) * groups + group] = sum;
        }
    }
    for (gradient, delta) in layer.bias_gradients[out..].iter_mut().zip(deltas) {
        *gradient += delta.sum();
    }
}

/// `deltas = (weightᵀ · outputs) slope`, `R` inputs at a time.
#[inline(always)]
fn pass_back<const FUSED: bool, const R: usize>(
    layer: &Layer,
    weights: &[f32],
    deltas: &mut [Rows],
) {
    let (weight, _) = layer.weights(weights);
    let whole = layer.width / R * R;
    for input in (0..whole).step_by(R) {
        pass_back_block::<FUSED, R>(layer, weight, deltas, input);
    }
    for input in whole..layer.width {
        pass_back_block::<FUSED, 1>(layer, weight, deltas, input);
    }
}

#[inline(always)]
fn pass_back_block<const FUSED: bool, const R: usize>(
    layer: &Layer,
    weight: &[f32],
    deltas: &mut [Rows],
    input: usize,
) {
    let mut sums = [Rows::ZERO; R];
    for (row, output) in weight.chunks_exact(layer.width).zip(&layer.outputs) {
        let factors = &row[input..input + R];
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum = sum.plus::<FUSED>(*factor, output);
        }
    }
    let slopes = &layer.slopes[input..input + R];
    for ((delta, sum), slope) in deltas[input..input + R].iter_mut().zip(sums).zip(slopes) {
        *delta = sum.zip(slope, |sum, slope| sum * slope);
    }
}

/// The tile's part of the mean squared error over `count` numbers, and its derivatives.
#[inline(always)]
fn squared_error(outputs: &mut [Rows], targets: &[f32], count: usize) -> f64 {
    let scale = 2.0 / count as f32;
    let width = outputs.len();
    let mut loss = 0.0;
    for (column, output) in outputs.iter_mut().enumerate() {
        let mut truth = *output;
        for (lane, row) in truth.0.iter_mut().zip(targets.chunks_exact(width)) {
            *lane = row[column];
        }
        let error = output.zip(&truth, |output, target| output - target);
        loss += f64::from(error.map(|error| error * error).sum());
        *output = error.map(|error| scale * error);
    }
    loss / count as f64
}

/// The tile's part of the mean cross-entropy over `count` rows, and its derivatives.
#[inline(always)]
fn cross_entropy<const FUSED: bool>(outputs: &mut [Rows], classes: &[f32], count: usize) -> f64 {
    let mut largest = Rows::splat(f32::NEG_INFINITY);
    for output in &*outputs {
        largest = largest.zip(output, f32::max);
    }
    let mut sums = Rows::ZERO;
    let mut loss = 0.0;
    for (row, class) in classes.iter().enumerate() {
        loss -= f64::from(outputs[*class as usize].0[row] - largest.0[row]);
    }
    for output in &mut *outputs {
        *output = output.zip(&largest, |logit, largest| exp::<FUSED>(logit - largest));
        sums = sums.zip(output, |sum, value| sum + value);
    }
    loss += sums.0[..classes.len()]
        .iter()
        .map(|sum| f64::from(*sum).ln())
        .sum::<f64>();
    let mut scale = sums.map(|sum| 1.0 / (sum * count as f32));
    scale.0[classes.len()..].fill(0.0);
    for output in &mut *outputs {
        *output = output.zip(&scale, |value, scale| value * scale);
    }
    for (row, class) in classes.iter().enumerate() {
        outputs[*class as usize].0[row] -= 1.0 / count as f32;
    }
    loss / count as f64
}

#[cfg(test)]
#[path = "fan_out_tests.rs"]
mod tests;
