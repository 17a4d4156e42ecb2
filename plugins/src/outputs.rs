//! What a network says of all rows, block by block, so that idle cores help.

use engine::plugin::Context;

use crate::networks::Network;

/// How many rows a core runs at a time: whole tiles, whatever a network does side by side.
const BLOCK: usize = 1024;

/// The outputs with these weights, `[rows, outputs]`, the same bits as of [`Network::evaluate`].
///
/// Those of a program may depend on how many rows there are: it runs all of them at once.
pub(crate) fn outputs(
    network: &Network,
    weights: &[f32],
    (inputs, rows): (&[f32], usize),
    context: &Context,
) -> Vec<f32> {
    let width = inputs.len().checked_div(rows).unwrap_or(0);
    if network.program().is_some() || width == 0 || rows <= BLOCK {
        return network.evaluate(weights, inputs, rows);
    }
    let blocks: Vec<&[f32]> = inputs.chunks(BLOCK * width).collect();
    let outputs = context.share(&blocks, |inputs| {
        network.evaluate(weights, inputs, inputs.len() / width)
    });
    outputs.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::testing::{made_up, network, small_transformer};
    use crate::networks::{Activation, Loss, Scaled};

    #[test]
    fn blocks_have_the_bits_of_all_rows_at_once() {
        let columns = |count: usize| (0..count).map(|at| Scaled::as_is(&format!("c{at}")));
        let columns = [columns(3).collect(), columns(1).collect()];
        let dense = network(columns, &[3, 5, 2], Loss::CrossEntropy);
        for network in [dense, small_transformer(Activation::Gelu)] {
            let weights = made_up(network.layout().len(), 1);
            for rows in [0, 1, BLOCK, BLOCK + 1, 2 * BLOCK + 37] {
                let inputs = made_up(3 * rows, 2);
                let expected = network.evaluate(&weights, &inputs, rows);
                let found = outputs(&network, &weights, (&inputs, rows), &Context::alone("o"));
                assert_eq!(found, expected);
            }
        }
    }
}
