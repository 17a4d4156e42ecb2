//! The products of a layer forward and back, on blocks of sums that stay in registers.
//!
//! Each is `sums[r][c] += left[r] * right[c]` over and over, all of them registers; what differs
//! is where they come from.

use pulp::Simd;

use super::tile::{Rows, TILE, parts};

/// Sums held in registers at a time.
pub(super) type LaneSums<S, const R: usize, const C: usize> = [[<S as Simd>::f32s; C]; R];

/// `sums[r][c] += left[r] * right[c]`.
#[inline(always)]
pub(super) fn add_products<S: Simd, const R: usize, const C: usize>(
    simd: S,
    sums: &mut LaneSums<S, R, C>,
    left: [S::f32s; R],
    right: [S::f32s; C],
) {
    for r in 0..R {
        for c in 0..C {
            sums[r][c] = simd.mul_add_e_f32s(left[r], right[c], sums[r][c]);
        }
    }
}

/// Finishes one register of outputs: the number of the first of some outputs, the outputs, and
/// which register of theirs.
pub(super) trait Finish: FnMut(usize, &mut [Rows], usize) {}

impl<F: FnMut(usize, &mut [Rows], usize)> Finish for F {}

/// Outputs that are to be finished, one register after the other.
struct Waiting<'a, F> {
    /// The number of the first.
    first: usize,
    outputs: &'a mut [Rows],
    /// How many registers are finished.
    done: usize,
    finish: &'a mut F,
}

impl<F: Finish> Waiting<'_, F> {
    /// Finishes some registers, as many as are left or fewer.
    #[inline(always)]
    fn some<S: Simd>(&mut self, count: usize) {
        let all = self.outputs.len() * TILE * parts::<S>();
        let end = all.min(self.done.saturating_add(count));
        while self.done < end {
            (self.finish)(self.first, self.outputs, self.done);
            self.done += 1;
        }
    }
}

/// `outputs = weight · inputs + bias` of one tile, each register of them finished.
///
/// The outputs of a block are finished while the products of the next are summed: activations
/// take other parts of a core, and longer, than products.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    simd: S,
    inputs: &[Rows],
    weights: [&[f32]; 2],
    outputs: &mut [Rows],
    mut finish: impl Finish,
) {
    let (mut first, mut out) = (0, 0);
    while out < outputs.len() {
        let (before, after) = outputs.split_at_mut(out);
        let mut waiting = Waiting {
            first,
            outputs: &mut before[first..],
            done: 0,
            finish: &mut finish,
        };
        first = out;
        match (after.len(), S::REGISTER_COUNT) {
            (4.., 32..) => affine::<S, 4, 4, _>(simd, inputs, weights, after, out, &mut waiting),
            (4.., _) => affine::<S, 4, 2, _>(simd, inputs, weights, after, out, &mut waiting),
            _ => affine::<S, 1, 8, _>(simd, inputs, weights, after, out, &mut waiting),
        }
        out += if after.len() < 4 { 1 } else { 4 };
        waiting.some::<S>(usize::MAX);
    }
    let mut waiting = Waiting {
        first,
        outputs: &mut outputs[first..],
        done: 0,
        finish: &mut finish,
    };
    waiting.some::<S>(usize::MAX);
}

/// The outputs from `out` to `out + R`, which are the first of `outputs`.
#[inline(always)]
fn affine<S: Simd, const R: usize, const C: usize, F: Finish>(
    simd: S,
    inputs: &[Rows],
    [weight, bias]: [&[f32]; 2],
    outputs: &mut [Rows],
    out: usize,
    waiting: &mut Waiting<F>,
) {
    let [weight, bias] = [weight, bias].map(|all| S::as_simd_f32s(all).0);
    let row = inputs.len() * parts::<S>();
    let mut weights = [weight; R];
    for r in 0..R {
        weights[r] = &weight[(out + r) * row..][..row];
    }
    for part in 0..parts::<S>() {
        for column in (0..TILE).step_by(C) {
            let mut sums: LaneSums<S, R, C> = [[simd.splat_f32s(0.0); C]; R];
            for r in 0..R {
                sums[r] = [bias[(out + r) * parts::<S>() + part]; C];
            }
            for (at, input) in inputs.iter().enumerate() {
                let input = input.registers::<S>();
                let mut left = [simd.splat_f32s(0.0); R];
                let mut right = [simd.splat_f32s(0.0); C];
                for r in 0..R {
                    left[r] = weights[r][at * parts::<S>() + part];
                }
                for c in 0..C {
                    right[c] = input[(column + c) * parts::<S>() + part];
                }
                add_products(simd, &mut sums, left, right);
                waiting.some::<S>(1);
            }
            for r in 0..R {
                let output = outputs[r].registers_mut::<S>();
                for c in 0..C {
                    output[(column + c) * parts::<S>() + part] = sums[r][c];
                }
            }
        }
    }
}

/// `deltas = (weightᵀ · outputs) slope` of one tile; `deltas` hold the slopes.
#[inline(always)]
pub(super) fn pass_back<S: Simd>(simd: S, outputs: &[Rows], weight: &[f32], deltas: &mut [Rows]) {
    let mut input = 0;
    while input < deltas.len() {
        let left = deltas.len() - input;
        match (left, S::REGISTER_COUNT) {
            (4.., 32..) => back::<S, 4, 4>(simd, outputs, weight, deltas, input),
            (4.., _) => back::<S, 4, 2>(simd, outputs, weight, deltas, input),
            _ => back::<S, 1, 8>(simd, outputs, weight, deltas, input),
        }
        input += if left < 4 { 1 } else { 4 };
    }
}

/// The deltas from `input` to `input + R`.
#[inline(always)]
fn back<S: Simd, const R: usize, const C: usize>(
    simd: S,
    outputs: &[Rows],
    weight: &[f32],
    deltas: &mut [Rows],
    input: usize,
) {
    let weight = S::as_simd_f32s(weight).0;
    let row = deltas.len() * parts::<S>();
    for part in 0..parts::<S>() {
        for column in (0..TILE).step_by(C) {
            let mut sums: LaneSums<S, R, C> = [[simd.splat_f32s(0.0); C]; R];
            for (weight, output) in weight.chunks_exact(row).zip(outputs) {
                let weight = &weight[input * parts::<S>()..][..R * parts::<S>()];
                let output = output.registers::<S>();
                let mut left = [simd.splat_f32s(0.0); R];
                let mut right = [simd.splat_f32s(0.0); C];
                for r in 0..R {
                    left[r] = weight[r * parts::<S>() + part];
                }
                for c in 0..C {
                    right[c] = output[(column + c) * parts::<S>() + part];
                }
                add_products(simd, &mut sums, left, right);
            }
            for r in 0..R {
                let deltas = deltas[input + r].registers_mut::<S>();
                for c in 0..C {
                    let delta = &mut deltas[(column + c) * parts::<S>() + part];
                    *delta = simd.mul_f32s(*delta, sums[r][c]);
                }
            }
        }
    }
}
