//! Multilayer perceptrons: dense layers and nothing before them.

use std::sync::Arc;

use engine::artifact::Layout;
use faer::Mat;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::dense::Dense;
use super::dfdx::Tape;
use super::fan_out::FanOut;
use super::precise::{hidden, table};
use super::{Activation, Columns, Differentiate, Layers, Loss, Model, Sums, TrainerChoice};

/// Dense layers from the inputs to the targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedforward {
    /// What it reads and predicts.
    #[serde(flatten)]
    pub columns: Columns,
    /// All its layers.
    #[serde(flatten)]
    pub layers: Layers,
    /// What training minimises.
    pub loss: Loss,
}

impl Model for Feedforward {
    fn layout(&self) -> Layout {
        Layout::mlp(&self.layers.widths)
    }

    fn columns(&self) -> &Columns {
        &self.columns
    }

    fn outputs(&self) -> usize {
        self.layers.outputs()
    }

    fn loss(&self) -> Loss {
        self.loss
    }

    fn evaluate(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Vec<f32> {
        Dense::of(&self.layers, &[weights]).run(rows, inputs, &[])
    }

    fn differentiate(&self, choice: TrainerChoice) -> Box<dyn Differentiate> {
        match choice {
            TrainerChoice::Dfdx => Box::new(Tape::new(&self.layers, self.loss)),
            TrainerChoice::Auto | TrainerChoice::FanOut => {
                Box::new(FanOut::new(&self.layers, self.loss, Arch::new()))
            }
        }
    }

    fn sums(&self, sets: &[&[f32]]) -> Option<Box<dyn Sums>> {
        Some(Box::new(Dense::of(&self.layers, sets)))
    }

    fn dense(&self) -> Option<&Layers> {
        Some(&self.layers)
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.layers.activation)
    }

    fn hidden(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Option<Vec<Mat<f64>>> {
        Some(hidden(&self.layers, weights, table(inputs, rows)))
    }

    fn reading(&self, columns: Columns, loss: Loss) -> Option<Arc<dyn Model>> {
        let layers = self.clone();
        Some(Arc::new(Self {
            columns,
            loss,
            ..layers
        }))
    }

    fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
