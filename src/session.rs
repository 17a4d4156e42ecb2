//! From arguments to a checked experiment and an open store.

use std::path::{Path, PathBuf};

use dsl::check::{Checked, check};
use dsl::diagnostic::Diagnostic;
use dsl::experiment::Experiment;
use dsl::render::{Style, render};
use dsl::source::Sources;
use engine::graph::{Graph, lower};
use engine::outside::{Disk, read_text};
use engine::plugin::Registry;
use engine::replay::expand;
use engine::store::{Access, DirStore, Store, default_path};

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
    /// What the file says.
    pub experiment: Experiment,
    /// The texts it says it in.
    pub sources: Sources,
}

impl Session {
    /// Reads and checks the experiment; says every diagnostic.
    pub fn open(subject: &Subject, terminal: &Terminal) -> Result<Self, Stop> {
        let registry = plugins::registry();
        let checked = checked(&subject.file, &subject.settings, &registry, terminal)?;
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
            sources: checked.sources,
        })
    }

    /// The actions; says the diagnostic when a data file cannot be read.
    pub fn graph(&self, store: &DirStore, terminal: &Terminal) -> Result<Graph, Stop> {
        let digest = |path: &str| store.file_digest(Path::new(path));
        lower(&self.experiment, &self.registry, &digest).map_err(|diagnostic| {
            say_all(&[*diagnostic], &self.sources, terminal);
            Stop::Failed
        })
    }
}

/// Checks a file.
pub fn checked(
    file: &Path,
    settings: &[(String, String)],
    registry: &Registry,
    terminal: &Terminal,
) -> Result<Checked, Stop> {
    let path = file.to_string_lossy();
    let text = read_text(&path).map_err(|message| {
        terminal.error(message);
        Stop::Failed
    })?;
    let outside = Disk { registry };
    let mut checked = check(&path, &text, settings, &registry.catalog(), &outside);
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
