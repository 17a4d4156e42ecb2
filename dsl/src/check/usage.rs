//! Warnings: statements and params nothing uses, statements that are the same.

use std::collections::{BTreeMap, BTreeSet};

use super::checker::Checker;
use super::env::Env;
use super::scope::{MAIN, Statement};
use super::sweep::CHOICE;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Argument, Made, NodeId, Value};
use crate::types::Kind;

impl Checker<'_> {
    /// Warns of what is probably a mistake; only in a file without errors, where all is known.
    pub fn warn(&mut self) {
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let mut warnings = self.unused_statements();
        warnings.extend(self.unused_params().map(|(declared, swept)| {
            let name = &declared.name;
            let message = match swept {
                true => format!("`{}` is swept, but nothing depends on it", name.text),
                false => format!("`{}` is never used", name.text),
            };
            Diagnostic::warning(Code::UnusedStatement, name.span, message)
        }));
        warnings.extend(self.same_statements());
        warnings.extend(self.outer_objectives());
        for warning in warnings {
            self.report(Env::file(MAIN), warning);
        }
    }

    fn unused_statements(&self) -> Vec<Diagnostic> {
        let of_kind = |statement: &Statement, kinds: &[Kind]| {
            let kind = Kind::from_keyword(&statement.keyword.text);
            kind.is_some_and(|kind| kinds.contains(&kind))
        };
        let main: Vec<usize> = (0..self.program.statements.len())
            .filter(|at| self.program.statements[*at].module == MAIN)
            .filter(|at| !of_kind(&self.program.statements[*at], &[Kind::Sweep]))
            .collect();
        let statements = &self.program.statements;
        let mut open: Vec<usize> = main
            .iter()
            .copied()
            .filter(|at| of_kind(&statements[*at], &[Kind::Score, Kind::Report]))
            .collect();
        // A file that is not finished yet ends in what it is about.
        if open.is_empty() {
            open.extend(main.last());
        }
        let mut used = BTreeSet::new();
        while let Some(at) = open.pop() {
            if used.insert(at) {
                open.extend(&self.edges[at]);
            }
        }
        main.iter()
            .filter(|at| !used.contains(at))
            .map(|at| {
                let statement = &statements[*at];
                let message = format!("`{}` is never used", statement.name.text);
                Diagnostic::warning(Code::UnusedStatement, statement.name.span, message)
            })
            .collect()
    }

    /// Statements of the first point that are the same call with the same arguments.
    fn same_statements(&self) -> Vec<Diagnostic> {
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        let mut class: Vec<usize> = Vec::new();
        let mut named: BTreeMap<usize, usize> = BTreeMap::new();
        let mut warnings = Vec::new();
        for (at, node) in self.nodes.iter().enumerate().take(self.first_nodes) {
            let mut text = format!("{} {} {}", node.kind, node.plugin, node.seed);
            for (name, argument) in &node.args {
                let value = with_classes(&argument.value, &class);
                text.push_str(&format!(" {name}: {value}"));
            }
            let own = *first.entry(text).or_insert(at);
            class.push(own);
            // A choice may well be what another statement has.
            if !node.named || self.facts[at].reads & CHOICE != 0 {
                continue;
            }
            match named.get(&own) {
                None => {
                    named.insert(own, at);
                }
                Some(before) => {
                    let before = &self.nodes[*before];
                    let message = format!("`{}` is the same as `{}`", node.name, before.name);
                    let diagnostic = Diagnostic::warning(Code::SameStatement, node.span, message)
                        .and(before.span, "the same call");
                    warnings.push(diagnostic);
                }
            }
        }
        warnings
    }
}

/// A value with each node replaced by the first one that is the same.
fn with_classes(value: &Value, class: &[usize]) -> Value {
    match value {
        Value::Node(NodeId(node)) => {
            Value::Node(NodeId(class.get(*node).copied().unwrap_or(*node)))
        }
        Value::List(values) => Value::List(
            values
                .iter()
                .map(|value| with_classes(value, class))
                .collect(),
        ),
        Value::Made(made) => Value::Made(Made {
            name: made.name.clone(),
            args: made
                .args
                .iter()
                .map(|(name, argument)| {
                    let value = with_classes(&argument.value, class);
                    let span = argument.span;
                    (name.clone(), Argument { value, span })
                })
                .collect(),
        }),
        other => other.clone(),
    }
}
