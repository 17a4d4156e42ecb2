//! How the program of a plugin is run: `[plugin.NAME]` of a `farcast.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use dsl::check::ProgramFault;
use dsl::experiment::Declared;
use dsl::nearest;
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use super::listing::listed;
use crate::error::Fault;
use crate::files;
use crate::path_text::{path_text, text_path};
use crate::reasons::{reason, unknown_key};

/// A program and how it is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What `farcast.toml` calls it.
    pub name: String,
    /// The folder of that file, absolute.
    pub folder: String,
    /// What is written there.
    #[serde(flatten)]
    pub runner: Runner,
}

/// What `[plugin.NAME]` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runner {
    /// The program and its arguments; `{python}` and `{folder}` are replaced.
    #[serde(default)]
    pub run: Vec<String>,
    /// A WebAssembly module, in place of a program.
    #[serde(default)]
    pub wasm: Option<String>,
    /// Where `{python}` is: `venv:FOLDER`, `uv`, or a program; `python3` when left out.
    #[serde(default)]
    pub python: Option<String>,
    /// The files it is made of, as patterns.
    #[serde(default)]
    pub files: Vec<String>,
    /// Whether its identity in keys is the digest of its files or the declared version.
    #[serde(default)]
    pub identity: Identity,
    /// Names of environment variables that it sees.
    #[serde(default)]
    pub env: Vec<String>,
    /// Whether equal calls give equal bytes.
    #[serde(default = "yes")]
    pub deterministic: bool,
    /// Seconds without a sign of life after which a call is given up.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// The largest result in megabytes.
    #[serde(default = "largest")]
    pub largest: u64,
    /// Instructions that a module may take in a call, about.
    #[serde(default = "fuel")]
    pub fuel: u64,
    /// The memory of a module in megabytes.
    #[serde(default = "memory")]
    pub memory: u64,
    /// Threads of a call.
    #[serde(default = "one")]
    pub threads: u32,
    /// Folders it may write to, beside that of the call.
    #[serde(default)]
    pub writes: Vec<String>,
}

/// The identity of a program in keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The digest of its files.
    #[default]
    Files,
    /// The version in its declaration.
    Version,
}

fn yes() -> bool {
    true
}

fn largest() -> u64 {
    4096
}

fn fuel() -> u64 {
    1_000_000_000_000
}

fn memory() -> u64 {
    1024
}

fn one() -> u32 {
    1
}

/// The largest `farcast.toml` that is read.
const LARGEST_TEXT: u64 = 1 << 20;

/// The program of a declared plugin, found beside the file that declares it.
///
/// # Errors
/// What is missing or wrong.
pub fn find(plugin: &Declared) -> Result<Program, ProgramFault> {
    let folder = match plugin.folder.as_str() {
        "" => Path::new("."),
        folder => &text_path(folder),
    };
    let mut programs = described(folder)?;
    let Some(program) = programs.remove(&plugin.from) else {
        let file = folder.join(FILE);
        let file = path_text(file.strip_prefix(".").unwrap_or(&file));
        let names = programs.keys().map(String::as_str);
        let meant = nearest(&plugin.from, names);
        let hint = match (meant, programs.is_empty()) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, true) => "`farcast plugin new` writes a working one".to_owned(),
            (None, false) => format!(
                "programs: `{}`",
                programs.into_keys().collect::<Vec<_>>().join("`, `")
            ),
        };
        return Err(fault(
            format!("`{file}` has no `[plugin.{}]`", plugin.from),
            hint,
        ));
    };
    program.validate()?;
    Ok(program)
}

/// The name of the file that describes programs.
pub(super) const FILE: &str = "farcast.toml";

/// All programs that the `farcast.toml` of a folder describes, by name.
///
/// # Errors
/// When it is missing or what it says of programs is wrong.
pub fn described(folder: &Path) -> Result<BTreeMap<String, Program>, ProgramFault> {
    let path = folder.join(FILE);
    let shown = path_text(path.strip_prefix(".").unwrap_or(&path));
    let unreadable = |why: String| {
        fault(
            format!("`{shown}`, which says how it is run, cannot be read: {why}"),
            "`farcast plugin new NAME` writes a working plugin",
        )
    };
    let file = files::open(&path).map_err(|error| match error {
        files::NotOpened::Missing => fault(
            format!("there is no `{shown}`, which says how it is run"),
            "`farcast plugin new NAME` writes a working plugin",
        ),
        other => unreadable(other.message(&path)),
    })?;
    let mut text = String::new();
    let mut limited = file.take(LARGEST_TEXT);
    limited
        .read_to_string(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    let table = DeTable::parse(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        fault(
            format!(
                "`{shown}`, line {line}: {}",
                error.message().replace('\n', ", ")
            ),
            "",
        )
    })?;
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut programs = BTreeMap::new();
    let Some(plugins) = table.get_ref().get("plugin") else {
        return Ok(programs);
    };
    let DeValue::Table(plugins) = plugins.get_ref() else {
        return Err(fault(
            format!("`{shown}`: `plugin` is not a table"),
            "write `[plugin.NAME]`",
        ));
    };
    for (name, value) in plugins {
        let name = name.get_ref().to_string();
        let line = |start: usize| 1 + text[..start.min(text.len())].matches('\n').count();
        let place = |start: usize| format!("`{shown}`, line {}, `[plugin.{name}]`", line(start));
        let DeValue::Table(entry) = value.get_ref() else {
            let message = format!("{}: expected a table", place(value.span().start));
            return Err(fault(message, "write `[plugin.NAME]` on a line of its own"));
        };
        // Key by key, so that a mistake is found at its own.
        for (key, value) in entry {
            let one = serde_json::json!({ key.get_ref().as_ref(): json(value.get_ref()) });
            let read = serde_json::from_value::<Runner>(one);
            read.map_err(|error| bad_key(&place(key.span().start), key.get_ref(), &error))?;
        }
        let read = serde_json::from_value(json(value.get_ref()));
        let runner: Runner = read.map_err(|error| {
            fault(
                format!("{}: {}", place(value.span().start), reason(&error)),
                "",
            )
        })?;
        let program = Program {
            name: name.clone(),
            folder: path_text(&folder),
            runner,
        };
        programs.insert(name, program);
    }
    Ok(programs)
}

/// Why a key of `[plugin.NAME]` cannot be read.
fn bad_key(place: &str, key: &str, error: &serde_json::Error) -> ProgramFault {
    let text = error.to_string();
    let Some((_, known)) = unknown_key(&text) else {
        return fault(format!("{place}: `{key}`: {}", reason(error)), "");
    };
    let hint = match nearest(key, known.split(", ").map(|key| key.trim_matches('`'))) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("keys: {known}"),
    };
    fault(format!("{place}: unknown key `{key}`"), hint)
}

fn json(value: &DeValue) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix());
            parsed.map_or(serde_json::Value::Null, Into::into)
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().replace('_', "").parse::<f64>();
            parsed.map_or(serde_json::Value::Null, Into::into)
        }
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => {
            let pairs = table.iter();
            pairs
                .map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())))
                .collect()
        }
        DeValue::Datetime(time) => time.to_string().into(),
    }
}

fn fault(message: impl Into<String>, hint: impl Into<String>) -> ProgramFault {
    let hint: String = hint.into();
    ProgramFault {
        message: message.into(),
        hint: (!hint.is_empty()).then_some(hint),
    }
}

impl Program {
    /// Its files below its folder, sorted.
    ///
    /// # Errors
    /// When a pattern leaves the folder or matches nothing, or too many files match.
    pub(super) fn files(&self) -> Result<Vec<String>, Fault> {
        let mut patterns = self.runner.files.clone();
        patterns.extend(self.runner.wasm.clone());
        if self.runner.python.as_deref() == Some("uv") {
            patterns.push("uv.lock".to_owned());
        }
        listed(&self.folder(), &patterns)
    }

    /// The folder of its `farcast.toml`.
    pub fn folder(&self) -> PathBuf {
        text_path(&self.folder)
    }

    /// Where `{python}` is.
    pub fn python(&self) -> PathBuf {
        match self.runner.python.as_deref() {
            None => PathBuf::from("python3"),
            Some("uv") => self.folder().join(".venv/bin/python"),
            Some(python) => match python.strip_prefix("venv:") {
                Some(venv) => self.folder().join(venv).join("bin/python"),
                None => PathBuf::from(python),
            },
        }
    }

    /// The program and its arguments.
    pub fn command(&self) -> Vec<String> {
        let python = path_text(&self.python());
        let replaced = |word: &String| {
            word.replace("{python}", &python)
                .replace("{folder}", &self.folder)
        };
        self.runner.run.iter().map(replaced).collect()
    }

    /// Whether it needs Python's side of the protocol.
    pub fn is_python(&self) -> bool {
        self.runner.run.iter().any(|word| word.contains("{python}"))
    }

    /// Whether its code runs as a process, which only what is trusted may.
    pub fn is_process(&self) -> bool {
        self.runner.wasm.is_none()
    }

    fn validate(&self) -> Result<(), ProgramFault> {
        let name = &self.name;
        let at = |message: &str, hint: &str| {
            Err(fault(
                format!("`[plugin.{name}]` in `{FILE}`: {message}"),
                hint,
            ))
        };
        let Runner {
            run,
            wasm,
            files,
            env,
            timeout,
            largest,
            threads,
            ..
        } = &self.runner;
        match (run.is_empty(), wasm) {
            (true, None) => {
                return at(
                    "expected `run` or `wasm`, found neither",
                    "write the program and its arguments: `run = [\"{python}\", \"-m\", \"robust\"]`",
                );
            }
            (false, Some(_)) => return at("expected `run` or `wasm`, found both", ""),
            _ => {}
        }
        if files.is_empty() && wasm.is_none() {
            return at(
                "`files` is missing: what the program is made of",
                "write patterns: `files = [\"robust/**/*.py\"]`",
            );
        }
        if let Some(name) = env
            .iter()
            .find(|it| it.is_empty() || it.contains(['=', '\0']))
        {
            return at(&format!("`env`: `{name}` is not a name of a variable"), "");
        }
        if *timeout == Some(0) || *largest == 0 || *threads == 0 {
            return at("`timeout`, `largest` and `threads` are at least 1", "");
        }
        if let Some(python) = &self.runner.python {
            let found = self.python();
            let is_path = python == "uv" || python.starts_with("venv:") || python.contains('/');
            if is_path && !found.is_file() {
                let hint = match python.as_str() {
                    "uv" => "`farcast plugin sync` makes it from `uv.lock`",
                    _ => "make it: `python3 -m venv .venv`",
                };
                return at(
                    &format!("`python`: there is no `{}`", path_text(&found)),
                    hint,
                );
            }
        }
        if let Some(wasm) = wasm {
            if !self.folder().join(wasm).is_file() {
                return at(&format!("`wasm`: there is no `{wasm}`"), "");
            }
            return Ok(());
        }
        let command = self.command();
        let first = command.first().map(String::as_str).unwrap_or_default();
        match executable(first, &self.folder()) {
            Executable::Found(_) => {}
            Executable::Missing => {
                return at(
                    &format!("there is no program `{first}`"),
                    "a program with a `/` is looked for in the folder of `farcast.toml`, others in `PATH`",
                );
            }
            Executable::NotExecutable(path) => {
                return at(
                    &format!("`{}` is not executable", path_text(&path)),
                    "`chmod +x` makes it so, or name its interpreter: `run = [\"sh\", \"plugin.sh\"]`",
                );
            }
        }
        if let Err(error) = self.files() {
            return at(
                &format!("`files`: {error}"),
                "patterns start at the folder of `farcast.toml`: `src/**/*.py`",
            );
        }
        Ok(())
    }
}

/// Where a program is.
pub(super) enum Executable {
    Found(PathBuf),
    Missing,
    NotExecutable(PathBuf),
}

/// Looks for a program: in a folder where its name has a `/`, in `PATH` otherwise.
pub(super) fn executable(name: &str, folder: &Path) -> Executable {
    let state = |path: PathBuf| match fs::metadata(&path) {
        Ok(found) if found.is_file() && may_run(&found) => Executable::Found(path),
        Ok(found) if found.is_file() => Executable::NotExecutable(path),
        _ => Executable::Missing,
    };
    if name.contains('/') {
        return state(folder.join(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for place in std::env::split_paths(&path).filter(|place| place.is_absolute()) {
        if let found @ Executable::Found(_) = state(place.join(name)) {
            return found;
        }
    }
    Executable::Missing
}

#[cfg(unix)]
fn may_run(found: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0
}

#[cfg(not(unix))]
fn may_run(_: &fs::Metadata) -> bool {
    true
}
