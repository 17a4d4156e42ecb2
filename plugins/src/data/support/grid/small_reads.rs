//! A file of which small parts are kept: the index of the chunks of a large variable is walked anew
//! for every part that is read of it, and takes longer to read and digest than the chunks.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use engine::files::DataFile;

/// Parts of as many bytes are kept: a node of an index has some thousand.
const SMALL: usize = 1 << 14;

/// What a part takes beside its bytes, about.
const ENTRY: usize = 64;

/// As many bytes are kept at most.
const MOST: usize = 1 << 26;

/// A file with the small parts that were read of it.
pub struct SmallReads {
    file: DataFile,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    parts: HashMap<(u64, usize), Arc<[u8]>>,
    bytes: usize,
}

impl SmallReads {
    /// One of which nothing was read.
    pub fn of(file: DataFile) -> Self {
        Self {
            file,
            kept: Mutex::default(),
        }
    }

    /// Some bytes from a position on.
    ///
    /// # Errors
    /// As [`DataFile::read_at`].
    pub fn read(&self, start: u64, count: usize) -> io::Result<Vec<u8>> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept().parts.get(&(start, count)) {
            return Ok(known.to_vec());
        }
        let mut range = vec![0; count];
        self.file.read_at(start, &mut range)?;
        if count <= SMALL {
            let mut kept = kept();
            let size = count + ENTRY;
            if kept.bytes + size > MOST {
                *kept = Kept::default();
            }
            let part: Arc<[u8]> = range[..].into();
            if kept.parts.insert((start, count), part).is_none() {
                kept.bytes += size;
            }
        }
        Ok(range)
    }
}
