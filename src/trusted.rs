//! Which programs of plugins may run, and which shared stores are used: the digests that the user
//! trusts.
//!
//! One line for each in `~/.config/farcast/trusted`: the digest of the code or the address, then
//! what people call it. What changes has another digest, so it is asked for again.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use dsl::diagnostic::{Code as DiagnosticCode, Diagnostic};
use engine::digest::Digest;
use engine::error::Fault;
use engine::foreign::Provided;
use engine::path_text::path_text;
use engine::store::Store;
use engine::study::{Study, StudyError};

use crate::exit::Abort;
use crate::session::abort;
use crate::terminal::Terminal;

/// The digests of what is trusted.
#[derive(Debug, Default)]
pub struct Trusted {
    path: Option<PathBuf>,
    lines: Vec<(Digest, String)>,
}

impl Trusted {
    /// What the user's configuration says; nothing where there is none.
    pub fn read() -> Self {
        let path = path();
        let text = path.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let line = |line: &str| {
            let (digest, what) = line.split_once(' ').unwrap_or((line, ""));
            Some((Digest::from_str(digest).ok()?, what.to_owned()))
        };
        let lines = text
            .iter()
            .flat_map(|text| text.lines().filter_map(line))
            .collect();
        Self { path, lines }
    }

    /// Whether a program may run.
    pub fn has(&self, digest: &Digest) -> bool {
        self.lines.iter().any(|(known, _)| known == digest)
    }

    /// Trusts a program from now on.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn add(&mut self, digest: Digest, what: &str) -> Result<(), Fault> {
        if !self.has(&digest) {
            self.lines.push((digest, what.replace(['\n', '\r'], " ")));
        }
        self.write()
    }

    /// Trusts these programs no longer.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(&mut self, digest: &Digest) -> Result<(), Fault> {
        self.lines.retain(|(known, _)| known != digest);
        self.write()
    }

    fn write(&self) -> Result<(), Fault> {
        let missing = || Fault::Environment("no folder for settings: set `HOME`".to_owned());
        let path = self.path.as_ref().ok_or_else(missing)?;
        let lines = self.lines.iter();
        let text: String = lines
            .map(|(digest, what)| format!("{digest} {what}\n"))
            .collect();
        engine::output::write_file(path, text.as_bytes())
    }
}

fn path() -> Option<PathBuf> {
    Some(config_folder()?.join("trusted"))
}

/// The folder of what the user decides for all projects.
pub fn config_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let is_absolute = |path: &PathBuf| path.is_absolute();
    let config = folder("XDG_CONFIG_HOME").filter(is_absolute);
    let config = config.or_else(|| Some(folder("HOME").filter(is_absolute)?.join(".config")));
    Some(config?.join("farcast"))
}

/// Refuses a run that would start programs which are not trusted, before anything starts.
pub fn demand_trust(
    study: &mut Study,
    store: &dyn Store,
    is_allowed: bool,
    terminal: &Terminal,
) -> Result<(), Abort> {
    if is_allowed || study.experiment.plugins.is_empty() {
        return Ok(());
    }
    let planned = study.plan(store).map_err(|error| abort(&error, terminal))?;
    let runs = planned.plan.to_run() > 0;
    let called: BTreeSet<&str> = study
        .experiment
        .nodes
        .iter()
        .map(|it| it.plugin.as_str())
        .collect();
    let trusted = Trusted::read();
    let is_open = |provided: &&Provided| {
        provided.program.is_process()
            && called.contains(provided.declaration.signature.name.as_str())
            && !trusted.has(&provided.code.digest)
    };
    if !runs {
        return Ok(());
    }
    let open: Vec<Diagnostic> = study
        .registry
        .provided()
        .filter(is_open)
        .map(|provided| {
            let Provided {
                declaration,
                program,
                code,
            } = provided;
            let plugins = &study.experiment.plugins;
            let plugin = plugins
                .iter()
                .find(|it| it.signature.name == declaration.signature.name);
            let span = plugin.map(|plugin| plugin.place).unwrap_or_default();
            let command = program.runner.run.join(" ");
            let message = format!(
                "plugin `{}` wants to run a program that is not trusted: `{command}`",
                declaration.signature.name
            );
            let folder = PathBuf::from(&program.folder);
            let files = match code.files.len() {
                1 => "1 file".to_owned(),
                files => format!("{files} files"),
            };
            let here = std::env::current_dir().is_ok_and(|here| here == folder);
            let place = if here {
                String::new()
            } else {
                format!(" {}", path_text(&folder))
            };
            Diagnostic::error(DiagnosticCode::Untrusted, span, message)
                .hint(format!(
                    "it runs as you, in `{}`: {files}, code {}",
                    program.folder,
                    code.digest.short()
                ))
                .hint(format!(
                    "read it; then `farcast trust {}{place}`, or `--trust` for this run",
                    program.name
                ))
        })
        .collect();
    match open.is_empty() {
        true => Ok(()),
        false => Err(abort(
            &StudyError::Mistakes(open, study.sources.clone()),
            terminal,
        )),
    }
}
