//! The data files of one experiment, each as it was when it was first looked at: what the checker
//! learned of a file holds for what the run reads, in every round of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Files, Stamp, matching};
use crate::digest::Digest;
use crate::error::Fault;

/// What is known of the data files so far.
#[derive(Debug, Default)]
pub struct FirstSeen {
    known: Mutex<SeenFile>,
}

#[derive(Debug, Default)]
struct SeenFile {
    stamps: BTreeMap<PathBuf, Stamp>,
    digests: BTreeMap<PathBuf, Digest>,
}

impl FirstSeen {
    /// Remembers the files that were opened for their headers.
    pub(crate) fn note(&self, headers: &Files) {
        let stamps = headers.stamps();
        self.with(|known| {
            for (path, stamp) in stamps {
                known.stamps.entry(path).or_insert(stamp);
            }
        });
    }

    /// The digest of a file or of all files of a pattern, by `of` for the first time.
    ///
    /// # Errors
    /// [`Fault::Changed`] when a file is not as its header was read; those of `of`.
    pub fn digest(
        &self,
        path: &Path,
        of: impl FnOnce(&Path) -> Result<Digest, Fault>,
    ) -> Result<Digest, Fault> {
        if let Some(digest) = self.with(|known| known.digests.get(path).copied()) {
            return Ok(digest);
        }
        let digest = of(path)?;
        for file in matching(path)? {
            let first = self.with(|known| known.stamps.get(&file).cloned());
            if first.is_some() && first != Stamp::at(&file) {
                return Err(Fault::Changed(file));
            }
        }
        self.with(|known| known.digests.insert(path.to_owned(), digest));
        Ok(digest)
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut SeenFile) -> T) -> T {
        use_it(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
