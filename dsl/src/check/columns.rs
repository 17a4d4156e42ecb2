//! Formulas: names to columns, numbers to the columns' units, numbers apart from yes/no.

use super::checker::Checker;
use super::describe::dotted;
use super::env::{Env, Resolved};
use super::extent::own_size;
use super::known::Columns;
use super::notes::Notes;
use super::scope::Entity;
use super::trace::Meaning;
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, Name, UnaryOp};
use crate::calendar::{Calendar, DateTime, TimeUnit};
use crate::column::{self, ColumnExpr, Sort};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::facts::Coordinate;
use crate::foreign;
use crate::nearest::{count, quoted};
use crate::source::Span;
use crate::types::{Content, Schema, Type};
use crate::units::{self, UnitError};

/// The names a formula may use.
#[derive(Clone, Copy)]
pub enum Names<'n> {
    /// None: a number known before the run. The columns are only for telling what went wrong.
    Constant(&'n Columns),
    /// Columns.
    Columns(&'n Columns),
    /// Coordinates of rows of weights; any where they are not known.
    Coordinates(Option<&'n [Coordinate]>),
    /// These.
    Only(&'n [String]),
}

/// A formula and what is known of its values.
#[derive(Clone, Debug)]
pub struct Term {
    pub expr: ColumnExpr,
    pub unit: Option<String>,
    pub sort: Sort,
    /// Whether it is a whole number made of whole numbers.
    pub whole: bool,
    /// Whether its values are those of a column in 32 bits.
    pub single: bool,
    /// What its times are, if it is of that sort.
    pub times: Option<Times>,
}

/// What is known of times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Times {
    /// They are numbers of this unit.
    In(TimeUnit),
    /// All are this date, which has no calendar before it meets one.
    Date(DateTime),
}

/// A sort in a message.
pub fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Number => "a number",
        Sort::Truth => "a condition",
        Sort::Time => "a time",
        Sort::Text => "a text",
    }
}

impl Term {
    fn number(value: f64, unit: Option<String>) -> Self {
        Self {
            expr: ColumnExpr::Number(value),
            unit,
            sort: Sort::Number,
            whole: false,
            single: false,
            times: None,
        }
    }

    /// A term of this sort, without a unit.
    pub fn of(expr: ColumnExpr, sort: Sort) -> Self {
        Self {
            sort,
            ..Self::truth(expr)
        }
    }

    /// Times in a unit.
    pub fn in_time(expr: ColumnExpr, unit: TimeUnit) -> Self {
        Self {
            unit: Some(unit.text()),
            times: Some(Times::In(unit)),
            ..Self::of(expr, Sort::Time)
        }
    }

    fn text(text: String) -> Self {
        Self {
            sort: Sort::Text,
            ..Self::truth(ColumnExpr::Text(text))
        }
    }

    fn date(date: DateTime) -> Self {
        Self {
            sort: Sort::Time,
            times: Some(Times::Date(date)),
            ..Self::truth(ColumnExpr::Number(0.0))
        }
    }

    /// What the values are, as a column has it.
    pub fn content(&self) -> Content {
        match (self.sort, self.times) {
            (Sort::Text, _) => Content::Text,
            (_, Some(Times::In(unit))) => Content::Time(unit),
            _ => Content::Number,
        }
    }

    pub fn truth(expr: ColumnExpr) -> Self {
        Self {
            expr,
            unit: None,
            sort: Sort::Truth,
            whole: false,
            single: false,
            times: None,
        }
    }

    /// Whether it is a number written with a unit.
    pub fn is_quantity(&self) -> bool {
        self.unit.is_some() && self.expr.is_number()
    }

    /// The same, whole if its value is.
    pub fn whole_if_integral(mut self) -> Self {
        self.whole = matches!(self.expr, ColumnExpr::Number(value) if value.fract() == 0.0);
        self
    }
}

impl Checker<'_> {
    /// A formula; none when an error was reported.
    pub fn term(&mut self, expr: &Expr, env: Env, names: Names, notes: &mut Notes) -> Option<Term> {
        self.count(own_size(expr), expr.span, env)?;
        self.deeper(expr.span, env, |checker| {
            checker.shallow_term(expr, env, names, notes)
        })
    }

    fn shallow_term(
        &mut self,
        expr: &Expr,
        env: Env,
        names: Names,
        notes: &mut Notes,
    ) -> Option<Term> {
        match &expr.kind {
            ExprKind::Int { value, unit } => {
                let unit = self.unit_of(unit.as_ref(), env)?;
                let mut term = Term::number(*value as f64, unit);
                term.whole = true;
                Some(term)
            }
            ExprKind::Float { value, unit } => {
                let unit = self.unit_of(unit.as_ref(), env)?;
                Some(Term::number(*value, unit))
            }
            ExprKind::Bool(value) => {
                let value = f64::from(u8::from(*value));
                Some(Term::truth(ColumnExpr::Number(value)))
            }
            ExprKind::Text(text) => Some(Term::text(text.clone())),
            ExprKind::Date(date) => Some(Term::date(*date)),
            ExprKind::Range { .. } if self.refuse_range_after_in(expr, env) => None,
            ExprKind::List(_) | ExprKind::Range { .. } => self.no_term(expr, env),
            ExprKind::Name(path) => self.named_term(path, expr, env, names, notes),
            ExprKind::Part { whole, path } => {
                let (value, ty) = self.chosen(whole, path, env, notes)?;
                self.known_term(value, ty, expr, env, names, notes)
            }
            ExprKind::Call { callee, args } => {
                self.call_term(callee, args, expr, env, names, notes)
            }
            ExprKind::Unary { op, operand } => {
                let term = self.term(operand, env, names, notes)?;
                let sort = match op {
                    UnaryOp::Negate => Sort::Number,
                    UnaryOp::Not => Sort::Truth,
                };
                self.expect_sort(&term, sort, operand.span, env, names)?;
                let expr = ColumnExpr::Unary(*op, Box::new(term.expr)).folded();
                Some(Term { expr, ..term })
            }
            ExprKind::Binary {
                op: BinaryOp::In,
                left,
                right,
                ..
            } => {
                let value = self.term(left, env, names, notes)?;
                let (is_text, before) = (value.sort == Sort::Text, self.sink.count());
                let found = self.member(value, left.span, right, env, names, notes);
                if is_text {
                    self.hint_at_quotes(before);
                }
                found
            }
            ExprKind::Binary {
                op, left, right, ..
            } => {
                let said = self.sink.count();
                let first = self.term(left, env, names, notes);
                if first.is_none() && op.compares() && self.may_be_text(right, env, names) {
                    return None;
                }
                let before = self.sink.count();
                let second = self.term(right, env, names, notes);
                if op.compares() && first.as_ref().is_some_and(|it| it.sort == Sort::Text) {
                    self.hint_at_quotes(before);
                }
                if first.is_none() && second.is_none() {
                    self.sink.once_for_both(said, [left.span, right.span]);
                }
                self.binary(*op, (first?, left.span), (second?, right.span), env, names)
            }
        }
    }

    fn no_term<R>(&mut self, expr: &Expr, env: Env) -> Option<R> {
        let found = self.describe(expr, env);
        let message = format!("expected a number or a condition, found {found}");
        self.report(env, Diagnostic::error(Code::WrongType, expr.span, message));
        None
    }

    /// Refuses a unit that is not known.
    pub fn unit(&mut self, unit: &Name, env: Env) -> Option<()> {
        let Err(error) = units::parse(&unit.text) else {
            return Some(());
        };
        let mut diagnostic = Diagnostic::error(Code::UnknownUnit, unit.span, error.to_string());
        if let UnitError::Unknown {
            nearest: Some(nearest),
            ..
        } = error
        {
            let hint = format!("did you mean `{nearest}`?");
            diagnostic = diagnostic.hint(hint).fix(unit.span, nearest);
        }
        if let Some(number) = foreign::number_after_zero(&unit.text)
            && self.follows_zero(unit.span)
        {
            diagnostic = diagnostic.hint(format!("numbers are decimal: write `{number}`"));
        }
        self.report(env, diagnostic);
        None
    }

    /// Whether a single zero stands directly before a place.
    fn follows_zero(&self, span: Span) -> bool {
        let before = |length| {
            let start = span.start.saturating_sub(length);
            self.source(Span {
                start,
                end: span.start,
                ..span
            })
        };
        let is_longer = before(2).starts_with(|it: char| it.is_ascii_alphanumeric());
        before(1) == "0" && !is_longer
    }

    fn unit_of(&mut self, unit: Option<&Name>, env: Env) -> Option<Option<String>> {
        match unit {
            None => Some(None),
            Some(unit) => self.unit(unit, env).map(|()| Some(unit.text.clone())),
        }
    }

    fn named_term(
        &mut self,
        path: &[Name],
        expr: &Expr,
        env: Env,
        names: Names,
        notes: &mut Notes,
    ) -> Option<Term> {
        let found = self.find(path, env);
        if let ([name], Names::Coordinates(Some(known))) = (path, names)
            && let Some(coordinate) = known.iter().find(|it| it.name == name.text)
            && !matches!(found, Resolved::Failed)
        {
            self.refuse_ambiguous_coordinate(coordinate, &found, name.span, env)?;
            return self.column_term(&name.text, name.span, env, names, notes);
        }
        match found {
            Resolved::Failed => None,
            Resolved::Arg(inner, env) => self.term(inner, env, names, notes),
            Resolved::Entity(Entity::Param(param)) => {
                if let Names::Columns(columns) = names {
                    self.refuse_ambiguous(path, columns, env)?;
                }
                let value = self.param(param, notes)?;
                let ty = self.params[param].ty.clone()?;
                let before = self.sink.count();
                let term = self.known_term(value, ty, expr, env, names, notes);
                self.blame_param(param, before);
                term
            }
            Resolved::Entity(Entity::Statement(_)) if self.is_column(path, names) => {
                self.column_term(&path[0].text, expr.span, env, names, notes)
            }
            Resolved::Entity(_) => self.no_term(expr, env),
            Resolved::Nothing => {
                let name = &path[0];
                let Some(value) = column::constant(&name.text) else {
                    return self.column_term(&name.text, name.span, env, names, notes);
                };
                if let Names::Columns(columns) = names {
                    self.refuse_ambiguous(path, columns, env)?;
                }
                Some(Term::number(value, None))
            }
        }
    }

    /// A value that a param has or a sweep chose.
    pub fn known_term(
        &mut self,
        value: Value,
        ty: Type,
        expr: &Expr,
        env: Env,
        names: Names,
        notes: &mut Notes,
    ) -> Option<Term> {
        match (value, ty) {
            (Value::Int(value), _) => {
                let mut term = Term::number(value as f64, None);
                term.whole = true;
                Some(term)
            }
            (Value::Float(value), Type::Quantity(unit)) => Some(Term::number(value, Some(unit))),
            (Value::Float(value), Type::Duration) => {
                Some(Term::number(value, Some("s".to_owned())))
            }
            (Value::Float(value), _) => Some(Term::number(value, None)),
            (Value::Bool(value), _) => {
                let value = f64::from(u8::from(value));
                Some(Term::truth(ColumnExpr::Number(value)))
            }
            (Value::Text(column), Type::Column) => {
                self.column_term(&column, expr.span, env, names, notes)
            }
            (Value::Text(text), Type::String) => Some(Term::text(text)),
            _ => self.no_term(expr, env),
        }
    }

    pub fn is_column(&self, path: &[Name], names: Names) -> bool {
        match (path, names) {
            ([name], Names::Columns(Columns::Known(schema, _))) => {
                schema.find(&name.text).is_some()
            }
            (path, Names::Columns(_)) => path.len() == 1,
            _ => false,
        }
    }

    /// An error when a name of the file is also a column.
    pub fn refuse_ambiguous(&mut self, path: &[Name], columns: &Columns, env: Env) -> Option<()> {
        let ([name], Columns::Known(schema, data)) = (path, columns) else {
            return Some(());
        };
        if schema.find(&name.text).is_none() {
            return Some(());
        }
        let text = &name.text;
        let what = match self.names.program.modules[env.module].names.get(text) {
            Some(_) => "a param",
            None => "a constant",
        };
        let message = format!("`{text}` is both {what} and a column");
        let diagnostic = Diagnostic::error(Code::AmbiguousName, name.span, message)
            .and(*data, format!("these data have a column `{text}`"))
            .hint("rename one of them");
        self.report(env, diagnostic);
        None
    }

    /// An error when a coordinate is also something else; a swept param is what the rows have of it.
    fn refuse_ambiguous_coordinate(
        &mut self,
        coordinate: &Coordinate,
        found: &Resolved,
        span: Span,
        env: Env,
    ) -> Option<()> {
        let what = match found {
            Resolved::Arg(..) => "an argument of the definition",
            Resolved::Entity(Entity::Param(_)) if !coordinate.is_swept => "a param",
            _ => return Some(()),
        };
        let message = format!("`{}` is both {what} and a coordinate", coordinate.name);
        let diagnostic = Diagnostic::error(Code::AmbiguousName, span, message);
        self.report(env, diagnostic.hint("rename one of them"));
        None
    }

    fn column_term(
        &mut self,
        name: &str,
        span: Span,
        env: Env,
        names: Names,
        notes: &mut Notes,
    ) -> Option<Term> {
        let (unit, content, single) = match names {
            Names::Columns(columns) => {
                self.column_named(name, span, env, columns, notes)?;
                let known = match columns {
                    Columns::Known(schema, _) => schema.find(name),
                    _ => None,
                };
                known.map_or_else(Default::default, |it| {
                    (it.unit.clone(), it.content, it.single)
                })
            }
            Names::Coordinates(known) => {
                let found = known.and_then(|known| known.iter().find(|it| it.name == name));
                if let (Some(known), None) = (known, found) {
                    let known = known.iter().map(|it| it.name.as_str());
                    let message = format!("the rows have no coordinate `{name}`");
                    let diagnostic = Diagnostic::error(Code::UnknownName, span, message)
                        .meant(name, known.clone())
                        .choices("coordinates", known);
                    self.report(env, diagnostic);
                    return None;
                }
                let content = match found.is_some_and(|it| it.is_text) {
                    true => Content::Text,
                    false => Content::Number,
                };
                (None, content, false)
            }
            Names::Only(allowed) => {
                if !allowed.iter().any(|other| other == name) {
                    let allowed = allowed.iter().map(String::as_str);
                    let message = format!("unknown name `{name}`");
                    let diagnostic = Diagnostic::error(Code::UnknownName, span, message)
                        .meant(name, allowed.clone())
                        .choices("names here", allowed);
                    self.report(env, diagnostic);
                    return None;
                }
                (None, Content::Number, false)
            }
            Names::Constant(columns) => {
                let column = match columns {
                    Columns::Known(schema, _) => schema.find(name).is_some(),
                    _ => false,
                };
                if column {
                    let message =
                        format!("expected a number known before the run, found column `{name}`");
                    self.report(env, Diagnostic::error(Code::NotConstant, span, message));
                } else {
                    let message = format!("unknown name `{name}`");
                    let diagnostic = Diagnostic::error(Code::UnknownName, span, message)
                        .meant(name, self.names_of(env.module));
                    self.unknown(env, diagnostic);
                }
                return None;
            }
        };
        Some(Term {
            expr: ColumnExpr::Column(name.to_owned()),
            unit,
            sort: match content {
                Content::Number => Sort::Number,
                Content::Time(_) => Sort::Time,
                Content::Text => Sort::Text,
            },
            whole: false,
            single,
            times: content.time().map(Times::In),
        })
    }

    /// Notes the use of a column, and refuses one the data do not have.
    pub fn column_named(
        &mut self,
        name: &str,
        span: Span,
        env: Env,
        columns: &Columns,
        notes: &mut Notes,
    ) -> Option<()> {
        if let Columns::Known(schema, data) = columns
            && schema.find(name).is_none()
        {
            let diagnostic = unknown_column(name, span, schema, *data);
            let diagnostic = self.fixed_where_written(name, diagnostic);
            self.report(env, diagnostic);
            return None;
        }
        if let (Some(trace), Columns::Known(_, data)) = (self.names.trace, columns) {
            trace.name(span, Meaning::Column, *data);
        }
        notes.columns.push((name.to_owned(), span));
        Some(())
    }

    fn call_term(
        &mut self,
        callee: &[Name],
        args: &[Arg],
        expr: &Expr,
        env: Env,
        names: Names,
        notes: &mut Notes,
    ) -> Option<Term> {
        match self.find(callee, env) {
            Resolved::Failed => return None,
            Resolved::Entity(Entity::Define(define)) => {
                return self.expand(define, args, expr.span, env, |checker, body, inner| {
                    checker.term(body, inner, names, notes)
                });
            }
            _ => {}
        }
        let text = dotted(callee);
        let Some(function) = column::function(&text) else {
            if self.names.signature(env.module, callee).is_some() {
                return self.no_term(expr, env);
            }
            let defines = self.names_of(env.module);
            let functions = column::FUNCTIONS.iter().map(|function| function.name);
            let message = format!("unknown function `{text}`");
            let place = callee.iter().map(|name| name.span).reduce(Span::to);
            let place = place.unwrap_or(expr.span);
            let diagnostic = Diagnostic::error(Code::UnknownFunction, place, message)
                .meant(&text, functions.clone().chain(defines));
            let diagnostic = match text.as_str() {
                "if" => diagnostic,
                _ => diagnostic.choices("functions", functions),
            };
            self.unknown(env, diagnostic);
            return None;
        };
        self.expect_arity(function, args, expr, env)?;
        self.expect_rows(function, expr, env, names)?;
        let mut terms = Vec::with_capacity(args.len());
        for (at, (arg, (_, sort))) in args.iter().zip(function.takes).enumerate() {
            let value = arg.value();
            let term = self.term(value, env, names, notes).filter(|term| {
                let is_free = function.takes_texts() || function.keeps().contains(&at);
                let fits = is_free && matches!(term.sort, Sort::Number | Sort::Time)
                    || function.takes_texts() && term.sort == Sort::Text;
                fits || self
                    .expect_sort(term, *sort, value.span, env, names)
                    .is_some()
            });
            terms.push(term);
        }
        let mut terms: Vec<Term> = terms.into_iter().collect::<Option<_>>()?;
        let spans: Vec<Span> = args.iter().map(|arg| arg.value().span).collect();
        if let Some(part) = function.part() {
            let (time, span) = (terms.pop()?, spans.first().copied().unwrap_or(expr.span));
            let (time, unit) = self.in_unit(time, span, env)?;
            let term = ColumnExpr::Part(part, Box::new(time), Box::new(unit)).folded();
            return Some(Term::of(term, function.returns));
        }
        if function.name == "days_since" {
            return self.days_since(terms, &spans, env);
        }
        self.expect_date(function, &terms, expr.span, env)?;
        let times = self.one_unit(&mut terms, function.keeps(), &spans, env)?;
        // What is one of the values, but for its sign.
        let single = matches!(text.as_str(), "abs" | "lag" | "lowest" | "highest")
            && terms.first().is_some_and(|term| term.single);
        let terms: Vec<ColumnExpr> = terms.into_iter().map(|term| term.expr).collect();
        if function.takes_constant() && !terms.last().is_some_and(is_count) {
            let place = args.last().map_or(expr.span, |arg| arg.value().span);
            let message = format!("expected a whole number of rows in `{text}`");
            self.report(env, Diagnostic::error(Code::NotConstant, place, message));
            return None;
        }
        let call = ColumnExpr::Call(text, terms).folded();
        let times = match function.returns {
            Sort::Time => Some(TimeUnit::days(Calendar::Standard)),
            _ => times,
        };
        if let Some(unit) = times {
            return Some(Term::in_time(call, unit));
        }
        let term = Term {
            single,
            ..Term::of(call, function.returns)
        };
        Some(term.whole_if_integral())
    }

    /// Refuses a function of many rows where there is one row, or something else than rows.
    fn expect_rows(
        &mut self,
        function: &column::Function,
        expr: &Expr,
        env: Env,
        names: Names,
    ) -> Option<()> {
        if !function.of_rows() || matches!(names, Names::Columns(_)) {
            return Some(());
        }
        let message = format!("there are no rows here for `{}`", function.name);
        self.report(env, Diagnostic::error(Code::WrongType, expr.span, message));
        None
    }

    fn expect_arity(
        &mut self,
        function: &column::Function,
        args: &[Arg],
        expr: &Expr,
        env: Env,
    ) -> Option<()> {
        let takes: Vec<&str> = function.takes.iter().map(|(name, _)| *name).collect();
        let usage = format!("write `{}({})`", function.name, takes.join(", "));
        let named = args.iter().find_map(|arg| match arg {
            Arg::Positional(_) => None,
            Arg::Named { name, .. } | Arg::New { name, .. } => Some(name),
        });
        let compared = args
            .iter()
            .zip(function.takes)
            .find_map(|(arg, (_, sort))| match arg {
                Arg::New { name, value } if *sort == Sort::Truth => Some((name, value.span)),
                _ => None,
            });
        if let Some((name, value)) = compared {
            let (text, span) = (&name.text, name.span.to(value));
            let message = format!("expected a condition, found a new column `{text}`");
            let hint = format!("to compare, write `{text} == {}`", self.source(value));
            self.report(
                env,
                Diagnostic::error(Code::WrongType, span, message).hint(hint),
            );
            return None;
        }
        let (code, span, message) = if let Some(name) = named {
            let message = format!(
                "`{}` is a function: its arguments have no names",
                function.name
            );
            (Code::UnknownArgument, name.span, message)
        } else if args.len() > takes.len() {
            let message = format!("`{}` takes {}", function.name, count(takes.len()));
            (
                Code::TooManyArguments,
                args[takes.len()].value().span,
                message,
            )
        } else if args.len() < takes.len() {
            let missing = quoted(takes[args.len()..].iter().copied());
            let message = format!("`{}` is missing {missing}", function.name);
            (Code::MissingArgument, expr.span, message)
        } else {
            return Some(());
        };
        self.report(env, Diagnostic::error(code, span, message).hint(usage));
        None
    }

    /// Refuses a term of another sort than a place takes.
    pub fn expect_sort(
        &mut self,
        term: &Term,
        sort: Sort,
        span: Span,
        env: Env,
        names: Names,
    ) -> Option<()> {
        if term.sort == sort {
            return Some(());
        }
        // Nothing is known of data that did not check.
        let is_unknown = sort != Sort::Truth && term.sort != Sort::Truth;
        if is_unknown && matches!(names, Names::Columns(Columns::Poisoned)) {
            return None;
        }
        if sort == Sort::Time {
            return self.no_time(term, span, env);
        }
        let expected = sort_name(sort);
        let found = match term.times {
            Some(Times::Date(date)) => format!("the date `{date}`"),
            _ => sort_name(term.sort).to_owned(),
        };
        let message = format!("expected {expected}, found {found}");
        let diagnostic = Diagnostic::error(Code::WrongType, span, message);
        let written = self.source(span);
        let example = match &term.expr {
            ColumnExpr::Column(_) if !written.is_empty() => written,
            _ => "x",
        };
        let hint = match (sort, term.sort) {
            (Sort::Truth, Sort::Time) => format!("compare it: `{example} < 2012-01-01`"),
            (Sort::Truth, Sort::Text) => format!("compare it: `{example} == \"…\"`"),
            (Sort::Truth, _) => "compare it: `x > 0`".to_owned(),
            (_, Sort::Text) => format!("make it a number: `choose({example} == \"…\", 1, 0)`"),
            (_, Sort::Time) => {
                let time = if example == "x" { "time" } else { example };
                format!(
                    "numbers of a time are `days_since({time}, 2000-01-01)`, `year({time})` and others"
                )
            }
            _ => "to make it a number, write `choose(condition, 1, 0)`".to_owned(),
        };
        self.report(env, diagnostic.hint(hint));
        None
    }
}

fn is_count(expr: &ColumnExpr) -> bool {
    matches!(expr, ColumnExpr::Number(value) if *value >= 0.0 && value.fract() == 0.0)
}

/// The complaint about a column that data do not have.
pub fn unknown_column(name: &str, span: Span, schema: &Schema, data: Span) -> Diagnostic {
    let names = schema.columns.iter().map(|column| column.name.as_str());
    let message = format!("the data have no column `{name}`");
    let diagnostic = Diagnostic::error(Code::UnknownColumn, span, message)
        .and(data, "these data")
        .meant(name, names.clone());
    let diagnostic = match schema.find("pixel_0_0") {
        Some(_) if name.starts_with("pixel") || name.starts_with("image") => {
            diagnostic.hint("the pixels of images are the inputs of `conv`, all of them")
        }
        _ => diagnostic,
    };
    match names.len() {
        ..=COLUMNS_SHOWN => diagnostic.choices("columns", names),
        all => {
            let shown = quoted(names.take(COLUMNS_SHOWN));
            let more = all - COLUMNS_SHOWN;
            diagnostic.hint(format!("columns: {shown} and {more} more"))
        }
    }
}

/// How many columns a message lists.
const COLUMNS_SHOWN: usize = 20;
