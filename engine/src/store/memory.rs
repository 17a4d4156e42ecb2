//! The store's twin in memory, for tests; its objects can be harmed on purpose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Harm, Known, Record, Store};
use crate::artifact::{self, Parts, Piece};
use crate::digest::Digest;
use crate::error::Fault;

/// Results kept for as long as the value lives.
#[derive(Debug, Default)]
pub struct MemStore {
    kept: Arc<Mutex<Kept>>,
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

    /// The same with one byte.
    pub fn damage_byte(&self, object: &Digest, at: usize) {
        let mut kept = self.lock();
        let bytes = kept.objects.get_mut(object).map(Arc::make_mut);
        if let Some(byte) = bytes.and_then(|bytes| bytes.get_mut(at)) {
            *byte = !*byte;
        }
    }

    /// Takes an object away, as somebody who needs room does.
    pub fn evict(&self, object: &Digest) {
        self.lock().objects.remove(object);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// An object to be read when it is asked for; a harmed one is gone then.
    fn left(&self, name: &str, digest: Digest, size: u64) -> artifact::Kept {
        let (kept, name) = (Arc::clone(&self.kept), name.to_owned());
        artifact::Kept::new(digest, size, move |pieces| {
            let mut kept = lock(&kept);
            kept.pieces(&digest, pieces).map_err(|harm| {
                kept.objects.remove(&digest);
                harm.fault(&name, &digest, None)
            })
        })
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn object(&self, digest: &Digest) -> Result<Arc<[u8]>, Harm> {
        let bytes = self.objects.get(digest).ok_or(Harm::Missing)?;
        self.pieces(digest, &[Piece::whole(*digest, bytes.len() as u64)])
    }

    fn pieces(&self, digest: &Digest, pieces: &[Piece]) -> Result<Arc<[u8]>, Harm> {
        let bytes = self.objects.get(digest).ok_or(Harm::Missing)?;
        let intact = |piece: &Piece| {
            let found = piece.of(bytes)?;
            (Digest::of(found) == piece.digest).then_some(found)
        };
        let found: Option<Vec<&[u8]>> = pieces.iter().map(intact).collect();
        Ok(found.ok_or(Harm::Damaged)?.concat().into())
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
        for (name, digest, size) in record.objects() {
            if name.ends_with(Parts::LARGE) {
                parts = parts.with_kept(name, self.left(name, digest, size));
                continue;
            }
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

    fn keep(&self, bytes: &[u8]) -> Result<artifact::Kept, Fault> {
        let digest = Digest::of(bytes);
        self.lock().objects.insert(digest, bytes.into());
        Ok(self.left("weights", digest, bytes.len() as u64))
    }

    fn save(&self, record: Record, parts: &Parts) -> Result<Record, Fault> {
        let record = record.naming(parts);
        for (_, bytes) in parts.in_memory() {
            self.keep(bytes)?;
        }
        for (_, kept) in parts.kept() {
            self.keep(&kept.read()?)?;
        }
        let mut kept = self.lock();
        kept.records.insert(record.key, record.clone());
        Ok(record)
    }
}
