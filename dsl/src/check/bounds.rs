//! The values a param or an argument may have: what follows `in`, or a declared range.

use super::checker::Checker;
use super::env::Env;
use super::inferred::Columns;
use super::value::Expected;
use crate::ast::{Expr, ExprKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::types::Type;

/// Allowed values.
#[derive(Clone, Debug)]
pub enum Bounds {
    /// Between two numbers, in the unit of the type.
    Between {
        least: Option<f64>,
        most: Option<f64>,
        inclusive: bool,
    },
    /// These.
    Among(Vec<Value>),
}

impl Bounds {
    /// The value, or the value of a list or range, that is not allowed.
    pub fn refused<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let holds = match (self, value) {
            (Bounds::Among(values), _) if values.contains(value) => true,
            (_, Value::List(values)) => {
                return values.iter().find_map(|value| self.refused(value));
            }
            (_, Value::Range(first, last, _)) => {
                return self.refused(first).or_else(|| self.refused(last));
            }
            (Bounds::Between { .. }, Value::Int(value)) => self.between(*value as f64),
            (Bounds::Between { .. }, Value::Float(value)) => self.between(*value),
            (Bounds::Between { .. }, _) => true,
            (Bounds::Among(_), _) => false,
        };
        (!holds).then_some(value)
    }

    fn between(&self, value: f64) -> bool {
        let Bounds::Between {
            least,
            most,
            inclusive,
        } = self
        else {
            return false;
        };
        least.is_none_or(|least| value >= least)
            && most.is_none_or(|most| {
                if *inclusive {
                    value <= most
                } else {
                    value < most
                }
            })
    }
}

impl Checker<'_> {
    /// Bounds from what was written; none when an error was reported.
    pub fn bounds(&mut self, expr: &Expr, ty: &Type, env: Env) -> Option<Bounds> {
        let element = element(ty);
        let want = |ty| Expected {
            ty,
            columns: &Columns::Free,
            name: &"",
            statement: false,
        };
        match &expr.kind {
            ExprKind::List(items) => {
                let values = items
                    .iter()
                    .map(|item| self.value(item, env, want(element)));
                values.collect::<Option<_>>().map(Bounds::Among)
            }
            ExprKind::Range {
                start,
                end,
                inclusive,
                step: None,
            } => {
                let number = match element {
                    Type::Int | Type::Float => Type::Float,
                    Type::Duration => Type::Quantity("s".to_owned()),
                    Type::Quantity(_) => element.clone(),
                    _ => return self.bad_bounds(expr, ty, env),
                };
                let mut end_value = |end: &Option<Box<Expr>>| match end {
                    None => Some(None),
                    Some(end) => match self.value(end, env, want(&number))? {
                        Value::Float(value) => Some(Some(value)),
                        _ => Some(None),
                    },
                };
                let (least, most) = (end_value(start), end_value(end));
                Some(Bounds::Between {
                    least: least?,
                    most: most?,
                    inclusive: *inclusive,
                })
            }
            _ => self.bad_bounds(expr, ty, env),
        }
    }

    fn bad_bounds<R>(&mut self, expr: &Expr, ty: &Type, env: Env) -> Option<R> {
        let found = self.describe(expr, env);
        let message = format!("expected allowed values of `{ty}`, found {found}");
        let diagnostic = Diagnostic::error(Code::BadParam, expr.span, message)
            .hint("write a range of numbers, `1..=10`, or a list of values, `[a, b]`");
        self.report(env, diagnostic);
        None
    }
}

/// A value in a message: words bare, whole numbers without a point, quantities with their unit.
pub fn shown(value: &Value, ty: &Type) -> String {
    let text = match value {
        Value::Text(text) => return text.clone(),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{number}")
        }
        value => value.to_string(),
    };
    match element(ty) {
        Type::Quantity(unit) => format!("{text} {unit}"),
        Type::Duration => format!("{text} s"),
        _ => text,
    }
}

/// The type of the single values in lists and ranges.
fn element(ty: &Type) -> &Type {
    match ty {
        Type::List(inner) | Type::Range(inner) => element(inner),
        Type::OneOf(types) => types.first().map_or(ty, element),
        ty => ty,
    }
}
