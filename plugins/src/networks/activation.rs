//! What follows each hidden layer.

use engine::words;
use pulp::Scalar;

use super::gelu::{gelu, gelu_tanh};
use super::lanes::tanh;

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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_have_their_published_values() {
        // tanh(1), Φ(1), the tanh form of GELU at 1 (Hendrycks & Gimpel 2016, eq. 2), 1/(1+e^-1).
        for (activation, value) in [
            (Activation::Tanh, 0.761_594_2),
            (Activation::Relu, 1.0),
            (Activation::Gelu, 0.841_344_7),
            (Activation::GeluTanh, 0.841_192),
            (Activation::Sigmoid, 0.731_058_6),
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
