//! What an encoder makes of rows, with nothing kept for the way back.
//!
//! The sums are those of the module, with the rows of a tile side by side in lanes; a product is rounded before it is
//! added, so that all machines give the same bits.
//!
//! Roofline: a product and a sum a cycle, on parts of a core that work at the same time. The numbers of one layer on
//! a tile serve all layers, so that they stay in the nearest cache that holds them.

use pulp::{Simd, WithSimd};

use super::layer::EncoderLayer;
use crate::networks::encoder::taken;
use crate::networks::fused::{InputRows, Rows, TILE};
use crate::networks::lanes::mul_add;
use crate::networks::{Activation, Encoder};

/// The mean token of every row, `[rows, width]`, a tile at a time.
pub(in crate::networks) struct EncoderFeatures<'a> {
    pub encoder: &'a Encoder,
    pub activation: Activation,
    /// Those of the encoder.
    pub weights: &'a [f32],
    /// `[rows, tokens]`.
    pub inputs: &'a [f32],
}

impl WithSimd for EncoderFeatures<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Encoder { tokens, width, .. } = *self.encoder;
        let mut layer = EncoderLayer::new(self.encoder, self.activation);
        let mut inputs = vec![Rows::ZERO; tokens];
        let mut numbers = vec![Rows::ZERO; tokens * width];
        let mut means = vec![Rows::ZERO; width];
        let mut features = Vec::with_capacity(self.inputs.len() / tokens * width);
        for some in self.inputs.chunks(TILE * tokens) {
            let rows = InputRows {
                count: some.len() / tokens,
                width: tokens,
                inputs: some,
            };
            rows.columns(simd, &mut inputs);
            let mut weights = self.weights;
            let [values, places] = [numbers.len(); 2].map(|count| taken(&mut weights, count));
            embed::<S, false>(simd, &inputs, [values, places], &mut numbers);
            let of_layer = weights.len() / self.encoder.layers.max(1);
            for _ in 0..self.encoder.layers {
                let own = taken(&mut weights, of_layer);
                layer.forward::<S, false>(simd, own, &mut numbers);
            }
            let count = simd.splat_f32s(tokens as f32);
            for (at, mean) in means.iter_mut().enumerate() {
                *mean = sum_of(simd, numbers[at..].iter().step_by(width));
                for mean in mean.registers_mut::<S>() {
                    *mean = simd.div_f32s(*mean, count);
                }
            }
            for row in 0..rows.count {
                features.extend(means.iter().map(|mean| mean.0[row]));
            }
        }
        features
    }
}

/// Fills the tokens, `[tokens, width]`: each input times its values, plus its places, both `[tokens, width]`.
#[inline(always)]
pub(super) fn embed<S: Simd, const FUSED: bool>(
    simd: S,
    inputs: &[Rows],
    [values, places]: [&[f32]; 2],
    tokens: &mut [Rows],
) {
    let width = tokens.len() / inputs.len().max(1);
    let weights = values.iter().zip(places);
    for (at, (number, (value, place))) in tokens.iter_mut().zip(weights).enumerate() {
        let (value, place) = (simd.splat_f32s(*value), simd.splat_f32s(*place));
        let input = inputs[at / width].registers::<S>();
        for (number, input) in number.registers_mut::<S>().iter_mut().zip(input) {
            *number = mul_add::<S, FUSED>(simd, *input, value, place);
        }
    }
}

/// The sum of numbers, lane by lane.
#[inline(always)]
pub(super) fn sum_of<'a, S: Simd>(simd: S, numbers: impl Iterator<Item = &'a Rows>) -> Rows {
    let mut sums = Rows::ZERO;
    for number in numbers {
        let numbers = number.registers::<S>();
        for (sum, number) in sums.registers_mut::<S>().iter_mut().zip(numbers) {
            *sum = simd.add_f32s(*sum, *number);
        }
    }
    sums
}
