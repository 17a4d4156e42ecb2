//! The store's twin in memory, for tests and for runs whose results nobody keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Defect, Objects, Record, Records, Store, Summary, intact};
use crate::artifact::Piece;
use crate::digest::Digest;
use crate::error::Fault;

/// Results kept for as long as the value lives. Tests can damage its objects.
#[derive(Debug, Default)]
pub struct MemStore {
    objects: Arc<MemObjects>,
    records: MemRecords,
}

/// Objects in memory.
#[derive(Debug, Default)]
pub struct MemObjects(Mutex<BTreeMap<Digest, Arc<[u8]>>>);

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemRecords(Mutex<BTreeMap<Digest, Record>>);

impl MemStore {
    /// Inverts the bytes of an object, as a failing disk might.
    pub fn damage(&self, object: &Digest) {
        if let Some(bytes) = lock(&self.objects.0).get_mut(object) {
            *bytes = bytes.iter().map(|byte| !byte).collect();
        }
    }

    /// The same with one byte.
    pub fn damage_byte(&self, object: &Digest, at: usize) {
        let mut objects = lock(&self.objects.0);
        let bytes = objects.get_mut(object).map(Arc::make_mut);
        if let Some(byte) = bytes.and_then(|bytes| bytes.get_mut(at)) {
            *byte = !*byte;
        }
    }

    /// Removes an object, as somebody who needs room might.
    pub fn evict(&self, object: &Digest) {
        lock(&self.objects.0).remove(object);
    }
}

impl Store for MemStore {
    fn objects(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.objects) as Arc<dyn Objects>
    }

    fn records(&self) -> &dyn Records {
        &self.records
    }
}

impl Objects for MemObjects {
    fn has(&self, digest: &Digest, size: u64) -> bool {
        lock(&self.0)
            .get(digest)
            .is_some_and(|bytes| bytes.len() as u64 == size)
    }

    fn put(&self, digest: &Digest, bytes: &[u8], _: &str) -> Result<(), Fault> {
        lock(&self.0).insert(*digest, bytes.into());
        Ok(())
    }

    fn get(
        &self,
        digest: &Digest,
        _: u64,
        ranges: &[Piece],
    ) -> Result<Result<Arc<[u8]>, Defect>, Fault> {
        let objects = lock(&self.0);
        let Some(bytes) = objects.get(digest) else {
            return Ok(Err(Defect::Missing));
        };
        Ok(intact(bytes, ranges))
    }

    fn discard(&self, digest: &Digest, _: Defect) -> Option<PathBuf> {
        lock(&self.0).remove(digest);
        None
    }
}

impl Records for MemRecords {
    fn find_many(&self, keys: &[Digest]) -> Vec<Option<Summary>> {
        let records = lock(&self.0);
        let summary = |key| records.get(key).map(Record::summary);
        keys.iter().map(summary).collect()
    }

    fn find(&self, key: &Digest) -> Option<Record> {
        lock(&self.0).get(key).cloned()
    }

    fn all(&self) -> Vec<Record> {
        lock(&self.0).values().cloned().collect()
    }

    fn append(&self, record: &Record) -> Result<(), Fault> {
        lock(&self.0).insert(record.key, record.clone());
        Ok(())
    }

    fn forget(&self, record: &Record) {
        let mut records = lock(&self.0);
        let is_meant = |last: &Record| last.outcome == record.outcome;
        if records.get(&record.key).is_some_and(is_meant) {
            records.remove(&record.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
