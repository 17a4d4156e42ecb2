//! Steps by the fused kernel against steps by dfdx.

use proptest::prelude::*;

use super::*;
use crate::networks::testing::{dense, distance, draw, instruction_sets};
use crate::networks::{Activation, FanOut, Loss};
use crate::training::{Adam, AdamW, RmsProp, Sgd, SgdW};

fn sgd() -> Optimizer {
    Optimizer::Sgd(Sgd {
        rate: 1e-2,
        momentum: 0.0,
    })
}

fn optimizers() -> impl Strategy<Value = Optimizer> {
    (0..6).prop_map(|which| match which {
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
            cautious: false,
        }),
        4 => Optimizer::SgdW(SgdW {
            rate: 1e-2,
            momentum: 0.9,
            decay: 0.1,
            cautious: false,
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
            Activation::Tanh, Activation::Relu, Activation::Gelu, Activation::GeluTanh,
            Activation::Sigmoid, Activation::Silu,
        ]),
        loss in prop::sample::select(vec![Loss::Mse, Loss::CrossEntropy]),
        optimizer in optimizers(),
        rows in 1usize..100,
        seed in any::<u64>(),
    ) {
        let mut widths = vec![ends.0];
        widths.extend(hidden);
        widths.push(ends.1);
        let network = dense(&widths, activation, loss);
        let (start, batch) = draw(&network, rows, seed);
        let shared = Network::from(network.clone());
        let mut reference = Trainer::new(&shared, TrainerChoice::Dfdx, &optimizer);
        let (expected_loss, expected_gradient) = reference.gradient.gradient(&start, &batch);
        let expected_gradient = expected_gradient.to_vec();
        let mut weights = start.clone();
        // A unit at the kink may be on either side of it by rounding: from there on the paths part.
        let steps = if activation == Activation::Relu { 1 } else { 20 };
        let expected_steps: Vec<Vec<f32>> = (0..steps)
            .map(|_| {
                reference.step(&mut weights, &batch, 1.0);
                weights.clone()
            })
            .collect();
        for arch in instruction_sets() {
            let fused = Box::new(FanOut::new(&network.layers, network.loss, arch));
            let mut fast = Trainer::by(fused, start.len(), &optimizer, arch);
            let (loss, gradient) = fast.gradient.gradient(&start, &batch);
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
fn a_diverged_network_leaves_nothing_behind() {
    let network = dense(&[2, 16, 1], Activation::Relu, Loss::Mse);
    let (start, batch) = draw(&network, 20, 3);
    let optimizer = sgd();
    let mut trainer = Trainer::new(&network.into(), TrainerChoice::FanOut, &optimizer);
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
