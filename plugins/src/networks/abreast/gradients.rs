//! The gradients of a layer, `g[o,i] = Σ_r δ[o,r] x[i,r]`, on blocks of sums that stay in registers.

use pulp::Simd;

use super::products::{LaneSums, add_products};
use super::tile::{Rows, TILE, parts};

/// What the gradients of a layer are sums over.
pub(super) struct LaneGradients<'a> {
    /// `[tiles, width]`.
    pub inputs: &'a [Rows],
    /// Derivatives of the loss by the outputs, `[tiles, out]`.
    pub deltas: &'a [Rows],
    pub width: usize,
    pub out: usize,
    /// Whether to add them to those that are there.
    pub adds: bool,
}

/// How many outputs have their gradients summed while some inputs are in the first cache.
pub(super) const OUTPUTS: usize = 8;

impl LaneGradients<'_> {
    /// `weight = Σ_row delta · input` and `bias = Σ_row delta` of the outputs from `out` on, at most
    /// [`OUTPUTS`]: as many as there are biases.
    #[inline(always)]
    pub fn sum<S: Simd>(&self, simd: S, out: usize, weight: &mut [f32], bias: &mut [f32]) {
        let mut sums = LaneBlock::<S> {
            layer: self,
            weight: S::as_mut_simd_f32s(weight).0,
            bias: S::as_mut_simd_f32s(bias).0,
        };
        let count = sums.bias.len() / parts::<S>();
        let whole = count / 4 * 4;
        if S::REGISTER_COUNT >= 32 {
            sums.of_outputs::<4, 4>(simd, out, 0, whole);
        } else {
            sums.of_outputs::<4, 2>(simd, out, 0, whole);
        }
        for at in whole..count {
            sums.of_outputs::<1, 8>(simd, out + at, at, 1);
        }
    }
}

/// The gradients of a few outputs in the making.
struct LaneBlock<'a, S: Simd> {
    layer: &'a LaneGradients<'a>,
    weight: &'a mut [S::f32s],
    bias: &'a mut [S::f32s],
}

impl<S: Simd> LaneBlock<'_, S> {
    /// Those of `count` outputs, `R` of them and `C` inputs at a time; `at` is where they are among the
    /// gradients.
    #[inline(always)]
    fn of_outputs<const R: usize, const C: usize>(
        &mut self,
        simd: S,
        out: usize,
        at: usize,
        count: usize,
    ) {
        let width = self.layer.width;
        let mut input = 0;
        while input < width {
            let some = match width - input {
                left if left >= C => C,
                2.. if input > 0 => 2,
                _ => 1,
            };
            for r in (0..count).step_by(R) {
                let (out, at) = (out + r, at + r);
                match (input, some) {
                    (0, 1) => self.block::<R, 1, true>(simd, out, at, input),
                    (0, _) => self.block::<R, C, true>(simd, out, at, input),
                    (_, 1) => self.block::<R, 1, false>(simd, out, at, input),
                    (_, some) if some == C => self.block::<R, C, false>(simd, out, at, input),
                    _ => self.block::<R, 2, false>(simd, out, at, input),
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
        at: usize,
        input: usize,
    ) {
        let LaneGradients {
            inputs,
            deltas,
            width,
            out: outputs,
            adds,
        } = *self.layer;
        let row = width * parts::<S>();
        for part in 0..parts::<S>() {
            let mut sums: LaneSums<S, R, C> = [[simd.splat_f32s(0.0); C]; R];
            let mut biases = [simd.splat_f32s(0.0); R];
            if adds {
                for r in 0..R {
                    let weight = &self.weight[(at + r) * row + input * parts::<S>()..];
                    let weight = &weight[..C * parts::<S>()];
                    for c in 0..C {
                        sums[r][c] = weight[c * parts::<S>() + part];
                    }
                    biases[r] = self.bias[(at + r) * parts::<S>() + part];
                }
            }
            let tiles = inputs.chunks_exact(width).zip(deltas.chunks_exact(outputs));
            for (inputs, deltas) in tiles {
                let inputs = &inputs[input..input + C];
                let deltas = &deltas[out..out + R];
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
                }
            }
            for r in 0..R {
                let weight = &mut self.weight[(at + r) * row + input * parts::<S>()..];
                let weight = &mut weight[..C * parts::<S>()];
                for c in 0..C {
                    weight[c * parts::<S>() + part] = sums[r][c];
                }
                if BIASES {
                    self.bias[(at + r) * parts::<S>() + part] = biases[r];
                }
            }
        }
    }
}
