//! What a drawing shows: statements as boxes, references as arrows.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::{Experiment, Node};
use dsl::types::Kind;

/// One statement.
pub(super) struct Statement {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The statement's plugin, then those of the calls inside it.
    pub(super) plugins: Vec<String>,
    /// At how many points of a sweep it exists.
    pub(super) points: usize,
}

impl Statement {
    /// Its name, and the number of its points.
    pub(super) fn heading(&self) -> String {
        match self.points {
            0 | 1 => self.name.clone(),
            points => format!("{} ×{points}", self.name),
        }
    }

    /// Its kind and plugins.
    pub(super) fn detail(&self) -> String {
        format!("{} · {}", self.kind, self.plugins.join(" + "))
    }
}

/// Statements in the order of the experiment and arrows between them, each pointing onward.
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) statements: Vec<Statement>,
    pub(super) arrows: Vec<(usize, usize)>,
}

impl Picture {
    pub(super) fn of(experiment: &Experiment) -> Self {
        let owners = owners(experiment);
        let mut picture = Self {
            title: experiment.title.clone(),
            statements: Vec::new(),
            arrows: Vec::new(),
        };
        let mut boxes: BTreeMap<&str, usize> = BTreeMap::new();
        // Statements first, so that each has its own kind and plugin, not those of an inner call.
        for (index, node) in experiment.nodes.iter().enumerate() {
            if owners[index] != index {
                continue;
            }
            let place = *boxes.entry(&node.name).or_insert_with(|| {
                picture.statements.push(Statement {
                    name: node.name.clone(),
                    kind: node.kind,
                    plugins: vec![node.plugin.clone()],
                    points: 0,
                });
                picture.statements.len() - 1
            });
            picture.statements[place].points += 1;
        }
        // Each once: the points of a sweep repeat them.
        let mut arrows = BTreeSet::new();
        for (index, node) in experiment.nodes.iter().enumerate() {
            let Some(&to) = boxes.get(experiment.nodes[owners[index]].name.as_str()) else {
                continue;
            };
            let plugins = &mut picture.statements[to].plugins;
            if !plugins.contains(&node.plugin) {
                plugins.push(node.plugin.clone());
            }
            node.each_reference(&mut |source| {
                let owner = owners.get(source.0).map(|owner| &experiment.nodes[*owner]);
                let from = owner.and_then(|owner| boxes.get(owner.name.as_str()));
                // An arrow always points onward, which keeps the layout free of cycles.
                arrows.extend(from.filter(|from| **from < to).map(|from| (*from, to)));
            });
        }
        picture.arrows.extend(arrows);
        picture
    }
}

/// For each node the statement it is drawn in: itself, or the first that uses it when it is a
/// call inside an argument.
fn owners(experiment: &Experiment) -> Vec<usize> {
    let mut owners: Vec<usize> = (0..experiment.nodes.len()).collect();
    for (index, node) in experiment.nodes.iter().enumerate().rev() {
        node.each_reference(&mut |source| {
            let is_inside = |node: &Node| !node.named;
            if experiment.nodes.get(source.0).is_some_and(is_inside) {
                owners[source.0] = owners[index];
            }
        });
    }
    owners
}
