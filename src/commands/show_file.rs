//! `farcast show FILE`: the run or the export, and the statement, that made a file.

use std::path::Path;

use dsl::render::printable;
use engine::origin::{LoneExport, Origin, lone_export, origin};
use serde_json::json;

use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

/// Describes what made a file of an output folder.
pub fn run(file: &Path, is_json: bool, terminal: &Terminal) -> Result<Exit, Abort> {
    let refuse = |fault| report_fault(&fault, terminal);
    let made = match origin(file) {
        Ok(made) => made,
        Err(fault) => match lone_export(file).map_err(refuse)? {
            Some(export) => return Ok(show_export(file, &export, is_json, terminal)),
            None => return Err(refuse(fault)),
        },
    };
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
    say(facts, terminal);
    Ok(Exit::Fine)
}

/// The same of a file that `farcast export` has written, which no run lists.
fn show_export(file: &Path, export: &LoneExport, is_json: bool, terminal: &Terminal) -> Exit {
    let path = file.display().to_string();
    if is_json {
        terminal.answer(json!({
            "file": path, "made": export.made, "run": null,
            "experiment": export.experiment, "when": export.when,
        }));
        return Exit::Fine;
    }
    let mut facts = vec![("file", path)];
    facts.extend(lines(&export.made));
    facts.extend([
        ("run", "none: by `farcast export`".to_owned()),
        ("experiment", export.experiment.clone()),
        ("when", format!("{} UTC on {}", export.time(), export.host)),
        ("text", export.text.clone()),
    ]);
    say(facts, terminal);
    Exit::Fine
}

fn say(facts: Vec<(&str, String)>, terminal: &Terminal) {
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let rows = facts.map(|(name, value)| vec![name.to_owned(), printable(&value)]);
    let rows: Vec<Vec<String>> = rows.collect();
    terminal.out(aligned_within(&rows, terminal.width()));
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
