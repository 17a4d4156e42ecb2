//! From arguments to a checked experiment and an open store.

use std::panic::resume_unwind;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use dsl::check::{Checked, check_with};
use dsl::experiment::Experiment;
use dsl::source::Sources;
use dsl::sweep::Choices;
use engine::error::Fault;
use engine::graph::Graph;
use engine::lower::{Lowered, lower, validate};
use engine::outside::{Disk, Kept, Texts, read_text};
use engine::plugin::Registry;
use engine::run::Outcome;
use engine::store::{Access, DirStore, Store};
use engine::sweep::{note_failures, note_scores};

use crate::args::ExperimentArgs;
use crate::exit::Abort;
use crate::settings::Settings;
use crate::terminal::Terminal;

/// A checked experiment with its texts.
pub struct Session {
    /// The plugins.
    pub registry: Registry,
    /// What the file says, as far as its sweeps go.
    pub experiment: Experiment,
    /// What is known of the points of its sweeps.
    pub choices: Choices,
    /// The texts it says it in.
    pub sources: Sources,
    /// The values of its params that differ from what the texts say.
    pub set: Vec<(String, String)>,
}

impl Session {
    /// Reads and checks the experiment; says every diagnostic.
    pub fn open(
        args: &ExperimentArgs,
        settings: &Settings,
        terminal: &Terminal,
    ) -> Result<Self, Abort> {
        let registry = plugins::registry();
        let set = with_profile(&settings.params, &args.settings);
        let checked = checked(&args.file, &set, &registry, terminal)?;
        Self::of(checked, set, registry, terminal).inspect_err(|_| {
            for (name, value) in &settings.params {
                let profile = settings.profile();
                terminal.note(format!("{profile} sets `{name}={value}`"));
            }
        })
    }

    /// The same of texts that were kept, the experiment's own under this path.
    pub fn kept(
        file: &str,
        texts: &Texts,
        set: Vec<(String, String)>,
        terminal: &Terminal,
    ) -> Result<Self, Abort> {
        let registry = plugins::registry();
        let checked = check_kept(file, texts, &set, &Choices::default(), &registry);
        Self::of(checked, set, registry, terminal)
    }

    fn of(
        checked: Checked,
        set: Vec<(String, String)>,
        registry: Registry,
        terminal: &Terminal,
    ) -> Result<Self, Abort> {
        terminal.diagnostics(&checked.diagnostics, &checked.sources);
        let Some(experiment) = checked.experiment else {
            return Err(Abort::Failed);
        };
        let session = Self {
            registry,
            experiment,
            choices: Choices::default(),
            sources: checked.sources,
            set,
        };
        if session.experiment.nodes.is_empty() {
            let file = session.file();
            terminal.error(format!(
                "`{file}` has no statements: there is nothing to run"
            ));
            terminal.say("  = help: `farcast new NAME` writes a starter");
            return Err(Abort::Failed);
        }
        Ok(session)
    }

    /// The path of the experiment's own text.
    pub fn file(&self) -> &str {
        let mut sources = self.sources.iter();
        sources.next().map_or("", |(_, source)| &source.path)
    }

    /// The name of that file without its ending.
    pub fn stem(&self) -> String {
        let stem = Path::new(self.file()).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    /// The actions, with the sweeps as far as the scores in the store take them; says the
    /// diagnostic when a data file cannot be read.
    pub fn graph(&mut self, store: &dyn Store, terminal: &Terminal) -> Result<Graph, Abort> {
        loop {
            let graph = self.lower(store, terminal)?;
            let (experiment, registry) = (&self.experiment, &self.registry);
            if !note_scores(experiment, &graph, registry, store, &mut self.choices) {
                return Ok(graph);
            }
            self.check_again(terminal)?;
        }
    }

    /// The actions after a round of a run, when it told something new of a sweep.
    pub fn next_round(
        &mut self,
        graph: &Graph,
        outcome: &Outcome,
        store: &dyn Store,
        terminal: &Terminal,
    ) -> Result<Option<Graph>, Abort> {
        let (experiment, registry) = (&self.experiment, &self.registry);
        let choices = &mut self.choices;
        let has_scores = note_scores(experiment, graph, registry, store, choices);
        let has_failures = note_failures(experiment, graph, outcome, choices);
        if !has_scores && !has_failures {
            return Ok(None);
        }
        self.check_again(terminal)?;
        self.graph(store, terminal).map(Some)
    }

    fn lower(&mut self, store: &dyn Store, terminal: &Terminal) -> Result<Graph, Abort> {
        let digest = |path: &str| store.file_digest(Path::new(path));
        let checked = std::mem::take(&mut self.experiment);
        match lower(checked, &self.registry, &digest) {
            Ok(Lowered { experiment, graph }) => {
                self.experiment = experiment;
                Ok(graph)
            }
            Err(diagnostic) => {
                terminal.diagnostics(&[*diagnostic], &self.sources);
                Err(Abort::Failed)
            }
        }
    }

    /// Checks the texts with what is known of their sweeps now; says what is wrong only now,
    /// such as a choice that does not fit where it is used.
    fn check_again(&mut self, terminal: &Terminal) -> Result<(), Abort> {
        let texts: Texts = self
            .sources
            .iter()
            .map(|(_, source)| (source.path.clone(), source.text.clone()))
            .collect();
        let checked = check_kept(
            self.file(),
            &texts,
            &self.set,
            &self.choices,
            &self.registry,
        );
        match checked.experiment {
            Some(experiment) => {
                self.experiment = experiment;
                Ok(())
            }
            None => {
                terminal.diagnostics(&checked.diagnostics, &checked.sources);
                Err(Abort::Failed)
            }
        }
    }
}

/// Checks a file.
pub fn checked(
    file: &Path,
    set: &[(String, String)],
    registry: &Registry,
    terminal: &Terminal,
) -> Result<Checked, Abort> {
    let path = file.to_string_lossy();
    let text = match file.is_dir() {
        true => Err(format!("`{path}` is a folder: expected an experiment file")),
        false => read_text(&path),
    };
    let text = text.map_err(|message| {
        terminal.error(message);
        Abort::Failed
    })?;
    let outside = Disk { registry };
    let (catalog, choices) = (registry.catalog(), Choices::default());
    let checked = check_with(&path, &text, set, &choices, &catalog, &outside);
    Ok(validated(checked, registry))
}

/// With what lowering would refuse, whatever the data hold.
fn validated(mut checked: Checked, registry: &Registry) -> Checked {
    let refused = checked.experiment.as_ref().map(|it| validate(it, registry));
    if let Some(Err(diagnostic)) = refused {
        checked.experiment = None;
        checked.diagnostics.push(*diagnostic);
    }
    checked
}

fn check_kept(
    file: &str,
    texts: &Texts,
    set: &[(String, String)],
    choices: &Choices,
    registry: &Registry,
) -> Checked {
    let text = texts.get(file).map_or("", String::as_str);
    let outside = Kept { registry, texts };
    let checked = check_with(file, text, set, choices, &registry.catalog(), &outside);
    validated(checked, registry)
}

/// Reads and checks the experiment, and opens the store beside it.
///
/// A store that is there is read while the text is checked: each takes about as long.
pub fn open(
    args: &ExperimentArgs,
    settings: &Settings,
    access: Access,
    terminal: &Terminal,
) -> Result<(Session, DirStore), Abort> {
    let folder = settings.store(&args.file);
    thread::scope(|scope| {
        let store = folder
            .is_dir()
            .then(|| scope.spawn(|| DirStore::open(&folder, access)));
        let session = Session::open(args, settings, terminal)?;
        let store = match store.map(ScopedJoinHandle::join) {
            Some(opened) => opened.unwrap_or_else(|panic| resume_unwind(panic)),
            None => DirStore::open(&folder, access),
        };
        Ok((session, opened(store, terminal)?))
    })
}

/// Opens the store for what is at this path.
pub fn open_store(
    settings: &Settings,
    near: &Path,
    access: Access,
    terminal: &Terminal,
) -> Result<DirStore, Abort> {
    opened(DirStore::open(&settings.store(near), access), terminal)
}

/// The store, when it opened; says what is wrong with it.
fn opened(store: Result<DirStore, Fault>, terminal: &Terminal) -> Result<DirStore, Abort> {
    let store = store.map_err(|fault| {
        terminal.error(fault.to_string());
        Abort::Failed
    })?;
    for problem in store.problems() {
        terminal.note(format!("the journal of the store is damaged: {problem}"));
    }
    Ok(store)
}

/// What the profile sets and `--set` does not, then what `--set` does.
pub fn with_profile(
    profile: &[(String, String)],
    typed: &[(String, String)],
) -> Vec<(String, String)> {
    let is_typed = |name: &String| typed.iter().any(|(other, _)| other == name);
    let kept = profile.iter().filter(|(name, _)| !is_typed(name));
    kept.chain(typed).cloned().collect()
}
