//! A step of Adam, register by register, so that a kernel moves weights wherever it has time for it.
//!
//! `m = β₁ m + (1 - β₁) g`, `v = β₂ v + (1 - β₂) g²`, `w = κ w`, `w -= α m̂ / (√v̂ + ε)` with `m̂ = m / (1 - β₁ᵗ)` and
//! `v̂ = v / (1 - β₂ᵗ)` (Kingma & Ba 2015, algorithm 1; κ is the decay of Loshchilov & Hutter 2019, algorithm 2), as
//! `w -= α̂ m / (√v + ε̂)` with `α̂ = α √(1 - β₂ᵗ) / (1 - β₁ᵗ)` and `ε̂ = ε √(1 - β₂ᵗ)` (section 2 there).
//!
//! Roofline: four multiply-adds, a root and a division for a register of weights: 12 cycles of an AMD EPYC
//! core (Zen 4) beside the products of a layer, 17 by themselves.

use pulp::{Arch, Simd, WithSimd};

/// The numbers of one step, the same for all weights.
#[derive(Clone, Copy, Debug)]
pub struct AdamRule {
    /// Of gradients, `β₁`.
    mean: RunningMean,
    /// Of their squares, `β₂`.
    square: RunningMean,
    /// `α̂`.
    rate: f32,
    /// `ε̂`.
    epsilon: f32,
    decay: Option<Decay>,
}

/// How a running mean takes a new number.
#[derive(Clone, Copy, Debug)]
struct RunningMean {
    /// The share that is kept or that of the new number, whichever is smaller.
    share: f32,
    /// Whether it is the share that is kept.
    is_kept: bool,
}

impl RunningMean {
    fn new(kept: f64) -> Self {
        let is_kept = kept < 0.5;
        Self {
            share: if is_kept { kept } else { 1.0 - kept } as f32,
            is_kept,
        }
    }
}

/// What a step leaves of weights before it moves them.
#[derive(Clone, Copy, Debug)]
pub struct Decay {
    /// The share of a weight that is left.
    pub kept: f32,
    /// Whether only those weights decay that the step makes smaller as well (Chen et al. 2025).
    pub is_cautious: bool,
}

impl AdamRule {
    /// Step number `step`, from 1, with a learning rate, `β₁`, `β₂` and `ε`.
    pub fn new(
        step: i32,
        rate: f64,
        [beta1, beta2, epsilon]: [f64; 3],
        decay: Option<Decay>,
    ) -> Self {
        let scale = (1.0 - beta2.powi(step)).sqrt();
        Self {
            mean: RunningMean::new(beta1),
            square: RunningMean::new(beta2),
            rate: (rate * scale / (1.0 - beta1.powi(step))) as f32,
            epsilon: (epsilon * scale) as f32,
            decay,
        }
    }

    /// Whether means change slowly and weights do not decay: the usual case, for which kernels have no branches.
    pub fn is_plain(&self) -> bool {
        !self.mean.is_kept && !self.square.is_kept && self.decay.is_none()
    }
}

/// A step of Adam on some weights of all.
pub struct AdamStep<'a> {
    /// How the weights move.
    pub rule: AdamRule,
    /// The running mean of the gradients of each weight.
    pub means: &'a mut [f32],
    /// The running mean of their squares.
    pub squares: &'a mut [f32],
    /// By which instructions.
    pub arch: Arch,
}

impl AdamStep<'_> {
    /// Moves the weights from the `first` on.
    pub fn move_part(&mut self, first: usize, weights: &mut [f32], gradients: &[f32]) {
        let part = first..first + weights.len();
        self.arch.dispatch(AdamPart {
            rule: self.rule,
            means: &mut self.means[part.clone()],
            squares: &mut self.squares[part],
            weights,
            gradients,
        });
    }
}

/// An [`AdamRule`] in registers.
pub(super) struct AdamRegisters<S: Simd> {
    mean: S::f32s,
    square: S::f32s,
    rate: S::f32s,
    epsilon: S::f32s,
    kept: S::f32s,
    rule: AdamRule,
}

impl<S: Simd> AdamRegisters<S> {
    #[inline(always)]
    pub fn new(simd: S, rule: AdamRule) -> Self {
        Self {
            mean: simd.splat_f32s(rule.mean.share),
            square: simd.splat_f32s(rule.square.share),
            rate: simd.splat_f32s(rule.rate),
            epsilon: simd.splat_f32s(rule.epsilon),
            kept: simd.splat_f32s(rule.decay.map_or(1.0, |decay| decay.kept)),
            rule,
        }
    }

    /// Moves weights by their gradients; the rule is [plain](AdamRule::is_plain) where `PLAIN`.
    #[inline(always)]
    pub fn step<const PLAIN: bool>(
        &self,
        simd: S,
        weight: &mut S::f32s,
        gradient: S::f32s,
        [mean, square]: [&mut S::f32s; 2],
    ) {
        // From the nearer of the old mean and the new number to the other: one multiply-add.
        *mean = match !PLAIN && self.rule.mean.is_kept {
            true => simd.mul_add_e_f32s(self.mean, simd.sub_f32s(*mean, gradient), gradient),
            false => simd.mul_add_e_f32s(self.mean, simd.sub_f32s(gradient, *mean), *mean),
        };
        *square = match !PLAIN && self.rule.square.is_kept {
            true => {
                let new = simd.mul_f32s(gradient, gradient);
                simd.mul_add_e_f32s(self.square, simd.sub_f32s(*square, new), new)
            }
            false => {
                let less = simd.negate_mul_add_e_f32s(gradient, gradient, *square);
                simd.negate_mul_add_e_f32s(self.square, less, *square)
            }
        };
        if let (false, Some(decay)) = (PLAIN, self.rule.decay) {
            let decayed = simd.mul_f32s(self.kept, *weight);
            let grows = simd.less_than_f32s(simd.mul_f32s(*weight, *mean), simd.splat_f32s(0.0));
            *weight = match decay.is_cautious {
                true => simd.select_f32s(grows, *weight, decayed),
                false => decayed,
            };
        }
        let root = simd.add_f32s(simd.sqrt_f32s(*square), self.epsilon);
        *weight = simd.negate_mul_add_e_f32s(self.rate, simd.div_f32s(*mean, root), *weight);
    }
}

/// Some weights, one register after the other.
struct AdamPart<'a> {
    rule: AdamRule,
    means: &'a mut [f32],
    squares: &'a mut [f32],
    weights: &'a mut [f32],
    gradients: &'a [f32],
}

impl WithSimd for AdamPart<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rule = AdamRegisters::new(simd, self.rule);
        let (gradients, last) = S::as_simd_f32s(self.gradients);
        let [
            (weights, last_weights),
            (means, last_means),
            (squares, last_squares),
        ] = [self.weights, self.means, self.squares].map(S::as_mut_simd_f32s);
        let moments = means.iter_mut().zip(squares);
        for ((weight, gradient), (mean, square)) in weights.iter_mut().zip(gradients).zip(moments) {
            rule.step::<false>(simd, weight, *gradient, [mean, square]);
        }
        if !last.is_empty() {
            let gradient = simd.partial_load_f32s(last);
            let [mut weight, mut mean, mut square] =
                [&*last_weights, last_means, last_squares].map(|part| simd.partial_load_f32s(part));
            rule.step::<false>(simd, &mut weight, gradient, [&mut mean, &mut square]);
            simd.partial_store_f32s(last_weights, weight);
            simd.partial_store_f32s(last_means, mean);
            simd.partial_store_f32s(last_squares, square);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::testing::instruction_sets;

    /// Ten steps in double precision, as the papers have them, and how far each weight went.
    fn expected(
        start: &[f32],
        [beta1, beta2, epsilon]: [f64; 3],
        decay: Option<Decay>,
    ) -> Vec<[f64; 2]> {
        let start = start.iter().map(|weight| f64::from(*weight));
        let mut weights: Vec<[f64; 2]> = start.map(|weight| [weight, weight.abs()]).collect();
        for (at, [weight, way]) in weights.iter_mut().enumerate() {
            let (mut mean, mut square) = (0.0, 0.0);
            for step in 1..=10 {
                let gradient = f64::from(gradient(at, step));
                mean = beta1 * mean + (1.0 - beta1) * gradient;
                square = beta2 * square + (1.0 - beta2) * gradient * gradient;
                if let Some(decay) = decay
                    && !(decay.is_cautious && *weight * mean < 0.0)
                {
                    *weight *= f64::from(decay.kept);
                }
                let [mean, square] = [
                    mean / (1.0 - beta1.powi(step)),
                    square / (1.0 - beta2.powi(step)),
                ];
                let by = 1e-2 * mean / (square.sqrt() + epsilon);
                *weight -= by;
                *way += by.abs();
            }
        }
        weights
    }

    /// From large to small ones, so that a mean that takes the new number alone must forget the old.
    fn gradient(at: usize, step: i32) -> f32 {
        ((at * 7) as f32 + step as f32 * 1.3).sin() * 10_f32.powi(-step / 2)
    }

    #[test]
    fn steps_are_those_of_the_papers() {
        let start: Vec<f32> = (0..37).map(|at| (at as f32 * 0.7).cos() + 1.5).collect();
        let decay = |is_cautious| {
            Some(Decay {
                kept: 0.95,
                is_cautious,
            })
        };
        for betas in [[0.9, 0.999], [0.0, 0.0], [0.3, 0.7], [0.7, 0.01]] {
            for decay in [None, decay(false), decay(true)] {
                let betas = [betas[0], betas[1], 1e-8];
                let expected = expected(&start, betas, decay);
                for arch in instruction_sets() {
                    let mut weights = start.clone();
                    let (mut means, mut squares) = (vec![0.0; 37], vec![0.0; 37]);
                    for step in 1..=10 {
                        let gradients: Vec<f32> = (0..37).map(|at| gradient(at, step)).collect();
                        let mut moves = AdamStep {
                            rule: AdamRule::new(step, 1e-2, betas, decay),
                            means: &mut means,
                            squares: &mut squares,
                            arch,
                        };
                        moves.move_part(0, &mut weights[..20], &gradients[..20]);
                        moves.move_part(20, &mut weights[20..], &gradients[20..]);
                    }
                    for (found, [expected, way]) in weights.iter().zip(&expected) {
                        let apart = (f64::from(*found) - expected).abs();
                        assert!(
                            apart < 5e-7 * way,
                            "{arch:?} {betas:?} {decay:?}: {apart} {way}"
                        );
                    }
                }
            }
        }
    }
}
