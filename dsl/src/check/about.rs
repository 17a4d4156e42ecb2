//! What an experiment says about itself: `experiment "title" (authors: ["…"], license: "…")`.

use crate::ast::{Arg, Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Metadata;
use crate::nearest;

/// What may be said.
const NAMES: [&str; 4] = ["authors", "license", "cite", "about"];

/// What these arguments say; mistakes go to `found`.
pub fn metadata(args: &[Arg], found: &mut Vec<Diagnostic>) -> Metadata {
    let mut metadata = Metadata::default();
    let mut named: Vec<&Name> = Vec::new();
    for arg in args {
        let Arg::Named { name, value } = arg else {
            found.push(unnamed(arg));
            continue;
        };
        if let Some(before) = named.iter().find(|before| **before == name) {
            let message = format!("`{}` is said twice", name.text);
            let error = Diagnostic::error(Code::DuplicateArgument, name.span, message);
            found.push(error.and(before.span, "first here"));
            continue;
        }
        named.push(name);
        let said = match name.text.as_str() {
            "authors" => texts(value).map(|authors| metadata.authors = authors),
            "license" => text(value).map(|license| metadata.license = license),
            "cite" => text(value).map(|cite| metadata.cite = cite),
            "about" => text(value).map(|about| metadata.about = about),
            _ => Err(unknown(name)),
        };
        found.extend(said.err());
    }
    metadata
}

fn unnamed(arg: &Arg) -> Diagnostic {
    match arg {
        Arg::New { name, value } => {
            let between = crate::source::Span {
                start: name.span.end,
                end: value.span.start,
                ..name.span
            };
            let message = format!("expected `:` after `{}`, found `=`", name.text);
            let error = Diagnostic::error(Code::WrongType, name.span, message);
            error.fix(between, ": ")
        }
        _ => {
            let span = arg.value().span;
            let message = "what is said about an experiment has a name";
            Diagnostic::error(Code::TooManyArguments, span, message).hint(choices())
        }
    }
}

fn unknown(name: &Name) -> Diagnostic {
    let message = format!("an experiment has no `{}`", name.text);
    let error = Diagnostic::error(Code::UnknownArgument, name.span, message);
    match nearest(&name.text, NAMES) {
        Some(near) => error
            .hint(format!("did you mean `{near}`?"))
            .fix(name.span, near),
        None => error.hint(choices()),
    }
}

fn choices() -> String {
    format!("it may have `{}`", NAMES.join("`, `"))
}

fn text(value: &Expr) -> Result<String, Diagnostic> {
    match &value.kind {
        ExprKind::Text(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        ExprKind::Text(_) => {
            let message = "the text is empty";
            Err(Diagnostic::error(Code::OutOfRange, value.span, message))
        }
        _ => Err(no_text("text in quotes", value)),
    }
}

/// One text, or a list of them.
fn texts(value: &Expr) -> Result<Vec<String>, Diagnostic> {
    match &value.kind {
        ExprKind::List(values) if !values.is_empty() => values.iter().map(text).collect(),
        ExprKind::Text(_) => Ok(vec![text(value)?]),
        _ => Err(no_text("a list of names in quotes", value)),
    }
}

fn no_text(expected: &str, value: &Expr) -> Diagnostic {
    let found = match &value.kind {
        ExprKind::Int { .. } | ExprKind::Float { .. } => "a number",
        ExprKind::Date(_) => "a date",
        ExprKind::Bool(_) => "`true` or `false`",
        ExprKind::List(values) if values.is_empty() => "an empty list",
        ExprKind::List(_) => "a list",
        ExprKind::Name(_) => "a name without quotes",
        _ => "an expression",
    };
    let message = format!("expected {expected}, found {found}");
    let error = Diagnostic::error(Code::WrongType, value.span, message);
    error.hint("what is said about an experiment is text, not the value of a param or statement")
}
