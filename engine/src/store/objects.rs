//! Content-addressed files: `objects/<first two digits>/<digest>`.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::Harm;
use super::clock;
use super::files::Files;
use crate::artifact::Piece;
use crate::digest::Digest;
use crate::error::Fault;

/// The objects of a store.
#[derive(Clone, Copy)]
pub(super) struct Objects<'a>(pub(super) &'a Files);

/// One stored file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

impl Objects<'_> {
    /// Whether an object is there with this size; its content is not read.
    pub(super) fn is_there(self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.path(digest))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
    }

    /// Keeps an object; what it is part of is named to the user.
    pub(super) fn keep(self, digest: &Digest, bytes: &[u8], part: &str) -> Result<(), Fault> {
        self.0.check_writable()?;
        // One that is there already is touched, so that no `gc` takes it for forgotten
        // before the record that refers to it is written.
        if matches!(self.check(digest, bytes.len() as u64), Ok(None)) && self.touch(digest).is_ok()
        {
            return Ok(());
        }
        self.0
            .write(&self.path(digest), &format!("part `{part}`"), bytes)
    }

    /// Pieces of an object one after another, verified, or what is wrong with them.
    pub(super) fn read(
        self,
        digest: &Digest,
        size: u64,
        pieces: &[Piece],
    ) -> io::Result<Result<Arc<[u8]>, Harm>> {
        let mut file = match self.open(digest, size)? {
            Ok(file) => file,
            Err(harm) => return Ok(Err(harm)),
        };
        let all = pieces.iter().map(|piece| piece.size).sum::<u64>();
        let all = usize::try_from(all).map_err(io::Error::other)?;
        // Read in place: the largest objects should not be in memory twice.
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, all).collect();
        let mut rest = Arc::make_mut(&mut bytes);
        for piece in pieces {
            // No piece is larger than all of them.
            let (here, after) = rest.split_at_mut(piece.size as usize);
            file.seek(SeekFrom::Start(piece.start))?;
            match file.read_exact(here) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(Err(Harm::Damaged));
                }
                other => other?,
            }
            if Digest::of(here) != piece.digest {
                return Ok(Err(Harm::Damaged));
            }
            rest = after;
        }
        Ok(Ok(bytes))
    }

    /// What is wrong with an object, if anything; read in bounded memory.
    pub(super) fn check(self, digest: &Digest, size: u64) -> io::Result<Option<Harm>> {
        let file = match self.open(digest, size)? {
            Ok(file) => file,
            Err(harm) => return Ok(Some(harm)),
        };
        let found = Digest::of_reader(BufReader::with_capacity(1 << 18, file))?;
        Ok((found != *digest).then_some(Harm::Damaged))
    }

    /// Makes way for an object to be made again; gives the path of a damaged one.
    pub(super) fn clear(self, harm: Harm, digest: &Digest) -> Option<PathBuf> {
        match harm {
            Harm::Damaged => self.0.set_aside(&self.path(digest)),
            Harm::Missing => None,
        }
    }

    /// Every object, ordered by digest; files that are none are passed over.
    pub(super) fn list(self) -> io::Result<Vec<(Digest, Found)>> {
        let mut objects = Vec::new();
        for folder in subfolders(&self.0.path("objects"))? {
            for found in list_files(&folder)? {
                let name = found.path.file_name().and_then(|name| name.to_str());
                let digest = name.and_then(|name| name.parse().ok());
                if let Some(digest) = digest.filter(|digest| self.path(digest) == found.path) {
                    objects.push((digest, found));
                }
            }
        }
        objects.sort_by_key(|(digest, _)| *digest);
        Ok(objects)
    }

    fn path(self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let folder = name.get(..2).unwrap_or_default();
        self.0.path(&format!("objects/{folder}/{name}"))
    }

    fn open(self, digest: &Digest, size: u64) -> io::Result<Result<File, Harm>> {
        let file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Harm::Missing)),
            Err(error) => return Err(error),
        };
        let fits = file.metadata()?.len() == size;
        Ok(if fits { Ok(file) } else { Err(Harm::Damaged) })
    }

    fn touch(self, digest: &Digest) -> io::Result<()> {
        let file = File::options().append(true).open(self.path(digest))?;
        file.set_modified(clock::now())
    }
}

/// The plain files of a folder; none when it is not there.
pub(super) fn list_files(folder: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => found.push(Found {
                bytes: metadata.len(),
                modified: metadata.modified()?,
                path,
            }),
            // Others work here too: what was listed may be gone.
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(found)
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
