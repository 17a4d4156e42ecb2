//! The kernel against dfdx, for shapes that leave remainders everywhere, and on all instructions.

use pulp::{Arch, Scalar};

use crate::networks::differences::{self, batch, expect_no_number, transformer};
use crate::networks::encoder::tests::by_definition;
use crate::networks::encoder::{EPSILON, taken};
use crate::networks::lanes::exp;
use crate::networks::testing::{self, ACTIVATIONS, instruction_sets, made_up};
use crate::networks::{Activation, Encoder, EncoderNetwork, Loss, Samples};

use super::{Attention, EncoderFeatures};

/// Tokens, their width, heads, layers and the width between the dense layers.
const SHAPES: [[usize; 5]; 5] = [
    [8, 16, 2, 2, 32],
    [5, 12, 3, 1, 9],
    [1, 1, 1, 1, 1],
    [3, 10, 1, 3, 7],
    [9, 8, 8, 2, 17],
];

fn encoder([tokens, width, heads, layers, feedforward]: [usize; 5]) -> Encoder {
    Encoder {
        tokens,
        width,
        heads,
        layers,
        feedforward,
    }
}

fn expect_reference(network: &EncoderNetwork, batch: &Samples) {
    let layers = &network.layers;
    let front = || Attention::new(&network.encoder, layers.activation);
    differences::expect_reference(network, layers, front, batch);
}

#[test]
fn gradients_are_those_of_the_reference() {
    for shape in SHAPES {
        for rows in [1, 3, 63, 64, 100] {
            let network = transformer(encoder(shape), Activation::Relu, Loss::CrossEntropy);
            expect_reference(&network, &batch(&network, rows));
        }
    }
}

#[test]
fn every_loss_and_activation_is_that_of_the_reference() {
    for activation in ACTIVATIONS {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            let network = transformer(encoder([4, 6, 2, 2, 5]), activation, loss);
            let mut batch = batch(&network, 37);
            expect_reference(&network, &batch);
            batch.weights.clear();
            expect_reference(&network, &batch);
        }
    }
}

#[test]
fn what_is_not_a_number_is_seen() {
    let network = transformer(encoder([3, 4, 2, 1, 5]), Activation::Relu, Loss::Mse);
    expect_no_number(&network, [0, 30, 60, 110]);
}

/// `weight · token + bias` for each token, the bias last; takes both from the weights.
fn dense(weights: &mut &[f32], out: usize, tokens: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let width = tokens[0].len();
    let (weight, bias) = (taken(weights, out * width), taken(weights, out));
    let token = |token: &Vec<f32>| {
        let rows = weight.chunks(width).zip(bias);
        rows.map(|(row, bias)| product(row, token) + bias).collect()
    };
    tokens.iter().map(token).collect()
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    let products = one.iter().zip(other).map(|(one, other)| one * other);
    products.fold(0.0, |sum, product| sum + product)
}

/// The sums of two lists of tokens, normalised; takes scale and shift from the weights.
fn added(tokens: &mut [Vec<f32>], more: &[Vec<f32>], weights: &mut &[f32]) {
    let width = tokens[0].len();
    let (scale, shift) = (taken(weights, width), taken(weights, width));
    for (token, more) in tokens.iter_mut().zip(more) {
        let pairs = token.iter_mut().zip(more);
        pairs.for_each(|(number, more)| *number += more);
        let mean = token.iter().fold(0.0, |sum, number| sum + number) / width as f32;
        token.iter_mut().for_each(|number| *number -= mean);
        let deviation = (product(token, token) / width as f32 + EPSILON).sqrt();
        for (number, (scale, shift)) in token.iter_mut().zip(scale.iter().zip(shift)) {
            *number = *number / deviation * scale + shift;
        }
    }
}

/// What each token gets from all, from three vectors of each: question, key and value.
fn attended(encoder: &Encoder, asked: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let (width, part) = (encoder.width, encoder.width / encoder.heads);
    let scale = 1.0 / (part as f32).sqrt();
    let token = |token: &Vec<f32>| {
        let mut got = vec![0.0; width];
        for (head, got) in got.chunks_mut(part).enumerate() {
            let own = |which: usize| which * width + head * part..which * width + (head + 1) * part;
            let scores = asked.iter();
            let scores = scores.map(|other| scale * product(&token[own(0)], &other[own(1)]));
            let scores: Vec<f32> = scores.collect();
            let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers = scores.iter();
            let powers = powers.map(|score| exp(Scalar::new(), score - largest));
            let powers: Vec<f32> = powers.collect();
            let all = powers.iter().fold(0.0, |sum, power| sum + power);
            for (power, other) in powers.iter().zip(asked) {
                let share = power / all;
                let said = got.iter_mut().zip(&other[own(2)]);
                said.for_each(|(sum, value)| *sum += share * value);
            }
        }
        got
    };
    asked.iter().map(token).collect()
}

/// The mean token of a row, number by number and token by token.
fn plainly(
    encoder: &Encoder,
    activation: Activation,
    mut weights: &[f32],
    row: &[f32],
) -> Vec<f32> {
    let (count, width) = (encoder.tokens, encoder.width);
    let [values, places] = [count * width; 2].map(|count| taken(&mut weights, count));
    let own = values.chunks(width).zip(places.chunks(width)).zip(row);
    let tokens = own.map(|((values, places), input)| {
        let pairs = values.iter().zip(places);
        pairs.map(|(value, place)| input * value + place).collect()
    });
    let mut tokens: Vec<Vec<f32>> = tokens.collect();
    for _ in 0..encoder.layers {
        let asked = dense(&mut weights, 3 * width, &tokens);
        let answers = dense(&mut weights, width, &attended(encoder, &asked));
        // The norms come after both dense layers.
        let dense_layers = 2 * encoder.feedforward * width + encoder.feedforward + width;
        let mut norms = &weights[dense_layers..];
        added(&mut tokens, &answers, &mut norms);
        let mut inner = dense(&mut weights, encoder.feedforward, &tokens);
        inner.iter_mut().for_each(|token| activation.apply(token));
        let fed = dense(&mut weights, width, &inner);
        added(&mut tokens, &fed, &mut norms);
        weights = norms;
    }
    let sum = |at: usize| tokens.iter().fold(0.0, |sum, token| sum + token[at]);
    (0..width).map(|at| sum(at) / count as f32).collect()
}

#[test]
fn all_instructions_give_the_bits_of_plain_sums() {
    for shape in SHAPES.into_iter().chain([[2, 3, 1, 0, 4]]) {
        let encoder = encoder(shape);
        let weights = made_up(encoder.weights(), 3);
        for (rows, activation) in [1, 31, 32, 70, 3, 5].into_iter().zip(ACTIVATIONS) {
            let inputs = made_up(rows * encoder.tokens, 8);
            let expected = inputs.chunks(encoder.tokens);
            let expected = expected.flat_map(|row| plainly(&encoder, activation, &weights, row));
            let expected: Vec<u32> = expected.map(f32::to_bits).collect();
            for arch in instruction_sets() {
                let found = arch.dispatch(EncoderFeatures {
                    encoder: &encoder,
                    activation,
                    weights: &weights,
                    inputs: &inputs,
                });
                let found: Vec<u32> = found.into_iter().map(f32::to_bits).collect();
                assert!(found == expected, "{arch:?} {activation:?} {shape:?}");
            }
        }
    }
}

#[test]
fn features_are_those_of_the_definition() {
    let encoder = testing::encoder();
    let weights = made_up(encoder.weights(), 5);
    let exact: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
    // More rows than a tile has.
    let inputs = made_up(100 * 3, 2);
    let found = Arch::new().dispatch(EncoderFeatures {
        encoder: &encoder,
        activation: Activation::Tanh,
        weights: &weights,
        inputs: &inputs,
    });
    assert_eq!(found.len(), 400);
    for (found, row) in found.chunks(4).zip(inputs.chunks(3)) {
        let row: Vec<f64> = row.iter().map(|input| f64::from(*input)).collect();
        let expected = by_definition(&encoder, Activation::Tanh, &exact, &row);
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < 2e-5,
                "{found} {expected}"
            );
        }
    }
}
