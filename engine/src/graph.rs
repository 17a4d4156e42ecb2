//! The actions of an experiment: what to run, from what, under which key.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::{Experiment, NodeId};

use crate::digest::Digest;
use crate::key::Key;
use crate::label::Label;
use crate::streams::Streams;

/// Every action an experiment needs, each after all its inputs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The actions, dependencies first.
    pub actions: Vec<Action>,
    /// The actions of each node, in member order; empty for nodes nothing needs.
    pub of_node: Vec<Vec<ActionId>>,
    /// The actions whose results are asked for: scores and reports, or whatever has no dependents.
    pub goals: BTreeSet<ActionId>,
    /// The actions whose dependents are keyed by the bytes of their results.
    pub by_content: BTreeSet<ActionId>,
    /// The digest of every data file that is read.
    pub files: BTreeMap<String, Digest>,
}

/// The index of an [`Action`] in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub usize);

/// One call of a plugin, for one member.
#[derive(Clone, Debug)]
pub struct Action {
    /// The node that asks for it; the first when several do.
    pub node: NodeId,
    /// Which member it makes or works on.
    pub member: Option<u32>,
    /// Everything the result depends on.
    pub key: Key,
    /// What its random streams are derived from: its key, less what has no part in randomness.
    pub streams: Streams,
    /// The results it reads.
    pub inputs: Vec<Input>,
    /// The digests of its data files, or of all files of a pattern, by path; its key holds them.
    pub files: BTreeMap<String, Digest>,
}

/// One reference of an action to the results of another node.
#[derive(Clone, Debug)]
pub struct Input {
    /// The field it is bound to.
    pub field: String,
    /// The node referred to.
    pub node: NodeId,
    /// Whether all members are read, so that a diverged one does not stop the action.
    pub gather: bool,
    /// The actions read, in member order; none where only the node's name is used.
    pub actions: Vec<ActionId>,
}

impl Graph {
    /// The placeholder of a node's name in artifacts; `None` for a node nothing needs.
    ///
    /// It follows from the first member's key, so that a growing ensemble keeps its label.
    pub fn label(&self, node: NodeId) -> Option<Label> {
        let first = self.of_node.get(node.0)?.first()?;
        Some(Label(format!(
            "‹{}›",
            self.actions[first.0].key.digest.short()
        )))
    }

    /// The actions that read the result of each action.
    pub fn dependents(&self) -> Vec<Vec<ActionId>> {
        let mut dependents = vec![Vec::new(); self.actions.len()];
        for (index, action) in self.actions.iter().enumerate() {
            for input in action.taken() {
                dependents[input.0].push(ActionId(index));
            }
        }
        dependents
    }
}

impl Action {
    /// Every action whose result it reads, each once, in order.
    pub fn taken(&self) -> BTreeSet<ActionId> {
        self.inputs
            .iter()
            .flat_map(|input| input.actions.iter().copied())
            .collect()
    }

    /// What people see: `net[3]`, `shift[0] at width=8`.
    pub fn title(&self, experiment: &Experiment) -> String {
        let node = &experiment.nodes[self.node.0];
        let mut title = node.name.clone();
        if let Some(member) = self.member {
            title.push_str(&format!("[{member}]"));
        }
        if !node.point.is_empty() {
            title.push_str(&format!(" at {}", node.point));
        }
        title
    }
}
