//! Threads and worker processes carry out the same orders to the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use engine::digest::Digest;
use engine::store::{Access, DirStore, RecordedOutcome, Store};

use crate::farcast::{Folder, shipped};

/// Every file below a folder with its content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(next) = queue.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                queue.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// A sweep that chooses, so that its run has rounds.
pub const SWEEP: &str = include_str!("rounds.farcast");

/// Parents that are recorded while they are trained.
pub const RECORDED: &str = "\
data all = synthetic(waves, rows: 300)
parent net = mlp(all, inputs: [x], target: y, hidden: [8], steps: 40, members: 3)
trajectory walk = record(net, every: 10 steps)
farcast ahead = lfd2(walk, observe: 0..=20, horizon: [30, 40])
child far = adopt(ahead, horizon: 40)
score error = forecast_error(ahead, truth: walk)
score gain = compare(net, far, on: all, metrics: [rmse])
";

pub type Outcomes = BTreeMap<Digest, (RecordedOutcome, Vec<String>)>;

/// What a run leaves that does not depend on when and where it took place.
#[derive(Debug, PartialEq)]
pub struct Left {
    outcomes: Outcomes,
    objects: BTreeMap<String, Vec<u8>>,
    out: BTreeMap<String, Vec<u8>>,
}

impl Left {
    pub fn by(folder: &Folder) -> Self {
        let store = DirStore::open(&folder.path(".farcast"), Access::Read).unwrap();
        let records = store.records().all().into_iter();
        let mut out = files(&folder.path("out/it"));
        out.retain(|name, _| name != "run.json" && name != "report.html");
        Self {
            outcomes: records
                .map(|record| (record.key, (record.outcome, record.notes)))
                .collect(),
            objects: files(&folder.path(".farcast/objects")),
            out,
        }
    }
}

fn left(text: &str, executor: &str) -> Left {
    let folder = Folder::with(text);
    let said = folder.farcast(&[
        "run",
        "it.farcast",
        "--quiet",
        "--tables",
        "--weights",
        "--jobs",
        "2",
        "--executor",
        executor,
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    Left::by(&folder)
}

#[test]
fn smoke_experiments_give_the_same_bytes_in_threads_and_in_processes() {
    for name in ["farcast", "know", "starter"] {
        let path = shipped(&format!("experiments/smoke/{name}.farcast"));
        let text = fs::read_to_string(path).unwrap();
        let (threads, processes) = (left(&text, "threads"), left(&text, "processes"));
        assert!(!threads.outcomes.is_empty() && !threads.out.is_empty());
        assert!(threads == processes, "{name} differs");
    }
}

#[test]
fn a_sweep_that_chooses_runs_its_rounds_in_processes() {
    assert!(left(SWEEP, "threads") == left(SWEEP, "processes"));
}

#[test]
fn a_parent_is_recorded_while_a_process_trains_it() {
    assert!(left(RECORDED, "threads") == left(RECORDED, "processes"));
}

#[cfg(unix)]
mod killed {
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

    /// One action that takes a while, and some after it.
    const SLOW: &str = "\
data all = synthetic(regime, rows: 2000)
parent net = mlp(all, inputs: [x], target: y, hidden: [32, 32], steps: 150000, members: 1)
data near = where(all, z < 1)
score skill = compare(net, on: near, metrics: [rmse])
";

    /// The worker process of a run, when it has one.
    fn worker(run: &Child) -> Option<u32> {
        let pid = run.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    fn kill(pid: u32) {
        let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Runs it; kills this many workers, each while it trains.
    fn run(folder: &Folder, kills: usize) -> (i32, String) {
        let arguments = [
            "run",
            "it.farcast",
            "--executor",
            "processes",
            "--jobs",
            "1",
            "--keep-going",
        ];
        let mut command = folder.command(&arguments);
        let run = command.stderr(Stdio::piped()).stdout(Stdio::null());
        let run = run.spawn().unwrap();
        let mut last = None;
        for _ in 0..kills {
            let until = Instant::now() + Duration::from_secs(60);
            let pid = loop {
                assert!(Instant::now() < until, "no worker was started");
                match worker(&run) {
                    Some(pid) if Some(pid) != last => break pid,
                    _ => sleep(Duration::from_millis(5)),
                }
            };
            sleep(Duration::from_millis(400));
            kill(pid);
            last = Some(pid);
        }
        let ended = run.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.code().unwrap_or(-1), words)
    }

    #[test]
    fn a_worker_that_is_killed_is_replaced_and_the_run_is_fine() {
        if !Path::new("/proc/self/task").exists() {
            return;
        }
        let folder = Folder::with(SLOW);
        let (code, words) = run(&folder, 1);
        assert_eq!(code, 0, "{words}");
        let retried =
            "the worker process of `net[0]` was killed by signal 9: it is tried once more";
        assert!(words.contains(retried), "{words}");
        let undisturbed = Folder::with(SLOW);
        assert_eq!(run(&undisturbed, 0).0, 0);
        assert!(Left::by(&folder) == Left::by(&undisturbed));
    }

    #[test]
    fn an_action_whose_workers_are_killed_fails_alone_and_is_the_machines_fault() {
        if !Path::new("/proc/self/task").exists() {
            return;
        }
        let folder = Folder::with(&format!("{SLOW}report page = page(skill)\n"));
        let (code, words) = run(&folder, 2);
        assert_eq!(code, 1, "{words}");
        assert!(
            words.contains("the worker process was killed by signal 9, twice"),
            "{words}"
        );
        let store = DirStore::open(&folder.path(".farcast"), Access::Read).unwrap();
        let records = store.records().all();
        let mut plugins: Vec<String> = records
            .iter()
            .map(|record| record.plugin().to_owned())
            .collect();
        plugins.sort();
        assert_eq!(plugins, ["synthetic", "where"]);
    }

    #[test]
    fn workers_end_with_the_run_also_when_it_is_killed() {
        if !Path::new("/proc/self/task").exists() {
            return;
        }
        let folder = Folder::with(SLOW);
        let arguments = ["run", "it.farcast", "--executor", "processes", "--quiet"];
        let mut run = folder.command(&arguments).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let pid = loop {
            assert!(Instant::now() < until, "no worker was started");
            match worker(&run) {
                Some(pid) => break pid,
                None => sleep(Duration::from_millis(5)),
            }
        };
        run.kill().unwrap();
        run.wait().unwrap();
        let is_gone = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z"),
            Err(_) => true,
        };
        while !is_gone() {
            assert!(Instant::now() < until, "the worker is still there");
            sleep(Duration::from_millis(5));
        }
    }
}
