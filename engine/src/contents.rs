//! What is known of the bytes of results that others are keyed by.
//!
//! Most keys follow from how their inputs are made. A plugin with
//! [`BY_CONTENT`](crate::plugin::Plugin::BY_CONTENT) reads little of what it is given: what reads
//! its result is keyed by the bytes, so that other inputs which come to the same run nothing
//! again. They are made first; then the experiment is lowered anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::{Digest, Hasher};
use crate::graph::{ActionId, Graph};
use crate::store::{Record, RecordedOutcome, Records};

/// The digest of the bytes of results, by the keys of the actions that made them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<Digest, Digest>);

impl Contents {
    /// That of the result with this key, once it is known.
    pub fn get(&self, key: &Digest) -> Option<Digest> {
        self.0.get(key).copied()
    }

    /// All that is known: keys and digests of bytes.
    pub fn all(&self) -> impl Iterator<Item = (Digest, Digest)> {
        self.0.iter().map(|(key, content)| (*key, *content))
    }

    /// Notes what the records tell of results that others are keyed by; whether it is anything new.
    pub fn note(&mut self, graph: &Graph, records: &dyn Records) -> bool {
        let mut any = false;
        for id in self.unknown(graph) {
            let key = graph.actions[id.0].key.digest;
            if let Some(content) = records.find(&key).and_then(|record| content(&record)) {
                self.0.insert(key, content);
                any = true;
            }
        }
        any
    }

    /// The actions of a graph whose bytes others will be keyed by and that are not known.
    pub fn unknown(&self, graph: &Graph) -> BTreeSet<ActionId> {
        let ids = graph.by_content.iter().copied();
        ids.filter(|id| !self.0.contains_key(&graph.actions[id.0].key.digest))
            .collect()
    }
}

impl FromIterator<(Digest, Digest)> for Contents {
    fn from_iter<T: IntoIterator<Item = (Digest, Digest)>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}

/// The digest of all parts of a result; none where it has none.
fn content(record: &Record) -> Option<Digest> {
    let RecordedOutcome::Parts(parts) = &record.outcome else {
        return None;
    };
    let mut hasher = Hasher::default();
    for (name, (digest, _)) in parts {
        hasher.update(format!("{name} {digest}\n").as_bytes());
    }
    Some(hasher.finish())
}
