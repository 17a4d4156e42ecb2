//! A data file whose every byte counts: what is read of it is digested as it is read.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::regular::{self, NotOpened};
use super::stamp::Stamp;
use crate::digest::{BlockDigests, Digest};

/// A file that a plugin reads, from anywhere in it and as often as it likes.
///
/// Where its digest matters, all bytes returned are part of one sequence of bytes that has one
/// digest, whatever others do to the file meanwhile: blocks are digested in their order as they
/// are read for the first time, and a block read again must be the same.
#[derive(Clone)]
pub struct DataFile {
    shared: Arc<SharedFile>,
}

struct SharedFile {
    path: PathBuf,
    size: u64,
    stamp: Stamp,
    digesting: Digesting,
    state: Mutex<ReadState>,
    stop: Arc<AtomicBool>,
}

struct ReadState {
    /// None where the file is opened for every read, as too many are open already.
    handle: Option<File>,
    /// Those of the blocks read so far.
    digests: Arc<BlockDigests>,
    /// The block read last, with its position.
    block: Option<(usize, Vec<u8>)>,
    has_changed: bool,
}

/// The size of a block.
const BLOCK: u64 = BlockDigests::BYTES as u64;

/// Whether a file's digest will be compared with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digesting {
    No,
    AsRead,
}

/// Whether a file stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handle {
    Kept,
    OpenedForEveryRead,
}

/// Why a file has no digest.
#[derive(Debug)]
pub(super) enum NoDigest {
    /// It changed while it was read.
    Changed,
    /// The run was asked to stop.
    Cancelled,
    /// The machine does not read it.
    Refused(io::Error),
}

impl DataFile {
    pub(super) fn open(
        path: &Path,
        digesting: Digesting,
        handle: Handle,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, NotOpened> {
        let file = regular::open(path)?;
        let metadata = file.metadata()?;
        let (size, stamp) = (metadata.len(), Stamp::of(&metadata));
        let state = ReadState {
            handle: (handle == Handle::Kept).then_some(file),
            digests: Arc::default(),
            block: None,
            has_changed: false,
        };
        let shared = SharedFile {
            path: path.to_owned(),
            size,
            stamp,
            digesting,
            state: Mutex::new(state),
            stop,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.shared.size
    }

    /// Takes these for the digests of its blocks, before anything is read.
    pub(super) fn know(&self, blocks: Arc<BlockDigests>) {
        let mut state = self.state();
        if state.digests.count() == 0 {
            state.digests = blocks;
        }
    }

    /// The digests of its blocks; the rest of the file is read now.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    pub fn blocks(&self) -> io::Result<Arc<BlockDigests>> {
        let mut state = self.state();
        let blocks = self.size().div_ceil(BLOCK) as usize;
        if let Some(last) = blocks.checked_sub(1) {
            self.block(&mut state, last)?;
        }
        Ok(Arc::clone(&state.digests))
    }

    /// What it was like when it was opened.
    pub(super) fn stamp(&self) -> &Stamp {
        &self.shared.stamp
    }

    /// Fills `bytes` from a position in the file.
    ///
    /// # Errors
    /// When the file has fewer bytes, changed since it was opened, or the machine does not read it.
    pub fn read_at(&self, position: u64, bytes: &mut [u8]) -> io::Result<()> {
        let end = position.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.size()) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut state = self.state();
        if self.shared.digesting == Digesting::No {
            return self.fill(&mut state, position, bytes);
        }
        let (mut position, mut rest) = (position, bytes);
        while !rest.is_empty() {
            let start = (position % BLOCK) as usize;
            let block = self.block(&mut state, (position / BLOCK) as usize)?;
            let (part, after) = rest.split_at_mut(rest.len().min(block.len() - start));
            part.copy_from_slice(&block[start..start + part.len()]);
            position += part.len() as u64;
            rest = after;
        }
        Ok(())
    }

    /// All bytes.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        let size = usize::try_from(self.size()).map_err(|_| ErrorKind::OutOfMemory)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size)?;
        self.reader().read_to_end(&mut bytes)?;
        match bytes.len() == size {
            true => Ok(bytes),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The file from its beginning on.
    pub fn reader(&self) -> Reader {
        Reader {
            file: self.clone(),
            position: 0,
        }
    }

    /// The digest of the whole file, the rest of which is read now.
    pub(super) fn digest(&self) -> Result<Digest, NoDigest> {
        let mut state = self.state();
        let blocks = self.size().div_ceil(BLOCK) as usize;
        let read = match blocks.checked_sub(1) {
            Some(last) => self.block(&mut state, last).map(|_| ()),
            None => Ok(()),
        };
        match read.and_then(|()| self.expect_end(&mut state)) {
            _ if state.has_changed => Err(NoDigest::Changed),
            Ok(()) => Ok(state.digests.digest()),
            Err(_) if self.is_stopped() => Err(NoDigest::Cancelled),
            Err(error) => Err(NoDigest::Refused(error)),
        }
    }

    fn state(&self) -> MutexGuard<'_, ReadState> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// A block as it was when it was read for the first time; those before it are read first.
    fn block<'s>(&self, state: &'s mut ReadState, position: usize) -> io::Result<&'s [u8]> {
        let held = state.block.as_ref().map(|(held, _)| *held);
        if held != Some(position) {
            let first = state.digests.count().min(position);
            for position in first..=position {
                self.read_block(state, position)?;
            }
        }
        let block = state.block.as_ref().map(|(_, block)| &block[..]);
        block.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn read_block(&self, state: &mut ReadState, position: usize) -> io::Result<()> {
        if self.is_stopped() {
            return Err(io::Error::other("cancelled"));
        }
        let start = position as u64 * BLOCK;
        let length = BLOCK.min(self.size() - start) as usize;
        // Without the old block, so that a failure leaves none of it behind.
        let (_, mut block) = state.block.take().unwrap_or_default();
        block.resize(length, 0);
        self.fill(state, start, &mut block)?;
        if position == state.digests.count() {
            Arc::make_mut(&mut state.digests).push(&block);
        } else if !state.digests.is_block(position, &block) {
            return Err(changed(state));
        }
        state.block = Some((position, block));
        Ok(())
    }

    fn expect_end(&self, state: &mut ReadState) -> io::Result<()> {
        let size = self.size();
        let mut more = [0];
        match self.with_handle(state, |file| {
            file.seek(SeekFrom::Start(size))?;
            file.read(&mut more)
        })? {
            0 => Ok(()),
            _ => Err(changed(state)),
        }
    }

    /// Reads bytes that the file has had; when it has them no more, it has changed.
    fn fill(&self, state: &mut ReadState, position: u64, bytes: &mut [u8]) -> io::Result<()> {
        let read = self.with_handle(state, |file| {
            file.seek(SeekFrom::Start(position))?;
            file.read_exact(bytes)
        });
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::NotFound => changed(state),
            _ => error,
        })
    }

    fn with_handle<T>(
        &self,
        state: &mut ReadState,
        read: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<T> {
        match &mut state.handle {
            Some(file) => read(file),
            None => match regular::open(self.path()) {
                Ok(mut file) => read(&mut file),
                Err(NotOpened::Missing | NotOpened::NotAFile(_)) => Err(changed(state)),
                Err(NotOpened::Refused(error)) => Err(error),
            },
        }
    }
}

fn changed(state: &mut ReadState) -> io::Error {
    state.has_changed = true;
    io::Error::other("it changed while it was read")
}

impl fmt::Debug for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataFile({})", self.path().display())
    }
}

/// Reads a [`DataFile`] in order.
#[derive(Clone, Debug)]
pub struct Reader {
    file: DataFile,
    position: u64,
}

impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.file.size() - self.position;
        let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.file.read_at(self.position, &mut bytes[..count])?;
        self.position += count as u64;
        Ok(count)
    }
}
