//! What was run from a store: for each run a record and a table of scores, as bytes.
//!
//! ```text
//! runs/<name>.json      the record; its name ends with the start of its digest
//! runs/<name>.parquet   the scores, there before the record is
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::dir::DirStore;
use crate::digest::Digest;
use crate::error::Fault;

/// Larger ones are not read: no run leaves such.
const LARGEST: u64 = 256 << 20;

impl DirStore {
    /// Keeps the record of a run, and its scores when it has any.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot keep them; a record is there whole or not
    /// at all.
    pub fn keep_run(&self, name: &str, record: &[u8], scores: Option<&[u8]>) -> Result<(), Fault> {
        let what = "the record of the run";
        if let Some(scores) = scores {
            self.files.write(&self.scores_file(name), what, scores)?;
        }
        let path = self.files.path("runs").join(format!("{name}.json"));
        self.files.write(&path, what, record)
    }

    /// The names of all runs, the oldest first.
    ///
    /// # Errors
    /// [`Fault::Environment`] when they cannot be listed.
    pub fn runs(&self) -> Result<Vec<String>, Fault> {
        let entries = match fs::read_dir(self.files.path("runs")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| self.files.unreadable(&error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(|error| self.files.unreadable(&error))?
                .file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".json"));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// The record of a run, as it was kept.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is not what was kept, [`Fault::Environment`] when it cannot
    /// be read.
    pub fn run(&self, name: &str) -> Result<Vec<u8>, Fault> {
        let path = self.files.path("runs").join(format!("{name}.json"));
        let record = read_limited(&path)?;
        let digest = Digest::of(&record).short();
        let promised = name.rsplit('-').next().unwrap_or_default();
        if promised.is_empty() || !digest.starts_with(promised) {
            return Err(Fault::Damaged(format!(
                "the record of run `{name}` is not what was kept"
            )));
        }
        Ok(record)
    }

    /// Where the scores of a run are; whoever knows their digest verifies them.
    pub fn scores_file(&self, name: &str) -> PathBuf {
        self.files.path("runs").join(format!("{name}.parquet"))
    }
}

/// A file of reasonable size, whole.
///
/// # Errors
/// [`Fault::Environment`] when it cannot be read or is larger than any run leaves.
pub fn read_limited(path: &Path) -> Result<Vec<u8>, Fault> {
    let shown = path.display();
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(path)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Fault::Environment(format!("`{shown}` does not exist")),
        _ => Fault::Environment(format!("cannot read `{shown}`: {error}")),
    })?;
    if bytes.len() as u64 > LARGEST {
        let limit = LARGEST >> 20;
        return Err(Fault::Environment(format!(
            "`{shown}` is larger than {limit} MiB"
        )));
    }
    Ok(bytes)
}
