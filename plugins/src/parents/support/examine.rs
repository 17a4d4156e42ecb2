//! What parents check of a call before it runs, and what is known of their networks.

use std::sync::Arc;

use engine::artifact::Layout;
use engine::params::Column;
use engine::plugin::{Complaint, Facts, NetworkFacts, Sketch, Training};

use super::targets::Targets;
use crate::calls::{complaints, distinct, filled, too_large};
use crate::networks::Loss;
use crate::recipes::trainer_words;

/// What is wrong with the columns of a network.
pub fn columns(call: &Sketch) -> Vec<Complaint> {
    let (inputs, targets) = columns_of(call);
    let cheat = targets.iter().find(|target| inputs.contains(target));
    let message =
        |target| format!("the target `{target}` is among the inputs: its prediction is a copy");
    complaints([
        Targets::complaint(call),
        filled(call, "inputs", "input"),
        distinct(call, "inputs").map(Complaint::as_warning),
        cheat.map(|target| Complaint::at("inputs", message(target)).as_warning()),
    ])
}

/// What is known of the network of a call, trained like this; `beside_dense` are layers that it
/// has beside dense ones.
pub fn network(
    call: &Sketch,
    weights: Option<u64>,
    training: Training,
    beside_dense: Option<&'static str>,
) -> Facts {
    let (inputs, targets) = columns_of(call);
    let network = NetworkFacts {
        weights,
        layers: Some(layers(call, inputs.len(), targets.len())),
        inputs,
        targets,
        classes: call.get::<Loss>("loss") == Some(Loss::CrossEntropy),
        training,
        beside_dense,
        layered: true,
    };
    let is_trained = matches!(training, Training::Steps { .. });
    let chosen = call.get("trainer");
    Facts {
        trainer: is_trained.then(|| trainer_words(chosen)),
        network: Some(Arc::new(network)),
        ..Facts::default()
    }
}

/// The same of a network that has this, which is no layers, beside dense ones.
pub fn with_other(mut facts: Facts, what: &'static str) -> Facts {
    if let Some(network) = facts.network.as_mut().map(Arc::make_mut) {
        network.beside_dense = Some(what);
        network.layered = false;
    }
    facts
}

/// The same where the tensors of the network are known.
pub fn with_tensors(facts: Facts, layout: Option<Layout>) -> Facts {
    let named = |layout: Layout| layout.tensors.into_iter().map(|it| (it.name, it.shape));
    Facts {
        tensors: layout.map(|layout| Arc::new(named(layout).collect())),
        ..facts
    }
}

/// How many inputs a network of a quantity has; of classes its outputs depend on the data.
pub fn inputs(call: &Sketch) -> Option<usize> {
    let inputs = call.get::<Vec<Column>>("inputs")?;
    predicts_quantity(call).then_some(inputs.len())
}

/// Whether a network predicts a quantity, not classes.
pub fn predicts_quantity(call: &Sketch) -> bool {
    call.get::<Loss>("loss")
        .is_none_or(|loss| loss == Loss::Mse)
}

/// The parameters that say which layers a network has, beside the number of its inputs.
const LAYERS: [&str; 11] = [
    "hidden",
    "activation",
    "channels",
    "dense",
    "kernel",
    "pool",
    "tokens",
    "width",
    "heads",
    "layers",
    "feedforward",
];

/// The layers of a network, as text: those of different texts have different weights.
fn layers(call: &Sketch, inputs: usize, targets: usize) -> String {
    let values = LAYERS
        .iter()
        .filter_map(|name| Some((name, call.text(name)?)));
    let values: Vec<String> = values
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    // The inputs of images are in the data.
    let inputs = match inputs {
        0 => String::new(),
        1 => "1 input, ".to_owned(),
        count => format!("{count} inputs, "),
    };
    let outputs = match targets {
        0 | 1 => String::new(),
        count => format!("{count} targets, "),
    };
    format!("{inputs}{outputs}{}", values.join(", "))
}

/// How many weights dense layers of these widths have; none when the count overflows.
pub fn dense(widths: &[usize]) -> Option<u64> {
    let layers = widths.windows(2);
    let weights = layers.map(|pair| pair[0].checked_add(1)?.checked_mul(pair[1]));
    Some(weights.sum::<Option<usize>>()? as u64)
}

/// Refuses a network whose training needs more memory than there is: weights, their gradients,
/// two moments of the optimiser and the best weights so far.
pub fn trainable(field: &str, weights: Option<u64>) -> Option<Complaint> {
    too_large(field, weights?.saturating_mul(5 * size_of::<f32>() as u64))
}

/// How many columns a network predicts.
pub fn targets(call: &Sketch) -> Option<usize> {
    call.get::<Targets>("target").map(|Targets(all)| all.len())
}

fn columns_of(call: &Sketch) -> (Vec<String>, Vec<String>) {
    let names = |columns: Vec<Column>| columns.into_iter().map(|column| column.0).collect();
    let inputs = call.get::<Vec<Column>>("inputs").unwrap_or_default();
    let targets = call.get::<Targets>("target").map(|Targets(all)| all);
    (names(inputs), names(targets.unwrap_or_default()))
}
