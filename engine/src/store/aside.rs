//! A store over another one: it reads from there, and keeps what is saved in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Defect, MemObjects, MemRecords, Objects, Record, Records, Store, Summary};
use crate::artifact::Piece;
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::KnownBlocks;

/// Results computed again, beside those of a store, which stays as it is.
pub struct Aside<'a> {
    store: &'a dyn Store,
    objects: Arc<AsideObjects>,
    records: AsideRecords<'a>,
}

struct AsideObjects {
    below: Arc<dyn Objects>,
    new: MemObjects,
}

struct AsideRecords<'a> {
    below: &'a dyn Records,
    new: MemRecords,
}

impl<'a> Aside<'a> {
    /// Nothing saved yet.
    pub fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            objects: Arc::new(AsideObjects {
                below: store.objects(),
                new: MemObjects::default(),
            }),
            records: AsideRecords {
                below: store.records(),
                new: MemRecords::default(),
            },
        }
    }

    /// The record that was saved for a key.
    pub fn saved(&self, key: &Digest) -> Option<Record> {
        self.records.new.find(key)
    }
}

impl Store for Aside<'_> {
    fn objects(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.objects) as Arc<dyn Objects>
    }

    fn records(&self) -> &dyn Records {
        &self.records
    }

    fn file_digest(&self, path: &Path) -> Result<Digest, Fault> {
        self.store.file_digest(path)
    }

    fn known_blocks(&self) -> Option<Arc<KnownBlocks>> {
        self.store.known_blocks()
    }

    fn forget_file_digest(&self, path: &Path) {
        self.store.forget_file_digest(path);
    }
}

impl Objects for AsideObjects {
    fn has(&self, digest: &Digest, size: u64) -> bool {
        self.new.has(digest, size) || self.below.has(digest, size)
    }

    fn put(&self, digest: &Digest, bytes: &[u8], part: &str) -> Result<(), Fault> {
        self.new.put(digest, bytes, part)
    }

    fn get(
        &self,
        digest: &Digest,
        size: u64,
        ranges: &[Piece],
    ) -> Result<Result<Arc<[u8]>, Defect>, Fault> {
        match self.new.has(digest, size) {
            true => self.new.get(digest, size, ranges),
            false => self.below.get(digest, size, ranges),
        }
    }

    /// The store below keeps its own: whoever works on it sets damage aside.
    fn discard(&self, digest: &Digest, defect: Defect) -> Option<PathBuf> {
        self.new.discard(digest, defect)
    }
}

impl Records for AsideRecords<'_> {
    fn find_many(&self, keys: &[Digest]) -> Vec<Option<Summary>> {
        let new = self.new.find_many(keys);
        let below = self.below.find_many(keys);
        new.into_iter()
            .zip(below)
            .map(|(new, below)| new.or(below))
            .collect()
    }

    fn find(&self, key: &Digest) -> Option<Record> {
        self.new.find(key).or_else(|| self.below.find(key))
    }

    fn all(&self) -> Vec<Record> {
        self.below.all()
    }

    fn append(&self, record: &Record) -> Result<(), Fault> {
        self.new.append(record)
    }

    fn forget(&self, record: &Record) {
        self.new.forget(record);
    }
}
