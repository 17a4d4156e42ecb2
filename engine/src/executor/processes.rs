//! Orders carried out by worker processes of the same program over the same store.
//!
//! A worker that crashes or is killed takes only its order with it: the order is tried once more
//! in a new worker, then it fails, and the run goes on. Workers end with the run; when the run
//! itself is killed, their standard input closes, which ends them too.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::carry::failure;
use super::wire::{Report, Request, line};
use super::{Answer, Backend, Conclusion, Event, Executor, Place};
use crate::digest::Digest;
use crate::error::Fault;
use crate::graph::ActionId;
use crate::observer::{Blame, Failure};
use crate::order::Order;

/// How long to wait for workers before the run looks whether it is to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// Worker processes, each started with the same command.
#[derive(Clone, Debug)]
pub struct Processes {
    /// The program.
    pub program: PathBuf,
    /// Its arguments: those of a [`Worker`](super::Worker) over the store of the run.
    pub arguments: Vec<OsString>,
    /// How many actions run at a time, each in a worker.
    pub jobs: usize,
}

impl Backend for Processes {
    fn open(&self, place: Place<'_>, body: &mut dyn FnMut(&mut dyn Executor)) {
        let (sender, events) = channel();
        body(&mut Crew {
            command: self,
            place,
            workers: Vec::new(),
            unstarted: VecDeque::new(),
            is_aborted: false,
            serial: 0,
            events,
            sender,
        });
    }
}

/// The workers of a run; those that are idle keep what they have in memory.
struct Crew<'a> {
    command: &'a Processes,
    place: Place<'a>,
    workers: Vec<WorkerProcess>,
    /// Orders for which no worker could be started, with their answers.
    unstarted: VecDeque<(ActionId, Answer)>,
    is_aborted: bool,
    /// Tells workers apart; rises with each.
    serial: u64,
    events: Receiver<(u64, Said)>,
    sender: Sender<(u64, Said)>,
}

/// A process and the order it carries out.
struct WorkerProcess {
    serial: u64,
    child: Child,
    input: ChildStdin,
    job: Option<Assignment>,
}

struct Assignment {
    id: ActionId,
    order: Box<Order>,
    attempt: Turn,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Second,
}

/// What comes from a worker.
enum Said {
    Report(Report),
    /// A line on standard error, or on standard output that is not a report.
    Words(String),
    /// Standard output closed: the process has ended or will not answer any more.
    Closed,
}

impl Executor for Crew<'_> {
    fn has_room(&self) -> bool {
        self.running() < self.command.jobs.max(1)
    }

    fn start(&mut self, id: ActionId, order: Order) {
        // Workers see only what is in the store on disk.
        if let Err(fault) = self.place.store.bring(&order.reads()) {
            let conclusion = match fault {
                Fault::Damaged(what) => Conclusion::Damaged(what),
                fault => Conclusion::Failed(failure(fault)),
            };
            let answer = Answer::without_result(conclusion);
            self.unstarted.push_back((id, answer));
            return;
        }
        self.assign(Assignment {
            id,
            order: Box::new(order),
            attempt: Turn::First,
        });
    }

    fn wait(&mut self) -> Event {
        loop {
            if let Some((id, answer)) = self.unstarted.pop_front() {
                return Event::Ended(id, answer);
            }
            if self.running() == 0 {
                self.read_records();
                return Event::Idle;
            }
            match self.events.recv_timeout(PATIENCE) {
                Ok((serial, said)) => {
                    if let Some((id, answer)) = self.hear(serial, said) {
                        return Event::Ended(id, answer);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Event::StillRunning,
                // The crew holds a sender itself.
                Err(RecvTimeoutError::Disconnected) => return Event::Idle,
            }
        }
    }

    fn abort(&mut self) {
        self.is_aborted = true;
        for worker in &mut self.workers {
            let _ = worker.send(&Request::Stop);
        }
    }

    fn release(&mut self, key: &Digest) {
        for worker in &mut self.workers {
            let _ = worker.send(&Request::Release(*key));
        }
    }
}

impl Crew<'_> {
    fn running(&self) -> usize {
        let busy = self.workers.iter().filter(|worker| worker.job.is_some());
        busy.count() + self.unstarted.len()
    }

    /// Takes in what the workers have recorded.
    fn read_records(&self) {
        if self.serial > 0
            && let Err(fault) = self.place.store.refresh()
        {
            self.place.observer.remark(&fault.to_string());
        }
    }

    /// Gives a job to an idle worker that can be reached, or to a new one.
    fn assign(&mut self, job: Assignment) {
        let request = Request::Carry(job.order.clone());
        while let Some(at) = self.workers.iter().position(|worker| worker.job.is_none()) {
            if self.workers[at].send(&request).is_ok() {
                self.workers[at].job = Some(job);
                return;
            }
            self.workers.remove(at).end();
        }
        match self.spawn() {
            Ok(mut worker) => {
                // A worker that ends before it reads its order closes its output: see `hear`.
                let _ = worker.send(&request);
                worker.job = Some(job);
                self.workers.push(worker);
            }
            Err(error) => {
                let program = self.command.program.display();
                let failure = Failure {
                    blame: Blame::Environment,
                    param: None,
                    message: format!("cannot start a worker, `{program}`: {error}"),
                    hint: Some("`--executor threads` needs no workers".to_owned()),
                };
                let answer = Answer::without_result(Conclusion::Failed(failure));
                self.unstarted.push_back((job.id, answer));
            }
        }
    }

    fn spawn(&mut self) -> std::io::Result<WorkerProcess> {
        let mut command = Command::new(&self.command.program);
        command
            .args(&self.command.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        leave_ctrl_c_to_the_run(&mut command);
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(std::io::Error::other("no pipes"));
        };
        self.serial += 1;
        let serial = self.serial;
        let sender = self.sender.clone();
        thread::spawn(move || {
            hear_lines(output, |line| {
                let report = serde_json::from_str(&line).map_or(Said::Words(line), Said::Report);
                let _ = sender.send((serial, report));
            });
            let _ = sender.send((serial, Said::Closed));
        });
        let sender = self.sender.clone();
        thread::spawn(move || {
            hear_lines(errors, |line| {
                let _ = sender.send((serial, Said::Words(line)));
            });
        });
        Ok(WorkerProcess {
            serial,
            child,
            input,
            job: None,
        })
    }

    /// Takes in what a worker said; returns the answer when its order has ended.
    fn hear(&mut self, serial: u64, said: Said) -> Option<(ActionId, Answer)> {
        let mut workers = self.workers.iter();
        let at = workers.position(|worker| worker.serial == serial);
        match (said, at) {
            (Said::Words(words), _) => self.place.observer.remark(&words),
            (Said::Report(Report::Progress(progress)), Some(at)) => {
                if let Some(job) = &self.workers[at].job {
                    self.place.observer.progress(job.id, progress);
                }
            }
            (Said::Report(Report::Ended(answer)), Some(at)) => {
                return self.workers[at].job.take().map(|job| (job.id, answer));
            }
            (Said::Closed, Some(at)) => {
                let mut worker = self.workers.remove(at);
                let job = worker.job.take();
                let status = worker.end();
                return self.lost(job?, status);
            }
            (Said::Report(_) | Said::Closed, None) => {}
        }
        None
    }

    /// A worker ended without an answer: its order is tried once more.
    fn lost(&mut self, job: Assignment, status: Option<ExitStatus>) -> Option<(ActionId, Answer)> {
        let how = status.map_or("ended".to_owned(), ended_how);
        let title = &job.order.title;
        if self.is_aborted {
            return Some((job.id, Answer::without_result(Conclusion::Cancelled)));
        }
        if job.attempt == Turn::First {
            let words = format!("the worker process of `{title}` {how}: it is tried once more");
            self.place.observer.remark(&words);
            self.assign(Assignment {
                attempt: Turn::Second,
                ..job
            });
            return None;
        }
        let failure = failure_of(status, format!("the worker process {how}, twice"));
        Some((job.id, Answer::without_result(Conclusion::Failed(failure))))
    }
}

impl Drop for Crew<'_> {
    /// Idle workers write nothing, so they may end at any moment.
    fn drop(&mut self) {
        for worker in self.workers.drain(..) {
            worker.end();
        }
    }
}

impl WorkerProcess {
    fn send(&mut self, request: &Request) -> std::io::Result<()> {
        self.input.write_all(&line(request)?)?;
        self.input.flush()
    }

    /// Ends the process; returns how it ended.
    fn end(mut self) -> Option<ExitStatus> {
        drop(self.input);
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
        }
        self.child.wait().ok()
    }
}

/// Calls `take` for every line, until there are no more.
fn hear_lines(input: impl Read, mut take: impl FnMut(String)) {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    while let Ok(1..) = input.read_until(b'\n', &mut line) {
        take(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        line.clear();
    }
}

/// Ctrl-C reaches the run alone, which then stops its workers.
fn leave_ctrl_c_to_the_run(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// `was killed by signal 9`, `exited with 101`.
fn ended_how(status: ExitStatus) -> String {
    match (signal(status), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(code)) => format!("exited with {code}"),
        (None, None) => "ended".to_owned(),
    }
}

fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    return None.filter(|_: &i32| status.success());
}

/// Whose fault it is: whoever kills or terminates a worker from outside is not part of farcast,
/// anything else is a bug of it.
fn failure_of(status: Option<ExitStatus>, message: String) -> Failure {
    let is_from_outside = matches!(status.and_then(signal), Some(1 | 2 | 9 | 15));
    match is_from_outside {
        true => Failure {
            blame: Blame::Environment,
            param: None,
            message,
            hint: Some(
                "the system kills processes when memory runs out: fewer `--jobs` need less"
                    .to_owned(),
            ),
        },
        false => Failure {
            blame: Blame::Bug,
            param: None,
            message: format!("{message} (a bug in farcast: please report it)"),
            hint: None,
        },
    }
}
