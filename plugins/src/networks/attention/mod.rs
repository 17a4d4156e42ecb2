//! Fast gradients of transformers: an encoder as the [`FrontEnd`] of the fused dense layers.
//!
//! Each number of each token has the rows of a tile side by side in vector lanes, so that all of a
//! layer is sums of registers, and no token changes places with its row. With tokens `x[t]` a layer
//! is, for each head,
//!
//! `q, k, v = W x + b`, `s[t,u] = softmax_u(q[t] · k[u] / √p)`, `a[t] = Σ_u s[t,u] v[u]`,
//!
//! `y = norm(x + V a + c)`, `z = norm(y + D f(U y + e) + g)`, with `norm(x) = m (x - mean) / dev + n`
//!
//! (Vaswani et al. 2017), and the pass back is the chain rule, part by part: `heads.rs` between
//! tokens, `norm.rs` for the norm, the products of `fused` for `W`, `V`, `U` and `D`.
//!
//! Roofline: `6 T (4 w² + 2 w f + 2 T w)` floating-point operations a row and layer, of `T` tokens
//! of `w` numbers, `f` between the dense layers: 14 million for 64 rows of 8 tokens, 16 and 32 wide,
//! in 2 layers. Blocks of 8 × 2 or 4 × 6 sums load fewer registers than they multiply; the
//! numbers of a tile (0.4 MB there) are in the second cache.

mod features;
mod heads;
mod layer;
mod norm;

use pulp::Simd;

pub(super) use features::EncoderFeatures;
use features::{embed, sum_of};
use layer::{EncoderLayer, TokenScratch};

use super::encoder::taken;
use super::fused::{FrontEnd, FusedLayer, InputRows, Rows, sum_pairs};
use super::lanes::Lanes;
use super::{Activation, Encoder};

/// An encoder on a tile of rows; see the module.
#[derive(Clone)]
pub(super) struct Attention {
    shape: Encoder,
    /// How many weights it has.
    weights: usize,
    /// `[tokens]`.
    inputs: Vec<Rows>,
    layers: Vec<EncoderLayer>,
    /// The tokens after the last layer, then the deltas of those after any, `[tokens, width]`.
    tokens: Vec<Rows>,
    scratch: TokenScratch,
    /// Derivatives of the mean token by each, then of the loss by the mean, `[width]`.
    slopes: Vec<Rows>,
}

impl Attention {
    /// The encoder, with this activation between its dense layers.
    pub fn new(shape: &Encoder, activation: Activation) -> Self {
        Self {
            shape: shape.clone(),
            weights: shape.weights(),
            inputs: vec![Rows::ZERO; shape.tokens],
            layers: (0..shape.layers)
                .map(|_| EncoderLayer::new(shape, activation))
                .collect(),
            tokens: vec![Rows::ZERO; shape.tokens * shape.width],
            scratch: TokenScratch::new(shape),
            slopes: vec![Rows::ZERO; shape.width],
        }
    }

    /// How many weights come before those of the layers, and how many of those each layer has.
    fn sizes(&self) -> (usize, usize) {
        let front = 2 * self.tokens.len();
        let layers = self.layers.len().max(1);
        (front, (self.weights - front) / layers)
    }
}

impl FrontEnd for Attention {
    const PART: usize = 1;

    fn weights(&self) -> usize {
        self.weights
    }

    #[inline(always)]
    fn forward<S: Simd>(
        &mut self,
        simd: S,
        mut weights: &[f32],
        rows: InputRows<'_>,
        first: &mut FusedLayer,
    ) {
        let (width, (_, of_layer)) = (self.shape.width, self.sizes());
        rows.columns(simd, &mut self.inputs);
        let [values, places] = [self.tokens.len(); 2].map(|count| taken(&mut weights, count));
        embed::<S, true>(simd, &self.inputs, [values, places], &mut self.tokens);
        for layer in &mut self.layers {
            layer.forward::<S, true>(simd, taken(&mut weights, of_layer), &mut self.tokens);
        }
        let share = 1.0 / self.shape.tokens as f32;
        let means = first.features().iter_mut().zip(&mut self.slopes);
        for (at, (mean, slope)) in means.enumerate() {
            *slope = Lanes([share; _]);
            *mean = sum_of(simd, self.tokens[at..].iter().step_by(width));
            for mean in mean.registers_mut::<S>() {
                *mean = simd.mul_f32s(*mean, simd.splat_f32s(share));
            }
        }
        first.keep_rows(simd);
    }

    fn slopes(&mut self) -> &mut [Rows] {
        &mut self.slopes
    }

    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S, weights: &[f32], gradients: &mut [f32]) {
        let (width, (front, of_layer)) = (self.shape.width, self.sizes());
        for token in self.tokens.chunks_exact_mut(width) {
            token.copy_from_slice(&self.slopes);
        }
        for (at, layer) in self.layers.iter_mut().enumerate().rev() {
            let own = front + at * of_layer..front + (at + 1) * of_layer;
            let gradients = &mut gradients[own.clone()];
            let scratch = &mut self.scratch;
            layer.backward(simd, &weights[own], gradients, &mut self.tokens, scratch);
        }
        let (values, places) = gradients[..front].split_at_mut(front / 2);
        sum_pairs(simd, &self.tokens, &[], places);
        for (token, input) in self.tokens.chunks_exact_mut(width).zip(&self.inputs) {
            for delta in token {
                let deltas = delta.registers_mut::<S>().iter_mut();
                for (delta, input) in deltas.zip(input.registers::<S>()) {
                    *delta = simd.mul_f32s(*delta, *input);
                }
            }
        }
        sum_pairs(simd, &self.tokens, &[], values);
    }
}

#[cfg(test)]
mod tests;
