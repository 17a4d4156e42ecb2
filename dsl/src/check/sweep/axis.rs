//! The values of one swept param: a list, a range, a log range, or any of them under `when`.

use super::super::bounds::shown;
use super::super::checker::Checker;
use super::super::describe::dotted;
use super::super::env::Env;
use super::super::notes::Notes;
use super::super::params::value_text;
use super::super::value::Expected;
use super::MAX_POINTS;
use super::form::Form;
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::sweep::space::{Axis, Scale, Values, When};
use crate::types::Type;

impl Checker<'_> {
    /// The axis of a param; `earlier` are those a condition may name.
    pub(super) fn axis(
        &mut self,
        form: Form,
        param: usize,
        expr: &Expr,
        earlier: &[(usize, &Name, &Expr)],
        env: Env,
        notes: &mut Notes,
    ) -> Option<Axis> {
        let (when, expr) = match call(expr, "when") {
            None => (None, expr),
            Some([Arg::Positional(condition), Arg::Positional(values)]) => (
                Some(self.condition(condition, earlier, env, notes)?),
                values,
            ),
            Some(_) => return self.bad_when(expr, env),
        };
        let values = self.axis_values(form, param, expr, env, notes)?;
        Some(Axis { values, when })
    }

    /// `other == value`, where `other` is swept by the same sweep, before this one.
    fn condition(
        &mut self,
        expr: &Expr,
        earlier: &[(usize, &Name, &Expr)],
        env: Env,
        notes: &mut Notes,
    ) -> Option<When> {
        let ExprKind::Binary {
            op, left, right, ..
        } = &expr.kind
        else {
            return self.bad_when(expr, env);
        };
        let ExprKind::Name(path) = &left.kind else {
            return self.bad_when(expr, env);
        };
        let is_order = matches!(
            op,
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual
        );
        if !is_order && !matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
            return self.bad_when(expr, env);
        }
        let name = Name {
            text: dotted(path),
            span: left.span,
        };
        let param = self.param_named(&name, env)?;
        let Some(axis) = earlier.iter().position(|(known, ..)| *known == param) else {
            let message = format!("`{}` is not swept before this", name.text);
            let names = earlier.iter().map(|(_, name, _)| name.text.as_str());
            let diagnostic = Diagnostic::error(Code::SweepNotParam, left.span, message)
                .choices("params swept before", names);
            self.report(env, diagnostic);
            return None;
        };
        let ty = self.params[param].ty.clone()?;
        let value = self.value(right, env, Expected::plain(&ty), notes)?;
        Some(When {
            axis,
            op: *op,
            value,
        })
    }

    fn bad_when<R>(&mut self, expr: &Expr, env: Env) -> Option<R> {
        let message = "expected a comparison of a swept param and the values where it holds";
        let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
        self.report(
            env,
            diagnostic.hint("write `param: when(other == value, values)`"),
        );
        None
    }

    fn axis_values(
        &mut self,
        form: Form,
        param: usize,
        expr: &Expr,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Values> {
        let ty = self.params[param].ty.clone()?;
        let (range, scale) = match call(expr, "log") {
            Some([Arg::Positional(range)]) if is_range(range) => (range, Scale::Log),
            _ => (expr, Scale::Linear),
        };
        let is_listed = form == Form::Grid || matches!(ty, Type::Range(_));
        if scale == Scale::Log && is_listed {
            let message = format!("`{}` needs single values, found a log range", form.word());
            let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message)
                .hint("list them: `[1e-3, 1e-2, 1e-1]`");
            self.report(env, diagnostic);
            return None;
        }
        let has_step = matches!(&range.kind, ExprKind::Range { step: Some(_), .. });
        if is_listed || has_step || !is_range(range) {
            return Some(Values::Among(self.swept_values(param, range, env, notes)?));
        }
        let want = Type::Range(Box::new(ty));
        let Value::Range(first, last, _) = self.value(range, env, Expected::plain(&want), notes)?
        else {
            return None;
        };
        for end in [&first, &last] {
            self.within(param, end, range.span, env)?;
        }
        let starts_above_zero = match &*first {
            Value::Int(first) => *first > 0,
            Value::Float(first) => *first > 0.0,
            _ => false,
        };
        if scale == Scale::Log && !starts_above_zero {
            let shown = shown(&first, &want);
            let message = format!("a log range starts above 0, found `{shown}`");
            self.report(
                env,
                Diagnostic::error(Code::OutOfRange, range.span, message),
            );
            return None;
        }
        match (*first, *last) {
            (Value::Int(first), Value::Int(last)) => Some(Values::Whole(first, last, scale)),
            (Value::Float(first), Value::Float(last)) => Some(Values::Real(first, last, scale)),
            _ => self.mismatch(range, env, &want),
        }
    }

    /// All values of a list or a range, each once.
    pub fn swept_values(
        &mut self,
        param: usize,
        expr: &Expr,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Vec<Value>> {
        let ty = self.params[param].ty.clone()?;
        let values = if is_range(expr) && !matches!(ty, Type::Range(_)) {
            let values = self.counted(&ty, expr, env, notes)?;
            let sound = values
                .iter()
                .all(|value| self.within(param, value, expr.span, env).is_some());
            sound.then_some(values)?
        } else {
            let items = match &expr.kind {
                ExprKind::List(items) if items.is_empty() => {
                    let message = "the sweep has no values";
                    self.report(env, Diagnostic::error(Code::OutOfRange, expr.span, message));
                    return None;
                }
                ExprKind::List(items) => items.as_slice(),
                _ => std::slice::from_ref(expr),
            };
            let values: Vec<Option<Value>> = items
                .iter()
                .map(|item| self.param_value(param, item, env, notes))
                .collect();
            values.into_iter().collect::<Option<_>>()?
        };
        let mut known = std::collections::BTreeSet::new();
        let values = values.into_iter();
        Some(
            values
                .filter(|value| known.insert(value_text(value, &ty)))
                .collect(),
        )
    }

    /// The values of a range.
    fn counted(
        &mut self,
        ty: &Type,
        expr: &Expr,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Vec<Value>> {
        let want = Type::Range(Box::new(ty.clone()));
        let Value::Range(first, last, step) =
            self.value(expr, env, Expected::plain(&want), notes)?
        else {
            return None;
        };
        let count = match (&*first, &*last, &*step) {
            (Value::Int(first), Value::Int(last), Value::Int(step)) => {
                (*last as f64 - *first as f64) / *step as f64 + 1.0
            }
            // Half a millionth of a step forgives the rounding of `0..=1 step 0.1`.
            (Value::Float(first), Value::Float(last), Value::Float(step)) => {
                ((last - first) / step + 5e-7).floor() + 1.0
            }
            _ => return None,
        };
        if count > MAX_POINTS as f64 {
            self.is_too_large(count, expr, env);
            return None;
        }
        self.count(count as usize, expr.span, env)?;
        Some(
            (0..count as i64)
                .map(|at| match (&*first, &*step) {
                    (Value::Int(first), Value::Int(step)) => Value::Int(first + at * step),
                    (Value::Float(first), Value::Float(step)) => {
                        Value::Float(first + at as f64 * step)
                    }
                    _ => (*first).clone(),
                })
                .collect(),
        )
    }
}

fn is_range(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Range { .. })
}

/// The arguments of a call of this name.
fn call<'e>(expr: &'e Expr, name: &str) -> Option<&'e [Arg]> {
    match &expr.kind {
        ExprKind::Call { callee, args } if dotted(callee) == name => Some(args),
        _ => None,
    }
}
