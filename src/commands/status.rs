//! `farcast status`: how far runs on a queue are, from the store and one question to the queue.

use std::collections::{BTreeMap, BTreeSet};

use dsl::render::printable;
use engine::cluster::{Campaign, Job, JobState, Kind, Part, Slurm, WorkOrder, graph_digest};
use engine::digest::Digest;
use engine::error::Fault;
use engine::names::Names;
use engine::observer::Failure;
use engine::store::{Access, DirStore, Records, Store};
use serde_json::{Value, json};

use super::submit::{find, queue_of, reopened};
use crate::args::Status;
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::session::abort;
use crate::settings::Settings;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

/// How many failures are listed.
const FAILURES_SHOWN: usize = 8;

pub fn run(args: &Status, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.json,
        ..*terminal
    };
    let Some(run) = &args.run else {
        return Ok(list(settings, terminal));
    };
    let campaign = find(run, settings, terminal)?;
    let jobs = answered(queue_of(&campaign).jobs(&campaign), terminal);
    let standing = Standing::of(&campaign, jobs.as_deref(), terminal)?;
    match args.json {
        true => terminal.answer(standing.json(&campaign)),
        false => standing.say(&campaign, terminal),
    }
    Ok(Exit::Fine)
}

/// What a queue says; none, with a note, when it does not answer.
fn answered<T>(said: Result<T, Fault>, terminal: &Terminal) -> Option<T> {
    match said {
        Ok(said) => Some(said),
        Err(fault) => {
            terminal.note(format!(
                "the queue does not answer, this is what the store knows: {fault}"
            ));
            None
        }
    }
}

/// All runs on queues, from their folders alone.
fn list(settings: &Settings, terminal: &Terminal) -> Exit {
    let store = settings.store(std::path::Path::new("."));
    let all = Campaign::all(&store.canonicalize().unwrap_or(store));
    let mut rows = vec![
        ["run", "experiment", "state", "chunks"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut answers = Vec::new();
    let is_asked = |it: &Campaign| it.about.site.kind == Kind::Slurm && it.verdict().is_none();
    // One question for all of them.
    let seen = { all.iter().any(is_asked) }.then(|| answered(Slurm.seen(), terminal));
    for campaign in &all {
        let number = campaign.last();
        let chunks = campaign.order(number).map_or(0, |order| order.chunks());
        let ended = campaign.ended(number).len();
        let jobs = match campaign.verdict() {
            Some(_) => Some(Vec::new()),
            None => match campaign.about.site.kind {
                Kind::Slurm => { seen.iter().flatten().next() }.map(|seen| seen.jobs(campaign)),
                Kind::Command => answered(queue_of(campaign).jobs(campaign), terminal),
            },
        };
        let state = state(campaign, jobs.as_deref());
        answers.push(json!({
            "run": campaign.name(), "experiment": campaign.about.experiment, "state": state,
            "order": number, "chunks": chunks, "ended": ended,
        }));
        rows.push(vec![
            campaign.name(),
            title(campaign),
            state.to_owned(),
            format!("{ended} of {chunks} ended, order {number}"),
        ]);
    }
    match () {
        () if terminal.json => terminal.answer(json!({ "runs": answers })),
        () if all.is_empty() => {
            terminal.say("no runs on a queue: `farcast run FILE --on slurm` begins one")
        }
        () => terminal.out(aligned_within(&rows, terminal.width())),
    }
    Exit::Fine
}

/// The title of its experiment, or else the file.
fn title(campaign: &Campaign) -> String {
    let about = &campaign.about;
    let title = match about.experiment.is_empty() {
        true => &about.file,
        false => &about.experiment,
    };
    printable(title).to_string()
}

/// What a run is doing, as a word.
fn state(campaign: &Campaign, jobs: Option<&[Job]>) -> &'static str {
    let ended = campaign.ended(campaign.last());
    let has = |state: JobState| {
        let mut jobs = jobs.into_iter().flatten().filter(|job| job.state == state);
        jobs.any(|job| match job.part {
            Part::Chunks(ref chunks) if state == JobState::Running => {
                job.order != campaign.last() || chunks.iter().any(|it| !ended.contains(it))
            }
            _ => true,
        })
    };
    match campaign.verdict() {
        Some(verdict) if verdict.ok => "finished",
        Some(_) => "failed",
        None if campaign.is_cancelled() => "cancelled",
        None if jobs.is_none() => "unknown",
        None if has(JobState::Running) => "running",
        None if has(JobState::Pending) => "waiting",
        None if campaign.is_being_submitted(campaign.last()) => "waiting",
        None if is_ready(campaign, &ended) => "ready",
        None => "interrupted",
    }
}

/// Whether all chunks have ended of a run in which no job submits what follows.
fn is_ready(campaign: &Campaign, ended: &BTreeSet<usize>) -> bool {
    let site = &campaign.about.site;
    let order = campaign.order(campaign.last());
    let is_over = order.is_ok_and(|order| order.numbers().all(|chunk| ended.contains(&chunk)));
    site.kind == Kind::Slurm && !site.coordinator && is_over
}

/// How far a run is.
struct Standing {
    state: &'static str,
    /// All actions of the present round, those with results, and those that failed.
    total: usize,
    done: usize,
    failures: Vec<(String, String, Option<String>)>,
    order: Option<WorkOrder>,
    arrays: Vec<ArrayLine>,
    /// The last words of a job that was lost, with their file.
    last_words: Option<(String, String)>,
    /// Whether Slurm holds jobs of it whose start failed.
    is_held: bool,
}

/// How far an array is.
#[derive(Default)]
struct ArrayLine {
    class: String,
    chunks: usize,
    ended: usize,
    running: usize,
    waiting: usize,
    lost: usize,
    words: String,
}

impl Standing {
    fn of(campaign: &Campaign, jobs: Option<&[Job]>, terminal: &Terminal) -> Result<Self, Abort> {
        let order = campaign.order(campaign.last()).ok();
        let state = state(campaign, jobs);
        let mut failed = failures(campaign);
        let keys = order.as_ref().and_then(|order| campaign.keys(&order.graph));
        let (mut total, mut done, mut failures) = (0, 0, Vec::new());
        if let Some(keys) = keys {
            let store = DirStore::open(campaign.store(), Access::Read);
            let store = store.map_err(|fault| report_fault(&fault, terminal))?;
            (total, done) = (keys.len(), count_done(store.records(), &keys));
            let lost: Vec<Digest> = failed.keys().copied().collect();
            let found = store.records().find_many(&lost);
            for (key, found) in lost.iter().zip(found) {
                if found.is_some() {
                    failed.remove(key);
                }
            }
        }
        // Only the text knows the names of what failed.
        if let Some(order) = order.as_ref().filter(|_| !failed.is_empty()) {
            let (mut study, store) = reopened(campaign, terminal)?;
            let graph = study.actions_given(order.choices(), order.contents(), &store);
            let graph = graph.map_err(|error| abort(&error, terminal))?;
            if order.graph != graph_digest(&graph) {
                terminal.note("data or plugins have changed since the run was submitted");
            }
            let names = Names::of(&study.experiment, &graph);
            failures.extend(graph.actions.iter().filter_map(|action| {
                let (failure, log) = failed.remove(&action.key.digest)?;
                let failure = names.put_in_failure(&failure);
                Some((action.title(&study.experiment), failure.message, log))
            }));
        }
        let lost = order.as_ref().filter(|_| state == "interrupted");
        Ok(Self {
            state,
            last_words: lost.and_then(|order| last_words(campaign, order)),
            is_held: jobs.into_iter().flatten().any(Job::is_held),
            total,
            done,
            failures,
            arrays: order
                .iter()
                .flat_map(|it| arrays(campaign, it, jobs))
                .collect(),
            order,
        })
    }

    fn say(&self, campaign: &Campaign, terminal: &Terminal) {
        let name = campaign.name();
        let number = self.order.as_ref().map_or(0, |order| order.number);
        let failed = match self.failures.len() {
            0 => String::new(),
            count => format!(", {count} failed"),
        };
        let facts = [
            ("run", name.clone()),
            ("experiment", title(campaign)),
            ("state", self.state.to_owned()),
            (
                "actions",
                format!("{} of {} done{failed}", self.done, self.total),
            ),
            ("order", number.to_string()),
            (
                "logs",
                campaign
                    .order_folder(number)
                    .join("log")
                    .display()
                    .to_string(),
            ),
        ];
        let facts = facts.map(|(name, value)| vec![name.to_owned(), value]);
        terminal.out(aligned_within(&facts, terminal.width()));
        if !self.arrays.is_empty() && self.state != "finished" {
            let head = [
                "array", "for", "chunks", "ended", "running", "waiting", "lost", "queue",
            ];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            rows.extend(self.arrays.iter().enumerate().map(|(at, it)| {
                let counts = [it.chunks, it.ended, it.running, it.waiting, it.lost];
                let class = if it.class.is_empty() {
                    "all"
                } else {
                    &it.class
                };
                let mut row = vec![at.to_string(), class.to_owned()];
                row.extend(counts.map(|count| count.to_string()));
                row.push(it.words.clone());
                row
            }));
            terminal.out(format!("\n{}", aligned_within(&rows, terminal.width())));
        }
        for (title, message, log) in self.failures.iter().take(FAILURES_SHOWN) {
            terminal.out(format!(
                "\n{} failed: {}\n",
                printable(title),
                printable(message)
            ));
            if let Some(log) = log {
                terminal.out(format!("  {log}\n"));
            }
        }
        if self.failures.len() > FAILURES_SHOWN {
            let more = self.failures.len() - FAILURES_SHOWN;
            terminal.out(format!("… and {more} more\n"));
        }
        if let Some((words, log)) = &self.last_words {
            terminal.out(format!(
                "\na lost job said: {}\n  {log}\n",
                printable(words)
            ));
        }
        if self.is_held {
            terminal.say(format!(
                "Slurm holds jobs whose start failed: `farcast attach {name}`, or the same \
                 `farcast run`, releases them"
            ));
        }
        match self.state {
            "interrupted" => {
                let lost: usize = self.arrays.iter().map(|it| it.lost).sum();
                let what = match lost {
                    0 => "its chunks have ended, and no job goes on with it".to_owned(),
                    1 => "1 chunk has not ended, and no job is left for it".to_owned(),
                    _ => format!("{lost} chunks have not ended, and no jobs are left for them"),
                };
                terminal.say(format!(
                    "{what}: `farcast attach {name}`, or the same `farcast run`, submits what is \
                     missing"
                ));
            }
            "ready" => terminal.say(format!(
                "its jobs have ended: `farcast attach {name}`, or the same `farcast run`, submits \
                 what follows or writes the results"
            )),
            _ => {}
        }
    }

    fn json(&self, campaign: &Campaign) -> Value {
        let arrays = self.arrays.iter().map(|it| {
            json!({
                "for": it.class, "chunks": it.chunks, "ended": it.ended, "running": it.running,
                "waiting": it.waiting, "lost": it.lost, "queue": it.words,
            })
        });
        let failures = self.failures.iter().map(
            |(title, message, log)| json!({ "action": title, "message": message, "log": log }),
        );
        json!({
            "run": campaign.name(), "experiment": campaign.about.experiment, "state": self.state,
            "actions": {"total": self.total, "done": self.done, "failed": self.failures.len()},
            "order": self.order.as_ref().map_or(0, |order| order.number),
            "arrays": arrays.collect::<Vec<_>>(),
            "failures": failures.collect::<Vec<_>>(),
            "folder": campaign.folder.display().to_string(),
        })
    }
}

/// The last line that a chunk's job wrote which never said how it ended, and where it did.
fn last_words(campaign: &Campaign, order: &WorkOrder) -> Option<(String, String)> {
    let ended = campaign.ended(order.number);
    let mut lost = order.numbers().filter(|chunk| !ended.contains(chunk));
    lost.find_map(|chunk| {
        let log = campaign.log(order, chunk)?;
        let text = std::fs::read(&log).ok()?;
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().rfind(|line| !line.trim().is_empty())?;
        Some((line.to_owned(), log.display().to_string()))
    })
}

/// How many of these keys have results.
fn count_done(records: &dyn Records, keys: &[Digest]) -> usize {
    let found = records.find_many(keys);
    found.iter().filter(|found| found.is_some()).count()
}

/// What has failed in the latest attempt, and the log that says more.
fn failures(campaign: &Campaign) -> BTreeMap<Digest, (Failure, Option<String>)> {
    let mut failed = BTreeMap::new();
    for number in campaign.since()..=campaign.last() {
        let Ok(order) = campaign.order(number) else {
            continue;
        };
        for chunk in campaign.failed(number) {
            let report = campaign.failure(number, chunk);
            for (key, failure) in report.into_iter().flat_map(|it| it.failed) {
                let log = campaign.log(&order, chunk);
                let log = log.filter(|_| campaign.about.site.kind == Kind::Slurm);
                failed.insert(key, (failure, log.map(|it| it.display().to_string())));
            }
        }
    }
    let lost = campaign.verdict().into_iter().flat_map(|it| it.lost);
    failed.extend(lost.map(|(key, failure)| (key, (failure, None))));
    failed
}

/// How far the arrays of an order are.
fn arrays(campaign: &Campaign, order: &WorkOrder, jobs: Option<&[Job]>) -> Vec<ArrayLine> {
    let ended = campaign.ended(order.number);
    let of_order = || {
        jobs.into_iter()
            .flatten()
            .filter(|job| job.order == order.number)
    };
    let chunks = |state: JobState| -> BTreeSet<usize> {
        let jobs = of_order().filter(|job| job.state == state);
        jobs.flat_map(|job| job.chunks()).copied().collect()
    };
    let (running, waiting) = (chunks(JobState::Running), chunks(JobState::Pending));
    let lines = order.arrays.iter().map(|array| {
        let mut line = ArrayLine {
            class: array.class.clone(),
            chunks: array.chunks.len(),
            ..ArrayLine::default()
        };
        for chunk in array.first..=array.last() {
            match () {
                () if waiting.contains(&chunk) => line.waiting += 1,
                () if ended.contains(&chunk) => line.ended += 1,
                () if running.contains(&chunk) => line.running += 1,
                () => line.lost += 1,
            }
        }
        let own = |job: &&Job| {
            job.chunks()
                .first()
                .is_some_and(|it| (array.first..=array.last()).contains(it))
        };
        let words: BTreeSet<String> = of_order()
            .filter(own)
            .filter(|job| job.is_live() || line.lost > 0)
            .map(|job| job.words.clone())
            .collect();
        line.words = words.into_iter().take(3).collect::<Vec<_>>().join(", ");
        line
    });
    lines.collect()
}
