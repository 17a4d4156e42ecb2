//! The records of a store on disk: a journal, and an index of what it says last about every key.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::folder::Folder;
use super::index::{Index, Line};
use super::journal::{Journal, Problem, Segment};
use super::{Effect, Record, Records, Summary};
use crate::digest::Digest;
use crate::error::Fault;

/// The journal of a store and its index.
pub(super) struct DirRecords {
    folder: Folder,
    journal: Mutex<Journal>,
    index: RwLock<Index>,
    /// What is in the index and not on disk yet.
    waiting: Mutex<Unwritten>,
}

/// Records that are written together.
#[derive(Default)]
struct Unwritten {
    lines: Vec<Line>,
    since: Option<Instant>,
}

/// How long a record waits for others.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How many records wait at most.
const MOST_WAITING: usize = 2048;

impl DirRecords {
    /// The records in this folder, nothing of them read yet.
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            journal: Mutex::new(Journal::new(folder.path("journal"))),
            index: RwLock::default(),
            waiting: Mutex::default(),
            folder,
        }
    }

    /// Adds a record that is written when [`settle`](Self::settle) is called; returns whether
    /// that is due.
    pub(super) fn append_soon(&self, record: &Record) -> Result<bool, Fault> {
        let line = Line::kept(record)?;
        let mut journal = self.journal();
        let last = self.index().segment(line.key()).cloned();
        let segment = journal.writing(&self.folder, last.as_ref())?;
        self.index_mut().apply(&segment, line.clone());
        let mut waiting = self.waiting();
        waiting.lines.push(line);
        let since = *waiting.since.get_or_insert_with(Instant::now);
        Ok(waiting.lines.len() >= MOST_WAITING || since.elapsed() >= LONGEST_WAIT)
    }

    /// The records that wait. The caller writes them, or gives them back.
    pub(super) fn take_waiting(&self) -> Vec<Line> {
        let mut waiting = self.waiting();
        waiting.since = None;
        std::mem::take(&mut waiting.lines)
    }

    /// Lets records wait again.
    pub(super) fn give_back(&self, mut lines: Vec<Line>) {
        let mut waiting = self.waiting();
        lines.append(&mut waiting.lines);
        waiting.lines = lines;
        waiting.since.get_or_insert_with(Instant::now);
    }

    /// Writes records that waited, whose objects are on disk.
    pub(super) fn settle(&self, lines: &[Line]) -> Result<(), Fault> {
        let mut journal = self.journal();
        let (lines, after) = {
            let index = self.index();
            // Not what was replaced or forgotten meanwhile.
            let is_last = |line: &&Line| index.get(line.key()).is_some_and(|it| it.1.is(line));
            let lines: Vec<&Line> = lines.iter().filter(is_last).collect();
            let segments = lines.iter().filter_map(|line| index.segment(line.key()));
            let after = segments.max().cloned();
            (lines, after)
        };
        if lines.is_empty() {
            return Ok(());
        }
        let json: Vec<&[u8]> = lines.iter().map(|line| line.json()).collect();
        let segment = journal.append(&self.folder, &json, after.as_ref())?;
        let mut index = self.index_mut();
        for line in lines {
            index.apply(&segment, line.clone());
        }
        Ok(())
    }

    /// Reads what was recorded since the last call, by any process.
    pub(super) fn refresh(&self) -> Result<(), Fault> {
        let mut journal = self.journal();
        let mut index = self.index_mut();
        journal
            .read(Line::from_json, &mut *index)
            .map_err(|error| self.folder.unreadable(&error))
    }

    /// The lines of the journal that cannot be read.
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.journal().problems()
    }

    /// How many records there are.
    pub(super) fn count(&self) -> usize {
        self.index().iter().count()
    }

    /// The line of every record, ordered by key.
    pub(super) fn lines(&self) -> Vec<Line> {
        let index = self.index();
        index.iter().map(|(_, line)| line.clone()).collect()
    }

    /// Removes records and merges old segments; returns the number of segments merged.
    pub(super) fn compact(&self, useless: Vec<Line>, effect: Effect) -> Result<u64, Fault> {
        let settled = self
            .journal()
            .settled()
            .map_err(|error| self.folder.unreadable(&error))?;
        let merging = |segment: &Segment| settled.contains(segment);
        let (left_out, forgotten): (Vec<Line>, Vec<Line>) = useless
            .into_iter()
            .partition(|line| self.index().segment(line.key()).is_some_and(merging));
        let worthwhile =
            settled.len() > 1 || !left_out.is_empty() || self.journal().has_problems_in(&settled);
        let merged = if worthwhile { settled.len() as u64 } else { 0 };
        if effect == Effect::DryRun {
            return Ok(merged);
        }
        for line in forgotten {
            self.forget_if(line.key(), |last| last.json() == line.json());
        }
        if worthwhile {
            let left_out: BTreeSet<Digest> = left_out.iter().map(|line| *line.key()).collect();
            self.merge(&settled, &left_out)?;
        }
        Ok(merged)
    }

    /// Rewrites the journal up to its last unreadable line, without such lines.
    pub(super) fn leave_out_problems(&self) -> Result<(), Fault> {
        let segments = self.journal().up_to_problems();
        let segments = segments.map_err(|error| self.folder.unreadable(&error))?;
        self.merge(&segments, &BTreeSet::new())
    }

    /// Merges these segments into one, without the records of the keys left out.
    fn merge(&self, settled: &BTreeSet<Segment>, left_out: &BTreeSet<Digest>) -> Result<(), Fault> {
        let mut journal = self.journal();
        self.index_mut()
            .drop_if(|segment, key| settled.contains(segment) && left_out.contains(key));
        let index = self.index();
        let json: Vec<&[u8]> = index
            .iter()
            .filter(|(segment, _)| settled.contains(segment))
            .map(|(_, line)| line.json())
            .collect();
        journal.replace(&self.folder, settled, &json)
    }

    /// Forgets the record of a key when its last line is the one meant. Best effort on disk, as
    /// the store may be read-only; for this process it is gone in any case.
    fn forget_if(&self, key: &Digest, is_meant: impl Fn(&Line) -> bool) {
        let mut journal = self.journal();
        let last = self
            .index()
            .get(key)
            .filter(|(_, line)| is_meant(line))
            .map(|(segment, _)| segment.clone());
        let (Some(last), Ok(line)) = (last, Line::forgotten(*key)) else {
            return;
        };
        let written = journal.append(&self.folder, &[line.json()], Some(&last));
        self.index_mut().apply(&written.unwrap_or(last), line);
    }

    fn waiting(&self) -> MutexGuard<'_, Unwritten> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records for DirRecords {
    fn find_many(&self, keys: &[Digest]) -> Vec<Option<Summary>> {
        let index = self.index();
        let summary = |key| index.get(key)?.1.summary();
        keys.iter().map(summary).collect()
    }

    fn find(&self, key: &Digest) -> Option<Record> {
        self.index().get(key)?.1.record()
    }

    fn all(&self) -> Vec<Record> {
        let index = self.index();
        index.iter().filter_map(|(_, line)| line.record()).collect()
    }

    fn append(&self, record: &Record) -> Result<(), Fault> {
        let line = Line::kept(record)?;
        let mut journal = self.journal();
        let last = self.index().segment(line.key()).cloned();
        let segment = journal.append(&self.folder, &[line.json()], last.as_ref())?;
        self.index_mut().apply(&segment, line);
        Ok(())
    }

    fn forget(&self, record: &Record) {
        self.forget_if(&record.key, |line| {
            line.record()
                .is_some_and(|last| last.outcome == record.outcome)
        });
    }
}
