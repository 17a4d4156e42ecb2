//! Content-addressed files: `objects/<first two digits>/<digest>`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::folder::Folder;
use super::{Defect, Objects};
use crate::artifact::Piece;
use crate::clock;
use crate::digest::Digest;
use crate::error::Fault;

/// The objects of a store on disk.
pub(super) struct DirObjects {
    folder: Folder,
    /// Damaged objects that could not be set aside, as in a read-only store: for this process
    /// they are gone.
    discarded: Mutex<BTreeSet<Digest>>,
}

/// One file of the store.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

impl DirObjects {
    /// The objects in this folder.
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            folder,
            discarded: Mutex::default(),
        }
    }

    /// What is wrong with an object, if anything; read in bounded memory.
    pub(super) fn check(&self, digest: &Digest, size: u64) -> io::Result<Option<Defect>> {
        let file = match self.open(digest, size)? {
            Ok(file) => file,
            Err(defect) => return Ok(Some(defect)),
        };
        let found = Digest::of_reader(BufReader::with_capacity(1 << 18, file))?;
        Ok((found != *digest).then_some(Defect::Damaged))
    }

    /// Every object, ordered by digest; other files are ignored.
    pub(super) fn list(&self) -> io::Result<Vec<(Digest, StoredFile)>> {
        let mut objects = Vec::new();
        for folder in subfolders(&self.folder.path("objects"))? {
            for file in list_files(&folder)? {
                let name = file.path.file_name().and_then(|name| name.to_str());
                let digest = name.and_then(|name| name.parse().ok());
                if let Some(digest) = digest.filter(|digest| self.path(digest) == file.path) {
                    objects.push((digest, file));
                }
            }
        }
        objects.sort_by_key(|(digest, _)| *digest);
        Ok(objects)
    }

    /// The file of an object.
    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let folder = name.get(..2).unwrap_or_default();
        self.folder.path(&format!("objects/{folder}/{name}"))
    }

    fn open(&self, digest: &Digest, size: u64) -> io::Result<Result<File, Defect>> {
        let file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Defect::Missing)),
            Err(error) => return Err(error),
        };
        let fits = file.metadata()?.len() == size;
        Ok(if fits { Ok(file) } else { Err(Defect::Damaged) })
    }

    fn read(
        &self,
        digest: &Digest,
        size: u64,
        ranges: &[Piece],
    ) -> io::Result<Result<Arc<[u8]>, Defect>> {
        let mut file = match self.open(digest, size)? {
            Ok(file) => file,
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
            file.seek(SeekFrom::Start(range.start))?;
            match file.read_exact(here) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(Err(Defect::Damaged));
                }
                other => other?,
            }
            if Digest::of(here) != range.digest {
                return Ok(Err(Defect::Damaged));
            }
            rest = after;
        }
        Ok(Ok(bytes))
    }

    fn touch(&self, digest: &Digest) -> io::Result<()> {
        let file = File::options().append(true).open(self.path(digest))?;
        file.set_modified(clock::now())
    }

    fn discarded(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.discarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects for DirObjects {
    fn has(&self, digest: &Digest, size: u64) -> bool {
        let is_present = fs::metadata(self.path(digest))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == size);
        is_present && !self.discarded().contains(digest)
    }

    fn put(&self, digest: &Digest, bytes: &[u8], part: &str) -> Result<(), Fault> {
        self.folder.check_writable()?;
        // One that is present already is touched, so that no `gc` removes it as forgotten
        // before the record that refers to it is written.
        let is_present = matches!(self.check(digest, bytes.len() as u64), Ok(None));
        if !(is_present && self.touch(digest).is_ok()) {
            let what = format!("part `{part}`");
            self.folder.write(&self.path(digest), &what, bytes)?;
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
        let aside = self.folder.set_aside(&self.path(digest));
        if aside.is_none() {
            self.discarded().insert(*digest);
        }
        aside
    }
}

/// The plain files of a folder; none when it does not exist.
pub(super) fn list_files(folder: &Path) -> io::Result<Vec<StoredFile>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => files.push(StoredFile {
                bytes: metadata.len(),
                modified: metadata.modified()?,
                path,
            }),
            // Other processes work here too: what was listed may be gone.
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(files)
}

fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = entries(folder)?;
    folders.retain(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()));
    Ok(folders)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?,
    };
    paths.sort();
    Ok(paths)
}
