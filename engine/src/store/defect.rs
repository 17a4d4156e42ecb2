//! What can be wrong with a stored object.

use std::path::Path;

use crate::digest::Digest;
use crate::error::Fault;

/// Why an object cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// It is not in the store.
    Missing,
    /// Its bytes are not those its digest names.
    Damaged,
}

impl Defect {
    /// The fault of an object that is part of a result, and where the object was set aside.
    pub fn fault(self, part: &str, digest: &Digest, aside: Option<&Path>) -> Fault {
        let defect = match self {
            Defect::Missing => "is missing",
            Defect::Damaged => "is not what was stored",
        };
        let aside = aside.map_or(String::new(), |path| {
            format!("was set aside as `{}` and ", path.display())
        });
        Fault::Damaged(format!(
            "stored object `{}` (part `{part}`) {defect}: it {aside}will be computed again",
            digest.short()
        ))
    }
}
