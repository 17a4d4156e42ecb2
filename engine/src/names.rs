//! The names of statements, put where artifacts have labels: after the cache.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use dsl::experiment::{Experiment, Node};
use dsl::types::Kind;

use crate::digest::Digest;
use crate::graph::Graph;
use crate::observer::Failure;

/// The names of the statements behind the labels of a graph.
pub struct Names<'a> {
    experiment: &'a Experiment,
    graph: &'a Graph,
    /// Made for the first label that is met: most texts have none.
    lists: OnceCell<Lists<'a>>,
}

/// Statements by the keys whose starts are in their labels.
#[derive(Default)]
struct Lists<'a> {
    outside_sweeps: BTreeMap<Digest, &'a Node>,
    at_points: BTreeMap<Digest, &'a Node>,
}

impl<'a> Names<'a> {
    /// The names of everything the graph makes.
    pub fn of(experiment: &'a Experiment, graph: &'a Graph) -> Self {
        let lists = OnceCell::new();
        Self {
            experiment,
            graph,
            lists,
        }
    }

    /// The text with every label replaced by the statement's name.
    ///
    /// Of equal calls one outside sweeps gives the name.
    pub fn put_in<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.put_in_at("", text)
    }

    /// The failure with the names of statements in its message and its hint.
    pub fn put_in_failure(&self, failure: &Failure) -> Failure {
        let named = |text: &String| self.put_in(text).into_owned();
        Failure {
            message: named(&failure.message),
            hint: failure.hint.as_ref().map(named),
            ..failure.clone()
        }
    }

    /// The same as a statement at this point of a sweep calls them.
    pub fn put_in_at<'t>(&self, point: &str, text: &'t str) -> Cow<'t, str> {
        self.replaced(text, point.is_empty(), shown)
    }

    /// What a statement refers to, by its keys: of equal calls it means those.
    pub fn referred(&self, node: &Node) -> Referred<'a> {
        let mut referred = BTreeMap::new();
        for id in node.references() {
            let first = self
                .graph
                .of_node
                .get(id.0)
                .and_then(|actions| actions.first());
            if let (Some(first), Some(node)) = (first, self.experiment.nodes.get(id.0)) {
                let key = self.graph.actions[first.0].key.digest;
                referred.entry(key).or_insert(node);
            }
        }
        Referred(referred)
    }

    /// The same in what a statement made that refers to these.
    pub fn put_in_of<'t>(&self, referred: &Referred, point: &str, text: &'t str) -> Cow<'t, str> {
        if !text.contains('‹') {
            return Cow::Borrowed(text);
        }
        let named = replaced(text, &[&referred.0], shown, Unknown::Left);
        Cow::Owned(self.put_in_at(point, &named).into_owned())
    }

    /// The same with the point after every name that stands at one.
    pub fn put_in_with_points<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replaced(text, true, with_point)
    }

    fn replaced<'t>(&self, text: &'t str, is_outside: bool, shown: Shown) -> Cow<'t, str> {
        if !text.contains('‹') {
            return Cow::Borrowed(text);
        }
        let Lists {
            outside_sweeps,
            at_points,
        } = self.lists.get_or_init(|| self.lists());
        let lists = match is_outside {
            true => [outside_sweeps, at_points],
            false => [at_points, outside_sweeps],
        };
        Cow::Owned(replaced(text, &lists, shown, Unknown::Named))
    }

    fn lists(&self) -> Lists<'a> {
        let mut lists = Lists::default();
        for (node, actions) in self.experiment.nodes.iter().zip(&self.graph.of_node) {
            let Some(first) = actions.first() else {
                continue;
            };
            let list = match node.point.is_empty() {
                true => &mut lists.outside_sweeps,
                false => &mut lists.at_points,
            };
            let known = list
                .entry(self.graph.actions[first.0].key.digest)
                .or_insert(node);
            // Of equal calls a statement gives the name, not a call inside one.
            if node.named && !known.named {
                *known = node;
            }
        }
        lists
    }
}

/// What a statement refers to, by key.
pub struct Referred<'a>(BTreeMap<Digest, &'a Node>);

/// What becomes of a label that no list has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// It stays.
    Left,
    /// It is of another statement.
    Named,
}

/// The text with every label replaced by the name in the first list that has one.
fn replaced(
    text: &str,
    lists: &[&BTreeMap<Digest, &Node>],
    shown: Shown,
    unknown: Unknown,
) -> String {
    let mut rest = text;
    let mut named = String::new();
    while let Some(start) = rest.find('‹') {
        let Some(length) = rest[start..].find('›') else {
            break;
        };
        let end = start + length + '›'.len_utf8();
        let label = &rest[start..end];
        named.push_str(&rest[..start]);
        match lists.iter().find_map(|list| labelled(list, label)) {
            Some(node) => named.push_str(&shown(node)),
            None if is_label(label) && unknown == Unknown::Named => {
                named.push_str("another statement")
            }
            None => named.push_str(label),
        }
        rest = &rest[end..];
    }
    named + rest
}

/// Whether a text in these brackets is a placeholder, rather than what somebody wrote.
fn is_label(text: &str) -> bool {
    let digest = text.trim_matches(['‹', '›']);
    digest.len() == 12 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The statement behind a label.
fn labelled<'n>(list: &BTreeMap<Digest, &'n Node>, label: &str) -> Option<&'n Node> {
    let start = label.trim_matches(['‹', '›']);
    let least: Digest = format!("{start:0<64}").parse().ok()?;
    let (key, node) = list.range(least..).next()?;
    (key.short() == start).then_some(node)
}

/// How a statement is shown.
type Shown = fn(&Node) -> Cow<'_, str>;

/// Figures about the points of a score would have one title without the point.
fn shown(node: &Node) -> Cow<'_, str> {
    match node.kind {
        Kind::Score => with_point(node),
        _ => Cow::Borrowed(&node.name),
    }
}

fn with_point(node: &Node) -> Cow<'_, str> {
    match node.point.is_empty() {
        true => Cow::Borrowed(&node.name),
        false => Cow::Owned(format!("{} at {}", node.name, node.point)),
    }
}
