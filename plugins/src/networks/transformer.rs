//! Transformers: an encoder over the inputs, then one dense layer.

use std::sync::Arc;

use engine::artifact::Layout;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::attention::{Attention, EncoderFeatures};
use super::dense::Dense;
use super::dfdx::Tape;
use super::fused::Fused;
use super::{Activation, Columns, Differentiate, Encoder, Layers, Loss, Model, TrainerChoice};

/// A transformer encoder over the inputs, then one dense layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderNetwork {
    /// What it reads and predicts: each input is a token.
    #[serde(flatten)]
    pub columns: Columns,
    /// The encoder.
    pub encoder: Encoder,
    /// The dense layer.
    #[serde(flatten)]
    pub layers: Layers,
    /// What training minimises.
    pub loss: Loss,
}

impl Model for EncoderNetwork {
    fn layout(&self) -> Layout {
        self.encoder.with_head(&self.layers.widths)
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
        let features = Arch::new().dispatch(EncoderFeatures {
            encoder: &self.encoder,
            activation: self.layers.activation,
            weights: front,
            inputs,
        });
        Dense::of(&self.layers, &[dense]).run(rows, &features, &[])
    }

    fn differentiate(&self, choice: TrainerChoice) -> Box<dyn Differentiate> {
        match choice {
            TrainerChoice::Dfdx => {
                let tape = Tape::new(&self.layers, self.loss);
                Box::new(tape.after_encoder(&self.encoder))
            }
            TrainerChoice::Auto | TrainerChoice::FanOut => {
                let front = Attention::new(&self.encoder, self.layers.activation);
                Box::new(Fused::after(front, &self.layers, self.loss, Arch::new()))
            }
        }
    }

    fn heads(&self) -> Option<usize> {
        Some(self.encoder.heads)
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.layers.activation)
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
