//! Gradients of weights that a network uses in many places, such as those of every token.

#![expect(
    clippy::needless_range_loop,
    reason = "registers are named by number, as the compiler keeps them apart that way"
)]

use pulp::{Simd, WithSimd};

use super::tile::{Rows, TILE};
use crate::networks::lanes::sums;

/// Outputs whose weights are summed together.
const OUTPUTS: usize = 4;

/// `weight[o, n] += Σ_place Σ_row delta[o, place] · input[n, place]`.
///
/// Lanes are added up once for all places, so nothing changes places with its rows.
pub(in crate::networks) struct PlaceSums<'a> {
    pub inputs: &'a [Rows],
    /// Where input `n` of the first place is; the others are as far from each other.
    pub seen: &'a [usize],
    pub deltas: &'a [Rows],
    /// How far the deltas of one output are from those of the next.
    pub stride: usize,
    /// How far the inputs and deltas of each place are from the start.
    pub places: &'a [[usize; 2]],
    /// `[out, seen]`.
    pub weight: &'a mut [f32],
}

impl WithSimd for PlaceSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let outputs = self.weight.len() / self.seen.len();
        let mut out = 0;
        while out + OUTPUTS <= outputs {
            self.of_outputs::<S, OUTPUTS>(simd, out);
            out += OUTPUTS;
        }
        while out < outputs {
            self.of_outputs::<S, 1>(simd, out);
            out += 1;
        }
    }
}

impl PlaceSums<'_> {
    /// Those of `R` outputs, as many inputs at a time as the registers hold sums of.
    #[inline(always)]
    fn of_outputs<S: Simd, const R: usize>(&mut self, simd: S, out: usize) {
        let mut at = 0;
        if S::REGISTER_COUNT >= 32 {
            while at + 6 <= self.seen.len() {
                self.block::<S, R, 6>(simd, out, at);
                at += 6;
            }
        }
        while at + 3 <= self.seen.len() {
            self.block::<S, R, 3>(simd, out, at);
            at += 3;
        }
        match self.seen.len() - at {
            2 => self.block::<S, R, 2>(simd, out, at),
            1 => self.block::<S, R, 1>(simd, out, at),
            _ => (),
        }
    }

    #[inline(always)]
    fn block<S: Simd, const R: usize, const C: usize>(&mut self, simd: S, out: usize, at: usize) {
        let mut totals = [[simd.splat_f32s(0.0); OUTPUTS]; C];
        let mut seen = [0; C];
        seen.copy_from_slice(&self.seen[at..at + C]);
        for [input, delta] in self.places {
            let mut inputs = [&self.inputs[0]; C];
            for c in 0..C {
                inputs[c] = &self.inputs[input + seen[c]];
            }
            let mut deltas = [&self.deltas[0]; R];
            for r in 0..R {
                deltas[r] = &self.deltas[delta + (out + r) * self.stride];
            }
            for column in 0..TILE / S::F32_LANES {
                let mut values = [simd.splat_f32s(0.0); C];
                for c in 0..C {
                    values[c] = inputs[c].registers::<S>()[column];
                }
                for r in 0..R {
                    let delta = deltas[r].registers::<S>()[column];
                    for c in 0..C {
                        totals[c][r] = simd.mul_add_e_f32s(delta, values[c], totals[c][r]);
                    }
                }
            }
        }
        for c in 0..C {
            let sums = sums(simd, totals[c]);
            for r in 0..R {
                self.weight[(out + r) * self.seen.len() + at + c] += sums[r];
            }
        }
    }
}

/// `to[i] += Σ_place Σ_row one[place, i] · other[place, i]`, or without the other where there is
/// none.
#[inline(always)]
pub(in crate::networks) fn sum_pairs<S: Simd>(
    simd: S,
    one: &[Rows],
    other: &[Rows],
    to: &mut [f32],
) {
    let width = to.len();
    for (group, to) in to.chunks_mut(4).enumerate() {
        let mut totals = [simd.splat_f32s(0.0); 4];
        for place in (0..one.len()).step_by(width) {
            for at in 0..to.len() {
                let one = &one[place + 4 * group + at];
                let other = other.get(place + 4 * group + at);
                let total = &mut totals[at];
                for (column, one) in one.registers::<S>().iter().enumerate() {
                    *total = match other {
                        Some(other) => {
                            simd.mul_add_e_f32s(*one, other.registers::<S>()[column], *total)
                        }
                        None => simd.add_f32s(*total, *one),
                    };
                }
            }
        }
        for (to, sum) in to.iter_mut().zip(sums(simd, totals)) {
            *to += sum;
        }
    }
}

/// `to[i] += Σ_place Σ_row planes[i, place]`.
#[inline(always)]
pub(in crate::networks) fn sum_planes<S: Simd>(simd: S, planes: &[Rows], to: &mut [f32]) {
    let places = planes.len() / to.len();
    for (to, plane) in to.iter_mut().zip(planes.chunks_exact(places)) {
        let mut totals = [simd.splat_f32s(0.0); 4];
        for (at, place) in plane.iter().enumerate() {
            for row in place.registers::<S>() {
                totals[at % 4] = simd.add_f32s(totals[at % 4], *row);
            }
        }
        *to += sums(simd, totals).iter().sum::<f32>();
    }
}
