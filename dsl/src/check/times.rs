//! Times in formulas: dates meet the calendars of columns, units are brought to one.

use std::ops::Range;

use super::checker::Checker;
use super::columns::{Term, Times};
use super::env::Env;
use crate::ast::BinaryOp;
use crate::calendar::{Calendar, DateTime, TimeUnit};
use crate::column::{self, ColumnExpr, Function, Sort};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::units;

impl Checker<'_> {
    /// Refuses what is not a time where one is wanted.
    pub fn no_time<R>(&mut self, term: &Term, span: Span, env: Env) -> Option<R> {
        let (code, found) = match (term.sort, &term.unit) {
            (Sort::Number, Some(unit)) => {
                (Code::IncompatibleUnits, format!("a number in `{unit}`"))
            }
            (Sort::Number, None) => (
                Code::IncompatibleUnits,
                "a number without a unit".to_owned(),
            ),
            (Sort::Truth, _) => (Code::WrongType, "a condition".to_owned()),
            (Sort::Text | Sort::Time, _) => (Code::WrongType, "a text".to_owned()),
        };
        let message =
            format!("expected a time, in a unit such as `days since 1970-01-01`, found {found}");
        let diagnostic = Diagnostic::error(code, span, message);
        self.report(env, diagnostic);
        None
    }

    /// The numbers of times and their unit; dates are days of the standard calendar.
    pub fn in_unit(&mut self, time: Term, span: Span, env: Env) -> Option<(ColumnExpr, TimeUnit)> {
        match time.times {
            Some(Times::In(unit)) => Some((time.expr, unit)),
            Some(Times::Date(date)) => {
                let unit = TimeUnit::days(Calendar::Standard);
                let number = self.number_of(date, unit, span, env)?;
                Some((ColumnExpr::Number(number), unit))
            }
            None => self.no_time(&time, span, env),
        }
    }

    /// The number of a date in a unit, refused when its calendar has no such date.
    fn number_of(&mut self, date: DateTime, unit: TimeUnit, span: Span, env: Env) -> Option<f64> {
        let number = unit.number(date);
        if number.is_none() {
            let calendar = unit.calendar().name();
            let message = format!("the calendar `{calendar}` has no date `{date}`");
            self.report(env, Diagnostic::error(Code::OutOfRange, span, message));
        }
        number
    }

    /// Brings the times among some terms to the unit of the first that has one, which is returned
    /// when there are any.
    ///
    /// None when an error was reported.
    pub fn one_unit(
        &mut self,
        terms: &mut [Term],
        range: Range<usize>,
        spans: &[Span],
        env: Env,
    ) -> Option<Option<TimeUnit>> {
        let places = || range.clone().filter(|at| *at < spans.len());
        if !places().any(|at| terms[at].sort == Sort::Time) {
            return Some(None);
        }
        let known = places().find_map(|at| match terms[at].times {
            Some(Times::In(unit)) => Some(unit),
            _ => None,
        });
        let unit = known.unwrap_or(TimeUnit::days(Calendar::Standard));
        for at in places() {
            if terms[at].sort != Sort::Time {
                return self.no_time(&terms[at], spans[at], env);
            }
            let term = std::mem::replace(
                &mut terms[at],
                Term::of(ColumnExpr::Number(0.0), Sort::Time),
            );
            terms[at].expr = self.converted(term, unit, spans[at], env)?;
        }
        Some(Some(unit))
    }

    /// Times as numbers of another unit.
    fn converted(&mut self, term: Term, to: TimeUnit, span: Span, env: Env) -> Option<ColumnExpr> {
        match term.times {
            Some(Times::Date(date)) => self.number_of(date, to, span, env).map(ColumnExpr::Number),
            Some(Times::In(from)) if from == to => Some(term.expr),
            Some(Times::In(from)) if from.shares_days_with(to) => {
                Some(converted_to(term.expr, from, to).folded())
            }
            Some(Times::In(from)) => {
                let [from, to] = [from, to].map(|unit| unit.calendar().name());
                let message =
                    format!("times of the calendars `{to}` and `{from}` have no common days");
                let diagnostic = Diagnostic::error(Code::IncompatibleUnits, span, message);
                self.report(
                    env,
                    diagnostic.hint("compare their parts: `year(a) == year(b)`"),
                );
                None
            }
            None => self.no_time(&term, span, env),
        }
    }

    /// Refuses `date(2000, 13, 1)`: what is known of it fits no date.
    pub fn expect_date(
        &mut self,
        function: &Function,
        terms: &[Term],
        span: Span,
        env: Env,
    ) -> Option<()> {
        if function.name != "date" {
            return Some(());
        }
        let number = |at: usize| match terms.get(at)?.expr {
            ColumnExpr::Number(value) => Some(value),
            _ => None,
        };
        let [year, month, day] = [0, 1, 2].map(number);
        // An unknown year counts as a leap year, an unknown month as a long one.
        let [y, m, d] =
            [(year, 2000.0), (month, 1.0), (day, 1.0)].map(|(it, any)| it.unwrap_or(any));
        if !column::date(y, m, d).is_nan() {
            return Some(());
        }
        let parts = [("year", year), ("month", month), ("day", day)];
        let parts = parts
            .iter()
            .filter_map(|(name, value)| Some((name, (*value)?)));
        let parts: Vec<String> = parts
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let message = format!("no date has the {}", parts.join(", "));
        let diagnostic = Diagnostic::error(Code::OutOfRange, span, message);
        self.report(env, diagnostic.hint("write `date(year, month, day)`"));
        None
    }

    /// `days_since(time, date)`.
    pub fn days_since(&mut self, terms: Vec<Term>, spans: &[Span], env: Env) -> Option<Term> {
        let ([time, since], [span, place]) = (<[Term; 2]>::try_from(terms).ok()?, spans) else {
            return None;
        };
        let Some(Times::Date(date)) = since.times else {
            let message = "expected a date such as `2000-01-01`";
            let diagnostic = Diagnostic::error(Code::NotConstant, *place, message);
            self.report(
                env,
                diagnostic.hint("the difference of two times is `a - b`"),
            );
            return None;
        };
        let (time, from) = self.in_unit(time, *span, env)?;
        let calendar = from.calendar();
        let Some(to) = TimeUnit::days_since(date, calendar) else {
            self.number_of(date, TimeUnit::days(calendar), *place, env)?;
            return None;
        };
        let days = match from == to {
            true => time,
            false => converted_to(time, from, to).folded(),
        };
        let call = ColumnExpr::Call("days_since".to_owned(), vec![days]).folded();
        Some(Term::of(call, Sort::Number))
    }

    /// A comparison of two times.
    pub fn compared(
        &mut self,
        op: BinaryOp,
        (first, left): (Term, Span),
        (second, right): (Term, Span),
        env: Env,
    ) -> Option<Term> {
        let spans = [left, right];
        let mut terms = [first, second];
        self.one_unit(&mut terms, 0..2, &spans, env)?;
        let [first, second] = terms.map(|term| Box::new(term.expr));
        Some(Term::truth(ColumnExpr::Binary(op, first, second)))
    }

    /// `time + 30 days`, `time - other`; all other arithmetic with times is refused.
    pub fn shifted(
        &mut self,
        op: BinaryOp,
        (first, left): (Term, Span),
        (second, right): (Term, Span),
        env: Env,
    ) -> Option<Term> {
        let both = first.sort == Sort::Time && second.sort == Sort::Time;
        let is_date = |term: &Term| matches!(term.times, Some(Times::Date(_)));
        match op {
            BinaryOp::Subtract if both && !is_date(&first) && !is_date(&second) => {
                let mut terms = [first, second];
                let unit = self.one_unit(&mut terms, 0..2, &[left, right], env)??;
                let [first, second] = terms.map(|term| Box::new(term.expr));
                let unit = unit.text().split(' ').next().map(str::to_owned);
                let difference = ColumnExpr::Binary(op, first, second);
                return Some(Term {
                    unit,
                    ..Term::of(difference, Sort::Number)
                });
            }
            BinaryOp::Add | BinaryOp::Subtract if first.sort == Sort::Time && !is_date(&first) => {
                if let Some(length) = length(&second) {
                    return self.moved(op, (first, left), (length, right), env);
                }
            }
            BinaryOp::Add if second.sort == Sort::Time && !is_date(&second) => {
                if let Some(length) = length(&first) {
                    return self.moved(op, (second, right), (length, left), env);
                }
            }
            _ => {}
        }
        let (date, span, other) = match second.times {
            Some(Times::Date(date)) => (Some(date), right, left),
            _ if first.sort == Sort::Time => (date_of(&first), left, left),
            _ => (None, right, right),
        };
        let name = match self.source(other) {
            written if !written.is_empty() && written.len() < 40 && date != date_of(&first) => {
                written.to_owned()
            }
            _ => "time".to_owned(),
        };
        let message = match date {
            Some(date) => format!("expected a number, found the date `{date}`"),
            None => "expected a number, found a time".to_owned(),
        };
        let since = date.map_or("2000-01-01".to_owned(), |date| date.to_string());
        let hint = match (op, date) {
            (BinaryOp::Add | BinaryOp::Subtract, None) => format!(
                "write a length of time, such as `{name} {} 30 days`, or `days_since({name}, {since})` for a number",
                op.symbol()
            ),
            _ => format!("days are `days_since({name}, {since})`"),
        };
        self.report(
            env,
            Diagnostic::error(Code::WrongType, span, message).hint(hint),
        );
        None
    }

    /// A time and a length of time later or earlier.
    fn moved(
        &mut self,
        op: BinaryOp,
        (time, span): (Term, Span),
        (length, place): (Length, Span),
        env: Env,
    ) -> Option<Term> {
        let (time, from) = self.in_unit(time, span, env)?;
        let micros = match length {
            Length::Micros(micros) => micros,
            Length::Months(months) if months.fract() == 0.0 && months.abs() <= MOST_MONTHS => {
                let months = match op {
                    BinaryOp::Subtract => -months as i64,
                    _ => months as i64,
                };
                let later = ColumnExpr::Later(Box::new(time), Box::new(from), months);
                return Some(Term::in_time(later.folded(), from));
            }
            Length::Months(_) => {
                let message = "expected whole months: they differ in length";
                let written = self.source(span);
                let name = if written.is_empty() { "time" } else { written };
                let hint = format!("write days, such as `{name} {} 45 days`", op.symbol());
                let diagnostic = Diagnostic::error(Code::OutOfRange, place, message);
                self.report(env, diagnostic.hint(hint));
                return None;
            }
        };
        let (time, unit) = match from.micros() {
            Some(_) => (time, from),
            // Months differ in length.
            None => {
                let days = TimeUnit::days(from.calendar());
                (converted_to(time, from, days), days)
            }
        };
        let number = micros / unit.micros().unwrap_or(1.0);
        let moved = ColumnExpr::Binary(op, Box::new(time), Box::new(ColumnExpr::Number(number)));
        Some(Term::in_time(moved.folded(), unit))
    }
}

fn converted_to(time: ColumnExpr, from: TimeUnit, to: TimeUnit) -> ColumnExpr {
    ColumnExpr::Convert(Box::new(time), Box::new(from), Box::new(to))
}

fn date_of(term: &Term) -> Option<DateTime> {
    match term.times {
        Some(Times::Date(date)) => Some(date),
        _ => None,
    }
}

/// A length of time that is known before the run.
enum Length {
    Micros(f64),
    /// Those of the calendar.
    Months(f64),
}

/// More is not a time that anybody means.
const MOST_MONTHS: f64 = 1e9;

/// The length of time that a number in a unit is. A year is twelve months; seconds that are whole
/// months come from a parameter such as `lead: Duration = 1 month`.
fn length(term: &Term) -> Option<Length> {
    let ColumnExpr::Number(value) = term.expr else {
        return None;
    };
    let unit = term.unit.as_deref().filter(|_| term.sort == Sort::Number)?;
    let seconds = units::convert(value, unit, "s").ok()?;
    let months = match unit {
        "month" | "months" => Some(value),
        "year" | "years" | "yr" | "yrs" => Some(value * 12.0),
        _ => {
            let month = units::convert(1.0, "month", "s").ok()?;
            Some(seconds / month).filter(|months| *months != 0.0 && months.fract() == 0.0)
        }
    };
    Some(match months {
        Some(months) => Length::Months(months),
        None => Length::Micros(seconds * 1e6),
    })
}
