//! The kernel against the textbook, against the kernel for one network, and lane against lane.

use super::*;
use crate::networks::fused::Fused;
use crate::networks::testing::{ACTIVATIONS, dense, distance, draw, instruction_sets};
use crate::networks::{
    Activation, AdamRule, AdamStep, Decay, Differentiate, Feedforward, transposed,
};

/// Gradients in f64 of the mean squared error, by backpropagation as textbooks have it.
fn textbook(widths: &[usize], weights: &[f32], batch: &Samples) -> Vec<f64> {
    let layers = widths.len() - 1;
    let mut gradient = vec![0.0; weights.len()];
    let targets = batch.targets.chunks(widths[layers]);
    for (inputs, targets) in batch.inputs.chunks(widths[0]).zip(targets) {
        let mut values = vec![doubles(inputs)];
        let mut starts = vec![0];
        for (layer, pair) in widths.windows(2).enumerate() {
            let bias = starts[layer] + pair[0] * pair[1];
            let output = |o: usize| {
                let row = doubles(&weights[starts[layer] + o * pair[0]..][..pair[0]]);
                let products = row.iter().zip(&values[layer]).map(|(w, x)| w * x);
                let z = products.sum::<f64>() + f64::from(weights[bias + o]);
                if layer + 1 == layers { z } else { z.tanh() }
            };
            values.push((0..pair[1]).map(output).collect());
            starts.push(bias + pair[1]);
        }
        let errors = values[layers].iter().zip(targets);
        let scale = 2.0 / batch.targets.len() as f64;
        let mut delta: Vec<f64> = errors.map(|(z, y)| scale * (z - f64::from(*y))).collect();
        for (layer, pair) in widths.windows(2).enumerate().rev() {
            let (start, x) = (starts[layer], &values[layer]);
            let mut back = vec![0.0; pair[0]];
            for o in 0..pair[1] {
                for i in 0..pair[0] {
                    let at = start + o * pair[0] + i;
                    gradient[at] += delta[o] * x[i];
                    back[i] += f64::from(weights[at]) * delta[o] * (1.0 - x[i] * x[i]);
                }
                gradient[start + pair[0] * pair[1] + o] += delta[o];
            }
            delta = back;
        }
    }
    gradient
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Different weights and batches of one shape.
fn drawn(network: &Feedforward, networks: usize, rows: usize) -> Vec<(Vec<f32>, Samples)> {
    (0..networks)
        .map(|at| draw(network, rows, at as u64))
        .collect()
}

/// The weights side by side, and the batches one after the other.
fn beside(all: &[(Vec<f32>, Samples)]) -> (Vec<f32>, Samples) {
    let weights: Vec<f32> = all
        .iter()
        .flat_map(|(weights, _)| weights.clone())
        .collect();
    let mut batch = Samples::default();
    for (_, own) in all {
        batch.extend(own, &(0..own.rows as u32).collect::<Vec<_>>());
    }
    (transposed(&weights, weights.len() / all.len()), batch)
}

/// Their losses and gradients, each in a row.
fn abreast(network: &Feedforward, all: &[(Vec<f32>, Samples)], arch: Arch) -> Vec<(f64, Vec<f32>)> {
    let mut kernel = Abreast::new(&network.layers, network.loss, arch);
    let (weights, batch) = beside(all);
    let mut losses = vec![0.0; all.len()];
    let gradients = transposed(kernel.gradients(&weights, &batch, &mut losses), all.len());
    let rows = gradients
        .chunks(weights.len() / all.len())
        .map(<[f32]>::to_vec);
    losses.into_iter().zip(rows).collect()
}

#[test]
fn gradients_are_those_of_the_textbook() {
    for (rows, widths) in [
        (32, vec![2, 16, 16, 1]),
        (1, vec![1, 1]),
        (37, vec![7, 33, 18, 3]),
        (16, vec![10, 9, 1, 8, 2]),
    ] {
        let network = dense(&widths, Activation::Tanh, Loss::Mse);
        let all = drawn(&network, 16, rows);
        for arch in instruction_sets() {
            let found = abreast(&network, &all, arch);
            for ((weights, batch), (_, found)) in all.iter().zip(found) {
                let expected = textbook(&widths, weights, batch);
                let expected: Vec<f32> = expected.into_iter().map(|it| it as f32).collect();
                let apart = distance(&found, &expected);
                assert!(apart < 2e-6, "{arch:?} {widths:?}: {apart}");
            }
        }
    }
}

#[test]
fn every_loss_and_activation_is_that_of_one_network() {
    for activation in ACTIVATIONS {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            let network = dense(&[3, 17, 5, 4], activation, loss);
            let mut all = drawn(&network, 13, 37);
            for (_, batch) in &mut all {
                batch.weights = (0..37).map(|row| [0.5, 1.5, 0.0, 2.0][row % 4]).collect();
            }
            for arch in instruction_sets() {
                let found = abreast(&network, &all, arch);
                let mut one = Fused::new(&network.layers, network.loss, arch);
                for ((weights, batch), (loss, found)) in all.iter().zip(found) {
                    let (expected_loss, expected) = one.gradient(weights, batch);
                    assert!((loss - expected_loss).abs() < 1e-6 * expected_loss.max(1.0));
                    let apart = distance(&found, expected);
                    assert!(apart < 2e-6, "{arch:?} {activation:?}: {apart}");
                }
            }
        }
    }
}

#[test]
fn a_network_depends_on_no_other() {
    for loss in [Loss::Mse, Loss::CrossEntropy] {
        let network = dense(&[3, 17, 5, 4], Activation::Tanh, loss);
        let all = drawn(&network, 16, 20);
        for arch in instruction_sets() {
            let expected = abreast(&network, &all, arch);
            let mut others = all.clone();
            others.reverse();
            others.truncate(14);
            for (weights, _) in others.iter_mut().step_by(2) {
                weights.fill(f32::NAN);
            }
            let found = abreast(&network, &others, arch);
            for (at, (found, expected)) in found.iter().zip(expected.iter().rev()).enumerate() {
                if at % 2 == 0 {
                    assert!(found.0.is_nan(), "{arch:?} {loss:?}");
                } else {
                    assert_eq!(found, expected, "{arch:?} {loss:?}");
                }
            }
        }
    }
}

#[test]
fn weights_move_by_the_gradients_each_once() {
    let network = dense(&[3, 17, 5, 4], Activation::Tanh, Loss::Mse);
    for rows in [20, 70] {
        let all = drawn(&network, ABREAST, rows);
        let (weights, batch) = beside(&all);
        for arch in instruction_sets() {
            let mut kernel = Abreast::new(&network.layers, network.loss, arch);
            let mut losses = [[0.0; ABREAST]; 2];
            let gradients = kernel.gradients(&weights, &batch, &mut losses[0]);
            let pairs = weights.iter().zip(gradients);
            let expected: Vec<f32> = pairs.map(|(weight, by)| weight - 0.1 * by).collect();
            let mut found = weights.clone();
            let mut move_weights = |first: usize, some: &mut [f32], gradients: &[f32]| {
                assert_eq!(some, &weights[first..first + some.len()]);
                let pairs = some.iter_mut().zip(gradients);
                pairs.for_each(|(weight, by)| *weight -= 0.1 * by);
            };
            let mut moves = Moves::Other(&mut move_weights);
            let moved = kernel.descend(&mut found, &batch, &mut losses[1], &mut moves);
            assert!(moved.is_some() && found == expected, "{arch:?} {rows}");
            assert_eq!(losses[0], losses[1]);
        }
    }
}

#[test]
fn weights_that_move_by_adam_beside_the_sums_end_where_others_do() {
    let network = dense(&[3, 17, 5, 4], Activation::Tanh, Loss::Mse);
    let decay = Decay {
        kept: 0.99,
        is_cautious: true,
    };
    for (betas, decay) in [
        ([0.9, 0.999, 1e-8], None),
        ([0.1, 0.4, 1e-8], None),
        ([0.9, 0.999, 1e-8], Some(decay)),
    ] {
        for rows in [5, 32, 70] {
            let all = drawn(&network, ABREAST, rows);
            let (start, batch) = beside(&all);
            for arch in instruction_sets() {
                let mut kernel = Abreast::new(&network.layers, network.loss, arch);
                let mut found = [start.clone(), start.clone()];
                let mut moments = [(); 4].map(|()| vec![0.0; start.len()]);
                for step in 1..4 {
                    let rule = AdamRule::new(step, 1e-2, betas, decay);
                    let mut losses = [0.0; ABREAST];
                    let [beside, after] = &mut found;
                    let [means, squares, ..] = &mut moments;
                    let moves = AdamStep {
                        rule,
                        means,
                        squares,
                        arch,
                    };
                    let mut moves = Moves::Adam(moves);
                    let moved = kernel.descend(beside, &batch, &mut losses, &mut moves);
                    assert!(moved.is_some());
                    let [.., means, squares] = &mut moments;
                    let mut moves = AdamStep {
                        rule,
                        means,
                        squares,
                        arch,
                    };
                    let gradients = kernel.gradients(after, &batch, &mut losses);
                    moves.move_part(0, after, gradients);
                }
                assert_eq!(found[0], found[1], "{arch:?} {rows} {betas:?}");
                assert_ne!(found[0], start);
            }
        }
    }
}
