//! The kernel against dfdx, for shapes that leave remainders everywhere, and on all instructions.

use crate::networks::differences::{self, batch, convolutional, expect_no_number};
use crate::networks::testing::ACTIVATIONS;
use crate::networks::{Activation, Convolutional, Images, Loss, Samples};

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
    let layers = &network.layers;
    let front = || Planes::new(&network.images, layers.activation);
    differences::expect_reference(network, layers, front, batch);
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
        expect_no_number(&network, [0, 19, 21, 80]);
    }
}
