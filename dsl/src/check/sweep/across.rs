//! Results at every point of the sweeps: lists of reports, and of calls that look at all points.

use std::collections::{BTreeMap, BTreeSet};

use super::super::binding::Binding;
use super::super::call::Call;
use super::super::checker::Checker;
use super::super::describe::dotted;
use super::super::env::{Env, Resolved};
use super::super::known::Args;
use super::super::notes::Notes;
use super::super::progress::Point;
use super::super::reads::Reads;
use super::super::scope::{Entity, MAIN};
use super::super::value::Expected;
use super::full;
use crate::ast::{Expr, ExprKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Argument, NodeId, Value};
use crate::signature::Signature;
use crate::types::{Kind, Type};

impl<'p> Checker<'p> {
    /// What an expression makes at every point of the sweeps, each once; the point in force stays.
    pub fn at_every_point(
        &mut self,
        expr: &Expr,
        env: Env,
        want: Expected,
        notes: &mut Notes,
    ) -> Vec<Option<Value>> {
        let want = Expected {
            gather: false,
            ..want
        };
        let outer = self.sweep.point.clone();
        let is_first = self.calls.at_first_point == 0;
        let mut reads = Reads::default();
        let mut done = BTreeSet::new();
        let mut values = Vec::new();
        for point in self.points_at_hand() {
            let before = self.calls.nodes.len();
            let is_outer = point == outer;
            self.enter_point(point);
            if done.contains(&reads.key(&self.sweep.point)) {
                continue;
            }
            if self.count(4, expr.span, env).is_none() {
                break;
            }
            let mut own = Notes::default();
            let value = self.value(expr, env, want, &mut own);
            reads |= own.reads;
            done.insert(reads.key(&self.sweep.point));
            if is_first && !is_outer {
                self.calls.elsewhere.extend(before..self.calls.nodes.len());
            }
            if let Some(Value::Node(node)) = &value {
                let read = self.sweep.point.iter().enumerate();
                let read = read.filter(|(dim, _)| own.reads.has_param(*dim));
                let read = read.filter_map(|(dim, value)| Some((dim, (*value)?)));
                self.calls.points.insert(*node, read.collect());
            }
            let broken = value.is_none();
            values.push(value);
            if broken || !reads.is_swept() {
                break;
            }
        }
        self.enter_point(outer);
        notes.reads |= reads.choices();
        values
    }

    /// The points of the sweep that a call names, or of all.
    fn points_at_hand(&mut self) -> Vec<Point> {
        let dims = self.sweep.dims.len();
        match self.sweep.across.and_then(|at| self.swept(at)) {
            Some(swept) => swept.points.iter().map(|point| full(point, dims)).collect(),
            None => self.sweep.points.clone(),
        }
    }

    /// Makes the points of the sweep that an argument names those that other arguments are taken at.
    pub fn across(&mut self, call: &Call<'_, 'p>, given: &Binding) -> Option<()> {
        let (expr, mut env) = match given {
            Binding::One(expr, _) => (*expr, call.env),
            Binding::Many(exprs) => (*exprs.first()?, call.env),
            _ => return None,
        };
        let mut expr = expr;
        let at = loop {
            let ExprKind::Name(path) = &expr.kind else {
                return self.mismatch(expr, env, &Type::Kind(Kind::Sweep));
            };
            match self.find(path, env) {
                Resolved::Arg(inner, outer) => (expr, env) = (inner, outer),
                Resolved::Failed => return None,
                Resolved::Entity(Entity::Statement(at)) if self.is_sweep(at) => break at,
                Resolved::Nothing => {
                    let text = dotted(path);
                    let statements = self.names.program.statements.iter().enumerate();
                    let sweeps = statements.filter(|(at, _)| self.is_sweep(*at));
                    let sweeps: Vec<&str> = sweeps.map(|(_, it)| &*it.name.text).collect();
                    let message = format!("there is no sweep `{text}`");
                    let diagnostic = Diagnostic::error(Code::UnknownName, expr.span, message)
                        .meant(&text, sweeps.iter().copied())
                        .choices("sweeps", sweeps);
                    self.report(env, diagnostic);
                    return None;
                }
                _ => return self.mismatch(expr, env, &Type::Kind(Kind::Sweep)),
            }
        };
        self.progress.refer(at);
        self.swept(at)?;
        self.sweep.across = Some(at);
        Some(())
    }

    /// What looking at all points reads: nothing more once all points are known.
    pub fn reads_of_all_points(&self) -> Reads {
        let sweeps = self.own_sweeps();
        let mut sweeps = sweeps.iter();
        match sweeps.any(|(_, swept)| swept.to_come > 0 || swept.is_waiting) {
            true => Reads::OPEN_CHOICE,
            false => Reads::default(),
        }
    }

    fn is_sweep(&self, at: usize) -> bool {
        let statement = &self.names.program.statements[at];
        statement.module == MAIN && statement.keyword.text == Kind::Sweep.keyword()
    }

    /// The points at which a call's list has its results, for each the statement and its settings.
    pub fn points_of(&self, signature: &Signature, args: &Args) -> Option<Argument> {
        let param = signature.params.iter().find(|param| param.every_point)?;
        let list = args.values.get(&param.name)?;
        let mut statements: BTreeMap<&str, i64> = BTreeMap::new();
        let points = list.value.nodes().into_iter().map(|node| {
            let next = statements.len() as i64;
            let name = self.calls.nodes[node.0].name.as_str();
            let of = *statements.entry(name).or_insert(next);
            let settings = self.settings_of(node);
            Value::List([vec![Value::Int(of)], settings].concat())
        });
        Some(Argument {
            value: Value::List(points.collect()),
            span: list.span,
        })
    }

    fn settings_of(&self, node: NodeId) -> Vec<Value> {
        let settings = self.calls.points.get(&node).into_iter().flatten();
        let settings = settings.filter_map(|(dim, at)| {
            let dim = self.sweep.dims.get(*dim)?;
            let value = match dim.values.get(*at as usize)? {
                number @ (Value::Int(_) | Value::Float(_)) => number.clone(),
                _ => Value::Text(dim.texts.get(*at as usize)?.clone()),
            };
            Some(Value::List(vec![Value::Text(dim.name.clone()), value]))
        });
        settings.collect()
    }
}
