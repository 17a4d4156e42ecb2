//! The MLP variant of NiNo: five states of a weight and its tensor's role to forty ahead.

use std::path::Path;

use engine::artifact::TensorFile;
use engine::error::Fault;
use engine::files::Files;
use serde::{Deserialize, Serialize};

use super::dense::Dense;
use super::{Role, at_weights};

/// How many states the network sees.
const STATES: usize = 5;

/// A network from five standardised states of a weight, oldest first, to its moves ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NinoNet {
    weights: Vec<f32>,
    /// Neurons of a hidden layer.
    hidden: usize,
    /// How many states ahead it predicts.
    pub ahead: usize,
    /// `[roles, hidden]`.
    embedding: Vec<f32>,
}

impl NinoNet {
    /// The network in a file, with the names of the published ones.
    ///
    /// # Errors
    /// The user's fault when a tensor is missing or the shapes do not fit together.
    pub fn load(path: &Path, files: &Files) -> Result<Self, Fault> {
        let file = TensorFile::open(path, files).map_err(at_weights)?;
        let hidden = match file.shape("edge_proj.fc.0.weight") {
            Some([hidden, STATES]) => *hidden,
            _ => STATES,
        };
        let ahead = file
            .shape("edge_mlp.fc.6.bias")
            .map_or(40, |shape| shape.iter().product());
        let roles = match file.shape("layer_embed.weight") {
            Some([roles, _]) if *roles > Self::row(Role::Norm) => *roles,
            _ => 15,
        };
        let mut weights = Vec::new();
        for (name, inputs, outputs) in [
            ("edge_proj.fc.0", STATES, hidden),
            ("edge_mlp.fc.0", hidden, hidden),
            ("edge_mlp.fc.2", hidden, hidden),
            ("edge_mlp.fc.4", hidden, hidden),
            ("edge_mlp.fc.6", hidden, ahead),
        ] {
            let matrix = file.tensor(&format!("{name}.weight"), &[outputs, inputs]);
            let matrix = matrix.map_err(at_weights)?;
            // Stored `[outputs, inputs]`, used the other way round.
            let column = |input: usize| matrix.iter().skip(input).step_by(inputs);
            weights.extend((0..inputs).flat_map(column));
            weights.extend(
                file.tensor(&format!("{name}.bias"), &[outputs])
                    .map_err(at_weights)?,
            );
        }
        Ok(Self {
            weights,
            hidden,
            ahead,
            embedding: (file.tensor("layer_embed.weight", &[roles, hidden])).map_err(at_weights)?,
        })
    }

    /// The row of a role in the published embedding.
    fn row(role: Role) -> usize {
        match role {
            Role::Dense => 1,
            Role::Bias => 2,
            Role::Convolution => 3,
            Role::Norm => 4,
        }
    }

    /// The moves of weights of one role from their newest standardised state, `[weights, ahead]`;
    /// `states` are `[weights, 5]`.
    pub fn moves(&self, states: &[f32], role: Role) -> Vec<f32> {
        let mut at = 0;
        let mut dense = |inputs: usize, outputs: usize| {
            let kernel = at..at + inputs * outputs;
            at = kernel.end + outputs;
            let bias = kernel.end..at;
            Dense { kernel, bias }
        };
        let hidden = self.hidden;
        let mut values = dense(STATES, hidden).forward(&self.weights, states);
        let embedding = &self.embedding[Self::row(role) * hidden..][..hidden];
        for row in values.chunks_exact_mut(hidden) {
            row.iter_mut()
                .zip(embedding)
                .for_each(|(value, more)| *value += more);
        }
        for _ in 0..3 {
            values = dense(hidden, hidden).forward(&self.weights, &values);
            values
                .iter_mut()
                .for_each(|value| *value /= 1.0 + (-*value).exp());
        }
        dense(hidden, self.ahead).forward(&self.weights, &values)
    }

    /// Multiplications and additions for one weight.
    pub fn operations(&self) -> f64 {
        2.0 * self.weights.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_layout_are_refused() {
        let networks = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/networks");
        let refused = |name: &str| {
            let path = networks.join(name);
            let message = NinoNet::load(&path, &Files::unchecked())
                .unwrap_err()
                .to_string();
            message.replace(&format!("`{}`: ", path.display()), "")
        };
        assert_eq!(
            refused("known_random.safetensors"),
            "tensor `edge_proj.fc.0.weight` is missing"
        );
        assert_eq!(
            refused("known_random.json"),
            "expected safetensors, found JSON"
        );
    }
}
