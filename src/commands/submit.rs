//! `farcast run --on QUEUE`, and what goes on with such a run: `attach`, and the job after all others.

use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dsl::nearest;
use engine::cluster::{
    About, COORDINATOR, Campaign, CommandQueue, Did, Elsewhere, Kind, Occasion, Queue, Site, Slurm,
    Stay, Verdict,
};
use engine::error::Fault;
use engine::estimate::Left;
use engine::executor::Threads;
use engine::graph::ActionId;
use engine::observer::{Ending, Observer};
use engine::outside::Texts;
use engine::packages::Packages;
use engine::path_text::{path_text, text_path};
use engine::plugin::Progress;
use engine::record::texts;
use engine::run::Settings as RunSettings;
use engine::scheduler::OnFailure;
use engine::store::{Access, DirStore, Store};
use engine::study::{Scope, Study};
use serde_json::json;

use super::run::{Job, default_out, observer, opened};
use crate::args::{Form, Queue as QueueName, Run, RunOptions};
use crate::exit::{Abort, Exit};
use crate::exports::exports_of;
use crate::host::hostname;
use crate::interrupt::{ends_in_order, interrupted, stop_flag};
use crate::remotes::listed;
use crate::session::{abort, kept_study};
use crate::settings::Settings;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;
use crate::trusted::demand_trust;

/// How long another process may take to write the results.
const WRITING: Duration = Duration::from_secs(60);

pub fn run(args: &Run, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.options.json,
        ..*terminal
    };
    let site = site(args.on, settings, terminal)?;
    let stay = match site.kind {
        // Its command ends when its chunks have ended, so somebody waits for it.
        Kind::Command => Stay::Wait,
        Kind::Slurm if args.wait => Stay::Wait,
        Kind::Slurm => Stay::Leave,
    };
    let (mut study, store) = opened(args, settings, terminal)?;
    check_classes(&site, &study, terminal)?;
    let job = job(&args.options, default_out(settings, &args.experiment.file));
    job.ask_for_weights(&mut study, Scope::All, terminal)?;
    job.check_out(&study.experiment, terminal)?;
    let shared = listed(&store, settings, &args.options, terminal);
    demand_trust(&mut study, &shared, args.options.trust, terminal)?;
    let fail = |fault: Fault| report_fault(&fault, terminal);
    let about = about(args, site, &study, path_text(&job.out)).map_err(fail)?;
    let folder = store.path().canonicalize();
    let folder = folder.map_err(|error| fail(Fault::Environment(error.to_string())))?;
    let campaign = Campaign::begin(&folder, about).map_err(fail)?;
    let run = OnQueue {
        campaign,
        options: &args.options,
        occasion: Occasion::ByUser,
        stay,
    };
    run.go(&mut study, &shared, &store, terminal)
}

/// The settings of the queue, or what is missing of them.
fn site(name: Option<QueueName>, settings: &Settings, terminal: &Terminal) -> Result<Site, Abort> {
    let (name, kind) = match name {
        Some(QueueName::Command) => ("command", Kind::Command),
        _ => ("slurm", Kind::Slurm),
    };
    let site = settings.queues.get(name).cloned();
    let site = site.unwrap_or_else(|| Site::new(kind));
    if kind == Kind::Command && site.run.is_empty() {
        terminal.error("`--on command` has no command: `farcast.toml` does not say which");
        terminal.say(
            "  = help: [on.command]\n          run = [\"my-submit\", \"{order}\", \"{chunks}\"]",
        );
        return Err(Abort::Usage);
    }
    Ok(site)
}

/// Refuses needs of plugins that do not exist: nothing would ever use them.
fn check_classes(site: &Site, study: &Study, terminal: &Terminal) -> Result<(), Abort> {
    let names = || {
        let plugins = study
            .registry
            .iter()
            .map(|it| it.declaration().signature.name.as_str());
        plugins.chain([COORDINATOR])
    };
    let mut unknown = site.resources.keys();
    let Some(name) = unknown.find(|name| !names().any(|known| known == name.as_str())) else {
        return Ok(());
    };
    terminal.error(format!(
        "`resources.{name}` in `farcast.toml`: there is no plugin `{name}`"
    ));
    terminal.say(match nearest(name, names()) {
        Some(near) => format!("  = help: did you mean `{near}`?"),
        None => "  = help: `farcast plugins` lists them; `coordinator` is the job after all \
                 others"
            .to_owned(),
    });
    Err(Abort::Usage)
}

fn about(args: &Run, site: Site, study: &Study, out: String) -> Result<About, Fault> {
    let folder = std::env::current_dir()
        .map_err(|error| Fault::Environment(format!("the working folder is gone: {error}")))?;
    let program = match &site.program {
        Some(program) => program.clone(),
        None => path_text(&std::env::current_exe().unwrap_or_else(|_| "farcast".into())),
    };
    Ok(About {
        program,
        experiment: study.experiment.title.clone(),
        file: study.file().to_owned(),
        folder: path_text(&folder),
        texts: texts(&study.sources),
        packages: { &study.packages }
            .records(study.sources.iter().map(|(_, source)| source.path.as_str())),
        set: study.set.clone(),
        weights: args.options.weights(),
        tables: args.options.tables,
        keep_going: args.options.keep_going,
        out,
        ..About::new(site)
    })
}

/// A job that is not carried out here.
fn job(options: &RunOptions, out: std::path::PathBuf) -> Job<'_> {
    Job {
        options,
        backend: Box::new(Threads { jobs: 1 }),
        out,
    }
}

/// A run on a queue, and how to go on with it.
pub struct OnQueue<'a> {
    /// The run.
    pub campaign: Campaign,
    /// What is shown and written.
    pub options: &'a RunOptions,
    /// Who wants work to be submitted.
    pub occasion: Occasion,
    /// What to do then.
    pub stay: Stay,
}

/// The options of a run, as it began; what is shown is asked now.
pub fn options_of(campaign: &Campaign, shown: RunOptions) -> RunOptions {
    let about = &campaign.about;
    RunOptions {
        keep_going: about.keep_going,
        tables: about.tables,
        weights: about.weights.clone(),
        // It was asked for when it began, and the code is in the keys.
        trust: true,
        ..shown
    }
}

/// The experiment of a run, in the folder where it began; the folder becomes the working folder.
pub fn reopened(campaign: &Campaign, terminal: &Terminal) -> Result<(Study, DirStore), Abort> {
    let fail = |fault: Fault| report_fault(&fault, terminal);
    let store = DirStore::open(campaign.store(), Access::Write).map_err(fail)?;
    let about = &campaign.about;
    let folder = text_path(&about.folder);
    std::env::set_current_dir(&folder).map_err(|error| {
        fail(Fault::Environment(format!(
            "cannot work in `{}`, where the run began: {error}",
            folder.display()
        )))
    })?;
    let texts: Texts = { about.texts.iter() }
        .map(|text| (text.path.clone(), text.text.clone()))
        .collect();
    let mut study = {
        let packages = Packages::kept(&text_path(&about.file), &about.packages);
        kept_study(&about.file, &texts, packages, about.set.clone(), terminal)?
    };
    if let Some(names) = about.weights.clone() {
        study.ask_for(exports_of(names, Form::default()), Scope::All);
    }
    Ok((study, store))
}

/// The queue of a run.
pub fn queue_of(campaign: &Campaign) -> Box<dyn Queue> {
    match campaign.about.site.kind {
        Kind::Slurm => Box::new(Slurm),
        Kind::Command => Box::new(CommandQueue::default()),
    }
}

impl OnQueue<'_> {
    /// Submits what is to be submitted, and waits or leaves; writes the results of a run that has
    /// come to its end. `results` is the store, with what is behind it.
    pub fn go(
        &self,
        study: &mut Study,
        results: &dyn Store,
        store: &DirStore,
        terminal: &Terminal,
    ) -> Result<Exit, Abort> {
        let started = Instant::now();
        let queue = queue_of(&self.campaign);
        let stop = stop_flag(*terminal);
        let backend = Elsewhere {
            campaign: &self.campaign,
            queue: &*queue,
            occasion: self.occasion,
            stay: self.stay,
            did: Mutex::default(),
        };
        let observer: Box<dyn Observer> = match self.stay {
            Stay::Leave => Box::new(Remarks(*terminal)),
            Stay::Wait => Box::new(Afar(observer(self.options, terminal))),
        };
        let settings = RunSettings {
            on_failure: match self.campaign.about.keep_going {
                true => OnFailure::KeepGoing,
                false => OnFailure::Stop,
            },
            stop,
            host: hostname(),
        };
        let finished = study.run(results, &backend, &*observer, &settings);
        drop(observer);
        ends_in_order();
        let finished = finished.map_err(|error| abort(&error, terminal))?;
        let did = std::mem::take(&mut *backend.did());
        if let Some(fault) = did.fault {
            return Err(report_fault(&fault, terminal));
        }
        if did.left {
            self.say_left(&did, terminal);
            return Ok(Exit::Fine);
        }
        if finished.outcome.stopped {
            terminal.say(self.left_words());
            return Ok(interrupted());
        }
        let out = text_path(&self.campaign.about.out);
        let seconds = started.elapsed().as_secs_f64();
        let job = job(self.options, out);
        let mut finished = job.ended(study, finished, seconds, None, terminal)?;
        if self.is_ours_to_write() {
            finished.record.jobs = Some(path_text(&self.campaign.folder));
            finished.publish(store, terminal);
            let verdict = Verdict {
                ok: finished.is_fine(),
                lost: did.lost,
            };
            let noted = self.campaign.end(&verdict);
            noted.map_err(|fault| report_fault(&fault, terminal))?;
        }
        Ok(finished.say(terminal))
    }

    /// Whether nobody else has written the results, or is writing them.
    fn is_ours_to_write(&self) -> bool {
        let since = Instant::now();
        while self.campaign.verdict().is_none() {
            if self.campaign.begin_writing() || since.elapsed() > WRITING {
                return true;
            }
            sleep(Duration::from_millis(100));
        }
        false
    }

    fn left_words(&self) -> String {
        let name = self.campaign.name();
        match self.campaign.about.site.kind {
            Kind::Slurm => format!("the jobs go on: `farcast attach {name}` waits for them"),
            Kind::Command => "stopped: the next run goes on from here".to_owned(),
        }
    }

    fn say_left(&self, did: &Did, terminal: &Terminal) {
        let name = self.campaign.name();
        let (actions, chunks, arrays) = did.submitted;
        if terminal.json {
            let answer = json!({
                "run": name, "submitted": {"actions": actions, "chunks": chunks, "arrays": arrays},
            });
            terminal.answer(&answer);
            return;
        }
        if self.options.quiet {
            return;
        }
        terminal.say(match actions {
            0 => format!("{name}: nothing is missing that is not in a job already"),
            _ => format!(
                "{name}: {actions} {} in {chunks} {} submitted as {arrays} {}",
                plural(actions, "action"),
                plural(chunks, "chunk"),
                plural(arrays, "array"),
            ),
        });
        let follows = match self.campaign.about.site.coordinator {
            true => "waits for the results",
            // Nobody else does, as no job submits jobs.
            false => "waits for them, submits what follows and writes the results",
        };
        terminal.say(format!(
            "`farcast status {name}` shows how far they are, `farcast attach {name}` {follows}"
        ));
    }
}

/// The word for this many.
pub fn plural(count: usize, word: &str) -> String {
    match count {
        1 => word.to_owned(),
        _ => format!("{word}s"),
    }
}

/// Tells only remarks.
struct Remarks(Terminal);

impl Observer for Remarks {
    fn remark(&self, text: &str) {
        self.0.note(text);
    }
}

/// What a run here tells, but for what starts: that is known to the jobs alone.
struct Afar(Box<dyn Observer>);

impl Observer for Afar {
    fn planned(&self, count: usize) {
        self.0.planned(count);
    }

    fn progress(&self, action: ActionId, progress: Progress) {
        self.0.progress(action, progress);
    }

    fn ended(&self, action: ActionId, title: &str, ending: &Ending) {
        self.0.ended(action, title, ending);
    }

    fn remaining(&self, left: Left) {
        self.0.remaining(left);
    }

    fn remark(&self, text: &str) {
        self.0.remark(text);
    }
}

/// The run on a queue that is meant; prints why there is none.
pub fn find(named: &str, settings: &Settings, terminal: &Terminal) -> Result<Campaign, Abort> {
    let near = match named.ends_with(".farcast") {
        true => Path::new(named),
        false => Path::new("."),
    };
    let store = settings.store(near);
    let store = store.canonicalize().unwrap_or(store);
    let mut all = Campaign::all(&store);
    all.sort_by_key(Campaign::begun_at);
    let found = match named {
        "last" => all.pop(),
        _ if named.ends_with(".farcast") => {
            let file = Path::new(named).canonicalize().ok();
            let is_it = |campaign: &Campaign| {
                let about = &campaign.about;
                let path = text_path(&about.folder).join(text_path(&about.file));
                path.canonicalize().ok() == file && file.is_some()
            };
            all.into_iter().rfind(is_it)
        }
        _ => {
            let mut fit: Vec<Campaign> = all
                .into_iter()
                .filter(|it| it.name().starts_with(named))
                .collect();
            if let [first, .., last] = fit.as_slice() {
                let (count, first, last) = (fit.len(), first.name(), last.name());
                terminal.error(format!(
                    "`{named}` is the start of {count} runs, `{first}` to `{last}`"
                ));
                return Err(Abort::Failed);
            }
            fit.pop()
        }
    };
    found.ok_or_else(|| {
        let store = store.display();
        terminal.error(match named {
            "last" => format!("there is no run on a queue in `{store}`"),
            _ => format!("there is no run `{named}` on a queue in `{store}`"),
        });
        terminal
            .say("  = help: `farcast status` lists them, `farcast run FILE --on slurm` begins one");
        Abort::Failed
    })
}
