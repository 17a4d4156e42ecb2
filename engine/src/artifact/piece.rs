//! Neighbouring bytes of a blob, with their own digest.

use crate::digest::Digest;

/// Some neighbouring bytes of what is kept, with their own digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where they start.
    pub start: u64,
    /// How many they are.
    pub size: u64,
    /// Their digest.
    pub digest: Digest,
}

impl Piece {
    /// All of some bytes.
    pub(crate) fn whole(digest: Digest, size: u64) -> Self {
        Self {
            start: 0,
            size,
            digest,
        }
    }

    /// It among all bytes; nothing when it is not there.
    pub(crate) fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        let start = usize::try_from(self.start).ok()?;
        bytes.get(start..)?.get(..usize::try_from(self.size).ok()?)
    }
}
