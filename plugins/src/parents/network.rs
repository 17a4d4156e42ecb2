//! A network as plain data: layers, activation, loss, and the scaling of what goes in and out.

use engine::artifact::{Dataset, Layout, Tensor};
use engine::error::Fault;
use engine::words;
use serde::{Deserialize, Serialize};

use super::{Convolution, Encoder, Images};

words! {
    /// What follows each hidden layer.
    pub enum Activation {
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// `max(x, 0)`.
        Relu = "relu",
        /// Gaussian error linear unit, in its tanh form (Hendrycks & Gimpel 2016, eq. 2).
        Gelu = "gelu",
        /// Logistic function.
        Sigmoid = "sigmoid",
    }
}

words! {
    /// What training makes small.
    pub enum Loss {
        /// Mean squared error of standardised targets.
        Mse = "mse",
        /// Cross-entropy of class indices.
        CrossEntropy = "cross_entropy",
    }
}

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

/// A column and its standardisation: `(x - mean) / std`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// The column.
    pub name: String,
    /// Mean over the training data.
    pub mean: f64,
    /// Standard deviation over the training data; 1 for a constant column.
    pub std: f64,
}

impl Scaled {
    /// The standardisation of a column by its own values.
    pub fn of(name: &str, values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std = (squares / count).sqrt();
        // Rounding leaves a constant column with a deviation of about its last digit.
        let constant = std <= mean.abs() * 1e-12;
        Self {
            name: name.to_owned(),
            mean,
            std: if constant { 1.0 } else { std },
        }
    }

    /// A column taken as it is.
    pub fn as_is(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mean: 0.0,
            std: 1.0,
        }
    }
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
}

fn standardised(scaled: &[Scaled], data: &Dataset) -> Result<Vec<f32>, Fault> {
    let columns = scaled
        .iter()
        .map(|scaled| Ok((scaled, data.values(&scaled.name)?)))
        .collect::<Result<Vec<_>, Fault>>()?;
    let mut values = Vec::with_capacity(data.rows() * columns.len());
    for row in 0..data.rows() {
        values.extend(
            columns
                .iter()
                .map(|(scaled, column)| ((column[row] - scaled.mean) / scaled.std) as f32),
        );
    }
    Ok(values)
}
