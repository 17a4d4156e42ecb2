//! The kernel against dfdx, for shapes that leave remainders everywhere, and on all instructions.

use crate::networks::differences::{batch, convolutional};
use crate::networks::fused::Fused;
use crate::networks::testing::{ACTIVATIONS, distance, instruction_sets, made_up};
use crate::networks::{Activation, Convolutional, Differentiate, Images, Loss, Model};
use crate::networks::{Samples, TrainerChoice};

use super::Planes;

fn images(depth: usize, channels: &[usize], kernel: usize, pool: usize) -> Images {
    Images {
        depth,
        height: 12,
        width: 11,
        channels: channels.to_vec(),
        kernel,
        pool,
    }
}

fn expect_reference(network: &Convolutional, batch: &Samples) {
    let mut weights = made_up(network.layout().len(), 4);
    weights.iter_mut().for_each(|weight| *weight *= 0.5);
    let mut reference = network.differentiate(TrainerChoice::Dfdx);
    let (expected_loss, expected) = reference.gradient(&weights, batch);
    for arch in instruction_sets() {
        let front = Planes::new(&network.images, network.layers.activation);
        let mut kernel = Fused::after(front, &network.layers, network.loss, arch);
        for _ in 0..2 {
            let (loss, gradient) = kernel.gradient(&weights, batch);
            assert!((loss - expected_loss).abs() < 1e-5 * expected_loss.max(1.0));
            let apart = distance(gradient, expected);
            let images = &network.images;
            assert!(apart < 2e-5, "{arch:?} {images:?} {}: {apart}", batch.rows);
        }
    }
}

#[test]
fn gradients_are_those_of_the_reference() {
    for images in [
        images(1, &[8, 16], 3, 2),
        images(3, &[5, 9, 2], 2, 1),
        images(2, &[3], 5, 3),
        images(1, &[1, 7], 1, 2),
        images(9, &[2], 11, 1),
    ] {
        for rows in [1, 3, 63, 64, 100] {
            let network = convolutional(images.clone(), Activation::Relu, Loss::CrossEntropy);
            expect_reference(&network, &batch(&network, rows));
        }
    }
}

#[test]
fn every_loss_and_activation_is_that_of_the_reference() {
    for activation in ACTIVATIONS {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            let network = convolutional(images(2, &[3, 4], 3, 2), activation, loss);
            let mut batch = batch(&network, 37);
            expect_reference(&network, &batch);
            batch.weights.clear();
            expect_reference(&network, &batch);
        }
    }
}

#[test]
fn what_is_not_a_number_is_seen() {
    for activation in [Activation::Relu, Activation::Gelu] {
        let network = convolutional(images(1, &[2, 3], 3, 2), activation, Loss::Mse);
        let batch = batch(&network, 5);
        for at in [0, 19, 21, 80] {
            let mut weights = made_up(network.layout().len(), 4);
            weights[at] = f32::NAN;
            let (loss, _) = network
                .differentiate(TrainerChoice::Auto)
                .gradient(&weights, &batch);
            assert!(loss.is_nan(), "{activation:?} weight {at}");
        }
    }
}
