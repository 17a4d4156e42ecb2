//! Running a network forward, and what its outputs are worth.

use std::borrow::Cow;

use pulp::{Arch, Scalar};

use super::dense::Dense;
use super::{Activation, Front, Loss, Network};
use crate::training::{tanh, vectorised};

impl Network {
    /// The outputs of the network with these weights, `[rows, outputs]`: standardised targets,
    /// or the logits of the classes.
    ///
    /// `weights` are in parameter order, `inputs` standardised, `[rows, inputs]`.
    pub fn evaluate(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Vec<f32> {
        let dense = Dense::weights(&self.widths);
        let (front, dense) = weights.split_at(weights.len() - dense);
        let features = vectorised(
            Arch::new(),
            #[inline(always)]
            || match &self.front {
                Some(Front::Images(images)) => {
                    Cow::Owned(images.features(self.activation, front, inputs))
                }
                Some(Front::Encoder(encoder)) => {
                    Cow::Owned(encoder.features(self.activation, front, inputs))
                }
                None => Cow::Borrowed(inputs),
            },
        );
        Dense::new(&self.widths, self.activation, &[dense]).run(rows, &features, &[])
    }

    /// The mean loss of outputs, `[rows, outputs]`, against standardised targets or class
    /// indices, `[rows, targets]`; not a number without rows.
    pub fn mean_loss(&self, outputs: &[f32], targets: &[f32]) -> f64 {
        let errors: f64 = match self.loss {
            Loss::Mse => outputs
                .iter()
                .zip(targets)
                .map(|(output, target)| f64::from(output - target).powi(2))
                .sum(),
            Loss::CrossEntropy => outputs
                .chunks_exact(self.widths.last().copied().unwrap_or(1))
                .zip(targets)
                .map(|(logits, class)| surprise(logits, *class as usize))
                .sum(),
        };
        errors / targets.len() as f64
    }

    /// Outputs in the unit of the target, `[rows, targets]`; for classes the index of the
    /// likeliest one, the first of equals.
    pub fn unscale(&self, outputs: &[f32]) -> Vec<f64> {
        let width = self.widths.last().copied().unwrap_or(1);
        match self.loss {
            Loss::CrossEntropy => outputs.chunks_exact(width).map(likeliest).collect(),
            Loss::Mse => outputs
                .iter()
                .zip(self.targets.iter().cycle())
                .map(|(output, target)| target.mean + target.std * f64::from(*output))
                .collect(),
        }
    }
}

/// Minus the logarithm of the softmax probability of a class.
fn surprise(logits: &[f32], class: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - largest).exp())
        .sum();
    sum.ln() - f64::from(logits[class] - largest)
}

/// The index of the largest logit; not a number when the logits are not.
fn likeliest(logits: &[f32]) -> f64 {
    if logits.iter().any(|logit| logit.is_nan()) {
        return f64::NAN;
    }
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best as f64
}

/// `sqrt(2 / pi)`, of the tanh form of the Gaussian error linear unit.
pub(crate) const GELU_SCALE: f32 = 0.797_884_6;
/// The cubic coefficient of the same.
pub(crate) const GELU_CUBIC: f32 = 0.044_715;

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
            Activation::Gelu => values.iter_mut().for_each(|x| {
                let inner = GELU_SCALE * (*x + GELU_CUBIC * *x * *x * *x);
                *x *= 0.5 * (1.0 + tanh(Scalar::new(), inner));
            }),
            Activation::Sigmoid => values
                .iter_mut()
                .for_each(|x| *x = 0.5 * tanh(Scalar::new(), 0.5 * *x) + 0.5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parents::Scaled;

    fn network(widths: &[usize], loss: Loss) -> Network {
        let scaled = |name: &str, mean, std| Scaled {
            name: name.to_owned(),
            mean,
            std,
        };
        Network {
            inputs: vec![scaled("a", 0.0, 1.0), scaled("b", 0.0, 1.0)],
            targets: vec![scaled("t", 10.0, 2.0)],
            front: None,
            widths: widths.to_vec(),
            activation: Activation::Tanh,
            loss,
        }
    }

    #[test]
    fn layers_are_affine_maps_with_the_activation_between() {
        let network = network(&[2, 2, 1], Loss::Mse);
        // Rows of the first weight, its bias, the second weight, its bias.
        let weights = [1.0, 2.0, -1.0, 0.5, 0.1, -0.2, 3.0, -2.0, 0.25];
        let inputs = [0.3, -0.1, 0.0, 1.0];
        let expected = |a: f64, b: f64| {
            3.0 * (a + 2.0 * b + 0.1).tanh() - 2.0 * (-a + 0.5 * b - 0.2).tanh() + 0.25
        };
        let outputs = network.evaluate(&weights, &inputs, 2);
        assert_eq!(outputs.len(), 2);
        for (output, expected) in outputs
            .iter()
            .zip([expected(0.3, -0.1), expected(0.0, 1.0)])
        {
            assert!((f64::from(*output) - expected).abs() < 1e-6);
        }
        assert_eq!(network.unscale(&[-1.0, 0.5]), [8.0, 11.0]);
    }

    #[test]
    fn classes_are_the_likeliest_of_each_row() {
        let network = network(&[2, 3], Loss::CrossEntropy);
        let logits = [0.0, 2.0, 1.0, 5.0, 5.0, -1.0];
        assert_eq!(network.unscale(&logits), [1.0, 0.0]);
        assert!(network.unscale(&[0.0, f32::NAN, 1.0])[0].is_nan());
    }

    #[test]
    fn activations_have_their_published_values() {
        // tanh(1), the tanh form of GELU at 1 (Hendrycks & Gimpel 2016, eq. 2), 1/(1+e^-1).
        for (activation, value) in [
            (Activation::Tanh, 0.761_594_2),
            (Activation::Relu, 1.0),
            (Activation::Gelu, 0.841_192),
            (Activation::Sigmoid, 0.731_058_6),
        ] {
            let mut found = [1.0];
            activation.apply(&mut found);
            assert!((found[0] - value).abs() < 1e-6, "{activation:?}");
        }
        let mut found = [-1.0, f32::NAN];
        Activation::Relu.apply(&mut found);
        assert!(found[0] == 0.0 && found[1].is_nan());
    }
}
