//! What follows each hidden layer.

use engine::words;
use pulp::{Scalar, Simd};

use super::gelu::{gelu, gelu_tanh};
use super::lanes::{Lanes, at_least, tanh};

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
    /// Turns numbers into their activations.
    #[inline(always)]
    pub fn apply(self, values: &mut [f32]) {
        // One loop for each activation, so that each becomes one of vectors.
        match self {
            Activation::Tanh => values.iter_mut().for_each(|x| *x = tanh(Scalar::new(), *x)),
            // Not `max`, which hides a NaN.
            Activation::Relu => values
                .iter_mut()
                .for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
            Activation::Gelu => values
                .iter_mut()
                .for_each(|x| *x = gelu(Scalar::new(), *x).0),
            Activation::GeluTanh => values
                .iter_mut()
                .for_each(|x| *x = gelu_tanh(Scalar::new(), *x).0),
            Activation::Sigmoid => values
                .iter_mut()
                .for_each(|x| *x = 0.5 * tanh(Scalar::new(), 0.5 * *x) + 0.5),
            Activation::Silu => values
                .iter_mut()
                .for_each(|x| *x *= 0.5 * tanh(Scalar::new(), 0.5 * *x) + 0.5),
        }
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
    let [zero, half, one] = [0.0, 0.5, 1.0].map(|value| simd.splat_f32s(value));
    match activation {
        Activation::Tanh => apply::<S, N>(
            outputs,
            inputs,
            #[inline(always)]
            |x| {
                let value = tanh(simd, x);
                (value, simd.negate_mul_add_e_f32s(value, value, one))
            },
        ),
        Activation::Relu => apply::<S, N>(
            outputs,
            inputs,
            #[inline(always)]
            |x| {
                let active = simd.greater_than_f32s(x, zero);
                (at_least(simd, 0.0, x), simd.select_f32s(active, one, zero))
            },
        ),
        Activation::Sigmoid => apply::<S, N>(
            outputs,
            inputs,
            #[inline(always)]
            |x| {
                let bend = tanh(simd, simd.mul_f32s(half, x));
                let value = simd.mul_add_e_f32s(half, bend, half);
                (value, simd.negate_mul_add_e_f32s(value, value, value))
            },
        ),
        Activation::Silu => apply::<S, N>(
            outputs,
            inputs,
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
        Activation::Gelu => apply::<S, N>(
            outputs,
            inputs,
            #[inline(always)]
            |x| gelu(simd, x),
        ),
        Activation::GeluTanh => apply::<S, N>(
            outputs,
            inputs,
            #[inline(always)]
            |x| gelu_tanh(simd, x),
        ),
    }
}

#[inline(always)]
fn apply<S: Simd, const N: usize>(
    outputs: &mut Lanes<N>,
    inputs: &mut Lanes<N>,
    f: impl Fn(S::f32s) -> (S::f32s, S::f32s),
) {
    let outputs = outputs.registers_mut::<S>().iter_mut();
    for (output, input) in outputs.zip(inputs.registers_mut::<S>()) {
        (*input, *output) = f(*output);
    }
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
