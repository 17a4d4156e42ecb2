//! Operators between two formulas: both of the right sort, brought to one unit.

use super::checker::Checker;
use super::columns::{Names, Term, Times, sort_name};
use super::env::{Env, Resolved};
use super::known::Columns;
use super::notes::Notes;
use super::scope::Entity;
use crate::ast::{BinaryOp, Expr, ExprKind};
use crate::calendar::DateTime;
use crate::calendar::time::{Part, SEASONS};
use crate::column::{ColumnExpr, Sort};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::source::Span;
use crate::types::Type;
use crate::units;

impl Checker<'_> {
    /// A formula of two sides; none when an error was reported.
    pub fn binary(
        &mut self,
        op: BinaryOp,
        left: (Term, Span),
        right: (Term, Span),
        env: Env,
        names: Names,
    ) -> Option<Term> {
        let takes = match op {
            BinaryOp::Or | BinaryOp::And => Sort::Truth,
            _ => Sort::Number,
        };
        let ((mut first, left), (mut second, right)) = (left, right);
        let is_any = |sort| first.sort == sort || second.sort == sort;
        if takes == Sort::Number && is_any(Sort::Text) {
            return self.same_texts(op, (first, left), (second, right), env, names);
        }
        if takes == Sort::Number && is_any(Sort::Time) && !is_any(Sort::Truth) {
            // Nothing is known of data that did not check.
            if matches!(names, Names::Columns(Columns::Poisoned)) {
                return None;
            }
            return match op.compares() {
                true if first.sort == second.sort => {
                    self.compared(op, (first, left), (second, right), env)
                }
                true => self.no_date(op, (&first, left), (&second, right), env),
                false => self.shifted(op, (first, left), (second, right), env),
            };
        }
        let sound = self.expect_sort(&first, takes, left, env, names);
        self.expect_sort(&second, takes, right, env, names)
            .and(sound)?;
        let unit = match self.agree(op, &mut first, &mut second) {
            Ok(unit) => unit,
            Err(why) => {
                self.refuse_units(why, (&first, left), (&second, right), env, names);
                return None;
            }
        };
        if op.compares() {
            round_alike(&first, &mut second);
            round_alike(&second, &mut first);
        }
        let whole = first.whole && second.whole;
        let expr = ColumnExpr::Binary(op, Box::new(first.expr), Box::new(second.expr)).folded();
        match op {
            BinaryOp::Or | BinaryOp::And => Some(Term::truth(expr)),
            op if op.compares() => Some(Term::truth(expr)),
            _ => {
                let term = Term {
                    unit,
                    whole,
                    ..Term::of(expr, Sort::Number)
                };
                Some(if whole {
                    term.whole_if_integral()
                } else {
                    term
                })
            }
        }
    }

    /// Texts on both sides: they are equal or not.
    fn same_texts(
        &mut self,
        op: BinaryOp,
        (first, left): (Term, Span),
        (second, right): (Term, Span),
        env: Env,
        names: Names,
    ) -> Option<Term> {
        // Whether a column holds texts is not known without data.
        let unknown = |term: &Term| {
            let any = matches!(
                names,
                Names::Columns(Columns::Free | Columns::Poisoned) | Names::Coordinates(None)
            );
            any && matches!(term.expr, ColumnExpr::Column(_))
        };
        let other = match (first.sort == Sort::Text, second.sort == Sort::Text) {
            (true, false) => Some((&second, right)),
            (false, true) => Some((&first, left)),
            _ => None,
        };
        if !matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
            let (text, span, other, turned) = match first.sort {
                Sort::Text => (&first, left, right, op.turned()),
                _ => (&second, right, left, op),
            };
            let symbol = op.symbol();
            let message = format!("expected numbers around `{symbol}`, found a text");
            let diagnostic = Diagnostic::error(Code::WrongType, span, message);
            let written = self.source(other);
            let is_date = match &text.expr {
                ColumnExpr::Text(text) => DateTime::read(text),
                _ => None,
            };
            let hint = match is_date {
                Some(date) => {
                    format!(
                        "a date has no quotes: `{written} {} {date}`",
                        turned.symbol()
                    )
                }
                None if op.compares() => "texts are equal or not: `==`, `!=`, `in`".to_owned(),
                None => "texts are compared: `==`, `!=`, `in`".to_owned(),
            };
            self.report(env, diagnostic.hint(hint));
            return None;
        }
        if let Some((other, span)) = other.filter(|(other, _)| !unknown(other)) {
            let found = sort_name(other.sort);
            let message = format!("expected a text, found {found}");
            let diagnostic = Diagnostic::error(Code::WrongType, span, message);
            let quoted = [&first, &second]
                .into_iter()
                .find_map(|term| match &term.expr {
                    ColumnExpr::Text(text) => Some(text.clone()),
                    _ => None,
                });
            let date = quoted.and_then(|text| DateTime::read(&text));
            let diagnostic = match (other.sort, date) {
                (Sort::Time, Some(date)) => {
                    diagnostic.hint(format!("a date has no quotes: `{date}`"))
                }
                _ => diagnostic,
            };
            self.report(env, diagnostic);
            return None;
        }
        if let Some((text, span)) = no_season((&first, left), (&second, right)) {
            let message = format!("no season is called {text:?}");
            let hint = format!("seasons: \"{}\"", SEASONS.join("\", \""));
            let diagnostic = Diagnostic::error(Code::UnknownChoice, span, message);
            self.report(env, diagnostic.hint(hint));
            return None;
        }
        let (first, second) = (Box::new(first.expr), Box::new(second.expr));
        Some(Term::truth(ColumnExpr::Binary(op, first, second)))
    }

    /// A time compared with a number.
    fn no_date<R>(
        &mut self,
        op: BinaryOp,
        (first, left): (&Term, Span),
        (second, right): (&Term, Span),
        env: Env,
    ) -> Option<R> {
        let (number, span, time, op) = match first.sort {
            Sort::Time => (second, right, left, op),
            _ => (first, left, right, op.turned()),
        };
        let is_column = matches!(number.expr, ColumnExpr::Column(_));
        let message = match number.times {
            _ if is_column => {
                let name = self.source(span);
                format!(
                    "expected a time, found a number: `{name}` has no unit such as `days since 1970-01-01`"
                )
            }
            _ => "expected a time, found a number".to_owned(),
        };
        let symbol = op.symbol();
        let month = first_of_month(self.source(span));
        let hint = match (&number.expr, self.source(time), month) {
            _ if [first, second]
                .iter()
                .any(|term| matches!(term.times, Some(Times::Date(_)))) =>
            {
                "a date is compared with a column of times".to_owned()
            }
            (ColumnExpr::Number(_), name, Some(date)) => {
                format!("a date has a day, too: `{name} {symbol} {date}`")
            }
            (ColumnExpr::Number(year), name, None)
                if (1000.0..3000.0).contains(year) && year.fract() == 0.0 =>
            {
                format!("write `{name} {symbol} {year}-01-01` or `year({name}) {symbol} {year}`")
            }
            (_, name, _) => format!(
                "write a date, `{name} {symbol} 2012-01-01`, or `days_since({name}, 2012-01-01)` for a number"
            ),
        };
        self.report(
            env,
            Diagnostic::error(Code::WrongType, span, message).hint(hint),
        );
        None
    }

    /// `value in [a, b]`: whether it equals one of the items.
    pub fn member(
        &mut self,
        value: Term,
        span: Span,
        list: &Expr,
        env: Env,
        names: Names,
        notes: &mut Notes,
    ) -> Option<Term> {
        let (list, inner) = match &list.kind {
            ExprKind::Name(path) => match self.find(path, env) {
                Resolved::Arg(list, env) => (list, env),
                _ => (list, env),
            },
            _ => (list, env),
        };
        let items = self.items_of(list, inner, names, notes)?;
        let mut list = Vec::with_capacity(items.len());
        for (item, place) in items {
            let equal = self.binary(
                BinaryOp::Equal,
                (value.clone(), span),
                (item, place),
                env,
                names,
            )?;
            // The item is on the right, in the unit of the value.
            let ColumnExpr::Binary(_, _, item) = equal.expr else {
                return None;
            };
            list.push(*item);
        }
        let (value, list) = (Box::new(value.expr), Box::new(ColumnExpr::List(list)));
        Some(Term::truth(ColumnExpr::Binary(BinaryOp::In, value, list)))
    }

    /// Whether an expression is `x in 1..3`, which binds as `(x in 1)..3`; says how to write it.
    pub fn refuse_range_after_in(&mut self, expr: &Expr, env: Env) -> bool {
        let ExprKind::Range {
            start: Some(start),
            end: Some(end),
            inclusive,
            step: None,
        } = &expr.kind
        else {
            return false;
        };
        let ExprKind::Binary {
            op: BinaryOp::In,
            left,
            right,
            ..
        } = &start.kind
        else {
            return false;
        };
        let below = if *inclusive { "<=" } else { "<" };
        let [x, from, to] = [left, right, end].map(|part| self.source(part.span));
        let hint = format!("a range is `{x} >= {from} and {x} {below} {to}`");
        let message = "expected a list after `in`, found a range";
        let place = right.span.to(end.span);
        self.report(
            env,
            Diagnostic::error(Code::WrongType, place, message).hint(hint),
        );
        true
    }

    /// The items of a list that is written, or is a param's.
    fn items_of(
        &mut self,
        list: &Expr,
        env: Env,
        names: Names,
        notes: &mut Notes,
    ) -> Option<Vec<(Term, Span)>> {
        let constant = match names {
            Names::Columns(columns) | Names::Constant(columns) => Names::Constant(columns),
            Names::Coordinates(_) | Names::Only(_) => Names::Constant(&Columns::Free),
        };
        if let ExprKind::Name(path) = &list.kind
            && let Resolved::Entity(Entity::Param(param)) = self.find(path, env)
            && let (Value::List(values), Type::List(ty)) =
                (self.param(param, notes)?, self.params[param].ty.clone()?)
        {
            let terms = values.into_iter().map(|value| {
                let term = self.known_term(value, (*ty).clone(), list, env, constant, notes)?;
                Some((term, list.span))
            });
            return terms.collect();
        }
        let ExprKind::List(items) = &list.kind else {
            let found = self.describe(list, env);
            let message = format!("expected a list after `in`, found {found}");
            let diagnostic = Diagnostic::error(Code::WrongType, list.span, message);
            let written = self.source(list.span);
            let hint = match &list.kind {
                ExprKind::Range { .. } => "a range is `x >= 1 and x < 3`".to_owned(),
                _ if written.is_empty() || written.len() > 40 => "write `x in [1, 2]`".to_owned(),
                _ => format!("write `[{written}]`"),
            };
            self.report(env, diagnostic.hint(hint));
            return None;
        };
        if items.is_empty() {
            let message = "nothing is in an empty list";
            self.report(env, Diagnostic::error(Code::OutOfRange, list.span, message));
            return None;
        }
        let terms: Vec<_> = items
            .iter()
            .map(|item| Some((self.term(item, env, constant, notes)?, item.span)))
            .collect();
        terms.into_iter().collect()
    }

    /// Brings both sides to one unit where the operator needs that; the unit of the result.
    fn agree(
        &self,
        op: BinaryOp,
        left: &mut Term,
        right: &mut Term,
    ) -> Result<Option<String>, Disagreement> {
        let scales = |op| matches!(op, BinaryOp::Multiply | BinaryOp::Divide);
        match (left.unit.clone(), right.unit.clone()) {
            (None, None) => Ok(None),
            // Scaling a number keeps its unit; of a column it makes something else.
            (Some(unit), None) if scales(op) && right.expr.is_number() => {
                Ok(left.expr.is_number().then_some(unit))
            }
            (None, Some(unit)) if op == BinaryOp::Multiply && left.expr.is_number() => {
                Ok(right.expr.is_number().then_some(unit))
            }
            (Some(unit), Some(other)) if op != BinaryOp::Multiply && op != BinaryOp::Power => {
                // A number is brought to the unit of a column, else the right to the left.
                let (term, from, to) = if left.expr.is_number() && !right.expr.is_number() {
                    (left, unit, other)
                } else {
                    (right, other, unit)
                };
                let differences = !matches!(
                    op,
                    BinaryOp::Equal
                        | BinaryOp::NotEqual
                        | BinaryOp::Less
                        | BinaryOp::LessEqual
                        | BinaryOp::Greater
                        | BinaryOp::GreaterEqual
                );
                convert_term(term, &from, &to, differences)?;
                Ok((op != BinaryOp::Divide).then_some(to))
            }
            // A number with a unit beside something without one, or of no use there.
            _ if left.is_quantity() || right.is_quantity() => Err(Disagreement::NoUnit),
            (Some(unit), None) if !scales(op) && op != BinaryOp::Power => {
                Ok(right.expr.is_number().then_some(unit))
            }
            _ => Ok(None),
        }
    }

    fn refuse_units(
        &mut self,
        why: Disagreement,
        (left, left_span): (&Term, Span),
        (right, right_span): (&Term, Span),
        env: Env,
        names: Names,
    ) {
        // Nothing is known of data that did not check.
        if matches!(names, Names::Columns(Columns::Poisoned)) {
            return;
        }
        let say = |term: &Term| match (&term.unit, &term.expr) {
            (Some(unit), _) => format!("in `{unit}`"),
            (None, ColumnExpr::Column(_)) => "of unknown unit".to_owned(),
            (None, _) => "without a unit".to_owned(),
        };
        let message = match &why {
            Disagreement::NoUnit => match (&left.expr, &right.expr) {
                (ColumnExpr::Column(name), _) | (_, ColumnExpr::Column(name)) => {
                    format!("the unit of `{name}` is not known")
                }
                _ => "one side has a unit, the other has none".to_owned(),
            },
            Disagreement::Offset => {
                "temperatures with different zeros cannot be added or subtracted".to_owned()
            }
            Disagreement::Incompatible(from, to) => {
                format!("`{from}` cannot be converted to `{to}`")
            }
        };
        let diagnostic = Diagnostic::error(Code::IncompatibleUnits, right_span, message)
            .says(say(right))
            .and(left_span, say(left));
        let diagnostic = match why {
            Disagreement::NoUnit => diagnostic.hint("write the number without its unit"),
            _ => diagnostic,
        };
        self.report(env, diagnostic);
    }
}

/// Rounds a number to 32 bits beside values in 32 bits, as numpy does: the 0.2 of a file is not
/// the 0.2 of a formula.
fn round_alike(values: &Term, number: &mut Term) {
    if let (true, ColumnExpr::Number(number)) = (values.single, &mut number.expr) {
        let rounded = f64::from(*number as f32);
        if rounded.is_finite() {
            *number = rounded;
        }
    }
}

enum Disagreement {
    NoUnit,
    Offset,
    Incompatible(String, String),
}

fn convert_term(
    term: &mut Term,
    from: &str,
    to: &str,
    differences: bool,
) -> Result<(), Disagreement> {
    if from == to {
        return Ok(());
    }
    let (Ok(source), Ok(target)) = (units::parse(from), units::parse(to)) else {
        // Units of data that nobody can read: only a number's unit makes a promise.
        let promise = units::parse(from).is_ok() && term.expr.is_number();
        return if promise {
            Err(Disagreement::NoUnit)
        } else {
            Ok(())
        };
    };
    if differences && !source.same_zero(&target) && source.convert(0.0, &target).is_some() {
        return Err(Disagreement::Offset);
    }
    let incompatible = || Disagreement::Incompatible(from.to_owned(), to.to_owned());
    let zero = source.convert(0.0, &target).ok_or_else(incompatible)?;
    let one = source.convert(1.0, &target).ok_or_else(incompatible)?;
    term.unit = Some(to.to_owned());
    if let ColumnExpr::Number(value) = &mut term.expr {
        *value = source.convert(*value, &target).ok_or_else(incompatible)?;
        term.whole &= value.fract() == 0.0;
        return Ok(());
    }
    let (scale, shift) = (one - zero, zero);
    let mut expr = std::mem::replace(&mut term.expr, ColumnExpr::Number(0.0));
    let combine = |op, expr, value| {
        ColumnExpr::Binary(op, Box::new(expr), Box::new(ColumnExpr::Number(value)))
    };
    if scale != 1.0 {
        expr = combine(BinaryOp::Multiply, expr, scale);
    }
    if shift != 0.0 {
        expr = combine(BinaryOp::Add, expr, shift);
    }
    term.expr = expr;
    Ok(())
}

/// The text that a season is compared with, where no season is called so.
fn no_season<'t>(
    (first, left): (&'t Term, Span),
    (second, right): (&'t Term, Span),
) -> Option<(&'t str, Span)> {
    let (text, span) = match (&first.expr, &second.expr) {
        (ColumnExpr::Part(Part::Season, ..), ColumnExpr::Text(text)) => (text, right),
        (ColumnExpr::Text(text), ColumnExpr::Part(Part::Season, ..)) => (text, left),
        _ => return None,
    };
    (!SEASONS.contains(&text.as_str())).then_some((text, span))
}

/// The date that a month such as `2012-06` begins with, which is read as a subtraction.
fn first_of_month(written: &str) -> Option<DateTime> {
    let (year, month) = written.split_once('-')?;
    let month: u8 = month.parse().ok()?;
    DateTime::read(&format!("{year}-{month:02}-01"))
}
