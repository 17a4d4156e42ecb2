//! `farcast new`: a commented starter that runs.

use std::path::PathBuf;

use engine::output::write_file;

use crate::args::New;
use crate::exit::{Abort, Exit};
use crate::terminal::Terminal;

/// A starter for one method: it needs no data of its own and runs anywhere in seconds.
pub struct Template {
    /// What `--from` calls it.
    pub name: &'static str,
    text: &'static str,
}

macro_rules! template {
    ($name:literal, $file:literal) => {
        Template {
            name: $name,
            text: include_str!(concat!("../../experiments/smoke/", $file)),
        }
    };
}

/// Every starter, that of `farcast new` without `--from` first.
pub const TEMPLATES: &[Template] = &[
    template!("conditional", "starter.farcast"),
    template!("farcast", "farcast.farcast"),
    template!("know", "know.farcast"),
];

pub fn run(args: &New, terminal: &Terminal) -> Result<Exit, Abort> {
    let plain = args
        .name
        .chars()
        .all(|c| c.is_alphanumeric() || "-_".contains(c));
    if args.name.is_empty() || !plain {
        terminal.error("expected a name of letters, digits, `-` and `_`");
        return Err(Abort::Usage);
    }
    let path = PathBuf::from(format!("{}.farcast", args.name));
    if path.exists() {
        terminal.error(format!("`{}` exists already", path.display()));
        return Err(Abort::Failed);
    }
    let template = TEMPLATES.iter().find(|template| template.name == args.from);
    let text = template.map_or("", |template| template.text);
    write_file(&path, text.as_bytes()).map_err(|fault| {
        terminal.error(fault.to_string());
        Abort::Failed
    })?;
    terminal.say(format!(
        "wrote `{0}`: try `farcast run {0}`",
        path.display()
    ));
    Ok(Exit::Fine)
}
