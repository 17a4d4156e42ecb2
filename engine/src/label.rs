//! Placeholders of statement names in artifacts.

use serde::{Deserialize, Serialize};

/// A statement's name in results that must not change when it is renamed.
///
/// Its text is a placeholder, `‹digest›`, that the engine replaces by the name when it
/// writes tables and pages, after the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub String);

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
