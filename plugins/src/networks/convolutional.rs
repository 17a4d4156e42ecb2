//! Convolutional networks: convolutions over images, then dense layers.

use std::sync::Arc;

use engine::artifact::Layout;
use faer::Mat;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::dense::Dense;
use super::dfdx::Tape;
use super::fused::Fused;
use super::lanes::vectorised;
use super::planes::Planes;
use super::precise::{hidden, table};
use super::{Activation, Columns, Differentiate, Images, Layers, Loss, Model, TrainerChoice};

/// Convolutions over the inputs, then dense layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convolutional {
    /// What it reads and predicts: the pixels of an image are its inputs.
    #[serde(flatten)]
    pub columns: Columns,
    /// The images and their convolutions.
    pub images: Images,
    /// The dense layers.
    #[serde(flatten)]
    pub layers: Layers,
    /// What training minimises.
    pub loss: Loss,
}

impl Model for Convolutional {
    fn layout(&self) -> Layout {
        self.images.with_dense(&self.layers.widths)
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
        let dense = Dense::weights(&self.layers.widths);
        let (front, dense) = weights.split_at(weights.len() - dense);
        let features = vectorised(
            Arch::new(),
            #[inline(always)]
            || self.images.features(self.layers.activation, front, inputs),
        );
        Dense::of(&self.layers, &[dense]).run(rows, &features, &[])
    }

    fn differentiate(&self, choice: TrainerChoice) -> Box<dyn Differentiate> {
        match choice {
            TrainerChoice::Dfdx => {
                let tape = Tape::new(&self.layers, self.loss);
                Box::new(tape.after_convolutions(&self.images))
            }
            TrainerChoice::Auto | TrainerChoice::FanOut => {
                let front = Planes::new(&self.images, self.layers.activation);
                Box::new(Fused::after(front, &self.layers, self.loss, Arch::new()))
            }
        }
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.layers.activation)
    }

    fn hidden(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Option<Vec<Mat<f64>>> {
        let dense = Dense::weights(&self.layers.widths);
        let (front, dense) = weights.split_at(weights.len() - dense);
        let after = (1..=self.images.convolutions().len()).map(|count| {
            let images = Images {
                channels: self.images.channels[..count].to_vec(),
                ..self.images.clone()
            };
            table(
                &images.features(self.layers.activation, front, inputs),
                rows,
            )
        });
        let mut after: Vec<Mat<f64>> = after.collect();
        let last = after.last().cloned();
        let features = last.unwrap_or_else(|| table(inputs, rows));
        after.extend(hidden(&self.layers, dense, features));
        Some(after)
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
