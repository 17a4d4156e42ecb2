//! Content-addressed files: `objects/<first two digits>/<digest>`, and packs of small ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::Folder;
use super::lent::{self, Lent};
use super::listing::{StoredFile, list_files, subfolders};
use super::packs::{Pack, Packs};
use super::{Defect, Objects};
use crate::artifact::Piece;
use crate::clock;
use crate::digest::Digest;
use crate::error::Fault;

/// Larger objects are files of their own.
const SMALL: usize = 64 << 10;

/// Fewer objects that wait together are files of their own.
const WORTH_A_PACK: usize = 64;

/// The objects of a store on disk.
pub(super) struct DirObjects {
    folder: Folder,
    pub(super) packs: Packs,
    /// Small ones that are not on disk yet.
    waiting: Mutex<BTreeMap<Digest, Arc<[u8]>>>,
    /// Damaged objects that could not be set aside, as in a read-only store: for this process
    /// they are gone.
    discarded: Mutex<BTreeSet<Digest>>,
}

impl DirObjects {
    /// The objects in this folder.
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            packs: Packs::new(folder.clone()),
            folder,
            waiting: Mutex::default(),
            discarded: Mutex::default(),
        }
    }

    /// Stores bytes under their digest, small ones when [`settle`](Self::settle) is called.
    pub(super) fn put_soon(
        &self,
        digest: &Digest,
        bytes: &Arc<[u8]>,
        part: &str,
    ) -> Result<(), Fault> {
        if bytes.len() > SMALL {
            return self.put(digest, bytes, part);
        }
        let size = bytes.len() as u64;
        let is_known =
            fs::exists(self.path(digest)).unwrap_or(false) || self.packs.known(digest).is_some();
        if !(is_known && self.is_intact(digest, size) && self.touch(digest).is_ok()) {
            self.waiting().insert(*digest, Arc::clone(bytes));
        }
        self.discarded().remove(digest);
        Ok(())
    }

    /// Writes the objects that wait: many as one pack, few as files of their own.
    pub(super) fn settle(&self) -> Result<(), Fault> {
        let waiting = self.waiting().clone();
        let waiting: Vec<(Digest, Arc<[u8]>)> = waiting.into_iter().collect();
        if waiting.len() >= WORTH_A_PACK {
            self.packs.write(&waiting)?;
        } else {
            for (digest, bytes) in &waiting {
                self.folder.write(&self.path(digest), "a result", bytes)?;
            }
        }
        let mut left = self.waiting();
        for (digest, _) in &waiting {
            left.remove(digest);
        }
        Ok(())
    }

    /// Stores again what is needed of packs that are to be removed.
    pub(super) fn repack(&self, packs: &[Pack], needed: &BTreeSet<Digest>) -> Result<(), Fault> {
        let objects = packs.iter().flat_map(|pack| &pack.objects);
        for (digest, size) in objects.filter(|(digest, _)| needed.contains(digest)) {
            // What is damaged stays to be found damaged, in no pack: it is missing then.
            if let Ok(bytes) = self.get(digest, *size, &[Piece::whole(*digest, *size)])? {
                self.waiting().insert(*digest, bytes);
            }
        }
        self.settle()
    }

    /// What is wrong with an object, if anything; read in bounded memory.
    pub(super) fn check(&self, digest: &Digest, size: u64) -> io::Result<Option<Defect>> {
        let (mut file, start) = match self.open(digest, size)? {
            Ok(found) => found,
            Err(defect) => return Ok(Some(defect)),
        };
        file.seek(SeekFrom::Start(start))?;
        let reader = BufReader::with_capacity(1 << 18, file.take(size));
        let found = Digest::of_reader(reader)?;
        Ok((found != *digest).then_some(Defect::Damaged))
    }

    /// The file of somebody else that an object is, if it is one.
    pub(super) fn lent(&self, digest: &Digest) -> Option<PathBuf> {
        let is_own = self.path(digest).exists() || self.packs.find(digest).is_some();
        let lent = Lent::read(&self.note(digest)).filter(|_| !is_own)?;
        Some(lent.path().to_owned())
    }

    fn is_intact(&self, digest: &Digest, size: u64) -> bool {
        matches!(self.check(digest, size), Ok(None))
    }

    /// Every object that is a file of its own, ordered by digest; other files are ignored.
    pub(super) fn list(&self) -> io::Result<Vec<(Digest, StoredFile)>> {
        let mut objects = Vec::new();
        for folder in subfolders(&self.folder.path("objects"))? {
            for file in list_files(&folder)? {
                let Some(name) = file.path.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                let (name, is_lent) = match name.strip_suffix(lent::ENDING) {
                    Some(name) => (name, true),
                    None => (name, false),
                };
                let Ok(digest) = name.parse() else {
                    continue;
                };
                match is_lent {
                    true if self.note(&digest) == file.path => {
                        // As many bytes as the object has.
                        let bytes = Lent::read(&file.path).map_or(0, |lent| lent.size());
                        objects.push((digest, StoredFile { bytes, ..file }));
                    }
                    false if self.path(&digest) == file.path => objects.push((digest, file)),
                    _ => {}
                }
            }
        }
        objects.sort_by_key(|(digest, _)| *digest);
        Ok(objects)
    }

    /// The file of an object, unless it is in a pack.
    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let folder = name.get(..2).unwrap_or_default();
        self.folder.path(&format!("objects/{folder}/{name}"))
    }

    /// The file of an object, or the file elsewhere that is it.
    pub(super) fn file(&self, digest: &Digest) -> PathBuf {
        let own = self.path(digest);
        match Lent::read(&self.note(digest)) {
            Some(lent) if !own.exists() => lent.path().to_owned(),
            _ => own,
        }
    }

    /// Where it says which file an object is that stays where it is.
    fn note(&self, digest: &Digest) -> PathBuf {
        let mut note = self.path(digest).into_os_string();
        note.push(lent::ENDING);
        note.into()
    }

    /// The file with an object, and where in it the object begins.
    fn open(&self, digest: &Digest, size: u64) -> io::Result<Result<(File, u64), Defect>> {
        match File::open(self.path(digest)) {
            Ok(file) => {
                let fits = file.metadata()?.len() == size;
                Ok(if fits {
                    Ok((file, 0))
                } else {
                    Err(Defect::Damaged)
                })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match self.open_pack(digest, size)? {
                    Err(Defect::Missing) => match Lent::read(&self.note(digest)) {
                        Some(lent) => Ok(lent.open(size).map(|file| (file, 0))),
                        None => Ok(Err(Defect::Missing)),
                    },
                    found => Ok(found),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn open_pack(&self, digest: &Digest, size: u64) -> io::Result<Result<(File, u64), Defect>> {
        while let Some(place) = self.packs.find(digest) {
            match File::open(&place.pack) {
                Ok(file) if place.size == size => return Ok(Ok((file, place.start))),
                Ok(_) => return Ok(Err(Defect::Damaged)),
                // Another process has put what is needed of it into a new pack.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.packs.forget(&place.pack);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Err(Defect::Missing))
    }

    fn read(
        &self,
        digest: &Digest,
        size: u64,
        ranges: &[Piece],
    ) -> io::Result<Result<Arc<[u8]>, Defect>> {
        let waiting = self.waiting().get(digest).map(Arc::clone);
        if let Some(bytes) = waiting {
            return Ok(picked(&bytes, ranges));
        }
        let (mut file, start) = match self.open(digest, size)? {
            Ok(found) => found,
            Err(defect) => return Ok(Err(defect)),
        };
        let all = ranges.iter().map(|range| range.size).sum::<u64>();
        let all = usize::try_from(all).map_err(io::Error::other)?;
        // Read in place: the largest objects should not be in memory twice.
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, all).collect();
        let mut rest = Arc::make_mut(&mut bytes);
        for range in ranges {
            // No range is larger than all of them together.
            let (here, after) = rest.split_at_mut(range.size as usize);
            file.seek(SeekFrom::Start(start.saturating_add(range.start)))?;
            match file.read_exact(here) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(Err(Defect::Damaged));
                }
                other => other?,
            }
            if !range.is(here) {
                return Ok(Err(Defect::Damaged));
            }
            rest = after;
        }
        Ok(Ok(bytes))
    }

    fn touch(&self, digest: &Digest) -> io::Result<()> {
        let own = File::options().append(true).open(self.path(digest));
        let file = match (own, self.packs.known(digest)) {
            (Err(_), Some(place)) => File::options().append(true).open(&place.pack)?,
            (own, _) => own?,
        };
        file.set_modified(clock::now())
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Digest, Arc<[u8]>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn discarded(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.discarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects for DirObjects {
    fn has(&self, digest: &Digest, size: u64) -> bool {
        if let Some(bytes) = self.waiting().get(digest) {
            return bytes.len() as u64 == size;
        }
        // Most small ones are in packs that are known, and need no look at the disk.
        let is_present = self.packs.has(digest, size)
            || match fs::metadata(self.path(digest)) {
                Ok(metadata) => metadata.is_file() && metadata.len() == size,
                Err(_) => match self.packs.find(digest) {
                    Some(place) => place.size == size,
                    None => Lent::read(&self.note(digest)).is_some_and(|lent| lent.is_there(size)),
                },
            };
        is_present && !self.discarded().contains(digest)
    }

    fn put(&self, digest: &Digest, bytes: &[u8], part: &str) -> Result<(), Fault> {
        self.folder.check_writable()?;
        // One that is present already is touched, so that no `gc` removes it as forgotten
        // before the record that refers to it is written.
        if !(self.is_intact(digest, bytes.len() as u64) && self.touch(digest).is_ok()) {
            let what = format!("part `{part}`");
            self.folder.write(&self.path(digest), &what, bytes)?;
        }
        self.discarded().remove(digest);
        Ok(())
    }

    fn lend(&self, digest: &Digest, path: &Path, part: &str) -> Result<(), Fault> {
        self.folder.check_writable()?;
        let size = fs::metadata(path)?.len();
        let lent = Lent::of(path, size);
        let is_own = fs::metadata(self.path(digest)).is_ok_and(|own| own.len() == size);
        match lent.and_then(|lent| lent.bytes()) {
            Some(note) if !(is_own && self.touch(digest).is_ok()) => {
                let what = format!("part `{part}`");
                self.folder.write(&self.note(digest), &what, &note)?;
            }
            Some(_) => {}
            None => self.put(digest, &fs::read(path)?, part)?,
        }
        self.discarded().remove(digest);
        Ok(())
    }

    fn get(
        &self,
        digest: &Digest,
        size: u64,
        ranges: &[Piece],
    ) -> Result<Result<Arc<[u8]>, Defect>, Fault> {
        self.read(digest, size, ranges)
            .map_err(|error| self.folder.unreadable(&error))
    }

    fn discard(&self, digest: &Digest, defect: Defect) -> Option<PathBuf> {
        if defect == Defect::Missing {
            return None;
        }
        // In a pack it stays, and counts no more once it is stored again.
        let aside = self.folder.set_aside(&self.path(digest));
        let aside = aside.or_else(|| self.folder.set_aside(&self.note(digest)));
        if aside.is_none() {
            self.discarded().insert(*digest);
        }
        aside
    }
}

/// Some ranges of bytes, one after another.
fn picked(bytes: &Arc<[u8]>, ranges: &[Piece]) -> Result<Arc<[u8]>, Defect> {
    match ranges {
        [range] if range.start == 0 && range.size == bytes.len() as u64 => Ok(Arc::clone(bytes)),
        _ => {
            let parts: Option<Vec<&[u8]>> = ranges.iter().map(|range| range.of(bytes)).collect();
            parts
                .map(|parts| parts.concat().into())
                .ok_or(Defect::Damaged)
        }
    }
}
