//! `farcast trust`: lets the program of a plugin run until it changes.

use std::path::{Path, PathBuf};

use dsl::nearest;
use engine::foreign::{Code, Program, described};
use engine::path_text::path_text;

use crate::args::Trust;
use crate::exit::{Abort, Exit};
use crate::remotes::trust;
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::trusted::Trusted;

pub fn run(args: &Trust, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let folder = folder_of(&args.path);
    let remotes = &settings.remotes;
    let remote = |name: &String| remotes.iter().find(|remote| remote.name == *name);
    if let Some(remote) = args.name.as_ref().and_then(remote) {
        return trust(remote, args.withdraw, terminal).map(|()| Exit::Fine);
    }
    let programs = described(&folder).map_err(|fault| {
        terminal.error(fault.message);
        Abort::Failed
    })?;
    let mut trusted = Trusted::read();
    let Some(name) = &args.name else {
        let programs = programs.values().filter(|program| program.is_process());
        for program in programs {
            let code = code(program, terminal)?;
            let state = if trusted.has(&code.digest) {
                "trusted"
            } else {
                "not trusted"
            };
            terminal.out(format!(
                "{}  {}  {state}",
                program.name,
                code.digest.short()
            ));
        }
        for remote in remotes {
            let state = match trusted.has(&remote.identity()) {
                true => "used",
                false => "not used",
            };
            terminal.out(format!("{}  {}  {state}\n", remote.name, remote.address));
        }
        return Ok(Exit::Fine);
    };
    let Some(program) = programs.get(name) else {
        let names = programs.keys().chain(remotes.iter().map(|it| &it.name));
        let near = nearest(name, names.map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        let file = path_text(&folder.join("farcast.toml"));
        terminal.error(format!(
            "`{file}` describes no plugin or shared store `{name}`{hint}"
        ));
        return Err(Abort::Failed);
    };
    let code = code(program, terminal)?;
    let kept = match args.withdraw {
        true => trusted.remove(&code.digest),
        false => trusted.add(code.digest, &format!("{name} {}", program.folder)),
    };
    kept.map_err(|fault| {
        terminal.error(fault.to_string());
        Abort::Failed
    })?;
    let said = if args.withdraw {
        "is trusted no longer"
    } else {
        "is trusted until it changes"
    };
    let digest = code.digest.short();
    terminal.say(format!(
        "`{name}` {said}: `{}`, code {digest}",
        program.runner.run.join(" ")
    ));
    for (path, digest) in &code.files {
        terminal.say(format!("  {}  {path}", digest.short()));
    }
    Ok(Exit::Fine)
}

/// A folder, or that of a file.
pub fn folder_of(path: &Path) -> PathBuf {
    let folder = if path.is_dir() {
        Some(path)
    } else {
        path.parent()
    };
    match folder {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn code(program: &Program, terminal: &Terminal) -> Result<Code, Abort> {
    Code::of(program).map_err(|fault| {
        terminal.error(format!("plugin `{}`: {fault}", program.name));
        Abort::Failed
    })
}
