//! The index of the journal: the last line about every key.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::journal::Segment;
use super::{Cost, Record, Summary};
use crate::clock::since_1970;
use crate::digest::{Digest, DigestMap};
use crate::error::Fault;

/// A line of the journal: its JSON, and the part of it that the index needs. A run reads few of
/// many thousand records; parsing all of each would make every start slow.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    head: LineContent<RecordHead>,
    json: Arc<[u8]>,
}

/// The content of a line, with a complete record or only its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LineContent<R> {
    /// An action has run, at this time in seconds since 1970.
    Kept { at: u64, record: R },
    /// The record of this key is no longer valid.
    Forgotten(Digest),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(from = "RawRecordHead")]
struct RecordHead {
    key: Digest,
    summary: Summary,
}

/// The part of a record that is read when a store is opened.
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

/// The total size of all parts.
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
    /// The line of a record.
    pub(crate) fn kept(record: &Record) -> Result<Self, Fault> {
        let (at, key) = (since_1970().as_secs(), record.key);
        let json = to_json(&LineContent::Kept { at, record })?;
        let head = LineContent::Kept {
            at,
            record: RecordHead {
                key,
                summary: record.summary(),
            },
        };
        Ok(Self { head, json })
    }

    /// The line that revokes the record of a key.
    pub(super) fn forgotten(key: Digest) -> Result<Self, Fault> {
        let json = to_json(&LineContent::<Record>::Forgotten(key))?;
        let head = LineContent::Forgotten(key);
        Ok(Self { head, json })
    }

    /// The line with this JSON, if it is valid.
    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        Some(Self {
            head: serde_json::from_slice(json).ok()?,
            json: json.into(),
        })
    }

    /// Its JSON.
    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// Whether it is this very line.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.json, &other.json)
    }

    /// The key it is about.
    pub(crate) fn key(&self) -> &Digest {
        match &self.head {
            LineContent::Kept { record, .. } => &record.key,
            LineContent::Forgotten(key) => key,
        }
    }

    /// The summary of its record, unless it revokes one.
    pub(crate) fn summary(&self) -> Option<&Summary> {
        match &self.head {
            LineContent::Kept { record, .. } => Some(&record.summary),
            LineContent::Forgotten(_) => None,
        }
    }

    /// Its record, unless it revokes one or this farcast cannot read it.
    pub(crate) fn record(&self) -> Option<Record> {
        match serde_json::from_slice(&self.json) {
            Ok(LineContent::Kept { record, .. }) => Some(record),
            _ => None,
        }
    }

    /// Its age.
    pub(super) fn age(&self) -> Duration {
        match self.head {
            LineContent::Kept { at, .. } => since_1970().saturating_sub(Duration::from_secs(at)),
            LineContent::Forgotten(_) => Duration::ZERO,
        }
    }

    fn keeps(&self) -> bool {
        matches!(self.head, LineContent::Kept { .. })
    }
}

fn to_json(content: &LineContent<impl Serialize>) -> Result<Arc<[u8]>, Fault> {
    let json = serde_json::to_vec(content).map_err(|error| Fault::Bug(error.to_string()))?;
    Ok(json.into())
}

/// The last line about every key, and its segment. Lines may arrive in any order of segments: the
/// index is always the same as after reading all of them in order.
#[derive(Debug, Default)]
pub(super) struct Index {
    last: DigestMap<(Segment, Line)>,
}

impl Index {
    /// Adds a line.
    pub(super) fn apply(&mut self, segment: &Segment, line: Line) {
        let key = *line.key();
        if self.segment(&key).is_none_or(|last| last <= segment) {
            self.last.insert(key, (segment.clone(), line));
        }
    }

    /// The segment with the last line about a key.
    pub(super) fn segment(&self, key: &Digest) -> Option<&Segment> {
        self.last.get(key).map(|(segment, _)| segment)
    }

    /// The line with the record of a key, and its segment.
    pub(super) fn get(&self, key: &Digest) -> Option<&(Segment, Line)> {
        self.last.get(key).filter(|(_, line)| line.keeps())
    }

    /// Every line with a record, and its segment; ordered by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Segment, &Line)> {
        let kept = self.last.values().filter(|(_, line)| line.keeps());
        let mut kept: Vec<_> = kept.map(|(segment, line)| (segment, line)).collect();
        kept.sort_unstable_by_key(|(_, line)| line.key());
        kept.into_iter()
    }

    /// Removes keys without a line in the journal: for those whose segment is removed.
    pub(super) fn drop_if(&mut self, drop: impl Fn(&Segment, &Digest) -> bool) {
        self.last.retain(|key, (segment, _)| !drop(segment, key));
    }
}
