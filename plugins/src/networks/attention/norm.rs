//! The norm of tokens, `y = scale · n + shift` with `n = (x - mean) / dev`, and its chain rule
//! `dx = (g - mean(g) - n mean(g n)) / dev` for `g = scale · dy` (Ba et al. 2016).

use pulp::{Simd, WithSimd};

use crate::networks::encoder::EPSILON;
use crate::networks::fused::{Rows, TILE, sum_pairs};

/// What a pass keeps of the norm of all tokens.
#[derive(Clone)]
pub(super) struct TokenNorm {
    /// Tokens of mean zero and variance one, `[tokens, width]`.
    normal: Vec<Rows>,
    /// One over the deviation of each token, `[tokens]`.
    inverse: Vec<Rows>,
}

impl TokenNorm {
    pub fn new(tokens: usize, width: usize) -> Self {
        Self {
            normal: vec![Rows::ZERO; tokens * width],
            inverse: vec![Rows::ZERO; tokens],
        }
    }
}

/// Normalises all tokens and keeps what the way back needs, or keeps nothing and rounds after each operation, `FUSED`
/// or not.
pub(super) struct Normalise<'a, const FUSED: bool> {
    pub norm: &'a mut TokenNorm,
    /// `[width]`, as the shift.
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    /// `[tokens, width]`.
    pub tokens: &'a mut [Rows],
}

impl<const FUSED: bool> WithSimd for Normalise<'_, FUSED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if !FUSED {
            return self.rounded(simd);
        }
        let width = self.scale.len();
        let share = simd.splat_f32s(1.0 / width as f32);
        let epsilon = simd.splat_f32s(EPSILON);
        let tokens = self.tokens.chunks_exact_mut(width);
        let kept = self.norm.normal.chunks_exact_mut(width);
        for ((token, normal), inverse) in tokens.zip(kept).zip(&mut self.norm.inverse) {
            for (column, inverse) in inverse.registers_mut::<S>().iter_mut().enumerate() {
                let mut sum = simd.splat_f32s(0.0);
                for number in &*token {
                    sum = simd.add_f32s(sum, number.registers::<S>()[column]);
                }
                let mean = simd.mul_f32s(sum, share);
                let mut squares = simd.splat_f32s(0.0);
                for (number, normal) in token.iter().zip(&mut *normal) {
                    let apart = simd.sub_f32s(number.registers::<S>()[column], mean);
                    normal.registers_mut::<S>()[column] = apart;
                    squares = simd.mul_add_e_f32s(apart, apart, squares);
                }
                let variance = simd.mul_add_e_f32s(squares, share, epsilon);
                *inverse = simd.div_f32s(simd.splat_f32s(1.0), simd.sqrt_f32s(variance));
                let own = self.scale.iter().zip(self.shift);
                for ((number, normal), (scale, shift)) in
                    token.iter_mut().zip(&mut *normal).zip(own)
                {
                    let normal = &mut normal.registers_mut::<S>()[column];
                    *normal = simd.mul_f32s(*normal, *inverse);
                    let (scale, shift) = (simd.splat_f32s(*scale), simd.splat_f32s(*shift));
                    number.registers_mut::<S>()[column] =
                        simd.mul_add_e_f32s(*normal, scale, shift);
                }
            }
        }
    }
}

impl<const FUSED: bool> Normalise<'_, FUSED> {
    /// To the same bits by every instruction set.
    #[inline(always)]
    fn rounded<S: Simd>(self, simd: S) {
        let count = simd.splat_f32s(self.scale.len() as f32);
        let epsilon = simd.splat_f32s(EPSILON);
        for token in self.tokens.chunks_exact_mut(self.scale.len()) {
            for column in 0..TILE / S::F32_LANES {
                let mut sum = simd.splat_f32s(0.0);
                for number in &*token {
                    sum = simd.add_f32s(sum, number.registers::<S>()[column]);
                }
                let mean = simd.div_f32s(sum, count);
                let mut squares = simd.splat_f32s(0.0);
                for number in &mut *token {
                    let number = &mut number.registers_mut::<S>()[column];
                    *number = simd.sub_f32s(*number, mean);
                    squares = simd.add_f32s(squares, simd.mul_f32s(*number, *number));
                }
                let variance = simd.add_f32s(simd.div_f32s(squares, count), epsilon);
                let deviation = simd.sqrt_f32s(variance);
                let own = self.scale.iter().zip(self.shift);
                for (number, (scale, shift)) in token.iter_mut().zip(own) {
                    let number = &mut number.registers_mut::<S>()[column];
                    let scaled =
                        simd.mul_f32s(simd.div_f32s(*number, deviation), simd.splat_f32s(*scale));
                    *number = simd.add_f32s(scaled, simd.splat_f32s(*shift));
                }
            }
        }
    }
}

/// Turns deltas of what a norm returns into those of what went in, and adds its gradients.
pub(super) struct NormBack<'a> {
    pub norm: &'a TokenNorm,
    /// `[width]`, as all gradients.
    pub scale: &'a [f32],
    pub scale_gradient: &'a mut [f32],
    pub shift_gradient: &'a mut [f32],
    /// `[tokens, width]`.
    pub deltas: &'a mut [Rows],
}

impl WithSimd for NormBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        sum_pairs(simd, self.deltas, &self.norm.normal, self.scale_gradient);
        sum_pairs(simd, self.deltas, &[], self.shift_gradient);
        let width = self.scale.len();
        let share = simd.splat_f32s(-1.0 / width as f32);
        let tokens = self.deltas.chunks_exact_mut(width);
        let kept = self.norm.normal.chunks_exact(width);
        for ((deltas, normal), inverse) in tokens.zip(kept).zip(&self.norm.inverse) {
            for (column, inverse) in inverse.registers::<S>().iter().enumerate() {
                let mut sum = simd.splat_f32s(0.0);
                let mut along = simd.splat_f32s(0.0);
                for ((delta, normal), scale) in deltas.iter_mut().zip(normal).zip(self.scale) {
                    let delta = &mut delta.registers_mut::<S>()[column];
                    *delta = simd.mul_f32s(*delta, simd.splat_f32s(*scale));
                    sum = simd.add_f32s(sum, *delta);
                    along = simd.mul_add_e_f32s(*delta, normal.registers::<S>()[column], along);
                }
                let (mean, along) = (simd.mul_f32s(sum, share), simd.mul_f32s(along, share));
                for (delta, normal) in deltas.iter_mut().zip(normal) {
                    let delta = &mut delta.registers_mut::<S>()[column];
                    let normal = normal.registers::<S>()[column];
                    let apart = simd.mul_add_e_f32s(along, normal, simd.add_f32s(*delta, mean));
                    *delta = simd.mul_f32s(apart, *inverse);
                }
            }
        }
    }
}
