//! What is known before anything is evaluated: the names of files, the plugins, the world.

use super::Outside;
use super::env::{Env, Resolved};
use super::scope::{Entity, Program};
use crate::ast::Name;
use crate::signature::{Catalog, Makes};
use crate::sweep::Choices;
use crate::types::Type;

/// What the checker reads and never changes.
#[derive(Clone, Copy)]
pub struct Lookup<'p> {
    pub program: &'p Program,
    pub catalog: &'p Catalog,
    pub outside: &'p dyn Outside,
    pub choices: &'p Choices,
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
            Ok(entity) => Resolved::Entity(entity),
            Err(_) if single => Resolved::Nothing,
            Err(_) => Resolved::Failed,
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
        let groups = self.catalog.iter();
        let groups = groups.filter_map(|signature| match &signature.makes {
            Makes::Value(group) => Some(group.as_str()),
            Makes::Kinds(_) => None,
        });
        let mut groups: Vec<&str> = groups.collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Whether a call of this name makes a value of a type.
    pub fn makes(self, callee: &str, ty: &Type) -> bool {
        let makes = self.catalog.get(callee).map(|signature| &signature.makes);
        match (makes, ty) {
            (Some(Makes::Kinds(kinds)), Type::Kind(kind)) => kinds.contains(kind),
            (Some(Makes::Value(group)), Type::Constructed(wanted)) => group == wanted,
            _ => false,
        }
    }
}
