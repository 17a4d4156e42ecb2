//! The plugins of one's own that an experiment declares.

use std::sync::Arc;

use dsl::diagnostic::{Code as DiagnosticCode, Diagnostic};
use dsl::experiment::Declared;

use super::{Registry, RegistryError};
use crate::foreign::{Code, Foreign, Provided, find, know};

impl Registry {
    /// The registry with the plugins that an experiment declares.
    ///
    /// # Errors
    /// A diagnostic at the plugin whose program cannot be read.
    pub fn with_declared(
        self: &Arc<Self>,
        declared: &[Declared],
    ) -> Result<Arc<Self>, Box<Diagnostic>> {
        if declared.is_empty() {
            return Ok(Arc::clone(self));
        }
        let mut extended = (**self).clone();
        for plugin in declared {
            let refuse = |message: String| {
                Box::new(Diagnostic::error(
                    DiagnosticCode::BadPlugin,
                    plugin.place,
                    message,
                ))
            };
            let described = find(plugin).map_err(|fault| refuse(fault.message))?;
            let code = Code::of(&described).map_err(|fault| refuse(fault.to_string()))?;
            let operation = Foreign::new(plugin, described, code, self.makers());
            let operation = operation.map_err(|fault| refuse(fault.to_string()))?;
            let added = extended.add_foreign(operation);
            added.map_err(|error| refuse(error.to_string()))?;
        }
        Ok(Arc::new(extended))
    }

    fn add_foreign(&mut self, operation: Foreign) -> Result<(), RegistryError> {
        let provided = operation.provided.clone();
        know(&provided);
        self.add(Arc::new(operation))?;
        let name = provided.declaration.signature.name.clone();
        self.provided.insert(name, provided);
        Ok(())
    }

    /// The plugins that are programs of their own.
    pub fn provided(&self) -> impl Iterator<Item = &Provided> {
        self.provided.values()
    }

    /// The program that a plugin is, if it is one.
    pub fn program_of(&self, plugin: &str) -> Option<&Provided> {
        self.provided.get(plugin)
    }
}
