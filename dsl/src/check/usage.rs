//! Warnings: statements and params nothing uses, statements that are the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::checker::Checker;
use super::env::Env;
use super::scope::{MAIN, Statement};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Arguments, NodeId, Value};
use crate::nearest::quoted;
use crate::types::Kind;

impl Checker<'_> {
    /// Warns of what is probably a mistake; only in a file without errors, where all is known.
    pub fn warn(&mut self) {
        if self.sink.has_errors() {
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
        let main: Vec<usize> = (0..self.names.program.statements.len())
            .filter(|at| self.names.program.statements[*at].module == MAIN)
            .filter(|at| !of_kind(&self.names.program.statements[*at], &[Kind::Sweep]))
            .collect();
        let statements = &self.names.program.statements;
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
                open.extend(&self.progress.edges[at]);
            }
        }
        let unused: Vec<usize> = main.into_iter().filter(|at| !used.contains(at)).collect();
        let names = |found: &[usize], why: &str| {
            let texts = found.iter().map(|at| &*statements[*at].name.text);
            let named = quoted(texts.take(MOST_NAMED));
            match found.len() {
                0 => None,
                1 => Some(format!("{named} is used {why}")),
                count if count > MOST_NAMED => {
                    let more = count - MOST_NAMED;
                    Some(format!("{named} and {more} more are used {why}"))
                }
                _ => Some(format!("{named} are used {why}")),
            }
        };
        let ends = ends(&unused, &used, &self.progress.edges).into_iter();
        ends.map(|(at, leading)| {
            let name = &statements[at].name;
            let message = format!("`{}` is never used", name.text);
            let mut warning = Diagnostic::warning(Code::UnusedStatement, name.span, message);
            warning
                .hints
                .extend(names(&leading.alone, "for nothing else"));
            let by_several = "only by statements that are never used";
            warning.hints.extend(names(&leading.shared, by_several));
            warning
        })
        .collect()
    }

    /// Statements of the first point that are the same call with the same arguments.
    fn same_statements(&self) -> Vec<Diagnostic> {
        let mut first: HashMap<Vec<u8>, usize> = HashMap::with_capacity(self.calls.at_first_point);
        let mut class: Vec<usize> = Vec::new();
        let mut named: BTreeMap<usize, usize> = BTreeMap::new();
        let mut warnings = Vec::new();
        for (at, node) in self
            .calls
            .nodes
            .iter()
            .enumerate()
            .take(self.calls.at_first_point)
        {
            let mut call = Vec::new();
            encode_text(node.kind.keyword(), &mut call);
            encode_text(&node.plugin, &mut call);
            call.extend(node.seed.to_le_bytes());
            encode_args(&node.args, &class, &mut call);
            let own = *first.entry(call).or_insert(at);
            class.push(own);
            // A choice may well be what another statement has.
            let is_elsewhere = self.calls.elsewhere.contains(&at);
            if !node.named || is_elsewhere || self.calls.facts[at].reads.has_choice() {
                continue;
            }
            match named.get(&own) {
                None => {
                    named.insert(own, at);
                }
                Some(before) => {
                    let before = &self.calls.nodes[*before];
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

/// How many statements a hint names.
const MOST_NAMED: usize = 8;

/// The unused statements that lead to one that no unused statement uses.
#[derive(Default)]
struct LeadingTo {
    /// Those that lead to it alone.
    alone: Vec<usize>,
    /// Those that lead to an earlier one, too.
    shared: Vec<usize>,
}

/// The ends of the chains that unused statements form.
fn ends(
    unused: &[usize],
    used: &BTreeSet<usize>,
    edges: &[BTreeSet<usize>],
) -> BTreeMap<usize, LeadingTo> {
    let next = |at: usize| edges[at].iter().copied().filter(|to| !used.contains(to));
    let mut below = BTreeSet::new();
    let mut open: Vec<usize> = unused.iter().flat_map(|at| next(*at)).collect();
    while let Some(at) = open.pop() {
        if below.insert(at) {
            open.extend(next(at));
        }
    }
    let ends = unused.iter().filter(|at| !below.contains(at));
    let mut ends: BTreeMap<usize, LeadingTo> = ends.map(|at| (*at, LeadingTo::default())).collect();
    // The first two ends that each leads to: no statement is visited for a third.
    let mut led_to: BTreeMap<usize, (usize, Option<usize>)> = BTreeMap::new();
    for end in ends.keys() {
        let mut open: Vec<usize> = next(*end).collect();
        while let Some(at) = open.pop() {
            match led_to.get_mut(&at) {
                None => drop(led_to.insert(at, (*end, None))),
                Some((first, second @ None)) if first != end => *second = Some(*end),
                Some(_) => continue,
            }
            open.extend(next(at));
        }
    }
    for at in unused {
        match led_to.get(at) {
            Some((first, None)) => ends.entry(*first).or_default().alone.push(*at),
            Some((_, Some(second))) => ends.entry(*second).or_default().shared.push(*at),
            None => {}
        }
    }
    ends
}

/// A value as bytes that equal values share and others do not; a node is the first like it.
fn encode(value: &Value, class: &[usize], bytes: &mut Vec<u8>) {
    let mut tagged = |tag: u8, number: u64| {
        bytes.push(tag);
        bytes.extend(number.to_le_bytes());
    };
    match value {
        Value::Int(value) => tagged(0, value.cast_unsigned()),
        Value::Float(value) => tagged(1, value.to_bits()),
        Value::Bool(value) => tagged(2, u64::from(*value)),
        Value::Node(NodeId(node)) => tagged(3, *class.get(*node).unwrap_or(node) as u64),
        Value::List(values) => {
            tagged(4, values.len() as u64);
            values.iter().for_each(|value| encode(value, class, bytes));
        }
        Value::Constructed(made) => {
            tagged(5, made.args.len() as u64);
            encode_text(&made.name, bytes);
            encode_args(&made.args, class, bytes);
        }
        Value::Text(text) | Value::Path(text) => encode_text(text, bytes),
        Value::Range(..) | Value::Formula(_) | Value::Definitions(_) => {
            bytes.push(6);
            encode_text(&value.to_string(), bytes);
        }
    }
}

fn encode_args(args: &Arguments, class: &[usize], bytes: &mut Vec<u8>) {
    for (name, argument) in args {
        encode_text(name, bytes);
        encode(&argument.value, class, bytes);
    }
}

fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    bytes.extend(text.len().to_le_bytes());
    bytes.extend(text.as_bytes());
}
