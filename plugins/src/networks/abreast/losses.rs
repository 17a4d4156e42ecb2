//! The loss of each network and its derivatives by the outputs.

use pulp::Simd;

use super::tile::{ABREAST, Rows, TILE, parts};
use crate::networks::Loss;
use crate::networks::lanes::{Lanes, exp};

/// What the outputs of a tile should be.
pub(super) struct LaneTruth<'a> {
    /// Targets, `[out]`, or classes.
    pub targets: &'a [Rows],
    /// How much each row counts.
    pub counts: &'a Rows,
    /// How many rows the batch of each network has.
    pub rows: usize,
}

/// Turns outputs into the derivatives of the mean loss; adds the tile's part of it to the losses.
#[inline(always)]
pub(super) fn derive<S: Simd>(
    simd: S,
    loss: Loss,
    outputs: &mut [Rows],
    truth: LaneTruth,
    losses: &mut [f64; ABREAST],
) {
    let (sums, all) = match loss {
        Loss::Mse => {
            let all = truth.rows * outputs.len();
            (squared_error(simd, outputs, &truth, all), all)
        }
        Loss::CrossEntropy => (cross_entropy(simd, outputs, &truth), truth.rows),
    };
    for (loss, sum) in losses.iter_mut().zip(sums) {
        *loss += sum / all as f64;
    }
}

/// Sums of squared errors; outputs become derivatives of the mean over `all` numbers.
#[inline(always)]
fn squared_error<S: Simd>(
    simd: S,
    outputs: &mut [Rows],
    truth: &LaneTruth,
    all: usize,
) -> [f64; ABREAST] {
    let scale = simd.splat_f32s(2.0 / all as f32);
    let mut squares = Lanes::<ABREAST>::ZERO;
    for (output, target) in outputs.iter_mut().zip(truth.targets) {
        let output = output.registers_mut::<S>().iter_mut();
        let truth = target
            .registers::<S>()
            .iter()
            .zip(truth.counts.registers::<S>());
        for (at, (output, (target, count))) in output.zip(truth).enumerate() {
            let error = simd.sub_f32s(*output, *target);
            let counted = simd.mul_f32s(*count, error);
            let square = &mut squares.registers_mut::<S>()[at % parts::<S>()];
            *square = simd.mul_add_e_f32s(counted, error, *square);
            *output = simd.mul_f32s(scale, counted);
        }
    }
    squares.0.map(f64::from)
}

/// Sums of cross-entropies; outputs become derivatives of their mean.
#[inline(always)]
fn cross_entropy<S: Simd>(simd: S, outputs: &mut [Rows], truth: &LaneTruth) -> [f64; ABREAST] {
    let (classes, counts) = (&truth.targets[0].0, &truth.counts.0);
    let mut largest = outputs[0];
    for output in &*outputs {
        let output = output.registers::<S>();
        for (largest, output) in largest.registers_mut::<S>().iter_mut().zip(output) {
            *largest = simd.max_f32s(*largest, *output);
        }
    }
    let mut losses = [0.0; ABREAST];
    for at in 0..TILE * ABREAST {
        let above = outputs[classes[at] as usize].0[at] - largest.0[at];
        losses[at % ABREAST] -= f64::from(counts[at]) * f64::from(above);
    }
    let mut sums = Rows::ZERO;
    for output in &mut *outputs {
        let outputs = output.registers_mut::<S>().iter_mut();
        let sums = sums.registers_mut::<S>().iter_mut();
        for ((output, largest), sum) in outputs.zip(largest.registers::<S>()).zip(sums) {
            *output = exp(simd, simd.sub_f32s(*output, *largest));
            *sum = simd.add_f32s(*sum, *output);
        }
    }
    let mut scale = Rows::ZERO;
    for at in 0..TILE * ABREAST {
        losses[at % ABREAST] += f64::from(counts[at]) * f64::from(sums.0[at]).ln();
        scale.0[at] = counts[at] / (sums.0[at] * truth.rows as f32);
    }
    for output in &mut *outputs {
        let scale = scale.registers::<S>().iter();
        for (output, scale) in output.registers_mut::<S>().iter_mut().zip(scale) {
            *output = simd.mul_f32s(*output, *scale);
        }
    }
    for at in 0..TILE * ABREAST {
        outputs[classes[at] as usize].0[at] -= counts[at] / truth.rows as f32;
    }
    losses
}
