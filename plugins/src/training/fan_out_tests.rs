//! The kernel against finite differences, against dfdx, and against itself on other instructions.

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::parents::{DfdxTrainer, Scaled};
use crate::training::{Adam, AdamW, RmsProp, Sgd};

fn network(widths: &[usize], activation: Activation, loss: Loss) -> Network {
    Network {
        inputs: vec![Scaled::as_is("x"); widths[0]],
        targets: vec![Scaled::as_is("y"); widths[widths.len() - 1]],
        front: None,
        widths: widths.to_vec(),
        activation,
        loss,
    }
}

/// Weights in ±1/√inputs and samples in ±2, as training meets them.
fn draw(network: &Network, rows: usize, seed: u64) -> (Vec<f32>, Samples) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut weights = Vec::new();
    for pair in network.widths.windows(2) {
        let limit = 1.0 / (pair[0] as f32).sqrt();
        weights.extend((0..(pair[0] + 1) * pair[1]).map(|_| rng.random_range(-limit..limit)));
    }
    let outputs = network.widths[network.widths.len() - 1];
    let inputs = (0..rows * network.widths[0]).map(|_| rng.random_range(-2.0..2.0));
    let inputs = inputs.collect();
    let targets = match network.loss {
        Loss::Mse => (0..rows * outputs)
            .map(|_| rng.random_range(-2.0..2.0))
            .collect(),
        Loss::CrossEntropy => (0..rows)
            .map(|_| rng.random_range(0..outputs) as f32)
            .collect(),
    };
    let samples = Samples {
        inputs,
        targets,
        rows,
    };
    (weights, samples)
}

/// All that this machine can run the kernel on, and code without any vectors.
fn instruction_sets() -> Vec<Arch> {
    let mut sets = vec![Arch::Scalar, Arch::new()];
    // Where there is AVX-512, machines that have AVX2 alone are tried too.
    #[cfg(target_arch = "x86_64")]
    sets.extend(pulp::x86::V3::try_new().map(Arch::V3));
    sets
}

fn sgd() -> Optimizer {
    Optimizer::Sgd(Sgd {
        rate: 1e-2,
        momentum: 0.0,
    })
}

/// The largest difference over the largest size.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
    let scale = largest(&mut expected.iter().map(|value| value.abs()));
    let error = largest(&mut found.iter().zip(expected).map(|(f, e)| (f - e).abs()));
    error / scale.max(1e-3)
}

/// The mean loss in f64 throughout, written as the textbook has it.
fn loss_f64(network: &Network, weights: &[f64], batch: &Samples) -> f64 {
    let width = network.widths[0];
    let layers = network.widths.len() - 1;
    let outputs = network.widths[layers];
    let mut total = 0.0;
    for row in 0..batch.rows {
        let mut values: Vec<f64> = batch.inputs[row * width..][..width]
            .iter()
            .map(|value| f64::from(*value))
            .collect();
        let mut start = 0;
        for (at, pair) in network.widths.windows(2).enumerate() {
            let (weight, bias) = (start, start + pair[0] * pair[1]);
            start = bias + pair[1];
            values = (0..pair[1])
                .map(|out| {
                    let dot: f64 = (0..pair[0])
                        .map(|i| weights[weight + out * pair[0] + i] * values[i])
                        .sum();
                    let z = dot + weights[bias + out];
                    match network.activation {
                        _ if at + 1 == layers => z,
                        Activation::Tanh => z.tanh(),
                        Activation::Relu => z.max(0.0),
                        Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
                        Activation::Gelu => {
                            let scale = (2.0 / std::f64::consts::PI).sqrt();
                            0.5 * z * (1.0 + (scale * (z + 0.044715 * z.powi(3))).tanh())
                        }
                    }
                })
                .collect();
        }
        total += match network.loss {
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
    let activations = [
        Activation::Tanh,
        Activation::Relu,
        Activation::Gelu,
        Activation::Sigmoid,
    ];
    for activation in activations {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            let network = network(&[3, 5, 4, 2], activation, loss);
            let (weights, batch) = draw(&network, 37, 5);
            let exact: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let optimizer = sgd();
            let mut trainer = FanOut::new(&network, &optimizer);
            let (mean, gradient) = trainer.gradient(&weights, &batch);
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

fn optimizers() -> impl Strategy<Value = Optimizer> {
    (0..5).prop_map(|which| match which {
        0 => sgd(),
        1 => Optimizer::Sgd(Sgd {
            rate: 1e-2,
            momentum: 0.9,
        }),
        2 => Optimizer::Adam(Adam {
            rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-3,
        }),
        3 => Optimizer::AdamW(AdamW {
            rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-3,
            decay: 0.1,
        }),
        _ => Optimizer::RmsProp(RmsProp {
            rate: 1e-3,
            decay: 0.9,
            epsilon: 1e-3,
        }),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    // The epsilons are large: where a gradient is about zero, Adam with the usual 1e-8
    // turns its rounding error into a whole step.
    #[test]
    fn steps_are_those_of_dfdx(
        hidden in prop::collection::vec(1usize..40, 0..4),
        ends in (1usize..20, 1usize..6),
        activation in prop::sample::select(vec![
            Activation::Tanh, Activation::Relu, Activation::Gelu, Activation::Sigmoid,
        ]),
        loss in prop::sample::select(vec![Loss::Mse, Loss::CrossEntropy]),
        optimizer in optimizers(),
        rows in 1usize..100,
        seed in any::<u64>(),
    ) {
        let mut widths = vec![ends.0];
        widths.extend(hidden);
        widths.push(ends.1);
        let network = network(&widths, activation, loss);
        let (start, batch) = draw(&network, rows, seed);
        let mut reference = DfdxTrainer::new(&network, &optimizer);
        let (expected_loss, expected_gradient) = reference.gradient(&start, &batch);
        let mut weights = start.clone();
        let expected_steps: Vec<Vec<f32>> = (0..20)
            .map(|_| {
                reference.step(&mut weights, &batch, 1.0);
                weights.clone()
            })
            .collect();
        for arch in instruction_sets() {
            let mut fast = FanOut::new(&network, &optimizer);
            fast.arch = arch;
            let (loss, gradient) = fast.gradient(&start, &batch);
            prop_assert!((loss - expected_loss).abs() < 1e-5 * expected_loss.max(1.0));
            let apart = distance(gradient, &expected_gradient);
            prop_assert!(apart < 2e-5, "{arch:?}: {apart}");
            let mut found = start.clone();
            for (step, expected) in expected_steps.iter().enumerate() {
                fast.step(&mut found, &batch, 1.0);
                let tolerance = if step == 0 { 5e-6 } else { 1e-4 };
                let apart = distance(&found, expected);
                prop_assert!(apart < tolerance, "{arch:?} step {step}: {apart}");
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_gradient() {
    let network = network(&[7, 33, 18, 3], Activation::Gelu, Loss::CrossEntropy);
    let (weights, batch) = draw(&network, 50, 11);
    let optimizer = sgd();
    let mut trainer = FanOut::new(&network, &optimizer);
    let best = trainer.gradient(&weights, &batch).1.to_vec();
    for arch in instruction_sets() {
        trainer.arch = arch;
        let found = trainer.gradient(&weights, &batch).1;
        assert!(distance(found, &best) < 1e-5, "{arch:?}");
    }
}

#[test]
fn a_diverged_network_leaves_nothing_behind() {
    let network = network(&[2, 16, 1], Activation::Relu, Loss::Mse);
    let (start, batch) = draw(&network, 20, 3);
    let optimizer = sgd();
    let mut trainer = FanOut::new(&network, &optimizer);
    let mut clean = start.clone();
    trainer.step(&mut clean, &batch, 1.0);
    trainer.restart();
    let mut broken = vec![f32::NAN; start.len()];
    assert!(trainer.step(&mut broken, &batch, 1.0).is_nan());
    trainer.restart();
    let mut again = start;
    trainer.step(&mut again, &batch, 1.0);
    assert_eq!(clean, again);
}
