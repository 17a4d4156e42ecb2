//! The folder that a run writes its results to: one run writes at a time, and what an earlier run
//! exported goes when this one has no such result.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::files::INDEX;
use crate::store::read_limited;

/// A table or weights file that a run has written, in its `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The key of the result.
    pub key: Digest,
    /// Of its bytes.
    pub digest: Digest,
}

/// Exported files by name.
pub type ExportedFiles = BTreeMap<String, Exported>;

/// Keeps other runs from writing to the folder until it is dropped; none where the file system
/// has no locks.
pub struct Writing(#[expect(dead_code, reason = "its lock ends with it")] Option<File>);

/// Waits until no other run writes to the folder.
pub fn begin_writing(folder: &Path) -> Writing {
    let locked = fs::create_dir_all(folder).and_then(|()| {
        let file = File::open(folder)?;
        file.lock()?;
        Ok(file)
    });
    Writing(locked.ok())
}

/// Whether files whose names are this long can be written to the folder, which is created.
///
/// # Errors
/// When they cannot.
pub fn probe(folder: &Path, name_length: usize) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join("_".repeat(name_length));
    remove_leftovers(&path);
    let path = temporary(&path, std::process::id());
    File::create(&path)?;
    fs::remove_file(path)
}

/// Where a file is while a process writes it.
pub(crate) fn temporary(path: &Path, process: u32) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{process}.tmp"));
    path.with_file_name(name)
}

/// Removes temporary files of processes that were killed while they wrote this file.
pub(crate) fn remove_leftovers(path: &Path) {
    let is_alive = |process: u32| Path::new("/proc").join(process.to_string()).exists();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_suffix(".tmp")?.rsplit_once('.')?.1.parse().ok());
        if let Some(process) = process
            && entry.path().file_name() == temporary(path, process).file_name()
            && Path::new("/proc/self").exists()
            && !is_alive(process)
        {
            // A leftover that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// How the `run.json` in a folder begins, which no other begins with: the digest of the rest; none
/// without.
pub fn run_beginning(folder: &Path) -> Option<Vec<u8>> {
    let path = folder.join("run.json");
    let mut beginning = Vec::new();
    let file = is_file(&path).then(|| File::open(&path).ok())??;
    file.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    Some(beginning)
}

/// Bytes that the digest at the beginning of a `run.json` is among.
const BEGINNING: u64 = 256;

/// The files that the run before this one exported to the folder and that still exist.
pub fn exported_before(folder: &Path) -> ExportedFiles {
    #[derive(Deserialize)]
    struct Listing {
        files: BTreeMap<String, Exported>,
    }
    // A `run.json` of many thousand actions is read only where a file may be listed in it.
    let names = fs::read_dir(folder).into_iter().flatten();
    let mut names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    if !names.any(|name| is_export(&name)) {
        return ExportedFiles::default();
    }
    let listing = run_json(folder).and_then(|json| serde_json::from_slice::<Listing>(&json).ok());
    let mut files = listing.map(|listing| listing.files).unwrap_or_default();
    files.retain(|name, _| is_export(name) && is_file(&folder.join(name)));
    files
}

/// Removes a file that an earlier run exported, unless it has been changed since.
pub fn remove_export(folder: &Path, name: &str, exported: &Exported) {
    let path = folder.join(name);
    let is_ours = is_export(name)
        && is_file(&path)
        && File::open(&path)
            .and_then(Digest::of_reader)
            .is_ok_and(|digest| digest == exported.digest);
    if is_ours {
        // One that cannot be removed is not listed any more.
        let _ = fs::remove_file(path);
    }
}

fn run_json(folder: &Path) -> Option<Vec<u8>> {
    let path = folder.join("run.json");
    is_file(&path).then(|| read_limited(&path).ok())?
}

/// Whether an export may have this name: whoever wrote the `run.json`, nothing else is removed.
fn is_export(name: &str) -> bool {
    let path = Path::new(name);
    let mut parts = path.components();
    let is_plain = parts.next() == Some(Component::Normal(name.as_ref())) && parts.next().is_none();
    let kind = path.extension().and_then(|kind| kind.to_str());
    let is_kind = matches!(kind, Some("parquet" | "safetensors")) || name.ends_with(INDEX);
    is_plain && is_kind && name != "scores.parquet"
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_removes_what_one_that_was_killed_left() {
        let root = tempfile::tempdir().unwrap();
        // No process has so large a number.
        let left = temporary(&root.path().join("_".repeat(9)), u32::MAX);
        fs::write(&left, "").unwrap();
        probe(root.path(), 9).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    /// A `run.json` that lists files of others, outside the folder or of other bytes.
    #[test]
    fn only_unchanged_exports_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("out");
        fs::create_dir(&folder).unwrap();
        let mine = Exported {
            key: Digest::of(b"key"),
            digest: Digest::of(b"bytes"),
        };
        let names = [
            "net.0.safetensors",
            "changed.parquet",
            "notes.txt",
            "scores.parquet",
            "../outside.parquet",
            "sub/inside.parquet",
            "link.parquet",
        ];
        fs::create_dir(folder.join("sub")).unwrap();
        for name in names {
            let is_changed = name.starts_with("changed");
            let bytes: &[u8] = if is_changed { b"others" } else { b"bytes" };
            fs::write(folder.join(name), bytes).unwrap();
        }
        fs::remove_file(folder.join("link.parquet")).unwrap();
        std::os::unix::fs::symlink(
            root.path().join("outside.parquet"),
            folder.join("link.parquet"),
        )
        .unwrap();
        let absolute = root.path().join("outside.parquet");
        let listed = names.iter().copied().chain(absolute.to_str());
        let listed: ExportedFiles = listed.map(|name| (name.to_owned(), mine.clone())).collect();
        let json = serde_json::json!({ "files": listed });
        fs::write(folder.join("run.json"), json.to_string()).unwrap();
        let before = exported_before(&folder);
        let found: Vec<&String> = before.keys().collect();
        assert_eq!(found, ["changed.parquet", "net.0.safetensors"]);
        for (name, exported) in &listed {
            remove_export(&folder, name, exported);
        }
        let gone: Vec<&&str> = names
            .iter()
            .filter(|name| !folder.join(name).exists())
            .collect();
        assert_eq!(gone, [&"net.0.safetensors"]);
    }
}
