//! A network: how to run rows of weights, shared by all who hold such rows.

use std::sync::Arc;

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use faer::Mat;
use rand::Rng;
use serde::de::Deserializer;
use serde::ser::{Error, Serializer};
use serde::{Deserialize, Serialize};

use super::initial::initial;
use super::loss::{likeliest, surprise};
use super::{
    Activation, Columns, Convolutional, Differentiate, EncoderNetwork, Expanded, Feedforward,
    ForeignNetwork, Layers, Loss, Model, Samples, Scaled, Sums, TrainerChoice, Trees,
};

/// How to run rows of weights: any [`Model`].
#[derive(Clone, Debug)]
pub struct Network(Arc<dyn Model>);

/// The networks that are read back, each by the field that the others lack; a feedforward one
/// has no such field.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Foreign(ForeignNetwork),
    Convolutional(Convolutional),
    Encoder(EncoderNetwork),
    Expanded(Expanded),
    Trees(Trees),
    Feedforward(Feedforward),
}

impl<M: Model + 'static> From<M> for Network {
    fn from(model: M) -> Self {
        Self(Arc::new(model))
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = self.0.to_json().map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Foreign(network) => network.into(),
            Stored::Convolutional(network) => network.into(),
            Stored::Encoder(network) => network.into(),
            Stored::Expanded(network) => network.into(),
            Stored::Trees(network) => network.into(),
            Stored::Feedforward(network) => network.into(),
        })
    }
}

/// Networks are equal when what is stored of them is.
impl PartialEq for Network {
    fn eq(&self, other: &Self) -> bool {
        let [one, other] = [self, other].map(|network| network.0.to_json().ok());
        one.is_some() && one == other
    }
}

/// The sum of the errors of no rows, as the standard library begins sums.
pub(super) const NO_ERRORS: f64 = -0.0;

/// How two networks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They standardise the same columns by other means or deviations.
    Scaling,
    /// They read or predict other columns, or run weights in another way.
    Network,
}

impl Network {
    /// How another network differs from this one; none when they are equal.
    pub fn differs(&self, other: &Self) -> Option<Difference> {
        if self == other {
            return None;
        }
        let bare = |network: &Self| {
            let mut json = network.0.to_json().ok()?;
            for columns in ["inputs", "targets"] {
                let columns = json.get_mut(columns)?.as_array_mut()?;
                for column in columns {
                    let column = column.as_object_mut()?;
                    column.retain(|name, _| name == "name");
                }
            }
            Some(json)
        };
        match bare(self).is_some() && bare(self) == bare(other) {
            true => Some(Difference::Scaling),
            false => Some(Difference::Network),
        }
    }

    /// The tensors of its weights, in order.
    pub fn layout(&self) -> Layout {
        self.0.layout()
    }

    /// The input columns with mean and standard deviation of the training data.
    pub fn inputs(&self) -> &[Scaled] {
        &self.0.columns().inputs
    }

    /// The target columns (one for regression and for class indices).
    pub fn targets(&self) -> &[Scaled] {
        &self.0.columns().targets
    }

    /// What training minimises.
    pub fn loss(&self) -> Loss {
        self.0.loss()
    }

    /// Its layers, where it is dense layers and nothing else.
    pub fn dense(&self) -> Option<&Layers> {
        self.0.dense()
    }

    /// What it reads and predicts.
    pub fn columns(&self) -> &Columns {
        self.0.columns()
    }

    /// What follows each hidden layer, where that is known.
    pub fn activation(&self) -> Option<Activation> {
        self.0.activation()
    }

    /// The same layers with other columns and loss, where they are known.
    pub fn reading(&self, columns: Columns, loss: Loss) -> Option<Self> {
        self.0.reading(columns, loss).map(Self)
    }

    /// How many heads each layer has, where it is a transformer.
    pub fn heads(&self) -> Option<usize> {
        self.0.heads()
    }

    /// The plugin whose program runs it, if one does.
    pub fn program(&self) -> Option<&str> {
        self.0.program()
    }

    /// The weights that training starts from.
    pub fn initial(&self, rng: &mut impl Rng) -> Vec<f32> {
        initial(&self.layout(), rng)
    }

    /// The standardised inputs of every row, row after row, `[rows, inputs]`.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn inputs_of(&self, data: &Dataset) -> Result<Vec<f32>, Fault> {
        self.0.columns().inputs_of(data)
    }

    /// The standardised inputs and targets of every row; class indices unchanged.
    ///
    /// # Errors
    /// When a column is missing, or has a class that the network does not know.
    pub fn samples(&self, data: &Dataset) -> Result<Samples, Fault> {
        let targets = self.0.columns().targets_of(data)?;
        self.expect_known(targets.iter().copied())?;
        Ok(Samples {
            inputs: self.inputs_of(data)?,
            targets,
            weights: Vec::new(),
            rows: data.rows(),
        })
    }

    /// Refuses a class that the network does not know; missing ones pass.
    ///
    /// # Errors
    /// Its number, where the network is one of classes.
    pub(super) fn expect_known(&self, mut targets: impl Iterator<Item = f32>) -> Result<(), Fault> {
        let classes = self.0.outputs();
        let is_known = |class: f32| class.fract() == 0.0 && (0.0..classes as f32).contains(&class);
        if self.loss() != Loss::CrossEntropy {
            return Ok(());
        }
        match targets.find(|class| !is_known(*class) && !class.is_nan()) {
            Some(unknown) => {
                let most = classes.saturating_sub(1);
                Err(Fault::user(format!(
                    "expected classes 0 to {most}, as in training, found {unknown}"
                )))
            }
            None => Ok(()),
        }
    }

    /// The outputs of the network with these weights, `[rows, outputs]`: standardised targets,
    /// or the logits of the classes.
    ///
    /// `weights` are in parameter order, `inputs` standardised, `[rows, inputs]`.
    pub fn evaluate(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Vec<f32> {
        self.0.evaluate(weights, inputs, rows)
    }

    /// See [`Model::hidden`].
    pub fn hidden(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Option<Vec<Mat<f64>>> {
        self.0.hidden(weights, inputs, rows)
    }

    /// What computes gradients, for one row of weights after another.
    pub fn differentiate(&self, choice: TrainerChoice) -> Box<dyn Differentiate> {
        self.0.differentiate(choice)
    }

    /// See [`Model::sums`].
    pub fn sums(&self, sets: &[&[f32]]) -> Option<Box<dyn Sums>> {
        self.0.sums(sets)
    }

    /// The mean loss on samples with these weights; not a number without rows.
    pub fn loss_on(&self, samples: &Samples, weights: &[f32]) -> f64 {
        let outputs = self.evaluate(weights, &samples.inputs, samples.rows);
        self.loss_of(&outputs, samples)
    }

    /// The mean loss of outputs, `[rows, outputs]`, against the samples they are of.
    pub fn loss_of(&self, outputs: &[f32], samples: &Samples) -> f64 {
        self.weighted_loss(outputs, &samples.targets, &samples.weights)
    }

    /// The mean loss of outputs, `[rows, outputs]`, against standardised targets or class
    /// indices, `[rows, targets]`, of rows that all count the same; not a number without rows.
    pub fn mean_loss(&self, outputs: &[f32], targets: &[f32]) -> f64 {
        self.weighted_loss(outputs, targets, &[])
    }

    fn weighted_loss(&self, outputs: &[f32], targets: &[f32], weights: &[f32]) -> f64 {
        let errors = self.errors_after(NO_ERRORS, outputs, targets, weights);
        errors / targets.len() as f64
    }

    /// The sum of the errors of rows, added one by one to that of rows before them, from
    /// [`NO_ERRORS`] on.
    pub(super) fn errors_after(
        &self,
        before: f64,
        outputs: &[f32],
        targets: &[f32],
        weights: &[f32],
    ) -> f64 {
        let counts = |row: usize| weights.get(row).copied().map_or(1.0, f64::from);
        let width = self.0.outputs();
        match self.loss() {
            Loss::Mse => (outputs.iter().zip(targets).enumerate())
                .map(|(at, (output, target))| {
                    counts(at / width) * f64::from(output - target).powi(2)
                })
                .fold(before, |sum, error| sum + error),
            Loss::CrossEntropy => (outputs.chunks_exact(width).zip(targets).enumerate())
                .map(|(row, (logits, class))| counts(row) * surprise(logits, *class as usize))
                .fold(before, |sum, error| sum + error),
        }
    }

    /// Outputs in the unit of the target, `[rows, targets]`; for classes the index of the
    /// likeliest one, the first of equals.
    pub fn unscale(&self, outputs: &[f32]) -> Vec<f64> {
        match self.loss() {
            Loss::CrossEntropy => {
                let rows = outputs.chunks_exact(self.0.outputs());
                rows.map(likeliest).collect()
            }
            Loss::Mse => outputs
                .iter()
                .zip(self.targets().iter().cycle())
                .map(|(output, target)| target.mean + target.std * f64::from(*output))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{Activation, Columns, Layers};

    fn network(widths: &[usize], loss: Loss) -> Network {
        let scaled = |name: &str, mean, std| Scaled {
            name: name.to_owned(),
            mean,
            std,
        };
        let columns = Columns {
            inputs: vec![scaled("a", 0.0, 1.0), scaled("b", 0.0, 1.0)],
            targets: vec![scaled("t", 10.0, 2.0)],
        };
        let layers = Layers {
            widths: widths.to_vec(),
            activation: Activation::Tanh,
        };
        let network = Feedforward {
            columns,
            layers,
            loss,
        };
        network.into()
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
    fn each_network_is_stored_with_the_same_text_and_read_back() {
        let text = |front: &str| {
            format!(
                r#"{{"inputs":[{{"name":"x","mean":0.1,"std":2.0}}],"targets":[],{front}"widths":[12,5],"activation":"relu","loss":"cross_entropy"}}"#
            )
        };
        let images = r#""images":{"height":6,"width":7,"channels":[3],"kernel":3,"pool":2},"#;
        let encoder = r#""encoder":{"tokens":1,"width":12,"heads":2,"layers":1,"wide":4},"#;
        for (front, first) in [
            ("", &[5, 12][..]),
            (images, &[3, 1, 3, 3]),
            (encoder, &[1, 12]),
        ] {
            let network: Network = serde_json::from_str(&text(front)).expect("a network");
            assert_eq!(network.layout().tensors[0].shape, first);
            assert_eq!(serde_json::to_string(&network).expect("json"), text(front));
        }
    }
}
