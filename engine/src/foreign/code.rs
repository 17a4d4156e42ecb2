//! What a program is: its files and how they are run, by digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::{Identity, Program};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files;

/// The identity of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Of everything below and of how it is run: what is trusted.
    pub digest: Digest,
    /// Of each of its files, by path from the folder of `farcast.toml`.
    pub files: BTreeMap<String, Digest>,
    /// Its identity in keys.
    pub identity: Identity,
}

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
        for path in program.files()? {
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
