//! `farcast run` and `farcast report`: whatever is missing runs, then the files are written.

use std::mem::forget;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use dsl::diagnostic::{Code, Diagnostic};
use dsl::experiment::{Experiment, Node};
use dsl::facts::place_of;
use dsl::sweep::Best;
use dsl::types::Kind;
use engine::choice::fronts;
use engine::error::Fault;
use engine::executor::{Backend, Processes, Threads};
use engine::graph::{ActionId, Graph};
use engine::losses::{failures, is_ok, lost_points};
use engine::names::Names;
use engine::observer::{Blame, Counts, Ending, Failure, Observer, Silent};
use engine::origin::note_exports;
use engine::out_folder::{
    ExportedFiles, begin_writing, exported_before, probe, remove_export, run_beginning,
};
use engine::output::{
    Export, RunDocument, WrittenAside, export, file_stems, longest_file_name, run_answer,
};
use engine::path_text::path_text;
use engine::record::{FinishedRun, RunRecord};
use engine::report::{ReportInput, render};
use engine::run::{Outcome, Settings as RunSettings};
use engine::scheduler::OnFailure;
use engine::store::{Access, DirStore, Store};
use engine::study::{self, Scope, Study};
use engine::table::{Labels, ScoreLine, pages, score_files, score_lines};

use crate::answer::answer;
use crate::args::{Executor, Report, Run, RunOptions};
use crate::exit::{Abort, Exit};
use crate::exports::{expect_weights, named_exports};
use crate::host::hostname;
use crate::interrupt::{ends_in_order, interrupted, stop_flag};
use crate::live::Live;
use crate::notes::{gathered, say_notes};
use crate::progress::{Bars, Lines};
use crate::remotes::listed;
use crate::scores;
use crate::sentences::{lost_text, quoted, waiting_texts};
use crate::session::{abort, forget_diverged, in_json, open_for, study_again};
use crate::settings::Settings;
use crate::stored_run::StoredRun;
use crate::terminal::Terminal;
use crate::trusted::demand_trust;
use crate::unfinished::Unfinished;

pub fn run(args: &Run, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.options.json,
        ..*terminal
    };
    let (mut study, store) = opened(args, settings, terminal)?;
    let options = RunOptions {
        live: args.live,
        ..args.options.clone()
    };
    let shared = listed(&store, settings, &options, terminal);
    let job = Job {
        options: &options,
        backend: backend(args.executor, settings, &store),
        out: default_out(settings, &args.experiment.file),
    };
    let finished = job.run(&mut study, &shared, Some(&store), terminal);
    ends_in_order();
    let mut finished = finished?;
    finished.keep(&store, terminal);
    let exit = finished.say(terminal);
    // The process ends here: giving back a hundred thousand actions one by one would take a
    // quarter of a second.
    forget(finished);
    forget(study);
    Ok(exit)
}

/// The experiment of a run and its store.
pub fn opened(
    args: &Run,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<(Study, DirStore), Abort> {
    let exports = named_exports(&args.options);
    let (mut study, store) = open_for(
        &exports,
        &args.experiment,
        settings,
        Access::Write,
        terminal,
    )?;
    if args.options.retry_diverged {
        let graph = study
            .actions(&store)
            .map_err(|error| abort(&error, terminal))?;
        forget_diverged(&graph, &store);
        study = study_again(&args.experiment, settings, terminal)?;
    }
    Ok((study, store))
}

/// The report again: a run that shows no more than its summary.
pub fn report(args: Report, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let args = Run {
        experiment: args.experiment,
        options: RunOptions::default(),
        executor: Executor::Threads,
        on: None,
        wait: false,
        live: false,
    };
    run(&args, settings, terminal)
}

/// Actions in threads of this process.
pub fn in_threads(settings: &Settings) -> Box<dyn Backend> {
    let jobs = settings.jobs();
    Box::new(Threads { jobs })
}

/// What actions run in, over this store.
fn backend(executor: Executor, settings: &Settings, store: &DirStore) -> Box<dyn Backend> {
    match executor {
        Executor::Threads => in_threads(settings),
        Executor::Processes => Box::new(Processes {
            program: std::env::current_exe().unwrap_or_else(|_| "farcast".into()),
            arguments: vec!["work".into(), store.path().into()],
            jobs: settings.jobs(),
        }),
    }
}

/// Where the results of an experiment file go.
pub fn default_out(settings: &Settings, file: &Path) -> PathBuf {
    settings.out(&path_text(Path::new(file.file_stem().unwrap_or_default())))
}

/// What is asked of a run.
pub struct Job<'a> {
    /// How to run and what to write.
    pub options: &'a RunOptions,
    /// What actions run in.
    pub backend: Box<dyn Backend>,
    /// Where results go.
    pub out: PathBuf,
}

impl<'a> Job<'a> {
    /// Runs what the store lacks, and writes the results. The run is listed in `runs`, if there
    /// is such a store, from its beginning.
    pub fn run(
        self,
        study: &'a mut Study,
        store: &dyn Store,
        runs: Option<&DirStore>,
        terminal: &Terminal,
    ) -> Result<Finished<'a>, Abort> {
        self.ask_for_weights(study, Scope::All, terminal)?;
        self.check_out(&study.experiment, terminal)?;
        demand_trust(study, store, self.options.trust, terminal)?;
        stop_flag(*terminal);
        let out = path_text(&self.out);
        let unfinished = Unfinished::begin(study, out, runs, *terminal);
        let before = run_beginning(&self.out);
        let mut finished = self.made(study, store, Some(unfinished), terminal)?;
        let _writing = begin_writing(&finished.job.out);
        if run_beginning(&finished.job.out) != before && !finished.has_nothing_to_show() {
            let out = finished.job.out.display();
            terminal.note(format!(
                "another run has written to `{out}`: its files are replaced"
            ));
        }
        let written = finished.write(store, terminal);
        finished.is_written = written.is_ok();
        if let Err(fault) = written {
            terminal.error(fault.to_string());
        }
        Ok(finished)
    }

    /// That the results can be in a folder of that name, before hours are spent on them.
    pub fn check_out(&self, experiment: &Experiment, terminal: &Terminal) -> Result<(), Abort> {
        let nearest = self.out.ancestors().find(|path| path.exists());
        let why = match nearest.filter(|path| !path.is_dir()) {
            Some(file) => format!("`{}` is not a folder", file.display()),
            None => {
                let longest = longest_file_name(&self.exports(), experiment);
                match probe(&self.out, longest) {
                    Ok(()) => return Ok(()),
                    Err(error) => error.to_string(),
                }
            }
        };
        terminal.error(format!("cannot write to `{}`: {why}", self.out.display()));
        Err(Abort::Failed)
    }

    fn exports(&self) -> Vec<Export> {
        let tables = self.options.tables.then_some(Export::Tables);
        let named = named_exports(self.options);
        tables.into_iter().chain(named).collect()
    }

    /// Makes what `--weights` names, also where nothing reads it.
    pub fn ask_for_weights(
        &self,
        study: &mut Study,
        scope: Scope,
        terminal: &Terminal,
    ) -> Result<(), Abort> {
        let Some(names) = self.options.weights() else {
            return Ok(());
        };
        for name in &names {
            if let Err((message, hint)) = expect_weights(name, &study.experiment) {
                terminal.error(message);
                terminal.say(format!("  = help: {hint}"));
                return Err(Abort::Usage);
            }
        }
        study.ask_for(named_exports(self.options), scope);
        Ok(())
    }

    /// The same without writing anything but what the store keeps.
    pub fn make(
        self,
        study: &'a mut Study,
        store: &dyn Store,
        terminal: &Terminal,
    ) -> Result<Finished<'a>, Abort> {
        demand_trust(study, store, self.options.trust, terminal)?;
        self.made(study, store, None, terminal)
    }

    fn made(
        self,
        study: &'a mut Study,
        store: &dyn Store,
        unfinished: Option<Arc<Unfinished>>,
        terminal: &Terminal,
    ) -> Result<Finished<'a>, Abort> {
        let started = Instant::now();
        let finished = execute(&self, study, store, unfinished.as_ref(), terminal)?;
        self.ended(
            study,
            finished,
            started.elapsed().as_secs_f64(),
            unfinished,
            terminal,
        )
    }

    /// What a run that has come to its end, after these seconds, has to show.
    pub fn ended(
        self,
        study: &'a mut Study,
        finished: study::Finished,
        seconds: f64,
        unfinished: Option<Arc<Unfinished>>,
        terminal: &Terminal,
    ) -> Result<Finished<'a>, Abort> {
        let study::Finished { graph, outcome } = finished;
        let lines = score_lines(&study.experiment, &graph, &outcome);
        let labels = Labels {
            run: study.stem(),
            params: study.experiment.params.clone(),
        };
        let files = score_files(&lines, &labels).map_err(|fault| {
            terminal.error(fault.to_string());
            Abort::Failed
        })?;
        let has_scores = !lines.is_empty();
        let record = RunRecord::new(
            &study.experiment,
            &graph,
            &study.registry,
            FinishedRun {
                sources: &study.sources,
                packages: &study.packages,
                set: &study.set,
                scores: (&lines, has_scores.then_some(&files.0)),
                outcome: &outcome,
                seconds,
                host: hostname(),
                out: path_text(&self.out),
            },
        );
        Ok(Finished {
            job: self,
            study,
            graph,
            outcome,
            lines,
            files,
            record,
            unfinished,
            is_written: true,
        })
    }
}

/// Who shows the progress of a run.
pub fn observer(options: &RunOptions, terminal: &Terminal) -> Box<dyn Observer> {
    match () {
        () if options.quiet => Box::new(Silent),
        () if terminal.watched => Box::new(Bars::new(*terminal)),
        () => Box::new(Lines::new(*terminal)),
    }
}

/// The same observer, with a page that shows what it hears.
fn watched(
    observer: Box<dyn Observer>,
    job: &Job<'_>,
    study: &Study,
    terminal: &Terminal,
) -> Box<dyn Observer> {
    let path = job.out.join("live.html");
    if !job.options.quiet {
        terminal.say(format!("live: {}", path.display()));
    }
    let about = (study.experiment.title.clone(), study.file().to_owned());
    Box::new(Live::new(observer, path, about, *terminal))
}

/// Runs what the store lacks, in as many rounds as its sweeps take.
fn execute(
    job: &Job<'_>,
    study: &mut Study,
    store: &dyn Store,
    unfinished: Option<&Arc<Unfinished>>,
    terminal: &Terminal,
) -> Result<study::Finished, Abort> {
    let observer = observer(job.options, terminal);
    let observer = match job.options.live {
        true => watched(observer, job, study, terminal),
        false => observer,
    };
    let observer = match unfinished {
        Some(run) => run.counted(observer),
        None => observer,
    };
    let settings = RunSettings {
        on_failure: match job.options.keep_going {
            true => OnFailure::KeepGoing,
            false => OnFailure::Stop,
        },
        stop: stop_flag(*terminal),
        host: hostname(),
    };
    let finished = study.run(store, &*job.backend, &*observer, &settings);
    finished.map_err(|error| abort(&error, terminal))
}

/// A run that has come to its end.
pub struct Finished<'a> {
    job: Job<'a>,
    study: &'a mut Study,
    graph: Graph,
    outcome: Outcome,
    /// Its scores.
    pub lines: Vec<ScoreLine>,
    /// The scores as Parquet and as CSV.
    files: (Vec<u8>, Vec<u8>),
    /// What it says of itself.
    pub record: RunRecord,
    unfinished: Option<Arc<Unfinished>>,
    is_written: bool,
}

impl Finished<'_> {
    /// Writes the results and leaves a record, as [`Job::run`] does.
    pub fn publish(&mut self, store: &DirStore, terminal: &Terminal) {
        let _writing = begin_writing(&self.job.out);
        let written = self.write(store, terminal);
        self.is_written = written.is_ok();
        if let Err(fault) = written {
            terminal.error(fault.to_string());
        }
        self.keep(store, terminal);
    }

    /// Whether nothing failed.
    pub fn is_fine(&self) -> bool {
        self.is_ok() && self.is_written
    }

    /// Leaves a record in the store; one that cannot be written to is only told of. Runs are
    /// listed by when they ended, so after a clock was set back time goes on from the last.
    pub fn keep(&mut self, store: &DirStore, terminal: &Terminal) {
        let last = StoredRun::last(store).map_or(0, |run| run.when + 1);
        self.record.when = self.record.when.max(last);
        let kept = serde_json::to_vec(&self.record)
            .map_err(|error| Fault::Bug(error.to_string()))
            .and_then(|bytes| {
                let scores = self.record.scores.map(|_| self.files.0.as_slice());
                let name = self.record.name(&bytes);
                match self.unfinished.as_ref().and_then(|run| run.begun()) {
                    Some(begun) => begun.end(&name, &bytes, scores),
                    None => store.keep_run(&name, &bytes, scores),
                }
            });
        if let Err(fault) = kept
            && !self.job.options.quiet
        {
            terminal.note(format!("the run is not listed by `farcast runs`: {fault}"));
        }
    }

    fn write(&mut self, store: &dyn Store, terminal: &Terminal) -> Result<(), Fault> {
        let before = exported_before(&self.job.out);
        if self.has_nothing_to_show() {
            return self.write_run(&before);
        }
        self.write_all(&before)?;
        let mut files = self.export(store, terminal)?;
        if before.is_empty() && files.is_empty() {
            return Ok(());
        }
        let names = [Export::Tables, self.all_weights()]
            .map(|export| file_stems(&export, &self.study.experiment, &self.graph));
        for (name, exported) in before {
            let mut stems = names.iter().flatten();
            let is_of_this_run =
                stems.any(|(stem, key)| name.starts_with(stem) && *key == exported.key);
            if files.contains_key(&name) {
                continue;
            }
            match is_of_this_run {
                true => drop(files.insert(name, exported)),
                false => remove_export(&self.job.out, &name, &exported),
            }
        }
        self.write_run(&files)
    }

    fn write_run(&self, files: &ExportedFiles) -> Result<(), Fault> {
        let facts = self.facts();
        let document = self.document(&facts, files);
        let run = document.write_aside(&self.job.out.join("run.json"))?;
        run.put_in_place()
    }

    fn document<'a>(
        &'a self,
        facts: &'a [(String, String)],
        files: &'a ExportedFiles,
    ) -> RunDocument<'a> {
        RunDocument::new(
            &self.record,
            &self.study.experiment,
            &self.graph,
            &self.outcome,
            facts,
            files,
        )
    }

    /// Writes the `run.json`, which may be large, while the results are drawn and written; then all
    /// take their places, it first.
    fn write_all(&self, files: &ExportedFiles) -> Result<(), Fault> {
        let facts = self.facts();
        let (document, path) = (self.document(&facts, files), self.job.out.join("run.json"));
        let (run, results) = thread::scope(|scope| {
            let run = scope.spawn(|| document.write_aside(&path));
            let results = self.results();
            (run.join().unwrap_or_else(|it| resume_unwind(it)), results)
        });
        run?.put_in_place()?;
        let mut results = results?.into_iter();
        results.try_for_each(WrittenAside::put_in_place)
    }

    fn results(&self) -> Result<[WrittenAside; 3], Fault> {
        let Self {
            study,
            graph,
            outcome,
            ..
        } = self;
        let experiment = &study.experiment;
        let facts = self.facts();
        let out = &self.job.out;
        let (parquet, csv) = &self.files;
        let sources: Vec<(String, String)> = study
            .sources
            .iter()
            .map(|(_, source)| (source.path.clone(), source.text.clone()))
            .collect();
        let html = render(&ReportInput {
            title: &experiment.title,
            sources: &sources,
            experiment,
            pages: &pages(experiment, graph, outcome),
            fronts: &fronts(experiment, graph, outcome),
            scores: &self.lines,
            notes: &self.notes(),
            command: &self.command(),
            facts: &facts,
            costs: &self.record.costs,
        })?;
        Ok([
            WrittenAside::of(&out.join("scores.parquet"), parquet)?,
            WrittenAside::of(&out.join("scores.csv"), csv)?,
            WrittenAside::of(&out.join("report.html"), html.as_bytes())?,
        ])
    }

    /// Writes the tables and weights that are asked for. What turns out damaged is made again.
    pub fn export(
        &mut self,
        store: &dyn Store,
        terminal: &Terminal,
    ) -> Result<ExportedFiles, Fault> {
        let mut files = ExportedFiles::new();
        for what in self.job.exports() {
            // Every time one is damaged less, unless the disk damages all it is given.
            let mut passes_left = self.graph.actions.len();
            loop {
                let fault = match self.export_all(&what, store) {
                    Ok(written) => break files.extend(written),
                    Err(fault) => fault,
                };
                let Fault::Damaged(message) = &fault else {
                    return Err(fault);
                };
                if passes_left == 0 {
                    return Err(fault);
                }
                passes_left -= 1;
                terminal.note(message);
                let run = self.unfinished.as_ref();
                let again = execute(&self.job, self.study, store, run, terminal);
                let study::Finished { graph, outcome } = again.map_err(|_| fault)?;
                (self.graph, self.outcome) = (graph, outcome);
            }
        }
        Ok(files)
    }

    /// Notes in the folder which statements its files are of that no run lists.
    pub fn note_exports(&self, files: &ExportedFiles) -> Result<(), Fault> {
        let (out, experiment) = (&self.job.out, &self.study.experiment);
        note_exports(out, files, experiment, &self.graph, &self.record)
    }

    /// All weights that the experiment could write.
    fn all_weights(&self) -> Export {
        let nodes = self.study.experiment.nodes.iter();
        let named = nodes.filter(|node| Export::can_be_named(node));
        Export::Weights(named.map(|node| node.name.clone()).collect())
    }

    fn export_all(&self, what: &Export, store: &dyn Store) -> Result<ExportedFiles, Fault> {
        let (study, out) = (&self.study, &self.job.out);
        let (experiment, registry) = (&study.experiment, &study.registry);
        export(what, experiment, &self.graph, registry, store, out)
    }

    /// Whether results of an earlier run are better left alone than replaced by none.
    fn has_nothing_to_show(&self) -> bool {
        self.outcome.stopped || (self.lines.is_empty() && self.counts().failed > 0)
    }

    fn counts(&self) -> Counts {
        Counts::of(&self.outcome.endings)
    }

    fn is_ok(&self) -> bool {
        is_ok(&self.study.experiment, &self.graph, &self.outcome)
    }

    fn names(&self) -> Names<'_> {
        Names::of(&self.study.experiment, &self.graph)
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
            ("seconds".to_owned(), format!("{:.1}", self.record.seconds)),
        ];
        facts.extend(
            self.study
                .experiment
                .params
                .iter()
                .map(|(name, value)| (format!("param {name}"), value.clone())),
        );
        facts
    }

    /// Statement and note, with the names of the file.
    fn notes(&self) -> Vec<(String, String)> {
        self.notes_with(|_| true, |_| true)
    }

    /// The same for the terminal, where points that diverged are listed by themselves, and failures
    /// come with their notes.
    fn told_notes(&self, failures: &[(ActionId, Failure)]) -> Vec<(String, String)> {
        let is_told = |noted| !failures.iter().any(|(id, _)| *id == noted);
        self.notes_with(|node| node.point.is_empty(), is_told)
    }

    fn notes_with(
        &self,
        tells_divergence: impl Fn(&Node) -> bool,
        is_told: impl Fn(ActionId) -> bool,
    ) -> Vec<(String, String)> {
        let diverged = self.outcome.endings.iter().enumerate();
        let diverged = diverged.filter_map(|(index, ending)| match ending {
            Ending::Diverged { why, .. } => {
                let node = &self.study.experiment.nodes[self.graph.actions[index].node.0];
                // A score without anything to measure says nothing that its models do not.
                let is_told = node.kind != Kind::Score && tells_divergence(node);
                is_told.then_some((ActionId(index), why))
            }
            _ => None,
        });
        let noted = self.outcome.notes.iter().map(|(id, note)| (*id, note));
        let noted = noted.filter(|(id, _)| is_told(*id));
        let names = self.names();
        let all = diverged.chain(noted).map(|(id, note)| {
            let node = &self.study.experiment.nodes[self.graph.actions[id.0].node.0];
            (node, names.put_in(note).into_owned())
        });
        gathered(all.collect())
    }

    fn command(&self) -> String {
        let settings: String = self
            .study
            .set
            .iter()
            .map(|(name, value)| format!(" --set {}", quoted(&format!("{name}={value}"))))
            .collect();
        format!("farcast run {}{settings}", quoted(self.study.file()))
    }

    /// Says what came out, and what is to be known of it.
    pub fn say(&self, terminal: &Terminal) -> Exit {
        let exit = self.complain(terminal);
        if self.job.options.json {
            let experiment = &self.study.experiment;
            let mut answer = run_answer(
                &experiment.title,
                exit == Exit::Fine,
                self.record.seconds,
                self.counts(),
                &self.lines,
                &self.record.out,
            );
            let failures = self.diagnostics(&self.failures());
            if !failures.is_empty() {
                answer["diagnostics"] = in_json(&failures, &self.study.sources).into();
            }
            terminal.answer(&answer);
            return exit;
        }
        if !self.lines.is_empty() {
            let (choices, shown) = (&self.record.choices, self.job.options.scores);
            let fronts = fronts(&self.study.experiment, &self.graph, &self.outcome);
            let means = &self.record.means;
            terminal.tell(answer(means, &self.lines, choices, &fronts));
            let table = scores::table(&self.lines, choices, shown, terminal.width());
            terminal.out(table);
        }
        if self.outcome.stopped {
            terminal.say("stopped: the next run goes on from here");
        }
        if !self.job.options.quiet {
            terminal.say(self.summary());
        }
        exit
    }

    /// Says what went wrong, and what is to be known before trusting the scores.
    pub fn complain(&self, terminal: &Terminal) -> Exit {
        let failures = self.failures();
        self.say_failures(&failures, terminal);
        self.say_sweeps(terminal);
        if !self.job.options.quiet {
            say_notes(&self.told_notes(&failures), terminal);
        }
        let is_bug = |(_, failure): &(ActionId, Failure)| failure.blame == Blame::Bug;
        match () {
            () if failures.iter().any(is_bug) => Exit::Bug,
            () if self.outcome.stopped => interrupted(),
            () if self.is_written && self.is_ok() => Exit::Fine,
            () => Exit::Failed,
        }
    }

    /// The failures that are not those of single points of a sweep.
    fn failures(&self) -> Vec<(ActionId, Failure)> {
        failures(&self.study.experiment, &self.graph, &self.outcome)
    }

    /// The points without a score, each with its reason, and what waits for a choice in vain.
    fn say_sweeps(&self, terminal: &Terminal) {
        let experiment = &self.study.experiment;
        let lost = lost_points(experiment, &self.graph, &self.outcome);
        for sweep in &experiment.sweeps {
            let of_sweep = lost.iter().filter(|lost| lost.sweep == sweep.name);
            let of_sweep: Vec<_> = of_sweep.collect();
            if !of_sweep.is_empty() && !self.outcome.stopped {
                terminal.note(lost_text(sweep, &of_sweep));
            }
            if sweep.best == Best::Nothing {
                terminal.error(format!("no point of sweep `{}` has a score", sweep.name));
            }
        }
        // After Ctrl-C everything waits, and whoever pressed it knows why.
        if !self.job.options.quiet && !self.outcome.stopped {
            waiting_texts(&experiment.waiting)
                .iter()
                .for_each(|text| terminal.note(text));
        }
    }

    /// What was done, in one line.
    fn summary(&self) -> String {
        let counts = self.counts();
        let endings = self.outcome.endings.iter();
        let failed = endings.filter(|ending| matches!(ending, Ending::Failed(_)));
        let failures = failed.count();
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
        let done = format!("{} in {:.1} s", parts.join(", "), self.record.seconds);
        if self.has_nothing_to_show() {
            return done;
        }
        format!(
            "{done}; report: {}",
            self.job.out.join("report.html").display()
        )
    }

    /// Every failure at its place in the text; equal ones of several members once.
    fn say_failures(&self, failures: &[(ActionId, Failure)], terminal: &Terminal) {
        terminal.diagnostics(&self.diagnostics(failures), &self.study.sources);
    }

    fn diagnostics(&self, failures: &[(ActionId, Failure)]) -> Vec<Diagnostic> {
        let names = self.names();
        let mut said = Vec::new();
        for (id, failure) in failures {
            let action = &self.graph.actions[id.0];
            let node = &self.study.experiment.nodes[action.node.0];
            let param = failure.param.as_ref();
            let place = param.and_then(|param| place_of(&node.args, param));
            let span = place.unwrap_or(node.span);
            let Failure { message, hint, .. } = names.put_in_failure(failure);
            let mut diagnostic = Diagnostic::error(Code::ActionFailed, span, message);
            diagnostic.hints.extend(hint);
            // What an action noted before it failed may say why: how many rows it left out.
            let notes = self.outcome.notes.iter().filter(|(noted, _)| noted == id);
            let notes = notes.map(|(_, note)| names.put_in(note).into_owned());
            diagnostic.hints.extend(notes);
            if !said.contains(&diagnostic) {
                said.push(diagnostic);
            }
        }
        said
    }
}
