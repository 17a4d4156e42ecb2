//! Removes from a remote store what no segment names, when it is old enough.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Remote;
use super::place::{Entry, Place};
use super::segment::{FOLDER, LARGEST, judge, parts};
use crate::clock::now;
use crate::digest::Digest;
use crate::error::Fault;
use crate::parallel::in_parallel;
use crate::store::{Effect, Line};

/// What is younger may be named by a segment that is still to come.
pub(super) const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What was removed from a remote store, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteGc {
    /// Objects that no segment names, and unfinished files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

/// Removes what no segment names, whoever signed it, and is older than a week.
///
/// # Errors
/// The user's, when the place is only read from here; [`Fault::Damaged`] when a segment cannot
/// be read, so that nobody knows what it names: nothing is removed then; the environment's, when
/// the place is away or refuses.
pub fn gc(remote: &Remote, effect: Effect) -> Result<RemoteGc, Fault> {
    remote.check_writable()?;
    let place = remote.open()?;
    let place = &*place;
    let mut named = NamedObject::default();
    named.read(place, &remote.name)?;
    let mut rubbish = place.list("tmp")?;
    rubbish.extend(place.list("objects")?);
    let now = now();
    let is_old = |entry: &Entry| {
        now.duration_since(entry.modified)
            .is_ok_and(|age| age > GRACE)
    };
    rubbish.retain(|entry| is_old(entry) && !named.has(entry));
    if effect == Effect::Apply {
        // Somebody may have uploaded a segment meanwhile.
        named.read(place, &remote.name)?;
        rubbish.retain(|entry| !named.has(entry));
        let removed = in_parallel(&rubbish, |entry| place.remove(&entry.name));
        removed.into_iter().collect::<Result<(), Fault>>()?;
    }
    Ok(RemoteGc {
        files: rubbish.len() as u64,
        bytes: rubbish.iter().map(|entry| entry.bytes).sum(),
    })
}

/// The objects that segments name.
#[derive(Default)]
struct NamedObject {
    segments: BTreeSet<String>,
    objects: BTreeSet<Digest>,
}

impl NamedObject {
    /// Reads the segments that were not read before.
    fn read(&mut self, place: &dyn Place, remote: &str) -> Result<(), Fault> {
        let mut names: Vec<String> = place
            .list(FOLDER)?
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.retain(|name| !self.segments.contains(name));
        let read = in_parallel(&names, |name| objects_of(place, name, remote));
        for (name, objects) in names.into_iter().zip(read) {
            self.objects.extend(objects?);
            self.segments.insert(name);
        }
        Ok(())
    }

    fn has(&self, entry: &Entry) -> bool {
        let name = entry.name.rsplit('/').next().unwrap_or_default();
        let digest = name.parse().ok();
        digest.is_some_and(|digest| self.objects.contains(&digest))
    }
}

fn objects_of(place: &dyn Place, path: &str, remote: &str) -> Result<Vec<Digest>, Fault> {
    let name = path.rsplit('/').next().unwrap_or_default();
    if parts(name).is_none() {
        return Ok(Vec::new());
    }
    let Some(bytes) = place.get(path, LARGEST)? else {
        return Ok(Vec::new());
    };
    let lines = judge(name, &bytes).and_then(|segment| segment.lines());
    let lines = lines.map_err(|wrong| {
        Fault::Damaged(format!(
            "`{path}` of `{remote}` {wrong}, so what it names is unknown: nothing is removed; \
             remove that file if nobody can mend it"
        ))
    })?;
    let records = lines.iter().filter_map(Line::record);
    Ok(records
        .flat_map(|record| {
            let objects = record.objects().map(|(_, digest, _)| digest);
            objects.collect::<Vec<_>>()
        })
        .collect())
}
