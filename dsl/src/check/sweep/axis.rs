//! The values of one swept param: a list, a range, a log range, a distribution, or any of them
//! under `when`.

use super::super::bounds::shown;
use super::super::checker::Checker;
use super::super::describe::{dotted, type_name};
use super::super::env::Env;
use super::super::notes::Notes;
use super::super::params::value_text;
use super::super::value::Expected;
use super::form::Form;
use super::{EarlierAxis, MAX_POINTS};
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::sweep::normal::Normal;
use crate::sweep::space::{Axis, Scale, Values, When};
use crate::types::Type;

impl Checker<'_> {
    /// The axis of a param; `earlier` are those a condition may name.
    pub(super) fn axis(
        &mut self,
        form: Form,
        param: usize,
        expr: &Expr,
        earlier: &[EarlierAxis],
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

    /// `other == value`, where `other` is swept by the same sweep, before this one; also
    /// `other in [value, …]`, and several joined by `and` and `or`.
    fn condition(
        &mut self,
        expr: &Expr,
        earlier: &[EarlierAxis],
        env: Env,
        notes: &mut Notes,
    ) -> Option<When> {
        let ExprKind::Binary {
            op, left, right, ..
        } = &expr.kind
        else {
            return self.bad_when(expr, env);
        };
        if let BinaryOp::And | BinaryOp::Or = op {
            let [left, right] =
                [left, right].map(|side| self.condition(side, earlier, env, notes).map(Box::new));
            let (left, right) = (left?, right?);
            return Some(match op {
                BinaryOp::And => When::And(left, right),
                _ => When::Or(left, right),
            });
        }
        let ExprKind::Name(path) = &left.kind else {
            return self.bad_when(expr, env);
        };
        let is_among = *op == BinaryOp::In;
        let is_order = matches!(
            op,
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual
        );
        if !is_order && !is_among && !matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
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
        if is_among {
            let values = self.swept_values(param, right, env, notes)?;
            self.expect_among(&values, &earlier[axis], right, env)?;
            return Some(When::Among(axis, values));
        }
        let ty = self.params[param].ty.clone()?;
        let value = self.value(right, env, Expected::plain(&ty), notes)?;
        if !is_order {
            self.expect_among(std::slice::from_ref(&value), &earlier[axis], right, env)?;
        }
        Some(When::Is(axis, *op, value))
    }

    /// That an axis of listed values has these.
    fn expect_among(
        &mut self,
        values: &[Value],
        (param, name, axis): &EarlierAxis,
        written: &Expr,
        env: Env,
    ) -> Option<()> {
        let listed = match axis.as_ref().map(|axis| &axis.values) {
            Some(Values::Among(listed) | Values::Weighted(listed, _)) => listed,
            _ => return Some(()),
        };
        let Some(at) = values.iter().position(|value| !listed.contains(value)) else {
            return Some(());
        };
        let span = match &written.kind {
            ExprKind::List(items) if items.len() == values.len() => items[at].span,
            _ => written.span,
        };
        let ty = self.params[*param].ty.clone()?;
        let never = shown(&values[at], &ty);
        let listed: Vec<String> = listed.iter().map(|value| shown(value, &ty)).collect();
        let message = format!("`{}` is never `{never}` in this sweep", name.text);
        let diagnostic = Diagnostic::error(Code::UnknownChoice, span, message)
            .meant(&never, listed.iter().map(String::as_str))
            .choices("its values", listed.iter().map(String::as_str));
        self.report(env, diagnostic);
        None
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
        if let Some(args) = call(expr, "normal") {
            return self.normal(form, param, &ty, (expr, args), env, notes);
        }
        if let Some(args) = call(expr, "choice") {
            return self.weighted(form, param, (expr, args), env, notes);
        }
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

    /// `normal(mean, deviation)`, cut off at the bounds of the param.
    fn normal(
        &mut self,
        form: Form,
        param: usize,
        ty: &Type,
        (expr, args): (&Expr, &[Arg]),
        env: Env,
        notes: &mut Notes,
    ) -> Option<Values> {
        self.refuse_in_grid(form, expr, "normal", env)?;
        let [Arg::Positional(mean), Arg::Positional(deviation)] = args else {
            let message = "expected a mean and a standard deviation";
            let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
            self.report(
                env,
                diagnostic.hint("write `param: normal(mean, deviation)`"),
            );
            return None;
        };
        if !matches!(
            ty,
            Type::Int | Type::Float | Type::Quantity(_) | Type::Duration
        ) {
            let message = format!("expected {}, found a normal distribution", type_name(ty));
            self.report(env, Diagnostic::error(Code::WrongType, expr.span, message));
            return None;
        }
        let centre = self.param_value(param, mean, env, notes)?;
        // The deviation of a whole number may be a fraction.
        let width = match ty {
            Type::Int => Type::Float,
            other => other.clone(),
        };
        let width = self.value(deviation, env, Expected::plain(&width), notes)?;
        let (Some(mean), Some(width)) = (number(&centre), number(&width)) else {
            return None;
        };
        if width <= 0.0 {
            let message = "a standard deviation is above 0";
            let diagnostic = Diagnostic::error(Code::OutOfRange, deviation.span, message);
            self.report(env, diagnostic);
            return None;
        }
        Some(Values::Normal(Normal {
            mean,
            deviation: width,
            ends: self.ends(param, *ty == Type::Int),
            is_whole: *ty == Type::Int,
        }))
    }

    /// `choice([a, b], weights: [2, 1])`.
    fn weighted(
        &mut self,
        form: Form,
        param: usize,
        (expr, args): (&Expr, &[Arg]),
        env: Env,
        notes: &mut Notes,
    ) -> Option<Values> {
        self.refuse_in_grid(form, expr, "choice", env)?;
        let usage = "write `param: choice([a, b], weights: [2, 1])`";
        let (values, weights) = match args {
            [Arg::Positional(values)] => (values, None),
            [Arg::Positional(values), Arg::Named { name, value }] if name.text == "weights" => {
                (values, Some(value))
            }
            _ => {
                let message = "expected a list of values and their weights";
                let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
                self.report(env, diagnostic.hint(usage));
                return None;
            }
        };
        let list = self.swept_values(param, values, env, notes)?;
        let Some(weights) = weights else {
            return Some(Values::Among(list));
        };
        let want = Type::List(Box::new(Type::Float));
        let Value::List(found) = self.value(weights, env, Expected::plain(&want), notes)? else {
            return None;
        };
        let mut shares: Vec<f64> = found.iter().filter_map(number).collect();
        let all: f64 = shares.iter().sum();
        let problem = match () {
            () if shares.len() != list.len() => {
                format!("expected {} weights, found {}", list.len(), shares.len())
            }
            () if shares.iter().any(|share| *share < 0.0) || all <= 0.0 || !all.is_finite() => {
                "weights are not below 0, and one is above".to_owned()
            }
            () => {
                shares.iter_mut().for_each(|share| *share /= all);
                return Some(Values::Weighted(list, shares));
            }
        };
        let diagnostic = Diagnostic::error(Code::OutOfRange, weights.span, problem);
        self.report(env, diagnostic.hint("one for each different value"));
        None
    }

    fn refuse_in_grid(&mut self, form: Form, expr: &Expr, what: &str, env: Env) -> Option<()> {
        if form != Form::Grid {
            return Some(());
        }
        let message = format!("`grid` runs every value, found `{what}`");
        let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
        self.report(
            env,
            diagnostic.hint("list the values, or search: `random(20, …)`, `latin`, `tpe`"),
        );
        None
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
                        Value::Float(multiple(*first, at as f64, *step))
                    }
                    _ => (*first).clone(),
                })
                .collect(),
        )
    }
}

/// `first + at * step` as it would be written: `0..=1 step 0.2` has 0.6, not 0.6000000000000001.
fn multiple(first: f64, at: f64, step: f64) -> f64 {
    let places = |number: f64| {
        number
            .to_string()
            .split_once('.')
            .map_or(0, |it| it.1.len())
    };
    let value = first + at * step;
    let written = format!("{value:.*}", places(first).max(places(step)));
    written.parse().unwrap_or(value)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_of_a_range_are_as_they_would_be_written() {
        let points = |first, step, count: u32| -> Vec<f64> {
            (0..count)
                .map(|at| multiple(first, f64::from(at), step))
                .collect()
        };
        assert_eq!(points(0.0, 0.2, 6), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(points(0.0, 0.1, 4), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(points(1.05, 0.05, 3), [1.05, 1.1, 1.15]);
        assert_eq!(points(-1.0, 0.5, 3), [-1.0, -0.5, 0.0]);
        assert_eq!(points(1e-30, 1e-30, 3), [1e-30, 2e-30, 3e-30]);
        assert_eq!(points(0.0, 1.0 / 3.0, 4)[3], 1.0);
        assert_eq!(points(1e300, 1e299, 2), [1e300, 1.1e300]);
    }
}
