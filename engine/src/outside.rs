//! The world outside a file, for the checker: used texts and the headers of data files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use dsl::check::{Missing, Outside, ProgramFault};
use dsl::experiment::{Arguments, Declared, NodeId};
use dsl::facts::{About, Complaint, Examined};
use dsl::sweep::search::{Finding, Proposal, Search};
use dsl::sweep::space::Setting;
use dsl::types::{Kind, Schema};

use crate::files::{self, Files, FirstSeen, NotOpened, entries};
use crate::foreign;
use crate::params::Bindings;
use crate::path_text::text_path;
use crate::plugin::Registry;
use crate::search::propose;
use crate::sketch::Sketch;

/// The largest text that is read; the checker refuses smaller ones with a better message.
const LARGEST_TEXT: u64 = 16 << 20;

/// Files on disk, headers read by the plugins that own their formats.
#[derive(Clone, Copy)]
pub struct Disk<'a> {
    /// The plugins.
    pub registry: &'a Registry,
}

impl Outside for Disk<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        // Diagnostics show lines of used files: those of others than experiments stay private,
        // also where a link leads to them.
        if path.starts_with('@') {
            return Err(
                "a path that begins with `@` is in a package, and there are none".to_owned(),
            );
        }
        let is_experiment = |path: &Path| path.extension().is_some_and(|end| end == "farcast");
        let file = text_path(path);
        if !is_experiment(&file) {
            return Err(format!("`{path}` is not a `.farcast` file"));
        }
        if file.canonicalize().is_ok_and(|file| !is_experiment(&file)) {
            return Err(format!(
                "`{path}` links to a file that is not a `.farcast` file"
            ));
        }
        text_of(path, files::open(&text_path(path)))
    }

    fn find(&self, path: &str) -> Result<(), Missing> {
        let files = entries(&text_path(path)).map_err(|fault| fault.to_string())?;
        files
            .iter()
            .try_for_each(|file| match files::look_at(file) {
                // A folder means the files in it.
                Ok(_) | Err(NotOpened::NotAFile("directory")) => Ok(()),
                Err(error) => Err(Missing {
                    message: error.message(file),
                    hints: match error {
                        NotOpened::Missing => Vec::from_iter(files::hint_for_missing(file)),
                        _ => Vec::new(),
                    },
                }),
            })
    }

    fn program(&self, plugin: &Declared) -> Result<(), ProgramFault> {
        foreign::find(plugin).map(drop)
    }

    fn schema(&self, plugin: &str, args: &Arguments) -> Result<Schema, Complaint> {
        schema_of(self.registry, plugin, args, &Files::unchecked())
    }

    fn names(&self, plugin: &str, path: &str) -> Vec<String> {
        let operation = self.registry.get(plugin);
        let names = operation.map(|it| it.names(&text_path(path), &Files::unchecked()));
        names.and_then(Result::ok).unwrap_or_default()
    }

    fn examine<'a>(
        &self,
        plugin: &str,
        kind: Kind,
        args: &'a Arguments,
        about: &'a dyn Fn(NodeId) -> About<'a>,
    ) -> Examined {
        match self.registry.get(plugin) {
            Some(operation) => operation.examine(&Sketch::new(kind, args, about)),
            // A plugin that a file declares.
            None => {
                let call = Sketch::new(kind, args, about);
                let facts = match self.registry.makers().get(&kind) {
                    Some(maker) => maker.facts(&call),
                    None => call.inherited(),
                };
                let complaints = Vec::new();
                Examined { complaints, facts }
            }
        }
    }

    fn propose(&self, search: &Search, score: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
        propose(search, score)
    }
}

/// The same, and what was seen of the files is remembered.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// The files.
    pub disk: Disk<'a>,
    /// What is known of them.
    pub seen: &'a FirstSeen,
}

impl Outside for Watched<'_> {
    fn behind(&self) -> &dyn Outside {
        &self.disk
    }

    fn schema(&self, plugin: &str, args: &Arguments) -> Result<Schema, Complaint> {
        let files = Files::unchecked();
        let schema = schema_of(self.disk.registry, plugin, args, &files);
        self.seen.note(&files);
        schema
    }
}

/// The columns of a source, from the headers of its files.
fn schema_of(
    registry: &Registry,
    plugin: &str,
    args: &Arguments,
    files: &Files,
) -> Result<Schema, Complaint> {
    let bindings = Bindings {
        args: args.clone(),
        inputs: BTreeMap::new(),
    };
    let Some(operation) = registry.get(plugin) else {
        return Ok(Schema::default());
    };
    let schema = operation.schema(&bindings, files);
    schema.map_err(Complaint::from)
}

/// Texts by their paths.
pub type Texts = BTreeMap<String, String>;

/// Texts that were kept, no others; headers of data files from disk.
#[derive(Clone, Copy)]
pub struct KeptTexts<'a> {
    /// The data files.
    pub disk: Disk<'a>,
    /// The texts.
    pub texts: &'a Texts,
}

impl Outside for KeptTexts<'_> {
    fn behind(&self) -> &dyn Outside {
        &self.disk
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let text = self.texts.get(path).cloned();
        text.ok_or_else(|| format!("`{path}` was not kept"))
    }
}

/// The whole of a text that the user names: a file, or what the shell passes as a descriptor.
///
/// # Errors
/// Why it cannot be read, in one line: it is missing, no file, not text, larger than 16 MiB.
pub fn read_text(path: &str) -> Result<String, String> {
    text_of(path, files::open_or_passed(&text_path(path)))
}

fn text_of(path: &str, file: Result<File, NotOpened>) -> Result<String, String> {
    let unreadable = |error| format!("`{path}` cannot be read: {error}");
    let file = file.map_err(|error| match error {
        NotOpened::Missing => format!("`{path}` does not exist"),
        NotOpened::NotAFile(_) => error.message(Path::new(path)),
        NotOpened::Refused(error) => unreadable(error),
    })?;
    let mut bytes = Vec::new();
    let mut limited = file.take(LARGEST_TEXT + 1);
    limited.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_TEXT {
        return Err(format!(
            "`{path}` is larger than {} MiB",
            LARGEST_TEXT >> 20
        ));
    }
    String::from_utf8(bytes).map_err(|_| format!("`{path}` is not text in UTF-8"))
}
