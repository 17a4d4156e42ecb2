//! The record of a run: enough to list the run, to compare it and to run it again.
//!
//! It is the head of `run.json`, and the store keeps one for every run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dsl::experiment::{Experiment, Metadata};
use dsl::source::Sources;
use dsl::types::Kind;
use serde::{Deserialize, Serialize};

use crate::choice::{Choice, choices};
use crate::digest::Digest;
use crate::error::Fault;
use crate::foreign::Code;
use crate::graph::Graph;
use crate::headline::{headlines, read_by_scores};
use crate::key::KEY_VERSION;
use crate::losses::is_ok;
use crate::observer::Counts;
use crate::packages::{PackageRecord, Packages};
use crate::path_text::path_text;
use crate::plugin::Registry;
use crate::process::Process;
use crate::run::Outcome;
use crate::store::Cost;
use crate::table::ScoreLine;

/// Rises when an older farcast would misread a record.
pub const FORMAT: u32 = 1;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its [`FORMAT`].
    pub format: u32,
    /// The title of the experiment.
    pub experiment: String,
    /// What the experiment says about itself.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The farcast that ran it.
    pub farcast: String,
    /// The version of its keys.
    pub key_version: u32,
    /// When it ended: milliseconds since 1970, on its machine.
    pub when: u64,
    /// The machine.
    pub host: String,
    /// The folder it was started in; relative paths start there.
    pub folder: String,
    /// The experiment's own text first, then the texts it uses.
    pub texts: Vec<Text>,
    /// The params set by `--set` and the profile.
    pub set: Vec<(String, String)>,
    /// The value of every param outside a sweep.
    pub params: BTreeMap<String, String>,
    /// The version of every plugin it called.
    pub plugins: BTreeMap<String, u32>,
    /// The code of every plugin of its own that it declared, and the files of that code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, Code>,
    /// The packages that its texts come from: `@ocean`, and `@ocean/@common` of that one's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, PackageRecord>,
    /// The digest of every data file it read.
    pub data: BTreeMap<String, Digest>,
    /// For each member, the shortened keys of the parents trained for it: two runs that share one
    /// have that member in common.
    pub members: BTreeMap<u32, BTreeSet<String>>,
    /// Whether nothing failed.
    pub ok: bool,
    /// Why it has not come to its end; none when it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Unfinished>,
    /// The process, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// How many actions ended in which way.
    pub counts: Counts,
    /// How long it took.
    pub seconds: f64,
    /// What the results of each statement cost, in this run or in the earlier ones that computed
    /// them; in the order of the file.
    #[serde(default)]
    pub costs: Vec<StatementCost>,
    /// Where it wrote its results.
    pub out: String,
    /// The folder with the orders and logs of its jobs, for a run on a queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<String>,
    /// The headlines of the report.
    pub headlines: Vec<String>,
    /// What its sweeps chose.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// The scores that other scores read, such as inner ones: means, not results.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub means: BTreeSet<String>,
    /// The digest of `scores.parquet`; none without scores.
    pub scores: Option<Digest>,
    /// The unit of each metric that has one.
    pub units: BTreeMap<String, String>,
}

/// Why a run has not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfinished {
    /// It still runs.
    Running,
    /// Ctrl-C or another signal asked it to stop.
    Interrupted,
    /// Its process is gone and left no other word: it was killed, or the machine went down.
    Killed,
}

/// What the results of a statement cost, at all points of sweeps and for all members together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatementCost {
    /// The statement.
    pub statement: String,
    /// Its plugin.
    pub plugin: String,
    /// How many actions it has.
    pub actions: usize,
    /// The sum of their durations.
    pub seconds: f64,
    /// The total size of their results.
    pub bytes: u64,
}

/// What each statement costs.
fn costs(experiment: &Experiment, graph: &Graph, costs: &[Cost]) -> Vec<StatementCost> {
    let mut found: Vec<StatementCost> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (action, cost) in graph.actions.iter().zip(costs) {
        let node = &experiment.nodes[action.node.0];
        let place = *places.entry(&node.name).or_insert_with(|| {
            found.push(StatementCost {
                statement: node.name.clone(),
                plugin: node.plugin.clone(),
                actions: 0,
                seconds: 0.0,
                bytes: 0,
            });
            found.len() - 1
        });
        let all = &mut found[place];
        all.actions += 1;
        all.seconds += cost.seconds;
        all.bytes = all.bytes.saturating_add(cost.bytes);
    }
    found
}

/// A text and the path it was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The path, relative to the folder of the run.
    pub path: String,
    /// The text.
    pub text: String,
}

/// A run that has ended: what its record needs beside experiment and graph.
pub struct FinishedRun<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The packages that some of them come from.
    pub packages: &'a Packages,
    /// The params set by `--set` and the profile.
    pub set: &'a [(String, String)],
    /// Its scores, and the bytes of `scores.parquet`.
    pub scores: (&'a [ScoreLine], Option<&'a [u8]>),
    /// How its actions ended.
    pub outcome: &'a Outcome,
    /// How long it took.
    pub seconds: f64,
    /// The machine.
    pub host: String,
    /// The folder of its results.
    pub out: String,
}

/// A run that begins: what its record needs beside the experiment.
pub struct BegunRun<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The packages that some of them come from.
    pub packages: &'a Packages,
    /// The params set by `--set` and the profile.
    pub set: &'a [(String, String)],
    /// The machine.
    pub host: String,
    /// The folder of its results.
    pub out: String,
}

/// The texts of an experiment, its own first.
pub fn texts(sources: &Sources) -> Vec<Text> {
    let texts = sources.iter().map(|(_, source)| Text {
        path: source.path.clone(),
        text: source.text.clone(),
    });
    texts.collect()
}

fn working_folder() -> String {
    let folder = std::env::current_dir();
    folder.map_or_else(|_| String::new(), |path| path_text(&path))
}

impl RunRecord {
    /// The record of a run that ends now.
    pub fn new(
        experiment: &Experiment,
        graph: &Graph,
        registry: &Registry,
        run: FinishedRun,
    ) -> Self {
        let (lines, bytes) = run.scores;
        let counts = Counts::of(&run.outcome.endings);
        let mut members: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for action in &graph.actions {
            let node = &experiment.nodes[action.node.0];
            if let (Kind::Parent, Some(member)) = (node.kind, action.member) {
                let keys = members.entry(member).or_default();
                keys.insert(action.key.digest.short());
            }
        }
        let units = lines
            .iter()
            .filter_map(|line| Some((line.metric.clone(), line.unit.clone()?)));
        let begun = BegunRun {
            sources: run.sources,
            packages: run.packages,
            set: run.set,
            host: run.host,
            out: run.out,
        };
        Self {
            data: { graph.files.iter() }
                .map(|(path, digest)| (run.packages.shown(path), *digest))
                .collect(),
            members,
            ok: is_ok(experiment, graph, run.outcome) && !run.outcome.stopped,
            unfinished: run.outcome.stopped.then_some(Unfinished::Interrupted),
            process: None,
            counts,
            seconds: run.seconds,
            costs: costs(experiment, graph, &run.outcome.costs),
            headlines: headlines(experiment, lines)
                .iter()
                .map(ToString::to_string)
                .collect(),
            choices: choices(experiment, graph, run.outcome),
            means: read_by_scores(experiment),
            scores: bytes.map(Digest::of),
            units: units.collect(),
            ..Self::begun(experiment, registry, begun)
        }
    }

    /// What is known of a run that begins now, in this process.
    pub fn begun(experiment: &Experiment, registry: &Registry, run: BegunRun<'_>) -> Self {
        let called: BTreeSet<&str> = { experiment.nodes.iter() }
            .map(|node| &*node.plugin)
            .collect();
        let plugins = called.into_iter().filter_map(|name| {
            let version = registry.get(name)?.declaration().signature.version;
            Some((name.to_owned(), version))
        });
        let programs = registry.provided().map(|provided| {
            let name = provided.declaration.signature.name.clone();
            (name, provided.code.clone())
        });
        Self {
            format: FORMAT,
            experiment: experiment.title.clone(),
            metadata: experiment.metadata.clone(),
            farcast: env!("CARGO_PKG_VERSION").to_owned(),
            key_version: KEY_VERSION,
            when: crate::store::unix_millis(),
            host: run.host,
            folder: working_folder(),
            texts: texts(run.sources),
            set: run.set.to_vec(),
            params: experiment.params.clone(),
            plugins: plugins.collect(),
            programs: programs.collect(),
            packages: { run.packages }
                .records(run.sources.iter().map(|(_, source)| source.path.as_str())),
            data: BTreeMap::new(),
            members: BTreeMap::new(),
            ok: false,
            unfinished: Some(Unfinished::Running),
            process: Some(Process::this()),
            counts: Counts::default(),
            seconds: 0.0,
            costs: Vec::new(),
            out: run.out,
            jobs: None,
            headlines: Vec::new(),
            choices: Vec::new(),
            means: BTreeSet::new(),
            scores: None,
            units: BTreeMap::new(),
        }
    }

    /// The same after a signal has ended the run.
    pub fn interrupted(mut self, counts: Counts, seconds: f64) -> Self {
        self.unfinished = Some(Unfinished::Interrupted);
        self.process = None;
        self.when = crate::store::unix_millis();
        (self.counts, self.seconds) = (counts, seconds);
        self
    }

    /// The same as it is known now: a run whose process is gone was killed.
    pub fn as_of_now(mut self) -> Self {
        if self
            .process
            .as_ref()
            .is_some_and(|process| process.is_gone(self.when))
        {
            self.unfinished = Some(Unfinished::Killed);
        }
        self
    }

    /// How it ended, as a word.
    pub fn ended(&self) -> &'static str {
        match self.unfinished {
            Some(Unfinished::Running) => "running",
            Some(Unfinished::Interrupted) => "interrupted",
            Some(Unfinished::Killed) => "killed",
            None if self.ok => "ok",
            None => "failed",
        }
    }

    /// Reads a `run.json` or a record of the store.
    ///
    /// # Errors
    /// [`Fault::User`] when it is not a record, or of a format that this farcast does not know.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct RecordVersion {
            format: Option<u32>,
            farcast: Option<String>,
        }
        let wrong =
            |error: serde_json::Error| Fault::user(format!("not the record of a run: {error}"));
        let head: RecordVersion = serde_json::from_slice(bytes).map_err(wrong)?;
        let by = head.farcast.unwrap_or_else(|| "another program".to_owned());
        match head.format {
            Some(FORMAT) => serde_json::from_slice(bytes).map_err(wrong),
            Some(format) if format > FORMAT => Err(Fault::user(format!(
                "written by a newer farcast, `{by}`: expected format {FORMAT}, found {format}"
            ))),
            _ => Err(Fault::user(format!(
                "written by farcast `{by}`, whose records are incomplete: expected format {FORMAT}"
            ))
            .with_hint("run the experiment again")),
        }
    }

    /// The name of these bytes of a record in the store: the time, and the start of their digest.
    pub fn name(&self, bytes: &[u8]) -> String {
        let time = self.time().replace([':', '-'], "").replace(' ', "-");
        let digest = Digest::of(bytes).short();
        format!("{time}{:03}-{}", self.when % 1000, &digest[..6])
    }

    /// When it ended, as `2026-11-21 04:51:11` in UTC.
    pub fn time(&self) -> String {
        time(self.when / 1000)
    }

    /// The path of the experiment's own text.
    pub fn file(&self) -> &str {
        self.texts.first().map_or("", |text| &text.path)
    }
}

/// The date and time of day now, in UTC.
pub fn now_text() -> String {
    time(crate::store::unix_millis() / 1000)
}

/// Date and time of day in UTC (days to civil date after Howard Hinnant).
pub(crate) fn time(seconds: u64) -> String {
    let (days, rest) = ((seconds / 86400).min(1 << 30), seconds % 86400);
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `date -u -d @…`.
    #[test]
    fn times_are_utc() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(time(1_795_236_671), "2026-11-21 04:51:11");
        assert_eq!(time(4_107_542_399), "2100-02-28 23:59:59");
    }

    #[test]
    fn other_files_are_refused() {
        let refusal = |text: &str| RunRecord::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(refusal("{").starts_with("not the record of a run: "));
        assert_eq!(
            refusal(r#"{"format": 7, "farcast": "9.0.0"}"#),
            "written by a newer farcast, `9.0.0`: expected format 1, found 7"
        );
        assert_eq!(
            refusal(r#"{"farcast": "0.0.9"}"#),
            "written by farcast `0.0.9`, whose records are incomplete: expected format 1"
        );
        assert!(refusal(r#"{"format": 1}"#).contains("missing field"));
    }
}
