//! What the checker knows of a declaration.

use dsl::signature::{ColumnRule, Makes, Param, Signature};

use super::{Declared, join_doc};

/// A constructor of a value, whose signature is made when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Constructor {
    /// The group of values.
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What the checker knows of it.
    pub signature: fn() -> Signature,
}

/// The signature of a constructor of `group`.
pub fn constructor_signature<C: Declared>(group: &str) -> Signature {
    Signature {
        name: C::NAME.to_owned(),
        makes: Makes::Value(group.to_owned()),
        version: C::VERSION,
        doc: join_doc(C::DOC),
        params: visible_params::<C>(),
        random: false,
        columns: ColumnRule::None,
        members: None,
    }
}

/// The parameters that users write, in positional order.
fn visible_params<D: Declared>() -> Vec<Param> {
    let written = D::fields().into_iter().filter(|it| it.implicit.is_none());
    written.map(|field| as_written(field.param)).collect()
}

/// A parameter that users write.
pub(crate) fn as_written(mut param: Param) -> Param {
    param.definitions = param.name == DEFINITIONS;
    param
}

/// The field name that collects `name = formula` arguments.
pub const DEFINITIONS: &str = "definitions";
