//! The kernel against dfdx, for shapes that leave remainders everywhere, and on all instructions.

use pulp::Arch;

use crate::networks::differences::{self, batch, convolutional, expect_no_number};
use crate::networks::fused::Rows;
use crate::networks::images::tests::by_definition;
use crate::networks::testing::{ACTIVATIONS, instruction_sets, made_up};
use crate::networks::{Activation, Convolutional, Images, Loss, Samples};

use super::{PlaneFeatures, Planes, add_images};

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

/// The features after each convolution, image after image.
fn features(
    images: &Images,
    activation: Activation,
    weights: &[f32],
    inputs: &[f32],
    arch: Arch,
) -> Vec<Vec<f32>> {
    let mut found = vec![Vec::new(); images.convolutions().len()];
    arch.dispatch(PlaneFeatures {
        images,
        activation,
        weights,
        inputs,
        keep: |at: usize, count: usize, planes: &[Rows]| {
            add_images(&mut found[at], count, planes);
        },
    });
    found
}

#[test]
fn features_are_those_of_the_definition_by_all_instructions() {
    for activation in ACTIVATIONS {
        for images in [
            images(1, &[3, 4], 3, 2),
            images(1, &[2], 5, 1),
            images(3, &[2, 9, 3], 2, 1),
        ] {
            let layers = images.convolutions();
            let count = layers.iter().map(|it| it.weights() + it.to[0]).sum();
            let weights = made_up(count, images.kernel);
            let exact: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let pixels = images.depth * 12 * 11;
            let inputs = made_up(35 * pixels, 7);
            let by = |arch| features(&images, activation, &weights, &inputs, arch);
            let found = by(Arch::new());
            for arch in instruction_sets() {
                assert_eq!(by(arch), found, "{arch:?} {activation:?}");
            }
            let images = inputs.chunks(pixels).enumerate();
            for (row, image) in images {
                let mut values: Vec<f64> = image.iter().map(|value| f64::from(*value)).collect();
                let mut start = 0;
                for (layer, found) in layers.iter().zip(&found) {
                    values = by_definition(layer, activation, &exact[start..], &values);
                    start += layer.weights() + layer.to[0];
                    let found = &found[row * values.len()..][..values.len()];
                    let largest = values.iter().fold(1.0_f64, |most, it| most.max(it.abs()));
                    for (found, expected) in found.iter().zip(&values) {
                        let apart = (f64::from(*found) - expected).abs();
                        assert!(apart < 2e-6 * largest, "{activation:?}: {found} {expected}");
                    }
                }
            }
        }
    }
}
