//! `farcast plugin`: writes a plugin to start from, tests one, prepares its environment.

mod conformance;

use std::path::{Path, PathBuf};
use std::process::Command;

use engine::foreign::described;
use engine::output::write_file;
use engine::path_text::path_text;

use crate::args::{PluginCommand, PluginNew, PluginSync};
use crate::commands::trust::folder_of;
use crate::exit::{Abort, Exit};
use crate::terminal::Terminal;

pub fn run(command: &PluginCommand, terminal: &Terminal) -> Result<Exit, Abort> {
    match command {
        PluginCommand::New(args) => new(args, terminal),
        PluginCommand::Test(args) => conformance::run(args, terminal),
        PluginCommand::Sync(args) => sync(args, terminal),
    }
}

/// The files of a starter: name, content.
const PYTHON: [(&str, &str); 3] = [
    ("lib.farcast", include_str!("../starters/python.farcast")),
    (
        "example.farcast",
        include_str!("../starters/python_example.farcast"),
    ),
    ("NAME.py", include_str!("../starters/plugin.py")),
];
const SH: [(&str, &str); 3] = [
    ("lib.farcast", include_str!("../starters/sh.farcast")),
    (
        "example.farcast",
        include_str!("../starters/sh_example.farcast"),
    ),
    ("NAME.sh", include_str!("../starters/plugin.sh")),
];

fn new(args: &PluginNew, terminal: &Terminal) -> Result<Exit, Abort> {
    let name = &args.name;
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !is_name {
        terminal.error("expected a name of small letters, digits and `_`");
        return Err(Abort::Usage);
    }
    if plugins::registry().get(name).is_some() {
        terminal.error(format!(
            "`{name}` is a plugin of farcast: choose another name"
        ));
        return Err(Abort::Usage);
    }
    let folder = PathBuf::from(name);
    if folder.exists() {
        terminal.error(format!("`{name}` already exists"));
        return Err(Abort::Failed);
    }
    let (files, run) = match args.sh && !args.python {
        true => (SH, format!("[\"sh\", \"{name}.sh\"]")),
        false => (PYTHON, format!("[\"{{python}}\", \"{name}.py\"]")),
    };
    let program = files[2].0.replace("NAME", name);
    let toml = format!("[plugin.{name}]\nrun = {run}\nfiles = [\"{program}\"]\n");
    let files = files.map(|(file, text)| (file.replace("NAME", name), text.replace("NAME", name)));
    for (file, text) in files.into_iter().chain([("farcast.toml".to_owned(), toml)]) {
        write_file(&folder.join(file), text.as_bytes()).map_err(|fault| {
            terminal.error(fault.to_string());
            Abort::Failed
        })?;
    }
    terminal.say(format!("wrote `{name}/`: read it, then try"));
    terminal.say(format!("  farcast trust {name} {name}"));
    terminal.say(format!("  farcast plugin test {name}"));
    terminal.say(format!("  farcast run {name}/example.farcast"));
    Ok(Exit::Fine)
}

/// Makes the environment that a `uv.lock` describes; an old one stays until the new one is there.
fn sync(args: &PluginSync, terminal: &Terminal) -> Result<Exit, Abort> {
    let folder = folder_of(&args.folder);
    let fail = |message: String| {
        terminal.error(message);
        Err(Abort::Failed)
    };
    let programs = match described(&folder) {
        Ok(programs) => programs,
        Err(fault) => return fail(fault.message),
    };
    if !programs
        .values()
        .any(|it| it.runner.python.as_deref() == Some("uv"))
    {
        return fail("no plugin here has `python = \"uv\"`: there is nothing to make".to_owned());
    }
    if !folder.join("uv.lock").is_file() {
        let lock = path_text(&folder.join("uv.lock"));
        return fail(format!(
            "there is no `{lock}`: `uv lock` makes it from `pyproject.toml`"
        ));
    }
    let (made, new, old) = (
        folder.join(".venv"),
        folder.join(".venv.new"),
        folder.join(".venv.old"),
    );
    let _ = std::fs::remove_dir_all(&new);
    let uv = Command::new("uv")
        .args(["sync", "--frozen", "--no-install-project"])
        .current_dir(&folder)
        .env("UV_PROJECT_ENVIRONMENT", ".venv.new")
        .env_remove("VIRTUAL_ENV")
        .status();
    let why = match uv {
        Ok(status) if status.success() => return replace(&made, &new, &old, terminal),
        Ok(status) => format!("`uv sync` failed ({status}): nothing was changed"),
        Err(error) => {
            format!(
                "cannot run `uv`: {error}; see https://docs.astral.sh/uv, or use `python = \"venv:.venv\"`"
            )
        }
    };
    let _ = std::fs::remove_dir_all(&new);
    fail(why)
}

fn replace(made: &Path, new: &Path, old: &Path, terminal: &Terminal) -> Result<Exit, Abort> {
    let moved = || {
        let _ = std::fs::remove_dir_all(old);
        if made.exists() {
            std::fs::rename(made, old)?;
        }
        std::fs::rename(new, made)
    };
    if let Err(error) = moved() {
        terminal.error(format!("cannot replace `{}`: {error}", path_text(made)));
        return Err(Abort::Failed);
    }
    let _ = std::fs::remove_dir_all(old);
    terminal.say(format!("`{}` is as `uv.lock` says", path_text(made)));
    Ok(Exit::Fine)
}
