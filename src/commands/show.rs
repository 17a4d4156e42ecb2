//! `farcast show`: describes one run.

use std::iter;
use std::path::Path;

use dsl::render::printable;
use engine::record::RunRecord;
use engine::store::size_text;
use serde_json::json;

use super::runs::{chosen, described, set};
use super::show_file;
use crate::answer::answer;
use crate::args::Show;
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::scores;
use crate::settings::Settings;
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

pub fn run(args: &Show, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let file = Path::new(&args.run);
    if file.is_file() && !file.ends_with("run.json") {
        return show_file::run(file, args.json, terminal);
    }
    let found = StoredRun::find(&args.run, settings, terminal)?;
    let lines = found
        .scores()
        .map_err(|fault| report_fault(&fault, terminal))?;
    if args.json {
        let mut answer = described(&found.name, &found.record);
        answer["scores"] = json!(lines);
        terminal.answer(&answer);
        return Ok(Exit::Fine);
    }
    terminal.out(aligned_within(
        &facts(&found.name, &found.record),
        terminal.width(),
    ));
    if !found.record.costs.is_empty() {
        terminal.out(format!(
            "\n{}\n",
            aligned_within(&costs(&found.record), terminal.width())
        ));
    }
    if !lines.is_empty() {
        let choices = &found.record.choices;
        terminal.tell(answer(&found.record.means, &lines, choices, &[]));
        let width = terminal.width();
        terminal.out(scores::table(&lines, choices, args.scores, width));
    }
    Ok(Exit::Fine)
}

/// What the results of each statement cost.
fn costs(run: &RunRecord) -> Vec<Vec<String>> {
    let head = ["statement", "plugin", "actions", "seconds", "size"];
    let rows = run.costs.iter().map(|cost| {
        vec![
            printable(&cost.statement),
            printable(&cost.plugin),
            cost.actions.to_string(),
            format!("{:.1}", cost.seconds),
            size_text(cost.bytes),
        ]
    });
    let head = head.map(str::to_owned).to_vec();
    iter::once(head).chain(rows).collect()
}

fn facts(name: &str, run: &RunRecord) -> Vec<Vec<String>> {
    let counts = run.counts;
    let ended = format!(
        "{}: {} ran, {} cached, {} failed in {:.1} s",
        run.ended(),
        counts.ran,
        counts.cached,
        counts.failed,
        run.seconds
    );
    let params = run
        .params
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let plugins = run
        .plugins
        .iter()
        .map(|(name, version)| match run.programs.get(name) {
            Some(code) => format!("{name} {version} (code {})", code.digest.short()),
            None => format!("{name} {version}"),
        });
    let mut facts = vec![
        ("run", name.to_owned()),
        ("experiment", run.experiment.clone()),
    ];
    facts.extend(run.metadata.lines());
    facts.extend([
        ("when", format!("{} UTC on {}", run.time(), run.host)),
        ("file", run.file().to_owned()),
        ("folder", run.folder.clone()),
        ("out", run.out.clone()),
        ("jobs", run.jobs.clone().unwrap_or_default()),
        ("set", set(run)),
        ("params", params.collect::<Vec<_>>().join(", ")),
        ("ended", ended),
        ("chosen", chosen(run)),
        ("farcast", run.farcast.clone()),
        ("plugins", plugins.collect::<Vec<_>>().join(", ")),
    ]);
    facts.extend(run.packages.iter().map(|(name, it)| {
        let tree = it.tree.map_or("as it was".to_owned(), |tree| tree.short());
        let named = match it.version.as_str() {
            "" => name.clone(),
            version => format!("{name} {version}"),
        };
        let text = format!("{named}  {tree}  {}", it.source);
        ("package", text)
    }));
    let data = run.data.iter();
    facts.extend(data.map(|(path, digest)| ("data", format!("{path}  {}", digest.short()))));
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    facts
        .map(|(name, value)| vec![name.to_owned(), printable(&value)])
        .collect()
}
