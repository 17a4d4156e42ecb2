//! What made a file of an output folder, by the `run.json` beside it, or by the `exports.json` of
//! files that no run has written.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use dsl::experiment::Experiment;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Fault;
use crate::graph::Graph;
use crate::out_folder::{Exported, ExportedFiles};
use crate::output::write_file;
use crate::record::{RunRecord, time};
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

/// What a file was written from that `farcast export` has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoneExport {
    /// Its result.
    #[serde(flatten)]
    pub made: Origin,
    /// Of its bytes.
    pub digest: Digest,
    /// The title of the experiment.
    pub experiment: String,
    /// The path of its text.
    pub text: String,
    /// When, in milliseconds since 1970.
    pub when: u64,
    /// The machine.
    pub host: String,
}

impl LoneExport {
    /// When it was written, in UTC.
    pub fn time(&self) -> String {
        time(self.when / 1000)
    }
}

/// The file in which a folder says what exports have written to it.
const EXPORTS: &str = "exports.json";

/// Notes files that were exported to a folder by themselves, beside those noted before.
///
/// # Errors
/// When the machine cannot write it.
pub fn note_exports(
    folder: &Path,
    files: &ExportedFiles,
    experiment: &Experiment,
    graph: &Graph,
    record: &RunRecord,
) -> Result<(), Fault> {
    let mut all = exports_in(folder);
    all.retain(|name, _| folder.join(name).is_file());
    for (name, Exported { key, digest }) in files {
        let mut actions = graph.actions.iter();
        let Some(action) = actions.find(|action| action.key.digest == *key) else {
            continue;
        };
        let node = &experiment.nodes[action.node.0];
        let made = Origin {
            statement: node.name.clone(),
            point: node.point.clone(),
            member: action.member,
            plugin: node.plugin.clone(),
            version: record
                .plugins
                .get(&node.plugin)
                .copied()
                .unwrap_or_default(),
            key: *key,
        };
        let export = LoneExport {
            made,
            digest: *digest,
            experiment: record.experiment.clone(),
            text: record.file().to_owned(),
            when: record.when,
            host: record.host.clone(),
        };
        all.insert(name.clone(), export);
    }
    let json = serde_json::to_vec_pretty(&all).map_err(|error| Fault::Bug(error.to_string()))?;
    write_file(&folder.join(EXPORTS), &json)
}

/// What `farcast export` wrote a file from; none where it did not write it as it is.
///
/// # Errors
/// When the file cannot be read.
pub fn lone_export(file: &Path) -> Result<Option<LoneExport>, Fault> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let folder = file.parent().unwrap_or(Path::new(""));
    let Some(export) = exports_in(folder).remove(&*name) else {
        return Ok(None);
    };
    let digest = Digest::of_reader(File::open(file)?)?;
    Ok((digest == export.digest).then_some(export))
}

fn exports_in(folder: &Path) -> BTreeMap<String, LoneExport> {
    let listing = read_limited(&folder.join(EXPORTS)).ok();
    let listing = listing.and_then(|json| serde_json::from_slice(&json).ok());
    listing.unwrap_or_default()
}
