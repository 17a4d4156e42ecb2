//! The project of the working folder: its `farcast.toml`, its lock, and what fetching does to them.

use std::path::{Path, PathBuf};

use dsl::source::{Source, Sources};
use engine::bundle::unpacked;
use engine::error::Fault;
use engine::output::write_file;
use engine::packages::{Fetched, Fetcher, Freedom, LOCK, Lock, MANIFEST, Manifest, project_files};
use engine::path_text::path_text;
use engine::store::project_file;

use crate::exit::Abort;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

/// A project.
pub struct Project {
    /// The folder of its `farcast.toml`.
    pub folder: PathBuf,
    /// The text of that file; empty where there is none.
    pub text: String,
    /// What it says of packages.
    pub manifest: Manifest,
    /// What was fetched.
    pub lock: Lock,
}

impl Project {
    /// The one of the working folder; says what is wrong with its files.
    pub fn open(terminal: &Terminal) -> Result<Self, Abort> {
        let file = project_file(Path::new("."));
        let folder = file.as_deref().and_then(Path::parent);
        let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
        let text = match &file {
            Some(file) => std::fs::read_to_string(file).map_err(|error| {
                terminal.error(format!("`{}` cannot be read: {error}", file.display()));
                Abort::Failed
            })?,
            None => String::new(),
        };
        let manifest = parsed(&text, &path_text(&folder.join(MANIFEST)), terminal)?;
        let refuse = |fault: Fault| report_fault(&fault, terminal);
        let (_, lock) = project_files(&folder).map_err(refuse)?;
        Ok(Self {
            folder,
            text,
            manifest,
            lock,
        })
    }

    /// Fetches the dependencies of a manifest that are missing.
    pub fn fetched(&self, manifest: &Manifest, freedom: Freedom) -> Result<Fetched, Fault> {
        let fetcher = Fetcher {
            project: &self.folder,
            manifest,
            lock: &self.lock,
            freedom,
            unpack: &unpacked,
        };
        fetcher.fetch()
    }

    /// That the tag of a dependency is where it was.
    pub fn refuse_moved(&self, name: &str) -> Result<(), Fault> {
        let fetcher = Fetcher {
            project: &self.folder,
            manifest: &self.manifest,
            lock: &self.lock,
            freedom: Freedom::default(),
            unpack: &unpacked,
        };
        match self.manifest.dependencies.get(name) {
            Some(dependency) => fetcher.refuse_moved(name, &dependency.source),
            None => Ok(()),
        }
    }

    /// Writes the lock where it differs, and says what was fetched.
    pub fn keep(
        &self,
        fetched: &Fetched,
        freedom: Freedom,
        terminal: &Terminal,
    ) -> Result<(), Abort> {
        let refuse = |fault: Fault| report_fault(&fault, terminal);
        let is_new = fetched.lock != self.lock && !freedom.frozen;
        if is_new && freedom.locked {
            let message = format!(
                "`{LOCK}` names packages that nobody uses, and `--locked` keeps it as it is"
            );
            return Err(refuse(Fault::user(message)));
        }
        for (source, locked) in &fetched.lock.packages {
            if fetched.new.contains(&locked.name) {
                terminal.say(format!(
                    "fetched `{}`  {source}  {}",
                    locked.name,
                    locked.tree.short()
                ));
            }
        }
        if is_new {
            let file = self.folder.join(LOCK);
            write_file(&file, fetched.lock.text().as_bytes()).map_err(refuse)?;
            terminal.say(format!("wrote `{LOCK}`"));
        }
        Ok(())
    }

    /// Writes the `farcast.toml`.
    pub fn write(&self, text: &str, terminal: &Terminal) -> Result<(), Abort> {
        let file = self.folder.join(MANIFEST);
        write_file(&file, text.as_bytes()).map_err(|fault| report_fault(&fault, terminal))
    }
}

/// What a `farcast.toml` says of packages; its mistakes are printed.
pub fn parsed(text: &str, path: &str, terminal: &Terminal) -> Result<Manifest, Abort> {
    Manifest::parse(text).map_err(|found| {
        let mut sources = Sources::default();
        sources.add(Source::new(path, text));
        terminal.diagnostics(&found, &sources);
        Abort::Failed
    })
}
