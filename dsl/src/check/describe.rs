//! Expressions, values and types in the words of messages.

use super::checker::Checker;
use super::env::{Env, Resolved};
use super::known::takes_kind;
use super::scope::Entity;
use crate::ast::{Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;
use crate::nearest::{a, either, quoted};
use crate::signature::Makes;
use crate::types::{Kind, Type};

impl<'p> Checker<'p> {
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
            (Type::Constructed(group), _) => {
                let makes = Makes::Value(group.clone());
                diagnostic.choices("choices", self.names.names_making(|other| *other == makes))
            }
            (
                Type::String | Type::Path,
                ExprKind::Name(_) | ExprKind::Binary { .. } | ExprKind::Int { .. },
            ) => match self.source(expr.span) {
                written if !written.is_empty() && !written.contains(['"', '\n', '\\']) => {
                    diagnostic.hint(format!("text is in quotes: `\"{written}\"`"))
                }
                _ => diagnostic.hint("text is in quotes"),
            },
            (Type::Column, ExprKind::Text(_)) => diagnostic.hint("write the name without quotes"),
            (Type::OneOf(types), ExprKind::Text(_)) if types.contains(&Type::Column) => {
                diagnostic.hint("write the name without quotes")
            }
            (Type::Kind(Kind::Data), ExprKind::Text(text)) if !text.contains(['"', '\n', '\\']) => {
                let end = text.rsplit_once('.').map(|(_, end)| end);
                let reader = match end {
                    Some("nc" | "nc4") => "netcdf",
                    Some(end) if self.names.catalog.has(end) => end,
                    _ => "csv",
                };
                diagnostic.hint(format!(
                    "a file is read by a plugin: `{reader}(\"{text}\")`"
                ))
            }
            (Type::Range(_), _) => diagnostic.hint("write `first..=last`"),
            (_, ExprKind::Name(path)) => {
                match path.last().and_then(|name| foreign::word(&name.text)) {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                }
            }
            _ => diagnostic,
        };
        let members = self.as_members(expr, env, ty);
        self.report(env, members.into_iter().fold(diagnostic, Diagnostic::hint));
        None
    }

    /// What an expression is, in words.
    pub fn describe(&self, expr: &Expr, env: Env) -> String {
        match &expr.kind {
            ExprKind::Int { value, unit } => number_name(&value.to_string(), unit.as_ref()),
            ExprKind::Float { value, unit } => number_name(&format!("{value:?}"), unit.as_ref()),
            ExprKind::Bool(value) => format!("`{value}`"),
            ExprKind::Date(date) => format!("the date `{date}`"),
            ExprKind::Text(_) => "text".to_owned(),
            ExprKind::List(_) => "a list".to_owned(),
            ExprKind::Range { .. } => "a range".to_owned(),
            ExprKind::Unary { .. } | ExprKind::Binary { .. } => "a formula".to_owned(),
            ExprKind::Name(path) => {
                let text = dotted(path);
                match self.names.find(path, env) {
                    Resolved::Entity(Entity::Param(param)) => match &self.params[param].ty {
                        Some(ty) => format!("`{text}`, which is {}", type_name(ty)),
                        None => format!("`{text}`"),
                    },
                    Resolved::Entity(Entity::Statement(at)) => {
                        let keyword = &self.names.program.statements[at].keyword.text;
                        format!("`{text}`, which is {}", a(keyword))
                    }
                    Resolved::Entity(Entity::Define(_)) => {
                        format!("`{text}`, which is a definition")
                    }
                    Resolved::Entity(Entity::Plugin(_)) => {
                        format!("`{text}`, which is a plugin: call it")
                    }
                    Resolved::Entity(Entity::Module(_)) => format!("`{text}`, which is a file"),
                    _ => format!("the name `{text}`"),
                }
            }
            ExprKind::Part { path, .. } => {
                let text = dotted(path);
                match self.part_type(path) {
                    Some(ty) => format!("the choice of `{text}`, which is {}", type_name(&ty)),
                    None => format!("a part named `{text}`"),
                }
            }
            ExprKind::Call { callee, .. } => {
                let text = dotted(callee);
                match self.names.signature(env.module, callee) {
                    Some(plugin) => format!("`{text}`, which makes {}", made_name(&plugin.makes)),
                    None => format!("a call of `{text}`"),
                }
            }
        }
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

/// What a call makes, in a message.
pub fn made_name(makes: &Makes) -> String {
    match makes {
        Makes::Value(group) => a(group),
        Makes::Kinds(kinds) => {
            let names: Vec<String> = kinds.iter().map(|kind| a(kind.keyword())).collect();
            either(&names)
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
            either(&names)
        }
        other => a(&other.to_string()),
    }
}
