//! `farcast show FILE`: the run and the statement that made a file.

use std::path::Path;

use dsl::render::printable;
use engine::origin::{Origin, origin};
use serde_json::json;

use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

/// Describes what made a file of an output folder.
pub fn run(file: &Path, is_json: bool, terminal: &Terminal) -> Result<Exit, Abort> {
    let refuse = |fault| report_fault(&fault, terminal);
    let made = origin(file).map_err(refuse)?;
    let found = StoredRun::at(&file.with_file_name("run.json"), terminal).map_err(refuse)?;
    let run = &found.record;
    if is_json {
        terminal.answer(json!({
            "file": file.display().to_string(), "made": made, "run": found.name,
            "experiment": run.experiment, "when": run.when,
        }));
        return Ok(Exit::Fine);
    }
    let mut facts = vec![("file", file.display().to_string())];
    facts.extend(made.iter().flat_map(lines));
    facts.extend([
        ("run", found.name.clone()),
        ("experiment", run.experiment.clone()),
        ("when", format!("{} UTC on {}", run.time(), run.host)),
        ("text", run.file().to_owned()),
    ]);
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let rows = facts.map(|(name, value)| vec![name.to_owned(), printable(&value)]);
    let rows: Vec<Vec<String>> = rows.collect();
    terminal.out(aligned_within(&rows, terminal.width()));
    Ok(Exit::Fine)
}

fn lines(made: &Origin) -> [(&'static str, String); 5] {
    let member = made.member.map(|member| member.to_string());
    [
        ("statement", made.statement.clone()),
        ("member", member.unwrap_or_default()),
        ("point", made.point.clone()),
        ("plugin", format!("{} {}", made.plugin, made.version)),
        ("key", made.key.to_string()),
    ]
}
