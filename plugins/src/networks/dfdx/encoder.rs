//! Transformer encoders on dfdx's tape.

use dfdx::prelude::*;

use super::{Taped, Vector, activated};
use crate::networks::encoder::{EPSILON, taken};
use crate::networks::{Activation, Encoder};

type Tokens = Tensor<(usize, usize, usize), f32, Cpu, OwnedTape<f32, Cpu>>;
type Heads = Tensor<(usize, usize, usize, usize), f32, Cpu, OwnedTape<f32, Cpu>>;

/// The weights of an encoder as leaves of the tape.
///
/// Tokens go row by row, `[rows, tokens, width]`: other than images they have many axes that
/// change places.
pub struct EncoderLeaves<'a> {
    encoder: &'a Encoder,
    device: &'a Cpu,
    tokens: [Vector; 2],
    layers: Vec<[Vector; 16]>,
}

impl<'a> EncoderLeaves<'a> {
    /// The first of the weights of a network.
    pub fn new(encoder: &'a Encoder, device: &'a Cpu, mut weights: &[f32]) -> Self {
        let mut leaf = |count| {
            let weights = taken(&mut weights, count).to_vec();
            device.tensor_from_vec(weights, (count,))
        };
        let (width, wide) = (encoder.width, encoder.feedforward);
        let (square, long) = (width * width, wide * width);
        // The projections are cut in three: questions, keys, values.
        let layer = [
            square, square, square, width, width, width, square, width, long, wide, long, width,
            width, width, width, width,
        ];
        Self {
            tokens: [encoder.tokens * width; 2].map(&mut leaf),
            layers: (0..encoder.layers).map(|_| layer.map(&mut leaf)).collect(),
            encoder,
            device,
        }
    }

    /// The mean token of every row, `[width, rows]`; `inputs` are `[rows, inputs]`.
    pub fn encode(&self, activation: Activation, inputs: &[f32]) -> Taped {
        let Encoder { tokens, width, .. } = *self.encoder;
        let rows = inputs.len() / tokens;
        let shape = (rows, tokens, width);
        let inputs = self.device.tensor_from_vec(inputs.to_vec(), (rows, tokens));
        let inputs: Tokens = inputs.leaky_traced().broadcast_like::<_, Axis<2>>(&shape);
        let [values, places] = &self.tokens;
        let own = |leaf: &Vector| -> Tokens {
            let leaf = traced(leaf).reshape_like(&(tokens, width));
            leaf.broadcast_like::<_, Axis<0>>(&shape)
        };
        let mut values = inputs * own(values) + own(places);
        for layer in &self.layers {
            values = self.layer(activation, layer, values);
        }
        let means: Taped = values.mean::<_, Axis<1>>();
        means.permute::<_, Axes2<1, 0>>()
    }

    fn layer(&self, activation: Activation, leaves: &[Vector; 16], values: Tokens) -> Tokens {
        let [
            ..,
            answer,
            answer_bias,
            up,
            up_bias,
            down,
            down_bias,
            scale1,
            shift1,
            scale2,
            shift2,
        ] = leaves;
        let (start, tape) = values.split_tape();
        let attended = self.attended(leaves, start.clone().put_tape(tape));
        let values = normalised(
            scale1,
            shift1,
            affine(answer, answer_bias, attended) + start,
        );
        let (start, tape) = values.split_tape();
        let inner = activated(
            activation,
            affine(up, up_bias, start.clone().put_tape(tape)),
        );
        normalised(scale2, shift2, affine(down, down_bias, inner) + start)
    }

    /// What each token gets from all tokens of its row.
    fn attended(&self, leaves: &[Vector; 16], values: Tokens) -> Tokens {
        let Encoder { width, heads, .. } = *self.encoder;
        let [
            questions,
            keys,
            said,
            questions_bias,
            keys_bias,
            said_bias,
            ..,
        ] = leaves;
        let shape = *values.shape();
        let split = (shape.0, shape.1, heads, width / heads);
        let (values, tape) = values.split_tape();
        let questions = affine(questions, questions_bias, values.clone().put_tape(tape));
        let keys = affine(keys, keys_bias, values.retaped());
        let said = affine(said, said_bias, values.retaped());
        let questions: Heads = questions
            .reshape_like(&split)
            .permute::<_, Axes4<0, 2, 1, 3>>();
        let keys: Heads = keys.reshape_like(&split).permute::<_, Axes4<0, 2, 3, 1>>();
        let said: Heads = said.reshape_like(&split).permute::<_, Axes4<0, 2, 1, 3>>();
        let scores = questions.matmul(keys) * (1.0 / (split.3 as f32).sqrt());
        let got: Heads = scores.softmax::<Axis<3>>().matmul(said);
        let got: Heads = got.permute::<_, Axes4<0, 2, 1, 3>>();
        got.reshape_like(&shape)
    }

    /// Adds the gradient by these weights, in parameter order.
    pub fn add_gradient(&self, gradients: &Gradients<f32, Cpu>, flat: &mut Vec<f32>) {
        for leaf in self.tokens.iter().chain(self.layers.iter().flatten()) {
            flat.extend(gradients.get(leaf).as_vec());
        }
    }
}

fn traced(leaf: &Vector) -> Tensor<(usize,), f32, Cpu, OwnedTape<f32, Cpu>> {
    leaf.retaped()
}

/// `weight · value + bias` for every token.
fn affine(weight: &Vector, bias: &Vector, values: Tokens) -> Tokens {
    let shape = (bias.shape().0, values.shape().2);
    let weight: Taped = traced(weight).reshape_like(&shape);
    let values = values.matmul(weight.permute::<_, Axes2<1, 0>>());
    let shape = *values.shape();
    values + traced(bias).broadcast_like::<_, Axes2<0, 1>>(&shape)
}

/// Each token with mean zero and variance one, then of this scale and shift.
fn normalised(scale: &Vector, shift: &Vector, values: Tokens) -> Tokens {
    let shape = *values.shape();
    let along = |leaf: &Vector| traced(leaf).broadcast_like::<_, Axes2<0, 1>>(&shape);
    values.normalize::<Axis<2>>(EPSILON) * along(scale) + along(shift)
}
