//! `farcast run` and `farcast report`: whatever is missing runs, then the files are written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dsl::diagnostic::{Code, Diagnostic};
use dsl::sweep::{Best, Waiting};
use engine::graph::Graph;
use engine::observer::{Blame, Ending, Failure, Observer, Silent};
use engine::output::{Counts, Export, export, run_answer, run_json, write_file};
use engine::report::{ReportInput, render};
use engine::run::{Endings, OnFailure, Outcome, Settings, Work, run_after};
use engine::store::{Access, DirStore};
use engine::sweep::failed_points;
use engine::table::{ScoreLine, pages, score_files, score_lines};

use super::Exit;
use crate::args::{Report, Run};
use crate::progress::{Bars, Lines};
use crate::scores;
use crate::session::{Session, Stop, open_store, say_all};
use crate::terminal::Terminal;

pub fn run(args: &Run, terminal: &Terminal) -> Result<Exit, Stop> {
    let started = Instant::now();
    let mut session = Session::open(&args.subject, terminal)?;
    let store = open_store(
        &args.subject.file,
        args.subject.store.as_deref(),
        Access::Write,
        terminal,
    )?;
    let (graph, outcome) = execute(args, &mut session, &store, terminal)?;
    let finished = Finished {
        args,
        session: &session,
        graph: &graph,
        outcome: &outcome,
        lines: score_lines(&session.experiment, &graph, &outcome),
        seconds: started.elapsed().as_secs_f64(),
        out: args.out.clone().unwrap_or_else(|| default_out(args)),
    };
    let written = finished.write(&store);
    if let Err(fault) = &written {
        terminal.error(fault.to_string());
    }
    Ok(finished.say(written.is_ok(), terminal))
}

/// The report again: a run that writes only `report.html`'s folder and shows no table.
pub fn report(args: Report, terminal: &Terminal) -> Result<Exit, Stop> {
    let args = Run {
        subject: args.subject,
        out: args.out,
        jobs: None,
        keep_going: false,
        json: false,
        quiet: false,
        tables: false,
        weights: false,
    };
    run(&args, terminal)
}

fn default_out(args: &Run) -> PathBuf {
    PathBuf::from("out").join(args.subject.file.file_stem().unwrap_or_default())
}

/// Runs the graph; as long as that tells a sweep something new, the next round, too.
fn execute(
    args: &Run,
    session: &mut Session,
    store: &DirStore,
    terminal: &Terminal,
) -> Result<(Graph, Outcome), Stop> {
    let observer: Box<dyn Observer> = match () {
        () if args.quiet => Box::new(Silent),
        () if terminal.watched => Box::new(Bars::new()),
        () => Box::new(Lines::new(*terminal)),
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let settings = Settings {
        jobs: args.jobs.map_or_else(cores, usize::from),
        on_failure: if args.keep_going {
            OnFailure::KeepGoing
        } else {
            OnFailure::Stop
        },
        stop: stop_on_interrupt(*terminal),
        host: hostname(),
    };
    let mut graph = session.graph(store, terminal)?;
    let mut earlier = Endings::new();
    loop {
        let work = Work {
            graph: &graph,
            experiment: &session.experiment,
            registry: &session.registry,
            store,
            observer: &*observer,
        };
        let outcome = run_after(work, &settings, &earlier);
        let has_failed = Counts::of(&outcome).failed > 0;
        if outcome.stopped || (has_failed && !args.keep_going) {
            return Ok((graph, outcome));
        }
        let Some(next) = session.next_round(&graph, &outcome, store, terminal)? else {
            return Ok((graph, outcome));
        };
        earlier.extend(outcome.by_key(&graph));
        graph = next;
    }
}

/// A flag that the first Ctrl-C raises; the second ends the process, which loses nothing
/// that was recorded.
fn stop_on_interrupt(terminal: Terminal) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without a handler Ctrl-C kills the process, which is safe too: hence no error.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
        terminal.say("stopping: running actions end, what is finished is kept");
    });
    stop
}

fn hostname() -> String {
    std::fs::read_to_string("/etc/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// A run that has come to its end.
struct Finished<'a> {
    args: &'a Run,
    session: &'a Session,
    graph: &'a Graph,
    outcome: &'a Outcome,
    lines: Vec<ScoreLine>,
    seconds: f64,
    out: PathBuf,
}

impl Finished<'_> {
    fn write(&self, store: &DirStore) -> Result<(), engine::error::Fault> {
        let Self {
            session,
            graph,
            outcome,
            ..
        } = self;
        let experiment = &session.experiment;
        let facts = self.facts();
        let run = run_json(
            experiment,
            graph,
            &session.registry,
            outcome,
            &facts,
            self.seconds,
        )?;
        write_file(&self.out.join("run.json"), &run)?;
        if self.has_nothing_to_show() {
            return Ok(());
        }
        let (parquet, csv) = score_files(&self.lines)?;
        write_file(&self.out.join("scores.parquet"), &parquet)?;
        write_file(&self.out.join("scores.csv"), &csv)?;
        let sources: Vec<(String, String)> = session
            .sources
            .iter()
            .map(|(_, source)| (source.path.clone(), source.text.clone()))
            .collect();
        let html = render(&ReportInput {
            title: &experiment.title,
            sources: &sources,
            experiment,
            pages: &pages(experiment, graph, outcome),
            scores: &self.lines,
            notes: &self.notes(),
            command: &self.command(),
            facts: &facts,
        })?;
        write_file(&self.out.join("report.html"), html.as_bytes())?;
        let wanted = [
            (self.args.tables, Export::Tables),
            (self.args.weights, Export::Weights),
        ];
        for (_, what) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
            export(what, experiment, graph, &session.registry, store, &self.out)?;
        }
        Ok(())
    }

    /// Whether results of an earlier run are better left alone than replaced by none.
    fn has_nothing_to_show(&self) -> bool {
        self.outcome.stopped || (self.lines.is_empty() && self.counts().failed > 0)
    }

    fn counts(&self) -> Counts {
        Counts::of(self.outcome)
    }

    fn facts(&self) -> Vec<(String, String)> {
        let counts = self.counts();
        let mut facts = vec![
            ("farcast".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("host".to_owned(), hostname()),
            (
                "actions".to_owned(),
                format!(
                    "{} ran, {} cached, {} failed",
                    counts.ran, counts.cached, counts.failed
                ),
            ),
            ("seconds".to_owned(), format!("{:.1}", self.seconds)),
        ];
        facts.extend(
            self.session
                .experiment
                .params
                .iter()
                .map(|(name, value)| (format!("param {name}"), value.clone())),
        );
        facts
    }

    /// Statement and note, each note once with the number of members it is about.
    fn notes(&self) -> Vec<(String, String)> {
        let mut notes: Vec<(String, String)> = Vec::new();
        let experiment = &self.session.experiment;
        let diverged = self
            .outcome
            .endings
            .iter()
            .enumerate()
            .filter_map(|(index, ending)| match ending {
                Ending::Diverged { why, .. } => Some((engine::graph::ActionId(index), why.clone())),
                _ => None,
            });
        for (action, note) in diverged.chain(self.outcome.notes.iter().cloned()) {
            let name = &experiment.nodes[self.graph.actions[action.0].node.0].name;
            let line = (name.clone(), self.graph.with_names(&note));
            if !notes.contains(&line) {
                notes.push(line);
            }
        }
        notes
    }

    fn command(&self) -> String {
        let settings: String = self
            .args
            .subject
            .settings
            .iter()
            .map(|(name, value)| format!(" --set {}", quoted(&format!("{name}={value}"))))
            .collect();
        format!(
            "farcast run {}{settings}",
            quoted(&self.args.subject.file.to_string_lossy())
        )
    }

    fn say(&self, is_written: bool, terminal: &Terminal) -> Exit {
        let counts = self.counts();
        let failures: Vec<(usize, &Failure)> = self
            .outcome
            .endings
            .iter()
            .enumerate()
            .filter_map(|(index, ending)| match ending {
                Ending::Failed(failure) => Some((index, failure)),
                _ => None,
            })
            .collect();
        self.say_failures(&failures, terminal);
        self.say_sweeps(terminal);
        if !self.args.quiet {
            for (statement, note) in self.notes() {
                terminal.note(format!("{statement}: {note}"));
            }
        }
        let is_ok = is_written && failures.is_empty() && counts.failed == 0;
        if self.args.json {
            let experiment = &self.session.experiment;
            let answer = run_answer(
                experiment,
                is_ok,
                self.seconds,
                counts,
                &self.lines,
                &self.out,
            );
            terminal.out(format!("{answer}\n"));
        } else {
            if !self.lines.is_empty() {
                terminal.out(scores::table(&self.lines));
            }
            if self.outcome.stopped {
                terminal.say("stopped: the next run goes on from here");
            }
            if !self.args.quiet {
                terminal.say(self.summary(failures.len()));
            }
        }
        match () {
            () if failures
                .iter()
                .any(|(_, failure)| failure.blame == Blame::Bug) =>
            {
                Exit::Bug
            }
            () if is_ok => Exit::Fine,
            () => Exit::Failed,
        }
    }

    /// The points that failed, each with its reason, and what waits for a choice in vain.
    fn say_sweeps(&self, terminal: &Terminal) {
        let experiment = &self.session.experiment;
        let failed = failed_points(experiment, self.graph, self.outcome);
        for sweep in &experiment.sweeps {
            let of_sweep = failed.iter().filter(|failed| failed.sweep == sweep.name);
            let of_sweep: Vec<_> = of_sweep.collect();
            if let Some(first) = of_sweep.first() {
                let (count, all) = (of_sweep.len(), sweep.trials.len());
                let points = if all == 1 { "point" } else { "points" };
                let name = first.sweep;
                terminal.say(format!("sweep `{name}`: {count} of {all} {points} failed"));
                for failed in of_sweep {
                    terminal.say(format!("  {}  {}", failed.point, failed.why));
                }
                terminal.say("  the next run tries them again");
            }
            if sweep.best == Best::Nothing {
                terminal.error(format!("no point of sweep `{}` has a score", sweep.name));
            }
        }
        if !self.args.quiet {
            for waiting in &experiment.waiting {
                terminal.note(waits(waiting));
            }
        }
    }

    /// What was done, in one line.
    fn summary(&self, failures: usize) -> String {
        let counts = self.counts();
        let mut parts = vec![
            format!("{} ran", counts.ran),
            format!("{} cached", counts.cached),
        ];
        if failures > 0 {
            parts.push(format!("{failures} failed"));
        }
        if counts.failed > failures {
            parts.push(format!("{} not run", counts.failed - failures));
        }
        let done = format!("{} in {:.1} s", parts.join(", "), self.seconds);
        if self.has_nothing_to_show() {
            return done;
        }
        format!("{done}; report: {}", self.out.join("report.html").display())
    }

    /// Every failure at its place in the text; equal ones of several members once.
    fn say_failures(&self, failures: &[(usize, &Failure)], terminal: &Terminal) {
        let mut said = Vec::new();
        for (index, failure) in failures {
            let action = &self.graph.actions[*index];
            let node = &self.session.experiment.nodes[action.node.0];
            let argument = failure
                .param
                .as_ref()
                .and_then(|param| node.args.get(param));
            let span = argument.map_or(node.span, |argument| argument.span);
            let message = self.graph.with_names(&failure.message);
            let mut diagnostic = Diagnostic::error(Code::ActionFailed, span, message);
            diagnostic.hints.extend(failure.hint.clone());
            if !said.contains(&diagnostic) {
                said.push(diagnostic);
            }
        }
        say_all(&said, &self.session.sources, terminal);
    }
}

/// `final waits for sweep tuning`.
pub fn waits(waiting: &Waiting) -> String {
    let Waiting { statement, sweeps } = waiting;
    let noun = if sweeps.len() == 1 { "sweep" } else { "sweeps" };
    let sweeps: Vec<String> = sweeps.iter().map(|sweep| format!("`{sweep}`")).collect();
    format!("`{statement}` waits for {noun} {}", sweeps.join(", "))
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
