//! Arithmetic of weights: `net + 0.5 * (tuned - net)` as one call, with a factor for each table.
//!
//! What the sum means (a network, a difference) is known to the plugin that makes it: here is
//! only how an expression comes to its terms.

use super::call::Call;
use super::checker::Checker;
use super::describe::{dotted, type_name};
use super::env::{Env, Resolved};
use super::extent::own_size;
use super::known::{Args, Columns};
use super::notes::Notes;
use super::scope::Entity;
use super::value::Expected;
use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Argument, NodeId, Value};
use crate::signature::Makes;
use crate::source::Span;
use crate::types::{Kind, Type};

/// The plugin that adds tables up: `terms` and a `factor` for each.
const COMBINE: &str = "combine";
/// The plugin that makes members of rows.
const MEMBERS: &str = "members";
/// How much of an expression is looked at to tell whether it is arithmetic of tables.
const MOST_LOOKS: usize = 10_000;
/// Expressions of more characters than these are not repeated in hints.
const LONGEST: usize = 48;
/// Factors that sum to less than this share of their sizes cancel.
const CANCELS: f64 = 1e-12;

/// A table in a sum.
struct Summand {
    node: NodeId,
    factor: f64,
    /// The sum of the sizes of its factors, to tell when they cancel.
    size: f64,
    /// Whether its factors are written as numbers.
    literal: bool,
    span: Span,
}

/// The tables met so far.
#[derive(Default)]
struct Sum {
    terms: Vec<Summand>,
    met: usize,
}

/// What a part of the expression is multiplied by.
#[derive(Clone, Copy)]
struct Factor {
    factor: f64,
    /// Whether it is written as a number.
    literal: bool,
}

impl Factor {
    fn by(self, factor: f64) -> Self {
        Self {
            factor: self.factor * factor,
            ..self
        }
    }
}

impl<'p> Checker<'p> {
    /// Whether an expression is arithmetic of tables.
    pub fn is_arithmetic(&self, expr: &Expr, env: Env) -> bool {
        let is_operator = matches!(expr.kind, ExprKind::Unary { .. } | ExprKind::Binary { .. });
        is_operator && self.holds_table(expr, env, &mut MOST_LOOKS.clone())
    }

    /// How the rows of a table become the networks that are wanted.
    pub fn as_members(&self, expr: &Expr, env: Env, wanted: &Type) -> Option<String> {
        let found = match &expr.kind {
            ExprKind::Name(path) => match self.names.find(path, env) {
                Resolved::Entity(Entity::Statement(at)) => {
                    Kind::from_keyword(&self.names.program.statements[at].keyword.text)
                }
                _ => None,
            },
            ExprKind::Call { callee, .. } => {
                let signature = self.names.signature(env.module, callee);
                match signature.map(|signature| &signature.makes) {
                    Some(Makes::Kinds(kinds)) => kinds.first().copied(),
                    _ => None,
                }
            }
            _ => None,
        };
        let is_table = found == Some(Kind::Weights) && self.names.catalog.has(MEMBERS);
        let written = self.source(expr.span);
        let is_short = !written.is_empty() && written.len() <= LONGEST && !written.contains('\n');
        let rows = if is_short { written } else { "…" };
        (is_table && takes_networks(wanted)).then(|| {
            format!("`{MEMBERS}({rows}, count: …)` is a parent with a member for each row")
        })
    }

    fn is_table(&self, expr: &Expr, env: Env) -> bool {
        self.holds_table(expr, env, &mut MOST_LOOKS.clone())
    }

    fn holds_table(&self, expr: &Expr, env: Env, looks: &mut usize) -> bool {
        if *looks == 0 {
            return false;
        }
        *looks -= 1;
        match &expr.kind {
            ExprKind::Name(path) => match self.names.find(path, env) {
                Resolved::Arg(inner, env) => self.holds_table(inner, env, looks),
                Resolved::Entity(Entity::Statement(_)) => true,
                _ => false,
            },
            ExprKind::Call { callee, args } => match self.names.find(callee, env) {
                Resolved::Entity(Entity::Define(at)) => {
                    let define = &self.names.program.defines[at];
                    let own = Env::file(define.module);
                    let mut args = args.iter();
                    !define.cyclic
                        && (args.any(|arg| self.holds_table(arg.value(), env, looks))
                            || self.holds_table(&define.body, own, looks))
                }
                _ => {
                    let signature = self.names.catalog.get(&dotted(callee));
                    signature.is_some_and(|it| matches!(it.makes, Makes::Kinds(_)))
                }
            },
            ExprKind::Unary { operand, .. } => self.holds_table(operand, env, looks),
            ExprKind::Binary { left, right, .. } => {
                self.holds_table(left, env, looks) || self.holds_table(right, env, looks)
            }
            _ => false,
        }
    }

    /// The call that an expression over tables adds up to.
    pub fn arithmetic(
        &mut self,
        expr: &Expr,
        env: Env,
        kind: Kind,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let signature = self.names.catalog.get(COMBINE);
        let makes = |it: &Makes| matches!(it, Makes::Kinds(kinds) if kinds.contains(&kind));
        let signature = match signature {
            Some(signature) if makes(&signature.makes) => signature,
            Some(_) => {
                let message = format!(
                    "arithmetic makes `weights`, expected {}",
                    type_name(want.ty)
                );
                let diagnostic = Diagnostic::error(Code::WrongKind, expr.span, message);
                self.report(env, diagnostic.hint("write `weights` as the keyword"));
                return None;
            }
            None => return self.mismatch(expr, env, want.ty),
        };
        let mut own = Notes::default();
        let mut sum = Sum::default();
        let scale = Factor {
            factor: 1.0,
            literal: true,
        };
        let found = self.sum(expr, env, scale, want, &mut sum, &mut own);
        let node = found.and_then(|()| {
            let args = self.arguments(sum, expr.span, env);
            let call = Call::new(signature, expr.span, env, want);
            self.call_of(&call, kind, args, want.statement, &mut own)
        });
        notes.add(own);
        node.map(Value::Node)
    }

    /// Adds the tables of an expression to the sum.
    fn sum(
        &mut self,
        expr: &Expr,
        env: Env,
        scale: Factor,
        want: Expected,
        sum: &mut Sum,
        notes: &mut Notes,
    ) -> Option<()> {
        self.count(own_size(expr), expr.span, env)?;
        self.deeper(expr.span, env, |checker| {
            checker.shallow_sum(expr, env, scale, want, sum, notes)
        })
    }

    fn shallow_sum(
        &mut self,
        expr: &Expr,
        env: Env,
        scale: Factor,
        want: Expected,
        sum: &mut Sum,
        notes: &mut Notes,
    ) -> Option<()> {
        match &expr.kind {
            ExprKind::Unary {
                op: UnaryOp::Negate,
                operand,
            } => self.sum(operand, env, scale.by(-1.0), want, sum, notes),
            ExprKind::Binary {
                op, left, right, ..
            } => match op {
                BinaryOp::Add | BinaryOp::Subtract => {
                    let sign = match op {
                        BinaryOp::Add => 1.0,
                        _ => -1.0,
                    };
                    let said = self.sink.count();
                    let first = self.sum(left, env, scale, want, sum, notes);
                    let second = self.sum(right, env, scale.by(sign), want, sum, notes);
                    if first.is_none() && second.is_none() {
                        self.sink.once_for_both(said, [left.span, right.span]);
                    }
                    first.and(second)
                }
                BinaryOp::Multiply | BinaryOp::Divide => {
                    let (table, number) = self.scaled(*op, expr, (left, right), env)?;
                    let mut factor = self.factor(number, env, notes)?;
                    if *op == BinaryOp::Divide {
                        if factor == 0.0 {
                            let message = "weights are divided by 0";
                            let code = Code::OutOfRange;
                            self.report(env, Diagnostic::error(code, number.span, message));
                            return None;
                        }
                        factor = 1.0 / factor;
                    }
                    let scale = Factor {
                        literal: scale.literal && is_literal(number),
                        ..scale.by(factor)
                    };
                    self.sum(table, env, scale, want, sum, notes)
                }
                _ => self.no_table(expr, env),
            },
            ExprKind::Name(path) => match self.find(path, env) {
                Resolved::Arg(inner, env) => self.sum(inner, env, scale, want, sum, notes),
                Resolved::Failed => None,
                Resolved::Entity(Entity::Param(_)) => self.no_table(expr, env),
                _ => self.term_of(expr, env, scale, want, sum, notes),
            },
            ExprKind::Call { callee, args } => match self.find(callee, env) {
                Resolved::Entity(Entity::Define(define)) => {
                    self.expand(define, args, expr.span, env, |checker, body, inner| {
                        checker.sum(body, inner, scale, want, sum, notes)
                    })
                }
                Resolved::Failed => None,
                _ => self.term_of(expr, env, scale, want, sum, notes),
            },
            _ => self.no_table(expr, env),
        }
    }

    /// Which side of a product is the table; the other is a number.
    fn scaled<'e>(
        &mut self,
        op: BinaryOp,
        expr: &Expr,
        (left, right): (&'e Expr, &'e Expr),
        env: Env,
    ) -> Option<(&'e Expr, &'e Expr)> {
        // A name of nothing is most likely a misspelt table.
        let is_lost = |it: &Self, expr: &Expr| match &expr.kind {
            ExprKind::Name(path) => matches!(it.names.find(path, env), Resolved::Nothing),
            _ => false,
        };
        let divides = op == BinaryOp::Divide;
        let message = match (self.is_table(left, env), self.is_table(right, env)) {
            (true, false) => return Some((left, right)),
            (false, true) if !divides => return Some((right, left)),
            (false, false) if is_lost(self, left) => return Some((left, right)),
            (false, false) if is_lost(self, right) && !divides => return Some((right, left)),
            (false, false) => return self.no_table(expr, env),
            (_, true) if divides => "nothing can be divided by weights",
            _ => "weights cannot be multiplied with each other",
        };
        let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
        self.report(
            env,
            diagnostic.hint("weights are added, subtracted and scaled by numbers"),
        );
        None
    }

    /// A number that scales a table.
    fn factor(&mut self, expr: &Expr, env: Env, notes: &mut Notes) -> Option<f64> {
        let (ty, before) = (Type::Float, self.sink.count());
        let value = self.value(expr, env, Expected::plain(&ty), notes);
        self.sink.amend_after(before, |diagnostic| {
            let hint = "weights are scaled by a number: a literal, a `param` or arithmetic of them";
            diagnostic.hints.push(hint.to_owned());
        });
        match value? {
            Value::Float(value) => Some(value),
            Value::Int(value) => Some(value as f64),
            _ => None,
        }
    }

    fn no_table<R>(&mut self, expr: &Expr, env: Env) -> Option<R> {
        let found = self.describe(expr, env);
        let message = format!("expected weights, found {found}");
        let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
        self.report(
            env,
            diagnostic.hint("weights are added, subtracted and scaled by numbers"),
        );
        None
    }

    /// Adds one table; a sum with the terms that it has.
    fn term_of(
        &mut self,
        expr: &Expr,
        env: Env,
        scale: Factor,
        want: Expected,
        sum: &mut Sum,
        notes: &mut Notes,
    ) -> Option<()> {
        sum.met += 1;
        let ty = Type::Kind(Kind::Weights);
        let name = format_args!("{}.terms.{}", want.name, sum.met);
        let want = Expected {
            name: &name,
            columns: &Columns::Free,
            coordinates: None,
            ..want.part(&ty)
        };
        let Value::Node(node) = self.value(expr, env, want, notes)? else {
            return None;
        };
        for (node, factor) in self.terms(node) {
            let Factor { factor, literal } = scale.by(factor);
            let same = sum.terms.iter_mut().find(|term| {
                let [one, other] = [term.node, node].map(|id| &self.calls.nodes[id.0]);
                term.node == node
                    || (one.plugin == other.plugin
                        && (one.seed, one.members) == (other.seed, other.members)
                        && is_same(&one.args, &other.args))
            });
            match same {
                Some(term) => {
                    term.factor += factor;
                    term.size += factor.abs();
                    term.literal &= literal;
                }
                None => sum.terms.push(Summand {
                    node,
                    factor,
                    size: factor.abs(),
                    literal,
                    span: expr.span,
                }),
            }
        }
        Some(())
    }

    /// The terms of a node that is a sum, itself otherwise.
    fn terms(&self, node: NodeId) -> Vec<(NodeId, f64)> {
        let made = &self.calls.nodes[node.0];
        let values = |name: &str| match made.args.get(name).map(|argument| &argument.value) {
            Some(Value::List(values)) if made.plugin == COMBINE => values.as_slice(),
            _ => &[],
        };
        let pairs = values("terms").iter().zip(values("factors"));
        let pairs = pairs.filter_map(|pair| match pair {
            (Value::Node(node), Value::Float(factor)) => Some((*node, *factor)),
            _ => None,
        });
        let terms: Vec<_> = pairs.collect();
        match terms.is_empty() {
            true => vec![(node, 1.0)],
            false => terms,
        }
    }

    /// The arguments of the call, without the terms that cancel.
    fn arguments(&mut self, sum: Sum, span: Span, env: Env) -> Args {
        let cancels = |term: &Summand| term.factor.abs() <= CANCELS * term.size;
        let cancelled = sum.terms.iter().filter(|term| cancels(term));
        for term in cancelled.filter(|term| term.literal && term.size > 0.0) {
            let name = &self.calls.nodes[term.node.0].name;
            let message = format!("`{name}` cancels: the result does not depend on it");
            let diagnostic = Diagnostic::warning(Code::DoubtfulCall, term.span, message);
            self.report(env, diagnostic);
        }
        let mut kept: Vec<(NodeId, f64)> = sum
            .terms
            .iter()
            .filter(|term| !cancels(term))
            .map(|term| (term.node, term.factor))
            .collect();
        // A sum of nothing is as many zeros as the first table has weights.
        if kept.is_empty() {
            kept.extend(sum.terms.first().map(|term| (term.node, 0.0)));
        }
        let (terms, factors): (Vec<_>, Vec<_>) = kept
            .into_iter()
            .map(|(node, factor)| (Value::Node(node), Value::Float(factor)))
            .unzip();
        let argument = |values| Argument {
            value: Value::List(values),
            span,
        };
        let mut args = Args::default();
        args.values.insert("terms".to_owned(), argument(terms));
        args.values.insert("factors".to_owned(), argument(factors));
        args
    }
}

/// Whether networks stand here that are not rows of a table.
fn takes_networks(ty: &Type) -> bool {
    match ty {
        Type::Kind(kind) => matches!(kind, Kind::Parent | Kind::Child | Kind::Farcast),
        Type::List(inner) => takes_networks(inner),
        Type::OneOf(types) => types.iter().any(takes_networks),
        _ => false,
    }
}

/// Whether an expression is written in numbers alone.
fn is_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int { .. } | ExprKind::Float { .. } => true,
        ExprKind::Unary { operand, .. } => is_literal(operand),
        ExprKind::Binary { left, right, .. } => is_literal(left) && is_literal(right),
        _ => false,
    }
}

/// Whether two calls have the same arguments, wherever they are written.
fn is_same(one: &crate::experiment::Arguments, other: &crate::experiment::Arguments) -> bool {
    let pairs = one.iter().zip(other.iter());
    one.len() == other.len()
        && pairs
            .into_iter()
            .all(|(a, b)| a.0 == b.0 && a.1.value == b.1.value)
}
