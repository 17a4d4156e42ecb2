//! The experiment as actions: what to run, from what, under which key.
//!
//! A pure function of the experiment, the plugins and the digests of the data files.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write};

use dsl::diagnostic::{Code, Diagnostic};
use dsl::experiment::{Experiment, Made, Node, NodeId, Value};
use dsl::types::Kind;

use crate::digest::Digest;
use crate::error::Fault;
use crate::params::{Implicit, Label};
use crate::plugin::{Entry, Registry};
use crate::streams::Streams;

/// The version of the key text; goes up when equal calls must no longer share results.
pub const KEY_VERSION: u32 = 1;

/// Bytes for which most key texts have room.
const KEY_TEXT: usize = 256;

/// Every action an experiment needs, each after all it takes.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The actions, dependencies first.
    pub actions: Vec<Action>,
    /// The actions of each node, in member order; empty for nodes nothing needs.
    pub of_node: Vec<Vec<ActionId>>,
    /// The actions whose results are asked for: scores, reports, or whatever nothing takes.
    pub goals: BTreeSet<ActionId>,
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
    /// The digest of `key_text`.
    pub key: Digest,
    /// What its random streams are derived from: its key, less what has no part in chance.
    pub streams: Streams,
    /// Everything the result depends on, one thing a line.
    pub key_text: String,
    /// What it takes.
    pub inputs: Vec<Input>,
}

/// One reference of an action to what another node made.
#[derive(Clone, Debug)]
pub struct Input {
    /// The field that takes it.
    pub field: String,
    /// The node referred to.
    pub node: NodeId,
    /// Whether all members are taken, so that a diverged one does not stop the action.
    pub gather: bool,
    /// The actions taken, in member order; none where only the node's name is used.
    pub actions: Vec<ActionId>,
}

/// Lowers an experiment; `file_digest` gives the digest of a data file's content.
///
/// # Errors
/// A diagnostic at the argument whose file cannot be read.
pub fn lower(
    experiment: &Experiment,
    registry: &Registry,
    file_digest: &dyn Fn(&str) -> Result<Digest, Fault>,
) -> Result<Graph, Box<Diagnostic>> {
    let mut lowering = Lowering {
        experiment,
        registry,
        file_digest,
        graph: Graph {
            of_node: vec![Vec::new(); experiment.nodes.len()],
            ..Graph::default()
        },
        by_key: HashMap::new(),
    };
    let goals = goals(experiment);
    for id in needed(experiment, &goals) {
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
    for id in nodes.iter().flat_map(references) {
        is_used[id.0] = true;
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
            for id in references(&nodes[index]) {
                is_needed[id.0] = true;
            }
        }
    }
    let ids = (0..nodes.len()).map(NodeId);
    ids.filter(|id| is_needed[id.0]).collect()
}

/// The nodes a node refers to, in argument order.
pub fn references(node: &Node) -> Vec<NodeId> {
    let mut found = Vec::new();
    for argument in node.args.values() {
        collect_nodes(&argument.value, &mut found);
    }
    found
}

/// The nodes a value refers to, in order.
pub(crate) fn nodes_in(value: &Value) -> Vec<NodeId> {
    let mut found = Vec::new();
    collect_nodes(value, &mut found);
    found
}

fn collect_nodes(value: &Value, found: &mut Vec<NodeId>) {
    match value {
        Value::Node(node) => found.push(*node),
        Value::List(values) => values.iter().for_each(|value| collect_nodes(value, found)),
        Value::Made(made) => {
            let args = made.args.values();
            args.for_each(|argument| collect_nodes(&argument.value, found));
        }
        _ => {}
    }
}

/// A node that a call refers to, before a member is chosen.
struct Reference<'a> {
    field: &'a str,
    node: NodeId,
    taken: Taken,
}

/// What an action takes of a node it refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
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
    graph: Graph,
    /// Only looked up, never listed.
    by_key: HashMap<Digest, ActionId>,
}

impl Lowering<'_> {
    fn node(&mut self, id: NodeId) -> Result<(), Box<Diagnostic>> {
        let node = &self.experiment.nodes[id.0];
        let Some(entry) = self.registry.get(&node.plugin) else {
            let message = format!("plugin `{}` is not registered", node.plugin);
            return Err(Box::new(Diagnostic::error(
                Code::UnknownPlugin,
                node.span,
                message,
            )));
        };
        let files = self.files(node)?;
        self.graph.files.extend(files.clone());
        let references = self.references(node, entry);
        let is_shared = entry.signature.params.iter().any(|param| param.spread);
        for member in 0..node.members.unwrap_or(1) {
            let inputs: Vec<Input> = references
                .iter()
                .map(|reference| self.for_member(reference, member))
                .collect();
            let call = Call {
                node,
                entry,
                member,
                inputs: &inputs,
                files: &files,
            };
            let key_text = self.key_text(&call);
            let key = Digest::of(key_text.as_bytes());
            let action = match self.by_key.get(&key) {
                Some(known) => *known,
                None => {
                    let streams = self.streams(&call, key);
                    self.add(Action {
                        node: id,
                        member: node.members.filter(|_| !is_shared).map(|_| member),
                        key,
                        streams,
                        key_text,
                        inputs,
                    })
                }
            };
            self.graph.of_node[id.0].push(action);
        }
        Ok(())
    }

    fn add(&mut self, action: Action) -> ActionId {
        let id = ActionId(self.graph.actions.len());
        self.by_key.insert(action.key, id);
        self.graph.actions.push(action);
        id
    }

    fn files(&self, node: &Node) -> Result<BTreeMap<String, Digest>, Box<Diagnostic>> {
        let mut files = BTreeMap::new();
        for argument in node.args.values() {
            for path in paths_in(&argument.value) {
                let digest = (self.file_digest)(path).map_err(|fault| {
                    Diagnostic::error(Code::DataFile, argument.span, fault.to_string())
                })?;
                files.insert(path.to_owned(), digest);
            }
        }
        Ok(files)
    }

    /// What a node takes, written or implicit, before a member is chosen.
    fn references<'a>(&self, node: &'a Node, entry: &'a Entry) -> Vec<Reference<'a>> {
        let mut references = Vec::new();
        let mut add = |field: &'a str, taken: Taken, nodes: Vec<NodeId>| {
            references.extend(
                nodes
                    .into_iter()
                    .map(|node| Reference { field, node, taken }),
            );
        };
        for (field, argument) in &node.args {
            let taken = match entry.signature.param(field) {
                _ if entry.only_names(field) => Taken::Name,
                Some(param) if !param.gather => Taken::Member,
                _ => Taken::All,
            };
            add(field, taken, nodes_in(&argument.value));
        }
        for (field, implicit) in &entry.implicit {
            let taken = match implicit.gather {
                true => Taken::All,
                false => Taken::Member,
            };
            add(field, taken, self.implicit(node, implicit.how));
        }
        references
    }

    fn implicit(&self, node: &Node, how: Implicit) -> Vec<NodeId> {
        match how {
            Implicit::Via(path) => {
                let mut at = node;
                let mut found = Vec::new();
                for field in path.split('.') {
                    let Some(argument) = at.args.get(field) else {
                        return Vec::new();
                    };
                    found = nodes_in(&argument.value);
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
                    .map_or(Vec::new(), |arg| nodes_in(&arg.value));
                let mut seen = BTreeSet::new();
                while let Some(id) = queue.pop() {
                    if seen.insert(id) {
                        queue.extend(self.taken_by(&self.experiment.nodes[id.0]));
                    }
                }
                seen.into_iter()
                    .filter(|id| self.experiment.nodes[id.0].kind == kind)
                    .collect()
            }
        }
    }

    /// The nodes a node takes something of, not those it only names.
    fn taken_by(&self, node: &Node) -> Vec<NodeId> {
        let entry = self.registry.get(&node.plugin);
        let only_named = |field: &str| entry.is_some_and(|entry| entry.only_names(field));
        let args = node.args.iter().filter(|(field, _)| !only_named(field));
        args.flat_map(|(_, arg)| nodes_in(&arg.value)).collect()
    }

    fn for_member(&self, reference: &Reference, member: u32) -> Input {
        let node = reference.node;
        let made = &self.graph.of_node[node.0];
        let has_members = self.experiment.nodes[node.0].members.is_some();
        let index = if has_members { member as usize } else { 0 };
        Input {
            field: reference.field.to_owned(),
            node,
            gather: reference.taken != Taken::Member,
            actions: match reference.taken {
                Taken::Name => Vec::new(),
                Taken::Member => made.get(index).copied().into_iter().collect(),
                Taken::All => made.clone(),
            },
        }
    }

    fn key_text(&self, call: &Call) -> String {
        let version = call.entry.signature.version;
        call.text(version, &[], |input| self.graph.actions[input.0].key)
    }

    /// As the key, but of streams all the way up, so that what has no part in chance at one
    /// call has none in those that take its result.
    fn streams(&self, call: &Call, key: Digest) -> Streams {
        let Entry { streams, apart, .. } = call.entry;
        let taken = call.inputs.iter().flat_map(|input| &input.actions);
        let mut taken = taken.map(|id| &self.graph.actions[id.0]);
        let is_key = *streams == call.entry.signature.version
            && apart.is_empty()
            && taken.all(|action| action.streams.0 == action.key);
        if is_key {
            return Streams(key);
        }
        let text = call.text(*streams, apart, |input| {
            self.graph.actions[input.0].streams.0
        });
        Streams(Digest::of(text.as_bytes()))
    }
}

/// One call of a plugin for one member, about to become an action.
struct Call<'a> {
    node: &'a Node,
    entry: &'a Entry,
    member: u32,
    inputs: &'a [Input],
    files: &'a BTreeMap<String, Digest>,
}

impl Call<'_> {
    /// Everything a result depends on but the parameters `without`; inputs are named by `digest`.
    fn text(
        &self,
        version: u32,
        without: &[String],
        digest: impl Fn(&ActionId) -> Digest,
    ) -> String {
        let signature = &self.entry.signature;
        let mut text = String::with_capacity(KEY_TEXT);
        let _ = writeln!(text, "farcast-key {KEY_VERSION}");
        let mut line = |line: fmt::Arguments| {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{line}");
        };
        line(format_args!("plugin {} {version}", self.node.plugin));
        if signature.random {
            line(format_args!("seed {}", self.node.seed));
        }
        if signature.members.is_some() {
            line(format_args!("member {}", self.member));
        }
        for (name, argument) in &self.node.args {
            let counts_members = signature.members.as_ref() == Some(name);
            if !only_nodes(&argument.value) && !counts_members && !without.contains(name) {
                let value = by_content(&argument.value, self.files);
                line(format_args!("{name} = {value}"));
            }
        }
        for input in self.inputs {
            for action in &input.actions {
                line(format_args!("{} <- {}", input.field, digest(action)));
            }
        }
        text
    }
}

fn paths_in(value: &Value) -> Vec<&str> {
    match value {
        Value::Path(path) => vec![path],
        Value::List(values) => values.iter().flat_map(paths_in).collect(),
        Value::Made(made) => made
            .args
            .values()
            .flat_map(|arg| paths_in(&arg.value))
            .collect(),
        _ => Vec::new(),
    }
}

/// Whether the lines of the inputs say all there is to say about a value.
fn only_nodes(value: &Value) -> bool {
    match value {
        Value::Node(_) => true,
        Value::List(values) => !values.is_empty() && values.iter().all(only_nodes),
        _ => false,
    }
}

/// The value with every path replaced by the digest of what is in the file; what nodes it
/// refers to is said by the lines of the inputs, in the same order.
fn by_content<'a>(value: &'a Value, files: &BTreeMap<String, Digest>) -> Cow<'a, Value> {
    let replaced = match value {
        Value::Node(_) => Value::Text("input".to_owned()),
        Value::Path(path) => Value::Text(match files.get(path) {
            Some(digest) => format!("file {digest}"),
            None => "no file".to_owned(),
        }),
        Value::List(values) => {
            let values = values.iter().map(|value| by_content(value, files));
            Value::List(values.map(Cow::into_owned).collect())
        }
        Value::Made(made) => {
            let mut args = made.args.clone();
            for (_, argument) in &mut args {
                argument.value = by_content(&argument.value, files).into_owned();
            }
            Value::Made(Made {
                name: made.name.clone(),
                args,
            })
        }
        other => return Cow::Borrowed(other),
    };
    Cow::Owned(replaced)
}

impl Graph {
    /// What stands for a node's name in artifacts; `None` for a node nothing needs.
    ///
    /// It follows from the first member's key, so that a growing ensemble keeps its label.
    pub fn label(&self, node: NodeId) -> Option<Label> {
        let first = self.of_node.get(node.0)?.first()?;
        Some(Label(format!("‹{}›", self.actions[first.0].key.short())))
    }

    /// Which actions take each action.
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
    /// Every action it takes, each once, in order.
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

/// The plugin that a key text names.
pub fn plugin_of(key_text: &str) -> &str {
    key_text
        .lines()
        .find_map(|line| line.strip_prefix("plugin "))
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_default()
}
