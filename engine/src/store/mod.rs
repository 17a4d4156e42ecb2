//! Where results are kept: content-addressed objects, and records of what produced them.
//!
//! Both are small traits, so that a second level (a shared folder, a bucket) can stand behind
//! the same calls. [`DirStore`] keeps them in a folder, [`MemStore`] in memory.

mod access;
mod aside;
mod defect;
mod dir;
mod effect;
mod file_digests;
mod folder;
mod gc;
mod hold;
mod holds;
mod index;
mod journal;
mod lent;
mod lines;
mod listing;
mod locate;
mod memory;
mod objects;
mod packs;
mod record;
mod records;
mod runs;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::{Blob, Parts, Piece};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::{self, KnownBlocks};

pub use crate::clock::unix_millis;
pub use access::Access;
pub use aside::Aside;
pub use defect::Defect;
pub(crate) use defect::intact;
pub use dir::{DirStore, Usage};
pub use effect::Effect;
pub(crate) use folder::{sync_folder, unique};
pub use gc::{GcPolicy, GcReport};
pub use hold::Hold;
pub(crate) use index::Line;
pub use journal::Problem;
pub(crate) use lines::{Blocks, encode as encode_line};
pub use locate::{default_path, project_file};
pub use memory::{MemObjects, MemRecords, MemStore};
pub use record::{Cost, Record, RecordedOutcome, Summary, size_text};
pub use runs::{Begun, read_limited};
pub use verify::{OnDamage, VerifyReport};

/// Bytes, each under its digest.
pub trait Objects: Send + Sync {
    /// Whether an object is present with this size; its content is not read.
    fn has(&self, digest: &Digest, size: u64) -> bool;

    /// Stores bytes under their digest; messages call them `part`.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot store them. Nothing half-written is ever
    /// found later.
    fn put(&self, digest: &Digest, bytes: &[u8], part: &str) -> Result<(), Fault>;

    /// Takes a file as an object: it stays where it is, is read there and verified as it is read.
    /// A store that refers to no files copies it.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`Fault::Changed`] when it has another digest.
    fn lend(&self, digest: &Digest, path: &Path, part: &str) -> Result<(), Fault> {
        let bytes = std::fs::read(path)?;
        match Digest::of(&bytes) == *digest {
            true => self.put(digest, &bytes, part),
            false => Err(Fault::Changed(path.to_owned())),
        }
    }

    /// Some ranges of an object, one after another, each verified; or what is wrong with it.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot read them.
    fn get(
        &self,
        digest: &Digest,
        size: u64,
        ranges: &[Piece],
    ) -> Result<Result<Arc<[u8]>, Defect>, Fault>;

    /// Gives up a defective object, so that it can be stored again; returns where the bytes were
    /// set aside, if anywhere.
    fn discard(&self, digest: &Digest, defect: Defect) -> Option<PathBuf>;
}

/// What actions have run, by key.
pub trait Records: Send + Sync {
    /// A summary for each of these keys, in their order; none where the action has not run.
    /// Whether the objects are still present is not checked: for a result that nothing reads it
    /// does not matter.
    fn find_many(&self, keys: &[Digest]) -> Vec<Option<Summary>>;

    /// The record of a key. Whether its objects are still present is not checked.
    fn find(&self, key: &Digest) -> Option<Record>;

    /// Every record, ordered by key.
    fn all(&self) -> Vec<Record>;

    /// Adds a record, whose objects are stored already; it replaces an earlier one of the same key.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot store it.
    fn append(&self, record: &Record) -> Result<(), Fault>;

    /// Forgets a record, unless another one has replaced it.
    fn forget(&self, record: &Record);
}

/// Objects and records together. Shared by threads and, on disk, by processes.
pub trait Store: Send + Sync {
    /// The bytes of results.
    fn objects(&self) -> Arc<dyn Objects>;

    /// What actions have run.
    fn records(&self) -> &dyn Records;

    /// The record of a key when the action has run and its objects are present (with the right
    /// size; [`load`](Self::load) verifies their content).
    fn find(&self, key: &Digest) -> Option<Record> {
        let objects = self.objects();
        let record = self.records().find(key)?;
        let is_whole = record
            .objects()
            .all(|(_, digest, size)| objects.has(&digest, size));
        is_whole.then_some(record)
    }

    /// The parts of a record, verified byte for byte; a part whose name ends in [`Parts::LARGE`]
    /// is read and verified on demand.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when an object is missing or not what was stored: the object is set
    /// aside and the record forgotten.
    fn load(&self, record: &Record) -> Result<Parts, Fault> {
        load_parts(&self.objects(), self.records(), record)
    }

    /// Makes the results of these keys readable for other processes over the same files; for
    /// stores that find results elsewhere.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when a result turns out to be missing or damaged, [`Fault::Environment`]
    /// when it cannot be kept.
    fn bring(&self, keys: &[Digest]) -> Result<(), Fault> {
        let _ = keys;
        Ok(())
    }

    /// Stores bytes that a record will refer to.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot store them.
    fn keep(&self, bytes: &[u8]) -> Result<Blob, Fault> {
        let (objects, digest) = (self.objects(), Digest::of(bytes));
        objects.put(&digest, bytes, "weights")?;
        Ok(on_demand(&objects, "weights", digest, bytes.len() as u64))
    }

    /// The bytes of a file that a record will refer to; the file stays where it is.
    ///
    /// # Errors
    /// As [`Objects::lend`].
    fn lend(&self, digest: Digest, size: u64, path: &Path) -> Result<Blob, Fault> {
        let objects = self.objects();
        objects.lend(&digest, path, "weights")?;
        Ok(on_demand(&objects, "weights", digest, size))
    }

    /// Stores the parts (a record with [`RecordedOutcome::Parts`] then names them), then the
    /// record.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot store them; nothing half-written is ever
    /// found later.
    fn save(&self, mut record: Record, parts: &Parts) -> Result<Record, Fault> {
        let objects = self.objects();
        let put = |digest: &Digest, bytes: &Arc<[u8]>, part: &str| objects.put(digest, bytes, part);
        put_parts(&mut record, parts, &objects, put)?;
        self.records().append(&record)?;
        Ok(record)
    }

    /// The same, but it may wait for others to be stored with it: it is found at once, and on disk
    /// when [`settle`](Self::settle) returns, if not before. A process that is killed until then
    /// has lost a moment's work.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    fn save_soon(&self, record: Record, parts: &Parts) -> Result<Record, Fault> {
        self.save(record, parts)
    }

    /// Stores what still waits.
    ///
    /// # Errors
    /// What was not stored, and why; it goes on waiting.
    fn settle(&self) -> Result<(), Unsettled> {
        Ok(())
    }

    /// Takes in what other processes have recorded; for stores that several may use at once.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the records cannot be read.
    fn refresh(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Protects the results of these keys, present or still to come, from removal for as long as
    /// the hold lives; for stores that remove results.
    fn hold(&self, keys: &BTreeSet<Digest>) -> Option<Hold> {
        let _ = keys;
        None
    }

    /// The digest of a data file's content, or of the names and contents of all files that a
    /// pattern matches. A store on disk remembers it until the file changes.
    ///
    /// # Errors
    /// [`Fault::Environment`] when a file cannot be read or none matches.
    fn file_digest(&self, path: &Path) -> Result<Digest, Fault> {
        files::digest(path, file_digests::read)
    }

    /// What is known of the blocks of data files that were read for their digest.
    fn known_blocks(&self) -> Option<Arc<KnownBlocks>> {
        None
    }

    /// Forgets the digests of data files that turned out to be wrong, so that they are read anew.
    fn forget_file_digest(&self, path: &Path) {
        let _ = path;
    }
}

/// Results that could not be stored.
#[derive(Debug)]
pub struct Unsettled {
    /// Their keys.
    pub keys: BTreeSet<Digest>,
    /// Why.
    pub fault: Fault,
}

/// Stores the parts of a result and names them in its record.
fn put_parts(
    record: &mut Record,
    parts: &Parts,
    objects: &Arc<dyn Objects>,
    put: impl Fn(&Digest, &Arc<[u8]>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut stored = BTreeMap::new();
    for (part, bytes) in parts.in_memory() {
        let digest = Digest::of(bytes);
        put(&digest, bytes, part)?;
        stored.insert(part.to_owned(), (digest, bytes.len() as u64));
    }
    for (part, kept) in parts.kept() {
        // Most are stored while the result is computed.
        if !objects.has(&kept.digest, kept.size) {
            objects.put(&kept.digest, &kept.read()?, part)?;
        }
        stored.insert(part.to_owned(), (kept.digest, kept.size));
    }
    if let RecordedOutcome::Parts(named) = &mut record.outcome {
        *named = stored;
    }
    Ok(())
}

/// What [`Store::load`] does with these objects and records.
pub(crate) fn load_parts(
    objects: &Arc<dyn Objects>,
    records: &dyn Records,
    record: &Record,
) -> Result<Parts, Fault> {
    let mut parts = Parts::default();
    for (part, digest, size) in record.objects() {
        if part.ends_with(Parts::LARGE) {
            parts = parts.with_kept(part, on_demand(objects, part, digest, size));
            continue;
        }
        match objects.get(&digest, size, &[Piece::whole(digest, size)])? {
            Ok(bytes) => parts = parts.with(part, bytes),
            Err(defect) => {
                // First, so that nobody finds a record whose objects were set aside.
                records.forget(record);
                let aside = objects.discard(&digest, defect);
                return Err(defect.fault(part, &digest, aside.as_deref()));
            }
        }
    }
    Ok(parts)
}

/// A stored object, read and verified on demand. A defective one is discarded.
fn on_demand(objects: &Arc<dyn Objects>, part: &str, digest: Digest, size: u64) -> Blob {
    let (objects, part) = (Arc::clone(objects), part.to_owned());
    Blob::new(digest, size, move |ranges| {
        objects.get(&digest, size, ranges)?.map_err(|defect| {
            let aside = objects.discard(&digest, defect);
            defect.fault(&part, &digest, aside.as_deref())
        })
    })
}
