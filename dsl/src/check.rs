//! Tree to experiment: names, kinds, types, ranges, units and columns, at every sweep point.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::experiment::{Argument, Experiment};
use crate::signature::Catalog;
use crate::source::Sources;
use crate::types::Schema;

/// The world outside the text, as far as checking needs it.
pub trait Outside {
    /// The text of a used file.
    ///
    /// # Errors
    /// Why it cannot be read, in one line.
    fn read(&self, path: &str) -> Result<String, String>;

    /// The columns a source plugin will give, from a file's header.
    ///
    /// # Errors
    /// Why they cannot be known, with the argument to blame.
    fn schema(
        &self,
        plugin: &str,
        args: &BTreeMap<String, Argument>,
    ) -> Result<Schema, SchemaError>;
}

/// Why the columns of a source cannot be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The argument to point at; the call when none.
    pub param: Option<String>,
    /// One line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What checking gives: always the texts read and the diagnostics, the experiment if no errors.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Every text read.
    pub sources: Sources,
    /// The experiment; `None` when there are errors.
    pub experiment: Option<Experiment>,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks the file at `path` with this text, with `param`s set as `name`, `value` says.
pub fn check(
    path: &str,
    text: &str,
    settings: &[(String, String)],
    catalog: &Catalog,
    outside: &dyn Outside,
) -> Checked {
    let _ = (path, text, settings, catalog, outside);
    Checked::default()
}
