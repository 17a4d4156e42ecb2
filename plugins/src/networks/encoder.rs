//! Transformer encoders: what comes before the dense layer of a network that has one.

use engine::artifact::{Layout, Tensor};
use serde::{Deserialize, Serialize};

/// A transformer encoder over the inputs of a row.
///
/// Each input is a token, its value times a vector of weights plus another one, both its own
/// (Gorishniy et al. 2021, section 3.3). Each layer lets the tokens attend to each other and
/// passes each through two dense layers; what goes into either is added to what comes out, and
/// the sum is normalised (Vaswani et al. 2017; `torch.nn.TransformerEncoderLayer` without
/// dropout). In the end stands the mean of the tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoder {
    /// How many inputs a row has.
    pub tokens: usize,
    /// Numbers of a token.
    pub width: usize,
    /// Parts of a token that attend each on its own; they divide the width.
    pub heads: usize,
    /// How many layers.
    pub layers: usize,
    /// Numbers between the two dense layers.
    #[serde(rename = "wide")]
    pub feedforward: usize,
}

/// What is added to variances before tokens are divided by their root, as in torch.
pub(in crate::networks) const EPSILON: f32 = 1e-5;

impl Encoder {
    /// The tensors of its weights, in order.
    fn tensors(&self) -> Vec<Tensor> {
        let tokens = ["tokens.weight", "tokens.bias"].map(|name| Tensor {
            name: name.to_owned(),
            shape: vec![self.tokens, self.width],
        });
        let layers = (0..self.layers).flat_map(|at| {
            self.layer().map(|(part, shape)| Tensor {
                name: format!("layers.{at}.{part}"),
                shape,
            })
        });
        tokens.into_iter().chain(layers).collect()
    }

    /// The same with those of the dense layer that follows.
    pub fn with_head(&self, widths: &[usize]) -> Layout {
        // The encoder's own layers have the name.
        let head = Layout::mlp(widths).tensors.into_iter();
        let head = head.map(|tensor| Tensor {
            name: tensor.name.replacen("layers.0", "head", 1),
            ..tensor
        });
        Layout {
            tensors: self.tensors().into_iter().chain(head).collect(),
        }
    }

    /// How many weights it has.
    pub fn weights(&self) -> usize {
        self.tensors().iter().map(Tensor::len).sum()
    }

    /// The tensors of one layer, in the order of torch.
    pub(in crate::networks) fn layer(&self) -> [(&'static str, Vec<usize>); 12] {
        let (width, inner) = (self.width, self.feedforward);
        [
            ("self_attn.in_proj_weight", vec![3 * width, width]),
            ("self_attn.in_proj_bias", vec![3 * width]),
            ("self_attn.out_proj.weight", vec![width, width]),
            ("self_attn.out_proj.bias", vec![width]),
            ("linear1.weight", vec![inner, width]),
            ("linear1.bias", vec![inner]),
            ("linear2.weight", vec![width, inner]),
            ("linear2.bias", vec![width]),
            ("norm1.weight", vec![width]),
            ("norm1.bias", vec![width]),
            ("norm2.weight", vec![width]),
            ("norm2.bias", vec![width]),
        ]
    }
}

/// The next `count` weights.
pub(in crate::networks) fn taken<'a>(weights: &mut &'a [f32], count: usize) -> &'a [f32] {
    weights.split_off(..count).unwrap_or_default()
}

#[cfg(test)]
pub(in crate::networks) mod tests {
    use super::*;
    use crate::networks::Activation;
    use crate::networks::testing::{encoder, exactly};

    /// `weight · value + bias` for one token; takes both from the weights.
    fn dense(weights: &mut &[f64], sizes: [usize; 2], tokens: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let [inputs, outputs] = sizes;
        let (weight, rest) = weights.split_at(inputs * outputs);
        let (bias, rest) = rest.split_at(outputs);
        *weights = rest;
        let token = |token: &Vec<f64>| {
            let outputs = weight.chunks(inputs).zip(bias);
            let outputs = outputs.map(|(row, bias)| bias + product(row, token));
            outputs.collect()
        };
        tokens.iter().map(token).collect()
    }

    fn product(one: &[f64], other: &[f64]) -> f64 {
        one.iter().zip(other).map(|(one, other)| one * other).sum()
    }

    /// The norm of the sum of two lists of tokens.
    fn added(one: &[Vec<f64>], other: &[Vec<f64>], norm: &[f64]) -> Vec<Vec<f64>> {
        let token = |(one, other): (&Vec<f64>, &Vec<f64>)| {
            let sum: Vec<f64> = one.iter().zip(other).map(|(a, b)| a + b).collect();
            let width = sum.len();
            let mean = sum.iter().sum::<f64>() / width as f64;
            let variance = sum.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let value = |at: usize| {
                let value = (sum[at] - mean) / (variance + 1e-5).sqrt();
                value * norm[at] + norm[width + at]
            };
            (0..width).map(value).collect()
        };
        one.iter().zip(other).map(token).collect()
    }

    /// The mean token of one row with everything written out: the definition, in f64.
    pub(crate) fn by_definition(
        encoder: &Encoder,
        activation: Activation,
        weights: &[f64],
        row: &[f64],
    ) -> Vec<f64> {
        let (count, width) = (encoder.tokens, encoder.width);
        let part = width / encoder.heads;
        let token = |at: usize| -> Vec<f64> {
            let own = at * width..(at + 1) * width;
            let place = &weights[count * width..];
            own.map(|n| row[at] * weights[n] + place[n]).collect()
        };
        let mut tokens: Vec<Vec<f64>> = (0..count).map(token).collect();
        let mut rest = &weights[2 * count * width..];
        for _ in 0..encoder.layers {
            let asked = dense(&mut rest, [width, 3 * width], &tokens);
            let mut attended = vec![vec![0.0; width]; count];
            for (token, head) in (0..count).flat_map(|t| (0..encoder.heads).map(move |h| (t, h))) {
                let vector = |token: usize, which: usize| {
                    &asked[token][which * width + head * part..][..part]
                };
                let score = |other| product(vector(token, 0), vector(other, 1));
                let power = |other| f64::exp(score(other) / (part as f64).sqrt());
                let all: f64 = (0..count).map(power).sum();
                for other in 0..count {
                    for (at, said) in vector(other, 2).iter().enumerate() {
                        attended[token][head * part + at] += power(other) / all * said;
                    }
                }
            }
            let answered = dense(&mut rest, [width, width], &attended);
            let dense_layers = 2 * encoder.feedforward * width + encoder.feedforward + width;
            tokens = added(&tokens, &answered, &rest[dense_layers..]);
            let mut inner = dense(&mut rest, [width, encoder.feedforward], &tokens);
            let values = inner.iter_mut().flatten();
            values.for_each(|x| *x = exactly(activation, *x));
            let fed = dense(&mut rest, [encoder.feedforward, width], &inner);
            tokens = added(&tokens, &fed, &rest[2 * width..]);
            rest = &rest[4 * width..];
        }
        let mean = |at| tokens.iter().map(|token: &Vec<f64>| token[at]).sum::<f64>();
        (0..width).map(|at| mean(at) / count as f64).collect()
    }

    #[test]
    fn tensors_are_named_as_those_of_torch() {
        let named: Vec<String> = encoder().tensors()[..6]
            .iter()
            .map(|tensor| format!("{} {:?}", tensor.name, tensor.shape))
            .collect();
        assert_eq!(
            named,
            [
                "tokens.weight [3, 4]",
                "tokens.bias [3, 4]",
                "layers.0.self_attn.in_proj_weight [12, 4]",
                "layers.0.self_attn.in_proj_bias [12]",
                "layers.0.self_attn.out_proj.weight [4, 4]",
                "layers.0.self_attn.out_proj.bias [4]",
            ]
        );
        assert_eq!(encoder().weights(), 24 + 2 * (60 + 20 + 25 + 24 + 16));
    }
}
