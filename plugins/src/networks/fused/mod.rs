//! Fast gradients of one multilayer perceptron at a time: one fused pass forward and backward.
//! Many small ones go [`abreast`](super::abreast).
//!
//! A batch is cut into tiles of [`TILE`] rows. Activations are kept feature by feature with
//! the rows of the tile side by side in vector lanes, so forward and backward are sums of
//! `weight * lanes`. The gradient of a weight is a sum over rows: of a narrow layer it is the
//! sum of the lanes of `delta * input`; for a wide one the inputs are also kept row by row, and
//! the gradients of several weights lie side by side. Nothing is allocated after construction.
//!
//! The pass is compiled for several instruction sets and the best one the machine has is
//! taken. Machines that differ in this may give results that differ in the last bits; on one
//! machine they are always the same.

mod products;
mod tile;

use pulp::{Arch, Simd, WithSimd};

use products::{Affine, PassBack, in_blocks, sum_biases, sum_narrow, sum_wide};
use tile::{ByRow, GROUP, Rows, TILE, columns_from_rows, rows_from_columns};

use super::activation::activate;
use super::lanes::{Lanes, exp};
use super::{Activation, Differentiate, Layers, Loss, Samples};

/// The gradients of one network after another of the same shape; see the module.
pub struct Fused {
    activation: Activation,
    loss: Loss,
    layers: Vec<FusedLayer>,
    /// In parameter order.
    gradients: Vec<f32>,
    arch: Arch,
}

/// An affine map and what a pass keeps of it.
struct FusedLayer {
    /// Where its weights start among all.
    start: usize,
    /// Width of the input.
    width: usize,
    /// Inputs for each row of the tile, `[width]`, and zeros up to a multiple of four.
    inputs: Vec<Rows>,
    /// The inputs again, row by row, for each group of features; empty for a narrow layer.
    by_row: Vec<ByRow>,
    /// Outputs, then the derivatives of the activation by them, then those of the loss, `[out]`.
    outputs: Vec<Rows>,
}

/// Layers with no more inputs or outputs than this are narrow.
const NARROW: usize = 4;

impl FusedLayer {
    fn new(start: usize, width: usize, out: usize) -> Self {
        let narrow = width.min(out) <= NARROW;
        let groups = if narrow { 0 } else { width.div_ceil(GROUP) };
        Self {
            start,
            width,
            inputs: vec![Rows::ZERO; width.next_multiple_of(4)],
            by_row: vec![[Lanes::ZERO; TILE]; groups],
            outputs: vec![Rows::ZERO; out],
        }
    }

    /// Its weights and biases, of all.
    fn weights<'w>(&self, all: &'w [f32]) -> (&'w [f32], &'w [f32]) {
        let out = self.outputs.len();
        all[self.start..][..out * self.width + out].split_at(out * self.width)
    }

    /// Adds to the gradients, of all, those by its weights and biases.
    #[inline(always)]
    fn sum_gradients<S: Simd>(&self, simd: S, all: &mut [f32]) {
        let (out, width) = (self.outputs.len(), self.width);
        let (weight, bias) = all[self.start..][..out * width + out].split_at_mut(out * width);
        if self.by_row.is_empty() {
            sum_narrow(simd, &self.inputs, &self.outputs, weight);
        } else {
            sum_wide(simd, &self.by_row, &self.outputs, weight);
        }
        sum_biases(simd, &self.outputs, bias);
    }
}

impl Fused {
    /// Gradients of networks of this shape, by these instructions.
    pub fn new(shape: &Layers, loss: Loss, arch: Arch) -> Self {
        let mut weights = 0;
        let layers = shape
            .widths
            .windows(2)
            .map(|pair| {
                let layer = FusedLayer::new(weights, pair[0], pair[1]);
                weights += (pair[0] + 1) * pair[1];
                layer
            })
            .collect();
        Self {
            activation: shape.activation,
            loss,
            layers,
            gradients: vec![0.0; weights],
            arch,
        }
    }
}

impl Differentiate for Fused {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        let loss = self.arch.dispatch(FusedPass {
            activation: self.activation,
            loss: self.loss,
            layers: &mut self.layers,
            gradients: &mut self.gradients,
            weights,
            batch,
        });
        (loss, &self.gradients)
    }
}

/// One pass forward and backward over a batch.
struct FusedPass<'a> {
    activation: Activation,
    loss: Loss,
    layers: &'a mut [FusedLayer],
    gradients: &'a mut [f32],
    weights: &'a [f32],
    batch: &'a Samples,
}

impl WithSimd for FusedPass<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> f64 {
        self.gradients.fill(0.0);
        let mut loss = 0.0;
        for start in (0..self.batch.rows).step_by(TILE) {
            self.load(simd, start);
            self.forward(simd);
            loss += self.derive_loss(simd, start);
            self.backward(simd);
        }
        loss
    }
}

impl FusedPass<'_> {
    /// Fills the first layer with the rows from `start`; missing ones are zero.
    #[inline(always)]
    fn load<S: Simd>(&mut self, simd: S, start: usize) {
        let Some(layer) = self.layers.first_mut() else {
            return;
        };
        let width = layer.width;
        let rows = TILE.min(self.batch.rows - start);
        if rows < TILE {
            layer.inputs.fill(Rows::ZERO);
            layer.by_row.fill([Lanes::ZERO; TILE]);
        }
        let inputs = self.batch.inputs[start * width..][..rows * width].chunks_exact(width);
        if layer.by_row.is_empty() || S::F32_LANES < 4 {
            for (feature, input) in layer.inputs[..width].iter_mut().enumerate() {
                for (lane, values) in input.0.iter_mut().zip(inputs.clone()) {
                    *lane = values[feature];
                }
            }
        }
        for (group, by_row) in layer.by_row.iter_mut().enumerate() {
            for (features, values) in by_row.iter_mut().zip(inputs.clone()) {
                let values = &values[group * GROUP..];
                for (at, register) in features.registers_mut::<S>().iter_mut().enumerate() {
                    let start = values.len().min(at * S::F32_LANES);
                    *register = simd.partial_load_f32s(&values[start..]);
                }
            }
        }
        if S::F32_LANES >= 4 {
            columns_from_rows(simd, &layer.by_row, &mut layer.inputs);
        }
    }

    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S) {
        for at in 0..self.layers.len() {
            let (before, after) = self.layers.split_at_mut(at + 1);
            let layer = &mut before[at];
            let (weight, bias) = layer.weights(self.weights);
            let affine = Affine {
                inputs: &layer.inputs[..layer.width],
                weight,
                bias,
                outputs: &mut layer.outputs,
            };
            in_blocks(simd, bias.len(), affine);
            if let Some(next) = after.first_mut() {
                for (output, input) in layer.outputs.iter_mut().zip(&mut next.inputs) {
                    activate(simd, self.activation, output, input);
                }
                rows_from_columns(simd, &next.inputs, &mut next.by_row);
            }
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S) {
        for at in (0..self.layers.len()).rev() {
            let (before, after) = self.layers.split_at_mut(at);
            let layer = &mut after[0];
            layer.sum_gradients(simd, self.gradients);
            if let Some(previous) = before.last_mut() {
                let pass_back = PassBack {
                    outputs: &layer.outputs,
                    weight: layer.weights(self.weights).0,
                    deltas: &mut previous.outputs,
                };
                in_blocks(simd, layer.width, pass_back);
            }
        }
    }

    /// Turns the last outputs into derivatives of the mean loss; returns the tile's part of it.
    #[inline(always)]
    fn derive_loss<S: Simd>(&mut self, simd: S, start: usize) -> f64 {
        let Some(layer) = self.layers.last_mut() else {
            return 0.0;
        };
        let batch = self.batch;
        let rows = TILE.min(batch.rows - start);
        let mut counts = Lanes([1.0; TILE]);
        if !batch.weights.is_empty() {
            counts.0[..rows].copy_from_slice(&batch.weights[start..][..rows]);
        }
        match self.loss {
            Loss::Mse => {
                let width = layer.outputs.len();
                let targets = &batch.targets[start * width..][..rows * width];
                let truth = Truth {
                    targets,
                    counts,
                    all: batch.rows * width,
                };
                squared_error(simd, &mut layer.outputs, truth)
            }
            Loss::CrossEntropy => {
                let truth = Truth {
                    targets: &batch.targets[start..][..rows],
                    counts,
                    all: batch.rows,
                };
                cross_entropy(simd, &mut layer.outputs, truth)
            }
        }
    }
}

/// What the outputs of a tile should be.
struct Truth<'a> {
    /// Targets or classes of its rows.
    targets: &'a [f32],
    /// How much each row counts.
    counts: Rows,
    /// Over how many numbers, or rows of classes, the mean of the loss is.
    all: usize,
}

/// The tile's part of the mean squared error, and its derivatives.
#[inline(always)]
fn squared_error<S: Simd>(simd: S, outputs: &mut [Rows], truth: Truth) -> f64 {
    let Truth {
        targets,
        counts,
        all,
    } = truth;
    let scale = simd.splat_f32s(2.0 / all as f32);
    let width = outputs.len();
    let mut loss = 0.0;
    for (column, output) in outputs.iter_mut().enumerate() {
        let mut truth = *output;
        for (lane, row) in truth.0.iter_mut().zip(targets.chunks_exact(width)) {
            *lane = row[column];
        }
        let mut squares = simd.splat_f32s(0.0);
        let truth = truth.registers::<S>().iter().zip(counts.registers::<S>());
        for (output, (truth, count)) in output.registers_mut::<S>().iter_mut().zip(truth) {
            let error = simd.sub_f32s(*output, *truth);
            let counted = simd.mul_f32s(*count, error);
            squares = simd.mul_add_e_f32s(counted, error, squares);
            *output = simd.mul_f32s(scale, counted);
        }
        loss += f64::from(simd.reduce_sum_f32s(squares));
    }
    loss / all as f64
}

/// The tile's part of the mean cross-entropy, and its derivatives.
#[inline(always)]
fn cross_entropy<S: Simd>(simd: S, outputs: &mut [Rows], truth: Truth) -> f64 {
    let Truth {
        targets: classes,
        counts,
        all,
    } = truth;
    let mut largest = outputs[0];
    for output in &*outputs {
        let output = output.registers::<S>();
        for (largest, output) in largest.registers_mut::<S>().iter_mut().zip(output) {
            *largest = simd.max_f32s(*largest, *output);
        }
    }
    let mut loss = 0.0;
    for (row, class) in classes.iter().enumerate() {
        let above = outputs[*class as usize].0[row] - largest.0[row];
        loss -= f64::from(counts.0[row]) * f64::from(above);
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
    let sums = sums.0[..classes.len()].iter().zip(&counts.0);
    for (scale, (sum, count)) in scale.0.iter_mut().zip(sums) {
        loss += f64::from(*count) * f64::from(*sum).ln();
        *scale = count / (sum * all as f32);
    }
    for output in &mut *outputs {
        let scale = scale.registers::<S>();
        for (output, scale) in output.registers_mut::<S>().iter_mut().zip(scale) {
            *output = simd.mul_f32s(*output, *scale);
        }
    }
    for (row, class) in classes.iter().enumerate() {
        outputs[*class as usize].0[row] -= counts.0[row] / all as f32;
    }
    loss / all as f64
}

#[cfg(test)]
mod tests;
