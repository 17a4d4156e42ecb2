//! A plugin of one's own as data.

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::manifest::Program;
use crate::declaration::Declaration;
use crate::digest::Digest;

/// All that another process needs to call the same program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provided {
    /// What calls of it are checked by.
    pub declaration: Declaration,
    /// How it is run.
    pub program: Program,
    /// What it is.
    pub code: Code,
}

impl Provided {
    /// Its identity in results: equal digests run equal networks.
    pub fn identity(&self) -> Digest {
        let Self {
            declaration,
            program,
            code,
        } = self;
        let version = declaration.signature.version;
        Digest::of(format!("{} {version}\n{}", program.name, code.key_lines()).as_bytes())
    }
}
