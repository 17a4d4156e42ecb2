//! The kernel against dfdx, for shapes that leave remainders everywhere, and on all instructions.

use crate::networks::differences::{self, batch, expect_no_number, transformer};
use crate::networks::testing::ACTIVATIONS;
use crate::networks::{Activation, Encoder, EncoderNetwork, Loss, Samples};

use super::Attention;

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
    for shape in [
        [8, 16, 2, 2, 32],
        [5, 12, 3, 1, 9],
        [1, 1, 1, 1, 1],
        [3, 10, 1, 3, 7],
        [9, 8, 8, 2, 17],
    ] {
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
