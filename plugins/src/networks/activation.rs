//! What follows each hidden layer.

use engine::words;
use pulp::{Arch, Scalar, Simd, WithSimd};

use super::gelu::{gelu, gelu_rounded, gelu_tanh};
use super::lanes::{Lanes, at_least};
use super::tangent::{rounded, tanh};

words! {
    /// What follows each hidden layer.
    pub enum Activation {
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// `max(x, 0)`.
        Relu = "relu",
        /// Gaussian error linear unit `x Φ(x)`, as `torch.nn.GELU()`.
        Gelu = "gelu",
        /// The same with a tanh for `Φ`, as `torch.nn.GELU(approximate="tanh")`.
        GeluTanh = "gelu_tanh",
        /// Logistic function.
        Sigmoid = "sigmoid",
        /// Sigmoid linear unit, `x` times the logistic function, as `torch.nn.SiLU()`.
        Silu = "silu",
    }
}

impl Activation {
    /// Turns numbers into their activations, to the same bits by every instruction set.
    pub fn apply(self, values: &mut [f32]) {
        struct Apply<'a>(Activation, &'a mut [f32]);

        impl WithSimd for Apply<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                self.0.apply_by(simd, self.1);
            }
        }

        Arch::new().dispatch(Apply(self, values));
    }

    /// The same by the instructions that the caller is compiled for.
    #[inline(always)]
    pub(super) fn apply_by<S: Simd>(self, simd: S, values: &mut [f32]) {
        // One loop for each activation, so that each becomes one of vectors.
        match self {
            Activation::Tanh => each(
                simd,
                values,
                #[inline(always)]
                |x| rounded::<S, false>(simd, x),
            ),
            // Not `max`, which hides a NaN.
            Activation::Relu => values
                .iter_mut()
                .for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
            Activation::Gelu => values
                .iter_mut()
                .for_each(|x| *x = gelu(Scalar::new(), *x).0),
            Activation::GeluTanh => each(
                simd,
                values,
                #[inline(always)]
                |x| gelu_rounded::<S, false>(simd, x).0,
            ),
            Activation::Sigmoid => each(
                simd,
                values,
                #[inline(always)]
                |x| logistic(simd, x),
            ),
            Activation::Silu => each(
                simd,
                values,
                #[inline(always)]
                |x| simd.mul_f32s(x, logistic(simd, x)),
            ),
        }
    }
}

/// The logistic function, each product rounded before it is added.
#[inline(always)]
fn logistic<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let half = simd.splat_f32s(0.5);
    let bend = rounded::<S, false>(simd, simd.mul_f32s(half, x));
    simd.add_f32s(simd.mul_f32s(half, bend), half)
}

/// Turns each number into a function of it.
#[inline(always)]
fn each<S: Simd>(simd: S, values: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let (registers, rest) = S::as_mut_simd_f32s(values);
    for register in registers {
        *register = f(*register);
    }
    if !rest.is_empty() {
        let value = f(simd.partial_load_f32s(rest));
        simd.partial_store_f32s(rest, value);
    }
}

/// Work that needs an activation: compiled once for each.
pub(super) trait OnCurve<S: Simd> {
    /// Does it; `curve` turns numbers into their activations and the derivatives there.
    fn on(self, curve: impl Fn(S::f32s) -> (S::f32s, S::f32s));
}

/// Does work with an activation.
#[inline(always)]
pub(super) fn on_curve<S: Simd>(simd: S, activation: Activation, work: impl OnCurve<S>) {
    let [zero, half, one] = [0.0, 0.5, 1.0].map(|value| simd.splat_f32s(value));
    match activation {
        Activation::Tanh => work.on(
            #[inline(always)]
            |x| {
                let value = tanh(simd, x);
                (value, simd.negate_mul_add_e_f32s(value, value, one))
            },
        ),
        Activation::Relu => work.on(
            #[inline(always)]
            |x| {
                let active = simd.greater_than_f32s(x, zero);
                (at_least(simd, 0.0, x), simd.select_f32s(active, one, zero))
            },
        ),
        Activation::Sigmoid => work.on(
            #[inline(always)]
            |x| {
                let bend = tanh(simd, simd.mul_f32s(half, x));
                let value = simd.mul_add_e_f32s(half, bend, half);
                (value, simd.negate_mul_add_e_f32s(value, value, value))
            },
        ),
        Activation::Silu => work.on(
            #[inline(always)]
            |x| {
                let bend = tanh(simd, simd.mul_f32s(half, x));
                let share = simd.mul_add_e_f32s(half, bend, half);
                let value = simd.mul_f32s(x, share);
                (
                    value,
                    simd.add_f32s(share, simd.negate_mul_add_e_f32s(value, share, value)),
                )
            },
        ),
        Activation::Gelu => work.on(
            #[inline(always)]
            |x| gelu(simd, x),
        ),
        Activation::GeluTanh => work.on(
            #[inline(always)]
            |x| gelu_tanh(simd, x),
        ),
    }
}

/// The activations of outputs, which become the inputs of the next layer; the outputs become the
/// derivatives of the activation.
#[inline(always)]
pub(super) fn activate<S: Simd, const N: usize>(
    simd: S,
    activation: Activation,
    outputs: &mut Lanes<N>,
    inputs: &mut Lanes<N>,
) {
    struct Both<'a, const N: usize>(&'a mut Lanes<N>, &'a mut Lanes<N>);

    impl<S: Simd, const N: usize> OnCurve<S> for Both<'_, N> {
        #[inline(always)]
        fn on(self, curve: impl Fn(S::f32s) -> (S::f32s, S::f32s)) {
            let outputs = self.0.registers_mut::<S>().iter_mut();
            for (output, input) in outputs.zip(self.1.registers_mut::<S>()) {
                (*input, *output) = curve(*output);
            }
        }
    }

    on_curve(simd, activation, Both(outputs, inputs));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_have_their_published_values() {
        // tanh(1), Φ(1), the tanh form of GELU at 1 (Hendrycks & Gimpel 2016, eq. 2), 1/(1+e^-1) twice.
        for (activation, value) in [
            (Activation::Tanh, 0.761_594_2),
            (Activation::Relu, 1.0),
            (Activation::Gelu, 0.841_344_7),
            (Activation::GeluTanh, 0.841_192),
            (Activation::Sigmoid, 0.731_058_6),
            (Activation::Silu, 0.731_058_6),
        ] {
            let mut found = [1.0];
            activation.apply(&mut found);
            assert!((found[0] - value).abs() < 2e-7, "{activation:?}");
        }
        let mut found = [-1.0, f32::NAN];
        Activation::Relu.apply(&mut found);
        assert!(found[0] == 0.0 && found[1].is_nan());
    }
}
