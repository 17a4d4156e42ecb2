//! Puts results into a remote store: their objects first, then one segment that names them.
//!
//! Killed at any point it leaves objects that nobody refers to, which the next upload finds and
//! `gc` removes after a while. Two uploads at once write different segments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Remote;
use super::gc::GRACE;
use super::known::PlaceFolder;
use super::level::{Level, Look, object};
use super::place::Place;
use super::segment::{FOLDER, batches, seal};
use super::signature::SecretKey;
use crate::artifact::Piece;
use crate::clock::{now, unix_millis};
use crate::digest::Digest;
use crate::error::Fault;
use crate::parallel::in_parallel;
use crate::store::{DirStore, Effect, Line, Objects, Record, Store};

/// An object that nobody refers to and that is younger than this is still there when the segment
/// is written: `gc` leaves it much longer.
const YOUNG: Duration = Duration::from_secs(GRACE.as_secs() / 7);

/// What was uploaded, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Records.
    pub records: usize,
    /// Their objects that were not there.
    pub objects: usize,
    /// The size of these.
    pub bytes: u64,
    /// Records that were there already.
    pub there: usize,
    /// Records left out, as their objects are not here or damaged.
    pub broken: usize,
    /// Objects that were there, but missing or damaged.
    pub mended: usize,
    /// What the user must know.
    pub notes: Vec<String>,
}

/// A result that is to be uploaded.
struct Candidate {
    line: Line,
    record: Record,
}

/// Uploads the results of these keys, or all, that the remote store does not have.
///
/// # Errors
/// The user's, when the place is only read from here; the environment's, when it is away, or
/// refuses.
pub fn push(
    store: &DirStore,
    remote: &Remote,
    keys: Option<&BTreeSet<Digest>>,
    key: &SecretKey,
    effect: Effect,
) -> Result<Pushed, Fault> {
    remote.check_writable()?;
    let place = remote.open()?;
    let known = PlaceFolder::of(remote, store);
    let (level, notes) = Level::open(remote, store, Some(&key.public()), Look::Listed);
    if !level.is_listed() {
        return Err(Fault::Environment(notes.join("; ")));
    }
    let mut pushed = Pushed {
        notes,
        ..Pushed::default()
    };
    let objects = store.objects();
    let defective = known.defective();
    let (mut results, mut missing) = (Vec::new(), BTreeMap::new());
    let promised: BTreeSet<Digest> = level
        .lines()
        .filter_map(Line::record)
        .flat_map(|record| digests(&record))
        .collect();
    for line in store.lines() {
        let Some(record) = line.record() else {
            continue;
        };
        if keys.is_some_and(|keys| !keys.contains(&record.key)) {
            continue;
        }
        let is_here = |(_, digest, size)| objects.has(&digest, size);
        if !record.objects().all(is_here) {
            pushed.broken += 1;
            continue;
        }
        for (part, digest, size) in record.objects() {
            if defective.contains(&digest) || !promised.contains(&digest) {
                missing.insert(digest, (part.to_owned(), size));
            }
        }
        match level.line(&record.key).and_then(Line::record) {
            Some(there) if there.outcome == record.outcome => pushed.there += 1,
            _ => results.push(Candidate { line, record }),
        }
    }
    let missing: Vec<(Digest, String, u64)> = missing
        .into_iter()
        .map(|(digest, (part, size))| (digest, part, size))
        .collect();
    if effect == Effect::DryRun {
        pushed.records = results.len();
        pushed.objects = missing.len();
        pushed.bytes = missing.iter().map(|(_, _, size)| size).sum();
        return Ok(pushed);
    }
    let upload = Upload {
        place: &*place,
        objects: &*objects,
        defective: &defective,
    };
    let sent = in_parallel(&missing, |(digest, _, size)| upload.send(digest, *size));
    let mut broken = BTreeSet::new();
    for ((digest, _, size), sent) in missing.iter().zip(sent) {
        match sent? {
            Sent::Now => {
                pushed.objects += 1;
                pushed.bytes += size;
            }
            Sent::Before => {}
            Sent::Never => drop(broken.insert(*digest)),
        }
        if defective.contains(digest) && !broken.contains(digest) {
            pushed.mended += usize::from(promised.contains(digest));
            known.unmark(digest);
        }
    }
    let before = results.len();
    results.retain(|result| {
        digests(&result.record)
            .iter()
            .all(|it| !broken.contains(it))
    });
    pushed.broken += before - results.len();
    pushed.records = results.len();
    let lines: Vec<Line> = results.into_iter().map(|result| result.line).collect();
    for (number, lines) in batches(&lines).into_iter().enumerate() {
        let (name, bytes) = seal(lines, unix_millis() + number as u64, key)?;
        place.put(&format!("{FOLDER}/{name}"), &bytes)?;
        known.keep(&name, &bytes);
    }
    Ok(pushed)
}

/// What became of an object.
enum Sent {
    Now,
    /// A killed upload had sent it.
    Before,
    /// It is damaged here.
    Never,
}

struct Upload<'a> {
    place: &'a dyn Place,
    objects: &'a dyn Objects,
    defective: &'a BTreeSet<Digest>,
}

impl Upload<'_> {
    fn send(&self, digest: &Digest, size: u64) -> Result<Sent, Fault> {
        let name = object(digest);
        if !self.defective.contains(digest)
            && let Some(found) = self.place.find(&name)?
            && found.bytes == size
            && now()
                .duration_since(found.modified)
                .is_ok_and(|age| age < YOUNG)
        {
            return Ok(Sent::Before);
        }
        let whole = [Piece::whole(*digest, size)];
        match self.objects.get(digest, size, &whole)? {
            Ok(bytes) => {
                self.place.put(&name, &bytes)?;
                Ok(Sent::Now)
            }
            Err(_) => Ok(Sent::Never),
        }
    }
}

fn digests(record: &Record) -> Vec<Digest> {
    record.objects().map(|(_, digest, _)| digest).collect()
}
