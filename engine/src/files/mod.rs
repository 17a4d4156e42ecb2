//! The data files of an action: the one way for plugins to read them.
//!
//! A result is stored under a key that holds the digests of the files it is computed from. They
//! may change between the digest and the reading, or while they are read: so an action's files
//! are digested once more as they are read, and its result counts only when the digests agree.

mod data_file;
mod first_seen;
mod known_blocks;
mod pattern;
mod regular;
mod shards;
mod stamp;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::Fault;
use data_file::{Digesting, Handle, NoDigest};

pub use data_file::{DataFile, Reader};
pub use first_seen::FirstSeen;
pub use known_blocks::KnownBlocks;
pub(crate) use pattern::digest;
pub use pattern::{entries, matches, matching, names_in, root};
pub use regular::NotOpened;
pub(crate) use regular::{hint_for_missing, look_at, open, open_or_passed};
pub use shards::{INDEX, named_shards};
pub(crate) use stamp::Stamp;

/// How many files of an action stay open; further ones are opened for every read.
const MOST_OPEN: usize = 64;

/// What opens data files, and remembers which.
#[derive(Debug, Default)]
pub struct Files {
    /// The digests of an action's files or patterns, from its key; none where they do not matter.
    expected: Option<BTreeMap<PathBuf, Digest>>,
    known: Option<Arc<KnownBlocks>>,
    stop: Arc<AtomicBool>,
    opened: Mutex<Vec<Opened>>,
}

/// The files that were opened by a path or pattern.
#[derive(Clone, Debug)]
struct Opened {
    path: PathBuf,
    files: Vec<DataFile>,
}

impl Files {
    /// For headers, and wherever no result is stored: files are read and not digested.
    pub fn unchecked() -> Self {
        Self::default()
    }

    /// For an action whose key holds these digests of its files or patterns.
    pub fn expected(digests: BTreeMap<PathBuf, Digest>, stop: Arc<AtomicBool>) -> Self {
        Self {
            expected: Some(digests),
            known: None,
            stop,
            opened: Mutex::default(),
        }
    }

    /// The same with what is known of files that were read before.
    pub fn knowing(self, known: Option<Arc<KnownBlocks>>) -> Self {
        Self { known, ..self }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// The user's fault when it is missing, something other than a file or unreadable.
    pub fn open(&self, path: &Path) -> Result<DataFile, Fault> {
        let file = self.open_one(path)?;
        self.note(path, vec![file.clone()])?;
        Ok(file)
    }

    /// Opens all files that a pattern matches, in the order of their names.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when none matches.
    pub fn open_all(&self, pattern: &Path) -> Result<Vec<DataFile>, Fault> {
        let paths = matching(pattern).map_err(|fault| Fault::user(fault.to_string()))?;
        let files = paths.iter().map(|path| self.open_one(path));
        let files: Vec<DataFile> = files.collect::<Result<_, _>>()?;
        self.note(pattern, files.clone())?;
        Ok(files)
    }

    /// That all that was read is what the key holds; what was not read of a file is read now.
    ///
    /// # Errors
    /// [`Fault::Changed`] with the first file or pattern for which it is not, or
    /// [`Fault::Cancelled`].
    pub fn verify(&self) -> Result<(), Fault> {
        let Some(expected) = &self.expected else {
            return Ok(());
        };
        let opened = self.opened().clone();
        for Opened { path, files } in opened {
            let found = pattern::digest_of(&path, &files, |file: &DataFile| {
                file.digest().map_err(|reason| match reason {
                    NoDigest::Changed => Fault::Changed(file.path().to_owned()),
                    NoDigest::Cancelled => Fault::Cancelled,
                    NoDigest::Refused(error) => {
                        Fault::Environment(NotOpened::Refused(error).message(file.path()))
                    }
                })
            })?;
            if expected.get(&path) != Some(&found) {
                return Err(Fault::Changed(path));
            }
        }
        Ok(())
    }

    /// What every file was like when it was opened.
    fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        let opened = self.opened();
        let files = opened.iter().flat_map(|opened| &opened.files);
        let stamps = files.map(|file| (file.path().to_owned(), file.stamp().clone()));
        stamps.collect()
    }

    fn open_one(&self, path: &Path) -> Result<DataFile, Fault> {
        let digesting = match self.expected {
            Some(_) => Digesting::AsRead,
            None => Digesting::No,
        };
        let handle = match self.count() < MOST_OPEN {
            true => Handle::Kept,
            false => Handle::OpenedForEveryRead,
        };
        let file =
            DataFile::open(path, digesting, handle, Arc::clone(&self.stop)).map_err(|error| {
                let fault = Fault::user(error.message(path));
                match (&error, hint_for_missing(path)) {
                    (NotOpened::Missing, Some(hint)) => fault.with_hint(hint),
                    _ => fault,
                }
            })?;
        let known = self.known.as_ref();
        if let Some(blocks) = known.and_then(|known| known.of(path, file.stamp())) {
            file.know(blocks);
        }
        Ok(file)
    }

    fn note(&self, path: &Path, files: Vec<DataFile>) -> Result<(), Fault> {
        let path = path.to_owned();
        if self
            .expected
            .as_ref()
            .is_some_and(|expected| !expected.contains_key(&path))
        {
            let shown = path.display();
            return Err(Fault::Bug(format!("`{shown}` is read and not in the key")));
        }
        self.opened().push(Opened { path, files });
        Ok(())
    }

    fn count(&self) -> usize {
        self.opened().iter().map(|opened| opened.files.len()).sum()
    }

    fn opened(&self) -> MutexGuard<'_, Vec<Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
