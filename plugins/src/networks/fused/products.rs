//! The three matrix products of a layer, on tiles: forward, backward, and the gradient.

#![expect(
    clippy::needless_range_loop,
    reason = "registers are named by number, as the compiler keeps them apart that way"
)]

use pulp::Simd;

use super::tile::{ByRow, GROUP, Rows, TILE};
use crate::networks::lanes::{Lanes, mul_add, sums};

/// Sums held in registers at a time: `R` rows of `C` registers.
pub(in crate::networks) type RegisterSums<S, const R: usize, const C: usize> =
    [[<S as Simd>::f32s; C]; R];

/// `sums[r] += factors[r] * values`; unless `FUSED`, each product is rounded before it is added, to
/// the same bits by every instruction set.
#[inline(always)]
pub(in crate::networks) fn add_products<
    S: Simd,
    const R: usize,
    const C: usize,
    const FUSED: bool,
>(
    simd: S,
    sums: &mut RegisterSums<S, R, C>,
    factors: [f32; R],
    values: &[S::f32s],
) {
    for (sums, factor) in sums.iter_mut().zip(factors) {
        let factor = simd.splat_f32s(factor);
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = mul_add::<S, FUSED>(simd, factor, *value, *sum);
        }
    }
}

/// Work on rows of a matrix, `R` of them at a time.
pub(in crate::networks) trait Blocks<S: Simd> {
    /// Does the rows from `row` to `row + R`.
    fn block<const R: usize>(&mut self, simd: S, row: usize);
}

/// How many rows [`in_blocks`] does at a time at most.
pub(in crate::networks) const MOST_ROWS: usize = 8;

/// Does all rows, as many at a time as the registers hold sums of.
#[inline(always)]
pub(in crate::networks) fn in_blocks<S: Simd>(simd: S, rows: usize, mut work: impl Blocks<S>) {
    let mut row = 0;
    if S::REGISTER_COUNT >= 32 {
        while row + 8 <= rows {
            work.block::<8>(simd, row);
            row += 8;
        }
    } else {
        while row + 6 <= rows && row + 8 != rows {
            work.block::<6>(simd, row);
            row += 6;
        }
    }
    while row + 4 <= rows {
        work.block::<4>(simd, row);
        row += 4;
    }
    while row < rows {
        work.block::<1>(simd, row);
        row += 1;
    }
}

/// `outputs = weight · inputs + bias`; unless `FUSED`, each product is rounded before it is added and
/// the bias comes last, to the same bits by every instruction set and as by [`Dense`](super::super::dense::Dense).
pub(in crate::networks) struct Affine<'a, const FUSED: bool> {
    /// `[width]`.
    pub inputs: &'a [Rows],
    /// `[out, width]`.
    pub weight: &'a [f32],
    /// `[out]`.
    pub bias: &'a [f32],
    /// `[out]`.
    pub outputs: &'a mut [Rows],
}

impl<S: Simd, const FUSED: bool> Blocks<S> for Affine<'_, FUSED> {
    #[inline(always)]
    fn block<const R: usize>(&mut self, simd: S, out: usize) {
        let inputs = self.inputs;
        let mut rows = [self.weight; R];
        let zeros: RegisterSums<S, R, 2> = [[simd.splat_f32s(0.0); 2]; R];
        let mut bias = zeros;
        for r in 0..R {
            rows[r] = &self.weight[(out + r) * inputs.len()..][..inputs.len()];
            bias[r] = [simd.splat_f32s(self.bias[out + r]); 2];
        }
        for column in (0..TILE / S::F32_LANES).step_by(2) {
            let mut sums = if FUSED { bias } else { zeros };
            for at in 0..inputs.len() {
                let values = &inputs[at].registers::<S>()[column..column + 2];
                add_products::<S, _, _, FUSED>(simd, &mut sums, rows.map(|row| row[at]), values);
            }
            if !FUSED {
                for r in 0..R {
                    sums[r] = sums[r].map(|sum| simd.add_f32s(sum, bias[r][0]));
                }
            }
            for r in 0..R {
                let outputs = self.outputs[out + r].registers_mut::<S>();
                outputs[column..column + 2].copy_from_slice(&sums[r]);
            }
        }
    }
}

/// The sums over the rows of up to four times one number for each row times another.
#[inline(always)]
fn four_sums<S: Simd>(simd: S, rows: &[Rows], factors: &Rows) -> [f32; 4] {
    let mut totals = [simd.splat_f32s(0.0); 4];
    for (total, row) in totals.iter_mut().zip(rows) {
        for (row, factor) in row.registers::<S>().iter().zip(factors.registers::<S>()) {
            *total = simd.mul_add_e_f32s(*row, *factor, *total);
        }
    }
    sums(simd, totals)
}

/// `bias += Σ_row delta`.
#[inline(always)]
pub(super) fn sum_biases<S: Simd>(simd: S, deltas: &[Rows], bias: &mut [f32]) {
    for (at, bias) in bias.chunks_mut(4).enumerate() {
        let deltas = &deltas[4 * at..][..bias.len()];
        let sums = four_sums(simd, deltas, &Lanes([1.0; TILE]));
        bias.iter_mut()
            .zip(sums)
            .for_each(|(bias, sum)| *bias += sum);
    }
}

/// `weight += Σ_row delta · input` as sums over lanes, for four weights at a time: those of
/// one output, or of one input, whichever are more.
#[inline(always)]
pub(super) fn sum_narrow<S: Simd>(simd: S, inputs: &[Rows], deltas: &[Rows], weight: &mut [f32]) {
    let width = weight.len() / deltas.len();
    if width > deltas.len() {
        for (weight, delta) in weight.chunks_exact_mut(width).zip(deltas) {
            for (at, weight) in weight.chunks_mut(4).enumerate() {
                let inputs = &inputs[4 * at..][..weight.len()];
                let sums = four_sums(simd, inputs, delta);
                weight
                    .iter_mut()
                    .zip(sums)
                    .for_each(|(weight, sum)| *weight += sum);
            }
        }
        return;
    }
    for (first, deltas) in (0..).step_by(4).zip(deltas.chunks(4)) {
        let weight = &mut weight[first * width..][..deltas.len() * width];
        for (at, input) in inputs[..width].iter().enumerate() {
            let sums = four_sums(simd, deltas, input);
            for (weight, sum) in weight[at..].iter_mut().step_by(width).zip(sums) {
                *weight += sum;
            }
        }
    }
}

/// `weight += Σ_row delta · input` row by row, for the weights of several inputs and outputs
/// at a time.
#[inline(always)]
pub(super) fn sum_wide<S: Simd>(simd: S, by_row: &[ByRow], deltas: &[Rows], weight: &mut [f32]) {
    let width = weight.len() / deltas.len();
    let registers = width.div_ceil(S::F32_LANES);
    for column in (0..registers).step_by(2) {
        if column + 1 < registers {
            let pair = Outer::<2> {
                by_row,
                deltas,
                width,
                weight,
                column,
            };
            in_blocks(simd, deltas.len(), pair);
        } else {
            let last = Outer::<1> {
                by_row,
                deltas,
                width,
                weight,
                column,
            };
            in_blocks(simd, deltas.len(), last);
        }
    }
}

/// `weight += Σ_row delta · input` for `C` registers of inputs, from `column` on.
struct Outer<'a, const C: usize> {
    by_row: &'a [ByRow],
    deltas: &'a [Rows],
    width: usize,
    weight: &'a mut [f32],
    column: usize,
}

impl<S: Simd, const C: usize> Blocks<S> for Outer<'_, C> {
    #[inline(always)]
    fn block<const R: usize>(&mut self, simd: S, out: usize) {
        let lane = |c| (self.column + c) * S::F32_LANES;
        let columns: [&ByRow; C] = std::array::from_fn(|c| &self.by_row[lane(c) / GROUP]);
        let deltas: [&Rows; R] = std::array::from_fn(|r| &self.deltas[out + r]);
        let mut sums: RegisterSums<S, R, C> = [[simd.splat_f32s(0.0); C]; R];
        for row in 0..TILE {
            let values: [S::f32s; C] = std::array::from_fn(|c| {
                columns[c][row].registers::<S>()[lane(c) % GROUP / S::F32_LANES]
            });
            add_products::<S, _, _, true>(
                simd,
                &mut sums,
                deltas.map(|delta| delta.0[row]),
                &values,
            );
        }
        for r in 0..R {
            let weight = &mut self.weight[(out + r) * self.width..][..self.width];
            for c in 0..C {
                add_to(simd, &mut weight[lane(c)..], sums[r][c]);
            }
        }
    }
}

/// Adds a register to the start of a slice, which may be shorter.
#[inline(always)]
fn add_to<S: Simd>(simd: S, slice: &mut [f32], values: S::f32s) {
    if let Some(whole) = S::as_mut_simd_f32s(slice).0.first_mut() {
        *whole = simd.add_f32s(*whole, values);
    } else {
        let before = simd.partial_load_f32s(slice);
        simd.partial_store_f32s(slice, simd.add_f32s(before, values));
    }
}

/// What a product passed back does to the numbers that are there.
#[derive(Clone, Copy)]
pub(in crate::networks) enum Onto {
    /// They are slopes, and it is multiplied by them.
    Slopes,
    /// They are deltas, and it is added to them.
    Deltas,
    /// They are of no use any more.
    Nothing,
}

/// `deltas = weightᵀ · outputs`, times or plus what is there.
pub(in crate::networks) struct PassBack<'a> {
    /// `[out]`.
    pub outputs: &'a [Rows],
    /// `[out, width]`.
    pub weight: &'a [f32],
    /// `[width]`.
    pub deltas: &'a mut [Rows],
    pub onto: Onto,
}

impl<S: Simd> Blocks<S> for PassBack<'_> {
    #[inline(always)]
    fn block<const R: usize>(&mut self, simd: S, input: usize) {
        let width = self.deltas.len();
        for column in (0..TILE / S::F32_LANES).step_by(2) {
            let mut sums: RegisterSums<S, R, 2> = [[simd.splat_f32s(0.0); 2]; R];
            for (row, output) in self.weight.chunks_exact(width).zip(self.outputs) {
                let values = &output.registers::<S>()[column..column + 2];
                let mut factors = [0.0; R];
                factors.copy_from_slice(&row[input..input + R]);
                add_products::<S, _, _, true>(simd, &mut sums, factors, values);
            }
            for r in 0..R {
                let deltas = self.deltas[input + r].registers_mut::<S>();
                for c in 0..2 {
                    let delta = &mut deltas[column + c];
                    *delta = match self.onto {
                        Onto::Slopes => simd.mul_f32s(sums[r][c], *delta),
                        Onto::Deltas => simd.add_f32s(sums[r][c], *delta),
                        Onto::Nothing => sums[r][c],
                    };
                }
            }
        }
    }
}
