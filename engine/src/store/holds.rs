//! What must stay: the results that running processes work with, and those that people pin.
//!
//! ```text
//! holds/run-<host>-<process>-<random>   there as long as the process runs
//! holds/pin-<name>                      there until somebody unpins it
//! ```
//!
//! A hold is the digest of what follows, then keys, a line each. As long as one is not what was
//! kept, nobody knows what must stay, so `gc` removes nothing.
//!
//! No locks: a hold only tells `gc` what to leave. One whose process has died counts no more
//! on its own machine at once, and on others, which cannot ask for the process, after a day.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Hold;
use super::dir::DirStore;
use super::folder::unique;
use super::objects::list_files;
use crate::digest::Digest;
use crate::error::Fault;

/// How long a hold of another machine is believed.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

const RUN: &str = "run-";
const PIN: &str = "pin-";

impl DirStore {
    /// Keeps these results from `gc` while this process works with them. Best effort: where
    /// the store cannot be written, nothing can be removed from it either.
    pub(super) fn hold_keys(&self, keys: &BTreeSet<Digest>) -> Hold {
        let name = format!("{RUN}{}-{}", machine(), unique());
        let path = self.folder.path("holds").join(name);
        let written = self.folder.write(&path, "what runs", &lines(keys));
        Hold::of(written.is_ok().then_some(path))
    }

    /// Keeps these results from `gc` until [`unpin`](Self::unpin).
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be written.
    pub fn pin(&self, name: &str, keys: &BTreeSet<Digest>) -> Result<(), Fault> {
        self.folder
            .write(&self.pin_path(name), "the pin", &lines(keys))
    }

    /// Gives pinned results free; whether there was such a pin.
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

    /// The keys that some process works with or somebody has pinned.
    pub(super) fn held(&self) -> Result<BTreeSet<Digest>, Fault> {
        let mut held = BTreeSet::new();
        for path in self.holds()? {
            match self.keys_of(&path)? {
                Some(keys) => held.extend(keys),
                None => {
                    let shown = path.display();
                    return Err(Fault::Damaged(format!(
                        "the hold `{shown}` is not what was kept, so nobody knows what must \
                         stay: nothing was removed; `farcast cache verify --repair` sets it aside"
                    )));
                }
            }
        }
        Ok(held)
    }

    /// The holds that are not what was kept.
    pub(super) fn damaged_holds(&self) -> Result<Vec<PathBuf>, Fault> {
        let mut damaged = Vec::new();
        for path in self.holds()? {
            if self.keys_of(&path)?.is_none() {
                damaged.push(path);
            }
        }
        Ok(damaged)
    }

    /// All holds that count; litter of processes that were killed is removed.
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
                // What cannot be removed counts no more all the same.
                let _ = fs::remove_file(&found.path);
            }
            !is_over
        });
        Ok(holds.into_iter().map(|found| found.path).collect())
    }

    /// The keys of a hold; none when it is not what was kept.
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

/// What [`lines`] was given; none when the bytes are not what it gave.
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

/// The process of this machine that owns a hold; `None` when another machine has it.
fn process_here(owner: &str) -> Option<u32> {
    let rest = owner.strip_prefix(&machine())?.strip_prefix('-')?;
    let (process, _) = rest.split_once('-')?;
    Path::new("/proc/self").exists().then_some(())?;
    process.parse().ok()
}

fn is_alive(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

/// What this machine is called, as part of a file's name.
fn machine() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.trim().chars().take(64).map(plain).collect()
}
