//! Convolutional networks: convolutions over images, then dense layers.

use std::sync::Arc;

use engine::artifact::Layout;
use faer::Mat;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::dense::Dense;
use super::dfdx::Tape;
use super::fused::{Fused, Rows};
use super::planes::{PlaneFeatures, Planes, add_images};
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

impl Convolutional {
    /// Passes images through the convolutions; see [`PlaneFeatures`].
    fn pass(&self, weights: &[f32], inputs: &[f32], keep: impl FnMut(usize, usize, &[Rows])) {
        Arch::new().dispatch(PlaneFeatures {
            images: &self.images,
            activation: self.layers.activation,
            weights,
            inputs,
            keep,
        });
    }
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
        let dense = Dense::of(&self.layers, &[dense]);
        let last = self.images.convolutions().len();
        if last == 0 {
            return dense.run(rows, inputs, &[]);
        }
        // Features of a few images stay in the cache until they are used.
        let mut features = Vec::new();
        let mut outputs = Vec::with_capacity(rows * self.outputs());
        self.pass(front, inputs, |at, count, planes| {
            if at + 1 == last {
                features.clear();
                add_images(&mut features, count, planes);
                outputs.extend(dense.run(count, &features, &[]));
            }
        });
        outputs
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
        let mut features = vec![Vec::new(); self.images.convolutions().len()];
        self.pass(front, inputs, |at, count, planes| {
            add_images(&mut features[at], count, planes);
        });
        let after = features.iter().map(|features| table(features, rows));
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
