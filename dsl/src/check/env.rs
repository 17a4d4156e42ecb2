//! Where an expression is evaluated: in a file, or in a definition with its arguments.

use super::scope::Entity;
use crate::ast::Expr;
use crate::source::Span;

/// The file whose names are meant, and the definition being expanded, if any.
#[derive(Clone, Copy)]
pub struct Env<'e> {
    pub module: usize,
    pub frame: Option<&'e Frame<'e>>,
}

/// One expansion of a definition. Arguments stay expressions with the place they were
/// written in, so a name means what it means there, and its type is known where it is used.
pub struct Frame<'e> {
    pub name: &'e str,
    pub call: Span,
    pub caller: Env<'e>,
    pub args: Vec<(&'e str, &'e Expr, Env<'e>)>,
}

/// What a name was found to be.
pub enum Resolved<'e> {
    /// An argument of the definition at hand.
    Arg(&'e Expr, Env<'e>),
    /// A name of the file.
    Entity(Entity),
    /// No name of the file: perhaps a column, a word or a constructor.
    Nothing,
    /// An error that is reported already.
    Failed,
}

impl<'e> Env<'e> {
    /// At the top of a file.
    pub fn file(module: usize) -> Self {
        Self {
            module,
            frame: None,
        }
    }

    /// The value of a parameter of the definition being expanded.
    pub fn arg(self, name: &str) -> Option<(&'e Expr, Env<'e>)> {
        let args = &self.frame?.args;
        let (_, expr, env) = args.iter().find(|(arg, ..)| *arg == name)?;
        Some((expr, *env))
    }

    /// The call in the experiment that led here, when it is inside a definition.
    pub fn outermost_call(self) -> Option<Span> {
        let mut frame = self.frame?;
        while let Some(outer) = frame.caller.frame {
            frame = outer;
        }
        Some(frame.call)
    }
}
