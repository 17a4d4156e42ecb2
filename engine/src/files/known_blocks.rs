//! The digests of the blocks of data files that were read whole for their digest: what is read of
//! such a file later is recognised without reading the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Stamp;
use crate::digest::BlockDigests;

/// Files of fewer bytes are read again for nothing.
const SMALLEST: u64 = 1 << 20;

/// The digests of the blocks of files, as they were when they were read.
#[derive(Debug, Default)]
pub struct KnownBlocks(Mutex<BTreeMap<PathBuf, (Stamp, Arc<BlockDigests>)>>);

impl KnownBlocks {
    /// Remembers those of a file that was like this before it was read.
    pub(crate) fn note(&self, path: &Path, before: Stamp, blocks: BlockDigests) {
        if before.size() >= SMALLEST {
            let known = (before, Arc::new(blocks));
            self.lock().insert(path.to_owned(), known);
        }
    }

    /// Those of a file, if it has not changed since.
    pub(super) fn of(&self, path: &Path, stamp: &Stamp) -> Option<Arc<BlockDigests>> {
        let known = self.lock();
        let (before, blocks) = known.get(path)?;
        (before == stamp).then(|| Arc::clone(blocks))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, (Stamp, Arc<BlockDigests>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
