//! What `--weights` and `--format` ask to be written.

use std::collections::BTreeSet;

use dsl::experiment::Experiment;
use engine::output::Export;

use crate::args::{Form, RunOptions};

/// What `--weights` asks for.
pub fn named_exports(options: &RunOptions) -> Vec<Export> {
    let names = options.weights().into_iter();
    names
        .flat_map(|names| exports_of(names, options.format))
        .collect()
}

/// The weights and data of the statements with these names.
pub fn exports_of(names: Vec<String>, form: Form) -> Vec<Export> {
    vec![
        Export::Weights(names.clone()),
        Export::Data(names, form.into()),
    ]
}

/// That a statement of this name has weights to write, or what is wrong and what to do.
pub fn expect_weights(name: &str, experiment: &Experiment) -> Result<(), (String, String)> {
    let nodes = &experiment.nodes;
    if nodes
        .iter()
        .any(|node| node.name == name && Export::can_be_named(node))
    {
        return Ok(());
    }
    let named = nodes.iter().filter(|node| node.named);
    let known: BTreeSet<&str> = named
        .filter(|node| Export::can_be_named(node))
        .map(|node| &*node.name)
        .collect();
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let hint = match known.is_empty() {
        true => "the file has no parent, child, farcast or data".to_owned(),
        false => format!("statements to write: {}", known.join(", ")),
    };
    let message = match nodes.iter().find(|node| node.name == name) {
        Some(node) => format!(
            "`{name}` is a {}: expected a parent, a child, a farcast or data",
            node.kind
        ),
        None => format!("there is no statement `{name}`"),
    };
    Err((message, hint))
}
