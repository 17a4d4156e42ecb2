//! A checked experiment as actions.
//!
//! A pure function of the experiment, the plugins and the digests of the data files. The calls
//! that nobody writes (`repeat.rs`) are added here, so that no caller can forget them.

mod repeat;

use std::collections::{BTreeMap, BTreeSet};

use dsl::diagnostic::{Code, Diagnostic};
use dsl::experiment::{Argument, Experiment, Node, NodeId};
use dsl::signature::Makes;
use dsl::types::Kind;

use crate::contents::Contents;
use crate::digest::{Digest, DigestMap};
use crate::error::Fault;
use crate::graph::{Action, ActionId, Graph, Input};
use crate::key::{Key, KeyParts};
use crate::params::Implicit;
use crate::plugin::{Declaration, Registry};
use crate::streams::Streams;

use repeat::{expand, repeats};

/// An experiment with all calls, also those that nobody writes, and its actions.
#[derive(Clone, Debug, Default)]
pub struct Lowered {
    /// The calls.
    pub experiment: Experiment,
    /// The actions of these calls.
    pub graph: Graph,
}

/// Lowers a checked experiment; `file_digest` returns the digest of a data file's content.
///
/// # Errors
/// A diagnostic at the argument whose file cannot be read, or whose model cannot be repeated
/// inside its training data.
pub fn lower(
    experiment: Experiment,
    registry: &Registry,
    file_digest: &dyn Fn(&str) -> Result<Digest, Fault>,
) -> Result<Lowered, Box<Diagnostic>> {
    let nothing = Contents::default();
    lower_for(experiment, registry, file_digest, &nothing, Demand::Nothing)
}

/// What is made beside or instead of the scores and reports.
#[derive(Clone, Copy)]
pub enum Demand<'a> {
    /// Nothing.
    Nothing,
    /// These calls, too.
    Also(&'a dyn Fn(&Node) -> bool),
    /// These calls only.
    Only(&'a dyn Fn(&Node) -> bool),
}

/// The same with calls that are made whether or not a score or report reads them, where this is
/// known of the bytes of results.
///
/// # Errors
/// As [`lower`].
pub fn lower_for(
    experiment: Experiment,
    registry: &Registry,
    file_digest: &dyn Fn(&str) -> Result<Digest, Fault>,
    contents: &Contents,
    asked: Demand<'_>,
) -> Result<Lowered, Box<Diagnostic>> {
    let experiment = expand(experiment, registry)?;
    let mut goals = match asked {
        Demand::Only(_) => Vec::new(),
        Demand::Nothing | Demand::Also(_) => goals(&experiment),
    };
    if let Demand::Also(asks) | Demand::Only(asks) = asked {
        let nodes = experiment.nodes.iter().enumerate();
        let asked = nodes.filter(|(_, node)| node.named && asks(node));
        goals.extend(asked.map(|(index, _)| NodeId(index)));
    }
    let graph = graph(&experiment, &goals, registry, file_digest, contents)?;
    Ok(Lowered { experiment, graph })
}

/// What lowering would refuse, whatever the data files hold.
///
/// # Errors
/// A diagnostic at the call whose model cannot be repeated inside its training data.
pub fn validate(experiment: &Experiment, registry: &Registry) -> Result<(), Box<Diagnostic>> {
    match repeats(experiment, registry) {
        true => expand(experiment.clone(), registry).map(drop),
        false => Ok(()),
    }
}

fn graph(
    experiment: &Experiment,
    goals: &[NodeId],
    registry: &Registry,
    file_digest: &dyn Fn(&str) -> Result<Digest, Fault>,
    contents: &Contents,
) -> Result<Graph, Box<Diagnostic>> {
    let mut lowering = Lowering {
        experiment,
        registry,
        file_digest,
        contents,
        graph: Graph {
            of_node: vec![Vec::new(); experiment.nodes.len()],
            ..Graph::default()
        },
        by_key: DigestMap::default(),
    };
    let needed = needed(experiment, goals);
    lowering.graph.actions.reserve(needed.len());
    lowering.by_key.reserve(needed.len());
    for id in needed {
        lowering.node(id)?;
    }
    let asked = goals.iter().flat_map(|id| &lowering.graph.of_node[id.0]);
    lowering.graph.goals = asked.copied().collect();
    Ok(lowering.graph)
}

/// The scores and reports, or all sinks when there is neither.
fn goals(experiment: &Experiment) -> Vec<NodeId> {
    let nodes = &experiment.nodes;
    let is_goal = |node: &Node| matches!(node.kind, Kind::Score | Kind::Report) && node.named;
    let ids = (0..nodes.len()).map(NodeId);
    if nodes.iter().any(is_goal) {
        return ids.filter(|id| is_goal(&nodes[id.0])).collect();
    }
    let mut is_used = vec![false; nodes.len()];
    for node in nodes {
        node.each_reference(&mut |id| is_used[id.0] = true);
    }
    ids.filter(|id| !is_used[id.0]).collect()
}

/// The goals and all they are made from, in order.
fn needed(experiment: &Experiment, goals: &[NodeId]) -> Vec<NodeId> {
    let nodes = &experiment.nodes;
    let mut is_needed = vec![false; nodes.len()];
    for goal in goals {
        is_needed[goal.0] = true;
    }
    // A node refers to earlier ones only.
    for index in (0..nodes.len()).rev() {
        if is_needed[index] {
            nodes[index].each_reference(&mut |id| is_needed[id.0] = true);
        }
    }
    let ids = (0..nodes.len()).map(NodeId);
    ids.filter(|id| is_needed[id.0]).collect()
}

/// A node that a call refers to, before a member is chosen.
struct Reference<'a> {
    field: &'a str,
    node: NodeId,
    taken: InputUse,
}

/// What an action takes of a node it refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InputUse {
    /// Its name, for results.
    Name,
    /// What it made for the member at hand.
    Member,
    /// What it made for all members.
    All,
}

struct Lowering<'a> {
    experiment: &'a Experiment,
    registry: &'a Registry,
    file_digest: &'a dyn Fn(&str) -> Result<Digest, Fault>,
    contents: &'a Contents,
    graph: Graph,
    /// Only looked up, never listed.
    by_key: DigestMap<ActionId>,
}

impl Lowering<'_> {
    fn node(&mut self, id: NodeId) -> Result<(), Box<Diagnostic>> {
        let node = &self.experiment.nodes[id.0];
        let Some(operation) = self.registry.get(&node.plugin) else {
            let message = format!("plugin `{}` is not registered", node.plugin);
            return Err(Box::new(Diagnostic::error(
                Code::UnknownPlugin,
                node.span,
                message,
            )));
        };
        let files = self.files(node)?;
        self.graph.files.extend(files.clone());
        let declaration = operation.declaration();
        let references = self.references(node, declaration);
        let params = &declaration.signature.params;
        let is_shared = params.iter().any(|param| param.one_for_all);
        let members = node.members.unwrap_or(1);
        let mut first: Vec<Input> = Vec::new();
        for member in 0..members {
            let inputs: Vec<Input> = references
                .iter()
                .map(|reference| self.for_member(reference, member))
                .collect();
            // Only the member tells its call from that of the first, as for networks of one farcast.
            let is_alike = member > 0 && !is_shared && read_the_same(&inputs, &first);
            if member == 0 && members > 1 {
                first = inputs.clone();
            }
            let call = MemberCall {
                node,
                declaration,
                member,
                is_alike,
                inputs: &inputs,
                files: &files,
            };
            let key = self.key(&call);
            let action = match self.by_key.get(&key.digest) {
                Some(known) => *known,
                None => {
                    let streams = self.streams(&call, key.digest);
                    self.add(Action {
                        node: id,
                        member: node.members.filter(|_| !is_shared).map(|_| member),
                        key,
                        streams,
                        inputs,
                        files: files.clone(),
                    })
                }
            };
            if declaration.by_content {
                self.graph.by_content.insert(action);
            }
            self.graph.of_node[id.0].push(action);
        }
        Ok(())
    }

    fn add(&mut self, action: Action) -> ActionId {
        let id = ActionId(self.graph.actions.len());
        self.by_key.insert(action.key.digest, id);
        self.graph.actions.push(action);
        id
    }

    fn files(&self, node: &Node) -> Result<BTreeMap<String, Digest>, Box<Diagnostic>> {
        let mut files = BTreeMap::new();
        for argument in node.args.values() {
            for path in argument.value.paths() {
                let digest = (self.file_digest)(path).map_err(|fault| {
                    Diagnostic::error(Code::DataFile, argument.span, fault.to_string())
                })?;
                files.insert(path.to_owned(), digest);
            }
        }
        Ok(files)
    }

    /// What a node takes, written or implicit, before a member is chosen.
    fn references<'a>(&self, node: &'a Node, declaration: &'a Declaration) -> Vec<Reference<'a>> {
        let mut references = Vec::new();
        let mut add = |field: &'a str, taken: InputUse, nodes: Vec<NodeId>| {
            references.extend(
                nodes
                    .into_iter()
                    .map(|node| Reference { field, node, taken }),
            );
        };
        for (field, argument) in &node.args {
            let taken = match declaration.signature.param(field) {
                _ if declaration.only_names(field) => InputUse::Name,
                Some(param) if !param.gather => InputUse::Member,
                _ => InputUse::All,
            };
            add(field, taken, argument.value.nodes());
        }
        for (field, implicit) in &declaration.implicit {
            let taken = match implicit.gather {
                true => InputUse::All,
                false => InputUse::Member,
            };
            add(field, taken, self.implicit(node, &implicit.how));
        }
        references
    }

    fn implicit(&self, node: &Node, how: &Implicit) -> Vec<NodeId> {
        match how {
            Implicit::Via(path) => {
                let mut at = node;
                let mut found = Vec::new();
                for field in path.split('.') {
                    let argument = at.args.get(field);
                    let Some(argument) = argument.or_else(|| self.anomalies(at, field)) else {
                        return Vec::new();
                    };
                    found = argument.value.nodes();
                    let Some(next) = found.first() else {
                        return Vec::new();
                    };
                    at = &self.experiment.nodes[next.0];
                }
                found.truncate(1);
                found
            }
            Implicit::Ancestors { of, kind } => {
                let mut queue = node
                    .args
                    .get(of)
                    .map_or(Vec::new(), |arg| arg.value.nodes());
                let mut seen = BTreeSet::new();
                while let Some(id) = queue.pop() {
                    if seen.insert(id) {
                        queue.extend(self.taken_by(&self.experiment.nodes[id.0]));
                    }
                }
                seen.into_iter()
                    .filter(|id| self.experiment.nodes[id.0].kind == *kind)
                    .collect()
            }
            // A value, not an input.
            Implicit::Points(_) => Vec::new(),
            Implicit::Origins(of) => {
                let argument = node.args.get(of);
                self.origins(argument.map_or(Vec::new(), |argument| argument.value.nodes()))
            }
        }
    }

    /// The networks that weights belong to where these do not hold them: those that were recorded,
    /// fine-tuned or farcast. What a keyword says has no part in it.
    fn origins(&self, mut queue: Vec<NodeId>) -> Vec<NodeId> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        while let Some(id) = queue.pop() {
            let node = &self.experiment.nodes[id.0];
            let usual = self.registry.default_kind(&node.plugin);
            let is_bare = |kind| matches!(kind, Kind::Trajectory | Kind::Anomaly | Kind::Farcast);
            if !seen.insert(id) || !usual.is_some_and(is_bare) {
                continue;
            }
            for taken in self.taken_by(node) {
                let operation = self.registry.get(&self.experiment.nodes[taken.0].plugin);
                let makes = operation.map(|it| &it.declaration().signature.makes);
                match makes {
                    Some(Makes::Kinds(kinds)) if kinds.contains(&Kind::Parent) => {
                        found.insert(taken);
                    }
                    _ => queue.push(taken),
                }
            }
        }
        found.into_iter().collect()
    }

    /// The anomalies of a regression that a program fits, whatever its declaration calls them.
    fn anomalies<'a>(&self, node: &'a Node, field: &str) -> Option<&'a Argument> {
        self.registry.program_of(&node.plugin)?;
        let is_anomaly = |argument: &&Argument| {
            let first = argument.value.nodes().into_iter().next();
            first.is_some_and(|id| self.experiment.nodes[id.0].kind == Kind::Anomaly)
        };
        let mut arguments = node.args.values();
        arguments.find(is_anomaly).filter(|_| field == "anomalies")
    }

    /// The nodes a node takes something of, not those it only names.
    fn taken_by(&self, node: &Node) -> Vec<NodeId> {
        let operation = self.registry.get(&node.plugin);
        let declaration = operation.map(|operation| operation.declaration());
        let only_named = |field: &str| declaration.is_some_and(|it| it.only_names(field));
        let args = node.args.iter().filter(|(field, _)| !only_named(field));
        args.flat_map(|(_, arg)| arg.value.nodes()).collect()
    }

    fn for_member(&self, reference: &Reference, member: u32) -> Input {
        let node = reference.node;
        let made = &self.graph.of_node[node.0];
        // One member is joined with each of many.
        let has_members = self.experiment.nodes[node.0]
            .members
            .is_some_and(|count| count > 1);
        let index = if has_members { member as usize } else { 0 };
        Input {
            field: reference.field.to_owned(),
            node,
            gather: reference.taken != InputUse::Member,
            actions: match reference.taken {
                InputUse::Name => Vec::new(),
                InputUse::Member => made.get(index).copied().into_iter().collect(),
                InputUse::All => made.clone(),
            },
        }
    }

    fn key(&self, call: &MemberCall) -> Key {
        let version = call.declaration.signature.version;
        let digest = |id: &ActionId| {
            let key = self.graph.actions[id.0].key.digest;
            self.content(*id).unwrap_or(key)
        };
        let mut text = call.text(version, &[], digest);
        // The result holds only the label of what is named, which follows from the first member.
        for input in call.inputs.iter().filter(|it| it.actions.is_empty()) {
            if let Some(first) = self.graph.of_node[input.node.0].first() {
                let named = self.graph.actions[first.0].key.digest;
                text.push_str(&format!("{} <- {named}\n", input.field));
            }
        }
        // As long as it is: there may be a million.
        Key::of(text.as_str().to_owned())
    }

    /// The digest of the bytes of a result, where those who read it are keyed by that.
    fn content(&self, id: ActionId) -> Option<Digest> {
        let is_read = self.graph.by_content.contains(&id);
        let key = self.graph.actions[id.0].key.digest;
        is_read.then(|| self.contents.get(&key)).flatten()
    }

    /// As the key, but of streams all the way up, so that what has no part in the randomness
    /// of one call has none in its dependents.
    fn streams(&self, call: &MemberCall, key: Digest) -> Streams {
        let streams = call.declaration.streams;
        let without = &call.declaration.not_in_stream;
        let inputs = call.inputs.iter().flat_map(|input| &input.actions);
        let mut inputs = inputs.map(|id| &self.graph.actions[id.0]);
        let is_key = streams == call.declaration.signature.version
            && without.is_empty()
            && inputs.all(|action| action.streams.0 == action.key.digest);
        if is_key {
            return Streams(key);
        }
        let digest = |id: &ActionId| {
            let streams = self.graph.actions[id.0].streams.0;
            self.content(*id).unwrap_or(streams)
        };
        let text = call.text(streams, without, digest);
        Streams(Digest::of(text.as_bytes()))
    }
}

fn read_the_same(some: &[Input], other: &[Input]) -> bool {
    let mut pairs = some.iter().zip(other);
    some.len() == other.len() && pairs.all(|(one, other)| one.actions == other.actions)
}

/// One call of a plugin for one member, about to become an action.
struct MemberCall<'a> {
    node: &'a Node,
    declaration: &'a Declaration,
    member: u32,
    /// Whether it reads what the call for member 0 reads.
    is_alike: bool,
    inputs: &'a [Input],
    files: &'a BTreeMap<String, Digest>,
}

impl MemberCall<'_> {
    /// Everything a result depends on but the parameters and inputs `without`; inputs are named by `digest`.
    fn text(
        &self,
        version: u32,
        without: &[String],
        digest: impl Fn(&ActionId) -> Digest,
    ) -> String {
        let signature = &self.declaration.signature;
        let (plugin, code) = match &self.declaration.code {
            Some((name, code)) => (name.as_str(), code.as_str()),
            None => (self.node.plugin.as_str(), ""),
        };
        let parts = KeyParts {
            plugin,
            code,
            version,
            seed: signature.random.then_some(self.node.seed),
            member: (self.is_alike || signature.members.is_some()).then_some(self.member),
            args: &self.node.args,
            without: &|name| {
                signature.members.as_deref() == Some(name) || without.iter().any(|it| it == name)
            },
            files: self.files,
        };
        let counted = |input: &&Input| !without.contains(&input.field);
        let inputs = self.inputs.iter().filter(counted).flat_map(|input| {
            let digests = input.actions.iter().map(&digest);
            digests.map(|digest| (input.field.as_str(), digest))
        });
        parts.text(inputs)
    }
}
