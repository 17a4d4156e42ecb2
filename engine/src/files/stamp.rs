//! The metadata of a file that change when its content does.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::since_1970;

/// A file that changed this recently may change again without a new time stamp.
const UNSETTLED: Duration = Duration::from_secs(2);

/// Size in bytes, and seconds and nanoseconds since 1970 of the last change of content and (where
/// the file system has it) of anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// That of the file with this path now; none where there is no such file.
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    /// That of a file of which this is known.
    #[cfg(unix)]
    pub fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            size: metadata.len(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// That of a file of which this is known.
    #[cfg(not(unix))]
    pub fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(std::time::UNIX_EPOCH);
        let age = modified
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let modified = (age.as_secs() as i64, i64::from(age.subsec_nanos()));
        Self {
            size: metadata.len(),
            inode: 0,
            modified,
            changed: modified,
        }
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// That of no file.
    pub fn none() -> Self {
        Self {
            size: u64::MAX,
            inode: 0,
            modified: (0, 0),
            changed: (0, 0),
        }
    }

    /// Whether any later change is certain to show.
    pub fn is_settled(&self) -> bool {
        let latest = self.modified.max(self.changed);
        let latest = Duration::new(
            u64::try_from(latest.0).unwrap_or_default(),
            u32::try_from(latest.1).unwrap_or_default(),
        );
        since_1970() > latest.saturating_add(UNSETTLED)
    }
}
