//! What names, values and calls were found to be, for editors.

use crate::experiment::{Node, Value};
use crate::signature::Signature;
use crate::source::Span;
use crate::types::{Schema, Type};

/// Hears of everything that is resolved while a file is checked.
///
/// A place is heard of whenever it is evaluated: at several points of a sweep, or in several
/// calls of a definition. What did not check is not heard of.
pub trait Trace {
    /// What a name means, and where that is said.
    fn name(&self, place: Span, meaning: Meaning, said: Span) {
        let _ = (place, meaning, said);
    }

    /// The value of an expression, as the type that was wanted.
    fn value(&self, place: Span, value: &Value, ty: &Type) {
        let _ = (place, value, ty);
    }

    /// The plugin or constructor that a call is of, and the columns that its arguments may name.
    fn call(&self, place: Span, signature: &Signature, columns: Option<&Schema>) {
        let _ = (place, signature, columns);
    }

    /// What a call of a plugin makes, and the columns of that.
    fn result(&self, node: &Node, columns: Option<&Schema>) {
        let _ = (node, columns);
    }
}

/// The meaning of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A file that is used.
    File,
    /// A param.
    Param,
    /// A definition.
    Define,
    /// A plugin that a file declares.
    Plugin,
    /// A parameter of the definition it is in; said is the argument.
    Argument,
    /// A statement.
    Statement,
    /// A column; said are the data.
    Column,
}
