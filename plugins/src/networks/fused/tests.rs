//! The kernel against finite differences and against itself on other instructions.

use super::*;
use crate::networks::Feedforward;
use crate::networks::testing::{
    ACTIVATIONS, dense as network, distance, draw, exactly, instruction_sets,
};

/// The mean loss in f64 throughout, written as the textbook has it.
fn loss_f64(network: &Feedforward, weights: &[f64], batch: &Samples) -> f64 {
    let width = network.layers.widths[0];
    let layers = network.layers.widths.len() - 1;
    let outputs = network.layers.widths[layers];
    let mut total = 0.0;
    for row in 0..batch.rows {
        let mut values: Vec<f64> = batch.inputs[row * width..][..width]
            .iter()
            .map(|value| f64::from(*value))
            .collect();
        let mut start = 0;
        for (at, pair) in network.layers.widths.windows(2).enumerate() {
            let (weight, bias) = (start, start + pair[0] * pair[1]);
            start = bias + pair[1];
            values = (0..pair[1])
                .map(|out| {
                    let dot: f64 = (0..pair[0])
                        .map(|i| weights[weight + out * pair[0] + i] * values[i])
                        .sum();
                    let z = dot + weights[bias + out];
                    match at + 1 == layers {
                        true => z,
                        false => exactly(network.layers.activation, z),
                    }
                })
                .collect();
        }
        let counts = batch.weights.get(row).copied().map_or(1.0, f64::from);
        total += counts
            * match network.loss {
                Loss::Mse => values
                    .iter()
                    .zip(&batch.targets[row * outputs..])
                    .map(|(value, target)| (value - f64::from(*target)).powi(2) / outputs as f64)
                    .sum::<f64>(),
                Loss::CrossEntropy => {
                    let sum: f64 = values.iter().map(|value| value.exp()).sum();
                    sum.ln() - values[batch.targets[row] as usize]
                }
            };
    }
    total / batch.rows as f64
}

#[test]
fn gradients_are_finite_differences() {
    for activation in ACTIVATIONS {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            let network = network(&[3, 5, 4, 2], activation, loss);
            let (weights, mut batch) = draw(&network, 37, 5);
            if loss == Loss::CrossEntropy || activation == Activation::Tanh {
                batch.weights = (0..37).map(|row| [0.5, 1.5, 0.0, 2.0][row % 4]).collect();
            }
            let exact: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let mut fused = Fused::new(&network.layers, network.loss, Arch::new());
            let (mean, gradient) = fused.gradient(&weights, &batch);
            assert!((mean - loss_f64(&network, &exact, &batch)).abs() < 1e-6);
            for (at, found) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut moved = exact.clone();
                    moved[at] += by;
                    loss_f64(&network, &moved, &batch)
                };
                // Small enough that no ReLU of these samples changes side.
                let expected = (moved(1e-7) - moved(-1e-7)) / 2e-7;
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-6,
                    "{activation:?} {loss:?} weight {at}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_gradient() {
    let network = network(&[7, 33, 18, 3], Activation::Gelu, Loss::CrossEntropy);
    let (weights, batch) = draw(&network, 50, 11);
    let mut fused = Fused::new(&network.layers, network.loss, Arch::new());
    let best = fused.gradient(&weights, &batch).1.to_vec();
    for arch in instruction_sets() {
        fused.arch = arch;
        let found = fused.gradient(&weights, &batch).1;
        assert!(distance(found, &best) < 1e-5, "{arch:?}");
    }
}

#[test]
fn parts_of_a_batch_add_up_to_the_same_bits_on_any_number_of_cores() {
    let network = network(&[7, 33, 18, 3], Activation::Tanh, Loss::Mse);
    for rows in [31, 128, 257, 1000] {
        let (weights, batch) = draw(&network, rows, 11);
        let fused = || Fused::new(&network.layers, network.loss, Arch::new());
        let mut alone = fused();
        let (loss, gradient) = alone.gradient(&weights, &batch);
        for cores in [2, 5] {
            let mut shared = fused().shared_by(cores);
            for _ in 0..20 {
                assert_eq!(shared.gradient(&weights, &batch), (loss, gradient));
            }
        }
    }
}

#[test]
fn wide_networks_have_few_parts() {
    for (width, parts) in [(100, 8), (1000, 4), (3000, 1)] {
        let layers = Layers {
            widths: vec![width, width, 1],
            activation: Activation::Relu,
        };
        let mut fused = Fused::new(&layers, Loss::Mse, Arch::new());
        fused.cut(2000);
        assert_eq!(fused.parts.len(), parts, "{width}");
        let rows: Vec<_> = fused
            .parts
            .iter_mut()
            .map(|it| own(it).rows.clone())
            .collect();
        assert_eq!((rows[0].start, rows[parts - 1].end), (0, 2000));
        assert!(rows.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
}
