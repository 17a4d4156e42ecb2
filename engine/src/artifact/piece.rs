//! Neighbouring bytes of a blob, with their own digest.

use crate::digest::{BlockDigests, Digest};

/// Some neighbouring bytes of what is kept, with their own digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where they start.
    pub start: u64,
    /// How many they are.
    pub size: u64,
    /// Their digest.
    pub digest: Digest,
    /// What it is the digest of.
    pub by: Digested,
}

/// What the digest of some bytes is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digested {
    /// These bytes, as if they were all.
    Alone,
    /// Them as a block of all: see [`BlockDigests`].
    InPlace,
}

impl Piece {
    /// All of some bytes.
    pub(crate) fn whole(digest: Digest, size: u64) -> Self {
        Self {
            start: 0,
            size,
            digest,
            by: Digested::Alone,
        }
    }

    /// Whether these are its bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        match self.by {
            Digested::Alone => Digest::of(bytes) == self.digest,
            Digested::InPlace => {
                let position = self.start / BlockDigests::BYTES as u64;
                BlockDigests::is(&self.digest, position as usize, bytes)
            }
        }
    }

    /// It among all bytes; nothing when it is not there.
    pub(crate) fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        let start = usize::try_from(self.start).ok()?;
        bytes.get(start..)?.get(..usize::try_from(self.size).ok()?)
    }
}
