//! From arguments to a checked experiment and an open store.

use std::path::{Path, PathBuf};

use dsl::check::{Checked, check_with};
use dsl::diagnostic::Diagnostic;
use dsl::experiment::Experiment;
use dsl::render::{Style, render};
use dsl::source::Sources;
use dsl::sweep::Choices;
use engine::graph::{Graph, lower};
use engine::outside::{Disk, read_text};
use engine::plugin::Registry;
use engine::replay::expand;
use engine::run::Outcome;
use engine::store::{Access, DirStore, Store, default_path};
use engine::sweep::{note_failures, note_scores};

use crate::args::Subject;
use crate::terminal::Terminal;

/// A command that ended before its end; everything has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The experiment, its data or the machine are at fault: exit code 1.
    Failed,
    /// The command was called wrongly: exit code 2.
    Usage,
}

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
    file: PathBuf,
    settings: Vec<(String, String)>,
}

impl Session {
    /// Reads and checks the experiment; says every diagnostic.
    pub fn open(subject: &Subject, terminal: &Terminal) -> Result<Self, Stop> {
        let registry = plugins::registry();
        let choices = Choices::default();
        let (file, settings) = (&subject.file, &subject.settings);
        let checked = checked(file, settings, &choices, &registry, terminal)?;
        say_all(&checked.diagnostics, &checked.sources, terminal);
        let Some(experiment) = checked.experiment else {
            return Err(Stop::Failed);
        };
        if experiment.nodes.is_empty() {
            let file = subject.file.display();
            terminal.error(format!(
                "`{file}` has no statements: there is nothing to run"
            ));
            terminal.say("  = help: `farcast new NAME` writes a starter");
            return Err(Stop::Failed);
        }
        Ok(Self {
            registry,
            experiment,
            choices,
            sources: checked.sources,
            file: subject.file.clone(),
            settings: subject.settings.clone(),
        })
    }

    /// The actions, with the sweeps as far as the scores in the store take them; says the
    /// diagnostic when a data file cannot be read.
    pub fn graph(&mut self, store: &DirStore, terminal: &Terminal) -> Result<Graph, Stop> {
        loop {
            let graph = self.lowered(store, terminal)?;
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
        store: &DirStore,
        terminal: &Terminal,
    ) -> Result<Option<Graph>, Stop> {
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

    fn lowered(&self, store: &DirStore, terminal: &Terminal) -> Result<Graph, Stop> {
        let digest = |path: &str| store.file_digest(Path::new(path));
        lower(&self.experiment, &self.registry, &digest).map_err(|diagnostic| {
            say_all(&[*diagnostic], &self.sources, terminal);
            Stop::Failed
        })
    }

    /// Checks the file with what is known of its sweeps now; says what is wrong only now, such
    /// as a choice that does not fit where it is used.
    fn check_again(&mut self, terminal: &Terminal) -> Result<(), Stop> {
        let (file, settings) = (&self.file, &self.settings);
        let checked = checked(file, settings, &self.choices, &self.registry, terminal)?;
        match checked.experiment {
            Some(experiment) => {
                self.experiment = experiment;
                Ok(())
            }
            None => {
                say_all(&checked.diagnostics, &checked.sources, terminal);
                Err(Stop::Failed)
            }
        }
    }
}

/// Checks a file.
pub fn checked(
    file: &Path,
    settings: &[(String, String)],
    choices: &Choices,
    registry: &Registry,
    terminal: &Terminal,
) -> Result<Checked, Stop> {
    let path = file.to_string_lossy();
    let text = read_text(&path).map_err(|message| {
        terminal.error(message);
        Stop::Failed
    })?;
    let outside = Disk { registry };
    let catalog = registry.catalog();
    let mut checked = check_with(&path, &text, settings, choices, &catalog, &outside);
    if let Some(experiment) = checked.experiment.take() {
        match expand(experiment, registry) {
            Ok(experiment) => checked.experiment = Some(experiment),
            Err(diagnostic) => checked.diagnostics.push(*diagnostic),
        }
    }
    Ok(checked)
}

/// Opens the store a command works with.
pub fn open_store(
    near: &Path,
    flag: Option<&Path>,
    access: Access,
    terminal: &Terminal,
) -> Result<DirStore, Stop> {
    let store = DirStore::open(&store_path(near, flag), access).map_err(|fault| {
        terminal.error(fault.to_string());
        Stop::Failed
    })?;
    for problem in store.problems() {
        terminal.note(format!("the journal of the store is damaged: {problem}"));
    }
    Ok(store)
}

/// Where the store is.
pub fn store_path(near: &Path, flag: Option<&Path>) -> PathBuf {
    default_path(near, flag, std::env::var_os("FARCAST_STORE"))
}

/// Says diagnostics on standard error.
pub fn say_all(diagnostics: &[Diagnostic], sources: &Sources, terminal: &Terminal) {
    let style = if terminal.color {
        Style::Color
    } else {
        Style::Plain
    };
    for diagnostic in diagnostics {
        terminal.say(render(diagnostic, sources, style));
    }
}
