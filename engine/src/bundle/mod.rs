//! Bundles: an experiment with what it needs, in one file to hand over.
//!
//! A bundle is a zip archive and an RO-Crate: `experiment/` has the texts and data files,
//! `run.json` the record of a run, `results/` the records and objects of its actions, and
//! `bundle.json` size and digest of every file. `pack` writes one, `open` judges and unpacks one;
//! `reader` trusts nothing.

mod metadata;
mod open;
mod pack;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use dsl::experiment::Metadata;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

pub use open::{OpenedBundle, open};
pub use pack::{Contents, Packed, pack};

/// The files of a zip archive from strangers, judged as those of a bundle are; entries for folders
/// are left out.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn unpacked(archive: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut archive = reader::Archive::open_with(archive, reader::Folders::LeftOut)?;
    let names: Vec<String> = archive.files().map(|(name, _)| name.to_owned()).collect();
    let files = names.into_iter().map(|name| {
        let bytes = archive.read(&name)?;
        Ok((name, bytes))
    });
    files.collect()
}

/// Rises when an older farcast would misread a bundle.
pub const FORMAT: u32 = 1;

/// The folder of texts and data.
pub const EXPERIMENT: &str = "experiment";

const MANIFEST: &str = "bundle.json";
const METADATA: &str = "ro-crate-metadata.json";
const RECORDS: &str = "results/records.jsonl";
const OBJECTS: &str = "results/objects/";

/// What a bundle holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its [`FORMAT`].
    pub format: u32,
    /// The farcast that wrote it.
    pub farcast: String,
    /// The title of the experiment.
    pub title: String,
    /// What the experiment says about itself.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The experiment's own text.
    pub file: String,
    /// Every file but this one.
    pub files: BTreeMap<String, FileEntry>,
    /// The data files that were left out, by the path they are expected at.
    pub missing: BTreeMap<String, FileEntry>,
    /// How many results of actions it has.
    pub results: usize,
}

/// Size and digest of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// In bytes.
    pub size: u64,
    /// Of its content.
    pub digest: Digest,
}
