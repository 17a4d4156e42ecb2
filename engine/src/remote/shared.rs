//! A store with remote stores behind it: what is not here is looked up and fetched there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Remote;
use super::level::{Level, Look, Usage};
use super::signature::PublicKey;
use crate::artifact::{Parts, Piece};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::KnownBlocks;
use crate::store::{
    Defect, DirStore, Hold, Line, Objects, Record, Records, Store, Summary, Unsettled, intact,
    load_parts,
};

/// A store on disk before any number of remote ones. What is fetched is kept; what is computed
/// goes to the store on disk alone.
pub struct Shared<'a> {
    local: &'a DirStore,
    objects: Arc<SharedObjects>,
    records: SharedRecords<'a>,
}

struct SharedObjects {
    local: Arc<dyn Objects>,
    levels: Arc<Vec<Level>>,
}

struct SharedRecords<'a> {
    local: &'a dyn Records,
    levels: Arc<Vec<Level>>,
}

impl<'a> Shared<'a> {
    /// The store before these remote ones, in their order; and what the user must know of them.
    /// The results of whoever has the key `own` are trusted everywhere.
    pub fn open(
        local: &'a DirStore,
        remotes: &[Remote],
        own: Option<&PublicKey>,
        look: Look,
    ) -> (Self, Vec<String>) {
        let (mut levels, mut notes) = (Vec::new(), Vec::new());
        for remote in remotes {
            let (level, said) = Level::open(remote, local, own, look);
            levels.push(level);
            notes.extend(said);
        }
        let levels = Arc::new(levels);
        let shared = Self {
            local,
            objects: Arc::new(SharedObjects {
                local: local.objects(),
                levels: Arc::clone(&levels),
            }),
            records: SharedRecords {
                local: local.records(),
                levels,
            },
        };
        (shared, notes)
    }

    /// The remote store that has the result of a key which is not here.
    pub fn place_of(&self, key: &Digest) -> Option<&str> {
        let mut levels = self.records.levels.iter();
        let level = levels.find(|level| level.line(key).is_some())?;
        let is_elsewhere = self.local.find(key).is_none();
        is_elsewhere.then_some(level.name.as_str())
    }

    /// Looks away from what the remote stores say of members that diverged.
    pub fn forget_diverged(&self) {
        self.records.levels.iter().for_each(Level::forget_diverged);
    }

    /// What is known of each remote store.
    pub fn usage(&self) -> Vec<Usage> {
        let levels = self.records.levels.iter();
        let lines = self.local.lines();
        let here: BTreeSet<Digest> = lines.iter().map(|line| *line.key()).collect();
        levels
            .map(|level| level.usage(|key| here.contains(key)))
            .collect()
    }

    /// Keeps a record whose objects have been fetched.
    fn adopt(&self, record: &Record) {
        let objects = self.objects.local.as_ref();
        let is_here = |(_, digest, size): (&str, Digest, u64)| objects.has(&digest, size);
        if self.local.find(&record.key).is_none() && record.objects().all(is_here) {
            // A store that cannot be written to fetches it again.
            let _ = self.local.records().append(record);
        }
    }

    /// A fault that is owed to a place that is away, in the same words for every result.
    fn explained(&self, fault: Fault) -> Fault {
        let levels = self.records.levels.iter();
        let mut away = levels.filter_map(|level| Some((&level.name, level.away()?)));
        match (&fault, away.next()) {
            (Fault::Damaged(_), Some((name, why))) => Fault::Damaged(format!(
                "`{name}` is away ({why}): what it would have given is computed here"
            )),
            _ => fault,
        }
    }
}

impl Store for Shared<'_> {
    fn objects(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.objects) as Arc<dyn Objects>
    }

    fn records(&self) -> &dyn Records {
        &self.records
    }

    fn find(&self, key: &Digest) -> Option<Record> {
        let here = self.local.find(key);
        here.or_else(|| self.records.elsewhere(key))
    }

    fn load(&self, record: &Record) -> Result<Parts, Fault> {
        let loaded = load_parts(&self.objects(), &self.records, record);
        let parts = loaded.map_err(|fault| self.explained(fault))?;
        self.adopt(record);
        Ok(parts)
    }

    fn bring(&self, keys: &[Digest]) -> Result<(), Fault> {
        for key in keys {
            if self.local.find(key).is_some() {
                continue;
            }
            let Some(record) = self.records.elsewhere(key) else {
                continue;
            };
            for (part, digest, size) in record.objects() {
                let whole = [Piece::whole(digest, size)];
                if let Err(defect) = self.objects.get(&digest, size, &whole)? {
                    self.records.forget(&record);
                    return Err(self.explained(defect.fault(part, &digest, None)));
                }
            }
            self.local.records().append(&record)?;
        }
        Ok(())
    }

    fn save_soon(&self, record: Record, parts: &Parts) -> Result<Record, Fault> {
        self.local.save_soon(record, parts)
    }

    fn settle(&self) -> Result<(), Unsettled> {
        self.local.settle()
    }

    fn refresh(&self) -> Result<(), Fault> {
        self.local.refresh()
    }

    fn hold(&self, keys: &BTreeSet<Digest>) -> Option<Hold> {
        Store::hold(self.local, keys)
    }

    fn file_digest(&self, path: &Path) -> Result<Digest, Fault> {
        self.local.file_digest(path)
    }

    fn known_blocks(&self) -> Option<Arc<KnownBlocks>> {
        self.local.known_blocks()
    }

    fn forget_file_digest(&self, path: &Path) {
        self.local.forget_file_digest(path);
    }
}

impl Objects for SharedObjects {
    /// Whether it is here: what is elsewhere is not asked for.
    fn has(&self, digest: &Digest, size: u64) -> bool {
        self.local.has(digest, size)
    }

    fn put(&self, digest: &Digest, bytes: &[u8], part: &str) -> Result<(), Fault> {
        self.local.put(digest, bytes, part)
    }

    fn lend(&self, digest: &Digest, path: &Path, part: &str) -> Result<(), Fault> {
        self.local.lend(digest, path, part)
    }

    fn get(
        &self,
        digest: &Digest,
        size: u64,
        ranges: &[Piece],
    ) -> Result<Result<Arc<[u8]>, Defect>, Fault> {
        let defect = match self.local.get(digest, size, ranges)? {
            Ok(bytes) => return Ok(Ok(bytes)),
            Err(defect) => defect,
        };
        let fetched = { self.levels.iter() }.find_map(|level| level.fetch(digest, size));
        let Some(bytes) = fetched else {
            return Ok(Err(defect));
        };
        // Where the store cannot be written to, it is fetched again when it is read again.
        let _ = self.local.put(digest, &bytes, "fetched");
        Ok(intact(&bytes, ranges))
    }

    fn discard(&self, digest: &Digest, defect: Defect) -> Option<PathBuf> {
        self.local.discard(digest, defect)
    }
}

impl SharedRecords<'_> {
    /// The record of a key in a remote store.
    fn elsewhere(&self, key: &Digest) -> Option<Record> {
        let mut lines = self.levels.iter().filter_map(|level| level.line(key));
        lines.find_map(whole_record)
    }
}

/// The record of a line, when its text is what its key is the digest of.
fn whole_record(line: &Line) -> Option<Record> {
    let record = line.record()?;
    (Digest::of(record.key_text.as_bytes()) == record.key).then_some(record)
}

impl Records for SharedRecords<'_> {
    /// Of a place that is away, only what needs no objects.
    fn find_many(&self, keys: &[Digest]) -> Vec<Option<Summary>> {
        let mut found = self.local.find_many(keys);
        for level in self.levels.iter() {
            let is_away = level.away().is_some();
            for (summary, key) in found.iter_mut().zip(keys) {
                if summary.is_none() {
                    let there = level.line(key).and_then(Line::summary);
                    *summary = there.filter(|it| !is_away || it.diverged.is_some());
                }
            }
        }
        found
    }

    fn find(&self, key: &Digest) -> Option<Record> {
        self.local.find(key).or_else(|| self.elsewhere(key))
    }

    fn all(&self) -> Vec<Record> {
        self.local.all()
    }

    fn append(&self, record: &Record) -> Result<(), Fault> {
        self.local.append(record)
    }

    fn forget(&self, record: &Record) {
        self.local.forget(record);
        for level in self.levels.iter().filter(|level| level.is_listed()) {
            level.forget(&record.key);
        }
    }
}
