//! `farcast new`: writes a commented starter that runs.

use std::path::PathBuf;

use engine::output::write_file;

use crate::args::New;
use crate::exit::{Abort, Exit};
use crate::templates::TEMPLATES;
use crate::terminal::Terminal;

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
        terminal.error(format!("`{}` already exists", path.display()));
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
