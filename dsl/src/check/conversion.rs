//! Values of one type where another is wanted, and which of several types an expression fits.

use super::checker::Checker;
use super::describe::dotted;
use super::env::{Env, Resolved};
use super::extent::size;
use super::known::{Columns, takes_kind};
use super::notes::Notes;
use super::scope::Entity;
use super::value::Expected;
use crate::ast::{BinaryOp, Expr, ExprKind, Name, UnaryOp};
use crate::column::{self, Sort};
use crate::experiment::Value;
use crate::types::{Kind, Type};
use crate::units;

impl Checker<'_> {
    /// Whether an expression looks like a value of this type, to choose among several.
    pub fn fits(&self, expr: &Expr, env: Env, want: Expected) -> bool {
        let ty = want.ty;
        if let Type::OneOf(types) = ty {
            return types.iter().any(|ty| self.fits(expr, env, want.part(ty)));
        }
        let number = matches!(ty, Type::Float | Type::Quantity(_) | Type::Formula(_));
        let one = match &expr.kind {
            ExprKind::Int { unit: None, .. } => number || *ty == Type::Int,
            ExprKind::Int { .. } | ExprKind::Float { .. } => {
                number || (*ty == Type::Duration && has_unit(expr))
            }
            ExprKind::Date(_) => matches!(ty, Type::Formula(_)),
            ExprKind::Bool(_) => matches!(ty, Type::Bool | Type::Condition(_)),
            ExprKind::Text(_) => matches!(ty, Type::String | Type::Path),
            ExprKind::Range { .. } => matches!(ty, Type::Range(_)),
            ExprKind::List(items) => match ty {
                Type::List(inner) => items
                    .first()
                    .is_none_or(|item| self.fits(item, env, want.part(inner))),
                _ => false,
            },
            ExprKind::Unary { .. } | ExprKind::Binary { .. } => match looks(expr) {
                Sort::Number if takes_kind(ty) => {
                    matches!(ty, Type::Kind(_)) && self.is_arithmetic(expr, env)
                }
                Sort::Number => number || matches!(ty, Type::Int | Type::Duration),
                _ => matches!(ty, Type::Condition(_)),
            },
            ExprKind::Part { path, .. } => {
                let known = self.part_type(path);
                known.is_some_and(|known| assignable(&known, ty))
            }
            ExprKind::Name(path) => match self.names.find(path, env) {
                Resolved::Arg(inner, env) => return self.fits(inner, env, want),
                Resolved::Entity(Entity::Param(param))
                    if matches!(ty, Type::Formula(_) | Type::Condition(_))
                        || self.means_param(param, path, ty, want.columns) =>
                {
                    let known = self.params[param].ty.clone();
                    known.is_some_and(|known| assignable(&known, ty))
                }
                Resolved::Entity(Entity::Statement(at)) => {
                    let keyword = self.names.program.statements[at].keyword.text.as_str();
                    matches!(ty, Type::Kind(kind)
                        if Kind::from_keyword(keyword).is_some_and(|it| it.fits(*kind)))
                }
                _ => match ty {
                    Type::Word(words) => words.contains(&path[0].text),
                    Type::Constructed(_) => self.names.makes(&path[0].text, ty),
                    Type::Column | Type::Formula(_) => true,
                    _ => false,
                },
            },
            ExprKind::Call { callee, .. } => match column::function(&dotted(callee)) {
                // `season` is a predictor, too.
                Some(function) if !self.names.makes(function.name, ty) => match function.returns {
                    Sort::Number => number,
                    Sort::Truth => matches!(ty, Type::Condition(_)),
                    Sort::Time | Sort::Text => matches!(ty, Type::Formula(_)),
                },
                _ => self.names.makes(&dotted(callee), ty),
            },
        };
        let alone = !matches!(expr.kind, ExprKind::List(_));
        one || matches!(ty, Type::List(inner) if alone && self.fits(expr, env, want.part(inner)))
    }

    /// Whether a name that is a param's means the param here. A word, a column or a constructor
    /// of the same name goes before a param of a type that cannot stand here.
    pub fn means_param(&self, param: usize, path: &[Name], ty: &Type, columns: &Columns) -> bool {
        let own = self.params[param].ty.as_ref();
        let assignable = |ty| own.is_some_and(|own| assignable(own, ty));
        let means = |ty| self.means_param(param, path, ty, columns);
        match (ty, path) {
            // They read their params themselves.
            (Type::Formula(_) | Type::Condition(_), _) => false,
            (Type::List(inner), _) => assignable(ty) || means(inner),
            (Type::OneOf(types), _) => types.iter().any(assignable) || types.iter().all(means),
            (Type::Word(words), [name]) => {
                assignable(ty) || !(words.is_empty() || words.contains(&name.text))
            }
            (Type::Column, [name]) => {
                let known = match columns {
                    Columns::Known(schema, _) => schema.find(&name.text).is_some(),
                    _ => false,
                };
                assignable(ty) || !known
            }
            (Type::Constructed(_), [name]) => assignable(ty) || !self.names.makes(&name.text, ty),
            _ => true,
        }
    }

    /// The value of a param where a value is wanted.
    pub fn param_as(
        &mut self,
        param: usize,
        expr: &Expr,
        env: Env,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let value = self.param(param, notes)?;
        self.count(size(&value), expr.span, env)?;
        let ty = self.params[param].ty.clone()?;
        let before = self.sink.count();
        let value = self.known_as(value, &ty, expr, env, want, notes);
        self.blame_param(param, before);
        value
    }

    /// A value that a param has or a sweep chose, where a value is wanted.
    pub fn known_as(
        &mut self,
        value: Value,
        ty: &Type,
        expr: &Expr,
        env: Env,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        if let (Type::Column, Type::Column, Value::Text(column)) = (ty, want.ty, &value) {
            if let ExprKind::Name(path) = &expr.kind {
                self.refuse_ambiguous(path, want.columns, env)?;
            }
            self.column_named(column, expr.span, env, want.columns, notes)?;
            self.expect_numbers(column, expr.span, env, want)?;
        }
        if let (Type::Word(_), Type::Word(words), Value::Text(word)) = (ty, want.ty, &value)
            && !words.is_empty()
            && !words.contains(word)
        {
            return self.unknown_choice(word, words, expr.span, env);
        }
        match convert(&value, ty, want.ty) {
            Some(value) => Some(value),
            None => self.mismatch(expr, env, want.ty),
        }
    }
}

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
            op: UnaryOp::Not, ..
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
