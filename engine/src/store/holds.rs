//! What must stay: the results that running processes work with, and those that people pin.
//!
//! ```text
//! holds/run-<host>-<process>-<random>   keys, a line each; there as long as the process runs
//! holds/pin-<name>                      keys, until somebody unpins them
//! ```
//!
//! No locks: a hold only tells `gc` what to leave. One whose process has died counts no more
//! on its own machine at once, and on others, which cannot ask for the process, after a day.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dir::DirStore;
use super::files::unique;
use super::objects::list_files;
use crate::digest::Digest;
use crate::error::Fault;

/// How long a hold of another machine is believed.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

const RUN: &str = "run-";
const PIN: &str = "pin-";

/// Keeps results from `gc` until it is dropped.
#[derive(Debug)]
pub struct Hold(Option<PathBuf>);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // A hold that cannot be removed ends with its process all the same.
            let _ = fs::remove_file(path);
        }
    }
}

impl DirStore {
    /// Keeps these results from `gc` while this process works with them. Best effort: where
    /// the store cannot be written, nothing can be removed from it either.
    pub(super) fn hold_keys(&self, keys: &BTreeSet<Digest>) -> Hold {
        let name = format!("{RUN}{}-{}", machine(), unique());
        let path = self.files.path("holds").join(name);
        let written = self.files.write(&path, "what runs", &lines(keys));
        Hold(written.is_ok().then_some(path))
    }

    /// Keeps these results from `gc` until [`unpin`](Self::unpin).
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be written.
    pub fn pin(&self, name: &str, keys: &BTreeSet<Digest>) -> Result<(), Fault> {
        self.files
            .write(&self.pin_path(name), "the pin", &lines(keys))
    }

    /// Gives pinned results free; whether there was such a pin.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be written.
    pub fn unpin(&self, name: &str) -> Result<bool, Fault> {
        self.files.check_writable()?;
        match fs::remove_file(self.pin_path(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.files.fault("the pin", &error)),
        }
    }

    /// The names of all pins, in order.
    ///
    /// # Errors
    /// [`Fault::Environment`] when they cannot be listed.
    pub fn pins(&self) -> Result<Vec<String>, Fault> {
        let found = list_files(&self.files.path("holds"));
        let found = found.map_err(|error| self.files.unreadable(&error))?;
        let names = found.iter().filter_map(|found| name(&found.path));
        let pins = names.filter_map(|name| name.strip_prefix(PIN));
        Ok(pins.map(str::to_owned).collect())
    }

    /// The keys that some process works with or somebody has pinned.
    pub(super) fn held(&self) -> io::Result<BTreeSet<Digest>> {
        let now = self.files.now();
        let mut held = BTreeSet::new();
        for found in list_files(&self.files.path("holds"))? {
            let is_over = name(&found.path).is_some_and(|name| match name.strip_prefix(RUN) {
                Some(owner) => match process_here(owner) {
                    Some(process) => !is_alive(process),
                    None => found.is_older(now, BELIEVED),
                },
                None => false,
            });
            if is_over {
                // Litter of a process that was killed.
                let _ = fs::remove_file(&found.path);
                continue;
            }
            match fs::File::open(&found.path) {
                Ok(file) => held.extend(keys(file)?),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    fn pin_path(&self, name: &str) -> PathBuf {
        self.files.path("holds").join(format!("{PIN}{name}"))
    }
}

fn lines(keys: &BTreeSet<Digest>) -> Vec<u8> {
    let lines: Vec<String> = keys.iter().map(|key| format!("{key}\n")).collect();
    lines.concat().into_bytes()
}

/// The keys of a hold; lines that are none hold nothing.
fn keys(file: fs::File) -> io::Result<Vec<Digest>> {
    let mut keys = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let text = std::str::from_utf8(&line).unwrap_or_default();
        keys.extend(text.parse::<Digest>().ok());
    }
    Ok(keys)
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
