//! The digests of data files, remembered until the files change: reading gigabytes again to learn
//! that nothing is new would make every plan slow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::journal::{Journal, Problem, Reader, Segment};
use crate::digest::{BlockDigests, Digest};
use crate::error::Fault;
use crate::files::{self, KnownBlocks, NotOpened, Stamp};

/// The digest of a file, read in bounded memory.
pub(super) fn read(path: &Path) -> Result<Digest, Fault> {
    Ok(read_blocks(path)?.digest())
}

fn read_blocks(path: &Path) -> Result<BlockDigests, Fault> {
    let read = || Ok(BlockDigests::of_reader(files::open(path)?)?);
    read().map_err(|error: NotOpened| Fault::Environment(error.message(path)))
}

/// The digest of a file, and the state of the file when it was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FileDigest {
    path: String,
    stamp: Stamp,
    digest: Digest,
}

impl FileDigest {
    fn to_json(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

/// The remembered digests; read from the store on first use.
pub(super) struct FileDigests {
    memory: Mutex<Memory>,
    /// Of the files that this process has read.
    pub(super) blocks: Arc<KnownBlocks>,
}

impl FileDigests {
    /// The digests remembered in this folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            memory: Mutex::new(Memory {
                journal: Journal::new(folder),
                known: BTreeMap::new(),
            }),
            blocks: Arc::default(),
        }
    }

    /// The digest of a file, which is read only if it is new or has changed.
    pub(super) fn of(&self, path: &Path, folder: &Folder) -> Result<Digest, Fault> {
        let name = absolute_name(path);
        let before = Stamp::at(path);
        let settled = before.clone().filter(Stamp::is_settled);
        let (Some(path_text), Some(stamp_before)) = (name, settled) else {
            return self.read(path, before);
        };
        if let Some(digest) = self.lock().find(&path_text, &stamp_before) {
            return Ok(digest);
        }
        let digest = self.read(path, before)?;
        if Stamp::at(path).as_ref() == Some(&stamp_before) {
            let known = FileDigest {
                path: path_text,
                stamp: stamp_before,
                digest,
            };
            self.lock().remember(known, folder);
        }
        Ok(digest)
    }

    fn read(&self, path: &Path, before: Option<Stamp>) -> Result<Digest, Fault> {
        let blocks = read_blocks(path)?;
        let digest = blocks.digest();
        if let Some(before) = before {
            self.blocks.note(path, before, blocks);
        }
        Ok(digest)
    }

    /// Forgets the digest of a file, which is read when it is next asked for.
    pub(super) fn forget(&self, path: &Path, folder: &Folder) {
        let mut memory = self.lock();
        let known = absolute_name(path).filter(|path| memory.knows(path));
        if let Some(path) = known {
            let (stamp, digest) = (Stamp::none(), Digest::of(&[]));
            memory.remember(
                FileDigest {
                    path,
                    stamp,
                    digest,
                },
                folder,
            );
        }
    }

    /// Merges old segments, without files that have changed since.
    pub(super) fn compact(&self, folder: &Folder) -> Result<(), Fault> {
        let mut memory = self.lock();
        memory.refresh();
        let settled = memory.journal.settled();
        let settled = settled.map_err(|error| folder.unreadable(&error))?;
        if settled.len() > 1 {
            memory.merge(folder, &settled)?;
        }
        Ok(())
    }

    /// The lines that cannot be read; their files are read again.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut memory = self.lock();
        memory.refresh();
        memory.journal.problems()
    }

    /// Removes the lines that cannot be read.
    pub(super) fn repair(&self, folder: &Folder) -> Result<(), Fault> {
        let mut memory = self.lock();
        let harmed = memory.journal.up_to_problems();
        memory.merge(folder, &harmed.map_err(|error| folder.unreadable(&error))?)
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Memory {
    journal: Journal,
    known: BTreeMap<String, FileDigest>,
}

impl Memory {
    fn find(&mut self, path: &str, stamp: &Stamp) -> Option<Digest> {
        if !self.known.contains_key(path) {
            self.refresh();
        }
        let known = self.known.get(path)?;
        (known.stamp == *stamp).then_some(known.digest)
    }

    fn knows(&mut self, path: &str) -> bool {
        self.refresh();
        self.known.contains_key(path)
    }

    /// A digest that cannot be stored is forgotten silently: that only costs time.
    fn remember(&mut self, known: FileDigest, folder: &Folder) {
        if let Some(json) = known.to_json() {
            let _ = self.journal.append(folder, &[&json], None);
        }
        self.known.insert(known.path.clone(), known);
    }

    fn merge(&mut self, folder: &Folder, segments: &BTreeSet<Segment>) -> Result<(), Fault> {
        let Self { journal, known } = self;
        known.retain(|path, known| Stamp::at(Path::new(path)).as_ref() == Some(&known.stamp));
        let json: Vec<Vec<u8>> = known.values().filter_map(FileDigest::to_json).collect();
        let json: Vec<&[u8]> = json.iter().map(Vec::as_slice).collect();
        journal.replace(folder, segments, &json)
    }

    /// Reads what is new. An unreadable journal counts as empty: that only costs time.
    fn refresh(&mut self) {
        let Self { journal, known } = self;
        let decode = |json: Bytes| serde_json::from_slice(&json).ok();
        let _ = journal.read(decode, known);
    }
}

impl Reader<FileDigest> for BTreeMap<String, FileDigest> {
    fn read(&mut self, _: &Segment, entry: FileDigest) {
        self.insert(entry.path.clone(), entry);
    }
}

/// The absolute path as text, if it is UTF-8.
fn absolute_name(path: &Path) -> Option<String> {
    std::path::absolute(path).ok()?.to_str().map(str::to_owned)
}
