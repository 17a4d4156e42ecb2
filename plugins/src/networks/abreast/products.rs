//! The three products of a layer, on blocks of sums that stay in registers.
//!
//! Each is `sums[r][c] += left[r] * right[c]` over and over, all of them registers; what differs
//! is where they come from.

#![expect(
    clippy::needless_range_loop,
    reason = "registers are named by number, as the compiler keeps them apart that way"
)]

use pulp::Simd;

use super::tile::{Rows, TILE, parts};

/// Sums held in registers at a time.
type LaneSums<S, const R: usize, const C: usize> = [[<S as Simd>::f32s; C]; R];

/// `sums[r][c] += left[r] * right[c]`.
#[inline(always)]
fn add_products<S: Simd, const R: usize, const C: usize>(
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

/// How many rows of a tile have sums at a time.
const COLUMNS: usize = 8;

/// `outputs = weight · inputs + bias`, each passed to `each`, one after the other.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    simd: S,
    inputs: &[Rows],
    [weight, bias]: [&[f32]; 2],
    outputs: &mut [Rows],
    mut each: impl FnMut(usize, &mut Rows),
) {
    let mut out = 0;
    while out < outputs.len() {
        let some = match outputs.len() - out {
            1 => {
                affine::<S, 1>(simd, inputs, [weight, bias], outputs, out);
                1
            }
            _ => {
                affine::<S, 2>(simd, inputs, [weight, bias], outputs, out);
                2
            }
        };
        for at in out..out + some {
            each(at, &mut outputs[at]);
        }
        out += some;
    }
}

/// The outputs from `out` to `out + R`.
#[inline(always)]
fn affine<S: Simd, const R: usize>(
    simd: S,
    inputs: &[Rows],
    [weight, bias]: [&[f32]; 2],
    outputs: &mut [Rows],
    out: usize,
) {
    let [weight, bias] = [weight, bias].map(|all| S::as_simd_f32s(all).0);
    let row = inputs.len() * parts::<S>();
    let mut weights = [weight; R];
    for r in 0..R {
        weights[r] = &weight[(out + r) * row..][..row];
    }
    for part in 0..parts::<S>() {
        for column in (0..TILE).step_by(COLUMNS) {
            let mut sums: LaneSums<S, R, COLUMNS> = [[simd.splat_f32s(0.0); COLUMNS]; R];
            for r in 0..R {
                sums[r] = [bias[(out + r) * parts::<S>() + part]; COLUMNS];
            }
            for (at, input) in inputs.iter().enumerate() {
                let input = input.registers::<S>();
                let mut left = [simd.splat_f32s(0.0); R];
                let mut right = [simd.splat_f32s(0.0); COLUMNS];
                for r in 0..R {
                    left[r] = weights[r][at * parts::<S>() + part];
                }
                for c in 0..COLUMNS {
                    right[c] = input[(column + c) * parts::<S>() + part];
                }
                add_products(simd, &mut sums, left, right);
            }
            for r in 0..R {
                let output = outputs[out + r].registers_mut::<S>();
                for c in 0..COLUMNS {
                    output[(column + c) * parts::<S>() + part] = sums[r][c];
                }
            }
        }
    }
}

/// `deltas = (weightᵀ · outputs) slope`; `deltas` hold the slopes.
#[inline(always)]
pub(super) fn pass_back<S: Simd>(simd: S, outputs: &[Rows], weight: &[f32], deltas: &mut [Rows]) {
    let mut input = 0;
    while input + 2 <= deltas.len() {
        back::<S, 2>(simd, outputs, weight, deltas, input);
        input += 2;
    }
    if input < deltas.len() {
        back::<S, 1>(simd, outputs, weight, deltas, input);
    }
}

/// The deltas from `input` to `input + R`.
#[inline(always)]
fn back<S: Simd, const R: usize>(
    simd: S,
    outputs: &[Rows],
    weight: &[f32],
    deltas: &mut [Rows],
    input: usize,
) {
    let weight = S::as_simd_f32s(weight).0;
    let row = deltas.len() * parts::<S>();
    for part in 0..parts::<S>() {
        for column in (0..TILE).step_by(COLUMNS) {
            let mut sums: LaneSums<S, R, COLUMNS> = [[simd.splat_f32s(0.0); COLUMNS]; R];
            for (weight, output) in weight.chunks_exact(row).zip(outputs) {
                let weight = &weight[input * parts::<S>()..][..R * parts::<S>()];
                let output = output.registers::<S>();
                let mut left = [simd.splat_f32s(0.0); R];
                let mut right = [simd.splat_f32s(0.0); COLUMNS];
                for r in 0..R {
                    left[r] = weight[r * parts::<S>() + part];
                }
                for c in 0..COLUMNS {
                    right[c] = output[(column + c) * parts::<S>() + part];
                }
                add_products(simd, &mut sums, left, right);
            }
            for r in 0..R {
                let deltas = deltas[input + r].registers_mut::<S>();
                for c in 0..COLUMNS {
                    let delta = &mut deltas[(column + c) * parts::<S>() + part];
                    *delta = simd.mul_f32s(*delta, sums[r][c]);
                }
            }
        }
    }
}

/// `weight = Σ_row delta · input` and `bias = Σ_row delta`, or that more of each where it `adds`.
#[inline(always)]
pub(super) fn sum_gradients<S: Simd>(
    simd: S,
    rows: (&[Rows], &[Rows]),
    (weight, bias): (&mut [f32], &mut [f32]),
    adds: bool,
) {
    let mut sums = LaneGradients::<S> {
        inputs: rows.0,
        deltas: rows.1,
        weight: S::as_mut_simd_f32s(weight).0,
        bias: S::as_mut_simd_f32s(bias).0,
        adds,
    };
    let mut out = 0;
    while out + 8 <= rows.1.len() {
        sums.of_outputs::<8, 2>(simd, out);
        out += 8;
    }
    while out < rows.1.len() {
        sums.of_outputs::<1, 8>(simd, out);
        out += 1;
    }
}

/// The gradients of a layer in the making.
struct LaneGradients<'a, S: Simd> {
    inputs: &'a [Rows],
    deltas: &'a [Rows],
    weight: &'a mut [S::f32s],
    bias: &'a mut [S::f32s],
    adds: bool,
}

impl<S: Simd> LaneGradients<'_, S> {
    /// Those of `R` outputs, `C` inputs at a time.
    #[inline(always)]
    fn of_outputs<const R: usize, const C: usize>(&mut self, simd: S, out: usize) {
        self.of_biases::<R>(simd, out);
        let mut input = 0;
        while input + C <= self.inputs.len() {
            self.block::<R, C>(simd, out, input);
            input += C;
        }
        while input < self.inputs.len() {
            self.block::<R, 1>(simd, out, input);
            input += 1;
        }
    }

    #[inline(always)]
    fn of_biases<const R: usize>(&mut self, simd: S, out: usize) {
        for part in 0..parts::<S>() {
            let mut sums = [simd.splat_f32s(0.0); R];
            for row in 0..TILE {
                for r in 0..R {
                    let delta = self.deltas[out + r].registers::<S>()[row * parts::<S>() + part];
                    sums[r] = simd.add_f32s(sums[r], delta);
                }
            }
            for r in 0..R {
                let bias = &mut self.bias[(out + r) * parts::<S>() + part];
                *bias = match self.adds {
                    true => simd.add_f32s(*bias, sums[r]),
                    false => sums[r],
                };
            }
        }
    }

    #[inline(always)]
    fn block<const R: usize, const C: usize>(&mut self, simd: S, out: usize, input: usize) {
        let width = self.inputs.len() * parts::<S>();
        let inputs = &self.inputs[input..input + C];
        let deltas = &self.deltas[out..out + R];
        for part in 0..parts::<S>() {
            let mut sums: LaneSums<S, R, C> = [[simd.splat_f32s(0.0); C]; R];
            if self.adds {
                for r in 0..R {
                    let weight = &self.weight[(out + r) * width + input * parts::<S>()..];
                    let weight = &weight[..C * parts::<S>()];
                    for c in 0..C {
                        sums[r][c] = weight[c * parts::<S>() + part];
                    }
                }
            }
            for row in 0..TILE {
                let mut left = [simd.splat_f32s(0.0); R];
                let mut right = [simd.splat_f32s(0.0); C];
                for r in 0..R {
                    left[r] = deltas[r].registers::<S>()[row * parts::<S>() + part];
                }
                for c in 0..C {
                    right[c] = inputs[c].registers::<S>()[row * parts::<S>() + part];
                }
                add_products(simd, &mut sums, left, right);
            }
            for r in 0..R {
                let weight = &mut self.weight[(out + r) * width + input * parts::<S>()..];
                let weight = &mut weight[..C * parts::<S>()];
                for c in 0..C {
                    weight[c * parts::<S>() + part] = sums[r][c];
                }
            }
        }
    }
}
