//! Where results are kept: content-addressed objects and a journal of what made them.

mod clock;
mod digests;
mod dir;
mod files;
mod gc;
mod holds;
mod index;
mod journal;
mod lines;
mod locate;
mod memory;
mod objects;
mod pattern;
mod runs;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::artifact::{Kept, Parts};
use crate::digest::Digest;
use crate::error::Fault;

pub use clock::unix_millis;
pub use dir::{Access, DirStore, Usage};
pub use gc::{Effect, GcPolicy, GcReport};
pub use holds::Hold;
pub use journal::Problem;
pub use locate::{default_path, project_file};
pub use memory::MemStore;
pub use pattern::matching;
pub use runs::read_limited;
pub use verify::{OnDamage, VerifyReport};

/// What is known of an action that has run.
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

/// What it takes to make a result and to keep it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// How long it took to make.
    pub seconds: f64,
    /// How large it is.
    pub bytes: u64,
}

/// Bytes for people: `1.2 MB`.
pub fn size_text(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e3 => format!("{bytes} B"),
        bytes if bytes < 1e6 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}

/// The part of a [`Record`] that a run asks of every result, taken or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// What it took, whenever that was.
    pub cost: Cost,
    /// Why the member diverged, if it did.
    pub diverged: Option<String>,
    /// What a reader of the results must know.
    pub notes: Vec<String>,
}

/// How a recorded action ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecordedOutcome {
    /// The parts of its artifact, as digests and sizes in bytes.
    Parts(BTreeMap<String, (Digest, u64)>),
    /// The member diverged, and why.
    Diverged(String),
}

/// A place for results. Shared by threads and, where it is on disk, by processes.
pub trait Store: Send + Sync {
    /// What is known of a key when the action has run. Whether its objects are still there
    /// is not asked: for a result that nothing takes it does not matter.
    fn known(&self, key: &Digest) -> Option<Known>;

    /// The record of a key, when the action has run and its objects are there
    /// (present with the right size; their content is verified by [`load`](Self::load)).
    fn find(&self, key: &Digest) -> Option<Record>;

    /// Every record, ordered by key.
    fn records(&self) -> Vec<Record>;

    /// The parts of a record, verified byte for byte; those named as [`Parts::LARGE`] says
    /// are read and verified when they are asked for.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when an object is missing or not what was stored: the object is set
    /// aside and the record no longer found.
    fn load(&self, record: &Record) -> Result<Parts, Fault>;

    /// Keeps bytes that a record will refer to.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot keep them.
    fn keep(&self, bytes: &[u8]) -> Result<Kept, Fault>;

    /// Keeps the parts (for [`RecordedOutcome::Parts`], whose digests it fills in), then the record.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot keep them; nothing half-written is
    /// ever found later.
    fn save(&self, record: Record, parts: &Parts) -> Result<Record, Fault>;

    /// Keeps the results of these keys, there or still to come, from being given up as long as
    /// the hold lives; for stores that give something up.
    fn hold(&self, keys: &BTreeSet<Digest>) -> Option<Hold> {
        let _ = keys;
        None
    }

    /// The digest of a data file's content, or of the names and contents of all files that a
    /// pattern matches. A store on disk remembers it for as long as the file does not change.
    ///
    /// # Errors
    /// [`Fault::Environment`] when a file cannot be read or none matches.
    fn file_digest(&self, path: &Path) -> Result<Digest, Fault> {
        pattern::digest(path, digests::read)
    }
}

impl Record {
    /// The plugin that made it, as the key says.
    pub fn plugin(&self) -> &str {
        crate::graph::plugin_of(&self.key_text)
    }

    /// What it took.
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

    /// The part of it that every result is asked for.
    pub fn known(&self) -> Known {
        Known {
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

    /// The same with the digests and sizes of these parts, when it has parts.
    fn naming(mut self, parts: &Parts) -> Self {
        if let RecordedOutcome::Parts(named) = &mut self.outcome {
            let in_memory = parts
                .in_memory()
                .map(|(name, bytes)| (name, (Digest::of(bytes), bytes.len() as u64)));
            let kept = parts
                .kept()
                .map(|(name, kept)| (name, (kept.digest, kept.size)));
            *named = in_memory
                .chain(kept)
                .map(|(name, object)| (name.to_owned(), object))
                .collect();
        }
        self
    }
}

/// What is wrong with a stored object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Missing,
    Damaged,
}

impl Harm {
    /// What is told of a harmed object, and where it was set aside.
    fn fault(self, part: &str, digest: &Digest, aside: Option<&Path>) -> Fault {
        let harm = match self {
            Harm::Missing => "is missing",
            Harm::Damaged => "is not what was stored",
        };
        let aside = aside.map_or(String::new(), |path| {
            format!("was set aside as `{}` and ", path.display())
        });
        Fault::Damaged(format!(
            "stored object `{}` (part `{part}`) {harm}: it {aside}will be made again",
            digest.short()
        ))
    }
}
