//! Calls of plugins and constructors: a node or a value from a signature and arguments.

use std::fmt;

use super::checker::Checker;
use super::env::Env;
use super::inferred::{Columns, Inferred};
use super::value::Expected;
use crate::ast::Arg;
use crate::experiment::{Constructed, Node, NodeId, Value};
use crate::signature::Signature;
use crate::source::Span;
use crate::types::Kind;

/// Everything about the call at hand that its arguments are checked by.
pub struct Call<'c, 'p> {
    pub signature: &'p Signature,
    pub span: Span,
    pub env: Env<'c>,
    /// What its result is named.
    pub name: &'c dyn fmt::Display,
}

impl<'p> Checker<'p> {
    /// The node of a plugin call; none when an error was reported.
    pub fn call(
        &mut self,
        signature: &'p Signature,
        kind: Kind,
        args: &[Arg],
        span: Span,
        env: Env,
        want: Expected,
    ) -> Option<NodeId> {
        let outer = std::mem::take(&mut self.reads);
        let call = Call {
            signature,
            span,
            env,
            name: want.name,
        };
        let node = self.call_node(&call, kind, args, want.statement);
        self.reads |= outer;
        node
    }

    fn call_node(
        &mut self,
        call: &Call<'_, 'p>,
        kind: Kind,
        args: &[Arg],
        named: bool,
    ) -> Option<NodeId> {
        let signature = call.signature;
        let args = self.args(call, args, &Columns::Free)?;
        if args.broken {
            return None;
        }
        let mut facts = self.facts_of(call, &args)?;
        facts.known = self.examine(call, &args)?;
        let seed = if signature.random { self.seed() } else { 0 };
        facts.reads = self.reads;
        let node = Node {
            name: call.name.to_string(),
            named,
            kind,
            plugin: signature.name.clone(),
            args: args.values,
            seed,
            point: self.point_text(self.reads),
            members: facts.members.map(|(count, _)| count),
            span: call.env.outermost_call().unwrap_or(call.span),
        };
        Some(self.add(node, facts))
    }

    /// Adds a node; a call inside a statement that is the same at another point is shared.
    fn add(&mut self, node: Node, facts: Inferred) -> NodeId {
        let next = NodeId(self.nodes.len());
        if !node.named && !self.sweep.dims.is_empty() {
            let choice = facts.reads.choices();
            let key = format!(
                "{} {} {choice:?} {}",
                node.name,
                node.kind,
                call_text(&node)
            );
            if let Some(known) = self.shared.get(&key) {
                return *known;
            }
            self.shared.insert(key, next);
        }
        self.nodes.push(node);
        self.facts.push(facts);
        next
    }

    /// The value of a constructor call.
    pub fn constructed(
        &mut self,
        signature: &'p Signature,
        args: &[Arg],
        span: Span,
        env: Env,
        want: Expected,
    ) -> Option<Value> {
        let call = Call {
            signature,
            span,
            env,
            name: want.name,
        };
        let args = self.args(&call, args, want.columns)?;
        if args.broken {
            return None;
        }
        Some(Value::Constructed(Constructed {
            name: signature.name.clone(),
            args: args.values,
        }))
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
