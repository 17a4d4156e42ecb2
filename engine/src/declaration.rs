//! Everything the engine knows of a plugin before it runs, as data.

use dsl::signature::{Makes, Signature};
use dsl::types::Kind;
use serde::{Deserialize, Serialize};

use crate::params::{Cutter, Implicit, PARENT, Replayed};

/// Everything the engine knows of a plugin before it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declaration {
    /// What the checker knows of it.
    pub signature: Signature,
    /// The inputs users do not write, by field.
    #[serde(default)]
    pub implicit: Vec<(String, ImplicitInput)>,
    /// The argument that names a model to be repeated inside its training data.
    #[serde(default)]
    pub replayed: Option<Replayed>,
    /// How it cuts training data, for plugins that name it in `replay`.
    #[serde(default)]
    pub cutter: Option<Cutter>,
    /// The version of its random streams.
    pub streams: u32,
    /// The parameters and inputs that have no part in its random streams.
    #[serde(default)]
    pub not_in_stream: Vec<String>,
    /// Of a plugin that is a program of its own: its name in keys, and the lines there that say
    /// what the program is.
    #[serde(default)]
    pub code: Option<(String, String)>,
    /// The parameters that say how long it goes on: with a larger value it begins as with a
    /// smaller one.
    #[serde(default)]
    pub lengths: Vec<String>,
    /// The input along with which it can be carried out.
    #[serde(default)]
    pub along: Option<AlongWith>,
    /// Whether large results are made again instead of stored.
    #[serde(default)]
    pub remade: bool,
    /// Whether what reads its results is keyed by their bytes.
    #[serde(default)]
    pub by_content: bool,
}

impl Declaration {
    /// Of a plugin that reads what users write and nothing else.
    pub fn new(signature: Signature) -> Self {
        Self {
            streams: signature.version,
            signature,
            implicit: Vec::new(),
            replayed: None,
            cutter: None,
            not_in_stream: Vec::new(),
            lengths: Vec::new(),
            along: None,
            code: None,
            remade: false,
            by_content: false,
        }
    }

    /// Whether an argument only puts names into results: nothing of it is read.
    pub fn only_names(&self, field: &str) -> bool {
        self.replayed.as_ref().is_some_and(|replayed| {
            field == replayed.field || field == format!("{}.{PARENT}", replayed.field)
        })
    }

    /// The kind of its results where no keyword says otherwise.
    pub fn default_kind(&self) -> Option<Kind> {
        match &self.signature.makes {
            Makes::Kinds(kinds) => kinds.first().copied(),
            Makes::Value(_) => None,
        }
    }
}

/// An input users do not write, and whether all its members are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImplicitInput {
    /// How it is found.
    pub how: Implicit,
    /// Whether all members are read together.
    pub gather: bool,
}

/// That an action can be carried out along with the one it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlongWith {
    /// The field of what it reads.
    pub input: String,
    /// The parameter that says after how many steps it wants the weights.
    pub every: String,
}
