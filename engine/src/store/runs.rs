//! The runs of a store: a record and a score table for each, as bytes.
//!
//! ```text
//! runs/<name>.json      the record; its name ends with the start of its digest
//! runs/<name>.parquet   the scores, written before the record
//! runs/<name>.begun     the record of a run that has not ended; it stays when the run is killed
//! ```

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Defect;
use super::dir::DirStore;
use super::folder::Folder;
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::{self, NotOpened};

/// Larger files are not read: no run writes them.
const LARGEST: u64 = 256 << 20;

/// A run that has begun: a file in the store, which its end removes. It stays when the process is
/// killed.
pub struct Begun {
    folder: Folder,
    file: PathBuf,
}

impl Begun {
    /// Stores the record of the run, and its scores if it has any, in place of what was known
    /// when it began.
    ///
    /// # Errors
    /// As [`DirStore::keep_run`].
    pub fn end(&self, name: &str, record: &[u8], scores: Option<&[u8]>) -> Result<(), Fault> {
        keep(&self.folder, name, record, scores)?;
        self.remove();
        Ok(())
    }

    fn remove(&self) {
        // One that cannot be removed is only listed in vain.
        let _ = fs::remove_file(&self.file);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.remove();
    }
}

fn keep(folder: &Folder, name: &str, record: &[u8], scores: Option<&[u8]>) -> Result<(), Fault> {
    let what = "the record of the run";
    let runs = folder.path("runs");
    if let Some(scores) = scores {
        folder.write(&runs.join(format!("{name}.parquet")), what, scores)?;
    }
    folder.write(&runs.join(format!("{name}.json")), what, record)
}

impl DirStore {
    /// Stores the record of a run that begins, so that it is known even if it is killed.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot store it.
    pub fn begin_run(&self, name: &str, record: &[u8]) -> Result<Begun, Fault> {
        let file = self.folder.path("runs").join(format!("{name}.begun"));
        self.folder.write(&file, "the record of the run", record)?;
        let folder = self.folder.clone();
        Ok(Begun { folder, file })
    }

    /// Stores the record of a run, and its scores if it has any.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot store them; a record is stored completely or
    /// not at all.
    pub fn keep_run(&self, name: &str, record: &[u8], scores: Option<&[u8]>) -> Result<(), Fault> {
        keep(&self.folder, name, record, scores)
    }

    /// The names of all runs, the oldest first; also of those that have not ended.
    ///
    /// # Errors
    /// [`Fault::Environment`] when they cannot be listed.
    pub fn runs(&self) -> Result<Vec<String>, Fault> {
        let entries = match fs::read_dir(self.folder.path("runs")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| self.folder.unreadable(&error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(|error| self.folder.unreadable(&error))?
                .file_name();
            let name = name.to_str().and_then(|name| {
                let ended = name.strip_suffix(".json");
                ended.or_else(|| name.strip_suffix(".begun"))
            });
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// The record of a run, as it was stored.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is not what was stored, [`Fault::Environment`] when it cannot be
    /// read.
    pub fn run(&self, name: &str) -> Result<Vec<u8>, Fault> {
        let record = read_limited(&self.record_file(name))?;
        let digest = Digest::of(&record).short();
        let promised = name.rsplit('-').next().unwrap_or_default();
        if promised.is_empty() || !digest.starts_with(promised) {
            return Err(Fault::Damaged(format!(
                "the record of run `{name}` is damaged"
            )));
        }
        Ok(record)
    }

    fn record_file(&self, name: &str) -> PathBuf {
        let file = self.folder.path("runs").join(format!("{name}.json"));
        let begun = file.with_extension("begun");
        if begun.exists() { begun } else { file }
    }

    /// Whether this is the record of a run from when it began.
    pub fn is_begun(&self, name: &str) -> bool {
        let file = self.record_file(name);
        file.extension().is_some_and(|kind| kind == "begun")
    }

    /// The file with the scores of a run; its digest is in the record.
    pub fn scores_file(&self, name: &str) -> PathBuf {
        self.folder.path("runs").join(format!("{name}.parquet"))
    }

    /// Moves a damaged run to `damaged/`.
    pub(super) fn set_run_aside(&self, name: &str) {
        for path in [self.record_file(name), self.scores_file(name)] {
            self.folder.set_aside(&path);
        }
    }

    /// What is wrong with the record of a run or its scores, if anything.
    pub(super) fn check_run(&self, name: &str) -> Result<Option<Defect>, Fault> {
        #[derive(Deserialize)]
        struct Promise {
            scores: Option<Digest>,
        }
        let record = match self.run(name) {
            Ok(record) => record,
            Err(Fault::Damaged(_)) => return Ok(Some(Defect::Damaged)),
            // It has ended since, and has another name now.
            Err(_) if !self.record_file(name).exists() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let Ok(Promise { scores }) = serde_json::from_slice(&record) else {
            return Ok(Some(Defect::Damaged));
        };
        let Some(scores) = scores else {
            return Ok(None);
        };
        match File::open(self.scores_file(name)).and_then(Digest::of_reader) {
            Ok(found) => Ok((found != scores).then_some(Defect::Damaged)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(Defect::Missing)),
            Err(error) => Err(self.folder.unreadable(&error)),
        }
    }
}

/// The content of a file of reasonable size.
///
/// # Errors
/// [`Fault::Environment`] when it cannot be read or is larger than any file of a run.
pub fn read_limited(path: &Path) -> Result<Vec<u8>, Fault> {
    let shown = path.display();
    let read = || -> Result<Vec<u8>, NotOpened> {
        let mut bytes = Vec::new();
        let file = files::open(path)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| match error {
        NotOpened::Missing => Fault::Environment(format!("`{shown}` does not exist")),
        other => Fault::Environment(other.message(path)),
    })?;
    if bytes.len() as u64 > LARGEST {
        let limit = LARGEST >> 20;
        return Err(Fault::Environment(format!(
            "`{shown}` is larger than {limit} MiB"
        )));
    }
    Ok(bytes)
}
