//! The folder of a run that jobs carry out, in the store that they share.
//!
//! ```text
//! work/<run>/run.json            what is run: texts, params, settings, where
//! work/<run>/since               the first order of the latest attempt
//! work/<run>/cancelled           nothing more is to be done
//! work/<run>/writing            who writes the results
//! work/<run>/ended.json          the results are written; what was given up
//! work/<run>/keys-<digest>       the keys of all actions of a graph
//! work/<run>/<n>/order.json      the actions of one submission, cut into chunks
//! work/<run>/<n>/submitting      who submits it; `submitted` when that is done
//! work/<run>/<n>/jobs            the arrays that the queue has taken, with their ids
//! work/<run>/<n>/began/<chunk>   where a chunk has started
//! work/<run>/<n>/ended/<chunk>   how it has ended; none when it was killed
//! work/<run>/<n>/stopped/<chunk> the same, when it was asked to stop before its end
//! work/<run>/<n>/failed/<chunk>  the same, when any of its actions failed
//! work/<run>/<n>/log/            what the jobs say
//! ```
//!
//! An order appears at once and complete, by a rename, and its number is taken by one process alone.
//! Names of files say what is asked often, so that nobody reads one file for each chunk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dsl::sweep::Choices;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::chunks::Array;
use super::site::Site;
use crate::contents::Contents;
use crate::digest::{Digest, Hasher};
use crate::error::Fault;
use crate::graph::Graph;
use crate::observer::Failure;
use crate::output::write_file;
use crate::packages::PackageRecord;
use crate::path_text::{path_text, text_path};
use crate::process::Process;
use crate::record::Text;
use crate::store::unix_millis;

/// Rises when an older farcast would misread orders.
const FORMAT: u32 = 1;

/// The folders of an order with a file for each chunk.
const BEGAN: &str = "began";
const ENDED: &str = "ended";
const STOPPED: &str = "stopped";
const FAILED: &str = "failed";

/// How long a process of another machine is believed to submit an order, in milliseconds.
const SUBMITTING: u64 = 10 * 60 * 1000;

/// What is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The `FORMAT` of the program that wrote the folder.
    pub format: u32,
    /// The farcast that began it.
    pub farcast: String,
    /// Its program, as the jobs find it.
    pub program: String,
    /// Tells its jobs from all others, also from those of a deleted store.
    pub token: String,
    /// The title of the experiment.
    pub experiment: String,
    /// The experiment's own path.
    pub file: String,
    /// The folder in which it was started; relative paths start there.
    pub folder: String,
    /// The texts, as they were.
    pub texts: Vec<Text>,
    /// The packages that some of them come from.
    #[serde(default)]
    pub packages: BTreeMap<String, PackageRecord>,
    /// The params set from outside.
    pub set: Vec<(String, String)>,
    /// The statements whose weights are asked for.
    pub weights: Option<Vec<String>>,
    /// Whether tables are written.
    pub tables: bool,
    /// Whether a failure stops only what depends on it.
    pub keep_going: bool,
    /// Where the results go.
    pub out: String,
    /// Where the jobs run.
    pub site: Site,
}

impl About {
    /// One of this format and farcast, begun now; the rest is to be filled in.
    pub fn new(site: Site) -> Self {
        let seed = format!("{} {:?}", unix_millis(), Process::this());
        Self {
            format: FORMAT,
            farcast: env!("CARGO_PKG_VERSION").to_owned(),
            program: String::new(),
            token: Digest::of(seed.as_bytes()).to_string()[..8].to_owned(),
            experiment: String::new(),
            file: String::new(),
            folder: String::new(),
            texts: Vec::new(),
            packages: BTreeMap::new(),
            set: Vec::new(),
            weights: None,
            tables: false,
            keep_going: false,
            out: String::new(),
            site,
        }
    }

    /// The file's name without its ending.
    pub fn stem(&self) -> String {
        let file = text_path(&self.file);
        path_text(Path::new(file.file_stem().unwrap_or_default()))
    }

    /// The name of the run: the same command on the same text has the same.
    pub fn name(&self) -> String {
        let texts = self.texts.iter().map(|it| (&it.path, &it.text));
        let texts: Vec<_> = texts.collect();
        let what = (&self.folder, &self.file, texts, &self.set, &self.weights);
        let what = format!("{what:?} {} {}", self.tables, self.out);
        format!(
            "{}-{}",
            self.plain(40),
            &Digest::of(what.as_bytes()).to_string()[..6]
        )
    }

    fn plain(&self, longest: usize) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        self.stem().chars().take(longest).map(plain).collect()
    }
}

/// The actions of one submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Its number in the run.
    pub number: u32,
    /// The digest of the graph in which its chunks count actions.
    pub graph: Digest,
    /// The digests of the data files.
    pub files: BTreeMap<String, Digest>,
    /// What was known of the sweeps: sweep, point and score.
    pub choices: Vec<(String, String, Option<f64>)>,
    /// The standard errors of these scores.
    #[serde(default)]
    pub errors: Vec<(String, String, f64)>,
    /// What was known of the bytes of results that others are keyed by: key and digest.
    #[serde(default)]
    pub contents: Vec<(Digest, Digest)>,
    /// The chunks.
    pub arrays: Vec<Array>,
}

impl WorkOrder {
    /// What was known of the sweeps when it was written.
    pub fn choices(&self) -> Choices {
        let mut choices = Choices::default();
        for (sweep, point, score) in &self.choices {
            choices.note(sweep, point, *score);
        }
        for (sweep, point, error) in &self.errors {
            choices.note_error(sweep, point, *error);
        }
        choices
    }

    /// What was known of the bytes of results when it was written.
    pub fn contents(&self) -> Contents {
        self.contents.iter().copied().collect()
    }

    /// The actions of a chunk.
    pub fn chunk(&self, number: usize) -> Option<&[usize]> {
        let mut arrays = self.arrays.iter();
        let array = arrays.find(|it| (it.first..=it.last()).contains(&number))?;
        Some(&array.chunks[number - array.first])
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> usize {
        self.arrays.iter().map(|array| array.chunks.len()).sum()
    }

    /// The numbers of the chunks.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.arrays
            .iter()
            .flat_map(|array| array.first..=array.last())
    }

    /// All actions.
    pub fn actions(&self) -> impl Iterator<Item = usize> {
        let chunks = self.arrays.iter().flat_map(|array| &array.chunks);
        chunks.flatten().copied()
    }

    /// Leaves out the chunks beyond this many.
    pub(super) fn truncate(&mut self, most: usize) {
        let mut left = most.max(1);
        for array in &mut self.arrays {
            array.chunks.truncate(left);
            left -= array.chunks.len();
        }
        self.arrays.retain(|array| !array.chunks.is_empty());
    }
}

/// The digest of all keys of a graph, in order.
pub fn graph_digest(graph: &Graph) -> Digest {
    digest_of_keys(graph.actions.iter().map(|it| it.key.digest))
}

fn digest_of_keys(keys: impl Iterator<Item = Digest>) -> Digest {
    let mut hasher = Hasher::default();
    for key in keys {
        hasher.update(key.to_string().as_bytes());
    }
    hasher.finish()
}

/// How a chunk has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkReport {
    /// Where.
    pub attempt: Attempt,
    /// How long it ran.
    pub seconds: f64,
    /// Whether it was asked to stop before its end.
    pub stopped: bool,
    /// How many actions have results now.
    pub ran: usize,
    /// The actions that failed.
    pub failed: Vec<(Digest, Failure)>,
    /// The actions that did not run, because what they read is not there.
    pub skipped: Vec<Digest>,
}

/// One start of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The machine.
    pub host: String,
    /// What the queue calls the job.
    pub job: String,
    /// How often the queue had started it before.
    pub restarts: u32,
    /// When: milliseconds since 1970.
    pub when: u64,
}

/// The end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether nothing failed.
    pub ok: bool,
    /// The actions that were given up, and why.
    pub lost: Vec<(Digest, Failure)>,
}

/// A run that jobs carry out.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its folder.
    pub folder: PathBuf,
    /// What is run.
    pub about: About,
}

impl Campaign {
    /// The run of this name in a store, begun when it is not there; settings of the queue are those
    /// of now.
    ///
    /// # Errors
    /// When the store cannot be written, or holds one of a newer farcast.
    pub fn begin(store: &Path, mut about: About) -> Result<Self, Fault> {
        let folder = store.join("work").join(about.name());
        if folder.join("run.json").exists() {
            let before = Self::at(&folder)?.about;
            about.token = before.token;
        }
        write_json(&folder.join("run.json"), &about)?;
        Ok(Self { folder, about })
    }

    /// The run in this folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at(folder: &Path) -> Result<Self, Fault> {
        let about: About = read_json(&folder.join("run.json"))?;
        if about.format > FORMAT {
            let shown = folder.display();
            return Err(Fault::Environment(format!(
                "`{shown}` was written by a newer farcast: expected format {FORMAT}, found {}",
                about.format
            )));
        }
        Ok(Self {
            folder: folder.to_owned(),
            about,
        })
    }

    /// The runs of a store, in the order of their names.
    pub fn all(store: &Path) -> Vec<Self> {
        let entries = fs::read_dir(store.join("work")).into_iter().flatten();
        let folders = entries.flatten().map(|entry| entry.path());
        let mut folders: Vec<PathBuf> = folders.filter(|it| it.join("run.json").exists()).collect();
        folders.sort();
        let read = folders.iter().filter_map(|folder| Self::at(folder).ok());
        read.collect()
    }

    /// The run and the order at this path of an `order.json`.
    ///
    /// # Errors
    /// When it is none.
    pub fn of_order(path: &Path) -> Result<(Self, WorkOrder), Fault> {
        let shown = path.display();
        let no_order = || Fault::user(format!("`{shown}` is not the order of a run"));
        let path = path.canonicalize().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Fault::user(format!("`{shown}` does not exist")),
            _ => Fault::Environment(format!("`{shown}` cannot be read: {error}")),
        })?;
        let folder = path.parent().and_then(Path::parent).ok_or_else(no_order)?;
        if !folder.join("run.json").exists() {
            return Err(no_order());
        }
        Ok((Self::at(folder)?, read_json(&path)?))
    }

    /// Its name.
    pub fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The store that it belongs to.
    pub fn store(&self) -> &Path {
        let store = self.folder.parent().and_then(Path::parent);
        store.unwrap_or(&self.folder)
    }

    /// The start of the names of its jobs.
    pub fn job_prefix(&self) -> String {
        format!("fc-{}-{}-", self.about.plain(20), self.about.token)
    }

    /// The folder of an order.
    pub fn order_folder(&self, number: u32) -> PathBuf {
        self.folder.join(number.to_string())
    }

    /// The file with what a chunk said.
    pub fn log(&self, order: &WorkOrder, chunk: usize) -> Option<PathBuf> {
        let mut arrays = order.arrays.iter().enumerate();
        let (at, array) = arrays.find(|(_, it)| (it.first..=it.last()).contains(&chunk))?;
        let name = format!("{at}-{}.log", chunk - array.first);
        Some(self.order_folder(order.number).join("log").join(name))
    }

    /// The number of its last order; 0 without one.
    pub fn last(&self) -> u32 {
        let entries = fs::read_dir(&self.folder).into_iter().flatten();
        let numbers = entries.flatten().filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.parse().ok()
        });
        numbers.max().unwrap_or(0)
    }

    /// An order.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn order(&self, number: u32) -> Result<WorkOrder, Fault> {
        read_json(&self.order_folder(number).join("order.json"))
    }

    /// The first order of the latest attempt.
    pub fn since(&self) -> u32 {
        let text = fs::read_to_string(self.folder.join("since"));
        text.ok().and_then(|it| it.trim().parse().ok()).unwrap_or(1)
    }

    /// Begins another attempt: what failed or was given up before is tried again.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn try_again(&self) -> Result<(), Fault> {
        let next = self.last() + 1;
        self.forget("cancelled");
        self.forget("ended.json");
        self.forget("writing");
        write_file(&self.folder.join("since"), next.to_string().as_bytes())
    }

    fn forget(&self, name: &str) {
        // One that is not there is forgotten.
        let _ = fs::remove_file(self.folder.join(name));
    }

    /// Writes an order, unless its number is taken; whether it is ours. Its graph has these keys.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn claim(&self, order: &WorkOrder, keys: &[Digest]) -> Result<bool, Fault> {
        let path = self.keys_path(&order.graph);
        if !path.exists() {
            let bytes: Vec<u8> = keys.iter().flat_map(|key| *key.bytes()).collect();
            write_file(&path, &bytes)?;
        }
        let token = Digest::of(format!("{:?}", Process::this()).as_bytes()).short();
        let aside = self.folder.join(format!("{}.{token}", order.number));
        let failed = |error: std::io::Error| {
            let shown = self.folder.display();
            Fault::Environment(format!("cannot write to `{shown}`: {error}"))
        };
        for name in [BEGAN, ENDED, STOPPED, FAILED, "log"] {
            fs::create_dir_all(aside.join(name)).map_err(failed)?;
        }
        write_json(&aside.join("submitting"), &(Process::this(), unix_millis()))?;
        write_json(&aside.join("order.json"), order)?;
        let is_ours = fs::rename(&aside, self.order_folder(order.number)).is_ok();
        if !is_ours {
            let _ = fs::remove_dir_all(&aside);
            if !self.order_folder(order.number).exists() {
                return Err(failed(std::io::Error::other(
                    "the folder cannot be renamed",
                )));
            }
        }
        Ok(is_ours)
    }

    /// The keys of the actions of a graph, in its order, when they are there and whole.
    pub fn keys(&self, graph: &Digest) -> Option<Vec<Digest>> {
        let bytes = fs::read(self.keys_path(graph)).ok()?;
        let (keys, rest) = bytes.as_chunks::<32>();
        let keys: Vec<Digest> = keys.iter().map(|key| Digest::from(*key)).collect();
        let is_whole = rest.is_empty() && digest_of_keys(keys.iter().copied()) == *graph;
        is_whole.then_some(keys)
    }

    fn keys_path(&self, graph: &Digest) -> PathBuf {
        self.folder.join(format!("keys-{}", graph.short()))
    }

    /// Replaces an order by what the queue has taken of it: its first chunks.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn shorten(&self, order: &WorkOrder) -> Result<(), Fault> {
        write_json(&self.order_folder(order.number).join("order.json"), order)
    }

    /// Takes over the submission of an order whose submitter is gone; whether it is ours.
    pub fn take_over(&self, number: u32) -> bool {
        let path = self.order_folder(number).join("submitting");
        let is_taken = self.is_submitted(number) || self.is_being_submitted(number);
        !is_taken && write_json(&path, &(Process::this(), unix_millis())).is_ok()
    }

    /// Whether another process is giving an order to the queue.
    pub fn is_being_submitted(&self, number: u32) -> bool {
        let by = read_json(&self.order_folder(number).join("submitting")).ok();
        let is_going = by.is_some_and(|(process, when): (Process, u64)| {
            let is_recent = unix_millis() < when.saturating_add(SUBMITTING);
            is_recent && process != Process::this() && !process.is_gone(when)
        });
        is_going && !self.is_submitted(number)
    }

    /// Whether another process, which is there, submitted an order.
    pub(super) fn is_submitted_elsewhere(&self, number: u32) -> bool {
        let by = read_json(&self.order_folder(number).join("submitting")).ok();
        by.is_some_and(|(process, when): (Process, u64)| {
            process != Process::this() && !process.is_gone(when)
        })
    }

    /// Whether it is for this process to write the results: no other does.
    pub fn begin_writing(&self) -> bool {
        let path = self.folder.join("writing");
        let own = serde_json::to_vec(&(Process::this(), unix_millis())).unwrap_or_default();
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        match file {
            Ok(mut file) => file.write_all(&own).is_ok(),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let by = read_json(&path).ok();
                by.is_some_and(|(process, when): (Process, u64)| process.is_gone(when))
            }
            Err(_) => true,
        }
    }

    /// Whether all arrays of an order were given to the queue.
    pub fn is_submitted(&self, number: u32) -> bool {
        self.order_folder(number).join("submitted").exists()
    }

    /// Notes that all arrays of an order were given to the queue.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_submitted(&self, number: u32) -> Result<(), Fault> {
        write_file(&self.order_folder(number).join("submitted"), b"")
    }

    /// Notes that an array, or the job after all of them, is about to be submitted.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_attempt(&self, number: u32, part: &str) -> Result<(), Fault> {
        self.note(number, &format!("{part} ?\n"))
    }

    /// Notes that the queue has refused an array, or the job after all of them.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_refused(&self, number: u32, part: &str) -> Result<(), Fault> {
        self.note(number, &format!("{part} -\n"))
    }

    /// Notes the id of an array, or of the job after all of them.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_job(&self, number: u32, part: &str, id: u64) -> Result<(), Fault> {
        self.note(number, &format!("{part} {id}\n"))
    }

    fn note(&self, number: u32, line: &str) -> Result<(), Fault> {
        let path = self.order_folder(number).join("jobs");
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| {
            Fault::Environment(format!("cannot write `{}`: {error}", path.display()))
        })
    }

    /// The ids of the arrays of an order.
    pub fn jobs(&self, number: u32) -> BTreeMap<String, u64> {
        let text = fs::read_to_string(self.order_folder(number).join("jobs"));
        let text = text.unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let (part, id) = line.split_once(' ')?;
            Some((part.to_owned(), id.parse().ok()?))
        });
        lines.collect()
    }

    /// The array that was being submitted when its submitter was killed, and how long ago: the
    /// queue may have it, or get it yet.
    pub fn doubtful(&self, number: u32) -> Option<(String, Duration)> {
        let path = self.order_folder(number).join("jobs");
        let text = fs::read_to_string(&path).ok()?;
        let (part, _) = text.lines().next_back()?.split_once(" ?")?;
        let when = fs::metadata(&path).and_then(|file| file.modified()).ok()?;
        Some((part.to_owned(), when.elapsed().unwrap_or_default()))
    }

    /// When it was last asked for.
    pub fn begun_at(&self) -> Option<SystemTime> {
        let file = fs::metadata(self.folder.join("run.json"));
        file.and_then(|file| file.modified()).ok()
    }

    /// Notes that a chunk starts, and forgets how an earlier start has ended.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin_chunk(&self, number: u32, chunk: usize, attempt: &Attempt) -> Result<(), Fault> {
        for what in [ENDED, STOPPED, FAILED] {
            // One that is not there is forgotten.
            let _ = fs::remove_file(self.part(number, what, chunk));
        }
        write_json(&self.part(number, BEGAN, chunk), attempt)
    }

    /// Notes how a chunk has ended, unless it has begun again elsewhere: then the queue has taken
    /// this attempt for dead, and the later one will say how the chunk ends.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_ended(&self, number: u32, chunk: usize, report: &ChunkReport) -> Result<(), Fault> {
        let latest = self.attempt(number, chunk);
        if latest.is_some_and(|latest| latest != report.attempt) {
            return Ok(());
        }
        if !report.failed.is_empty() {
            write_json(&self.part(number, FAILED, chunk), report)?;
        }
        let how = if report.stopped { STOPPED } else { ENDED };
        write_json(&self.part(number, how, chunk), report)
    }

    fn part(&self, number: u32, what: &str, chunk: usize) -> PathBuf {
        self.order_folder(number).join(what).join(chunk.to_string())
    }

    /// Where a chunk has started last.
    pub fn attempt(&self, number: u32, chunk: usize) -> Option<Attempt> {
        read_json(&self.part(number, BEGAN, chunk)).ok()
    }

    /// The chunks of an order that have begun.
    pub fn begun(&self, number: u32) -> BTreeSet<usize> {
        self.numbers(number, BEGAN)
    }

    /// The chunks of an order that have come to their end.
    pub fn ended(&self, number: u32) -> BTreeSet<usize> {
        self.numbers(number, ENDED)
    }

    /// The chunks of an order in which actions failed.
    pub fn failed(&self, number: u32) -> BTreeSet<usize> {
        self.numbers(number, FAILED)
    }

    fn numbers(&self, number: u32, what: &str) -> BTreeSet<usize> {
        let entries = fs::read_dir(self.order_folder(number).join(what));
        let names = entries.into_iter().flatten().flatten();
        let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.collect()
    }

    /// How a chunk has ended, or was stopped.
    pub fn report(&self, number: u32, chunk: usize) -> Option<ChunkReport> {
        let read = |what| read_json(&self.part(number, what, chunk)).ok();
        read(ENDED).or_else(|| read(STOPPED))
    }

    /// How a chunk has ended in which actions failed.
    pub fn failure(&self, number: u32, chunk: usize) -> Option<ChunkReport> {
        read_json(&self.part(number, FAILED, chunk)).ok()
    }

    /// Notes that nothing more is to be done.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn cancel(&self) -> Result<(), Fault> {
        write_file(&self.folder.join("cancelled"), b"")
    }

    /// Whether nothing more is to be done.
    pub fn is_cancelled(&self) -> bool {
        self.folder.join("cancelled").exists()
    }

    /// Notes that the results are written.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn end(&self, verdict: &Verdict) -> Result<(), Fault> {
        write_json(&self.folder.join("ended.json"), verdict)
    }

    /// When it has ended, or was cancelled.
    pub fn ended_at(&self) -> Option<SystemTime> {
        let mut files = ["ended.json", "cancelled"].into_iter();
        let file = files.find_map(|name| fs::metadata(self.folder.join(name)).ok())?;
        file.modified().ok()
    }

    /// How it has ended, when it has.
    pub fn verdict(&self) -> Option<Verdict> {
        read_json(&self.folder.join("ended.json")).ok()
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Fault> {
    let json = serde_json::to_vec(value).map_err(|error| Fault::Bug(error.to_string()))?;
    write_file(path, &json)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Fault> {
    let shown = path.display();
    let bytes = fs::read(path)
        .map_err(|error| Fault::Environment(format!("`{shown}` cannot be read: {error}")))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Fault::Environment(format!("`{shown}` is damaged: {error}")))
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::cluster::Kind;

    fn order(chunks: usize) -> WorkOrder {
        WorkOrder {
            number: 1,
            graph: digest_of_keys([Digest::of(b"a")].into_iter()),
            files: BTreeMap::new(),
            choices: Vec::new(),
            errors: Vec::new(),
            contents: Vec::new(),
            arrays: vec![Array {
                wave: 0,
                class: String::new(),
                first: 1,
                chunks: vec![vec![0]; chunks],
            }],
        }
    }

    fn report(attempt: &Attempt, stopped: bool) -> ChunkReport {
        ChunkReport {
            attempt: attempt.clone(),
            seconds: 1.0,
            stopped,
            ran: 1,
            failed: Vec::new(),
            skipped: Vec::new(),
        }
    }

    #[test]
    fn an_orphan_does_not_say_how_a_chunk_ends_that_has_begun_again() {
        let store = tempdir().unwrap();
        let campaign = Campaign::begin(store.path(), About::new(Site::new(Kind::Slurm))).unwrap();
        let keys = [Digest::of(b"a")];
        assert!(campaign.claim(&order(2), &keys).unwrap());
        let attempt = |restarts: u32| Attempt {
            restarts,
            ..Attempt::default()
        };
        for restarts in [0, 1] {
            campaign.begin_chunk(1, 1, &attempt(restarts)).unwrap();
        }
        campaign
            .note_ended(1, 1, &report(&attempt(0), false))
            .unwrap();
        assert!(campaign.ended(1).is_empty());
        // One that was stopped may go on elsewhere: it has not come to its end.
        campaign
            .note_ended(1, 1, &report(&attempt(1), true))
            .unwrap();
        assert!(campaign.ended(1).is_empty() && campaign.report(1, 1).is_some());
        campaign.begin_chunk(1, 1, &attempt(2)).unwrap();
        assert!(campaign.report(1, 1).is_none());
        campaign
            .note_ended(1, 1, &report(&attempt(2), false))
            .unwrap();
        assert_eq!(campaign.ended(1), BTreeSet::from([1]));
    }

    #[test]
    fn keys_are_read_again_or_not_at_all() {
        let store = tempdir().unwrap();
        let campaign = Campaign::begin(store.path(), About::new(Site::new(Kind::Slurm))).unwrap();
        let (order, keys) = (order(1), [Digest::of(b"a")]);
        campaign.claim(&order, &keys).unwrap();
        assert_eq!(campaign.keys(&order.graph).unwrap(), keys);
        let path = campaign.keys_path(&order.graph);
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(campaign.keys(&order.graph).is_none());
    }

    #[test]
    fn the_last_array_is_in_doubt_until_the_queue_has_answered() {
        let store = tempdir().unwrap();
        let campaign = Campaign::begin(store.path(), About::new(Site::new(Kind::Slurm))).unwrap();
        campaign.claim(&order(1), &[]).unwrap();
        assert!(campaign.doubtful(1).is_none());
        campaign.note_attempt(1, "0").unwrap();
        assert_eq!(campaign.doubtful(1).unwrap().0, "0");
        campaign.note_refused(1, "0").unwrap();
        assert!(campaign.doubtful(1).is_none() && campaign.jobs(1).is_empty());
        campaign.note_attempt(1, "0").unwrap();
        campaign.note_job(1, "0", 7).unwrap();
        assert!(campaign.doubtful(1).is_none());
        assert_eq!(campaign.jobs(1), BTreeMap::from([("0".to_owned(), 7)]));
    }
}
