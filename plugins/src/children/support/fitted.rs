//! Weights from elsewhere in a network of ours: which of their tensors is which of its.

use std::collections::BTreeMap;

use engine::artifact::{Layout, shown};

/// For each tensor of a network, which one of some weights it is: that of its name, or else of its
/// place: modules in the order of their names, numbers as numbers, hold the layers in their order.
///
/// # Errors
/// The first tensor that has no counterpart, or one of another shape.
pub fn fitted(weights: &Layout, network: &Layout) -> Result<Vec<usize>, String> {
    let named = |name: &str| {
        weights
            .tensors
            .iter()
            .position(|tensor| tensor.name == name)
    };
    let by_name: Option<Vec<usize>> = network.tensors.iter().map(|it| named(&it.name)).collect();
    let places = match by_name {
        Some(places) => places,
        None => by_module(weights, network)?,
    };
    if weights.tensors.len() != network.tensors.len() {
        return Err(format!(
            "the weights have {} tensors, its network {}",
            weights.tensors.len(),
            network.tensors.len()
        ));
    }
    for (place, tensor) in places.iter().zip(&network.tensors) {
        let found = &weights.tensors[*place];
        if found.shape != tensor.shape {
            return Err(format!(
                "tensor `{}` {:?} is no `{}` {:?}",
                shown(&found.name),
                found.shape,
                tensor.name,
                tensor.shape
            ));
        }
    }
    Ok(places)
}

fn by_module(weights: &Layout, network: &Layout) -> Result<Vec<usize>, String> {
    let (of_weights, of_network) = (modules(weights), modules(network));
    if of_weights.len() != of_network.len() {
        let (found, expected) = (of_weights.len(), of_network.len());
        return Err(format!(
            "the weights are of {found} modules, its network has {expected} layers"
        ));
    }
    let mut places = BTreeMap::new();
    for ((module, theirs), (layer, ours)) in of_weights.iter().zip(&of_network) {
        for (part, tensor) in ours {
            let place = theirs.get(part).ok_or_else(|| {
                format!(
                    "module `{}` has no `{part}`, which `{layer}` has",
                    shown(module)
                )
            })?;
            places.insert(*tensor, *place);
        }
    }
    Ok(places.into_values().collect())
}

/// The tensors of each module by the last part of their names; modules in the order of their
/// names, where numbers count as numbers.
fn modules(layout: &Layout) -> Vec<(String, BTreeMap<String, usize>)> {
    let mut modules: BTreeMap<Vec<(u64, String)>, (String, BTreeMap<String, usize>)> =
        BTreeMap::new();
    for (at, tensor) in layout.tensors.iter().enumerate() {
        let (module, part) = tensor.name.rsplit_once('.').unwrap_or(("", &tensor.name));
        let key = module.split('.').map(|word| match word.parse::<u64>() {
            Ok(number) => (number, String::new()),
            Err(_) => (0, word.to_owned()),
        });
        let held = modules.entry(key.collect()).or_default();
        held.0 = module.to_owned();
        held.1.insert(part.to_owned(), at);
    }
    modules.into_values().collect()
}

#[cfg(test)]
mod tests {
    use engine::artifact::Tensor;

    use super::*;

    fn layout(tensors: &[(&str, &[usize])]) -> Layout {
        let tensors = tensors.iter().map(|(name, shape)| Tensor {
            name: (*name).to_owned(),
            shape: shape.to_vec(),
        });
        Layout {
            tensors: tensors.collect(),
        }
    }

    #[test]
    fn modules_hold_the_layers_in_their_order() {
        let network = Layout::mlp(&[3, 4, 1]);
        let torch = layout(&[
            ("net.10.bias", &[1]),
            ("net.10.weight", &[1, 4]),
            ("net.2.bias", &[4]),
            ("net.2.weight", &[4, 3]),
        ]);
        assert_eq!(fitted(&torch, &network), Ok(vec![3, 2, 1, 0]));
        assert_eq!(fitted(&network, &network), Ok(vec![0, 1, 2, 3]));
        let wide = fitted(&torch, &Layout::mlp(&[3, 8, 1])).unwrap_err();
        assert_eq!(
            wide,
            "tensor `net.2.weight` [4, 3] is no `layers.0.weight` [8, 3]"
        );
        let deep = fitted(&torch, &Layout::mlp(&[3, 4, 4, 1])).unwrap_err();
        assert_eq!(
            deep,
            "the weights are of 2 modules, its network has 3 layers"
        );
        let bare = layout(&[("a.weight", &[4, 3]), ("b.weight", &[1, 4])]);
        let bare = fitted(&bare, &network).unwrap_err();
        assert_eq!(bare, "module `a` has no `bias`, which `layers.0` has");
    }
}
