//! `transformer`: transformer encoders over the inputs of a row, one member per action.

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Parent;
use super::support::examine;
use super::support::start::StartOptions;
use super::support::targets::Targets;
use crate::networks::{
    Activation, Columns, Encoder, EncoderNetwork, Layers, Loss, Network, TrainerChoice,
    TrainingRows, scaled_inputs,
};
use crate::recipes::TrainOptions;

plugin! {
    /// Small transformer encoders over the inputs of a row, one for each member.
    ///
    /// Each input is a token of `width` numbers: its value times a vector of weights plus
    /// another one that tells its place, both its own (Gorishniy et al. 2021, section 3.3). Each
    /// of the `layers` is one of `torch.nn.TransformerEncoderLayer` without dropout: attention in
    /// `heads` parts, then two dense layers with `feedforward` numbers and the activation between
    /// them, a norm after either (Vaswani et al. 2017). A dense layer makes the targets of the
    /// mean of the tokens. Inputs and targets are standardised as those of `mlp`; weights start
    /// uniform within ±1/√inputs, norms such that they change nothing.
    ///
    /// The weights load into an equal module of PyTorch: `tokens.weight` and `tokens.bias`
    /// `[inputs, width]`, `layers`, a `ModuleList` of
    /// `TransformerEncoderLayer(width, heads, feedforward, dropout=0, batch_first=True)`, and `head`, a
    /// `Linear(width, outputs)`; it gives
    /// `head(layers(x[..., None] * tokens.weight + tokens.bias).mean(1))`.
    ///
    /// A step of 64 rows takes about 0.25 ms for eight inputs and the default sizes.
    ///
    /// ```farcast
    /// parent small = transformer(seen, inputs: [x, z], target: y, width: 4, steps: 4, members: 2)
    /// ```
    "transformer" version 8
    pub struct Transformer {
        /// The training data.
        data: Input<Dataset>, with_truth(), not_in_stream();
        /// The input columns, each a token.
        inputs: Vec<Column>, needed();
        /// The column to be predicted, or several, `[u, v]`; for `cross_entropy` class indices
        /// from 0.
        target: Targets, target();
        /// Numbers of a token.
        width: usize = "16", range("1..=1024");
        /// Parts of a token that attend each on its own; they divide the width.
        heads: usize = "2", range("1..=1024"), divides("width");
        /// How many layers.
        layers: usize = "2", range("1..=64");
        /// Numbers between the two dense layers.
        feedforward: usize = "32", range("1..=4096"), was("wide");
        /// What follows the first of the two dense layers.
        activation: Activation = "relu";
        /// What training makes small.
        loss: Loss = "mse";
        /// How it is trained.
        training: TrainOptions, flatten();
        /// Where training begins.
        start: StartOptions, flatten();
    }
}

impl Plugin for Transformer {
    type Output = Parent;
    const RANDOM: bool = true;
    // Version 2 has the exact `gelu`.
    const STREAMS: u32 = 2;
    const MEMBERS: Option<&'static str> = Some("members");

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let large = examine::trainable("width", Self::weights(call));
        let start = StartOptions::check(call, Self::layout(call).as_ref());
        let found = [examine::columns(call), TrainOptions::check(call), start].concat();
        found.into_iter().chain(large).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let weights = Self::weights(call);
        let training = TrainOptions::training(call);
        let facts = examine::network(call, weights, training, Some("transformers"));
        examine::with_tensors(facts, Self::layout(call))
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let recipe = self.training.recipe(TrainerChoice::Auto, context)?;
        let trained = recipe.member(&self.data, context, |train| {
            self.start.of(self.network(train)?, context)
        })?;
        Ok(trained.into())
    }
}

impl Transformer {
    /// How many weights the layers of a call have: attention, two dense layers, two norms; the
    /// tokens and the head are few beside them.
    fn weights(call: &Sketch) -> Option<u64> {
        let width = call.get::<u64>("width")?;
        let inner = call.get::<u64>("feedforward")?;
        let attention = 4 * width * (width + 1);
        let layer = attention + 2 * width * inner + inner + width + 4 * width;
        layer.checked_mul(call.get("layers")?)
    }

    /// The tensors of the network of a call.
    fn layout(call: &Sketch) -> Option<Layout> {
        let encoder = Encoder {
            tokens: examine::inputs(call)?,
            width: call.get("width")?,
            heads: call.get("heads")?,
            layers: call.get("layers")?,
            feedforward: call.get("feedforward")?,
        };
        Some(encoder.with_head(&[encoder.width, examine::targets(call)?]))
    }

    fn network(&self, train: &TrainingRows) -> Result<Network, Fault> {
        let inputs = scaled_inputs(&self.inputs, &self.data, train)?;
        let (targets, outputs) = self.target.scaled(self.loss, &self.data, train)?;
        let encoder = Encoder {
            tokens: inputs.len(),
            width: self.width,
            heads: self.heads,
            layers: self.layers,
            feedforward: self.feedforward,
        };
        Ok(Network::from(EncoderNetwork {
            columns: Columns { inputs, targets },
            encoder,
            layers: Layers {
                widths: vec![self.width, outputs],
                activation: self.activation,
            },
            loss: self.loss,
        }))
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Artifact;

    use super::*;
    use crate::data::support::testing::table;
    use crate::networks::testing::{encoder, made_up};
    use crate::testing::{call, given};

    /// A product, which no sum of functions of its factors is.
    fn product() -> Transformer {
        let a: Vec<f64> = (0..64).map(|row| f64::from(row % 8) - 3.5).collect();
        let b: Vec<f64> = (0..64).map(|row| f64::from(row / 8) - 3.5).collect();
        let y: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
        call(
            "seen, inputs: [a, b], target: y, width: 8, layers: 1, feedforward: 16, epochs: 300,
             optimizer: adam(rate: 1e-2)",
            &[("seen", given(table(&[("a", &a[..]), ("b", &b), ("y", &y)])))],
        )
    }

    #[test]
    fn it_learns_a_product_the_same_way_each_time() {
        let run = |name| product().run(&Context::alone(name)).expect("trains");
        let parent = run("a");
        let (first, last) = (parent.losses[0].1, parent.losses[parent.losses.len() - 1].1);
        assert!(first > 0.8 && last < 0.02, "{first} {last}");
        let parts = parent.to_parts().expect("parts");
        assert_eq!(Parent::from_parts(&parts).expect("a parent"), parent);
        assert_eq!(run("a").to_parts().expect("parts"), parts);
        assert_ne!(run("b").to_parts().expect("parts"), parts);
    }

    #[test]
    fn outputs_are_those_of_numpy() {
        let network = |activation| {
            Network::from(EncoderNetwork {
                columns: Columns {
                    inputs: Vec::new(),
                    targets: Vec::new(),
                },
                encoder: encoder(),
                layers: Layers {
                    widths: vec![4, 2],
                    activation,
                },
                loss: Loss::Mse,
            })
        };
        let layout = network(Activation::Gelu).layout();
        let head: Vec<&str> = layout.tensors[26..]
            .iter()
            .map(|t| t.name.as_str())
            .collect();
        assert_eq!(head, ["head.weight", "head.bias"]);
        // numpy in f64, with W.T after each of the tensors in order, as torch defines it:
        //   h = x[..., None] * tokens.weight + tokens.bias
        //   q, k, v = h @ in_proj + bias, each reshaped to (rows, 3, 2, 2), heads second axis
        //   h = norm1(h + softmax(q @ k.T / sqrt(2)) @ v @ out_proj + bias)
        //   h = norm2(h + gelu(h @ linear1 + bias) @ linear2 + bias), gelu in either form
        //   h.mean(1) @ head + bias, where norm is (h - h.mean(-1)) / sqrt(h.var(-1) + 1e-5)
        let weights = made_up(layout.len(), 5);
        for (activation, expected) in [
            (
                Activation::Gelu,
                [-3.067_767_74, 3.227_034_81, -3.062_171_96, 3.195_662_57],
            ),
            (
                Activation::GeluTanh,
                [-3.067_739_03, 3.226_999_81, -3.062_149_52, 3.195_635_31],
            ),
        ] {
            let found = network(activation).evaluate(&weights, &made_up(6, 2), 2);
            for (found, expected) in found.iter().zip(expected) {
                let error = (f64::from(*found) - expected).abs();
                assert!(error < 5e-6, "{activation:?}: {found} {expected}");
            }
        }
    }
}
