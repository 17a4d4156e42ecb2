//! The index of the journal: the last line about every key.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::journal::{Reader, Segment};
use super::lines::BYTES_OF_A_LINE;
use super::{Cost, Record, Summary};
use crate::clock::since_1970;
use crate::digest::{Digest, DigestMap};
use crate::error::Fault;

/// A line of the journal: its JSON, and the part of it that the index needs. A run reads few of
/// many thousand records; parsing all of each would make every start slow.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    key: Digest,
    says: Says,
    json: Bytes,
}

/// What a line says of its key.
#[derive(Clone, Debug)]
enum Says {
    /// There is a record, kept at this time in seconds since 1970.
    Kept {
        at: u64,
        cost: Cost,
        /// What few records have.
        rest: Option<Box<RareSummary>>,
    },
    /// There is none any more.
    Forgotten,
}

/// The rest of a [`Summary`], beside the cost.
#[derive(Clone, Debug)]
struct RareSummary {
    diverged: Option<String>,
    notes: Vec<String>,
}

/// The content of a line, with a complete record or only its head.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LineContent<R> {
    /// An action has run, at this time in seconds since 1970.
    Kept { at: u64, record: R },
    /// The record of this key is no longer valid.
    Forgotten(Digest),
}

/// The part of a record that is read when a store is opened.
#[derive(Deserialize)]
struct RecordHead {
    key: Digest,
    outcome: OutcomeHead,
    notes: Vec<String>,
    seconds: f64,
}

#[derive(Deserialize)]
enum OutcomeHead {
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

impl Says {
    fn kept(at: u64, summary: Summary) -> Self {
        let Summary {
            cost,
            diverged,
            notes,
        } = summary;
        let has_rest = diverged.is_some() || !notes.is_empty();
        let rest = has_rest.then(|| Box::new(RareSummary { diverged, notes }));
        Self::Kept { at, cost, rest }
    }
}

impl Line {
    /// The line of a record.
    pub(crate) fn kept(record: &Record) -> Result<Self, Fault> {
        let (at, key) = (since_1970().as_secs(), record.key);
        let json = to_json(&LineContent::Kept { at, record })?;
        let says = Says::kept(at, record.summary());
        Ok(Self { key, says, json })
    }

    /// The line that revokes the record of a key.
    pub(super) fn forgotten(key: Digest) -> Result<Self, Fault> {
        let json = to_json(&LineContent::<Record>::Forgotten(key))?;
        let says = Says::Forgotten;
        Ok(Self { key, says, json })
    }

    /// The line with this JSON, if it is valid.
    pub(crate) fn from_json(json: Bytes) -> Option<Self> {
        let (key, says) = match serde_json::from_slice(&json).ok()? {
            LineContent::Forgotten(key) => (key, Says::Forgotten),
            LineContent::Kept { at, record } => {
                let RecordHead {
                    key,
                    outcome,
                    notes,
                    seconds,
                } = record;
                let (bytes, diverged) = match outcome {
                    OutcomeHead::Parts(bytes) => (bytes, None),
                    OutcomeHead::Diverged(why) => (0, Some(why)),
                };
                let summary = Summary {
                    cost: Cost { seconds, bytes },
                    diverged,
                    notes,
                };
                (key, Says::kept(at, summary))
            }
        };
        Some(Self { key, says, json })
    }

    /// Its JSON.
    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// Whether it is this very line.
    pub(super) fn is(&self, other: &Self) -> bool {
        std::ptr::eq(&*self.json, &*other.json)
    }

    /// The key it is about.
    pub(crate) fn key(&self) -> &Digest {
        &self.key
    }

    /// The summary of its record, unless it revokes one.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let Says::Kept { cost, rest, .. } = &self.says else {
            return None;
        };
        let rest = rest.as_deref();
        Some(Summary {
            cost: *cost,
            diverged: rest.and_then(|it| it.diverged.clone()),
            notes: rest.map_or_else(Vec::new, |it| it.notes.clone()),
        })
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
        match self.says {
            Says::Kept { at, .. } => since_1970().saturating_sub(Duration::from_secs(at)),
            Says::Forgotten => Duration::ZERO,
        }
    }

    fn keeps(&self) -> bool {
        matches!(self.says, Says::Kept { .. })
    }
}

fn to_json(content: &LineContent<impl Serialize>) -> Result<Bytes, Fault> {
    let json = serde_json::to_vec(content).map_err(|error| Fault::Bug(error.to_string()))?;
    Ok(json.into())
}

/// The most lines that room is made for before they are read.
const MOST_EXPECTED: usize = 1 << 20;

/// The last line about every key, and its segment. Lines may arrive in any order of segments: the
/// index is always the same as after reading all of them in order.
#[derive(Debug, Default)]
pub(super) struct Index {
    last: DigestMap<(Segment, Line)>,
}

impl Reader<Line> for Index {
    fn expect(&mut self, bytes: u64) {
        let lines = bytes as usize / BYTES_OF_A_LINE;
        self.last.reserve(lines.min(MOST_EXPECTED));
    }

    fn read(&mut self, segment: &Segment, line: Line) {
        self.apply(segment, line);
    }
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
