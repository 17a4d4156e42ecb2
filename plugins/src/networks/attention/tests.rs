//! The kernel against dfdx, for shapes that leave remainders everywhere, and on all instructions.

use crate::networks::differences::{batch, transformer};
use crate::networks::fused::Fused;
use crate::networks::testing::{ACTIVATIONS, distance, instruction_sets, made_up};
use crate::networks::{Activation, Differentiate, Encoder, EncoderNetwork, Loss, Model};
use crate::networks::{Samples, TrainerChoice};

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
    let mut weights = made_up(network.layout().len(), 4);
    weights.iter_mut().for_each(|weight| *weight *= 0.5);
    let mut reference = network.differentiate(TrainerChoice::Dfdx);
    let (expected_loss, expected) = reference.gradient(&weights, batch);
    for arch in instruction_sets() {
        let front = Attention::new(&network.encoder, network.layers.activation);
        let mut kernel = Fused::after(front, &network.layers, network.loss, arch);
        for _ in 0..2 {
            let (loss, gradient) = kernel.gradient(&weights, batch);
            assert!((loss - expected_loss).abs() < 1e-5 * expected_loss.max(1.0));
            let apart = distance(gradient, expected);
            let encoder = &network.encoder;
            assert!(apart < 2e-5, "{arch:?} {encoder:?} {}: {apart}", batch.rows);
        }
    }
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
    let batch = batch(&network, 5);
    for at in [0, 30, 60, 110] {
        let mut weights = made_up(network.layout().len(), 4);
        weights[at] = f32::NAN;
        let (loss, _) = network
            .differentiate(TrainerChoice::Auto)
            .gradient(&weights, &batch);
        assert!(loss.is_nan(), "weight {at}");
    }
}
