//! `farcast new`: a commented starter that runs.

use std::path::PathBuf;

use engine::output::write_file;

use super::Exit;
use crate::args::New;
use crate::session::Stop;
use crate::terminal::Terminal;

/// The starter: synthetic data, so that it runs anywhere in seconds.
const STARTER: &str = include_str!("../../experiments/smoke/starter.farcast");

pub fn run(args: &New, terminal: &Terminal) -> Result<Exit, Stop> {
    let plain = args
        .name
        .chars()
        .all(|c| c.is_alphanumeric() || "-_".contains(c));
    if args.name.is_empty() || !plain {
        terminal.error("expected a name of letters, digits, `-` and `_`");
        return Err(Stop::Usage);
    }
    let path = PathBuf::from(format!("{}.farcast", args.name));
    if path.exists() {
        terminal.error(format!("`{}` exists already", path.display()));
        return Err(Stop::Failed);
    }
    write_file(&path, STARTER.as_bytes()).map_err(|fault| {
        terminal.error(fault.to_string());
        Stop::Failed
    })?;
    terminal.say(format!(
        "wrote `{0}`: try `farcast run {0}`",
        path.display()
    ));
    Ok(Exit::Fine)
}
