//! Built-in networks that run weights from elsewhere.

use engine::artifact::Layout;
use engine::error::Fault;
use engine::plugin::Complaint;
use engine::{constructor, made};

use crate::networks::{Activation, Columns, Feedforward, Layers, Loss, Network, Scaled};

constructor! {
    /// A multilayer perceptron of `torch.nn.Linear` layers, for weights that come from elsewhere.
    ///
    /// ```farcast
    /// child read = adopt(
    ///     persistence(checkpoints("checkpoints/step-*.safetensors"), horizon: [60]),
    ///     horizon: 60,
    ///     network: mlp(hidden: [], loss: cross_entropy, outputs: 2),
    ///     inputs: [x, y, z],
    ///     target: z,
    /// )
    /// ```
    "mlp"
    pub struct Perceptron {
        /// Widths of the hidden layers; none for a linear model.
        hidden: Vec<usize> = "[16, 16]", range("1..=4096");
        /// What follows each hidden layer.
        activation: Activation = "tanh";
        /// What the outputs are: `mse` for a quantity, `cross_entropy` for the logits of classes.
        loss: Loss = "mse";
        /// How many: 1 for a quantity, the number of classes.
        outputs: usize = "1", range("1..=10000");
    }
}

made! {
    /// The network that weights from elsewhere are run by.
    pub enum Architecture { Perceptron }
}

impl Architecture {
    /// The tensors it has.
    pub fn layout(&self, inputs: usize) -> Layout {
        Layout::mlp(&self.layers(inputs).widths)
    }

    /// What is wrong with it alone.
    pub fn complaint(&self) -> Option<Complaint> {
        let Self::Perceptron(form) = self;
        let message = match (form.loss, form.outputs) {
            (Loss::Mse, 1) | (Loss::CrossEntropy, 2..) => return None,
            (Loss::Mse, _) => "a quantity has one output",
            (Loss::CrossEntropy, _) => "classes have two outputs or more",
        };
        Some(Complaint::at("network.outputs", message))
    }

    /// Whether it predicts classes.
    pub fn is_of_classes(&self) -> bool {
        let Self::Perceptron(form) = self;
        form.loss == Loss::CrossEntropy
    }

    /// The network over columns.
    pub fn network(&self, inputs: Vec<Scaled>, target: Scaled) -> Network {
        let layers = self.layers(inputs.len());
        let Self::Perceptron(form) = self;
        Network::from(Feedforward {
            columns: Columns {
                inputs,
                targets: vec![target],
            },
            layers,
            loss: form.loss,
        })
    }

    fn layers(&self, inputs: usize) -> Layers {
        let Self::Perceptron(form) = self;
        let mut widths = vec![inputs];
        widths.extend(&form.hidden);
        widths.push(form.outputs);
        Layers {
            widths,
            activation: form.activation,
        }
    }
}

/// A column as a network reads it: by the mean and deviation of its values, or as it is.
pub fn scaled(name: &str, values: Option<&[f64]>) -> Result<Scaled, Fault> {
    match values {
        None => Ok(Scaled::as_is(name)),
        Some(values) if values.iter().all(|value| value.is_finite()) => {
            Ok(Scaled::of(name, values))
        }
        Some(_) => {
            let message = format!("column `{name}` has gaps: its mean is not known");
            Err(Fault::at("standardised_by", message))
        }
    }
}
