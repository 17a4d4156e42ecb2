//! Small networks that map a few states of one weight to states to come.

mod dense;
mod known_net;
mod nino_net;

use engine::artifact::{Layout, Tensor};
use engine::error::Fault;
use std::ops::Range;

pub use known_net::{INPUTS, KnownNet};
pub use nino_net::NinoNet;

/// What a tensor does in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The matrix of a dense layer, or what is used like one.
    Dense,
    /// What is added to the outputs of a layer.
    Bias,
    /// The kernel of a convolution.
    Convolution,
    /// The scale of a normalisation.
    Norm,
}

impl Role {
    /// By shape, and by name where shapes do not tell: three or more axes are a convolution,
    /// two a dense layer, one a bias; the `weight` of a layer with `norm`, `bn` or `ln` in its
    /// name is the scale of a normalisation.
    pub fn of(tensor: &Tensor) -> Self {
        let name = tensor.name.to_lowercase();
        let is_norm = ["norm", "bn", "ln"].iter().any(|part| name.contains(part));
        match tensor.shape.len() {
            0 | 1 if is_norm && name.ends_with("weight") => Role::Norm,
            0 | 1 => Role::Bias,
            2 => Role::Dense,
            _ => Role::Convolution,
        }
    }
}

/// The parts of some columns that belong to one tensor each: its index, its role, and which of
/// the columns, counted from their first.
pub fn tensors_in(layout: &Layout, columns: &Range<usize>) -> Vec<(usize, Role, Range<usize>)> {
    let parts = layout.ranges().enumerate().map(|(at, (tensor, range))| {
        let start = range.start.max(columns.start);
        let end = range.end.min(columns.end);
        let part = start.saturating_sub(columns.start)..end.saturating_sub(columns.start);
        (at, Role::of(tensor), part)
    });
    parts.filter(|(_, _, part)| !part.is_empty()).collect()
}

/// The complaint about a file of weights, at its parameter.
pub fn at_weights(fault: Fault) -> Fault {
    match fault {
        Fault::User { message, hint, .. } => Fault::User {
            param: Some("weights".to_owned()),
            message,
            hint,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: &[usize]) -> Tensor {
        Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        }
    }

    #[test]
    fn roles_follow_shape_and_name() {
        for (name, shape, role) in [
            ("layers.0.weight", &[8, 1, 3, 3][..], Role::Convolution),
            ("layers.1.weight", &[4, 8], Role::Dense),
            ("layers.1.bias", &[4], Role::Bias),
            ("bn1.weight", &[4], Role::Norm),
            ("encoder.LayerNorm.bias", &[4], Role::Bias),
        ] {
            assert_eq!(Role::of(&tensor(name, shape)), role, "{name}");
        }
    }

    #[test]
    fn columns_are_cut_at_tensors() {
        let layout = Layout {
            tensors: vec![tensor("a", &[2, 2]), tensor("b", &[3]), tensor("c", &[2])],
        };
        assert_eq!(
            tensors_in(&layout, &(3..8)),
            [
                (0, Role::Dense, 0..1),
                (1, Role::Bias, 1..4),
                (2, Role::Bias, 4..5)
            ]
        );
        assert_eq!(tensors_in(&layout, &(0..4)), [(0, Role::Dense, 0..4)]);
    }
}
