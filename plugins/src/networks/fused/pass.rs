//! One pass forward and backward over some rows of a batch, tile by tile.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::front::{FrontEnd, InputRows};
use super::layer::FusedLayer;
use super::products::{Affine, Onto, PassBack, in_blocks};
use super::tile::{Rows, TILE, rows_from_columns};
use crate::networks::activation::activate;
use crate::networks::lanes::{Lanes, exp};
use crate::networks::{Activation, Loss, Samples};

/// What a pass over a tile works in.
#[derive(Clone)]
pub(super) struct Scratch<F> {
    pub front: F,
    pub layers: Vec<FusedLayer>,
}

/// What comes of some rows of a batch.
#[derive(Default)]
pub(super) struct FusedPart {
    pub rows: Range<usize>,
    pub loss: f64,
    pub gradients: Vec<f32>,
}

/// One pass forward and backward over some rows of a batch.
pub(super) struct FusedPass<'a, F> {
    pub activation: Activation,
    pub loss: Loss,
    pub scratch: &'a mut Scratch<F>,
    pub part: &'a mut FusedPart,
    pub weights: &'a [f32],
    pub batch: &'a Samples,
}

impl<F: FrontEnd> WithSimd for FusedPass<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.part.gradients.fill(0.0);
        self.part.loss = 0.0;
        for start in self.part.rows.clone().step_by(TILE) {
            self.load(simd, start);
            self.forward(simd);
            self.part.loss += self.derive_loss(simd, start);
            self.backward(simd);
        }
    }
}

impl<F: FrontEnd> FusedPass<'_, F> {
    /// Fills the first layer with what the front makes of the rows from `start`.
    #[inline(always)]
    fn load<S: Simd>(&mut self, simd: S, start: usize) {
        let Some(layer) = self.scratch.layers.first_mut() else {
            return;
        };
        let width = self.batch.inputs.len() / self.batch.rows;
        let rows = InputRows {
            count: TILE.min(self.batch.rows - start),
            width,
            inputs: &self.batch.inputs[start * width..],
        };
        self.scratch.front.forward(simd, self.weights, rows, layer);
    }

    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S) {
        for at in 0..self.scratch.layers.len() {
            let (before, after) = self.scratch.layers.split_at_mut(at + 1);
            let layer = &mut before[at];
            let (weight, bias) = layer.weights(self.weights);
            let affine = Affine::<true> {
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
        for at in (0..self.scratch.layers.len()).rev() {
            let (before, after) = self.scratch.layers.split_at_mut(at);
            let layer = &mut after[0];
            layer.sum_gradients(simd, &mut self.part.gradients);
            let deltas = match before.last_mut() {
                Some(previous) => &mut previous.outputs,
                None => self.scratch.front.slopes(),
            };
            let pass_back = PassBack {
                outputs: &layer.outputs,
                weight: layer.weights(self.weights).0,
                deltas,
                onto: Onto::Slopes,
            };
            in_blocks(simd, pass_back.deltas.len(), pass_back);
        }
        self.scratch
            .front
            .backward(simd, self.weights, &mut self.part.gradients);
    }

    /// Turns the last outputs into derivatives of the mean loss; returns the tile's part of it.
    #[inline(always)]
    fn derive_loss<S: Simd>(&mut self, simd: S, start: usize) -> f64 {
        let Some(layer) = self.scratch.layers.last_mut() else {
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
