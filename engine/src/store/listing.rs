//! What is in the folders of a store.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::lent;

/// One file of the store.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

impl StoredFile {
    /// Whether it only says where an object is.
    pub(super) fn is_note(&self) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.ends_with(lent::ENDING))
    }

    /// How many bytes it takes.
    pub(super) fn room(&self) -> u64 {
        if self.is_note() { 0 } else { self.bytes }
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

/// The folders in a folder; none when it does not exist.
pub(super) fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
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
