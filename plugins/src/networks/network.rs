//! A network as plain data: layers, activation, loss, and the scaling of what goes in and out.

use std::borrow::Cow;

use engine::artifact::{Dataset, Layout, Tensor};
use engine::error::Fault;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::dense::Dense;
use super::dfdx::Tape;
use super::fused::Fused;
use super::lanes::vectorised;
use super::loss::{likeliest, surprise};
use super::scaled::standardised;
use super::{Activation, Convolution, Differentiate, Encoder, Images, Loss, Scaled, TrainerChoice};

/// The shape of a network and the scaling of what goes in and out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// The input columns with mean and standard deviation of the training data.
    pub inputs: Vec<Scaled>,
    /// The target columns (one for regression and for class indices).
    pub targets: Vec<Scaled>,
    /// What comes before the dense layers.
    #[serde(flatten)]
    pub front: Option<Front>,
    /// Widths of the dense layers: what the first takes, then what each gives.
    pub widths: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// What training made small.
    pub loss: Loss,
}

/// What makes features of the inputs, for the dense layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Front {
    /// Convolutions over images.
    Images(Images),
    /// A transformer encoder.
    Encoder(Encoder),
}

impl Network {
    /// The tensors of its weights, in order.
    pub fn layout(&self) -> Layout {
        let convolutions = self.convolutions().into_iter().map(|layer| {
            let [inputs, outputs] = [layer.from[0], layer.to[0]];
            vec![outputs, inputs, layer.kernel, layer.kernel]
        });
        let dense = self.widths.windows(2).map(|pair| vec![pair[1], pair[0]]);
        let Layout { tensors } = Layout::layers(convolutions.chain(dense));
        let Some(encoder) = self.encoder() else {
            return Layout { tensors };
        };
        // Its own layers are called so; there is one dense layer after them.
        let head = tensors.into_iter().map(|tensor| Tensor {
            name: tensor.name.replacen("layers.0", "head", 1),
            ..tensor
        });
        Layout {
            tensors: encoder.tensors().into_iter().chain(head).collect(),
        }
    }

    /// The convolutions before the dense layers.
    pub fn convolutions(&self) -> Vec<Convolution> {
        match &self.front {
            Some(Front::Images(images)) => images.convolutions(),
            _ => Vec::new(),
        }
    }

    /// The encoder before the dense layer.
    pub fn encoder(&self) -> Option<&Encoder> {
        match &self.front {
            Some(Front::Encoder(encoder)) => Some(encoder),
            _ => None,
        }
    }

    /// The standardised inputs of every row, row after row, `[rows, inputs]`.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn inputs_of(&self, data: &Dataset) -> Result<Vec<f32>, Fault> {
        standardised(&self.inputs, data)
    }

    /// The standardised targets of every row, `[rows, targets]`; class indices as they are.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn targets_of(&self, data: &Dataset) -> Result<Vec<f32>, Fault> {
        standardised(&self.targets, data)
    }

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

    /// What computes gradients; convolutions and encoders are for dfdx alone.
    pub fn differentiate(&self, choice: TrainerChoice) -> Box<dyn Differentiate + '_> {
        match (choice, &self.front) {
            (TrainerChoice::Dfdx, _) | (_, Some(_)) => Box::new(Tape::new(self)),
            (TrainerChoice::Auto | TrainerChoice::FanOut, None) => {
                Box::new(Fused::new(self, Arch::new()))
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
