//! The files that a run writes for people and other programs, each completely or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dsl::experiment::{Experiment, Node};
use dsl::types::Kind;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::artifact::{
    DataForm, Dataset, Metadata, Stored, Take, WeightsFile, downcast, to_parquet,
};
use crate::digest::{Digest, Hasher};
use crate::error::Fault;
use crate::executor::{Place, each_rows};
use crate::graph::{Action, ActionId, Graph};
use crate::observer::{Counts, Ending, Silent};
use crate::order::{Order, OrderWriter};
use crate::out_folder::{Exported, ExportedFiles, remove_leftovers, temporary};
use crate::plugin::{Each, Registry};
use crate::record::RunRecord;
use crate::run::Outcome;
use crate::seal::seal;
use crate::store::{Cost, Store};
use crate::sweep_lines::{self, SweepLine};
use crate::table::ScoreLine;

/// Writes a file completely: to a temporary file beside it, which is then renamed.
///
/// # Errors
/// When the machine cannot write it; an existing file is unchanged then.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    write_file_of(path, |take| take(bytes))
}

/// The same of a file whose bytes `make` gives to its argument, piece after piece.
///
/// # Errors
/// As [`write_file`], and those of `make`.
pub fn write_file_of(
    path: &Path,
    make: impl FnOnce(&mut Take) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let failed = |error| cannot_write(path, &error);
    replace_file(path, |file| {
        make(&mut |bytes| file.write_all(bytes).map_err(failed))
    })
}

/// The same of a file that `write` writes.
fn replace_file(
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> Result<(), Fault>,
) -> Result<(), Fault> {
    WrittenAside::by(path, write)?.put_in_place()
}

/// A complete file beside the one that it is to replace; dropped, it is removed.
#[derive(Debug)]
pub struct WrittenAside {
    path: PathBuf,
    temporary: PathBuf,
}

impl WrittenAside {
    /// One with these bytes.
    ///
    /// # Errors
    /// When the machine cannot write it.
    pub fn of(path: &Path, bytes: &[u8]) -> Result<Self, Fault> {
        let failed = |error| cannot_write(path, &error);
        Self::by(path, |file| file.write_all(bytes).map_err(failed))
    }

    fn by(
        path: &Path,
        write: impl FnOnce(&mut fs::File) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let failed = |error| cannot_write(path, &error);
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        remove_leftovers(path);
        let aside = Self {
            path: path.to_owned(),
            temporary: temporary(path, std::process::id()),
        };
        let mut file = fs::File::create(&aside.temporary).map_err(failed)?;
        write(&mut file)?;
        file.sync_all().map_err(failed)?;
        Ok(aside)
    }

    /// Replaces the other file.
    ///
    /// # Errors
    /// When the machine cannot do that; an existing file is unchanged then.
    pub fn put_in_place(self) -> Result<(), Fault> {
        let renamed = fs::rename(&self.temporary, &self.path);
        renamed.map_err(|error| cannot_write(&self.path, &error))?;
        Ok(())
    }
}

impl Drop for WrittenAside {
    fn drop(&mut self) {
        // A leftover does no harm; the first error is the one that matters.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Environment(format!("cannot write `{}`: {error}", path.display()))
}

/// Replaces the content of an existing file, and keeps its mode, its owner and the links to it.
///
/// While the file is written, the new content is complete in a temporary file beside it, where the
/// folder can be written.
///
/// # Errors
/// When the machine cannot write it.
pub fn rewrite_file(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let failed = |error: std::io::Error| {
        Fault::Environment(format!("cannot write `{}`: {error}", path.display()))
    };
    let target = path.canonicalize().map_err(failed)?;
    remove_leftovers(&target);
    let copy = temporary(&target, std::process::id());
    let is_copied = write_synced(fs::File::create(&copy), bytes).is_ok();
    let file = fs::File::options().write(true).open(&target);
    let written = write_synced(file, bytes);
    if is_copied && written.is_ok() {
        // A leftover does no harm.
        let _ = fs::remove_file(&copy);
    }
    written.map_err(failed)
}

fn write_synced(file: std::io::Result<fs::File>, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = file?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

/// What a `run.json` holds: the record of the run, then key, ending and cost of every action.
#[derive(Serialize)]
pub struct RunDocument<'a> {
    #[serde(flatten)]
    record: &'a RunRecord,
    facts: BTreeMap<&'a str, &'a str>,
    files: &'a ExportedFiles,
    actions: ActionLines<'a>,
    sweeps: Vec<SweepLine<'a>>,
}

impl<'a> RunDocument<'a> {
    /// That of a run.
    pub fn new(
        record: &'a RunRecord,
        experiment: &'a Experiment,
        graph: &'a Graph,
        outcome: &'a Outcome,
        facts: &'a [(String, String)],
        files: &'a ExportedFiles,
    ) -> Self {
        let facts = facts.iter().map(|(name, value)| (&**name, &**value));
        Self {
            record,
            facts: facts.collect(),
            files,
            actions: ActionLines {
                record,
                experiment,
                graph,
                outcome,
            },
            sweeps: sweep_lines::lines(experiment, graph, outcome),
        }
    }

    /// Writes it beside `path`, with the digest of the rest in front.
    ///
    /// # Errors
    /// As [`write_file`].
    pub fn write_aside(&self, path: &Path) -> Result<WrittenAside, Fault> {
        WrittenAside::by(path, |file| {
            seal(self, file).map_err(|error| cannot_write(path, &error))
        })
    }
}

/// The actions of a run, each made into its line while it is written: there may be a million.
struct ActionLines<'a> {
    record: &'a RunRecord,
    experiment: &'a Experiment,
    graph: &'a Graph,
    outcome: &'a Outcome,
}

impl Serialize for ActionLines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            record,
            experiment,
            graph,
            outcome,
        } = self;
        let endings = outcome.endings.iter().zip(&outcome.costs);
        let actions = graph.actions.iter().zip(endings);
        serializer.collect_seq(actions.map(|(action, (ending, cost))| {
            let node = &experiment.nodes[action.node.0];
            let version = record.plugins.get(&node.plugin);
            ActionLine::of(action, node, version.copied(), ending, *cost)
        }))
    }
}

/// An action in `run.json`.
#[derive(Serialize)]
struct ActionLine<'a> {
    statement: &'a str,
    point: &'a str,
    member: Option<u32>,
    plugin: &'a str,
    version: Option<u32>,
    key: Digest,
    state: &'static str,
    /// How long computing the result took, in this run or an earlier one.
    seconds: f64,
    bytes: u64,
}

impl<'a> ActionLine<'a> {
    fn of(
        action: &Action,
        node: &'a Node,
        version: Option<u32>,
        ending: &Ending,
        cost: Cost,
    ) -> Self {
        let state = match ending {
            Ending::Ran(_) => "ran",
            Ending::Cached => "cached",
            Ending::NotNeeded => "not needed",
            Ending::Diverged { .. } => "diverged",
            Ending::Failed(_) => "failed",
            Ending::Skipped => "skipped",
        };
        Self {
            statement: &node.name,
            point: &node.point,
            member: action.member,
            plugin: &node.plugin,
            version,
            key: action.key.digest,
            state,
            seconds: cost.seconds,
            bytes: cost.bytes,
        }
    }
}

/// The `--json` answer of a run.
pub fn run_answer(
    title: &str,
    is_ok: impl Into<serde_json::Value>,
    seconds: f64,
    counts: Counts,
    scores: &[ScoreLine],
    out: &str,
) -> serde_json::Value {
    json!({
        "experiment": title, "ok": is_ok.into(), "seconds": seconds,
        "actions": counts, "scores": scores, "out": out,
    })
}

/// Which artifacts to write beside the scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// Weight tables, one Parquet file per statement and member.
    Tables,
    /// Weights as safetensors files, those of each statement and member with its name: of the
    /// statements with these names, or of all parents and children.
    Weights(Vec<String>),
    /// The data of the statements with these names, as files of this form.
    Data(Vec<String>, DataForm),
}

impl Export {
    /// The kinds whose weights are written when nothing is named.
    const KINDS: [Kind; 3] = [Kind::Parent, Kind::Weights, Kind::Child];

    /// Whether the result of a call is written.
    pub fn has(&self, node: &Node) -> bool {
        match self {
            Self::Tables => matches!(node.kind, Kind::Anomaly | Kind::Weights | Kind::Trajectory),
            Self::Weights(names) if names.is_empty() => {
                node.named && Self::KINDS.contains(&node.kind)
            }
            Self::Weights(names) => names.contains(&node.name) && Self::can_have(node),
            Self::Data(names, _) => names.contains(&node.name) && node.kind == Kind::Data,
        }
    }

    /// Whether a call has weights or data to write when it is named.
    pub fn can_be_named(node: &Node) -> bool {
        Self::can_have(node) || node.kind == Kind::Data
    }

    /// Whether a call has weights to write as safetensors.
    pub fn can_have(node: &Node) -> bool {
        Self::KINDS.contains(&node.kind) || node.kind == Kind::Farcast
    }
}

/// A result and the name of the file it is exported to.
#[derive(Clone, Copy, Debug)]
struct ExportFile {
    node: usize,
    action: ActionId,
}

/// The length of the longest name of a file of `exports`, for the points of sweeps that are known.
pub fn longest_file_name(exports: &[Export], experiment: &Experiment) -> usize {
    let nodes = experiment.nodes.iter();
    let exported = nodes.filter(|node| exports.iter().any(|it| it.has(node)));
    let lengths = exported.map(|node| {
        let member = node
            .members
            .map_or(0, |members| members.to_string().len() + 1);
        node.name.len() + node.point.len() + 1 + member
    });
    lengths.max().unwrap_or(0).min(LONGEST_NAME) + LONGEST_ENDING
}

/// What the names of the files of `export` begin with: which key each is for. Names differ even
/// where letter case does not count.
pub fn file_stems(
    export: &Export,
    experiment: &Experiment,
    graph: &Graph,
) -> BTreeMap<String, Digest> {
    let places = places(export, experiment, graph).into_iter();
    let named = places.map(|(name, place)| (name, graph.actions[place.action.0].key.digest));
    named.collect()
}

fn places(export: &Export, experiment: &Experiment, graph: &Graph) -> Vec<(String, ExportFile)> {
    let mut found = Vec::new();
    let mut likes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (index, (node, actions)) in experiment.nodes.iter().zip(&graph.of_node).enumerate() {
        if !export.has(node) {
            continue;
        }
        // One action for all members is one result; its files say which member they are of.
        let is_shared = actions.len() > 1 && actions.iter().all(|action| *action == actions[0]);
        let actions = if is_shared { &actions[..1] } else { actions };
        for (member, action) in actions.iter().enumerate() {
            let point = match node.point.as_str() {
                "" => String::new(),
                point => format!("@{point}"),
            };
            let member = match node.members {
                Some(_) if !is_shared => format!(".{member}"),
                _ => String::new(),
            };
            let result = format!("{}{point}{member}", node.name);
            likes
                .entry(result.to_lowercase())
                .or_default()
                .insert(result.clone());
            let place = ExportFile {
                node: index,
                action: *action,
            };
            found.push((result, place));
        }
    }
    let named = found.into_iter().map(|(result, place)| {
        let likeness = match likes[&result.to_lowercase()].len() {
            1 => Likeness::None,
            _ => Likeness::Case,
        };
        (file_stem(&result, likeness), place)
    });
    named.collect()
}

/// Writes the artifacts of `export` to a folder and returns the files.
///
/// # Errors
/// When a result cannot be read or a file cannot be written.
pub fn export(
    export: &Export,
    experiment: &Experiment,
    graph: &Graph,
    registry: &Registry,
    store: &dyn Store,
    folder: &Path,
) -> Result<ExportedFiles, Fault> {
    let mut written = ExportedFiles::new();
    for (stem, place) in places(export, experiment, graph) {
        let (node, action) = (
            &experiment.nodes[place.node],
            &graph.actions[place.action.0],
        );
        let key = action.key.digest;
        let write = |name: &str, make: &mut dyn FnMut(&mut Take) -> Result<(), Fault>| {
            let mut digest = Hasher::default();
            let wrote = write_file_of(&folder.join(name), |put| {
                make(&mut |bytes| {
                    digest.update(bytes);
                    put(bytes)
                })
            });
            wrote.map_err(|fault| of_statement(fault, &node.name))?;
            let digest = digest.finish();
            Ok::<Exported, Fault>(Exported { key, digest })
        };
        if let Export::Data(_, form) = export {
            let writer = OrderWriter {
                graph,
                experiment,
                registry,
                store,
            };
            let order = || writer.order(place.action);
            let Some(rows) = ExportedRows::of(action, experiment, registry, store, order)? else {
                continue;
            };
            let about = [
                ("title".to_owned(), node.name.clone()),
                ("source".to_owned(), format!("farcast, key {key}")),
            ];
            let name = format!("{stem}.{}", form.ending());
            let exported = write(&name, &mut |put| {
                form.write(|each| rows.each(registry, store, each), &about, put)
            })?;
            written.insert(name, exported);
            continue;
        }
        let Some(result) = stored(action, experiment, registry, store)? else {
            continue;
        };
        let files = match export {
            Export::Tables => match result.table()? {
                Some(mut frame) => {
                    let name = format!("{stem}.parquet");
                    vec![WeightsFile::of(name, to_parquet(&mut frame)?)]
                }
                None => Vec::new(),
            },
            Export::Data(..) => Vec::new(),
            Export::Weights(_) => result
                .weights_files(&stem, origin(key, node, registry))
                .map_err(|fault| of_statement(fault, &node.name))?,
        };
        for file in files {
            let exported = write(&file.name, &mut |put| file.write(put))?;
            written.insert(file.name, exported);
        }
    }
    Ok(written)
}

/// The rows of a data statement that are written.
enum ExportedRows {
    /// They are stored.
    Stored(Arc<Dataset>),
    /// They are made again.
    Remade(Box<Order>),
}

impl ExportedRows {
    /// Those of an action; none where there is no result.
    fn of(
        action: &Action,
        experiment: &Experiment,
        registry: &Registry,
        store: &dyn Store,
        order: impl FnOnce() -> Order,
    ) -> Result<Option<Self>, Fault> {
        let record = store.find(&action.key.digest);
        if record.is_some_and(|it| it.is_remade()) {
            return Ok(Some(Self::Remade(Box::new(order()))));
        }
        let result = stored(action, experiment, registry, store)?;
        let data = result.as_ref().and_then(downcast::<Dataset>);
        Ok(data.map(Self::Stored))
    }

    /// Passes them to `each`, in parts where they can be made so.
    fn each(&self, registry: &Registry, store: &dyn Store, each: Each<'_>) -> Result<(), Fault> {
        match self {
            Self::Stored(data) => each(Dataset::clone(data)).map(|_| ()),
            Self::Remade(order) => {
                let place = Place {
                    registry,
                    store,
                    observer: &Silent,
                    stop: &Arc::default(),
                    host: "",
                };
                each_rows(order, &place, each)
            }
        }
    }
}

/// Whether another result has the same name but for letter case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Likeness {
    None,
    Case,
}

/// The longest name that every file system and a temporary file beside it allow, in bytes.
const LONGEST_NAME: usize = 200;

/// How many bytes may follow: `-00001-of-00002` and `.safetensors.index.json`.
const LONGEST_ENDING: usize = 38;

/// What the name of the file of a result begins with. Where the result's own name does not suit file systems, or is
/// too long, it ends in a digest, so that different results have different files.
fn file_stem(result: &str, likeness: Likeness) -> String {
    let is_plain = |c: char| !c.is_control() && !"/\\\"?*:<>|".contains(c);
    let is_short = result.len() <= LONGEST_NAME;
    let is_alone = likeness == Likeness::None && !result.contains('~');
    if is_short && is_alone && result.chars().all(is_plain) {
        return result.to_owned();
    }
    let digest = Digest::of(result.as_bytes()).short();
    let mut name = String::new();
    for c in result.chars() {
        if name.len() + c.len_utf8() > LONGEST_NAME - digest.len() {
            break;
        }
        name.push(if is_plain(c) { c } else { '_' });
    }
    format!("{name}~{digest}")
}

/// The same fault, said of a statement.
fn of_statement(fault: Fault, name: &str) -> Fault {
    match fault {
        Fault::User { message, hint, .. } => {
            let told = Fault::user(format!("`{name}` is not written: {message}"));
            hint.into_iter().fold(told, Fault::with_hint)
        }
        other => other,
    }
}

/// The key and, of random plugins, the seed.
fn origin(key: Digest, node: &Node, registry: &Registry) -> Metadata {
    let is_random = registry
        .get(&node.plugin)
        .is_some_and(|operation| operation.declaration().signature.random);
    let seed = is_random.then(|| ("seed".to_owned(), node.seed.to_string()));
    std::iter::once(("key".to_owned(), key.to_string()))
        .chain(seed)
        .collect()
}

/// The result of a member; none when it is not in the store or the member diverged.
fn stored(
    action: &Action,
    experiment: &Experiment,
    registry: &Registry,
    store: &dyn Store,
) -> Result<Option<Arc<dyn Stored>>, Fault> {
    let record = store.find(&action.key.digest);
    let Some(record) = record.filter(|record| !record.is_diverged()) else {
        return Ok(None);
    };
    let title = action.title(experiment);
    registry.read(&title, &record, store).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_and_others_differ() {
        assert_eq!(file_stem("net@w=2.0", Likeness::None), "net@w=2.0");
        let points = [
            "w=\"a/b\"",
            "w=\"a_b\"",
            "w=\"a b\"",
            "w=\"a?b\"",
            "w=_a_b_",
        ];
        let long = ["x".repeat(300), "x".repeat(301)];
        let results = points.iter().map(|point| (*point).to_owned()).chain(long);
        let names: Vec<String> = results
            .map(|result| file_stem(&result, Likeness::None))
            .collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name}");
            assert!(
                name.len() <= LONGEST_NAME + 13 && !name.contains(['/', '"', '?']),
                "{name}"
            );
        }
        assert_eq!(names[0], "w=_a_b_~442eca7b38c0");
    }

    #[cfg(unix)]
    #[test]
    fn a_rewritten_file_keeps_mode_and_links() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "a longer text").unwrap();
        fs::set_permissions(at("a"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(at("a"), at("hard")).unwrap();
        symlink("a", at("soft")).unwrap();
        rewrite_file(&at("soft"), b"text").unwrap();
        assert!(fs::symlink_metadata(at("soft")).unwrap().is_symlink());
        let metadata = fs::metadata(at("a")).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.nlink()), (0o600, 2));
        assert_eq!(fs::read_to_string(at("hard")).unwrap(), "text");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
