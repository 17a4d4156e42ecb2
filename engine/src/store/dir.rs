//! The store on disk: plain files that any number of processes may use at once.
//!
//! ```text
//! objects/<aa>/<digest>   parts, each written under another name and renamed when whole
//! journal/*.log           records, a segment per writing process
//! holds/                what running processes and pins keep from `gc`
//! digests/*.log           digests of data files, so that they need not be read again
//! runs/                   what was run: a record and a table of scores each
//! damaged/                objects that were not what was stored, to be looked at
//! tmp/                    files being written
//! ```
//!
//! A record is written after its objects are on disk, so whatever is found is whole; and
//! everything read is verified, so whatever is loaded is what was stored. Deleting any of
//! it at any time costs work, never correctness.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::digests::Digests;
use super::files::Files;
use super::index::{Index, Line};
use super::journal::{Journal, Problem};
use super::objects::Objects;
use super::{Harm, Hold, Known, Record, Store, pattern};
use crate::artifact::{Kept, Parts, Piece};
use crate::digest::Digest;
use crate::error::Fault;

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To look only: nothing is made or changed, and a store that is not there is empty.
    Read,
    /// To keep results, too.
    Write,
}

/// A store in a folder.
pub struct DirStore {
    pub(super) files: Files,
    pub(super) journal: Mutex<Journal>,
    pub(super) index: RwLock<Index>,
    pub(super) digests: Digests,
    /// Objects found harmed by those who read them late: for this process they are gone.
    harmed: Arc<Mutex<BTreeSet<Digest>>>,
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
    /// Opens the store in a folder, which [`Access::Write`] makes when it is not there.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the folder is none, holds other things, was written by a
    /// newer farcast or cannot be made or read. A store that is there but cannot be written
    /// opens; saving to it fails.
    pub fn open(folder: &Path, access: Access) -> Result<Self, Fault> {
        let files = Files::open(folder, access)?;
        let store = Self {
            journal: Mutex::new(Journal::new(files.path("journal"))),
            index: RwLock::default(),
            digests: Digests::new(files.path("digests")),
            harmed: Arc::default(),
            files,
        };
        store.refresh()?;
        Ok(store)
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        self.files.root()
    }

    /// Takes in what other processes have recorded since the store was opened or refreshed.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the journal cannot be listed.
    pub fn refresh(&self) -> Result<(), Fault> {
        let mut journal = self.journal();
        let mut index = self.index_mut();
        journal
            .read(Line::from_json, |segment, line| index.apply(segment, line))
            .map_err(|error| self.files.unreadable(&error))
    }

    /// The lines of the journal that could not be read; what they told of is made again.
    pub fn problems(&self) -> Vec<Problem> {
        self.journal().problems()
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// [`Fault::Environment`] when it cannot be listed.
    pub fn usage(&self) -> Result<Usage, Fault> {
        let objects = self
            .objects()
            .list()
            .map_err(|error| self.files.unreadable(&error))?;
        Ok(Usage {
            records: self.index().iter().count() as u64,
            objects: objects.len() as u64,
            bytes: objects.iter().map(|(_, found)| found.bytes).sum(),
        })
    }

    pub(super) fn objects(&self) -> Objects<'_> {
        Objects(&self.files)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the record of a key, when it still is the one meant. Best effort on disk, as
    /// the store may be read-only; for this process it is gone in any case.
    pub(super) fn forget(&self, key: &Digest, is_meant: impl Fn(&Line) -> bool) {
        let mut journal = self.journal();
        let last = self
            .index()
            .get(key)
            .filter(|(_, line)| is_meant(line))
            .map(|(segment, _)| segment.clone());
        let (Some(last), Ok(line)) = (last, Line::forgotten(*key)) else {
            return;
        };
        let written = journal.append(&self.files, line.json(), Some(&last));
        self.index_mut().apply(&written.unwrap_or(last), line);
    }

    /// As [`forget`](Self::forget), for a record that was given out.
    pub(super) fn forget_record(&self, record: &Record) {
        self.forget(&record.key, |line| {
            line.record()
                .is_some_and(|last| last.outcome == record.outcome)
        });
    }

    fn append(&self, line: Line) -> Result<(), Fault> {
        let mut journal = self.journal();
        let last = self.index().segment(line.key()).cloned();
        let segment = journal.append(&self.files, line.json(), last.as_ref())?;
        self.index_mut().apply(&segment, line);
        Ok(())
    }

    /// An object that is there, to be read when it is asked for.
    fn left(&self, part: &str, digest: Digest, size: u64) -> Kept {
        let (files, harmed) = (self.files.clone(), Arc::clone(&self.harmed));
        let part = part.to_owned();
        Kept::new(digest, size, move |pieces| {
            let objects = Objects(&files);
            let read = objects.read(&digest, size, pieces);
            read.map_err(|error| files.unreadable(&error))?
                .map_err(|harm| {
                    let aside = objects.clear(harm, &digest);
                    lock(&harmed).insert(digest);
                    harm.fault(&part, &digest, aside.as_deref())
                })
        })
    }

    /// What is done about a harmed object of a record.
    fn give_up(&self, record: &Record, part: &str, digest: &Digest, harm: Harm) -> Fault {
        self.forget_record(record);
        let aside = self.objects().clear(harm, digest);
        harm.fault(part, digest, aside.as_deref())
    }
}

fn lock(harmed: &Mutex<BTreeSet<Digest>>) -> MutexGuard<'_, BTreeSet<Digest>> {
    harmed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for DirStore {
    fn known(&self, key: &Digest) -> Option<Known> {
        self.index().get(key)?.1.known().cloned()
    }

    fn find(&self, key: &Digest) -> Option<Record> {
        let record = self.index().get(key)?.1.record()?;
        let harmed = lock(&self.harmed);
        let there = record.objects().all(|(_, digest, size)| {
            !harmed.contains(&digest) && self.objects().is_there(&digest, size)
        });
        there.then_some(record)
    }

    fn records(&self) -> Vec<Record> {
        self.index()
            .iter()
            .filter_map(|(_, line)| line.record())
            .collect()
    }

    fn load(&self, record: &Record) -> Result<Parts, Fault> {
        let mut parts = Parts::default();
        for (part, digest, size) in record.objects() {
            if part.ends_with(Parts::LARGE) {
                parts = parts.with_kept(part, self.left(part, digest, size));
                continue;
            }
            let bytes = self
                .objects()
                .read(&digest, size, &[Piece::whole(digest, size)])
                .map_err(|error| self.files.unreadable(&error))?
                .map_err(|harm| self.give_up(record, part, &digest, harm))?;
            parts = parts.with(part, bytes);
        }
        Ok(parts)
    }

    fn keep(&self, bytes: &[u8]) -> Result<Kept, Fault> {
        let digest = Digest::of(bytes);
        self.objects().keep(&digest, bytes, "weights")?;
        lock(&self.harmed).remove(&digest);
        Ok(self.left("weights", digest, bytes.len() as u64))
    }

    fn save(&self, record: Record, parts: &Parts) -> Result<Record, Fault> {
        let record = record.naming(parts);
        for (part, bytes) in parts.in_memory() {
            self.objects().keep(&Digest::of(bytes), bytes, part)?;
        }
        for (part, kept) in parts.kept() {
            // Most were kept while they were made.
            if !self.objects().is_there(&kept.digest, kept.size) {
                self.objects().keep(&kept.digest, &kept.read()?, part)?;
            }
        }
        self.append(Line::kept(&record)?)?;
        Ok(record)
    }

    fn hold(&self, keys: &BTreeSet<Digest>) -> Option<Hold> {
        Some(self.hold_keys(keys))
    }

    fn file_digest(&self, path: &Path) -> Result<Digest, Fault> {
        pattern::digest(path, |file| self.digests.of(file, &self.files))
    }
}
