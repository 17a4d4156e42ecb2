//! The store's twin in memory, for tests; its objects can be harmed on purpose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Harm, Known, Record, Store};
use crate::artifact::Parts;
use crate::digest::Digest;
use crate::error::Fault;

/// Results kept for as long as the value lives.
#[derive(Debug, Default)]
pub struct MemStore {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: BTreeMap<Digest, Record>,
    objects: BTreeMap<Digest, Arc<[u8]>>,
}

impl MemStore {
    /// Changes the bytes of an object without a word, as a failing disk does.
    pub fn damage(&self, object: &Digest) {
        if let Some(bytes) = self.lock().objects.get_mut(object) {
            *bytes = bytes.iter().map(|byte| !byte).collect();
        }
    }

    /// Takes an object away, as somebody who needs room does.
    pub fn evict(&self, object: &Digest) {
        self.lock().objects.remove(object);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn object(&self, digest: &Digest) -> Result<Arc<[u8]>, Harm> {
        let bytes = self.objects.get(digest).ok_or(Harm::Missing)?;
        if Digest::of(bytes) == *digest {
            Ok(bytes.clone())
        } else {
            Err(Harm::Damaged)
        }
    }
}

impl Store for MemStore {
    fn known(&self, key: &Digest) -> Option<Known> {
        self.lock().records.get(key).map(Record::known)
    }

    fn find(&self, key: &Digest) -> Option<Record> {
        let kept = self.lock();
        let there = |(_, digest, size): (&str, Digest, u64)| {
            kept.objects
                .get(&digest)
                .is_some_and(|bytes| bytes.len() as u64 == size)
        };
        kept.records
            .get(key)
            .filter(|record| record.objects().all(there))
            .cloned()
    }

    fn records(&self) -> Vec<Record> {
        self.lock().records.values().cloned().collect()
    }

    fn load(&self, record: &Record) -> Result<Parts, Fault> {
        let mut kept = self.lock();
        let mut parts = Parts::default();
        for (name, digest, _) in record.objects() {
            match kept.object(&digest) {
                Ok(bytes) => parts = parts.with(name, bytes),
                Err(harm) => {
                    kept.objects.remove(&digest);
                    kept.records.remove(&record.key);
                    return Err(harm.fault(name, &digest, None));
                }
            }
        }
        Ok(parts)
    }

    fn save(&self, record: Record, parts: &Parts) -> Result<Record, Fault> {
        let record = record.naming(parts);
        let mut kept = self.lock();
        for (name, digest, _) in record.objects() {
            kept.objects.insert(digest, parts.get(name)?.clone());
        }
        kept.records.insert(record.key, record.clone());
        Ok(record)
    }
}
