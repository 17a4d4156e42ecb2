//! What a program is: its files and how they are run, by digest.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::manifest::{Identity, Program};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files;
use crate::path_text::path_text;

/// The identity of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Of everything below and of how it is run: what is trusted.
    pub digest: Digest,
    /// Of each of its files, by path from the folder of `farcast.toml`.
    pub files: BTreeMap<String, Digest>,
    /// What stands for it in keys.
    pub identity: Identity,
}

/// The most files a program may be made of.
const MOST_FILES: usize = 10_000;

/// Keys name each file of a program with at most as many as these.
const MOST_NAMED: usize = 64;

impl Code {
    /// The identity of a program, from the files on disk.
    ///
    /// # Errors
    /// When a file cannot be read, or a pattern matches none.
    pub fn of(program: &Program) -> Result<Self, Fault> {
        let folder = program.folder();
        let mut files = BTreeMap::new();
        for path in listed(program)? {
            let file = files::open(&folder.join(&path))
                .map_err(|error| Fault::Environment(error.message(&folder.join(&path))))?;
            files.insert(path, Digest::of_reader(file)?);
        }
        let runner = &program.runner;
        let mut text = String::from("farcast-code 1\n");
        for word in &runner.run {
            text.push_str(&format!("run {word:?}\n"));
        }
        let python = runner.python.iter().map(|it| format!("python {it:?}\n"));
        let wasm = runner.wasm.iter().map(|it| format!("wasm {it:?}\n"));
        let env = runner.env.iter().map(|it| format!("env {it:?}\n"));
        let writes = runner.writes.iter().map(|it| format!("writes {it:?}\n"));
        text.extend(python.chain(wasm).chain(env).chain(writes));
        for (path, digest) in &files {
            text.push_str(&format!("{digest} {path:?}\n"));
        }
        Ok(Self {
            digest: Digest::of(text.as_bytes()),
            files,
            identity: runner.identity,
        })
    }

    /// Its lines in a key.
    pub fn key_lines(&self) -> String {
        if self.identity == Identity::Version {
            return "code as-declared\n".to_owned();
        }
        let mut text = format!("code {}\n", self.digest);
        if self.files.len() <= MOST_NAMED {
            for (path, digest) in &self.files {
                let path = path.replace(['\n', '\r'], " ").replace(" = ", " ");
                text.push_str(&format!("file {path} = {digest}\n"));
            }
        }
        text
    }
}

/// The files of a program, sorted.
pub(super) fn listed(program: &Program) -> Result<Vec<String>, Fault> {
    let folder = program.folder();
    let mut patterns = program.runner.files.clone();
    patterns.extend(program.runner.wasm.clone());
    if program.runner.python.as_deref() == Some("uv") {
        patterns.push("uv.lock".to_owned());
    }
    let mut found = Vec::new();
    for pattern in &patterns {
        if Path::new(pattern).is_absolute() || pattern.split('/').any(|part| part == "..") {
            return Err(Fault::Environment(format!(
                "`{pattern}` leaves the folder of `farcast.toml`"
            )));
        }
        let parts: Vec<&str> = pattern
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        let before = found.len();
        walk(&folder, "", &parts, &mut found)?;
        if found.len() == before {
            return Err(Fault::Environment(format!("no file matches `{pattern}`")));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The files below a folder that match; `**` stands for any folders, hidden ones left out.
fn walk(
    folder: &Path,
    prefix: &str,
    pattern: &[&str],
    found: &mut Vec<String>,
) -> Result<(), Fault> {
    let Some((first, rest)) = pattern.split_first() else {
        return Ok(());
    };
    if *first == "**" {
        walk(folder, prefix, rest, found)?;
    }
    let is_literal = !first.contains('*') && *first != "**";
    if is_literal {
        let path = folder.join(first);
        let name = format!("{prefix}{first}");
        return match fs::metadata(&path) {
            Ok(it) if it.is_file() && rest.is_empty() => add(found, name),
            Ok(it) if it.is_dir() && !rest.is_empty() => {
                walk(&path, &format!("{name}/"), rest, found)
            }
            _ => Ok(()),
        };
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(_) => return Ok(()),
    };
    for entry in entries {
        let entry = entry?;
        let name = path_text(Path::new(&entry.file_name()));
        let kind = entry.file_type()?;
        let is_hidden = name.starts_with('.') || name == "__pycache__";
        if *first == "**" {
            if kind.is_dir() && !is_hidden {
                walk(&entry.path(), &format!("{prefix}{name}/"), pattern, found)?;
            }
        } else if files::matches(first, &name) && (!is_hidden || first.starts_with('.')) {
            let name = format!("{prefix}{name}");
            if rest.is_empty() && !kind.is_dir() && entry.path().is_file() {
                add(found, name)?;
            } else if !rest.is_empty() && kind.is_dir() {
                walk(&entry.path(), &format!("{name}/"), rest, found)?;
            }
        }
    }
    Ok(())
}

fn add(found: &mut Vec<String>, name: String) -> Result<(), Fault> {
    found.push(name);
    match found.len() > MOST_FILES {
        true => Err(Fault::Environment(format!(
            "more than {MOST_FILES} files match"
        ))),
        false => Ok(()),
    }
}
