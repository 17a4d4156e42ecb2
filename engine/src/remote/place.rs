//! Where shared results are: bytes by name.

use std::time::SystemTime;

use crate::error::Fault;

/// Marks a place; its content is the version of the layout.
pub(super) const MARK: &str = "farcast-remote";
pub(super) const VERSION: &str = "1";

/// Unfinished files of a folder.
pub(super) const UNFINISHED: &str = "tmp";

/// That this farcast knows the layout that a mark names.
pub(super) fn check_version(mark: &str) -> Result<(), String> {
    match mark.trim() {
        VERSION => Ok(()),
        other => Err(format!(
            "it has the layout `{}`, and this farcast knows `{VERSION}`",
            other.escape_debug()
        )),
    }
}

/// Whether a shared store may have this at its top.
pub(super) fn is_ours(name: &str) -> bool {
    [MARK, UNFINISHED, "objects", "segments"].contains(&name) || name.starts_with('.')
}

/// A shared folder or bucket. Names have `/` between their parts, everywhere.
///
/// Everything fails with [`Fault::Environment`] when the place is away or refuses.
pub(super) trait Place: Send + Sync {
    /// Everything directly or deeper in a folder, in no order.
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Fault>;

    /// The size and age of one thing; none when it is not there.
    fn find(&self, name: &str) -> Result<Option<Entry>, Fault>;

    /// Its bytes; none when it is not there. Of more than `limit` bytes, only the first
    /// `limit + 1` are read, at most.
    fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault>;

    /// Puts bytes there: completely, or not at all.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Fault>;

    /// Removes it, if it is there.
    fn remove(&self, name: &str) -> Result<(), Fault>;
}

/// One thing in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name, from the top of the place.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was put there, by the clock of the place.
    pub modified: SystemTime,
}
