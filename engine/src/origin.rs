//! What made a file of an output folder, by the `run.json` beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Fault;
use crate::out_folder::Exported;
use crate::store::read_limited;

/// The result that a file was written from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The statement.
    pub statement: String,
    /// The point of a sweep; empty outside one.
    pub point: String,
    /// The member, when it is of one.
    pub member: Option<u32>,
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub version: u32,
    /// The key of the result.
    pub key: Digest,
}

/// Files that are about a whole run.
const OF_THE_RUN: [&str; 3] = ["report.html", "scores.csv", "scores.parquet"];

/// What a file beside a `run.json` was written from; none of files that are about the whole run.
///
/// # Errors
/// When no run says that it wrote the file, or the file was changed since.
pub fn origin(file: &Path) -> Result<Option<Origin>, Fault> {
    #[derive(Deserialize)]
    struct Listing {
        #[serde(default)]
        files: BTreeMap<String, Exported>,
        #[serde(default)]
        actions: Vec<Origin>,
    }
    let shown = file.display();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let record = file.with_file_name("run.json");
    if !record.is_file() {
        let message = format!("there is no `run.json` beside `{shown}`, which says what made it");
        return Err(Fault::user(message).with_hint("keep the files of a run in its folder"));
    }
    let is_of_run = OF_THE_RUN.contains(&&*name);
    let unknown = || Fault::user(format!("`{}` does not list `{name}`", record.display()));
    let listing: Listing =
        serde_json::from_slice(&read_limited(&record)?).map_err(|_| unknown())?;
    let Some(exported) = listing.files.get(&*name) else {
        return if is_of_run { Ok(None) } else { Err(unknown()) };
    };
    if Digest::of_reader(File::open(file)?)? != exported.digest {
        return Err(Fault::user(format!("`{shown}` was changed after the run")));
    }
    let mut actions = listing.actions.into_iter();
    let made = actions.find(|action| action.key == exported.key);
    made.map(Some).ok_or_else(unknown)
}
