//! What a name or a call makes: the node of a statement or plugin, the value of a constructor.

use super::call::Call;
use super::checker::Checker;
use super::describe::made_name;
use super::env::{Env, Resolved};
use super::notes::Notes;
use super::scope::Entity;
use super::value::Expected;
use crate::ast::{Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{NodeId, Value};
use crate::foreign;
use crate::nearest::a;
use crate::signature::{Makes, Signature};
use crate::types::Kind;

impl<'p> Checker<'p> {
    /// The value of a constructor of this group.
    pub fn made(
        &mut self,
        expr: &Expr,
        env: Env,
        group: &str,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        let (callee, args) = match &expr.kind {
            ExprKind::Name(path) => (path, [].as_slice()),
            ExprKind::Call { callee, args } => (callee, args.as_slice()),
            _ => return self.mismatch(expr, env, want.ty),
        };
        let [name] = callee.as_slice() else {
            return self.mismatch(expr, env, want.ty);
        };
        match self.names.catalog.get_making(group, &name.text) {
            Some(signature) if signature.makes == Makes::Value(group.to_owned()) => {
                let call = Call::new(signature, name.span, env, want);
                self.constructed(&call, args, want.columns, notes)
            }
            Some(_) => self.mismatch(expr, env, want.ty),
            None if !matches!(self.find(callee, env), Resolved::Nothing) => {
                self.mismatch(expr, env, want.ty)
            }
            None => {
                let makes = Makes::Value(group.to_owned());
                let names = self.names.names_making(|other| *other == makes);
                let message = format!("unknown `{group}` `{}`", name.text);
                let diagnostic = Diagnostic::error(Code::UnknownPlugin, name.span, message)
                    .meant(&name.text, names.iter().copied());
                let diagnostic = meant_elsewhere(diagnostic, &name.text, &names)
                    .choices("choices", names.iter().copied());
                self.unknown(env, diagnostic);
                None
            }
        }
    }

    /// The node of a statement that is named, or of a plugin that is called.
    pub fn node(
        &mut self,
        expr: &Expr,
        env: Env,
        kind: Kind,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Value> {
        match &expr.kind {
            ExprKind::Name(path) => match self.find(path, env) {
                Resolved::Entity(Entity::Statement(at)) => {
                    let statement = &self.names.program.statements[at];
                    let found = Kind::from_keyword(&statement.keyword.text);
                    if want.statement {
                        let message = "expected a call of a plugin, found a name";
                        let diagnostic = Diagnostic::error(Code::WrongKind, expr.span, message);
                        let hint = format!(
                            "`{}` can be used wherever it is needed",
                            statement.name.text
                        );
                        self.report(env, diagnostic.hint(hint));
                        return None;
                    }
                    // A keyword that is not a kind is reported at its statement.
                    if found.is_some_and(|found| !found.fits(kind)) {
                        return self.mismatch(expr, env, want.ty);
                    }
                    let node = self.statement(at, notes)?;
                    self.expect_weights(node, kind, expr, env)?;
                    Some(Value::Node(node))
                }
                Resolved::Nothing => {
                    let name = &path[0];
                    let message = format!("unknown name `{}`", name.text);
                    let mut diagnostic = Diagnostic::error(Code::UnknownName, name.span, message)
                        .meant(&name.text, self.names_of(env.module));
                    if self.names.catalog.has(&name.text) {
                        diagnostic = diagnostic.hint(format!("call it: `{}(…)`", name.text));
                    }
                    if kind == Kind::Predictor && self.names.catalog.has("columns") {
                        let hint = format!("a column is a predictor as `columns({})`", name.text);
                        diagnostic = diagnostic.hint(hint);
                    }
                    self.unknown(env, diagnostic);
                    None
                }
                _ => self.mismatch(expr, env, want.ty),
            },
            ExprKind::Call { callee, args } => {
                let (signature, made) = self.plugin(expr, callee, env, kind, want)?;
                let call = Call::new(signature, expr.span, env, want);
                let node = self.call(&call, made, args, want.statement, notes)?;
                self.expect_weights(node, kind, expr, env)?;
                Some(Value::Node(node))
            }
            _ if self.is_arithmetic(expr, env) => self.arithmetic(expr, env, kind, want, notes),
            _ => self.mismatch(expr, env, want.ty),
        }
    }

    /// Refuses what has no weights of its own where weights are asked for.
    fn expect_weights(&mut self, node: NodeId, kind: Kind, expr: &Expr, env: Env) -> Option<()> {
        if kind != Kind::Weights || !self.calls.facts[node.0].known.by_row {
            return Some(());
        }
        let name = &self.calls.nodes[node.0].name;
        let message = format!("expected weights, found `{name}`, another network for each row");
        let diagnostic = Diagnostic::error(Code::WrongKind, expr.span, message)
            .hint("a child made by `adopt` is one network");
        self.report(env, diagnostic);
        None
    }

    /// The plugin a call names, when it makes this kind, and the kind it makes.
    fn plugin(
        &mut self,
        expr: &Expr,
        callee: &[Name],
        env: Env,
        kind: Kind,
        want: Expected,
    ) -> Option<(&'p Signature, Kind)> {
        let name = callee.last()?;
        let signature = self.names.signature(env.module, callee);
        match signature.map(|signature| (signature, &signature.makes)) {
            Some((signature, Makes::Kinds(kinds))) if kinds.contains(&kind) => {
                Some((signature, kind))
            }
            // A statement is what its keyword says.
            Some((signature, Makes::Kinds(kinds)))
                if !want.statement && kinds.iter().any(|it| it.fits(kind)) =>
            {
                let made = kinds.iter().find(|it| it.fits(kind));
                made.map(|made| (signature, *made))
            }
            Some((signature, makes)) => {
                let message = format!(
                    "expected a plugin that makes {}, found `{}`, which makes {}",
                    a(kind.keyword()),
                    signature.name,
                    made_name(makes)
                );
                let diagnostic = Diagnostic::error(Code::WrongKind, name.span, message);
                let names = self.making(kind);
                let diagnostic = meant_elsewhere(diagnostic, &name.text, &names)
                    .choices(&format!("plugins that make {}", a(kind.keyword())), names);
                let members = self.as_members(expr, env, want.ty);
                self.report(env, members.into_iter().fold(diagnostic, Diagnostic::hint));
                None
            }
            None => {
                let names = self.making(kind);
                let program = self.names.program;
                let defines = program.modules[env.module].names.iter();
                let defines = defines
                    .filter(|(_, (entity, _))| {
                        matches!(entity, Entity::Define(_) | Entity::Plugin(_))
                    })
                    .map(|(name, _)| name.as_str());
                let all = self
                    .names
                    .catalog
                    .iter()
                    .map(|signature| signature.name.as_str());
                let message = format!("unknown plugin `{}`", name.text);
                let diagnostic = Diagnostic::error(Code::UnknownPlugin, name.span, message)
                    .meant(&name.text, all.chain(defines));
                let diagnostic = match diagnostic.hints.is_empty() {
                    true => meant_elsewhere(diagnostic, &name.text, &names),
                    false => diagnostic,
                };
                let diagnostic =
                    diagnostic.choices(&format!("plugins that make {}", a(kind.keyword())), names);
                self.unknown(env, diagnostic);
                None
            }
        }
    }

    /// The plugins that make this kind.
    fn making(&self, kind: Kind) -> Vec<&'p str> {
        let fits = |makes: &Makes| matches!(makes, Makes::Kinds(kinds) if kinds.contains(&kind));
        self.names.names_making(fits)
    }
}

/// The diagnostic with the one of these plugins that does what the name means in other tools.
fn meant_elsewhere(diagnostic: Diagnostic, name: &str, plugins: &[&str]) -> Diagnostic {
    let theirs = foreign::plugin(name).iter();
    match theirs.copied().find(|ours| plugins.contains(ours)) {
        Some(ours) => diagnostic.hint(format!("it is called `{ours}`")),
        None => diagnostic,
    }
}
