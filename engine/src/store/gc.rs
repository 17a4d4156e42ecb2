//! Garbage collection: removes what no record needs, and merges the segments of the journal.
//!
//! It is safe while other processes save: files younger than an hour stay, and an object is checked
//! once more before it is removed. It is safe to kill: at worst only a part is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::dir::DirStore;
use super::index::Line;
use super::lent;
use super::listing::{StoredFile, list_files};
use super::packs::{Pack, is_pack};
use super::{Effect, Record, Records};
use crate::digest::Digest;
use crate::error::Fault;

/// A record may be about to refer to an object younger than this.
const FRESH: Duration = Duration::from_secs(3600);

/// Unfinished files older than this are abandoned.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// What to remove beside what nobody refers to. Results that a running process uses or somebody has
/// pinned stay in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcPolicy {
    /// Remove records older than this, too.
    pub older_than: Option<Duration>,
    /// Remove records of all other keys, too.
    pub only: Option<BTreeSet<Digest>>,
    /// Remove records, the oldest first, until the others need no more bytes than this.
    pub max_bytes: Option<u64>,
    /// Whether anything is removed.
    pub effect: Effect,
}

/// What was, or would be, removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Records that the policy removes or whose objects are gone.
    pub records: u64,
    /// Objects no record refers to, what was set aside as damaged, and unfinished files.
    pub files: u64,
    /// The size of those files.
    pub bytes: u64,
    /// Journal segments that were merged.
    pub segments: u64,
}

impl DirStore {
    /// Removes the records of the policy, and all files that no other record needs.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be read, or written to with
    /// [`Effect::Apply`].
    pub fn gc(&self, policy: GcPolicy) -> Result<GcReport, Fault> {
        if policy.effect == Effect::Apply {
            self.folder.check_writable()?;
        }
        self.refresh()?;
        let unreadable = |error: io::Error| self.folder.unreadable(&error);
        let packs = self.objects.packs.list().map_err(unreadable)?;
        let mut objects: BTreeMap<Digest, StoredFile> =
            packs.iter().flat_map(Pack::files).collect();
        objects.extend(self.objects.list().map_err(unreadable)?);
        let held = self.held()?;
        let (mut wanted, mut useless) = (Vec::new(), Vec::new());
        for line in self.records.lines() {
            let is_held = held.contains(line.key());
            match line.record() {
                Some(record) if (is_held || policy.wants(&line)) && is_whole(&record, &objects) => {
                    wanted.push(Wanted {
                        is_held,
                        record,
                        line,
                    });
                }
                _ => useless.push(line),
            }
        }
        let needed = policy.within_bounds(wanted, &mut useless);
        let mut rubbish = self.rubbish(&objects, &needed).map_err(unreadable)?;
        let now = self.folder.now();
        let old = packs
            .into_iter()
            .filter(|pack| pack.file.is_older(now, FRESH));
        let sparse: Vec<Pack> = old.filter(|pack| pack.is_sparse(&needed)).collect();
        rubbish.extend(sparse.iter().map(|pack| pack.file.clone()));

        let mut report = GcReport {
            records: useless.len() as u64,
            files: rubbish.len() as u64,
            bytes: rubbish.iter().map(StoredFile::room).sum(),
            segments: 0,
        };
        report.segments = self.records.compact(useless, policy.effect)?;
        if policy.effect == Effect::Apply {
            self.file_digests.compact(&self.folder)?;
            self.objects.repack(&sparse, &needed)?;
            self.remove(&rubbish)
                .map_err(|error| self.folder.fault("the remaining files", &error))?;
        }
        Ok(report)
    }

    /// The files that nobody needs.
    fn rubbish(
        &self,
        objects: &BTreeMap<Digest, StoredFile>,
        needed: &BTreeSet<Digest>,
    ) -> io::Result<Vec<StoredFile>> {
        let now = self.folder.now();
        let mut rubbish = list_files(&self.folder.path("tmp"))?;
        rubbish.retain(|found| found.is_older(now, ABANDONED));
        rubbish.extend(list_files(&self.folder.path("damaged"))?);
        rubbish.extend(self.scores_of_no_run(now)?);
        let unneeded = objects.iter().filter(|(digest, found)| {
            !needed.contains(digest) && found.is_older(now, FRESH) && !is_pack(&found.path)
        });
        rubbish.extend(unneeded.map(|(_, found)| found.clone()));
        Ok(rubbish)
    }

    /// Scores whose run was killed before its record was written.
    fn scores_of_no_run(&self, now: SystemTime) -> io::Result<Vec<StoredFile>> {
        let mut scores = list_files(&self.folder.path("runs"))?;
        scores.retain(|found| {
            let is_scores = found.path.extension().is_some_and(|kind| kind == "parquet");
            is_scores && !found.path.with_extension("json").exists() && found.is_older(now, FRESH)
        });
        Ok(scores)
    }

    /// Removes files, except those that were touched or referred to since they were listed.
    fn remove(&self, rubbish: &[StoredFile]) -> io::Result<()> {
        self.refresh().map_err(io::Error::other)?;
        let records = self.records.all();
        let needed: BTreeSet<Digest> = records.iter().flat_map(digests).collect();
        for found in rubbish {
            let unchanged = fs::symlink_metadata(&found.path)
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|modified| modified == found.modified);
            if unchanged && !object(&found.path).is_some_and(|digest| needed.contains(&digest)) {
                match fs::remove_file(&found.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// A record that stays unless the store is too large.
struct Wanted {
    is_held: bool,
    record: Record,
    line: Line,
}

impl GcPolicy {
    /// Removes only what nobody refers to.
    pub const UNREFERRED: Self = Self {
        older_than: None,
        only: None,
        max_bytes: None,
        effect: Effect::Apply,
    };

    fn wants(&self, line: &Line) -> bool {
        let is_recent = self.older_than.is_none_or(|limit| line.age() <= limit);
        let is_named = |only: &BTreeSet<Digest>| only.contains(line.key());
        is_recent && self.only.as_ref().is_none_or(is_named)
    }

    /// The objects of the youngest records that fit into the size limit; the lines of the other
    /// records become useless.
    fn within_bounds(&self, mut wanted: Vec<Wanted>, useless: &mut Vec<Line>) -> BTreeSet<Digest> {
        wanted.sort_by_key(|wanted| (!wanted.is_held, wanted.line.age()));
        let limit = self.max_bytes.unwrap_or(u64::MAX);
        let (mut needed, mut bytes, mut is_full) = (BTreeSet::new(), 0_u64, false);
        for wanted in wanted {
            let objects = wanted.record.objects();
            let more: BTreeMap<Digest, u64> = objects
                .filter(|(_, digest, _)| !needed.contains(digest))
                .map(|(_, digest, size)| (digest, size))
                .collect();
            let larger = bytes.saturating_add(more.values().sum());
            is_full |= !wanted.is_held && larger > limit;
            if is_full {
                useless.push(wanted.line);
            } else {
                bytes = larger;
                needed.extend(more.into_keys());
            }
        }
        needed
    }
}

impl StoredFile {
    pub(super) fn is_older(&self, now: SystemTime, age: Duration) -> bool {
        now.duration_since(self.modified)
            .is_ok_and(|found| found > age)
    }
}

fn is_whole(record: &Record, objects: &BTreeMap<Digest, StoredFile>) -> bool {
    record.objects().all(|(_, digest, size)| {
        objects
            .get(&digest)
            .is_some_and(|found| found.bytes == size)
    })
}

fn digests(record: &Record) -> Vec<Digest> {
    record.objects().map(|(_, digest, _)| digest).collect()
}

fn object(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(lent::ENDING).unwrap_or(name);
    name.parse().ok()
}
