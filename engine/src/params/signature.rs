//! What the checker knows of a declaration.

use dsl::signature::{ColumnRule, Makes, Param, Signature};

use super::{Declared, join_doc};

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
pub(crate) fn visible_params<D: Declared>() -> Vec<Param> {
    D::fields()
        .into_iter()
        .filter(|field| field.implicit.is_none())
        .map(|field| {
            let mut param = field.param;
            param.definitions = param.name == DEFINITIONS;
            param
        })
        .collect()
}

/// The field name that collects `name = formula` arguments.
pub const DEFINITIONS: &str = "definitions";
