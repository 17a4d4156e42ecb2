//! Repeating a method inside its training data: the calls that nobody writes.
//!
//! A call that declares `replay("edge")` for one of its arguments asks how the model there
//! would have done on the edge of its own training data. For each fold, calls of the plugin
//! named cut the training data in two; everything between them and the model is called again
//! with the rest, and the model is applied to the edge. Nodes that do not depend on the
//! training data are shared, so are all others by key. The model itself is only named:
//! nothing of it runs on behalf of such a call.

use std::collections::{BTreeMap, BTreeSet};

use dsl::diagnostic::{Code, Diagnostic};
use dsl::experiment::{Argument, Arguments, Experiment, Node, NodeId, Value};
use dsl::signature::Signature;
use dsl::types::Kind;

use crate::params::{Cutter, FOLDS, PARENT, Replayed};
use crate::plugin::Registry;

/// The argument that says how many folds there are; one without it.
const COUNT: &str = "folds";

/// The experiment with every repetition as calls of its own, each before its dependents.
///
/// # Errors
/// A diagnostic at the call whose model has no single set of training data to cut, or is made
/// from rows that are not among them.
pub(super) fn expand(
    experiment: Experiment,
    registry: &Registry,
) -> Result<Experiment, Box<Diagnostic>> {
    if !repeats(&experiment, registry) {
        return Ok(experiment);
    }
    let mut expansion = Expansion {
        registry,
        written: &experiment.nodes,
        nodes: Vec::new(),
        place: Vec::new(),
    };
    for node in &experiment.nodes {
        let folds = to_repeat(node, registry).map(|replayed| expansion.replay(node, replayed));
        let mut copy = node.clone();
        expansion.refer(&mut copy, &BTreeMap::new());
        copy.args.extend(folds.transpose()?.unwrap_or_default());
        let id = expansion.add(copy);
        expansion.place.push(id);
    }
    let Expansion { nodes, place, .. } = expansion;
    let mut sweeps = experiment.sweeps;
    for trial in sweeps.iter_mut().flat_map(|sweep| &mut sweep.trials) {
        let calls = trial.objectives.iter_mut().chain(&mut trial.scores);
        calls.for_each(|id| *id = place[id.0]);
    }
    Ok(Experiment {
        nodes,
        sweeps,
        ..experiment
    })
}

/// Whether a call asks for a model to be repeated.
pub(super) fn repeats(experiment: &Experiment, registry: &Registry) -> bool {
    let mut nodes = experiment.nodes.iter();
    nodes.any(|node| to_repeat(node, registry).is_some())
}

/// The argument of a call whose model is to be repeated, unless it is already.
fn to_repeat<'r>(node: &Node, registry: &'r Registry) -> Option<&'r Replayed> {
    let replayed = registry
        .get(&node.plugin)?
        .declaration()
        .replayed
        .as_ref()?;
    let folds = format!("{}.{FOLDS}", replayed.field);
    node.args.get(&folds).is_none().then_some(replayed)
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
    /// The rows that are cut: those that the parent learned from, or, where subsets or a joint
    /// fit have rows of their own, these; then a parent that does not depend on them stays.
    training: NodeId,
    /// None for a parent, which is applied to no data.
    application: Option<NodeId>,
}

impl Expansion<'_> {
    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Turns the references of a written node into those of its new place.
    fn refer(&self, node: &mut Node, replaced: &BTreeMap<NodeId, NodeId>) {
        for (_, argument) in &mut node.args {
            argument
                .value
                .map_nodes(&mut |id| *replaced.get(&id).unwrap_or(&self.place[id.0]));
        }
    }

    /// Adds the calls of every fold; returns the arguments that refer to them.
    fn replay(&mut self, node: &Node, replayed: &Replayed) -> Result<Added, Box<Diagnostic>> {
        let argument = node.args.get(&replayed.field);
        let model = argument.and_then(|argument| argument.value.nodes().first().copied());
        let (Some(argument), Some(model)) = (argument, model) else {
            return Ok(Added::new());
        };
        let cut = self.registry.get(&replayed.cut).and_then(|operation| {
            let declaration = operation.declaration();
            Some((&declaration.signature, declaration.cutter.as_ref()?))
        });
        let cut = cut.ok_or_else(|| {
            let message = format!("no plugin `{}` cuts training data", replayed.cut);
            Box::new(Diagnostic::error(Code::UnknownPlugin, node.span, message))
        })?;
        let ends = self.ends(model, argument)?;
        let count = match node.args.get(COUNT).map(|argument| &argument.value) {
            Some(Value::Int(count)) => *count,
            _ => 1,
        };
        let folds = (1..=count)
            .map(|fold| self.fold(node, cut, &ends, fold))
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
    fn fold(
        &mut self,
        node: &Node,
        (cut, cutter): (&Signature, &Cutter),
        ends: &Ends,
        fold: i64,
    ) -> Value {
        let prefix = format!("{}.fold{fold}", node.name);
        let word = |param: &String| match node.args.get(param).map(|it| &it.value) {
            Some(Value::Text(word)) => Some(word),
            _ => None,
        };
        let has_side = word(&cutter.side).is_some_and(|side| *side != cutter.auto);
        let (reach, share) = &cutter.reach;
        let toward = match ends.application {
            // Not read: other application data must not repeat anything.
            _ if has_side && word(reach).is_none_or(|reach| reach == share) => ends.training,
            application => application.unwrap_or(ends.training),
        };
        let [rest, edge] = [&cutter.rest, &cutter.edge].map(|part| {
            let mut args: Arguments = node
                .args
                .iter()
                .filter(|(name, _)| cut.param(name).is_some())
                .map(|(name, argument)| (name.clone(), argument.clone()))
                .collect();
            let given = [
                (&cutter.data, Value::Node(self.place[ends.training.0])),
                (&cutter.toward, Value::Node(self.place[toward.0])),
                (&cutter.fold, Value::Int(fold)),
                (&cutter.part, Value::Text(part.clone())),
            ];
            let span = node.span;
            let argument = |value| Argument { value, span };
            args.extend(given.map(|(name, value)| (name.clone(), argument(value))));
            self.add(Node {
                name: format!("{prefix}.{part}"),
                named: false,
                kind: Kind::Data,
                plugin: cut.name.clone(),
                args,
                seed: 0,
                point: node.point.clone(),
                members: None,
                trainer: None,
                span,
            })
        });
        let mut copies = BTreeMap::from([(ends.training, rest)]);
        let model = &self.written[ends.model.0];
        for id in model.references() {
            self.copy(id, &prefix, &mut copies);
        }
        let mut applied = self.renamed(model, &prefix);
        self.refer(&mut applied, &copies);
        if let Some(data) = applied
            .args
            .get_mut("data")
            .filter(|_| ends.model != ends.parent)
        {
            data.value = Value::Node(edge);
        }
        let model = self.add(applied);
        let parent = match ends.model == ends.parent {
            true => model,
            false => *copies
                .get(&ends.parent)
                .unwrap_or(&self.place[ends.parent.0]),
        };
        Value::List([model, parent, edge].map(Value::Node).to_vec())
    }

    /// Calls a written node again if it depends on something copied; whether it does.
    fn copy(&mut self, id: NodeId, prefix: &str, copies: &mut BTreeMap<NodeId, NodeId>) -> bool {
        if copies.contains_key(&id) {
            return true;
        }
        let node = &self.written[id.0];
        let mut depends = false;
        for taken in node.references() {
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
            data.value.nodes().first().copied()
        };
        let Some(own) = data_of(model) else {
            let message = format!("`{name}` is not made from data of this file");
            return refuse(message, "give a child made by `apply`, or a parent");
        };
        let behind = self.ancestors(model);
        let is = |id: &NodeId, kind| self.written[id.0].kind == kind;
        if self.written[model.0].kind == Kind::Parent {
            return Ok(Ends {
                model,
                parent: model,
                training: own,
                application: None,
            });
        }
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
        let learned =
            { behind.iter() }.filter(|id| is(id, Kind::Subset) || is(id, Kind::Regression));
        let learned: BTreeSet<NodeId> = learned.filter_map(|id| data_of(*id)).collect();
        let known = data_of(parent);
        // Rows that are cut along with those of the parent.
        let follows = |rows: &NodeId| {
            known.is_some_and(|known| *rows == known || self.ancestors(*rows).contains(&known))
        };
        let others: Vec<NodeId> = learned
            .iter()
            .copied()
            .filter(|rows| !follows(rows))
            .collect();
        let training = match (&others[..], known) {
            ([], Some(known)) => known,
            ([], None) => {
                let message =
                    format!("the parent of `{name}` was not trained on data of this file");
                return refuse(message, "its training data are what is cut");
            }
            ([rows], _) if learned.len() == 1 => *rows,
            _ => {
                let names = learned
                    .iter()
                    .map(|id| format!("`{}`", self.written[id.0].name));
                let names: Vec<String> = names.collect();
                let message = format!("`{name}` learns from several data: {}", names.join(", "));
                return refuse(message, "one of them would have to be cut: draw from one");
            }
        };
        Ok(Ends {
            model,
            parent,
            training,
            application: Some(own),
        })
    }

    /// All that a written node is made from, in the order of the experiment.
    fn ancestors(&self, id: NodeId) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut queue = self.written[id.0].references();
        while let Some(id) = queue.pop() {
            if found.insert(id) {
                queue.extend(self.written[id.0].references());
            }
        }
        found
    }
}
