//! Protection of results while somebody works with them.

use std::fs;
use std::path::PathBuf;

/// Protects results from `gc` until it is dropped.
#[derive(Debug)]
pub struct Hold(Option<PathBuf>);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // A hold that cannot be removed expires with its process.
            let _ = fs::remove_file(path);
        }
    }
}

impl Hold {
    /// The hold whose file this is, if one was written.
    pub(super) fn of(file: Option<PathBuf>) -> Self {
        Self(file)
    }
}
