//! From arguments to a study and an open store; what is wrong with either is printed.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use dsl::check::Checked;
use dsl::diagnostic::{Code, Diagnostic};
use dsl::render;
use dsl::source::Sources;
use dsl::sweep::Choices;
use engine::error::Fault;
use engine::files::FirstSeen;
use engine::graph::Graph;
use engine::output::Export;
use engine::outside::{Disk, KeptTexts, Texts, Watched, read_text};
use engine::packages::{Packages, WithPackages};
use engine::path_text::path_text;
use engine::plugin::Registry;
use engine::store::{Access, DirStore, Record, Store};
use engine::study::{self, Study, StudyError};
use serde_json::json;

use crate::args::ExperimentArgs;
use crate::exit::Abort;
use crate::settings::Settings;
use crate::terminal::Terminal;

/// Reads and checks the experiment; prints every diagnostic.
pub fn study(
    args: &ExperimentArgs,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<Study, Abort> {
    study_for(&[], args, settings, terminal)
}

/// The same where statements are exported, whether or not anything else uses them.
fn study_for(
    exports: &[Export],
    args: &ExperimentArgs,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<Study, Abort> {
    let mut study = checked_study(args, settings, terminal)?;
    if let Ok(study) = &mut study {
        study.allow_unused(exports);
    }
    opened_study(study, terminal).inspect_err(|_| {
        for (name, value) in &settings.params {
            let profile = settings.profile();
            terminal.note(format!("{profile} sets `{name}={value}`"));
        }
    })
}

/// The same once more, with nothing said that was said before.
pub fn study_again(
    args: &ExperimentArgs,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<Study, Abort> {
    let study = checked_study(args, settings, terminal)?;
    study.map_err(|error| abort(&error, terminal))
}

fn checked_study(
    args: &ExperimentArgs,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<Result<Study, StudyError>, Abort> {
    let registry = Arc::new(plugins::registry());
    let seen = FirstSeen::default();
    let disk = Disk {
        registry: &registry,
    };
    let packages = Arc::new(Packages::near(&args.file));
    let world = WithPackages {
        world: &Watched { disk, seen: &seen },
        packages: &packages,
    };
    let set = with_profile(&settings.params, &args.settings);
    let path = path_text(&args.file);
    let text =
        text(&args.file).map_err(|message| abort(&StudyError::Unreadable(message), terminal))?;
    let study = Study::of_text(&path, &text, set, Arc::clone(&registry), &world);
    Ok(study.map(|study| study.with_files(seen).with_packages(packages)))
}

/// An experiment file with these packages; nothing is printed.
pub fn study_of(file: &Path, packages: &Arc<Packages>) -> Result<Study, StudyError> {
    let registry = Arc::new(plugins::registry());
    let world = WithPackages {
        world: &Disk {
            registry: &registry,
        },
        packages,
    };
    let text = text(file).map_err(StudyError::Unreadable)?;
    let path = path_text(file);
    let study = Study::of_text(&path, &text, Vec::new(), Arc::clone(&registry), &world)?;
    Ok(study.with_packages(Arc::clone(packages)))
}

/// The same of texts that were kept, the experiment's own under this path, with the packages that
/// they come from.
pub fn kept_study(
    file: &str,
    texts: &Texts,
    packages: Packages,
    set: Vec<(String, String)>,
    terminal: &Terminal,
) -> Result<Study, Abort> {
    let registry = Arc::new(plugins::registry());
    let world = KeptTexts {
        disk: Disk {
            registry: &registry,
        },
        texts,
    };
    let packages = Arc::new(packages);
    let world = WithPackages {
        world: &world,
        packages: &packages,
    };
    let text = texts.get(file).map_or("", String::as_str);
    let study = Study::of_text(file, text, set, Arc::clone(&registry), &world);
    opened_study(study.map(|study| study.with_packages(packages)), terminal)
}

fn opened_study(study: Result<Study, StudyError>, terminal: &Terminal) -> Result<Study, Abort> {
    let study = study.map_err(|error| abort(&error, terminal))?;
    terminal.diagnostics(&study.warnings, &study.sources);
    if study.experiment.nodes.is_empty() {
        let file = study.file();
        terminal.error(format!(
            "`{file}` has no statements: there is nothing to run"
        ));
        terminal.say("  = help: `farcast new NAME` writes a starter");
        return Err(Abort::Failed);
    }
    Ok(study)
}

/// Prints why a study cannot go on.
pub fn abort(error: &StudyError, terminal: &Terminal) -> Abort {
    match error {
        StudyError::Unreadable(message) => terminal.error(message),
        StudyError::Mistakes(diagnostics, sources) => terminal.diagnostics(diagnostics, sources),
    }
    if terminal.json {
        let diagnostics = match error {
            StudyError::Unreadable(message) => vec![unreadable(message)],
            StudyError::Mistakes(diagnostics, sources) => in_json(diagnostics, sources),
        };
        let answer = json!({ "ok": false, "diagnostics": diagnostics });
        terminal.answer(&answer);
    }
    Abort::Failed
}

/// Diagnostics as `check --json` prints them.
pub fn in_json(diagnostics: &[Diagnostic], sources: &Sources) -> Vec<serde_json::Value> {
    let diagnostics = diagnostics.iter();
    diagnostics
        .map(|diagnostic| json!(render::json(diagnostic, sources)))
        .collect()
}

/// A text that cannot be read, as a diagnostic in JSON.
pub fn unreadable(message: &str) -> serde_json::Value {
    let diagnostic = Diagnostic::without_place(Code::UnreadableFile, message);
    json!(render::json(&diagnostic, &Sources::default()))
}

/// Checks a file.
pub fn checked(
    file: &Path,
    set: &[(String, String)],
    registry: &Registry,
    terminal: &Terminal,
) -> Result<Checked, Abort> {
    let text = text(file).map_err(|message| abort(&StudyError::Unreadable(message), terminal))?;
    let (path, choices) = (path_text(file), Choices::default());
    let packages = Packages::near(file);
    let world = WithPackages {
        world: &Disk { registry },
        packages: &packages,
    };
    Ok(study::check(&path, &text, set, &choices, registry, &world))
}

fn text(file: &Path) -> Result<String, String> {
    let path = path_text(file);
    match file.is_dir() {
        true => Err(format!("`{path}` is a folder: expected an experiment file")),
        false => read_text(&path),
    }
}

/// Reads and checks the experiment, and opens the store beside it.
///
/// A store that is there is read while the text is checked: each takes about as long.
pub fn open(
    args: &ExperimentArgs,
    settings: &Settings,
    access: Access,
    terminal: &Terminal,
) -> Result<(Study, DirStore), Abort> {
    open_for(&[], args, settings, access, terminal)
}

/// The same where statements are exported, whether or not anything else uses them.
pub fn open_for(
    exports: &[Export],
    args: &ExperimentArgs,
    settings: &Settings,
    access: Access,
    terminal: &Terminal,
) -> Result<(Study, DirStore), Abort> {
    let folder = settings.store(&args.file);
    thread::scope(|scope| {
        let store = folder
            .is_dir()
            .then(|| scope.spawn(|| DirStore::open(&folder, access).inspect(DirStore::read_packs)));
        let study = study_for(exports, args, settings, terminal)?;
        let store = match store.map(ScopedJoinHandle::join) {
            Some(opened) => opened.unwrap_or_else(|panic| resume_unwind(panic)),
            None => DirStore::open(&folder, access),
        };
        Ok((study, opened(store, terminal)?))
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

/// Makes the store forget which members diverged, so that they are tried again.
pub fn forget_diverged(graph: &Graph, store: &DirStore) {
    for action in &graph.actions {
        let record = store.records().find(&action.key.digest);
        if let Some(record) = record.filter(Record::is_diverged) {
            store.records().forget(&record);
        }
    }
}
