//! Which argument of a call is for which parameter.

use super::call::Call;
use super::checker::Checker;
use super::describe::type_name;
use super::env::Resolved;
use super::scope::{Entity, join};
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;
use crate::nearest::{count, quoted};
use crate::signature::{ColumnRule, Makes, Param, Signature};
use crate::source::Span;
use crate::types::{Kind, Type};

/// Formulas of more characters than these are not repeated in hints.
const LONGEST_FORMULA: usize = 48;

/// What was written for one parameter.
pub enum Binding<'e> {
    Nothing,
    /// One value, named or not.
    One(&'e Expr, Span),
    /// Positional values collected by a variadic parameter.
    Many(Vec<&'e Expr>),
    /// `name = formula` arguments.
    New(Vec<(&'e Name, &'e Expr)>),
}

impl Binding<'_> {
    pub fn span(&self) -> Option<Span> {
        match self {
            Binding::Nothing => None,
            Binding::One(expr, _) => Some(expr.span),
            Binding::Many(exprs) => match (exprs.first(), exprs.last()) {
                (Some(first), Some(last)) => Some(first.span.to(last.span)),
                _ => None,
            },
            Binding::New(new) => match (new.first(), new.last()) {
                (Some((name, _)), Some((_, last))) => Some(name.span.to(last.span)),
                _ => None,
            },
        }
    }
}

impl Checker<'_> {
    /// Which expression is for which parameter.
    pub fn bind<'e>(&mut self, call: &Call, args: &'e [Arg]) -> (Vec<Binding<'e>>, bool) {
        let params = &call.signature.params;
        let mut given: Vec<Binding> = params.iter().map(|_| Binding::Nothing).collect();
        let mut broken = false;
        let mut next = 0;
        let mut named: Option<Span> = None;
        for (at, arg) in args.iter().enumerate() {
            let done = match arg {
                Arg::Positional(value) => match named {
                    Some(before) => {
                        let message = "a value without a name comes after a named one";
                        let code = Code::PositionalAfterNamed;
                        let diagnostic =
                            Diagnostic::error(code, value.span, message).and(before, "named here");
                        let list = self.meant_as_list(call.signature, args, at);
                        self.report(
                            call.env,
                            list.into_iter().fold(diagnostic, Diagnostic::hint),
                        );
                        None
                    }
                    None => self.bind_positional(call, value, &mut next, &mut given),
                },
                Arg::Named { name, value } => {
                    named.get_or_insert(name.span);
                    self.bind_named(call, name, value, &mut given)
                }
                Arg::New { name, value } => self.bind_new(call, name, value, &mut given),
            };
            broken |= done.is_none();
        }
        (given, broken)
    }

    /// How to write the list that a named number and those after it may mean: `hidden: 16, 16`.
    fn meant_as_list(&self, signature: &Signature, args: &[Arg], at: usize) -> Option<String> {
        let Arg::Named { name, value } = args.get(at.checked_sub(1)?)? else {
            return None;
        };
        let mut params = signature.params.iter();
        let param = params.find(|param| is_named(param, &name.text))?;
        let after = args[at..].iter().map_while(|arg| match arg {
            Arg::Positional(value) => Some(value),
            _ => None,
        });
        let values: Vec<&Expr> = [value].into_iter().chain(after).collect();
        let is_number =
            |it: &&Expr| matches!(it.kind, ExprKind::Int { .. } | ExprKind::Float { .. });
        if !matches!(param.ty, Type::List(_)) || !values.iter().all(is_number) {
            return None;
        }
        let values: Vec<&str> = values.iter().map(|it| self.source(it.span)).collect();
        Some(format!(
            "a list is written `{}: [{}]`",
            name.text,
            values.join(", ")
        ))
    }

    fn bind_positional<'e>(
        &mut self,
        call: &Call,
        value: &'e Expr,
        next: &mut usize,
        given: &mut [Binding<'e>],
    ) -> Option<()> {
        let params = &call.signature.params;
        while params.get(*next).is_some_and(|param| param.definitions) {
            *next += 1;
        }
        let Some((param, slot)) = params.get(*next).zip(given.get_mut(*next)) else {
            let name = &call.signature.name;
            let takes = params.iter().filter(|param| !param.definitions).count();
            let message = format!("`{name}` takes {}", count(takes));
            let mut diagnostic = Diagnostic::error(Code::TooManyArguments, value.span, message);
            let before = next.checked_sub(1).and_then(|last| given.get(last));
            let number = match before {
                Some(Binding::One(before, _)) => self.decimal_comma(before, value),
                _ => None,
            };
            if let Some(number) = number {
                diagnostic = diagnostic.hint(format!("a number has a decimal point: `{number}`"));
            } else if is_comparison(value)
                && let Some(Binding::One(before, _)) = before
                && is_comparison(before)
            {
                diagnostic = diagnostic.hint("conditions are joined by `and`");
            }
            let diagnostic = diagnostic.choices("parameters", param_names(call.signature));
            self.report(call.env, diagnostic);
            return None;
        };
        if !param.variadic {
            *next += 1;
            *slot = Binding::One(value, value.span);
            return Some(());
        }
        match slot {
            Binding::Many(values) => values.push(value),
            _ => *slot = Binding::Many(vec![value]),
        }
        Some(())
    }

    /// The number that two arguments may mean with nothing but a comma between its digits:
    /// `x > 1,5`.
    fn decimal_comma(&self, before: &Expr, decimals: &Expr) -> Option<String> {
        let is_whole = matches!(decimals.kind, ExprKind::Int { unit: None, .. });
        let is_one = is_whole && before.span.end + 1 == decimals.span.start;
        let [before, decimals] = [before, decimals].map(|it| self.source(it.span));
        let rest = before.trim_end_matches(|it: char| it.is_ascii_digit());
        let whole = &before[rest.len()..];
        (is_one && !whole.is_empty()).then(|| format!("{whole}.{decimals}"))
    }

    /// Where a parameter belongs that a constructor in an argument has: `rate` in the `adam(…)` of
    /// `optimizer`.
    fn inside(&self, signature: &Signature, name: &str) -> Option<String> {
        let wanted = [Some(name), foreign::parameter(name)];
        wanted.into_iter().flatten().find_map(|wanted| {
            signature.params.iter().find_map(|param| {
                let Type::Constructed(group) = &param.ty else {
                    return None;
                };
                let makes = Makes::Value(group.clone());
                let mut all = self.names.catalog.iter();
                let made = all.find(|it| it.makes == makes && it.param(wanted).is_some())?;
                let (param, made) = (&param.name, &made.name);
                let hint = format!("`{wanted}` belongs in `{param}: {made}({wanted}: …)`");
                Some(hint)
            })
        })
    }

    fn bind_named<'e>(
        &mut self,
        call: &Call,
        name: &Name,
        value: &'e Expr,
        given: &mut [Binding<'e>],
    ) -> Option<()> {
        let signature = call.signature;
        let at = signature
            .params
            .iter()
            .position(|param| is_named(param, &name.text) && !param.definitions);
        let Some((at, slot)) = at.and_then(|at| Some((at, given.get_mut(at)?))) else {
            let message = format!("`{}` has no parameter `{}`", signature.name, name.text);
            let ours = foreign::parameter(&name.text);
            let ours = ours.filter(|ours| param_names(signature).any(|known| known == *ours));
            let diagnostic = Diagnostic::error(Code::UnknownArgument, name.span, message);
            let diagnostic = match (ours, self.inside(signature, &name.text)) {
                (Some(ours), _) => diagnostic.hint(format!("it is called `{ours}`")),
                (None, Some(inside)) => diagnostic.hint(inside),
                (None, None) => match foreign::no_parameter(&name.text) {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic.meant(&name.text, param_names(signature)),
                },
            };
            let mut diagnostic = diagnostic.choices("parameters", param_names(signature));
            if signature.params.iter().any(|param| param.definitions) {
                diagnostic =
                    diagnostic.hint(format!("a new column is written `{} = …`", name.text));
            }
            let is_condition = |param: &Param| matches!(param.ty, Type::Condition(_));
            let is_value = !matches!(value.kind, ExprKind::Binary { .. } | ExprKind::List(_));
            if is_value && signature.params.iter().any(is_condition) {
                let value = self.source(value.span);
                let hint = format!("to compare, write `{} == {value}`", name.text);
                diagnostic = diagnostic.hint(hint);
            }
            self.report(call.env, diagnostic);
            return None;
        };
        let now = &signature.params[at].name;
        if *now != name.text {
            let message = format!("`{}` is now called `{now}`", name.text);
            let diagnostic = Diagnostic::warning(Code::RenamedArgument, name.span, message);
            self.report(call.env, diagnostic.fix(name.span, now));
        }
        let before = match slot {
            Binding::Nothing => {
                *slot = Binding::One(value, name.span);
                return Some(());
            }
            Binding::One(_, span) => Some(*span),
            other => other.span(),
        };
        let message = format!("`{}` is given twice", signature.params[at].name);
        let diagnostic = Diagnostic::error(Code::DuplicateArgument, name.span, message)
            .and(before.unwrap_or(call.span), "first here");
        self.report(call.env, diagnostic);
        None
    }

    fn bind_new<'e>(
        &mut self,
        call: &Call,
        name: &'e Name,
        value: &'e Expr,
        given: &mut [Binding<'e>],
    ) -> Option<()> {
        let signature = call.signature;
        let at = signature.params.iter().position(|param| param.definitions);
        let Some(slot) = at.and_then(|at| given.get_mut(at)) else {
            self.refuse_new(call, name, value, given);
            return None;
        };
        match slot {
            Binding::New(new) => new.push((name, value)),
            _ => *slot = Binding::New(vec![(name, value)]),
        }
        Some(())
    }

    /// Refuses `name = value` where nothing new is made: a comparison, or an argument.
    fn refuse_new(&mut self, call: &Call, name: &Name, value: &Expr, given: &[Binding]) {
        let signature = call.signature;
        let mut slots = signature.params.iter().zip(given);
        let next = slots.find(|(_, given)| matches!(given, Binding::Nothing));
        let is_condition = next.is_some_and(|(param, _)| matches!(param.ty, Type::Condition(_)));
        let is_param = param_names(signature).any(|known| known == name.text);
        let (text, span) = (&name.text, name.span.to(value.span));
        let written = self.source(value.span);
        let diagnostic = if is_condition && !is_param {
            let message = format!("expected a condition, found a new column `{text}`");
            Diagnostic::error(Code::WrongType, span, message)
                .hint(format!("to compare, write `{text} == {written}`"))
        } else {
            let message = match is_param {
                true => "expected `:` after the name of an argument, found `=`".to_owned(),
                false => format!("`{}` makes no new columns", signature.name),
            };
            Diagnostic::error(Code::UnknownArgument, name.span, message).hint(format!(
                "an argument is written with a colon: `{text}: {written}`"
            ))
        };
        self.report(call.env, diagnostic);
    }

    /// Refuses a call that leaves out what has no default. A positional argument that was refused,
    /// as what was said since says, is most likely meant for it: that is one mistake.
    pub fn refuse_missing(&mut self, call: &Call, given: &[Binding], said: usize) {
        let name = &call.signature.name;
        let refused = |it: &Diagnostic| refused_param(call.signature, given, it);
        let mut since = self.sink.take_after(said);
        let first = since.iter().position(|it| refused(it).is_some());
        let first = first.map(|at| since.remove(at));
        // Those after it are each in the place of the one before.
        since.retain(|it| refused(it).is_none());
        since.into_iter().for_each(|it| self.sink.report(it));
        let place = first.as_ref().and_then(|it| Some(it.labels.first()?.span));
        if let Some(first) = first.filter(|it| refused(it).is_some_and(is_needed)) {
            let needed = call
                .signature
                .params
                .iter()
                .filter(|param| is_needed(param));
            let needed = quoted(needed.map(|param| param.name.as_str()));
            self.sink
                .report(first.hint(format!("`{name}` needs {needed}")));
            return;
        }
        let missing = missing(call.signature, given);
        let names = quoted(missing.iter().map(|param| param.name.as_str()));
        let message = format!("`{name}` is missing {names}");
        let mut diagnostic = Diagnostic::error(Code::MissingArgument, call.span, message);
        for param in missing {
            let doc = param.doc.lines().next().unwrap_or_default();
            let what = type_name(&param.ty);
            diagnostic = diagnostic.hint(match doc {
                "" => format!("`{}` takes {what}", param.name),
                doc => format!("`{}` takes {what}: {doc}", param.name),
            });
            if let Some(place) = place.filter(|_| param.definitions) {
                let written = self.source(place);
                let is_short = written.len() <= LONGEST_FORMULA && !written.contains('\n');
                let formula = if is_short { written } else { "…" };
                diagnostic = diagnostic.hint(format!("a new column is written `name = {formula}`"));
            }
            diagnostic = diagnostic.choices(
                "the file has",
                self.in_file(call, param, given).iter().map(String::as_str),
            );
            if let Some(value) = self.without_name(call, param, given) {
                let hint = format!("write `{}: {}`", param.name, self.source(value.span));
                diagnostic = diagnostic.hint(hint);
            }
        }
        self.report(call.env, diagnostic);
    }

    /// The columns that a missing list of a source may choose from: those of the file that is named.
    fn in_file(&self, call: &Call, missing: &Param, given: &[Binding]) -> Vec<String> {
        let is_choice = matches!(&missing.ty, Type::List(of) if **of == Type::Column);
        let file = given.iter().find_map(|binding| match binding {
            Binding::One(
                Expr {
                    kind: ExprKind::Text(text),
                    ..
                },
                _,
            ) => Some(text),
            _ => None,
        });
        let module = &self.names.program.modules[call.env.module];
        let path = file.filter(|text| !text.is_empty() && module.package.is_empty());
        match path {
            Some(text) if is_choice && call.signature.columns == ColumnRule::Source => {
                let path = join(&module.folder, text);
                self.names.outside.names(&call.signature.name, &path)
            }
            _ => Vec::new(),
        }
    }

    /// The value among those of a parameter that takes many that a missing parameter takes and this one does
    /// not: `on: test` of `compare(net, test)`.
    fn without_name<'e>(
        &self,
        call: &Call,
        missing: &Param,
        given: &[Binding<'e>],
    ) -> Option<&'e Expr> {
        let Type::Kind(wanted) = missing.ty else {
            return None;
        };
        let made_by = |expr: &Expr| match &expr.kind {
            ExprKind::Name(path) => match self.names.find(path, call.env) {
                Resolved::Entity(Entity::Statement(at)) => {
                    Kind::from_keyword(&self.names.program.statements[at].keyword.text)
                }
                _ => None,
            },
            _ => None,
        };
        let values = given.iter().filter_map(|binding| match binding {
            Binding::Many(values) => Some(values),
            _ => None,
        });
        let mut values = values.flatten().copied();
        values.find(|value| made_by(value) == Some(wanted))
    }
}

/// The parameters that are left out and have no default.
pub fn missing<'s>(signature: &'s Signature, given: &[Binding]) -> Vec<&'s Param> {
    let params = signature.params.iter().zip(given);
    params
        .filter(|(param, given)| matches!(given, Binding::Nothing) && is_needed(param))
        .map(|(param, _)| param)
        .collect()
}

fn is_needed(param: &Param) -> bool {
    param.default.is_none() && !param.optional
}

/// The parameter whose positional argument a diagnostic refuses as a whole.
fn refused_param<'s>(
    signature: &'s Signature,
    given: &[Binding],
    diagnostic: &Diagnostic,
) -> Option<&'s Param> {
    let place = diagnostic.labels.first()?.span;
    let is_refused = |given: &Binding| match given {
        Binding::One(value, written) => value.span == *written && value.span == place,
        Binding::Many(values) => values.iter().any(|value| value.span == place),
        Binding::Nothing | Binding::New(_) => false,
    };
    let mut params = signature.params.iter().zip(given);
    let found = params.find(|(_, given)| is_refused(given));
    found
        .filter(|_| matches!(diagnostic.code, Code::WrongKind | Code::WrongType))
        .map(|(param, _)| param)
}

fn is_comparison(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Binary { op, .. } if op.compares() || *op == BinaryOp::In)
}

fn param_names(signature: &Signature) -> impl Iterator<Item = &str> {
    let params = signature.params.iter().filter(|param| !param.definitions);
    params.map(|param| param.name.as_str())
}

/// Whether a parameter has this name, or had it.
fn is_named(param: &Param, name: &str) -> bool {
    param.name == name || param.was.as_deref() == Some(name)
}
