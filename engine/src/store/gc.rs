//! Gives back the room of what no record needs, and makes many journal segments one.
//!
//! Safe beside processes that save: what is younger than an hour stays, and an object is
//! looked at once more before it goes. Safe to kill: at worst it has done only a part.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Record;
use super::dir::DirStore;
use super::index::{Kept, Line};
use super::journal::Segment;
use super::objects::{Found, list_files};
use crate::digest::Digest;
use crate::error::Fault;

/// Objects younger than this may be about to be referred to.
const FRESH: Duration = Duration::from_secs(3600);

/// Unfinished files older than this are nobody's any more.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// What to give up beside what nobody refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcPolicy {
    /// Records made longer ago than this go too.
    pub older_than: Option<Duration>,
    /// Whether anything is done.
    pub effect: Effect,
}

/// Whether something is done or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is done.
    Apply,
    /// It is told what would be done.
    DryRun,
}

/// What was, or would be, given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Records that are too old or whose objects are gone.
    pub records: u64,
    /// Objects no record refers to, those set aside as damaged, and unfinished files.
    pub files: u64,
    /// The size of those files.
    pub bytes: u64,
    /// Journal segments that became one.
    pub segments: u64,
}

impl DirStore {
    /// Gives up what the policy says and no record needs.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be read, or written to with
    /// [`Effect::Apply`].
    pub fn gc(&self, policy: GcPolicy) -> Result<GcReport, Fault> {
        if policy.effect == Effect::Apply {
            self.files.check_writable()?;
        }
        self.refresh()?;
        let unreadable = |error: io::Error| self.files.unreadable(&error);
        let kept: Vec<Kept> = self.index().iter().map(|(_, kept)| kept.clone()).collect();
        let objects: BTreeMap<Digest, Found> = self
            .objects()
            .list()
            .map_err(unreadable)?
            .into_iter()
            .collect();
        let (useful, useless): (Vec<Kept>, Vec<Kept>) = kept
            .into_iter()
            .partition(|kept| policy.is_recent(kept) && is_whole(&kept.record, &objects));
        let needed = referred(useful.iter().map(|kept| &kept.record));
        let rubbish = self.rubbish(&objects, &needed).map_err(unreadable)?;

        let mut report = GcReport {
            records: useless.len() as u64,
            files: rubbish.len() as u64,
            bytes: rubbish.iter().map(|found| found.bytes).sum(),
            segments: 0,
        };
        let useless = useless.into_iter().map(|kept| kept.record).collect();
        report.segments = self.compact(useless, policy.effect)?;
        if policy.effect == Effect::Apply {
            self.digests.compact(&self.files)?;
            self.remove(&rubbish)
                .map_err(|error| self.files.fault("what is left", &error))?;
        }
        Ok(report)
    }

    /// Drops records and merges old segments; gives the number of segments merged.
    fn compact(&self, useless: Vec<Record>, effect: Effect) -> Result<u64, Fault> {
        let settled = self
            .journal()
            .settled()
            .map_err(|error| self.files.unreadable(&error))?;
        let merging: BTreeSet<&Segment> = settled.iter().collect();
        let (left_out, forgotten): (Vec<Record>, Vec<Record>) =
            useless.into_iter().partition(|record| {
                self.index()
                    .segment_of(record)
                    .is_some_and(|segment| merging.contains(segment))
            });
        let worthwhile =
            settled.len() > 1 || !left_out.is_empty() || self.journal().has_problems_in(&settled);
        let merged = if worthwhile { settled.len() as u64 } else { 0 };
        if effect == Effect::DryRun {
            return Ok(merged);
        }
        forgotten.iter().for_each(|record| self.forget(record));
        if worthwhile {
            let left_out: BTreeSet<Digest> = left_out.iter().map(|record| record.key).collect();
            self.merge(&settled, &left_out)?;
        }
        Ok(merged)
    }

    /// Makes these segments one, without the records of these keys.
    fn merge(&self, settled: &[Segment], left_out: &BTreeSet<Digest>) -> Result<(), Fault> {
        let merging: BTreeSet<&Segment> = settled.iter().collect();
        let mut journal = self.journal();
        self.index_mut()
            .drop_if(|segment, record| merging.contains(segment) && left_out.contains(&record.key));
        let lines: Vec<Line> = self
            .index()
            .iter()
            .filter(|(segment, _)| merging.contains(segment))
            .map(|(_, kept)| Line::Kept(kept.clone()))
            .collect();
        journal.replace(&self.files, settled, &lines)
    }

    /// The files nobody needs.
    fn rubbish(
        &self,
        objects: &BTreeMap<Digest, Found>,
        needed: &BTreeSet<Digest>,
    ) -> io::Result<Vec<Found>> {
        let now = self.files.now();
        let mut rubbish = list_files(&self.files.path("tmp"))?;
        rubbish.retain(|found| found.is_older(now, ABANDONED));
        rubbish.extend(list_files(&self.files.path("damaged"))?);
        let unneeded = objects
            .iter()
            .filter(|(digest, found)| !needed.contains(digest) && found.is_older(now, FRESH));
        rubbish.extend(unneeded.map(|(_, found)| found.clone()));
        Ok(rubbish)
    }

    /// Removes files, except those touched or referred to since they were listed.
    fn remove(&self, rubbish: &[Found]) -> io::Result<()> {
        self.refresh().map_err(io::Error::other)?;
        let needed = referred(self.index().iter().map(|(_, kept)| &kept.record));
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

impl GcPolicy {
    fn is_recent(&self, kept: &Kept) -> bool {
        self.older_than.is_none_or(|limit| kept.age() <= limit)
    }
}

impl Found {
    fn is_older(&self, now: SystemTime, age: Duration) -> bool {
        now.duration_since(self.modified)
            .is_ok_and(|found| found > age)
    }
}

fn is_whole(record: &Record, objects: &BTreeMap<Digest, Found>) -> bool {
    record.objects().all(|(_, digest, size)| {
        objects
            .get(&digest)
            .is_some_and(|found| found.bytes == size)
    })
}

fn referred<'a>(records: impl Iterator<Item = &'a Record>) -> BTreeSet<Digest> {
    records
        .flat_map(|record| record.objects().map(|(_, digest, _)| digest))
        .collect()
}

fn object(path: &Path) -> Option<Digest> {
    path.file_name()?.to_str()?.parse().ok()
}
