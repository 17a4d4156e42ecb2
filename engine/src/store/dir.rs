//! The store on disk: plain files that any number of processes may use at once.
//!
//! ```text
//! objects/<aa>/<digest>   parts, each written to a temporary file and renamed when complete; with the
//!                         ending `.at`, where a file is that stays where it is
//! packs/*.pack            small parts that were stored together
//! journal/*.log           records, one segment per writing process
//! holds/                what running processes and pins protect from `gc`
//! digests/*.log           digests of data files, so that they are not read again
//! runs/                   a record and a score table for each run
//! damaged/                damaged objects, kept for inspection until the next `gc`
//! remotes/                what is known of remote stores
//! tmp/                    files being written
//! ```
//!
//! Small results wait a tenth of a second for others: then all their objects are written, then all
//! their records. A record is written after its objects are on disk, so a result that is found is
//! complete; and everything read is verified, so a result that is loaded is what was stored. Deleting any of
//! these files at any time costs work, never correctness.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::file_digests::FileDigests;
use super::folder::Folder;
use super::objects::DirObjects;
use super::records::DirRecords;
use super::{Access, Hold, Line, Objects, Problem, Record, Records, Store, Unsettled, put_parts};
use crate::artifact::Parts;
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::{self, KnownBlocks, matching};

/// A store in a folder.
pub struct DirStore {
    pub(super) folder: Folder,
    pub(super) objects: Arc<DirObjects>,
    pub(super) records: DirRecords,
    pub(super) file_digests: FileDigests,
    /// Held while what waited is stored.
    settling: Mutex<()>,
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

    /// The file to read a large object from: its own, or the one that stays elsewhere. It may be
    /// missing, or another one by now.
    pub fn file_to_read(&self, digest: &Digest) -> PathBuf {
        self.objects.file(digest)
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
            settling: Mutex::default(),
            folder,
        };
        store.refresh()?;
        Ok(store)
    }

    /// Reads now which small objects there are; otherwise that is read when one is first looked for.
    pub fn read_packs(&self) {
        self.objects.packs.read_at_first();
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
        let packs = self.objects.packs.list();
        let packs = packs.map_err(|error| self.folder.unreadable(&error))?;
        let packed = packs.iter().flat_map(|pack| &pack.objects);
        // What stays where it is takes no room here.
        let own = objects.iter().filter(|(_, file)| !file.is_note());
        let sizes = own.map(|(_, file)| file.bytes);
        let sizes: Vec<u64> = sizes.chain(packed.map(|(_, size)| *size)).collect();
        Ok(Usage {
            records: self.records.count() as u64,
            objects: sizes.len() as u64,
            bytes: sizes.iter().sum(),
        })
    }
}

impl Drop for DirStore {
    /// A run has settled before; this is for what no run has saved.
    fn drop(&mut self) {
        let _ = self.settle();
    }
}

impl Store for DirStore {
    fn objects(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.objects) as Arc<dyn Objects>
    }

    fn records(&self) -> &dyn Records {
        &self.records
    }

    fn save_soon(&self, mut record: Record, parts: &Parts) -> Result<Record, Fault> {
        let put = |digest: &Digest, bytes: &Arc<[u8]>, part: &str| {
            self.objects.put_soon(digest, bytes, part)
        };
        put_parts(&mut record, parts, &self.objects(), put)?;
        if self.records.append_soon(&record)? {
            self.settle().map_err(|unsettled| unsettled.fault)?;
        }
        Ok(record)
    }

    fn settle(&self) -> Result<(), Unsettled> {
        let settling = self.settling.lock();
        let _settling = settling.unwrap_or_else(PoisonError::into_inner);
        // The objects of these records wait already, or are on disk.
        let lines = self.records.take_waiting();
        if lines.is_empty() {
            return Ok(());
        }
        let written = self.objects.settle();
        let written = written.and_then(|()| self.records.settle(&lines));
        written.map_err(|fault| {
            let keys = lines.iter().map(|line| *line.key()).collect();
            self.records.give_back(lines);
            Unsettled { keys, fault }
        })
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

    fn known_blocks(&self) -> Option<Arc<KnownBlocks>> {
        Some(Arc::clone(&self.file_digests.blocks))
    }

    fn forget_file_digest(&self, path: &Path) {
        for file in matching(path).unwrap_or_default() {
            self.file_digests.forget(&file, &self.folder);
        }
    }
}
