//! The weights that training starts from.

use engine::artifact::Layout;
use rand::{Rng, RngExt};

/// Weights and biases uniform within ±1/√inputs, as `torch.nn.Linear` and `Conv2d` start; norms
/// that change nothing. Tensors are pairs of a weight and its bias.
pub(super) fn initial(layout: &Layout, rng: &mut impl Rng) -> Vec<f32> {
    let mut weights = Vec::with_capacity(layout.len());
    for layer in layout.tensors.chunks_exact(2) {
        if let [scales] = layer[0].shape[..] {
            weights.extend(std::iter::repeat_n(1.0, scales));
            weights.extend(std::iter::repeat_n(0.0, scales));
            continue;
        }
        let inputs: usize = layer[0].shape[1..].iter().product();
        let limit = 1.0 / (inputs as f32).sqrt();
        let count = layer[0].len() + layer[1].len();
        weights.extend((0..count).map(|_| rng.random_range(-limit..limit)));
    }
    weights
}
