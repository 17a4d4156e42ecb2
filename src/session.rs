//! From arguments to a checked experiment and an open store.

use std::path::Path;

use dsl::check::{Checked, check};
use dsl::diagnostic::Diagnostic;
use dsl::experiment::Experiment;
use dsl::render::{Style, render};
use dsl::source::Sources;
use engine::graph::{Graph, lower};
use engine::outside::{Disk, read_text};
use engine::plugin::Registry;
use engine::store::{Access, DirStore, Store};

use crate::args::Subject;
use crate::settings::Settings;
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
    pub fn open(subject: &Subject, settings: &Settings, terminal: &Terminal) -> Result<Self, Stop> {
        let registry = plugins::registry();
        let set = with_profile(&settings.params, &subject.settings);
        let checked = checked(&subject.file, &set, &registry, terminal)?;
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
    Ok(check(&path, &text, settings, &registry.catalog(), &outside))
}

/// Opens the store for what is at this path.
pub fn open_store(
    settings: &Settings,
    near: &Path,
    access: Access,
    terminal: &Terminal,
) -> Result<DirStore, Stop> {
    let store = DirStore::open(&settings.store(near), access).map_err(|fault| {
        terminal.error(fault.to_string());
        Stop::Failed
    })?;
    for problem in store.problems() {
        terminal.note(format!("the journal of the store is damaged: {problem}"));
    }
    Ok(store)
}

/// What the profile sets and `--set` does not, then what `--set` does.
fn with_profile(
    profile: &[(String, String)],
    typed: &[(String, String)],
) -> Vec<(String, String)> {
    let is_typed = |name: &String| typed.iter().any(|(other, _)| other == name);
    let kept = profile.iter().filter(|(name, _)| !is_typed(name));
    kept.chain(typed).cloned().collect()
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
