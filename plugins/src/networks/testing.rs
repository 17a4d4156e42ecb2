//! Numbers and networks for the tests of networks.

use pulp::Arch;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::gelu::tests::cumulative;
use super::{
    Activation, Columns, Encoder, EncoderNetwork, Feedforward, Layers, Loss, Network, Samples,
    Scaled,
};

/// Made-up numbers of magnitude up to one.
pub(crate) fn made_up(count: usize, salt: usize) -> Vec<f32> {
    (0..count)
        .map(|index| ((index * 37 + salt * 101) as f32 * 0.618).sin())
        .collect()
}

/// A multilayer perceptron.
pub(crate) fn dense(widths: &[usize], activation: Activation, loss: Loss) -> Feedforward {
    let of = |name: &str, count: usize| vec![Scaled::as_is(name); count];
    Feedforward {
        columns: Columns {
            inputs: of("x", widths[0]),
            targets: of("y", widths[widths.len() - 1]),
        },
        layers: Layers {
            widths: widths.to_vec(),
            activation,
        },
        loss,
    }
}

/// A network of tangents that reads and predicts these columns.
pub(crate) fn network(columns: [Vec<Scaled>; 2], widths: &[usize], loss: Loss) -> Network {
    let [inputs, targets] = columns;
    let shape = dense(widths, Activation::Tanh, loss);
    Network::from(Feedforward {
        columns: Columns { inputs, targets },
        ..shape
    })
}

/// Weights in ±1/√inputs and samples in ±2, as training meets them.
pub(crate) fn draw(network: &Feedforward, rows: usize, seed: u64) -> (Vec<f32>, Samples) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut weights = Vec::new();
    let widths = &network.layers.widths;
    for pair in widths.windows(2) {
        let limit = 1.0 / (pair[0] as f32).sqrt();
        weights.extend((0..(pair[0] + 1) * pair[1]).map(|_| rng.random_range(-limit..limit)));
    }
    let outputs = widths[widths.len() - 1];
    let inputs = (0..rows * widths[0]).map(|_| rng.random_range(-2.0..2.0));
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
        weights: Vec::new(),
        rows,
    };
    (weights, samples)
}

/// All that this machine can run the kernel on, and code without any vectors.
pub(crate) fn instruction_sets() -> Vec<Arch> {
    let mut sets = vec![Arch::Scalar, Arch::new()];
    // Where there is AVX-512, machines that have AVX2 alone are tried too.
    #[cfg(target_arch = "x86_64")]
    sets.extend(pulp::x86::V3::try_new().map(Arch::V3));
    sets
}

/// The largest difference over the largest size.
pub(crate) fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
    let scale = largest(&mut expected.iter().map(|value| value.abs()));
    let error = largest(&mut found.iter().zip(expected).map(|(f, e)| (f - e).abs()));
    error / scale.max(1e-3)
}

/// All activations.
pub(crate) const ACTIVATIONS: [Activation; 6] = [
    Activation::Tanh,
    Activation::Relu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Sigmoid,
    Activation::Silu,
];

/// An activation as the textbook has it, in f64.
pub(crate) fn exactly(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Tanh => z.tanh(),
        Activation::Relu => z.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
        Activation::Silu => z / (1.0 + (-z).exp()),
        Activation::Gelu => z * cumulative(z),
        Activation::GeluTanh => {
            let scale = (2.0 / std::f64::consts::PI).sqrt();
            0.5 * z * (1.0 + (scale * (z + 0.044715 * z.powi(3))).tanh())
        }
    }
}

/// A small transformer encoder.
pub(crate) fn encoder() -> Encoder {
    Encoder {
        tokens: 3,
        width: 4,
        heads: 2,
        layers: 2,
        feedforward: 5,
    }
}

/// A network of [`encoder`] with two outputs.
pub(crate) fn small_transformer(activation: Activation) -> Network {
    let encoder = encoder();
    Network::from(EncoderNetwork {
        columns: Columns {
            inputs: vec![Scaled::as_is("x"); encoder.tokens],
            targets: vec![Scaled::as_is("y")],
        },
        layers: Layers {
            widths: vec![encoder.width, 2],
            activation,
        },
        encoder,
        loss: Loss::Mse,
    })
}
