//! What is known here of a remote store: its segments, and objects of it that were no good.
//!
//! ```text
//! remotes/<place>/segments/*.seg    as they were fetched
//! remotes/<place>/listed            when they were listed last
//! remotes/<place>/defective/        the digests of objects to upload again
//! ```
//!
//! All of it may be deleted at any time. Writing is best effort: a store may be read-only.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Remote;
use crate::digest::Digest;
use crate::output::write_file;
use crate::store::DirStore;

/// The folder of a place in a store.
#[derive(Clone, Debug)]
pub(super) struct PlaceFolder(PathBuf);

impl PlaceFolder {
    pub(super) fn of(remote: &Remote, store: &DirStore) -> Self {
        Self(store.path().join("remotes").join(remote.id()))
    }

    /// The names of the segments.
    pub(super) fn segments(&self) -> Vec<String> {
        names(&self.0.join("segments"))
    }

    /// The bytes of a segment.
    pub(super) fn segment(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join("segments").join(name)).ok()
    }

    /// Keeps a segment.
    pub(super) fn keep(&self, name: &str, bytes: &[u8]) {
        let _ = write_file(&self.0.join("segments").join(name), bytes);
    }

    /// Keeps no segment but these.
    pub(super) fn drop_others(&self, listed: &BTreeSet<String>) {
        for name in self.segments() {
            if !listed.contains(&name) {
                let _ = fs::remove_file(self.0.join("segments").join(name));
            }
        }
        let _ = write_file(&self.0.join("listed"), b"");
    }

    /// When the segments were listed last.
    pub(super) fn listed(&self) -> Option<SystemTime> {
        fs::metadata(self.0.join("listed")).ok()?.modified().ok()
    }

    /// The objects that are missing or damaged there.
    pub(super) fn defective(&self) -> BTreeSet<Digest> {
        let names = names(&self.0.join("defective"));
        names.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Notes that an object is missing or damaged there.
    pub(super) fn mark(&self, digest: &Digest) {
        let _ = write_file(&self.mark_file(digest), b"");
    }

    /// Notes that it is there again.
    pub(super) fn unmark(&self, digest: &Digest) {
        let _ = fs::remove_file(self.mark_file(digest));
    }

    fn mark_file(&self, digest: &Digest) -> PathBuf {
        self.0.join("defective").join(digest.to_string())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}
