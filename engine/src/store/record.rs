//! What a store knows of an action that has run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::Parts;
use crate::digest::Digest;

/// An action that has run: its key, how it ended, and the objects of its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The action's key.
    pub key: Digest,
    /// The printable text the key is the digest of.
    pub key_text: String,
    /// How it ended.
    pub outcome: RecordedOutcome,
    /// What a reader of the results must know.
    pub notes: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// The machine it ran on.
    pub host: String,
}

/// How a recorded action ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecordedOutcome {
    /// The parts of its artifact, as digests and sizes in bytes.
    Parts(BTreeMap<String, (Digest, u64)>),
    /// The member diverged, and why.
    Diverged(String),
}

/// The part of a [`Record`] that planning reads of every result, used or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// What the result cost when it was computed, in this run or an earlier one.
    pub cost: Cost,
    /// Why the member diverged, if it did.
    pub diverged: Option<String>,
    /// What a reader of the results must know.
    pub notes: Vec<String>,
}

/// What a result costs to compute and to store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// How long computing it took.
    pub seconds: f64,
    /// Its size in the store.
    pub bytes: u64,
}

impl Record {
    /// The plugin that produced it, according to the key.
    pub fn plugin(&self) -> &str {
        crate::key::plugin_of(&self.key_text)
    }

    /// What the result costs.
    pub fn cost(&self) -> Cost {
        Cost {
            seconds: self.seconds,
            bytes: self
                .objects()
                .fold(0, |all, (_, _, bytes)| all.saturating_add(bytes)),
        }
    }

    /// Whether the member diverged, so that there is nothing to read.
    pub fn is_diverged(&self) -> bool {
        matches!(self.outcome, RecordedOutcome::Diverged(_))
    }

    /// The part of it that planning reads.
    pub fn summary(&self) -> Summary {
        Summary {
            cost: self.cost(),
            diverged: match &self.outcome {
                RecordedOutcome::Diverged(why) => Some(why.clone()),
                RecordedOutcome::Parts(_) => None,
            },
            notes: self.notes.clone(),
        }
    }

    /// The objects it refers to, as part name, digest and size in bytes.
    pub fn objects(&self) -> impl Iterator<Item = (&str, Digest, u64)> {
        let parts = match &self.outcome {
            RecordedOutcome::Parts(parts) => Some(parts),
            RecordedOutcome::Diverged(_) => None,
        };
        parts
            .into_iter()
            .flatten()
            .map(|(name, (digest, size))| (name.as_str(), *digest, *size))
    }

    /// Whether the result is not stored, but made again where it is read.
    pub fn is_remade(&self) -> bool {
        self.objects().any(|(part, ..)| part == Parts::REMADE)
    }
}

/// A size for people: `1.2 MB`.
pub fn size_text(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e3 => format!("{bytes} B"),
        bytes if bytes < 1e6 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}
