//! One action as plain data: all that a process with the program and the store needs to carry it
//! out to the same bytes.
//!
//! An order is written on demand, for an action that is about to run: planning a hundred thousand
//! actions writes none.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::{Arguments, Experiment, NodeId};
use dsl::types::Kind;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::foreign::Provided;
use crate::graph::{ActionId, Graph, Input};
use crate::key::Key;
use crate::label::Label;
use crate::plugin::Registry;
use crate::store::Store;
use crate::streams::Streams;

/// A call of a plugin for one member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The plugin.
    pub plugin: String,
    /// The version of the plugin that the key is for.
    pub version: u32,
    /// The checked arguments; a reference in them is an index among the nodes of the inputs.
    pub arguments: Arguments,
    /// The member it produces or works on.
    pub member: Option<u32>,
    /// What its random streams are derived from.
    pub streams: Streams,
    /// The key of the result.
    pub key: Key,
    /// What people call the action: `net[3]`.
    pub title: String,
    /// The digest of every data file it reads.
    pub files: BTreeMap<String, Digest>,
    /// What it reads.
    pub inputs: Vec<OrderInput>,
    /// The plugins of the experiment that are programs of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provided: Vec<Provided>,
    /// How to make again what it reads and no store holds, and what that reads, inputs first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remakes: Vec<Order>,
    /// What is carried out along with it, from the states it goes through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub along: Vec<Order>,
    /// What its rows pass on to in parts, so that it need not keep them; none where something reads
    /// all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<Vec<Order>>,
    /// Whether it may have been carried out along with what it reads.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_along: bool,
    /// Under which keys shorter ones may have left where they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shorter: Vec<Digest>,
    /// Whether it leaves where it ended, for longer ones.
    #[serde(default, skip_serializing_if = "is_false")]
    pub leaves: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Order {
    /// The keys of all results that carrying it out may read.
    pub fn reads(&self) -> Vec<Digest> {
        let orders = self.remakes.iter().chain([self]);
        let members = orders.flat_map(|order| &order.inputs);
        let own = members
            .flat_map(|input| &input.members)
            .map(|member| member.key);
        let flows = self.flows.iter().flatten();
        own.chain(flows.flat_map(Order::reads)).collect()
    }
}

/// The results of another statement that an order reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderInput {
    /// The field they are bound to.
    pub field: String,
    /// What the arguments call the statement.
    pub node: NodeId,
    /// Stands for the statement's name in results.
    pub label: Label,
    /// What the plugin of the statement produces by default.
    pub kind: Option<Kind>,
    /// Whether the results are read together, so that the action runs without diverged members.
    pub gather: bool,
    /// The results in member order; none where only the name is used.
    pub members: Vec<OrderMember>,
}

/// One result that an order reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderMember {
    /// Its key.
    pub key: Digest,
    /// What people call the action that produced it.
    pub title: String,
}

/// What orders are written from.
///
/// Writing fails on no graph that was lowered with this registry: a plugin that is missing in it
/// gets version 0, which no plugin has, and is refused when the order is carried out.
#[derive(Clone, Copy)]
pub struct OrderWriter<'a> {
    /// Its actions.
    pub graph: &'a Graph,
    /// Its calls.
    pub experiment: &'a Experiment,
    /// Their plugins.
    pub registry: &'a Registry,
    /// What it has need not be made again.
    pub store: &'a dyn Store,
}

impl OrderWriter<'_> {
    /// The order for one action.
    pub fn order(&self, id: ActionId) -> Order {
        self.beside(id, None)
    }

    /// The order for an action that is carried out beside one of its inputs, whose rows it receives:
    /// it does not say how to make that input again.
    pub fn beside(&self, id: ActionId, input: Option<ActionId>) -> Order {
        let remakes = self.remakes(id, input).into_iter();
        Order {
            remakes: remakes.map(|id| self.alone(id)).collect(),
            ..self.alone(id)
        }
    }

    /// The inputs of an action that no store may hold, and what these read, inputs first; less one
    /// of its own.
    fn remakes(&self, id: ActionId, without: Option<ActionId>) -> BTreeSet<ActionId> {
        // An action comes after its inputs in the graph.
        let mut found = BTreeSet::new();
        let mut left = vec![id];
        while let Some(at) = left.pop() {
            let inputs = self.graph.actions[at.0].inputs.iter();
            for input in inputs.flat_map(|input| &input.actions) {
                let is_received = at == id && Some(*input) == without;
                if !is_received && self.may_be_remade(*input) && found.insert(*input) {
                    left.push(*input);
                }
            }
        }
        found
    }

    /// Whether the result of an action is one that a store need not hold, and it does not.
    fn may_be_remade(&self, id: ActionId) -> bool {
        let action = &self.graph.actions[id.0];
        let plugin = &self.experiment.nodes[action.node.0].plugin;
        let operation = self.registry.get(plugin);
        operation.is_some_and(|it| it.declaration().remade) && {
            self.store.find(&action.key.digest)
        }
        .is_none_or(|record| record.is_remade())
    }

    /// The order without what is made again.
    fn alone(&self, id: ActionId) -> Order {
        let Self {
            graph,
            experiment,
            registry,
            ..
        } = *self;
        let action = &graph.actions[id.0];
        let node = &experiment.nodes[action.node.0];
        let operation = registry.get(&node.plugin);
        // In the order of the graph, which inputs that are found by their kind keep.
        let mut nodes: Vec<NodeId> = action.inputs.iter().map(|input| input.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let mut local = |node: NodeId| NodeId(nodes.binary_search(&node).unwrap_or(nodes.len()));
        let mut arguments = node.args.clone();
        for (_, argument) in &mut arguments {
            argument.value.map_nodes(&mut local);
        }
        let mut input = |input: &Input| {
            let plugin = &experiment.nodes[input.node.0].plugin;
            let member = |id: &ActionId| {
                let action = &graph.actions[id.0];
                OrderMember {
                    key: action.key.digest,
                    title: action.title(experiment),
                }
            };
            OrderInput {
                field: input.field.clone(),
                node: local(input.node),
                label: graph.label(input.node).unwrap_or_default(),
                kind: registry.default_kind(plugin),
                gather: input.gather,
                members: input.actions.iter().map(member).collect(),
            }
        };
        Order {
            plugin: node.plugin.clone(),
            version: operation.map_or(0, |it| it.declaration().signature.version),
            arguments,
            member: action.member,
            streams: action.streams,
            key: action.key.clone(),
            title: action.title(experiment),
            files: action.files.clone(),
            inputs: action.inputs.iter().map(&mut input).collect(),
            provided: registry.provided().cloned().collect(),
            remakes: Vec::new(),
            along: Vec::new(),
            flows: None,
            is_along: false,
            shorter: Vec::new(),
            leaves: false,
        }
    }
}
