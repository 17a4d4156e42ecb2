//! Objects that are files of somebody else, which stay where they are: notes of their paths.
//!
//! Whatever is read of such a file is verified like any object. A file that was changed, moved or
//! deleted is a damaged object: its note is set aside, and what referred to it is computed again.

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Defect;
use crate::files;

/// Where the file of an object is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Lent {
    path: String,
    size: u64,
}

/// What the names of notes end in, after the digest.
pub(super) const ENDING: &str = ".at";

impl Lent {
    /// A note of a file; none when its path is no text.
    pub(super) fn of(path: &Path, size: u64) -> Option<Self> {
        let path = std::path::absolute(path).ok()?.to_str()?.to_owned();
        Some(Self { path, size })
    }

    /// A note that was written; none when it cannot be read.
    pub(super) fn read(note: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(note).ok()?).ok()
    }

    /// The bytes of the note.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// How many bytes the file has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// Whether there is a file of this size.
    pub(super) fn is_there(&self, size: u64) -> bool {
        let metadata = std::fs::metadata(self.path());
        metadata.is_ok_and(|it| it.is_file() && it.len() == size)
    }

    /// The file, if it can be what it was.
    pub(super) fn open(&self, size: u64) -> Result<File, Defect> {
        match files::open(self.path()) {
            Ok(file) if file.metadata().is_ok_and(|it| it.len() == size) => Ok(file),
            _ => Err(Defect::Damaged),
        }
    }
}
