//! `farcast runs`: lists the runs of a store and their scores.

use std::collections::HashSet;
use std::path::Path;

use dsl::render::printable;
use engine::error::Fault;
use engine::output::write_file;
use engine::path_text::{path_text, text_path};
use engine::record::RunRecord;
use engine::report::{RunRow, render_runs};
use engine::run_index::run_index;
use engine::store::Access;
use serde_json::{Value, json};

use crate::args::Runs;
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::session::open_store;
use crate::settings::Settings;
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

pub fn run(args: &Runs, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let store = open_store(settings, Path::new("."), Access::Read, terminal)?;
    let names = store
        .runs()
        .map_err(|fault| report_fault(&fault, terminal))?;
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let left_out = names.len().saturating_sub(limit.unwrap_or(usize::MAX));
    let mut runs = Vec::new();
    for name in names.into_iter().skip(left_out) {
        match StoredRun::read(&name, &store) {
            Ok(record) => runs.push((name, record)),
            Err(fault) => terminal.note(fault.to_string()),
        }
    }
    if args.json {
        let list: Vec<Value> = runs
            .iter()
            .map(|(name, run)| described(name, run))
            .collect();
        terminal.answer(json!({ "runs": list }));
        return Ok(Exit::Fine);
    }
    if args.csv || args.parquet.is_some() {
        let runs: Vec<(&str, &RunRecord)> = runs.iter().map(|(name, run)| (&**name, run)).collect();
        let index = run_index(&runs).map_err(|fault| report_fault(&fault, terminal))?;
        match &args.parquet {
            None => terminal.out(String::from_utf8_lossy(&index.csv)),
            Some(file) => {
                write_file(file, &index.parquet).map_err(|fault| report_fault(&fault, terminal))?;
                terminal.say(format!("wrote {} runs to `{}`", runs.len(), file.display()));
            }
        }
        return Ok(Exit::Fine);
    }
    if let Some(folder) = &args.html {
        let store = path_text(
            &store
                .path()
                .canonicalize()
                .unwrap_or_else(|_| store.path().into()),
        );
        return index(&runs, folder, (&store, left_out), terminal)
            .map_err(|fault| report_fault(&fault, terminal));
    }
    if runs.is_empty() {
        let store = store.path().display();
        terminal.say(format!("no runs in `{store}`"));
        return Ok(Exit::Fine);
    }
    let heads = ["run", "file", "set", "ended", "seconds", "scores"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|(name, run)| row(name, run)));
    terminal.out(aligned_within(&rows, terminal.width()));
    Ok(Exit::Fine)
}

/// Writes the runs as a page, the newest first, and as a table beside it.
fn index(
    runs: &[(String, RunRecord)],
    folder: &Path,
    (store, left_out): (&str, usize),
    terminal: &Terminal,
) -> Result<Exit, Fault> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Fault::Environment(format!("cannot write `{}`: {error}", folder.display()))
    })?;
    let here = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    // A folder has the report of the last run that wrote to it.
    let mut taken = HashSet::new();
    let rows = runs.iter().rev().map(|(name, run)| {
        let out = text_path(&run.folder).join(text_path(&run.out));
        let report = out.join("report.html");
        let is_own = run.unfinished.is_none() && taken.insert(out) && report.is_file();
        let scores = row(name, run).pop().unwrap_or_default();
        RunRow {
            name: name.clone(),
            report: is_own.then(|| address(&here, &report)),
            when: run.time(),
            title: run.experiment.clone(),
            file: run.file().to_owned(),
            set: set(run),
            ended: run.ended().to_owned(),
            seconds: format!("{:.1}", run.seconds),
            scores,
            mark: match run.ended() {
                "ok" => "",
                "running" => "better",
                _ => "worse",
            },
        }
    });
    let rows: Vec<RunRow> = rows.collect();
    let html = render_runs(store, &rows, left_out)?;
    let named: Vec<(&str, &RunRecord)> = runs.iter().map(|(name, run)| (&**name, run)).collect();
    let file = folder.join("index.html");
    write_file(&folder.join("runs.csv"), &run_index(&named)?.csv)?;
    write_file(&file, html.as_bytes())?;
    terminal.say(format!("wrote {} runs to `{}`", runs.len(), file.display()));
    Ok(Exit::Fine)
}

/// The address of a file as a page in a folder names it: relative, so that both can move.
fn address(folder: &Path, file: &Path) -> String {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let shared = { folder.components() }
        .zip(file.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down = file.components().skip(shared).map(|part| {
        let mut text = String::new();
        for byte in path_text(part.as_os_str().as_ref()).bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    text.push(byte.into());
                }
                byte => text.push_str(&format!("%{byte:02X}")),
            }
        }
        text
    });
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// The points that sweeps chose, separated by commas.
pub fn chosen(run: &RunRecord) -> String {
    let chosen = run.choices.iter().map(|choice| &*choice.point);
    chosen.collect::<Vec<_>>().join(", ")
}

fn row(name: &str, run: &RunRecord) -> Vec<String> {
    let more = run.headlines.len().saturating_sub(1);
    let mut scores = run.headlines.first().cloned().unwrap_or_default();
    if !run.choices.is_empty() {
        let headline = match scores.is_empty() {
            true => String::new(),
            false => format!(": {scores}"),
        };
        scores = chosen(run) + &headline;
    }
    if more > 0 {
        scores.push_str(&format!(" (+{more})"));
    }
    [
        name,
        run.file(),
        &set(run),
        run.ended(),
        &format!("{:.1}", run.seconds),
        &scores,
    ]
    .map(printable)
    .to_vec()
}

/// The params that were set, as `name=value` separated by commas.
pub fn set(run: &RunRecord) -> String {
    let set = run
        .set
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    set.collect::<Vec<_>>().join(", ")
}

/// The run for programs, without its texts.
pub fn described(name: &str, run: &RunRecord) -> Value {
    let mut described = json!({
        "run": name, "when": run.time(), "file": run.file(), "experiment": run.experiment,
        "set": run.set, "params": run.params, "ok": run.ok, "ended": run.ended(), "actions": run.counts,
        "seconds": run.seconds, "host": run.host, "farcast": run.farcast,
        "plugins": run.plugins, "data": run.data, "folder": run.folder, "out": run.out,
        "headlines": run.headlines, "choices": run.choices, "costs": run.costs,
    });
    if !run.metadata.is_empty() {
        described["metadata"] = json!(run.metadata);
    }
    if !run.packages.is_empty() {
        described["packages"] = json!(run.packages);
    }
    if !run.programs.is_empty() {
        described["programs"] = json!(run.programs);
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_relative_and_escaped() {
        let address = |folder: &str, file: &str| address(Path::new(folder), Path::new(file));
        assert_eq!(
            address("/none/site", "/none/out/a b/report.html"),
            "../out/a%20b/report.html"
        );
        assert_eq!(address("/none", "/none/x/r.html"), "x/r.html");
    }
}
