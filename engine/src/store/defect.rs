//! What can be wrong with a stored object.

use std::path::Path;
use std::sync::Arc;

use crate::artifact::Piece;
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

/// The pieces of an object, one after the other, if all are what their digests name.
pub(crate) fn intact(object: &[u8], pieces: &[Piece]) -> Result<Arc<[u8]>, Defect> {
    let intact = |piece: &Piece| {
        let found = piece.of(object)?;
        piece.is(found).then_some(found)
    };
    let found: Option<Vec<&[u8]>> = pieces.iter().map(intact).collect();
    found
        .map(|pieces| pieces.concat().into())
        .ok_or(Defect::Damaged)
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
