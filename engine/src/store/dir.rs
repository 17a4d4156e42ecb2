//! The store on disk: plain files that any number of processes may use at once.
//!
//! ```text
//! objects/<aa>/<digest>   parts, each written to a temporary file and renamed when complete
//! journal/*.log           records, one segment per writing process
//! holds/                what running processes and pins protect from `gc`
//! digests/*.log           digests of data files, so that they are not read again
//! runs/                   a record and a score table for each run
//! damaged/                damaged objects, kept for inspection until the next `gc`
//! remotes/                what is known of remote stores
//! tmp/                    files being written
//! ```
//!
//! A record is written after its objects are on disk, so a result that is found is complete; and
//! everything read is verified, so a result that is loaded is what was stored. Deleting any of
//! these files at any time costs work, never correctness.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file_digests::FileDigests;
use super::folder::Folder;
use super::objects::DirObjects;
use super::records::DirRecords;
use super::{Access, Hold, Line, Objects, Problem, Records, Store};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::{self, matching};

/// A store in a folder.
pub struct DirStore {
    pub(super) folder: Folder,
    pub(super) objects: Arc<DirObjects>,
    pub(super) records: DirRecords,
    pub(super) file_digests: FileDigests,
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Records of actions that have run.
    pub records: u64,
    /// Objects, referred to or not.
    pub objects: u64,
    /// The size of all objects.
    pub bytes: u64,
}

impl DirStore {
    /// The file of an object, whether it is there or not.
    pub fn object_file(&self, digest: &Digest) -> PathBuf {
        self.objects.path(digest)
    }

    /// Opens the store in a folder; [`Access::Write`] creates it when it does not exist.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the path is not a directory, holds other things, was written
    /// by a newer farcast or cannot be created or read. An existing store that cannot be written
    /// opens; saving to it fails.
    pub fn open(folder: &Path, access: Access) -> Result<Self, Fault> {
        let folder = Folder::open(folder, access)?;
        let store = Self {
            objects: Arc::new(DirObjects::new(folder.clone())),
            records: DirRecords::new(folder.clone()),
            file_digests: FileDigests::new(folder.path("digests")),
            folder,
        };
        store.refresh()?;
        Ok(store)
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        self.folder.root()
    }

    /// Reads what other processes have recorded since the store was opened or refreshed.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the journal cannot be listed.
    pub fn refresh(&self) -> Result<(), Fault> {
        self.records.refresh()
    }

    /// The lines of the journal that cannot be read; the results they recorded are computed again.
    pub fn problems(&self) -> Vec<Problem> {
        self.records.problems()
    }

    /// The line of every record, ordered by key.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.records.lines()
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// [`Fault::Environment`] when it cannot be listed.
    pub fn usage(&self) -> Result<Usage, Fault> {
        let objects = self
            .objects
            .list()
            .map_err(|error| self.folder.unreadable(&error))?;
        Ok(Usage {
            records: self.records.count() as u64,
            objects: objects.len() as u64,
            bytes: objects.iter().map(|(_, file)| file.bytes).sum(),
        })
    }
}

impl Store for DirStore {
    fn objects(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.objects) as Arc<dyn Objects>
    }

    fn records(&self) -> &dyn Records {
        &self.records
    }

    fn refresh(&self) -> Result<(), Fault> {
        self.records.refresh()
    }

    fn hold(&self, keys: &BTreeSet<Digest>) -> Option<Hold> {
        Some(self.hold_keys(keys))
    }

    fn file_digest(&self, path: &Path) -> Result<Digest, Fault> {
        files::digest(path, |file| self.file_digests.of(file, &self.folder))
    }

    fn forget_file_digest(&self, path: &Path) {
        for file in matching(path).unwrap_or_default() {
            self.file_digests.forget(&file, &self.folder);
        }
    }
}
