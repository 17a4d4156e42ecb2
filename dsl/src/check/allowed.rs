//! Bounds from what was written after `in`.

use super::bounds::{Bounds, element};
use super::checker::Checker;
use super::env::Env;
use super::notes::Notes;
use super::value::Expected;
use crate::ast::{Expr, ExprKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::types::Type;

impl Checker<'_> {
    /// Bounds from what was written; none when an error was reported.
    pub fn bounds(&mut self, expr: &Expr, ty: &Type, env: Env) -> Option<Bounds> {
        let element = element(ty);
        let notes = &mut Notes::default();
        let want = Expected::plain;
        match &expr.kind {
            ExprKind::List(items) if items.is_empty() => {
                let message = "the list of allowed values is empty";
                self.report(env, Diagnostic::error(Code::BadParam, expr.span, message));
                None
            }
            ExprKind::List(items) => {
                let values = items
                    .iter()
                    .map(|item| self.value(item, env, want(element), notes));
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
                    Some(end) => match self.value(end, env, want(&number), notes)? {
                        Value::Float(value) => Some(Some(value)),
                        _ => Some(None),
                    },
                };
                let (least, most) = (end_value(start), end_value(end));
                let (least, most) = (least?, most?);
                if let (Some(least), Some(most)) = (least, most)
                    && (least > most || (least == most && !inclusive))
                {
                    return self.empty_range(expr, env);
                }
                Some(Bounds::Between {
                    least,
                    most,
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
