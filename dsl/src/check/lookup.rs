//! What is known before anything is evaluated: the names of files, the plugins, the world.

use super::Outside;
use super::env::{Env, Resolved};
use super::scope::{Entity, NO_FILE, Program};
use super::trace::{Meaning, Trace};
use crate::ast::Name;
use crate::signature::{Catalog, Makes, Signature};
use crate::sweep::Choices;
use crate::types::Type;

/// What the checker reads and never changes.
#[derive(Clone, Copy)]
pub struct Lookup<'p> {
    pub program: &'p Program,
    pub catalog: &'p Catalog,
    pub outside: &'p dyn Outside,
    pub choices: &'p Choices,
    /// Who hears what is resolved.
    pub trace: Option<&'p dyn Trace>,
}

impl<'p> Lookup<'p> {
    /// What a name means here.
    pub fn find<'e>(self, path: &[Name], env: Env<'e>) -> Resolved<'e> {
        let single = path.len() == 1;
        if single
            && let Some(name) = path.first()
            && let Some((expr, env)) = env.arg(&name.text)
        {
            return Resolved::Arg(expr, env);
        }
        match self.program.resolve(env.module, path) {
            Ok(Entity::Broken) => Resolved::Failed,
            // A plugin is called: its name alone may be that of a column.
            Ok(Entity::Plugin(_)) if single => Resolved::Nothing,
            Ok(entity) => Resolved::Entity(entity),
            Err(_) if single => Resolved::Nothing,
            Err(_) => Resolved::Failed,
        }
    }

    /// Tells whoever hears it what a name was found to be.
    pub fn trace_name(self, path: &[Name], found: &Resolved) {
        let (Some(trace), [.., name]) = (self.trace, path) else {
            return;
        };
        let program = self.program;
        let (meaning, said) = match found {
            Resolved::Arg(expr, _) => (Meaning::Argument, expr.span),
            Resolved::Entity(Entity::Param(at)) => (Meaning::Param, program.params[*at].name.span),
            Resolved::Entity(Entity::Define(at)) => {
                (Meaning::Define, program.defines[*at].name.span)
            }
            Resolved::Entity(Entity::Plugin(at)) => {
                (Meaning::Plugin, program.plugins[*at].item.name.span)
            }
            Resolved::Entity(Entity::Statement(at)) => {
                (Meaning::Statement, program.statements[*at].name.span)
            }
            Resolved::Entity(Entity::Module(at)) => (Meaning::File, program.modules[*at].used),
            Resolved::Entity(Entity::Broken) | Resolved::Nothing | Resolved::Failed => return,
        };
        if name.span.file != NO_FILE {
            trace.name(name.span, meaning, said);
        }
    }

    /// The plugin or constructor that a call in a file names.
    pub fn signature(self, module: usize, callee: &[Name]) -> Option<&'p Signature> {
        let plugins = &self.program.plugins;
        if !plugins.is_empty() {
            if let Ok(Entity::Plugin(at)) = self.program.resolve(module, callee) {
                return self.catalog.get(&plugins[at].full);
            }
            let [name] = callee else { return None };
            // Those of other files are reached through these.
            if plugins.iter().any(|plugin| plugin.full == name.text) {
                return None;
            }
        }
        match callee {
            [name] => self.catalog.get(&name.text),
            _ => None,
        }
    }

    /// The plugins and constructors that make something fitting.
    pub fn names_making(self, fits: impl Fn(&Makes) -> bool) -> Vec<&'p str> {
        let fitting = self
            .catalog
            .iter()
            .filter(|signature| fits(&signature.makes));
        fitting.map(|signature| signature.name.as_str()).collect()
    }

    /// The groups of constructors.
    pub fn groups(self) -> Vec<&'p str> {
        self.catalog.groups()
    }

    /// Whether a call of this name makes a value of a type.
    pub fn makes(self, callee: &str, ty: &Type) -> bool {
        let signature = match ty {
            Type::Constructed(group) => self.catalog.get_making(group, callee),
            _ => self.catalog.get(callee),
        };
        let makes = signature.map(|signature| &signature.makes);
        match (makes, ty) {
            (Some(Makes::Kinds(kinds)), Type::Kind(kind)) => kinds.iter().any(|it| it.fits(*kind)),
            (Some(Makes::Value(group)), Type::Constructed(wanted)) => group == wanted,
            _ => false,
        }
    }
}
