//! Calls of plugins and constructors: a node or a value from a signature and arguments.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::checker::Checker;
use super::env::Env;
use super::known::{Args, Columns, Inferred};
use super::notes::Notes;
use super::value::Expected;
use crate::ast::Arg;
use crate::experiment::{Constructed, Node, NodeId, Value};
use crate::signature::{POINTS, Signature};
use crate::source::Span;
use crate::types::Kind;

/// Everything about the call at hand that its arguments are checked by.
pub struct Call<'c, 'p> {
    pub signature: &'p Signature,
    pub span: Span,
    pub env: Env<'c>,
    /// What its result is named.
    pub name: &'c dyn fmt::Display,
    /// Whether lists take what they name at every point of the sweep.
    pub gather: bool,
}

impl<'c, 'p> Call<'c, 'p> {
    /// A call where something is wanted.
    pub fn new(signature: &'p Signature, span: Span, env: Env<'c>, want: Expected<'c>) -> Self {
        Self {
            signature,
            span,
            env,
            name: want.name,
            gather: want.gather,
        }
    }
}

impl<'p> Checker<'p> {
    /// The node of a plugin call; none when an error was reported.
    pub fn call(
        &mut self,
        call: &Call<'_, 'p>,
        kind: Kind,
        args: &[Arg],
        named: bool,
        notes: &mut Notes,
    ) -> Option<NodeId> {
        let mut own = Notes::default();
        let node = self.call_node(call, kind, args, named, &mut own);
        notes.add(own);
        node
    }

    fn call_node(
        &mut self,
        call: &Call<'_, 'p>,
        kind: Kind,
        args: &[Arg],
        named: bool,
        notes: &mut Notes,
    ) -> Option<NodeId> {
        let args = self.args(call, args, &Columns::Free, notes)?;
        if args.broken {
            return None;
        }
        self.call_of(call, kind, args, named, notes)
    }

    /// The node of a call whose arguments checked.
    pub fn call_of(
        &mut self,
        call: &Call<'_, 'p>,
        kind: Kind,
        args: Args,
        named: bool,
        notes: &mut Notes,
    ) -> Option<NodeId> {
        let signature = call.signature;
        let mut args = args;
        if let Some(points) = self.points_of(signature, &args) {
            notes.reads |= self.reads_of_all_points();
            args.values.insert(POINTS.to_owned(), points);
        }
        let mut facts = self.facts_of(call, &args)?;
        let mut known = self.examine(call, kind, &args)?;
        if let Some(columns) = known.columns.take() {
            facts.schema = Some(Rc::new(Arc::unwrap_or_clone(columns)));
        }
        facts.known = self.memo.shared_facts(call.span, known);
        let seed = if signature.random {
            self.seed(notes)
        } else {
            0
        };
        facts.reads = notes.reads;
        let (name, point) = (call.name.to_string(), self.point_text(notes.reads));
        self.count(4 + (name.len() + point.len()) / 64, call.span, call.env)?;
        let node = Node {
            name,
            named,
            kind,
            plugin: signature.name.clone(),
            args: args.values,
            seed,
            point,
            members: facts.members.map(|(count, _)| count),
            trainer: facts.known.trainer.clone(),
            span: call.env.outermost_call().unwrap_or(call.span),
        };
        if let Some(trace) = self.names.trace {
            trace.result(&node, facts.schema.as_deref());
        }
        Some(self.add(node, facts))
    }

    /// Adds a node; a call inside a statement that is the same at another point is shared.
    fn add(&mut self, node: Node, facts: Inferred) -> NodeId {
        let next = NodeId(self.calls.nodes.len());
        if !node.named && !self.sweep.dims.is_empty() {
            let choice = facts.reads.choices();
            let key = format!(
                "{} {} {choice:?} {}",
                node.name,
                node.kind,
                call_text(&node)
            );
            if let Some(known) = self.memo.shared.get(&key) {
                return *known;
            }
            self.memo.shared.insert(key, next);
        }
        self.calls.nodes.push(node);
        self.calls.facts.push(facts);
        next
    }

    /// The value of a constructor call, where columns may be named.
    pub fn constructed(
        &mut self,
        call: &Call<'_, 'p>,
        args: &[Arg],
        columns: &Columns,
        notes: &mut Notes,
    ) -> Option<Value> {
        let args = self.args(call, args, columns, notes)?;
        if args.broken {
            return None;
        }
        let made = Constructed {
            name: call.signature.name.clone(),
            args: args.values,
        };
        Some(Value::Constructed(made.into()))
    }
}

/// A call with all its arguments, as text.
fn call_text(node: &Node) -> String {
    let mut text = format!("{} {}", node.plugin, node.seed);
    for (name, argument) in &node.args {
        text.push_str(&format!(" {name}: {}", argument.value));
    }
    text
}
