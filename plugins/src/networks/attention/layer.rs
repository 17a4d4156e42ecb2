//! One layer of an encoder on a tile, forward and backward.

use pulp::{Simd, WithSimd};

use super::heads::{Attend, AttendBack, HeadShape};
use super::norm::{NormBack, Normalise, TokenNorm};
use crate::networks::activation::activate;
use crate::networks::encoder::taken;
use crate::networks::fused::{Affine, Onto, PassBack, PlaceSums, Rows, in_blocks, sum_pairs};
use crate::networks::{Activation, Encoder};

/// What a pass keeps of a layer.
#[derive(Clone)]
pub(super) struct EncoderLayer {
    activation: Activation,
    heads: HeadShape,
    /// How many weights each of its tensors has.
    sizes: [usize; 12],
    /// Tokens that come in, `[tokens, width]`.
    from: Vec<Rows>,
    /// Questions, keys and values, `[tokens, 3 width]`.
    asked: Vec<Rows>,
    /// `[heads, tokens, tokens]`.
    shares: Vec<Rows>,
    /// `[tokens, width]`.
    attended: Vec<Rows>,
    first: TokenNorm,
    /// Tokens after the first norm, `[tokens, width]`.
    between: Vec<Rows>,
    /// Between the dense layers, `[tokens, feedforward]`.
    inner: Vec<Rows>,
    /// The derivatives of the activation there, then those of the loss by what goes into it.
    inner_slopes: Vec<Rows>,
    second: TokenNorm,
}

/// Numbers that layers need one after the other on the way back.
#[derive(Clone)]
pub(super) struct TokenScratch {
    /// `[tokens, width]`.
    attended: Vec<Rows>,
    /// `[tokens, 3 width]`.
    asked: Vec<Rows>,
    /// `[tokens, tokens]`.
    scores: Vec<Rows>,
    /// Where the inputs of a dense layer are.
    seen: Vec<usize>,
    /// Where the inputs and deltas of tokens are.
    places: Vec<[usize; 2]>,
}

impl TokenScratch {
    pub fn new(shape: &Encoder) -> Self {
        let rows = |count| vec![Rows::ZERO; count];
        let of_tokens = shape.tokens * shape.width;
        Self {
            attended: rows(of_tokens),
            asked: rows(3 * of_tokens),
            scores: rows(shape.tokens * shape.tokens),
            seen: (0..shape.width.max(shape.feedforward)).collect(),
            places: vec![[0; 2]; shape.tokens],
        }
    }
}

impl EncoderLayer {
    pub fn new(shape: &Encoder, activation: Activation) -> Self {
        let rows = |count| vec![Rows::ZERO; count];
        let Encoder { tokens, width, .. } = *shape;
        Self {
            activation,
            heads: HeadShape {
                tokens,
                width,
                heads: shape.heads,
            },
            sizes: shape.layer().map(|(_, shape)| shape.iter().product()),
            from: rows(tokens * width),
            asked: rows(3 * tokens * width),
            shares: rows(shape.heads * tokens * tokens),
            attended: rows(tokens * width),
            first: TokenNorm::new(tokens, width),
            between: rows(tokens * width),
            inner: rows(tokens * shape.feedforward),
            inner_slopes: rows(tokens * shape.feedforward),
            second: TokenNorm::new(tokens, width),
        }
    }

    /// Turns tokens that come in into those that go out; where not `FUSED`, to the same bits by every instruction
    /// set, and what is kept is of no use on the way back.
    #[inline(always)]
    pub fn forward<S: Simd, const FUSED: bool>(
        &mut self,
        simd: S,
        mut weights: &[f32],
        tokens: &mut [Rows],
    ) {
        let [
            asked,
            asked_bias,
            answer,
            answer_bias,
            up,
            up_bias,
            down,
            down_bias,
            scale1,
            shift1,
            scale2,
            shift2,
        ] = self.sizes.map(|count| taken(&mut weights, count));
        self.from.copy_from_slice(tokens);
        simd.vectorize(TokenDense::<FUSED> {
            inputs: tokens,
            weight: asked,
            bias: asked_bias,
            outputs: &mut self.asked,
        });
        simd.vectorize(Attend::<FUSED> {
            heads: self.heads,
            asked: &self.asked,
            shares: &mut self.shares,
            attended: &mut self.attended,
        });
        simd.vectorize(TokenDense::<FUSED> {
            inputs: &self.attended,
            weight: answer,
            bias: answer_bias,
            outputs: &mut self.between,
        });
        add(simd, &mut self.between, &self.from);
        simd.vectorize(Normalise::<FUSED> {
            norm: &mut self.first,
            scale: scale1,
            shift: shift1,
            tokens: &mut self.between,
        });
        simd.vectorize(TokenDense::<FUSED> {
            inputs: &self.between,
            weight: up,
            bias: up_bias,
            outputs: &mut self.inner_slopes,
        });
        for (slope, inner) in self.inner_slopes.iter_mut().zip(&mut self.inner) {
            if FUSED {
                activate(simd, self.activation, slope, inner);
            } else {
                *inner = *slope;
                self.activation.apply_by(simd, &mut inner.0);
            }
        }
        simd.vectorize(TokenDense::<FUSED> {
            inputs: &self.inner,
            weight: down,
            bias: down_bias,
            outputs: tokens,
        });
        add(simd, tokens, &self.between);
        simd.vectorize(Normalise::<FUSED> {
            norm: &mut self.second,
            scale: scale2,
            shift: shift2,
            tokens,
        });
    }

    /// Turns deltas of tokens that go out into those of tokens that came in, and adds the
    /// gradients.
    #[inline(always)]
    pub fn backward<S: Simd>(
        &mut self,
        simd: S,
        mut weights: &[f32],
        mut gradients: &mut [f32],
        deltas: &mut [Rows],
        scratch: &mut TokenScratch,
    ) {
        let [asked, _, answer, _, up, _, down, _, scale1, _, scale2, _] =
            self.sizes.map(|count| taken(&mut weights, count));
        let [
            asked_sum,
            asked_bias,
            answer_sum,
            answer_bias,
            up_sum,
            up_bias,
            down_sum,
            down_bias,
            scale1_sum,
            shift1,
            scale2_sum,
            shift2,
        ] = self
            .sizes
            .map(|count| gradients.split_off_mut(..count).unwrap_or_default());
        let TokenScratch {
            attended,
            asked: asked_deltas,
            scores,
            seen,
            places,
        } = scratch;
        let mut dense = DenseSums { seen, places };
        simd.vectorize(NormBack {
            norm: &self.second,
            scale: scale2,
            scale_gradient: scale2_sum,
            shift_gradient: shift2,
            deltas,
        });
        dense.add(simd, &self.inner, deltas, down_sum, down_bias);
        simd.vectorize(TokenDenseBack {
            outputs: deltas,
            weight: down,
            deltas: &mut self.inner_slopes,
            onto: Onto::Slopes,
            tokens: self.heads.tokens,
        });
        dense.add(simd, &self.between, &self.inner_slopes, up_sum, up_bias);
        simd.vectorize(TokenDenseBack {
            outputs: &self.inner_slopes,
            weight: up,
            deltas,
            onto: Onto::Deltas,
            tokens: self.heads.tokens,
        });
        simd.vectorize(NormBack {
            norm: &self.first,
            scale: scale1,
            scale_gradient: scale1_sum,
            shift_gradient: shift1,
            deltas,
        });
        dense.add(simd, &self.attended, deltas, answer_sum, answer_bias);
        simd.vectorize(TokenDenseBack {
            outputs: deltas,
            weight: answer,
            deltas: attended,
            onto: Onto::Nothing,
            tokens: self.heads.tokens,
        });
        simd.vectorize(AttendBack {
            heads: self.heads,
            asked: &self.asked,
            shares: &self.shares,
            deltas: attended,
            scores,
            asked_deltas,
        });
        dense.add(simd, &self.from, asked_deltas, asked_sum, asked_bias);
        simd.vectorize(TokenDenseBack {
            outputs: asked_deltas,
            weight: asked,
            deltas,
            onto: Onto::Deltas,
            tokens: self.heads.tokens,
        });
    }
}

/// `outputs = weight · inputs + bias` for every token.
struct TokenDense<'a, const FUSED: bool> {
    inputs: &'a [Rows],
    weight: &'a [f32],
    bias: &'a [f32],
    outputs: &'a mut [Rows],
}

impl<const FUSED: bool> WithSimd for TokenDense<'_, FUSED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (weight, bias) = (self.weight, self.bias);
        let inputs = self.inputs.chunks_exact(weight.len() / bias.len());
        let outputs = self.outputs.chunks_exact_mut(bias.len());
        for (inputs, outputs) in inputs.zip(outputs) {
            let affine = Affine::<FUSED> {
                inputs,
                weight,
                bias,
                outputs,
            };
            in_blocks(simd, bias.len(), affine);
        }
    }
}

/// `deltas = weightᵀ · outputs` for every token, times or plus what is there.
struct TokenDenseBack<'a> {
    outputs: &'a [Rows],
    weight: &'a [f32],
    deltas: &'a mut [Rows],
    onto: Onto,
    tokens: usize,
}

impl WithSimd for TokenDenseBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [out, width] = [self.outputs.len(), self.deltas.len()].map(|all| all / self.tokens);
        let outputs = self.outputs.chunks_exact(out);
        for (outputs, deltas) in outputs.zip(self.deltas.chunks_exact_mut(width)) {
            let pass_back = PassBack {
                outputs,
                weight: self.weight,
                deltas,
                onto: self.onto,
            };
            in_blocks(simd, width, pass_back);
        }
    }
}

/// Adds the gradients of dense layers that all tokens go through.
struct DenseSums<'a> {
    seen: &'a [usize],
    places: &'a mut [[usize; 2]],
}

impl DenseSums<'_> {
    #[inline(always)]
    fn add<S: Simd>(
        &mut self,
        simd: S,
        inputs: &[Rows],
        deltas: &[Rows],
        weight: &mut [f32],
        bias: &mut [f32],
    ) {
        let (width, out) = (weight.len() / bias.len(), bias.len());
        for (token, place) in self.places.iter_mut().enumerate() {
            *place = [token * width, token * out];
        }
        sum_pairs(simd, deltas, &[], bias);
        simd.vectorize(PlaceSums {
            inputs,
            seen: &self.seen[..width],
            deltas,
            stride: 1,
            places: self.places,
            weight,
        });
    }
}

/// `sums += numbers`.
#[inline(always)]
fn add<S: Simd>(simd: S, sums: &mut [Rows], numbers: &[Rows]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        let numbers = number.registers::<S>();
        for (sum, number) in sum.registers_mut::<S>().iter_mut().zip(numbers) {
            *sum = simd.add_f32s(*sum, *number);
        }
    }
}
