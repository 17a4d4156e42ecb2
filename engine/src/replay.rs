//! Repeating a method inside its training data: the calls that nobody writes.
//!
//! A call that declares `replay("edge")` for one of its arguments asks how the model given
//! there would have done on the edge of its own training data. For each fold the training data
//! are cut in two by calls of the plugin named; everything made from them on the way to the
//! model is called again with the rest, and the model is applied to the edge. Nodes that do
//! not depend on the training data are shared, so are all others by key. The model itself is
//! only named: nothing of it runs on behalf of such a call.

use std::collections::{BTreeMap, BTreeSet};

use dsl::diagnostic::{Code, Diagnostic};
use dsl::experiment::{Argument, Arguments, Experiment, Node, NodeId, Value};
use dsl::signature::Signature;
use dsl::types::{Kind, Type};

use crate::artifact::{Artifact, Dataset};
use crate::error::Fault;
use crate::graph::{nodes_in, references};
use crate::params::{Bindings, Gather, Input, Label, ParamType, gathered, mismatch, single};
use crate::plugin::Registry;

/// A model repeated inside its training data: declared with `replay("edge")`.
///
/// `M` is what the model makes, `P` what its parent makes.
#[derive(Debug)]
pub struct Replay<M, P> {
    /// Stands for the model's name; the model itself is not run for this.
    pub label: Label,
    /// Stands for the name of its parent.
    pub parent: Label,
    /// The repetitions, from the edge inward.
    pub folds: Vec<Fold<M, P>>,
}

/// One repetition of a model on part of its training data.
#[derive(Debug)]
pub struct Fold<M, P> {
    /// What the model made, learned from the rest and applied to the edge.
    pub model: Gather<M>,
    /// The parents, learned from the rest.
    pub parent: Gather<P>,
    /// The edge: the rows held out.
    pub edge: Input<Dataset>,
}

/// What follows the name of a [`Replay`] argument in that of the repetitions.
pub(crate) const FOLDS: &str = "folds";
/// What follows the name of a [`Replay`] argument in that of the parent.
pub(crate) const PARENT: &str = "parent";

impl<M: Artifact, P: Artifact> ParamType for Replay<M, P> {
    const GATHER: bool = true;

    fn ty() -> Type {
        Type::Kind(M::KIND)
    }

    fn from_value(field: &'static str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        let Value::Node(model) = value else {
            return Err(mismatch(field, "a statement", value));
        };
        let names = |suffix| {
            let name = format!("{field}.{suffix}");
            let value = bindings.args.get(&name).map(|argument| &argument.value);
            (name, value)
        };
        let ((folds_name, Some(Value::List(folds))), (parent_name, Some(Value::Node(parent)))) =
            (names(FOLDS), names(PARENT))
        else {
            return Err(Fault::Bug(format!("`{field}` was not repeated")));
        };
        let of = |node: NodeId| bindings.loaded(&folds_name, node);
        let fold = |value: &Value| match value {
            Value::List(nodes) => match nodes[..] {
                [Value::Node(model), Value::Node(parent), Value::Node(edge)] => Ok(Fold {
                    model: gathered(field, of(model)?)?,
                    parent: gathered(field, of(parent)?)?,
                    edge: single(field, of(edge)?)?,
                }),
                _ => Err(mismatch(field, "a repetition", value)),
            },
            other => Err(mismatch(field, "a repetition", other)),
        };
        Ok(Self {
            label: bindings.loaded(field, *model)?.label.clone(),
            parent: bindings.loaded(&parent_name, *parent)?.label.clone(),
            folds: folds.iter().map(fold).collect::<Result<_, _>>()?,
        })
    }
}

/// An argument of a plugin that names a model to be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The argument.
    pub field: String,
    /// The data plugin that cuts the training data. It takes `data`, `toward` (the data the
    /// model is applied to), `fold` (from 1), `part` (`rest` or `edge`), and whatever else the
    /// call has under the same name.
    pub cut: &'static str,
}

/// The argument that says how many folds there are; one without it.
const COUNT: &str = "folds";

/// The experiment with every repetition as calls of its own, each before what takes it.
///
/// # Errors
/// A diagnostic at the call whose model has no single set of training data to cut, or is made
/// from rows that are not among them.
pub fn expand(experiment: Experiment, registry: &Registry) -> Result<Experiment, Box<Diagnostic>> {
    let replayed = |node: &Node| registry.get(&node.plugin)?.replayed.as_ref();
    if !experiment.nodes.iter().any(|node| replayed(node).is_some()) {
        return Ok(experiment);
    }
    let mut expansion = Expansion {
        registry,
        written: &experiment.nodes,
        nodes: Vec::new(),
        place: Vec::new(),
    };
    for node in &experiment.nodes {
        let folds = replayed(node).map(|replayed| expansion.replay(node, replayed));
        let mut copy = node.clone();
        expansion.refer(&mut copy, &BTreeMap::new());
        copy.args.extend(folds.transpose()?.unwrap_or_default());
        let id = expansion.add(copy);
        expansion.place.push(id);
    }
    let Expansion { nodes, place, .. } = expansion;
    let mut sweeps = experiment.sweeps;
    for trial in sweeps.iter_mut().flat_map(|sweep| &mut sweep.trials) {
        let calls = trial.objective.iter_mut().chain(&mut trial.scores);
        calls.for_each(|id| *id = place[id.0]);
    }
    Ok(Experiment {
        nodes,
        sweeps,
        ..experiment
    })
}

/// Arguments that nobody writes, by name.
type Added = Arguments;

struct Expansion<'a> {
    registry: &'a Registry,
    /// The nodes as written; ids of them are called `written` below.
    written: &'a [Node],
    nodes: Vec<Node>,
    /// Where each written node stands among `nodes`.
    place: Vec<NodeId>,
}

/// What a model was learned from, and where it is applied; ids of written nodes.
struct Ends {
    model: NodeId,
    parent: NodeId,
    training: NodeId,
    application: NodeId,
}

impl Expansion<'_> {
    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Turns the references of a written node into those of its new place.
    fn refer(&self, node: &mut Node, replaced: &BTreeMap<NodeId, NodeId>) {
        for (_, argument) in &mut node.args {
            map_nodes(&mut argument.value, &|id| {
                *replaced.get(&id).unwrap_or(&self.place[id.0])
            });
        }
    }

    /// Adds the calls of every fold; gives the arguments that refer to them.
    fn replay(&mut self, node: &Node, replayed: &Replayed) -> Result<Added, Box<Diagnostic>> {
        let argument = node.args.get(&replayed.field);
        let model = argument.and_then(|argument| nodes_in(&argument.value).first().copied());
        let (Some(argument), Some(model)) = (argument, model) else {
            return Ok(Added::new());
        };
        let cut = self.registry.get(replayed.cut);
        let cut = cut.ok_or_else(|| {
            let message = format!("plugin `{}` is not registered", replayed.cut);
            Box::new(Diagnostic::error(Code::UnknownPlugin, node.span, message))
        })?;
        let ends = self.ends(model, argument)?;
        let count = match node.args.get(COUNT).map(|argument| &argument.value) {
            Some(Value::Int(count)) => *count,
            _ => 1,
        };
        let folds = (1..=count)
            .map(|fold| self.fold(node, &cut.signature, &ends, fold))
            .collect();
        let parent = Value::Node(self.place[ends.parent.0]);
        let added = [(FOLDS, Value::List(folds)), (PARENT, parent)];
        let name = |suffix| format!("{}.{suffix}", replayed.field);
        let span = argument.span;
        Ok(added
            .into_iter()
            .map(|(suffix, value)| (name(suffix), Argument { value, span }))
            .collect())
    }

    /// The repeated model, its parent and the rows held out.
    fn fold(&mut self, node: &Node, cut: &Signature, ends: &Ends, fold: i64) -> Value {
        let prefix = format!("{}.fold{fold}", node.name);
        let [rest, edge] = ["rest", "edge"].map(|part| {
            let mut args: Arguments = node
                .args
                .iter()
                .filter(|(name, _)| cut.param(name).is_some())
                .map(|(name, argument)| (name.clone(), argument.clone()))
                .collect();
            let given = [
                ("data", Value::Node(self.place[ends.training.0])),
                ("toward", Value::Node(self.place[ends.application.0])),
                ("fold", Value::Int(fold)),
                ("part", Value::Text(part.to_owned())),
            ];
            let span = node.span;
            let argument = |value| Argument { value, span };
            args.extend(given.map(|(name, value)| (name.to_owned(), argument(value))));
            self.add(Node {
                name: format!("{prefix}.{part}"),
                named: false,
                kind: Kind::Data,
                plugin: cut.name.clone(),
                args,
                seed: 0,
                point: node.point.clone(),
                members: None,
                span,
            })
        });
        let mut copies = BTreeMap::from([(ends.training, rest)]);
        let model = &self.written[ends.model.0];
        for id in references(model) {
            self.copy(id, &prefix, &mut copies);
        }
        let mut applied = self.renamed(model, &prefix);
        self.refer(&mut applied, &copies);
        if let Some(data) = applied.args.get_mut("data") {
            data.value = Value::Node(edge);
        }
        let model = self.add(applied);
        let parent = *copies
            .get(&ends.parent)
            .unwrap_or(&self.place[ends.parent.0]);
        Value::List([model, parent, edge].map(Value::Node).to_vec())
    }

    /// Calls a written node again if it depends on something copied; whether it does.
    fn copy(&mut self, id: NodeId, prefix: &str, copies: &mut BTreeMap<NodeId, NodeId>) -> bool {
        if copies.contains_key(&id) {
            return true;
        }
        let node = &self.written[id.0];
        let mut depends = false;
        for taken in references(node) {
            depends |= self.copy(taken, prefix, copies);
        }
        if depends {
            let mut copy = self.renamed(node, prefix);
            self.refer(&mut copy, copies);
            let copy = self.add(copy);
            copies.insert(id, copy);
        }
        depends
    }

    fn renamed(&self, node: &Node, prefix: &str) -> Node {
        Node {
            name: format!("{prefix}.{}", node.name),
            named: false,
            ..node.clone()
        }
    }

    fn ends(&self, model: NodeId, argument: &Argument) -> Result<Ends, Box<Diagnostic>> {
        let name = &self.written[model.0].name;
        let refuse = |message: String, hint: &str| {
            let diagnostic = Diagnostic::error(Code::WrongKind, argument.span, message);
            Err(Box::new(diagnostic.hint(hint)))
        };
        let data_of = |id: NodeId| {
            let data = self.written[id.0].args.get("data")?;
            nodes_in(&data.value).first().copied()
        };
        let Some(application) = data_of(model) else {
            let message = format!("`{name}` is not applied to data");
            return refuse(message, "give a child made by `apply`");
        };
        let behind = self.ancestors(model);
        let is = |id: &NodeId, kind| self.written[id.0].kind == kind;
        let parents: Vec<NodeId> = behind
            .iter()
            .copied()
            .filter(|id| is(id, Kind::Parent))
            .collect();
        let [parent] = parents[..] else {
            let message = format!(
                "expected one parent behind `{name}`, found {}",
                parents.len()
            );
            return refuse(message, "its training data are what is cut");
        };
        let Some(training) = data_of(parent) else {
            let message = format!("the parent of `{name}` was not trained on data of this file");
            return refuse(message, "its training data are what is cut");
        };
        for id in behind.iter().filter(|id| is(id, Kind::Subset)) {
            let Some(rows) = data_of(*id) else { continue };
            if rows != training && !self.ancestors(rows).contains(&training) {
                let [subset, rows, training] =
                    [*id, rows, training].map(|id| &self.written[id.0].name);
                let message = format!(
                    "`{subset}` is drawn from `{rows}`, which is not cut where `{training}` is"
                );
                return refuse(message, "draw the subsets from the training data");
            }
        }
        Ok(Ends {
            model,
            parent,
            training,
            application,
        })
    }

    /// All that a written node is made from, in the order of the experiment.
    fn ancestors(&self, id: NodeId) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut queue = references(&self.written[id.0]);
        while let Some(id) = queue.pop() {
            if found.insert(id) {
                queue.extend(references(&self.written[id.0]));
            }
        }
        found
    }
}

fn map_nodes(value: &mut Value, map: &dyn Fn(NodeId) -> NodeId) {
    match value {
        Value::Node(id) => *id = map(*id),
        Value::List(values) => values.iter_mut().for_each(|value| map_nodes(value, map)),
        Value::Made(made) => {
            let args = made.args.iter_mut();
            args.for_each(|(_, argument)| map_nodes(&mut argument.value, map));
        }
        _ => {}
    }
}
