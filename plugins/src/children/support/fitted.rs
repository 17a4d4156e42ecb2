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
        let count = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        let (found, expected) = (count(found, "module"), count(expected, "layer"));
        return Err(format!(
            "the weights are of {found}, its network has {expected}"
        ));
    }
    if let Some([one, other]) = doubtful(&of_weights, weights) {
        return Err(format!(
            "modules `{}` and `{}` have tensors of the same shapes, and their names do not say \
             which comes first: name them by numbers, `net.0` and `net.1`",
            shown(one),
            shown(other)
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

/// The name of a module, and its tensors by the last part of their names.
type Module = (String, BTreeMap<String, usize>);

/// A part of a name: digits count as a number, and come before letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FittedPart {
    Number(u64),
    Text(String),
}

/// `net.fc10` as `net.fc` and 10.
fn pieces(name: &str) -> Vec<FittedPart> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut pieces = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let ends = |c: char| is_digit(c) != is_digit(first);
        let (piece, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        pieces.push(match piece.parse() {
            Ok(number) => FittedPart::Number(number),
            Err(_) => FittedPart::Text(piece.to_owned()),
        });
        rest = after;
    }
    pieces
}

/// Two modules of which only the shapes could say which is which, and do not: their names differ by
/// more than numbers.
fn doubtful<'a>(modules: &'a [Module], weights: &Layout) -> Option<[&'a str; 2]> {
    let shapes = |module: &Module| -> Vec<(String, Vec<usize>)> {
        let parts = module.1.iter();
        let shape = |at: &usize| weights.tensors[*at].shape.clone();
        parts.map(|(part, at)| (part.clone(), shape(at))).collect()
    };
    let words = |module: &Module| -> Vec<FittedPart> {
        let mut pieces = pieces(&module.0);
        pieces.retain(|piece| matches!(piece, FittedPart::Text(_)));
        pieces
    };
    let pairs = modules.iter().enumerate();
    let mut pairs =
        pairs.flat_map(|(at, one)| modules[at + 1..].iter().map(move |other| (one, other)));
    let found =
        pairs.find(|(one, other)| shapes(one) == shapes(other) && words(one) != words(other));
    found.map(|(one, other)| [&*one.0, &*other.0])
}

/// The tensors of each module by the last part of their names; modules in the order of their
/// names, where numbers count as numbers.
fn modules(layout: &Layout) -> Vec<Module> {
    let mut modules: BTreeMap<Vec<FittedPart>, Module> = BTreeMap::new();
    for (at, tensor) in layout.tensors.iter().enumerate() {
        let (module, part) = tensor.name.rsplit_once('.').unwrap_or(("", &tensor.name));
        let held = modules.entry(pieces(module)).or_default();
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
        let square = |names: [&str; 2]| {
            let [one, other] = names.map(|name| [format!("{name}.weight"), format!("{name}.bias")]);
            let shapes: [&[usize]; 2] = [&[3, 3], &[3]];
            let named = one.iter().chain(&other).zip(shapes.into_iter().cycle());
            let named: Vec<(&str, &[usize])> =
                named.map(|(name, shape)| (&**name, shape)).collect();
            fitted(&layout(&named), &Layout::mlp(&[3, 3, 3]))
        };
        assert_eq!(square(["fc10", "fc2"]), Ok(vec![2, 3, 0, 1]));
        let said = "modules `decode` and `encode` have tensors of the same shapes, and their names \
                    do not say which comes first: name them by numbers, `net.0` and `net.1`";
        assert_eq!(square(["encode", "decode"]), Err(said.to_owned()));
        let bare = layout(&[("a.weight", &[4, 3]), ("b.weight", &[1, 4])]);
        let bare = fitted(&bare, &network).unwrap_err();
        assert_eq!(bare, "module `a` has no `bias`, which `layers.0` has");
    }
}
