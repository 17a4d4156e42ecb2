//! What was meant: every call resolved, typed and with all its arguments, no syntax left.

use std::collections::BTreeMap;
use std::fmt;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::column::ColumnExpr;
use crate::in_common::InCommon;
use crate::signature::Signature;
use crate::source::Span;
use crate::sweep::{Sweep, Waiting};
use crate::types::Kind;

/// A checked experiment at every point of its sweeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experiment {
    /// The title, or empty.
    pub title: String,
    /// What it says about itself.
    pub metadata: Metadata,
    /// Every call of a plugin, each after all it refers to.
    pub nodes: Vec<Node>,
    /// The effective value of every `param` outside a sweep, as text in the language.
    pub params: BTreeMap<String, String>,
    /// The sweeps, with their points and what is known of them.
    pub sweeps: Vec<Sweep>,
    /// The plugins that its files declare.
    pub plugins: Vec<Declared>,
    /// The statements that are not among the nodes yet: they wait for a sweep's choice.
    pub waiting: Vec<Waiting>,
}

/// Who made an experiment, and under what terms: `experiment "title" (authors: ["…"], …)`.
///
/// It is in no key: nothing runs again when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The names of its authors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// What others may do with it, such as `CC-BY-4.0`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub license: String,
    /// What to cite: a DOI, an address or a reference in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cite: String,
    /// What it is about, in a few sentences.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
}

impl Metadata {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What it says, each with its name, as people read it.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let lines = [
            ("about", self.about.clone()),
            ("authors", self.authors.join(", ")),
            ("license", self.license.clone()),
            ("cite", self.cite.clone()),
        ];
        let lines = lines.into_iter();
        lines.filter(|(_, text)| !text.is_empty()).collect()
    }

    /// The DOI of what to cite, without what is written before it.
    pub fn doi(&self) -> Option<&str> {
        let prefixes = ["https://doi.org/", "http://doi.org/", "doi.org/", "doi:"];
        let cite = self.cite.trim();
        let stripped = prefixes.iter().find_map(|it| cite.strip_prefix(it));
        let doi = stripped.unwrap_or(cite).trim();
        let (registrant, rest) = doi.strip_prefix("10.")?.split_once('/')?;
        let is_doi = registrant.len() >= 4
            && registrant
                .bytes()
                .all(|it| it.is_ascii_digit() || it == b'.')
            && !rest.is_empty()
            && !doi.contains(|it: char| it.is_whitespace() || it.is_control());
        is_doi.then_some(doi)
    }

    /// The address of what to cite, when it has one.
    pub fn link(&self) -> Option<String> {
        let cite = self.cite.trim();
        let is_address = cite.starts_with("https://") || cite.starts_with("http://");
        match self.doi() {
            Some(doi) => Some(format!("https://doi.org/{doi}")),
            None if is_address && !cite.contains(char::is_whitespace) => Some(cite.to_owned()),
            None => None,
        }
    }
}

/// A plugin of one's own, as a file declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// What calls of it are checked by; named as the experiment calls it: `ocean.huber`.
    pub signature: Signature,
    /// What its own file calls it.
    pub name: String,
    /// What `farcast.toml` beside that file calls the program.
    pub from: String,
    /// The folder of that file, empty or with a `/` at its end.
    pub folder: String,
    /// Where the program is named.
    pub place: Span,
    /// Where the plugin is named.
    pub span: Span,
}

/// The index of a [`Node`] in its experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub usize);

/// One call of a plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The statement's name; a call inside an argument is named after where it stands:
    /// `adapted.regression`.
    pub name: String,
    /// Whether it is a statement of the file, not a call inside one.
    pub named: bool,
    /// What it makes.
    pub kind: Kind,
    /// The plugin's name.
    pub plugin: String,
    /// Every parameter that has a value, defaults included, by name.
    pub args: Arguments,
    /// The seed in force at this point; 0 for calls that do not depend on it.
    pub seed: u64,
    /// The swept parameters it depends on, `name=value,…`; empty outside a sweep.
    pub point: String,
    /// How many members it has, when it has any.
    pub members: Option<u32>,
    /// What computes its gradients, where it trains, and why that: for the plan.
    pub trainer: Option<String>,
    /// The call in the text.
    pub span: Span,
}

/// The arguments of a call by name. Calls have few, and sweeps have many thousand calls, so they
/// lie in one piece of memory.
pub type Arguments = LiteMap<String, Argument>;

/// A value with the place it was written at (the call's, for a default).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Argument {
    /// The value, converted to the parameter's type and unit.
    pub value: Value,
    /// The place.
    pub span: Span,
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// `Int`.
    Int(i64),
    /// `Float`, `Quantity` (in the parameter's unit), `Duration` (in seconds).
    Float(f64),
    /// `Bool`.
    Bool(bool),
    /// `String`, `Word`, `Column`.
    Text(String),
    /// `Path`, joined to the folder of the file it was written in.
    Path(String),
    /// `List`.
    List(Vec<Value>),
    /// `Range`: first value, last value (included), step.
    Range(Box<Value>, Box<Value>, Box<Value>),
    /// `Formula` or `Condition`.
    Formula(InCommon<ColumnExpr>),
    /// The `name = formula` arguments, in the order written.
    Definitions(InCommon<Vec<(String, ColumnExpr)>>),
    /// A value made by a constructor.
    Constructed(InCommon<Constructed>),
    /// The result of another call.
    Node(NodeId),
}

/// A constructor with all its arguments: `adam(rate: 1e-3, …)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constructed {
    /// The constructor.
    pub name: String,
    /// Every parameter that has a value.
    pub args: Arguments,
}

impl Node {
    /// The nodes its arguments refer to, in argument order.
    pub fn references(&self) -> Vec<NodeId> {
        let mut found = Vec::new();
        self.each_reference(&mut |node| found.push(node));
        found
    }

    /// Shows the nodes its arguments refer to, in argument order.
    pub fn each_reference(&self, see: &mut dyn FnMut(NodeId)) {
        for argument in self.args.values() {
            argument.value.each_node(see);
        }
    }
}

impl Value {
    /// The nodes it refers to, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        let mut found = Vec::new();
        self.each_node(&mut |node| found.push(node));
        found
    }

    fn each_node(&self, see: &mut dyn FnMut(NodeId)) {
        match self {
            Value::Node(node) => see(*node),
            Value::List(values) => values.iter().for_each(|value| value.each_node(see)),
            Value::Constructed(made) => {
                let args = made.args.values();
                args.for_each(|argument| argument.value.each_node(see));
            }
            _ => {}
        }
    }

    /// Replaces every node it refers to.
    pub fn map_nodes(&mut self, map: &mut dyn FnMut(NodeId) -> NodeId) {
        match self {
            Value::Node(id) => *id = map(*id),
            Value::List(values) => values.iter_mut().for_each(|value| value.map_nodes(map)),
            Value::Constructed(made) if made.args.values().any(|it| it.value.has_nodes()) => {
                let args = made.own().args.iter_mut();
                args.for_each(|(_, argument)| argument.value.map_nodes(map));
            }
            _ => {}
        }
    }

    /// Whether it refers to a node.
    pub fn has_nodes(&self) -> bool {
        let mut found = false;
        self.each_node(&mut |_| found = true);
        found
    }

    /// Whether it is a reference, or a list of nothing but references.
    pub fn is_reference(&self) -> bool {
        match self {
            Value::Node(_) => true,
            Value::List(values) => !values.is_empty() && values.iter().all(Self::is_reference),
            _ => false,
        }
    }

    /// The data files it names, in order.
    pub fn paths(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.collect_paths(&mut found);
        found
    }

    fn collect_paths<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Value::Path(path) => found.push(path),
            Value::List(values) => values.iter().for_each(|value| value.collect_paths(found)),
            Value::Constructed(made) => {
                let args = made.args.values();
                args.for_each(|argument| argument.value.collect_paths(found));
            }
            _ => {}
        }
    }
}

impl fmt::Display for Value {
    /// The canonical text that keys are made of: equal values print equally.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Text(text) | Value::Path(text) => write!(f, "{text:?}"),
            Value::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str("]")
            }
            Value::Range(start, end, step) => write!(f, "{start}..={end} step {step}"),
            Value::Formula(formula) => write!(f, "{}", **formula),
            Value::Definitions(definitions) => {
                for (index, (name, formula)) in definitions.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name} = {formula}")?;
                }
                Ok(())
            }
            Value::Constructed(made) => {
                write!(f, "{}(", made.name)?;
                for (index, (name, argument)) in made.args.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}: {}", argument.value)?;
                }
                f.write_str(")")
            }
            Value::Node(NodeId(index)) => write!(f, "node {index}"),
        }
    }
}
