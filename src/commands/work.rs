//! `farcast work`: one chunk of a run on a queue of jobs, or what comes after all its chunks.
//!
//! With the folder of a store it is a worker process of a run here: orders come in on standard
//! input, reports go out on standard output, until standard input closes.

use std::io::{BufReader, stdin, stdout};
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use engine::cluster::{
    Attempt, Campaign, Chunk, ChunkReport, JobState, Occasion, Stay, WorkOrder, carry_chunk,
    graph_digest,
};
use engine::error::Fault;
use engine::executor::{Place, Worker};
use engine::store::{Access, DirStore, unix_millis};

use super::submit::{OnQueue, options_of, queue_of, reopened};
use crate::args::{RunOptions, Work};
use crate::exit::{Abort, Exit};
use crate::host::hostname;
use crate::interrupt::{ends_in_order, leave_last_words, stop_flag};
use crate::progress::Lines;
use crate::session::abort;
use crate::settings::Settings;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

/// How often a chunk looks whether its run was cancelled.
const GLANCE: Duration = Duration::from_secs(2);

/// How often the job after all chunks looks whether the last of them has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the files of another machine may take to be seen here.
const SEEN: Duration = Duration::from_secs(20);

/// How long it waits for a queue that does not answer.
const AWAY: Duration = Duration::from_secs(20 * 60);

pub fn run(args: &Work, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    match args.chunk.as_deref() {
        None => serve(&args.order, terminal),
        Some("next") => next(&args.order, terminal),
        Some(text) => {
            let (campaign, order) = order(&args.order, terminal)?;
            let number = text
                .parse()
                .ok()
                .filter(|number| order.chunk(*number).is_some());
            let Some(number) = number else {
                let chunks = order.chunks();
                terminal.error(format!(
                    "there is no chunk `{text}`: expected a number from 1 to {chunks}, or `next`"
                ));
                return Err(Abort::Usage);
            };
            chunk(&campaign, &order, number, settings.jobs(), terminal)
        }
    }
}

fn serve(folder: &Path, terminal: &Terminal) -> Result<Exit, Abort> {
    if folder.is_file() {
        terminal.error("which chunk of the order? expected its number, or `next`");
        return Err(Abort::Usage);
    }
    let store = DirStore::open(folder, Access::Write).map_err(|fault| {
        terminal.error(fault.to_string());
        Abort::Failed
    })?;
    let worker = Worker {
        registry: &plugins::registry(),
        store: &store,
        host: &hostname(),
    };
    // What an order has not recorded yet is never found, so it may end in the middle of one.
    worker.serve(BufReader::new(stdin()), stdout(), || {
        engine::foreign::end_all();
        exit(0)
    });
    Ok(Exit::Fine)
}

/// The run and the order at this path: on a file system that is shared, it may be seen here only a
/// while after it was written elsewhere.
fn order(path: &Path, terminal: &Terminal) -> Result<(Campaign, WorkOrder), Abort> {
    let started = Instant::now();
    loop {
        let fault = match Campaign::of_order(path) {
            Ok(found) => return Ok(found),
            Err(fault) => fault,
        };
        if started.elapsed() > SEEN || !path.ends_with("order.json") {
            return Err(report_fault(&fault, terminal));
        }
        sleep(Duration::from_millis(500));
    }
}

/// Carries out one chunk.
fn chunk(
    campaign: &Campaign,
    order: &WorkOrder,
    number: usize,
    jobs: usize,
    terminal: &Terminal,
) -> Result<Exit, Abort> {
    if campaign.is_cancelled() {
        terminal.error("the run was cancelled");
        return Err(Abort::Failed);
    }
    let fail = |fault: Fault| report_fault(&fault, terminal);
    let attempt = attempt();
    campaign
        .begin_chunk(order.number, number, &attempt)
        .map_err(fail)?;
    let started = Instant::now();
    let stop = stop_flag(*terminal);
    let last = (campaign.clone(), attempt.clone());
    let order_number = order.number;
    leave_last_words(move || {
        let report = report(&last.1, started, true);
        // Without it the chunk counts as killed.
        let _ = last.0.note_ended(order_number, number, &report);
    });
    watch(campaign.clone(), Arc::clone(&stop));
    let (mut study, store) = reopened(campaign, terminal)?;
    let graph = study.actions_given(order.choices(), order.contents(), &store);
    let graph = graph.map_err(|error| abort(&error, terminal))?;
    if graph_digest(&graph) != order.graph {
        return Err(fail(other_graph(campaign, order, &graph.files)));
    }
    let place = Place {
        registry: &study.registry,
        store: &store,
        observer: &Lines::new(*terminal),
        stop: &stop,
        host: &hostname(),
    };
    let chunk = Chunk {
        campaign,
        order,
        number,
        graph: &graph,
        experiment: &study.experiment,
    };
    let carried = carry_chunk(chunk, place, jobs);
    let is_stopped = stop.load(Ordering::Relaxed);
    ends_in_order();
    let is_fine = carried.failed.is_empty() && carried.skipped.is_empty();
    let report = ChunkReport {
        ran: carried.ran,
        failed: carried.failed,
        skipped: carried.skipped,
        ..report(&attempt, started, is_stopped)
    };
    campaign
        .note_ended(order.number, number, &report)
        .map_err(fail)?;
    terminal.say(format!(
        "chunk {number}: {} done, {} failed, {} not run in {:.1} s",
        report.ran,
        report.failed.len(),
        report.skipped.len(),
        report.seconds
    ));
    Ok(if is_fine { Exit::Fine } else { Exit::Failed })
}

fn report(attempt: &Attempt, started: Instant, stopped: bool) -> ChunkReport {
    ChunkReport {
        attempt: attempt.clone(),
        seconds: started.elapsed().as_secs_f64(),
        stopped,
        ran: 0,
        failed: Vec::new(),
        skipped: Vec::new(),
    }
}

/// This start of a chunk, as the queue tells it.
fn attempt() -> Attempt {
    let variable = |name: &str| std::env::var(name).ok();
    let job = match (
        variable("SLURM_ARRAY_JOB_ID"),
        variable("SLURM_ARRAY_TASK_ID"),
    ) {
        (Some(job), Some(task)) => Some(format!("{job}_{task}")),
        _ => variable("SLURM_JOB_ID"),
    };
    let restarts = variable("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok());
    Attempt {
        host: variable("SLURMD_NODENAME").unwrap_or_else(hostname),
        job: job.unwrap_or_default(),
        restarts: restarts.unwrap_or(0),
        when: unix_millis(),
    }
}

/// Raises the flag when the run is cancelled.
fn watch(campaign: Campaign, stop: Arc<AtomicBool>) {
    spawn(move || {
        while !campaign.is_cancelled() {
            sleep(GLANCE);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Why the texts mean other actions here than where they were submitted.
fn other_graph(
    campaign: &Campaign,
    order: &WorkOrder,
    files: &std::collections::BTreeMap<String, engine::digest::Digest>,
) -> Fault {
    let changed = order
        .files
        .iter()
        .find(|(path, digest)| files.get(*path) != Some(digest));
    let version = env!("CARGO_PKG_VERSION");
    let message = match changed {
        Some((path, _)) => {
            format!("the data file `{path}` has changed since the run was submitted")
        }
        None if campaign.about.farcast != version => format!(
            "submitted by farcast {}, this is {version}: its results may differ",
            campaign.about.farcast
        ),
        None => "the experiment means other actions here than where it was submitted: a plugin of \
                 another version"
            .to_owned(),
    };
    Fault::user(message).with_hint("the same `farcast run` submits what is missing now")
}

/// What comes after all chunks of an order.
fn next(path: &Path, terminal: &Terminal) -> Result<Exit, Abort> {
    let (campaign, order) = order(path, terminal)?;
    let queue = queue_of(&campaign);
    let started = Instant::now();
    loop {
        if campaign.last() != order.number || campaign.is_cancelled() {
            terminal.say("there is a later order, or the run was cancelled: nothing to do");
            return Ok(Exit::Fine);
        }
        let ended = campaign.ended(order.number);
        let is_going = match queue.jobs(&campaign) {
            Ok(jobs) => jobs.iter().any(|job| match job.state {
                JobState::Running => job.chunks().iter().any(|chunk| !ended.contains(chunk)),
                JobState::Pending => !job.chunks().is_empty(),
                JobState::Over => false,
            }),
            // While it is away, nobody knows; what follows would fail.
            Err(fault) if started.elapsed() > AWAY => return Err(report_fault(&fault, terminal)),
            Err(_) => true,
        };
        if !is_going {
            break;
        }
        sleep(PATIENCE);
    }
    let (mut study, store) = reopened(&campaign, terminal)?;
    let options = options_of(&campaign, RunOptions::default());
    let run = OnQueue {
        campaign,
        options: &options,
        occasion: Occasion::ToContinue,
        stay: Stay::Leave,
    };
    run.go(&mut study, &store, &store, terminal)
}
