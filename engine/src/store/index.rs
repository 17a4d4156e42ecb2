//! What the journal's lines add up to: the last word on every key.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::clock::since_1970;
use super::journal::Segment;
use super::{Cost, Record, Summary};
use crate::digest::Digest;
use crate::error::Fault;

/// A line of the journal: its JSON, and of that only what the index needs. Of many
/// thousand records a run asks for some; reading all of each would make every start slow.
#[derive(Clone, Debug)]
pub(super) struct Line {
    head: Word<RecordHead>,
    json: Arc<[u8]>,
}

/// What a line says, with all of a record or its head only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word<R> {
    /// An action has run, this many seconds after 1970 began.
    Kept { at: u64, record: R },
    /// What was recorded of this key holds no more.
    Forgotten(Digest),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(from = "RawRecordHead")]
struct RecordHead {
    key: Digest,
    summary: Summary,
}

/// A record as far as it is read when a store is opened.
#[derive(Deserialize)]
struct RawRecordHead {
    key: Digest,
    outcome: RawOutcome,
    notes: Vec<String>,
    seconds: f64,
}

#[derive(Deserialize)]
enum RawOutcome {
    #[serde(deserialize_with = "sizes")]
    Parts(u64),
    Diverged(String),
}

/// The sizes of all parts together, without the parts.
fn sizes<'de, D: Deserializer<'de>>(parts: D) -> Result<u64, D::Error> {
    struct Sizes;

    impl<'de> Visitor<'de> for Sizes {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("parts by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<u64, A::Error> {
            let mut bytes = 0u64;
            while let Some((_, (_, size))) = parts.next_entry::<IgnoredAny, (IgnoredAny, u64)>()? {
                bytes = bytes.saturating_add(size);
            }
            Ok(bytes)
        }
    }

    parts.deserialize_map(Sizes)
}

impl From<RawRecordHead> for RecordHead {
    fn from(raw: RawRecordHead) -> Self {
        let (bytes, diverged) = match raw.outcome {
            RawOutcome::Parts(bytes) => (bytes, None),
            RawOutcome::Diverged(why) => (0, Some(why)),
        };
        let seconds = raw.seconds;
        Self {
            key: raw.key,
            summary: Summary {
                cost: Cost { seconds, bytes },
                diverged,
                notes: raw.notes,
            },
        }
    }
}

impl Line {
    /// The line that keeps a record.
    pub(super) fn kept(record: &Record) -> Result<Self, Fault> {
        let (at, key) = (since_1970().as_secs(), record.key);
        let json = to_json(&Word::Kept { at, record })?;
        let head = Word::Kept {
            at,
            record: RecordHead {
                key,
                summary: record.summary(),
            },
        };
        Ok(Self { head, json })
    }

    /// The line that forgets what was recorded of a key.
    pub(super) fn forgotten(key: Digest) -> Result<Self, Fault> {
        let json = to_json(&Word::<Record>::Forgotten(key))?;
        let head = Word::Forgotten(key);
        Ok(Self { head, json })
    }

    /// The line with this JSON, when it is one.
    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        Some(Self {
            head: serde_json::from_slice(json).ok()?,
            json: json.into(),
        })
    }

    /// Its JSON.
    pub(super) fn json(&self) -> &[u8] {
        &self.json
    }

    /// The key it is about.
    pub(super) fn key(&self) -> &Digest {
        match &self.head {
            Word::Kept { record, .. } => &record.key,
            Word::Forgotten(key) => key,
        }
    }

    /// What it says of the result it keeps, when it keeps one.
    pub(super) fn summary(&self) -> Option<&Summary> {
        match &self.head {
            Word::Kept { record, .. } => Some(&record.summary),
            Word::Forgotten(_) => None,
        }
    }

    /// The record it keeps, when it keeps one that this farcast can read.
    pub(super) fn record(&self) -> Option<Record> {
        match serde_json::from_slice(&self.json) {
            Ok(Word::Kept { record, .. }) => Some(record),
            _ => None,
        }
    }

    /// How long ago it was written.
    pub(super) fn age(&self) -> Duration {
        match self.head {
            Word::Kept { at, .. } => since_1970().saturating_sub(Duration::from_secs(at)),
            Word::Forgotten(_) => Duration::ZERO,
        }
    }

    fn keeps(&self) -> bool {
        matches!(self.head, Word::Kept { .. })
    }
}

fn to_json(word: &Word<impl Serialize>) -> Result<Arc<[u8]>, Fault> {
    let json = serde_json::to_vec(word).map_err(|error| Fault::Bug(error.to_string()))?;
    Ok(json.into())
}

/// The last word on every key, and the segment that has it. Lines may come in any order of
/// segments: the index is always what reading all of them in order gives.
#[derive(Debug, Default)]
pub(super) struct Index {
    last: HashMap<Digest, (Segment, Line)>,
}

impl Index {
    /// Takes in a line.
    pub(super) fn apply(&mut self, segment: &Segment, line: Line) {
        let key = *line.key();
        if self.segment(&key).is_none_or(|last| last <= segment) {
            self.last.insert(key, (segment.clone(), line));
        }
    }

    /// The segment that has the last word on a key.
    pub(super) fn segment(&self, key: &Digest) -> Option<&Segment> {
        self.last.get(key).map(|(segment, _)| segment)
    }

    /// The line that keeps the record of a key, with its segment.
    pub(super) fn get(&self, key: &Digest) -> Option<&(Segment, Line)> {
        self.last.get(key).filter(|(_, line)| line.keeps())
    }

    /// Every line that keeps a record, with its segment; ordered by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Segment, &Line)> {
        let kept = self.last.values().filter(|(_, line)| line.keeps());
        let mut kept: Vec<_> = kept.map(|(segment, line)| (segment, line)).collect();
        kept.sort_unstable_by_key(|(_, line)| line.key());
        kept.into_iter()
    }

    /// Drops what is known of some keys without a word in the journal: for those whose
    /// segment goes.
    pub(super) fn drop_if(&mut self, drop: impl Fn(&Segment, &Digest) -> bool) {
        self.last.retain(|key, (segment, _)| !drop(segment, key));
    }
}
