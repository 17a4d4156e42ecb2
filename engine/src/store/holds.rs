//! Results that `gc` must not remove: those that running processes use, and those that are pinned.
//!
//! ```text
//! holds/run-<host>-<process>-<random>   exists while the process runs
//! holds/pin-<name>                      exists until it is unpinned
//! ```
//!
//! A hold is the digest of its other lines, then one key per line. While a hold is damaged, nobody
//! knows which results it protects, so `gc` removes nothing.
//!
//! There are no locks: a hold only tells `gc` what to leave. The hold of a process that has died
//! expires at once on the same machine, and after a day on others, which cannot look the process up.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Hold;
use super::dir::DirStore;
use super::folder::unique;
use super::listing::list_files;
use crate::digest::Digest;
use crate::error::Fault;
use crate::process::machine;

/// When a hold of another machine expires.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

const RUN: &str = "run-";
const PIN: &str = "pin-";

impl DirStore {
    /// Protects these results from `gc` while this process uses them. Best effort: where the
    /// store cannot be written, nothing can be removed from it either.
    pub(super) fn hold_keys(&self, keys: &BTreeSet<Digest>) -> Hold {
        let name = format!("{RUN}{}-{}", machine(), unique());
        let path = self.folder.path("holds").join(name);
        let written = self.folder.write(&path, "what runs", &lines(keys));
        Hold::of(written.is_ok().then_some(path))
    }

    /// Protects these results from `gc` until [`unpin`](Self::unpin).
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be written.
    pub fn pin(&self, name: &str, keys: &BTreeSet<Digest>) -> Result<(), Fault> {
        self.folder
            .write(&self.pin_path(name), "the pin", &lines(keys))
    }

    /// Removes a pin; whether it existed.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be written.
    pub fn unpin(&self, name: &str) -> Result<bool, Fault> {
        self.folder.check_writable()?;
        match fs::remove_file(self.pin_path(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.folder.fault("the pin", &error)),
        }
    }

    /// The names of all pins, in order.
    ///
    /// # Errors
    /// [`Fault::Environment`] when they cannot be listed.
    pub fn pins(&self) -> Result<Vec<String>, Fault> {
        let found = list_files(&self.folder.path("holds"));
        let found = found.map_err(|error| self.folder.unreadable(&error))?;
        let names = found.iter().filter_map(|found| name(&found.path));
        let pins = names.filter_map(|name| name.strip_prefix(PIN));
        Ok(pins.map(str::to_owned).collect())
    }

    /// The keys that a process uses or somebody has pinned.
    pub(super) fn held(&self) -> Result<BTreeSet<Digest>, Fault> {
        let mut held = BTreeSet::new();
        for path in self.holds()? {
            match self.keys_of(&path)? {
                Some(keys) => held.extend(keys),
                None => {
                    let shown = path.display();
                    return Err(Fault::Damaged(format!(
                        "the hold `{shown}` is damaged, so the results it protects are unknown: \
                         nothing was removed; `farcast cache verify --repair` sets the hold aside"
                    )));
                }
            }
        }
        Ok(held)
    }

    /// The damaged holds.
    pub(super) fn damaged_holds(&self) -> Result<Vec<PathBuf>, Fault> {
        let mut damaged = Vec::new();
        for path in self.holds()? {
            if self.keys_of(&path)?.is_none() {
                damaged.push(path);
            }
        }
        Ok(damaged)
    }

    /// The holds in force; those of processes that were killed are removed.
    fn holds(&self) -> Result<Vec<PathBuf>, Fault> {
        let now = self.folder.now();
        let mut holds = list_files(&self.folder.path("holds"))
            .map_err(|error| self.folder.unreadable(&error))?;
        holds.retain(|found| {
            let owner = name(&found.path).and_then(|name| name.strip_prefix(RUN));
            let is_over = owner.is_some_and(|owner| match process_here(owner) {
                Some(process) => !is_alive(process),
                None => found.is_older(now, BELIEVED),
            });
            if is_over && self.folder.check_writable().is_ok() {
                // Even one that cannot be removed has expired.
                let _ = fs::remove_file(&found.path);
            }
            !is_over
        });
        Ok(holds.into_iter().map(|found| found.path).collect())
    }

    /// The keys of a hold; none when it is damaged.
    fn keys_of(&self, path: &Path) -> Result<Option<BTreeSet<Digest>>, Fault> {
        match fs::read(path) {
            Ok(bytes) => Ok(keys(&bytes)),
            // Its process has ended since.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(BTreeSet::new())),
            Err(error) => Err(self.folder.unreadable(&error)),
        }
    }

    fn pin_path(&self, name: &str) -> PathBuf {
        self.folder.path("holds").join(format!("{PIN}{name}"))
    }
}

fn lines(keys: &BTreeSet<Digest>) -> Vec<u8> {
    let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
    let check = Digest::of(lines.as_bytes());
    format!("{check}\n{lines}").into_bytes()
}

/// The keys that [`lines`] wrote; none when the bytes are damaged.
fn keys(bytes: &[u8]) -> Option<BTreeSet<Digest>> {
    let (check, lines) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    if Digest::of(lines.as_bytes()).to_string() != check {
        return None;
    }
    lines.lines().map(|line| line.parse().ok()).collect()
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The process on this machine that owns a hold; `None` when another machine owns it.
fn process_here(owner: &str) -> Option<u32> {
    let rest = owner.strip_prefix(&machine())?.strip_prefix('-')?;
    let (process, _) = rest.split_once('-')?;
    Path::new("/proc/self").exists().then_some(())?;
    process.parse().ok()
}

fn is_alive(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}
