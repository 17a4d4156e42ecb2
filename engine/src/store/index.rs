//! What the journal's lines add up to: the last word on every key.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Record;
use super::journal::Segment;
use crate::digest::Digest;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    /// An action has run.
    Kept(Kept),
    /// What was recorded of this key holds no more.
    Forgotten(Digest),
}

/// A record and when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Seconds since 1970.
    pub(super) at: u64,
    pub(super) record: Record,
}

impl Kept {
    /// A record made now.
    pub(super) fn now(record: Record) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            at: at.unwrap_or_default().as_secs(),
            record,
        }
    }

    /// How long ago it was made.
    pub(super) fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap_or_default()
            .saturating_sub(Duration::from_secs(self.at))
    }
}

impl Line {
    /// The key it is about.
    pub(super) fn key(&self) -> &Digest {
        match self {
            Line::Kept(kept) => &kept.record.key,
            Line::Forgotten(key) => key,
        }
    }
}

/// The last word on every key, and the segment that has it. Lines may come in any order of
/// segments: the index is always what reading all of them in order gives.
#[derive(Debug, Default)]
pub(super) struct Index {
    slots: BTreeMap<Digest, (Segment, Option<Kept>)>,
}

impl Index {
    /// Takes in a line.
    pub(super) fn apply(&mut self, segment: &Segment, line: Line) {
        let key = *line.key();
        if self.segment(&key).is_some_and(|last| last > segment) {
            return;
        }
        let kept = match line {
            Line::Kept(kept) => Some(kept),
            Line::Forgotten(_) => None,
        };
        self.slots.insert(key, (segment.clone(), kept));
    }

    /// The segment that has the last word on a key.
    pub(super) fn segment(&self, key: &Digest) -> Option<&Segment> {
        self.slots.get(key).map(|(segment, _)| segment)
    }

    /// The record of a key.
    pub(super) fn get(&self, key: &Digest) -> Option<&Record> {
        let (_, kept) = self.slots.get(key)?;
        kept.as_ref().map(|kept| &kept.record)
    }

    /// Every record with the segment it is in, ordered by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Segment, &Kept)> {
        self.slots
            .values()
            .filter_map(|(segment, kept)| Some((segment, kept.as_ref()?)))
    }

    /// The segment this very record is in, when it is the last word on its key.
    pub(super) fn segment_of(&self, record: &Record) -> Option<&Segment> {
        let (segment, kept) = self.slots.get(&record.key)?;
        let kept = kept.as_ref()?;
        (kept.record.outcome == record.outcome).then_some(segment)
    }

    /// Drops records without a word in the journal: for those whose segment goes.
    pub(super) fn drop_if(&mut self, drop: impl Fn(&Segment, &Record) -> bool) {
        self.slots.retain(|_, (segment, kept)| {
            !kept
                .as_ref()
                .is_some_and(|kept| drop(segment, &kept.record))
        });
    }
}
