//! The gradients of a layer, `g[o,i] = Σ_r δ[o,r] x[i,r]`, on blocks of sums that stay in registers.
//!
//! Where weights move by Adam, those of a block do so while the products of the next are summed: roots and
//! divisions take another part of a core, and longer, than products.

use std::ops::Range;

use pulp::Simd;

use super::products::{LaneSums, add_products};
use super::tile::{ABREAST, Rows, TILE, parts, stride};
use crate::networks::adam::AdamRegisters;
use crate::networks::lanes::Lanes;

/// What the gradients of a layer are sums over.
pub(super) struct LaneGradients<'a> {
    /// `[tiles, width]`.
    pub inputs: &'a [Rows],
    /// Derivatives of the loss by the outputs, `[tiles, out]`.
    pub deltas: &'a [Rows],
    pub tiles: usize,
    pub width: usize,
    pub out: usize,
    /// Whether to add them to those that are there.
    pub adds: bool,
}

/// How many outputs have their gradients summed while some inputs are in the first cache.
const OUTPUTS: usize = 8;
/// The most sums of a block.
const MOST: usize = 16;

/// Takes the gradients of some weights, block by block.
pub(super) trait TakeGradients<S: Simd> {
    /// What earlier tiles have added up, of the register at a place.
    fn earlier(&self, place: usize) -> S::f32s;

    /// Work that is done beside the products of a pair of rows.
    fn beside(&mut self, simd: S);

    /// Takes the sums of a block: `sums[r][c]` is of the register at `place + r * row + c * step`.
    fn take<const R: usize, const C: usize>(
        &mut self,
        simd: S,
        place: usize,
        steps: [usize; 2],
        sums: LaneSums<S, R, C>,
    );
}

/// Gradients that are kept.
pub(super) struct KeptGradients<'a, S: Simd>(pub &'a mut [S::f32s]);

impl<S: Simd> TakeGradients<S> for KeptGradients<'_, S> {
    #[inline(always)]
    fn earlier(&self, place: usize) -> S::f32s {
        self.0[place]
    }

    #[inline(always)]
    fn beside(&mut self, _: S) {}

    #[inline(always)]
    fn take<const R: usize, const C: usize>(
        &mut self,
        _: S,
        place: usize,
        [row, step]: [usize; 2],
        sums: LaneSums<S, R, C>,
    ) {
        for (r, sums) in sums.into_iter().enumerate() {
            for (c, sum) in sums.into_iter().enumerate() {
                self.0[place + r * row + c * step] = sum;
            }
        }
    }
}

/// Weights that move by Adam, and the gradients by which some are still to.
pub(super) struct MovingByAdam<'a, S: Simd> {
    rule: AdamRegisters<S>,
    /// The sums of earlier tiles.
    earlier: &'a [S::f32s],
    weights: &'a mut [S::f32s],
    means: &'a mut [S::f32s],
    squares: &'a mut [S::f32s],
    /// The sums of a block.
    waiting: Lanes<{ MOST * ABREAST }>,
    /// Where their weights are.
    places: [usize; MOST],
    /// Which of them are still to move.
    left: Range<usize>,
}

impl<'a, S: Simd> MovingByAdam<'a, S> {
    /// With no gradients yet.
    #[inline(always)]
    pub fn new(
        rule: AdamRegisters<S>,
        earlier: &'a [S::f32s],
        [weights, means, squares]: [&'a mut [S::f32s]; 3],
    ) -> Self {
        Self {
            rule,
            earlier,
            weights,
            means,
            squares,
            waiting: Lanes::ZERO,
            places: [0; MOST],
            left: 0..0,
        }
    }

    /// Moves the weights of the last block.
    #[inline(always)]
    pub fn finish(&mut self, simd: S) {
        while self.left.start < self.left.end {
            self.beside(simd);
        }
    }
}

impl<S: Simd> TakeGradients<S> for MovingByAdam<'_, S> {
    #[inline(always)]
    fn earlier(&self, place: usize) -> S::f32s {
        self.earlier[place]
    }

    #[inline(always)]
    fn beside(&mut self, simd: S) {
        let at = self.left.start;
        if at < self.left.end {
            self.left.start = at + 1;
            let at = at % MOST;
            let place = self.places[at];
            let gradient = self.waiting.registers::<S>()[at];
            self.rule.step::<true>(
                simd,
                &mut self.weights[place],
                gradient,
                [&mut self.means[place], &mut self.squares[place]],
            );
        }
    }

    #[inline(always)]
    fn take<const R: usize, const C: usize>(
        &mut self,
        simd: S,
        place: usize,
        [row, step]: [usize; 2],
        sums: LaneSums<S, R, C>,
    ) {
        self.finish(simd);
        let waiting = self.waiting.registers_mut::<S>();
        for r in 0..R {
            for c in 0..C {
                waiting[r * C + c] = sums[r][c];
                self.places[r * C + c] = place + r * row + c * step;
            }
        }
        self.left = 0..R * C;
    }
}

impl LaneGradients<'_> {
    /// `weight = Σ_row delta · input` and `bias = Σ_row delta` of all outputs.
    #[inline(always)]
    pub fn sum_all<S: Simd>(&self, simd: S, weight: &mut impl TakeGradients<S>, bias: &mut [f32]) {
        let bias = S::as_mut_simd_f32s(bias).0;
        let mut sums = LaneBlock {
            layer: self,
            weight,
            bias,
        };
        for out in (0..self.out).step_by(OUTPUTS) {
            let count = OUTPUTS.min(self.out - out);
            let fours = count / 4 * 4;
            if S::REGISTER_COUNT >= 32 {
                sums.of_outputs::<4, 4>(simd, out, fours);
            } else {
                sums.of_outputs::<4, 2>(simd, out, fours);
            }
            for at in fours..count {
                sums.of_outputs::<1, 8>(simd, out + at, 1);
            }
        }
    }
}

/// The gradients of a few outputs in the making.
struct LaneBlock<'a, S: Simd, T> {
    layer: &'a LaneGradients<'a>,
    weight: &'a mut T,
    bias: &'a mut [S::f32s],
}

impl<S: Simd, T: TakeGradients<S>> LaneBlock<'_, S, T> {
    /// Those of `count` outputs, `R` of them and `C` inputs at a time.
    #[inline(always)]
    fn of_outputs<const R: usize, const C: usize>(&mut self, simd: S, out: usize, count: usize) {
        let width = self.layer.width;
        let mut input = 0;
        while input < width {
            let some = match width - input {
                left if left >= C => C,
                2.. if input > 0 => 2,
                _ => 1,
            };
            for out in (out..out + count).step_by(R) {
                match (input, some) {
                    (0, 1) => self.block::<R, 1, true>(simd, out, input),
                    (0, _) => self.block::<R, C, true>(simd, out, input),
                    (_, 1) => self.block::<R, 1, false>(simd, out, input),
                    (_, some) if some == C => self.block::<R, C, false>(simd, out, input),
                    _ => self.block::<R, 2, false>(simd, out, input),
                }
            }
            input += some;
        }
    }

    /// `C` inputs, and with them the biases where `BIASES`.
    #[inline(always)]
    fn block<const R: usize, const C: usize, const BIASES: bool>(
        &mut self,
        simd: S,
        out: usize,
        input: usize,
    ) {
        let LaneGradients {
            inputs,
            deltas,
            tiles,
            width,
            out: outputs,
            adds,
        } = *self.layer;
        let steps @ [row, step] = [width * parts::<S>(), parts::<S>()];
        for part in 0..parts::<S>() {
            let place = out * row + input * step + part;
            let mut sums: LaneSums<S, R, C> = [[simd.splat_f32s(0.0); C]; R];
            let mut biases = [simd.splat_f32s(0.0); R];
            if adds {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (c, sum) in sums.iter_mut().enumerate() {
                        *sum = self.weight.earlier(place + r * row + c * step);
                    }
                    biases[r] = self.bias[(out + r) * parts::<S>() + part];
                }
            }
            for tile in 0..tiles {
                let inputs = &inputs[tile * stride(width) + input..][..C];
                let deltas = &deltas[tile * stride(outputs) + out..][..R];
                for row in 0..TILE {
                    let mut left = [simd.splat_f32s(0.0); R];
                    let mut right = [simd.splat_f32s(0.0); C];
                    for r in 0..R {
                        left[r] = deltas[r].registers::<S>()[row * parts::<S>() + part];
                        if BIASES {
                            biases[r] = simd.add_f32s(biases[r], left[r]);
                        }
                    }
                    for c in 0..C {
                        right[c] = inputs[c].registers::<S>()[row * parts::<S>() + part];
                    }
                    add_products(simd, &mut sums, left, right);
                    if row % 2 == 0 {
                        self.weight.beside(simd);
                    }
                }
            }
            self.weight.take(simd, place, steps, sums);
            if BIASES {
                for (r, bias) in biases.into_iter().enumerate() {
                    self.bias[(out + r) * parts::<S>() + part] = bias;
                }
            }
        }
    }
}
