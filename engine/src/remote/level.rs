//! One remote store: its records, all in memory, and its objects, one at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::known::PlaceFolder;
use super::place::Place;
use super::segment::{self, judge};
use super::signature::PublicKey;
use super::{Remote, Trust};
use crate::clock::now;
use crate::digest::Digest;
use crate::error::Fault;
use crate::parallel::in_parallel;
use crate::store::{DirStore, Line};

/// How much of a remote store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is listed, and objects are fetched.
    Listed,
    /// Only what is known here of it: nothing is fetched.
    Known,
}

/// A remote store as it is used by one process.
pub(super) struct Level {
    pub(super) name: String,
    /// None where nothing is fetched.
    place: Option<Box<dyn Place>>,
    known: PlaceFolder,
    lines: HashMap<Digest, Line>,
    segments: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why the place does not answer any more.
    away: Option<String>,
    /// Records whose objects are no good.
    forgotten: BTreeSet<Digest>,
}

/// What is known of a remote store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Its name.
    pub name: String,
    /// Its records that are used.
    pub records: usize,
    /// Those whose results are not here.
    pub elsewhere: usize,
    /// The size of these.
    pub bytes: u64,
    /// The segments they are in.
    pub segments: usize,
    /// How long ago it was listed.
    pub listed: Option<Duration>,
}

/// Records signed with keys that are not trusted: how many segments of each.
type Strangers = BTreeMap<PublicKey, usize>;

impl Level {
    /// A remote store beside this one, and what its user must know of it.
    pub(super) fn open(
        remote: &Remote,
        store: &DirStore,
        own: Option<&PublicKey>,
        look: Look,
    ) -> (Self, Vec<String>) {
        let mut level = Self {
            name: remote.name.clone(),
            place: None,
            known: PlaceFolder::of(remote, store),
            lines: HashMap::new(),
            segments: 0,
            state: Mutex::default(),
        };
        let mut notes = Vec::new();
        let segments = match look {
            Look::Known => Ok(level.kept_segments()),
            Look::Listed => remote.open().and_then(|place| {
                let segments = level.fetch_segments(&*place);
                level.place = Some(place);
                segments
            }),
        };
        match segments {
            Ok(segments) => level.take(segments, remote, own, &mut notes),
            Err(fault) => {
                let name = &remote.name;
                notes.push(format!("`{name}` is away, and not looked at: {fault}"));
                level.place = None;
            }
        }
        (level, notes)
    }

    fn kept_segments(&self) -> Vec<(String, Vec<u8>)> {
        let names = self.known.segments().into_iter();
        names
            .filter_map(|name| Some((self.known.segment(&name)?, name)))
            .map(|(bytes, name)| (name, bytes))
            .collect()
    }

    /// Every segment that is there now; those not seen before are fetched.
    fn fetch_segments(&self, place: &dyn Place) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let mut listed = BTreeSet::new();
        for entry in place.list(segment::FOLDER)? {
            let name = entry.name.rsplit('/').next().unwrap_or_default();
            if segment::parts(name).is_some() {
                listed.insert(name.to_owned());
            }
        }
        let names: Vec<&String> = listed.iter().collect();
        let fetched = in_parallel(&names, |name| self.fetch_segment(place, name));
        let fetched: Result<Vec<_>, Fault> = fetched.into_iter().collect();
        let fetched = fetched?;
        self.known.drop_others(&listed);
        let named = listed.into_iter().zip(fetched);
        // One that is gone since the listing was merged or removed.
        Ok(named
            .filter_map(|(name, bytes)| Some((name, bytes?)))
            .collect())
    }

    fn fetch_segment(&self, place: &dyn Place, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let is_whole = |bytes: &Vec<u8>| {
            segment::parts(name).is_some_and(|(_, digest)| Digest::of(bytes) == digest)
        };
        if let Some(bytes) = self.known.segment(name).filter(is_whole) {
            return Ok(Some(bytes));
        }
        let path = format!("{}/{name}", segment::FOLDER);
        let bytes = place.get(&path, segment::LARGEST)?;
        if let Some(bytes) = bytes.as_ref().filter(|bytes| is_whole(bytes)) {
            self.known.keep(name, bytes);
        }
        Ok(bytes)
    }

    /// Takes the records of segments in their order: the last one about a key counts.
    fn take(
        &mut self,
        segments: Vec<(String, Vec<u8>)>,
        remote: &Remote,
        own: Option<&PublicKey>,
        notes: &mut Vec<String>,
    ) {
        let mut strangers = Strangers::new();
        let name = &remote.name;
        for (file, bytes) in segments {
            let judged = match judge(&file, &bytes) {
                Ok(segment) if !is_trusted(&segment.signer, remote, own) => {
                    *strangers.entry(segment.signer).or_default() += 1;
                    continue;
                }
                Ok(segment) => segment.lines(),
                Err(wrong) => Err(wrong),
            };
            match judged {
                Ok(lines) => {
                    self.segments += 1;
                    let lines = lines.into_iter().filter(|line| line.summary().is_some());
                    self.lines.extend(lines.map(|line| (*line.key(), line)));
                }
                Err(wrong) => {
                    notes.push(format!("`{file}` of `{name}` {wrong}: it is not used"));
                }
            }
        }
        for (key, count) in strangers {
            let segments = match count {
                1 => "1 segment is".to_owned(),
                _ => format!("{count} segments are"),
            };
            notes.push(format!(
                "{segments} not used of `{name}`: the key {key} is not in its `trust`"
            ));
        }
    }

    /// The line of a key, unless its objects turned out to be no good.
    pub(super) fn line(&self, key: &Digest) -> Option<&Line> {
        let line = self.lines.get(key)?;
        (!self.state().forgotten.contains(key)).then_some(line)
    }

    /// Every line.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    /// Why the place does not answer any more.
    pub(super) fn away(&self) -> Option<String> {
        self.state().away.clone()
    }

    /// Whether objects are fetched from it.
    pub(super) fn is_listed(&self) -> bool {
        self.place.is_some()
    }

    /// Gives up a record whose objects are no good.
    pub(super) fn forget(&self, key: &Digest) {
        self.state().forgotten.insert(*key);
    }

    /// Gives up what is known of members that diverged.
    pub(super) fn forget_diverged(&self) {
        let diverged = self.lines.values().filter(|line| {
            let summary = line.summary();
            summary.is_some_and(|summary| summary.diverged.is_some())
        });
        self.state().forgotten.extend(diverged.map(Line::key));
    }

    /// The bytes of an object, verified; none when it is not there or no good.
    pub(super) fn fetch(&self, digest: &Digest, size: u64) -> Option<Vec<u8>> {
        let place = self.place.as_ref().filter(|_| self.away().is_none())?;
        match place.get(&object(digest), size) {
            Ok(Some(bytes)) if Digest::of(&bytes) == *digest => Some(bytes),
            Ok(_) => {
                self.known.mark(digest);
                None
            }
            Err(fault) => {
                self.state().away.get_or_insert(fault.to_string());
                None
            }
        }
    }

    /// What is known of it, when `is_here` says which results are here.
    pub(super) fn usage(&self, is_here: impl Fn(&Digest) -> bool) -> Usage {
        let elsewhere = self.lines.values().filter(|line| !is_here(line.key()));
        let sizes: Vec<u64> = elsewhere
            .filter_map(Line::summary)
            .map(|summary| summary.cost.bytes)
            .collect();
        Usage {
            name: self.name.clone(),
            records: self.lines.len(),
            elsewhere: sizes.len(),
            bytes: sizes.iter().sum(),
            segments: self.segments,
            listed: { self.known.listed() }
                .map(|listed| now().duration_since(listed).unwrap_or_default()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of an object in a place.
pub(super) fn object(digest: &Digest) -> String {
    let name = digest.to_string();
    format!("objects/{}/{name}", name.get(..2).unwrap_or_default())
}

fn is_trusted(signer: &PublicKey, remote: &Remote, own: Option<&PublicKey>) -> bool {
    match &remote.trust {
        Trust::Writers => true,
        Trust::Keys(keys) => own == Some(signer) || keys.iter().any(|(_, key)| key == signer),
    }
}
