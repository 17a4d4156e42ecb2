//! A world with packages: what a path that begins with `@` means, before any other.

use dsl::check::{Missing, Outside, ProgramFault};
use dsl::experiment::{Arguments, Declared, Value};
use dsl::facts::Complaint;
use dsl::types::Schema;

use super::resolve::Packages;
use crate::path_text::path_text;

/// A world, and the packages of a project.
#[derive(Clone, Copy)]
pub struct WithPackages<'a> {
    /// The world without them.
    pub world: &'a dyn Outside,
    /// The packages.
    pub packages: &'a Packages,
}

impl WithPackages<'_> {
    /// That the files a value names are what was fetched, where they are in a package.
    fn verify(&self, value: &Value) -> Result<(), String> {
        match value {
            Value::Path(path) => self.packages.verify(path),
            Value::List(values) => values.iter().try_for_each(|value| self.verify(value)),
            _ => Ok(()),
        }
    }
}

impl Outside for WithPackages<'_> {
    fn behind(&self) -> &dyn Outside {
        self.world
    }

    fn read(&self, path: &str) -> Result<String, String> {
        if !path.starts_with('@') {
            return self.world.read(path);
        }
        // A world of kept texts has those of packages, too.
        if let Ok(text) = self.world.read(path) {
            return Ok(text);
        }
        match self.packages.text(path) {
            Some(text) => text,
            None => {
                let place = self.packages.place(path);
                self.world
                    .read(&path_text(&place.map_err(|missing| missing.message)?))
            }
        }
    }

    fn package(&self, path: &str) -> Result<String, Missing> {
        self.packages.folder_of(path)
    }

    fn offers(&self, name: &str) -> Option<String> {
        self.packages.offers(name)
    }

    fn find(&self, path: &str) -> Result<(), Missing> {
        self.packages.verify(path)?;
        self.world.find(path)
    }

    fn program(&self, plugin: &Declared) -> Result<(), ProgramFault> {
        self.packages
            .verify(&plugin.folder)
            .map_err(|message| ProgramFault {
                message,
                hint: Some("run `farcast fetch`, which replaces it".to_owned()),
            })?;
        self.world.program(plugin)
    }

    fn schema(&self, plugin: &str, args: &Arguments) -> Result<Schema, Complaint> {
        for (name, argument) in args {
            self.verify(&argument.value).map_err(|message| Complaint {
                param: Some(name.clone()),
                hint: Some("run `farcast fetch`, which replaces it".to_owned()),
                ..Complaint::new(message)
            })?;
        }
        self.world.schema(plugin, args)
    }
}
