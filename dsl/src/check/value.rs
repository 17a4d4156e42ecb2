//! Expression to typed value.

use std::fmt;

use super::checker::Checker;
use super::columns::{Names, Times};
use super::describe::{dotted, type_name};
use super::env::{Env, Resolved};
use super::extent::own_size;
use super::known::{Columns, takes_kind};
use super::notes::Notes;
use super::scope::{Entity, NO_FILE, in_package, join};
use crate::ast::{Expr, ExprKind, Name};
use crate::column::Sort;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::facts::Coordinate;
use crate::name::written;
use crate::source::Span;
use crate::types::{ColumnInfo, Content, Over, Type};

/// What is asked of an expression.
#[derive(Clone, Copy)]
pub struct Expected<'w> {
    pub ty: &'w Type,
    /// What bare names of columns may mean.
    pub columns: &'w Columns,
    /// What names of coordinates may mean; none where these are not known.
    pub coordinates: Option<&'w [Coordinate]>,
    /// Whether columns named here may hold texts.
    pub texts: bool,
    /// What a call made here is named.
    pub name: &'w dyn fmt::Display,
    /// Whether it is the whole of a statement.
    pub statement: bool,
    /// Whether lists take what they name at every point of the sweep, as reports do.
    pub gather: bool,
}

impl<'w> Expected<'w> {
    /// A value known before the run, that makes no call.
    pub fn plain(ty: &'w Type) -> Self {
        Self {
            ty,
            columns: &Columns::Free,
            coordinates: None,
            texts: false,
            name: &"",
            statement: false,
            gather: false,
        }
    }

    /// The same for a part of it.
    pub fn part(self, ty: &'w Type) -> Self {
        Self {
            ty,
            statement: false,
            ..self
        }
    }
}

impl<'p> Checker<'p> {
    /// The value of an expression as the wanted type; none when an error was reported.
    pub fn value(
        &mut self,
        expr: &Expr,
        env: Env,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        self.count(own_size(expr), expr.span, env)?;
        let value = self.deeper(expr.span, env, |checker| {
            checker.shallow_value(expr, env, want, notes)
        });
        if let (Some(trace), Some(value)) = (self.names.trace, &value)
            && expr.span.file != NO_FILE
        {
            trace.value(expr.span, value, want.ty);
        }
        value
    }

    fn shallow_value(
        &mut self,
        expr: &Expr,
        env: Env,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        match &expr.kind {
            ExprKind::Name(path) if self.is_bare_file(path, env, want.ty) => {
                let message = format!("expected a `Path`, found the name `{}`", dotted(path));
                let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message)
                    .hint(format!("a path is text: `\"{}\"`", dotted(path)));
                self.report(env, diagnostic);
                return None;
            }
            ExprKind::Name(path) => match self.find(path, env) {
                Resolved::Arg(inner, env) => return self.value(inner, env, want, notes),
                Resolved::Failed => return None,
                Resolved::Entity(Entity::Param(param))
                    if self.means_param(param, path, want.ty, want.columns) =>
                {
                    return self.param_as(param, expr, env, want, notes);
                }
                _ => {}
            },
            ExprKind::Call { callee, args } => match self.find(callee, env) {
                Resolved::Failed => return None,
                Resolved::Entity(Entity::Define(define)) => {
                    return self.expand(define, args, expr.span, env, |checker, body, inner| {
                        checker.value(body, inner, want, notes)
                    });
                }
                _ => {}
            },
            ExprKind::Part { whole, path }
                if !matches!(want.ty, Type::Formula(_) | Type::Condition(_)) =>
            {
                let (value, ty) = self.chosen(whole, path, env, notes)?;
                return self.known_as(value, &ty, expr, env, want, notes);
            }
            _ => {}
        }
        match want.ty {
            Type::OneOf(types) => {
                let fit = types.iter().find(|ty| self.fits(expr, env, want.part(ty)));
                // Where only results can stand, an unknown name is a mistake of its own.
                let unknown = || types.first().filter(|_| types.iter().all(takes_kind));
                match fit.or_else(|| unknown().filter(|_| self.is_unknown(expr, env))) {
                    Some(ty) => self.value(expr, env, Expected { ty, ..want }, notes),
                    None => self.mismatch(expr, env, want.ty),
                }
            }
            Type::List(inner) => self.list(expr, env, inner, want, notes),
            Type::Range(inner) => self.range(expr, env, inner, want, notes),
            Type::Kind(kind) => self.node(expr, env, *kind, want, notes),
            Type::Constructed(group) => self.made(expr, env, group, want, notes),
            Type::Column => self.column(expr, env, want, notes),
            Type::Formula(over) => self.formula(expr, env, over, Sort::Number, want, notes),
            Type::Condition(over) => self.formula(expr, env, over, Sort::Truth, want, notes),
            Type::Word(words) => self.word(expr, env, words, want),
            Type::Bool | Type::String | Type::Path => self.literal(expr, env, want),
            Type::Int | Type::Float | Type::Duration | Type::Quantity(_) => {
                self.number(expr, env, want, notes)
            }
        }
    }

    /// Whether this is a path without quotes, such as `sea.csv`.
    fn is_bare_file(&self, path: &[Name], env: Env, ty: &Type) -> bool {
        let takes_path = match ty {
            Type::List(inner) => **inner == Type::Path,
            Type::OneOf(types) => types.contains(&Type::Path),
            ty => *ty == Type::Path,
        };
        takes_path && path.len() > 1 && self.names.program.resolve(env.module, path).is_err()
    }

    /// Whether this names, or calls, what is nowhere defined.
    fn is_unknown(&self, expr: &Expr, env: Env) -> bool {
        match &expr.kind {
            ExprKind::Name(path) => matches!(self.names.find(path, env), Resolved::Nothing),
            ExprKind::Call { callee, .. } => self.names.signature(env.module, callee).is_none(),
            _ => false,
        }
    }

    fn literal(&mut self, expr: &Expr, env: Env, want: Expected) -> Option<Value> {
        match (want.ty, &expr.kind) {
            (Type::Bool, ExprKind::Bool(value)) => Some(Value::Bool(*value)),
            (Type::String, ExprKind::Text(text)) => Some(Value::Text(text.clone())),
            (Type::Path, ExprKind::Text(text)) if text.is_empty() => {
                let diagnostic = Diagnostic::error(Code::DataFile, expr.span, "the path is empty");
                self.report(env, diagnostic);
                None
            }
            (Type::Path, ExprKind::Text(text)) => {
                let module = &self.names.program.modules[env.module];
                if !module.package.is_empty() && in_package(module, text).is_none() {
                    let message = format!("`{text}` leaves the package that names it");
                    self.report(env, Diagnostic::error(Code::DataFile, expr.span, message));
                    return None;
                }
                Some(Value::Path(join(&module.folder, text)))
            }
            _ => self.mismatch(expr, env, want.ty),
        }
    }

    fn list(
        &mut self,
        expr: &Expr,
        env: Env,
        inner: &Type,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let items = match &expr.kind {
            ExprKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(expr),
        };
        self.items(items.iter(), env, inner, want, notes)
    }

    /// The values of a list's items; those of a report are taken at every point.
    pub fn items<'e>(
        &mut self,
        items: impl Iterator<Item = &'e Expr>,
        env: Env,
        inner: &Type,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let mut values = Vec::new();
        let gather = want.gather && takes_kind(inner);
        for (index, item) in items.enumerate() {
            let numbered = format_args!("{}.{}", want.name, index + 1);
            let want = Expected {
                name: if index == 0 { want.name } else { &numbered },
                ..want.part(inner)
            };
            if gather {
                values.extend(self.at_every_point(item, env, want, notes));
            } else {
                values.push(self.value(item, env, want, notes));
            }
        }
        values.into_iter().collect::<Option<_>>().map(Value::List)
    }

    fn range(
        &mut self,
        expr: &Expr,
        env: Env,
        inner: &Type,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let ExprKind::Range {
            start,
            end,
            inclusive,
            step,
        } = &expr.kind
        else {
            return self.mismatch(expr, env, want.ty);
        };
        let (Some(start), Some(end)) = (start, end) else {
            let message = match start {
                None => "the range has no first value",
                Some(_) => "the range has no last value",
            };
            let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
            self.report(env, diagnostic.hint("write `first..=last`"));
            return None;
        };
        let want = want.part(inner);
        let first = self.value(start, env, want, notes);
        let last = self.value(end, env, want, notes);
        let step = match step {
            Some(step) => self.value(step, env, want, notes),
            None => Some(match inner {
                Type::Int => Value::Int(1),
                _ => Value::Float(1.0),
            }),
        };
        match (first?, last?, step?) {
            (Value::Int(first), Value::Int(last), Value::Int(step)) => {
                let last = if *inclusive {
                    last
                } else {
                    last.saturating_sub(1)
                };
                if step < 1 || first > last {
                    return self.empty_range(expr, env);
                }
                // Aligned, so that equal ranges print equally.
                let last = first + (last.wrapping_sub(first)).div_euclid(step) * step;
                Some(Value::Range(
                    Box::new(Value::Int(first)),
                    Box::new(Value::Int(last)),
                    Box::new(Value::Int(step)),
                ))
            }
            (Value::Float(first), Value::Float(last), Value::Float(step)) => {
                if !inclusive {
                    let message = "a range of real numbers has no last value before its end";
                    let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
                    self.report(env, diagnostic.hint("write `..=`"));
                    return None;
                }
                if step <= 0.0 || first > last {
                    return self.empty_range(expr, env);
                }
                let [first, last, step] = [first, last, step].map(|x| Box::new(Value::Float(x)));
                Some(Value::Range(first, last, step))
            }
            _ => self.mismatch(expr, env, want.ty),
        }
    }

    /// An error: nothing is between the ends of a range, or its step does not lead from one to
    /// the other.
    pub fn empty_range<R>(&mut self, expr: &Expr, env: Env) -> Option<R> {
        let ExprKind::Range {
            start: Some(start),
            end: Some(end),
            inclusive,
            step,
        } = &expr.kind
        else {
            return None;
        };
        let [first, last] = [start, end].map(|end| self.source(end.span).to_owned());
        let message = match self.source(expr.span) {
            "" => "the range holds no value".to_owned(),
            written => format!("the range `{written}` holds no value"),
        };
        let diagnostic = Diagnostic::error(Code::OutOfRange, expr.span, message);
        let is_down = step.as_ref().is_some_and(|step| {
            let is_zero = matches!(step.kind, ExprKind::Int { value: 0, .. });
            is_zero || matches!(step.kind, ExprKind::Unary { .. })
        });
        let diagnostic = if first.is_empty() || last.is_empty() {
            diagnostic
        } else if is_down {
            diagnostic.hint("a range goes up: its step is above 0")
        } else if first == last && !inclusive {
            diagnostic.hint(format!("with its end it is `{first}..={last}`"))
        } else {
            let dots = if *inclusive { "..=" } else { ".." };
            diagnostic.hint(format!("a range goes up: `{last}{dots}{first}`"))
        };
        self.report(env, diagnostic);
        None
    }

    fn word(&mut self, expr: &Expr, env: Env, words: &[String], want: Expected) -> Option<Value> {
        let text = match &expr.kind {
            ExprKind::Name(path) if path.len() == 1 => &path[0].text,
            ExprKind::Text(text) if words.contains(text) => {
                let message = format!("expected {}, found text", type_name(want.ty));
                let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
                let diagnostic = diagnostic.hint("write the word without quotes");
                self.report(env, diagnostic.fix(expr.span, text));
                return None;
            }
            _ => return self.mismatch(expr, env, want.ty),
        };
        // A `Word` param takes any word.
        if words.is_empty() || words.contains(text) {
            return Some(Value::Text(text.clone()));
        }
        self.unknown_choice(text, words, expr.span, env)
    }

    /// An error: none of the words asked for.
    pub fn unknown_choice<R>(
        &mut self,
        text: &str,
        words: &[String],
        span: Span,
        env: Env,
    ) -> Option<R> {
        let words = words.iter().map(String::as_str);
        let message = format!("`{text}` is not one of the choices here");
        let diagnostic = Diagnostic::error(Code::UnknownChoice, span, message)
            .meant(text, words.clone())
            .choices("choices", words);
        let diagnostic = self.fixed_where_written(text, diagnostic);
        self.report(env, diagnostic);
        None
    }

    fn formula(
        &mut self,
        expr: &Expr,
        env: Env,
        over: &Over,
        sort: Sort,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let names = match over {
            Over::Columns => Names::Columns(want.columns),
            Over::Coordinates => Names::Coordinates(want.coordinates),
            Over::Names(names) => Names::Only(names),
        };
        let term = self.term(expr, env, names, notes)?;
        // A time is allowed where a number of its unit is expected.
        let is_number = sort == Sort::Number && matches!(term.times, Some(Times::In(_)));
        if !is_number {
            self.expect_sort(&term, sort, expr.span, env, names)?;
        }
        Some(Value::Formula(term.expr.into()))
    }

    fn column(
        &mut self,
        expr: &Expr,
        env: Env,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let ExprKind::Name(path) = &expr.kind else {
            return self.mismatch(expr, env, want.ty);
        };
        let [name] = path.as_slice() else {
            return self.mismatch(expr, env, want.ty);
        };
        self.column_named(&name.text, name.span, env, want.columns, notes)?;
        self.expect_numbers(&name.text, name.span, env, want)?;
        Some(Value::Text(name.text.clone()))
    }

    /// Refuses a column of texts where only numbers can stand.
    pub fn expect_numbers(
        &mut self,
        name: &str,
        span: Span,
        env: Env,
        want: Expected,
    ) -> Option<()> {
        let Columns::Known(schema, data) = want.columns else {
            return Some(());
        };
        let is_text = |column: &ColumnInfo| column.content == Content::Text;
        if want.texts || !schema.find(name).is_some_and(is_text) {
            return Some(());
        }
        self.report(env, texts_for_numbers(name, span, *data));
        None
    }
}

/// A column of texts stands where only numbers can.
pub fn texts_for_numbers(name: &str, span: Span, data: Span) -> Diagnostic {
    let message = format!("expected a column of numbers, found `{name}`, which holds texts");
    let name = written(name);
    let hint = format!(
        "a column for each text is `onehot(…, {name}, values: [\"…\"])`; one of them is `choose({name} == \"…\", 1, 0)`"
    );
    Diagnostic::error(Code::WrongType, span, message)
        .and(data, "in these data")
        .hint(hint)
}
