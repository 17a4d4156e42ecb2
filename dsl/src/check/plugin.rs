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
use crate::experiment::Value;
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
        match self.names.catalog.get(&name.text) {
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
                    .meant(&name.text, names.iter().copied())
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
                    // A keyword that is no kind is reported at its statement.
                    if found.is_some_and(|found| found != kind) {
                        return self.mismatch(expr, env, want.ty);
                    }
                    self.statement(at, notes).map(Value::Node)
                }
                Resolved::Nothing => {
                    let name = &path[0];
                    let message = format!("unknown name `{}`", name.text);
                    let mut diagnostic = Diagnostic::error(Code::UnknownName, name.span, message)
                        .meant(&name.text, self.names_of(env.module));
                    if self.names.catalog.get(&name.text).is_some() {
                        diagnostic = diagnostic.hint(format!("call it: `{}(…)`", name.text));
                    }
                    self.unknown(env, diagnostic);
                    None
                }
                _ => self.mismatch(expr, env, want.ty),
            },
            ExprKind::Call { callee, args } => {
                let signature = self.plugin(callee, env, kind)?;
                let call = Call::new(signature, expr.span, env, want);
                let node = self.call(&call, kind, args, want.statement, notes)?;
                Some(Value::Node(node))
            }
            _ => self.mismatch(expr, env, want.ty),
        }
    }

    /// The plugin a call names, when it makes this kind.
    fn plugin(&mut self, callee: &[Name], env: Env, kind: Kind) -> Option<&'p Signature> {
        let name = callee.last()?;
        let signature = match callee.len() {
            1 => self.names.catalog.get(&name.text),
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
                let names = self.names.names_making(
                    |makes| matches!(makes, Makes::Kinds(kinds) if kinds.contains(&kind)),
                );
                let program = self.names.program;
                let defines = program.modules[env.module].names.iter();
                let defines = defines
                    .filter(|(_, (entity, _))| matches!(entity, Entity::Define(_)))
                    .map(|(name, _)| name.as_str());
                let all = self
                    .names
                    .catalog
                    .iter()
                    .map(|signature| signature.name.as_str());
                let message = format!("unknown plugin `{}`", name.text);
                let diagnostic = Diagnostic::error(Code::UnknownPlugin, name.span, message)
                    .meant(&name.text, all.chain(defines))
                    .choices(&format!("plugins that make {}", a(kind.keyword())), names);
                self.unknown(env, diagnostic);
                None
            }
        }
    }
}
