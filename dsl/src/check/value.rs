//! Expression to typed value.

use super::checker::Checker;
use super::columns::{Names, Term};
use super::env::{Env, Found};
use super::facts::{Columns, takes_kind};
use super::scope::{Entity, join};
use crate::ast::{BinaryOp, Expr, ExprKind, Name};
use crate::column::{self, ColumnExpr, Sort};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::nearest::{a, quoted};
use crate::signature::{Makes, Signature};
use crate::source::Span;
use crate::types::{Kind, Over, Type};
use crate::units;

/// What is asked of an expression.
#[derive(Clone, Copy)]
pub struct Want<'w> {
    pub ty: &'w Type,
    /// What bare names of columns may mean.
    pub columns: &'w Columns,
    /// What a call made here is named.
    pub name: &'w str,
    /// Whether it is the whole of a statement.
    pub statement: bool,
}

impl<'w> Want<'w> {
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
    pub fn value(&mut self, expr: &Expr, env: Env, want: Want) -> Option<Value> {
        self.deeper(expr.span, env, |checker| {
            checker.shallow_value(expr, env, want)
        })
    }

    fn shallow_value(&mut self, expr: &Expr, env: Env, want: Want) -> Option<Value> {
        match &expr.kind {
            ExprKind::Name(path) => match self.find(path, env) {
                Found::Arg(inner, env) => return self.value(inner, env, want),
                Found::Failed => return None,
                Found::Entity(Entity::Param(param)) if self.means_param(param, path, want) => {
                    return self.param_as(param, expr, env, want);
                }
                _ => {}
            },
            ExprKind::Call { callee, args } => match self.find(callee, env) {
                Found::Failed => return None,
                Found::Entity(Entity::Define(define)) => {
                    return self.expand(define, args, expr.span, env, |checker, body, inner| {
                        checker.value(body, inner, want)
                    });
                }
                _ => {}
            },
            _ => {}
        }
        match want.ty {
            Type::OneOf(types) => {
                let fit = types.iter().find(|ty| self.fits(expr, env, ty));
                match fit {
                    Some(ty) => self.value(expr, env, Want { ty, ..want }),
                    None => self.mismatch(expr, env, want.ty),
                }
            }
            Type::List(inner) => self.list(expr, env, inner, want),
            Type::Range(inner) => self.range(expr, env, inner, want),
            Type::Kind(kind) => self.node(expr, env, *kind, want),
            Type::Made(group) => self.made(expr, env, group, want),
            Type::Column => self.column(expr, env, want),
            Type::Formula(over) => self.formula(expr, env, over, Sort::Number, want),
            Type::Condition(over) => self.formula(expr, env, over, Sort::Truth, want),
            Type::Word(words) => self.word(expr, env, words, want),
            Type::Bool | Type::String | Type::Path => self.literal(expr, env, want),
            Type::Int | Type::Float | Type::Duration | Type::Quantity(_) => {
                self.number(expr, env, want)
            }
        }
    }

    /// Whether a name that is a param's means the param here, not a column or a word.
    fn means_param(&self, param: usize, path: &[Name], want: Want) -> bool {
        let text = path.last().map_or("", |name| name.text.as_str());
        let ty = self.params[param].ty.as_ref();
        match want.ty {
            Type::Formula(_) | Type::Condition(_) => false,
            Type::Word(words) => {
                matches!(ty, Some(Type::Word(_))) || !words.iter().any(|word| word == text)
            }
            Type::Column => {
                let known = match want.columns {
                    Columns::Known(schema, _) => schema.find(text).is_some(),
                    _ => false,
                };
                ty == Some(&Type::Column) || !known
            }
            _ => true,
        }
    }

    fn literal(&mut self, expr: &Expr, env: Env, want: Want) -> Option<Value> {
        match (want.ty, &expr.kind) {
            (Type::Bool, ExprKind::Bool(value)) => Some(Value::Bool(*value)),
            (Type::String, ExprKind::Text(text)) => Some(Value::Text(text.clone())),
            (Type::Path, ExprKind::Text(text)) => {
                let folder = &self.program.modules[env.module].folder;
                Some(Value::Path(join(folder, text)))
            }
            _ => self.mismatch(expr, env, want.ty),
        }
    }

    fn list(&mut self, expr: &Expr, env: Env, inner: &Type, want: Want) -> Option<Value> {
        let items = match &expr.kind {
            ExprKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(expr),
        };
        self.items(items.iter(), env, inner, want)
    }

    /// The values of a list's items; those of a report are taken at every point.
    pub fn items<'e>(
        &mut self,
        items: impl Iterator<Item = &'e Expr>,
        env: Env,
        inner: &Type,
        want: Want,
    ) -> Option<Value> {
        let mut values = Vec::new();
        let gather = self.gathering && takes_kind(inner);
        for (index, item) in items.enumerate() {
            let name = match index {
                0 => want.name.to_owned(),
                _ => format!("{}.{}", want.name, index + 1),
            };
            let want = Want {
                name: &name,
                ..want.part(inner)
            };
            if gather {
                values.extend(self.at_every_point(item, env, want));
            } else {
                values.push(self.value(item, env, want));
            }
        }
        values.into_iter().collect::<Option<_>>().map(Value::List)
    }

    fn range(&mut self, expr: &Expr, env: Env, inner: &Type, want: Want) -> Option<Value> {
        let ExprKind::Range {
            start: Some(start),
            end: Some(end),
            inclusive,
            step,
        } = &expr.kind
        else {
            return self.mismatch(expr, env, want.ty);
        };
        let want = want.part(inner);
        let first = self.value(start, env, want);
        let last = self.value(end, env, want);
        let step = match step {
            Some(step) => self.value(step, env, want),
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

    fn empty_range(&mut self, expr: &Expr, env: Env) -> Option<Value> {
        let message = "the range holds no value";
        self.report(env, Diagnostic::error(Code::OutOfRange, expr.span, message));
        None
    }

    fn word(&mut self, expr: &Expr, env: Env, words: &[String], want: Want) -> Option<Value> {
        let text = match &expr.kind {
            ExprKind::Name(path) if path.len() == 1 => &path[0].text,
            ExprKind::Text(text) if words.contains(text) => {
                let message = format!("expected {}, found text", type_name(want.ty));
                let diagnostic = Diagnostic::error(Code::WrongType, expr.span, message);
                self.report(env, diagnostic.hint("write the word without quotes"));
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

    fn unknown_choice<R>(
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
        self.report(env, diagnostic);
        None
    }

    fn made(&mut self, expr: &Expr, env: Env, group: &str, want: Want) -> Option<Value> {
        let (callee, args) = match &expr.kind {
            ExprKind::Name(path) => (path, [].as_slice()),
            ExprKind::Call { callee, args } => (callee, args.as_slice()),
            _ => return self.mismatch(expr, env, want.ty),
        };
        let [name] = callee.as_slice() else {
            return self.mismatch(expr, env, want.ty);
        };
        match self.catalog.get(&name.text) {
            Some(signature) if signature.makes == Makes::Value(group.to_owned()) => {
                self.constructed(signature, args, name.span, env, want)
            }
            Some(_) => self.mismatch(expr, env, want.ty),
            None if !matches!(self.find(callee, env), Found::Nothing) => {
                self.mismatch(expr, env, want.ty)
            }
            None => {
                let makes = Makes::Value(group.to_owned());
                let names = self.names_making(|other| *other == makes);
                let message = format!("unknown `{group}` `{}`", name.text);
                let diagnostic = Diagnostic::error(Code::UnknownPlugin, name.span, message)
                    .meant(&name.text, names.iter().copied())
                    .choices("choices", names.iter().copied());
                self.unknown(env, diagnostic);
                None
            }
        }
    }

    fn names_making(&self, fits: impl Fn(&Makes) -> bool) -> Vec<&'p str> {
        let fitting = self
            .catalog
            .iter()
            .filter(|signature| fits(&signature.makes));
        fitting.map(|signature| signature.name.as_str()).collect()
    }

    fn node(&mut self, expr: &Expr, env: Env, kind: Kind, want: Want) -> Option<Value> {
        match &expr.kind {
            ExprKind::Name(path) => match self.find(path, env) {
                Found::Entity(Entity::Statement(at)) => {
                    let statement = &self.program.statements[at];
                    let found = Kind::from_keyword(&statement.keyword.text);
                    if want.statement {
                        let message = "expected a call of a plugin, found a name";
                        let diagnostic = Diagnostic::error(Code::WrongKind, expr.span, message);
                        let hint = format!("use `{}` where it is needed", statement.name.text);
                        self.report(env, diagnostic.hint(hint));
                        return None;
                    }
                    // A keyword that is no kind is reported at its statement.
                    if found.is_some_and(|found| found != kind) {
                        return self.mismatch(expr, env, want.ty);
                    }
                    self.statement(at).map(Value::Node)
                }
                Found::Nothing => {
                    let name = &path[0];
                    let message = format!("unknown name `{}`", name.text);
                    let program = self.program;
                    let names = program.modules[env.module].names.keys();
                    let mut diagnostic = Diagnostic::error(Code::UnknownName, name.span, message)
                        .meant(&name.text, names.map(String::as_str));
                    if self.catalog.get(&name.text).is_some() {
                        diagnostic = diagnostic.hint(format!("call it: `{}(…)`", name.text));
                    }
                    self.unknown(env, diagnostic);
                    None
                }
                _ => self.mismatch(expr, env, want.ty),
            },
            ExprKind::Call { callee, args } => {
                let signature = self.plugin(callee, env, kind)?;
                let node = self.call(signature, kind, args, expr.span, env, want)?;
                Some(Value::Node(node))
            }
            _ => self.mismatch(expr, env, want.ty),
        }
    }

    /// The plugin a call names, when it makes this kind.
    fn plugin(&mut self, callee: &[Name], env: Env, kind: Kind) -> Option<&'p Signature> {
        let name = callee.last()?;
        let signature = match callee.len() {
            1 => self.catalog.get(&name.text),
            _ => None,
        };
        match signature.map(|signature| (signature, &signature.makes)) {
            Some((signature, Makes::Kinds(kinds))) if kinds.contains(&kind) => Some(signature),
            Some((signature, makes)) => {
                let message = format!(
                    "expected a plugin that makes {}, found `{}`, which makes {}",
                    a(kind.keyword()),
                    signature.name,
                    made_name(makes)
                );
                self.report(env, Diagnostic::error(Code::WrongKind, name.span, message));
                None
            }
            None => {
                let names = self.names_making(
                    |makes| matches!(makes, Makes::Kinds(kinds) if kinds.contains(&kind)),
                );
                let program = self.program;
                let defines = program.modules[env.module].names.iter();
                let defines = defines
                    .filter(|(_, (entity, _))| matches!(entity, Entity::Define(_)))
                    .map(|(name, _)| name.as_str());
                let all = self.catalog.iter().map(|signature| signature.name.as_str());
                let message = format!("unknown plugin `{}`", name.text);
                let diagnostic = Diagnostic::error(Code::UnknownPlugin, name.span, message)
                    .meant(&name.text, all.chain(defines))
                    .choices(&format!("plugins that make {}", a(kind.keyword())), names);
                self.unknown(env, diagnostic);
                None
            }
        }
    }

    /// An error: the expression is not of the wanted type.
    pub fn mismatch<R>(&mut self, expr: &Expr, env: Env, ty: &Type) -> Option<R> {
        let code = if takes_kind(ty) {
            Code::WrongKind
        } else {
            Code::WrongType
        };
        let found = self.describe(expr, env);
        let message = format!("expected {}, found {found}", type_name(ty));
        let diagnostic = Diagnostic::error(code, expr.span, message);
        let diagnostic = match (ty, &expr.kind) {
            (Type::Made(group), _) => {
                let makes = Makes::Value(group.clone());
                diagnostic.choices("choices", self.names_making(|other| *other == makes))
            }
            (Type::String | Type::Path, ExprKind::Name(_)) => {
                diagnostic.hint("write text in quotes")
            }
            (Type::Column, ExprKind::Text(_)) => diagnostic.hint("write the name without quotes"),
            (Type::Range(_), _) => diagnostic.hint("write `first..=last`"),
            _ => diagnostic,
        };
        self.report(env, diagnostic);
        None
    }

    /// What an expression is, in words.
    pub fn describe(&mut self, expr: &Expr, env: Env) -> String {
        match &expr.kind {
            ExprKind::Int { value, unit } => number_name(&value.to_string(), unit.as_ref()),
            ExprKind::Float { value, unit } => number_name(&format!("{value:?}"), unit.as_ref()),
            ExprKind::Bool(value) => format!("`{value}`"),
            ExprKind::Text(_) => "text".to_owned(),
            ExprKind::List(_) => "a list".to_owned(),
            ExprKind::Range { .. } => "a range".to_owned(),
            ExprKind::Unary { .. } | ExprKind::Binary { .. } => "a formula".to_owned(),
            ExprKind::Name(path) => {
                let text = dotted(path);
                match self.find(path, env) {
                    Found::Entity(Entity::Param(param)) => match &self.params[param].ty {
                        Some(ty) => format!("`{text}`, which is {}", type_name(ty)),
                        None => format!("`{text}`"),
                    },
                    Found::Entity(Entity::Statement(at)) => {
                        let keyword = &self.program.statements[at].keyword.text;
                        format!("`{text}`, which is {}", a(keyword))
                    }
                    Found::Entity(Entity::Define(_)) => format!("`{text}`, which is a definition"),
                    Found::Entity(Entity::Module(_)) => format!("`{text}`, which is a file"),
                    _ => format!("the name `{text}`"),
                }
            }
            ExprKind::Call { callee, .. } => {
                let text = dotted(callee);
                match self.catalog.get(&text) {
                    Some(plugin) => format!("`{text}`, which makes {}", made_name(&plugin.makes)),
                    None => format!("a call of `{text}`"),
                }
            }
        }
    }

    /// Whether an expression looks like a value of this type, to choose among several.
    fn fits(&mut self, expr: &Expr, env: Env, ty: &Type) -> bool {
        if let Type::OneOf(types) = ty {
            return types.iter().any(|ty| self.fits(expr, env, ty));
        }
        let number = matches!(ty, Type::Float | Type::Quantity(_) | Type::Formula(_));
        let one = match &expr.kind {
            ExprKind::Int { unit: None, .. } => number || *ty == Type::Int,
            ExprKind::Int { .. } | ExprKind::Float { .. } => {
                number || (*ty == Type::Duration && has_unit(expr))
            }
            ExprKind::Bool(_) => matches!(ty, Type::Bool | Type::Condition(_)),
            ExprKind::Text(_) => matches!(ty, Type::String | Type::Path),
            ExprKind::Range { .. } => matches!(ty, Type::Range(_)),
            ExprKind::List(items) => match ty {
                Type::List(inner) => items.first().is_none_or(|item| self.fits(item, env, inner)),
                _ => false,
            },
            ExprKind::Unary { .. } | ExprKind::Binary { .. } => match looks(expr) {
                Sort::Number => number || matches!(ty, Type::Int | Type::Duration),
                Sort::Truth => matches!(ty, Type::Condition(_)),
            },
            ExprKind::Name(path) => match self.find(path, env) {
                Found::Entity(Entity::Param(param)) => {
                    let known = self.params[param].ty.clone();
                    known.is_some_and(|known| assignable(&known, ty))
                }
                Found::Entity(Entity::Statement(at)) => {
                    let keyword = self.program.statements[at].keyword.text.as_str();
                    matches!(ty, Type::Kind(kind) if kind.keyword() == keyword)
                }
                _ => match ty {
                    Type::Word(words) => words.contains(&path[0].text),
                    Type::Made(_) => self.makes(&path[0].text, ty),
                    Type::Column | Type::Formula(_) => true,
                    _ => false,
                },
            },
            ExprKind::Call { callee, .. } => match column::function(&dotted(callee)) {
                Some(function) => match function.gives {
                    Sort::Number => number,
                    Sort::Truth => matches!(ty, Type::Condition(_)),
                },
                None => self.makes(&dotted(callee), ty),
            },
        };
        let alone = !matches!(expr.kind, ExprKind::List(_));
        one || matches!(ty, Type::List(inner) if alone && self.fits(expr, env, inner))
    }

    fn makes(&self, callee: &str, ty: &Type) -> bool {
        let makes = self.catalog.get(callee).map(|signature| &signature.makes);
        match (makes, ty) {
            (Some(Makes::Kinds(kinds)), Type::Kind(kind)) => kinds.contains(kind),
            (Some(Makes::Value(group)), Type::Made(wanted)) => group == wanted,
            _ => false,
        }
    }

    /// Constant arithmetic: literals, params, functions of them.
    fn number(&mut self, expr: &Expr, env: Env, want: Want) -> Option<Value> {
        match &expr.kind {
            ExprKind::Int { value, unit: None } if *want.ty == Type::Int => {
                return Some(Value::Int(*value));
            }
            ExprKind::Text(_) | ExprKind::List(_) | ExprKind::Range { .. } | ExprKind::Bool(_) => {
                return self.mismatch(expr, env, want.ty);
            }
            ExprKind::Name(path) if matches!(self.find(path, env), Found::Entity(_)) => {
                return self.mismatch(expr, env, want.ty);
            }
            ExprKind::Call { callee, .. } if self.catalog.get(&dotted(callee)).is_some() => {
                return self.mismatch(expr, env, want.ty);
            }
            _ => {}
        }
        let term = self.term(expr, env, Names::Constant(want.columns))?;
        self.number_from(&term, expr, env, want.ty)
    }

    fn number_from(&mut self, term: &Term, expr: &Expr, env: Env, ty: &Type) -> Option<Value> {
        let ColumnExpr::Number(value) = term.expr else {
            let message = "the number is not finite";
            self.report(env, Diagnostic::error(Code::OutOfRange, expr.span, message));
            return None;
        };
        if term.sort == Sort::Truth {
            return self.mismatch(expr, env, ty);
        }
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
                let message = format!("expected `Duration`, found the number `{value}`");
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
            let message = format!("expected `Int`, found `{value:?}`");
            self.report(env, Diagnostic::error(Code::WrongType, expr.span, message));
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

    fn formula(
        &mut self,
        expr: &Expr,
        env: Env,
        over: &Over,
        sort: Sort,
        want: Want,
    ) -> Option<Value> {
        let names = match over {
            Over::Columns => Names::Columns(want.columns),
            Over::Names(names) => Names::Only(names),
        };
        let term = self.term(expr, env, names)?;
        if term.sort != sort {
            let expected = super::columns::sort_name(sort);
            let found = super::columns::sort_name(term.sort);
            let message = format!("expected {expected}, found {found}");
            self.report(env, Diagnostic::error(Code::WrongType, expr.span, message));
            return None;
        }
        Some(Value::Formula(term.expr))
    }

    fn column(&mut self, expr: &Expr, env: Env, want: Want) -> Option<Value> {
        let ExprKind::Name(path) = &expr.kind else {
            return self.mismatch(expr, env, want.ty);
        };
        let [name] = path.as_slice() else {
            return self.mismatch(expr, env, want.ty);
        };
        self.column_named(&name.text, name.span, env, want.columns)?;
        Some(Value::Text(name.text.clone()))
    }

    /// The value of a param where a value is wanted.
    fn param_as(&mut self, param: usize, expr: &Expr, env: Env, want: Want) -> Option<Value> {
        let value = self.param(param)?;
        let ty = self.params[param].ty.clone()?;
        if let (Type::Column, Type::Column, Value::Text(column)) = (&ty, want.ty, &value) {
            if let ExprKind::Name(path) = &expr.kind {
                self.refuse_ambiguous(path, want.columns, env)?;
            }
            self.column_named(column, expr.span, env, want.columns)?;
        }
        if let (Type::Word(_), Type::Word(words), Value::Text(word)) = (&ty, want.ty, &value)
            && !words.is_empty()
            && !words.contains(word)
        {
            return self.unknown_choice(word, words, expr.span, env);
        }
        match convert(&value, &ty, want.ty) {
            Some(value) => Some(value),
            None => self.mismatch(expr, env, want.ty),
        }
    }
}

/// Whole numbers beyond this are not exact in arithmetic.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A value of one type as another; none when the types do not allow it.
fn convert(value: &Value, from: &Type, to: &Type) -> Option<Value> {
    if let Type::OneOf(types) = to {
        return types.iter().find_map(|to| convert(value, from, to));
    }
    match (value, from, to) {
        (Value::List(values), Type::List(from), Type::List(to)) => values
            .iter()
            .map(|value| convert(value, from, to))
            .collect::<Option<_>>()
            .map(Value::List),
        (_, _, Type::List(to)) => Some(Value::List(vec![convert(value, from, to)?])),
        (Value::Range(first, last, step), Type::Range(from), Type::Range(to)) => {
            Some(Value::Range(
                Box::new(convert(first, from, to)?),
                Box::new(convert(last, from, to)?),
                Box::new(convert(step, from, to)?),
            ))
        }
        (Value::Int(value), _, Type::Float | Type::Quantity(_)) => {
            Some(Value::Float(*value as f64))
        }
        (Value::Float(value), from, to) => {
            let unit = |ty: &Type| match ty {
                Type::Quantity(unit) => Some(unit.clone()),
                Type::Duration => Some("s".to_owned()),
                Type::Float => Some("1".to_owned()),
                _ => None,
            };
            match (from, unit(to)?) {
                (Type::Float, _) if *to != Type::Duration => Some(Value::Float(*value)),
                (from, to) => units::convert(*value, &unit(from)?, &to)
                    .ok()
                    .map(Value::Float),
            }
        }
        (Value::Text(_), Type::Word(_), Type::Word(_)) => Some(value.clone()),
        _ if from == to => Some(value.clone()),
        _ => None,
    }
}

fn assignable(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Int, Type::Float | Type::Quantity(_) | Type::Formula(_)) => true,
        (Type::Float, Type::Quantity(_) | Type::Formula(_)) => true,
        (Type::Quantity(from), Type::Quantity(to)) => units::convert(0.0, from, to).is_ok(),
        (Type::Quantity(from), Type::Duration) => units::convert(0.0, from, "s").is_ok(),
        (Type::Word(_), Type::Word(_)) => true,
        (Type::List(from), Type::List(to)) => assignable(from, to),
        (Type::Range(from), Type::Range(to)) => assignable(from, to),
        (Type::Column, Type::Formula(_)) => true,
        (from, to) => from == to,
    }
}

fn has_unit(expr: &Expr) -> bool {
    matches!(
        &expr.kind,
        ExprKind::Int { unit: Some(_), .. } | ExprKind::Float { unit: Some(_), .. }
    )
}

/// Whether the outermost operator gives numbers or yes/no.
fn looks(expr: &Expr) -> Sort {
    match &expr.kind {
        ExprKind::Unary {
            op: crate::ast::UnaryOp::Not,
            ..
        } => Sort::Truth,
        ExprKind::Binary { op, .. } => match op {
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Remainder
            | BinaryOp::Power => Sort::Number,
            _ => Sort::Truth,
        },
        _ => Sort::Number,
    }
}

fn number_name(value: &str, unit: Option<&Name>) -> String {
    match unit {
        Some(unit) => format!("the number `{value} {}`", unit.text),
        None => format!("the number `{value}`"),
    }
}

/// A path of names as written.
pub fn dotted(path: &[Name]) -> String {
    let names: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
    names.join(".")
}

fn made_name(makes: &Makes) -> String {
    match makes {
        Makes::Value(group) => a(group),
        Makes::Kinds(kinds) => {
            let names: Vec<String> = kinds.iter().map(|kind| a(kind.keyword())).collect();
            names.join(" or ")
        }
    }
}

/// A type in a message.
pub fn type_name(ty: &Type) -> String {
    match ty {
        Type::Kind(kind) => a(kind.keyword()),
        Type::Word(words) if words.is_empty() => "a word".to_owned(),
        Type::Word(words) => format!("one of {}", quoted(words.iter().map(String::as_str))),
        Type::Formula(_) => "a formula".to_owned(),
        Type::Condition(_) => "a condition".to_owned(),
        Type::OneOf(types) => {
            let names: Vec<String> = types.iter().map(type_name).collect();
            names.join(" or ")
        }
        other => format!("`{other}`"),
    }
}
