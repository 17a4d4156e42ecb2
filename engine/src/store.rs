//! Where results are kept: content-addressed objects and a journal of what made them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::Parts;
use crate::digest::Digest;
use crate::error::Fault;

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
    /// The record of a key, when the action has run and its objects are there
    /// (present with the right size; their content is verified by [`load`](Self::load)).
    fn find(&self, key: &Digest) -> Option<Record>;

    /// Every record, ordered by key.
    fn records(&self) -> Vec<Record>;

    /// The parts of a record, verified byte for byte.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when an object is missing or not what was stored: the object is set
    /// aside and the record no longer found.
    fn load(&self, record: &Record) -> Result<Parts, Fault>;

    /// Keeps the parts (for [`RecordedOutcome::Parts`], whose digests it fills in), then the record.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot keep them; nothing half-written is
    /// ever found later.
    fn save(&self, record: Record, parts: &Parts) -> Result<Record, Fault>;
}
