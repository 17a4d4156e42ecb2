//! Numbers known before the run: literals, params and functions of them, in the wanted unit.

use super::checker::Checker;
use super::columns::{Names, Term};
use super::env::{Env, Resolved};
use super::notes::Notes;
use super::value::Expected;
use crate::ast::{Expr, ExprKind};
use crate::column::{ColumnExpr, Sort};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::source::Span;
use crate::types::Type;
use crate::units;

impl Checker<'_> {
    /// Constant arithmetic: literals, params, functions of them.
    pub fn number(
        &mut self,
        expr: &Expr,
        env: Env,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        match &expr.kind {
            ExprKind::Int { value, unit: None } if *want.ty == Type::Int => {
                return Some(Value::Int(*value));
            }
            ExprKind::Text(_)
            | ExprKind::List(_)
            | ExprKind::Range { .. }
            | ExprKind::Date(_)
            | ExprKind::Bool(_) => {
                return self.mismatch(expr, env, want.ty);
            }
            ExprKind::Name(path) if matches!(self.find(path, env), Resolved::Entity(_)) => {
                return self.mismatch(expr, env, want.ty);
            }
            ExprKind::Call { callee, .. } if self.names.signature(env.module, callee).is_some() => {
                return self.mismatch(expr, env, want.ty);
            }
            _ => {}
        }
        let term = self.term(expr, env, Names::Constant(want.columns), notes)?;
        self.number_from(&term, expr, env, want.ty)
    }

    fn number_from(&mut self, term: &Term, expr: &Expr, env: Env, ty: &Type) -> Option<Value> {
        if term.sort != Sort::Number {
            return self.mismatch(expr, env, ty);
        }
        let ColumnExpr::Number(value) = term.expr else {
            let message = "the number is not finite";
            self.report(env, Diagnostic::error(Code::OutOfRange, expr.span, message));
            return None;
        };
        let target = match ty {
            Type::Quantity(unit) => unit.as_str(),
            Type::Duration => "s",
            _ => "1",
        };
        let value = match &term.unit {
            Some(unit) if *ty != Type::Int => match units::convert(value, unit, target) {
                Ok(value) => value,
                Err(_) => return self.wrong_unit(unit, ty, expr.span, env),
            },
            Some(unit) => return self.wrong_unit(unit, ty, expr.span, env),
            None if *ty == Type::Duration => {
                let message = format!("expected a `Duration`, found the number `{value}`");
                let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
                self.report(env, diagnostic.hint("write a unit: `30 min`"));
                return None;
            }
            None => value,
        };
        if *ty != Type::Int {
            return Some(Value::Float(value));
        }
        if !term.whole || value.abs() > MAX_EXACT {
            let is_literal = match &expr.kind {
                ExprKind::Unary { operand, .. } => matches!(operand.kind, ExprKind::Float { .. }),
                kind => matches!(kind, ExprKind::Float { .. }),
            };
            let found = match self.source(expr.span) {
                written if is_literal && !written.is_empty() => written.to_owned(),
                _ => format!("{value:?}"),
            };
            let message = format!("expected an `Int`, found `{found}`");
            let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
            let is_exact = value.fract() == 0.0 && value.abs() <= MAX_EXACT;
            let diagnostic = match is_literal {
                true if is_exact => diagnostic.hint(format!("write `{value}`")),
                true => diagnostic,
                false => diagnostic.hint("write `floor(…)`, `ceil(…)` or `round(…)` around it"),
            };
            self.report(env, diagnostic);
            return None;
        }
        Some(Value::Int(value as i64))
    }

    fn wrong_unit<R>(&mut self, unit: &str, ty: &Type, span: Span, env: Env) -> Option<R> {
        let message = match ty {
            Type::Quantity(wanted) => {
                format!("expected a number in `{wanted}`, found one in `{unit}`")
            }
            Type::Duration => format!("expected a length of time, found a number in `{unit}`"),
            _ => format!("expected a plain number, found one in `{unit}`"),
        };
        let diagnostic = Diagnostic::error(Code::IncompatibleUnits, span, message);
        let diagnostic = match ty {
            Type::Int | Type::Float => diagnostic.hint(format!("leave out `{unit}`")),
            _ => diagnostic,
        };
        self.report(env, diagnostic);
        None
    }
}

/// Whole numbers beyond this are not exact in arithmetic.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
