//! `farcast rerun`: repeats the run of a `run.json`, and checks that the scores are the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dsl::check::join;
use dsl::render::printable;
use engine::foreign::Code;
use engine::outside::Texts;
use engine::packages::Packages;
use engine::path_text::{path_text, text_path};
use engine::record::{RunRecord, Text};
use engine::store::{Access, DirStore, MemStore, Store};
use engine::study::Study;
use serde_json::json;

use super::run::{Finished, Job, default_out, in_threads};
use super::spot_check;
use crate::args::Rerun;
use crate::exit::{Abort, Exit};
use crate::interrupt::ends_in_order;
use crate::session::{kept_study, open_store};
use crate::settings::Settings;
use crate::stored_run::StoredRun;
use crate::terminal::Terminal;

pub fn run(args: &Rerun, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let found = StoredRun::find(&args.run, settings, terminal)?;
    let record = &found.record;
    let base = base(record);
    let mut study = study(record, terminal)?;
    if let Some(count) = args.spot_check {
        let terminal = &Terminal {
            json: args.options.json,
            ..*terminal
        };
        let store = open_store(settings, args.near(), Access::Read, terminal)?;
        let exit = spot_check::run(&mut study, &store, count, terminal);
        ends_in_order();
        return exit;
    }
    let again = format!("{}-rerun", study.stem());
    let job = Job {
        options: &args.options,
        backend: in_threads(settings),
        out: default_out(settings, &text_path(&format!("{again}.farcast"))),
    };
    if args.fresh {
        let finished = job.run(&mut study, &MemStore::default(), None, terminal);
        ends_in_order();
        let finished = finished?;
        return Ok(verdict(args, record, &base, &finished, terminal));
    }
    let store: DirStore = open_store(settings, args.near(), Access::Write, terminal)?;
    let finished = job.run(&mut study, &store as &dyn Store, Some(&store), terminal);
    ends_in_order();
    let mut finished = finished?;
    finished.keep(&store, terminal);
    Ok(verdict(args, record, &base, &finished, terminal))
}

/// The experiment of a run, as it was.
pub fn study(record: &RunRecord, terminal: &Terminal) -> Result<Study, Abort> {
    let base = base(record);
    let (file, texts) = placed(record, &base);
    let packages = Packages::kept(&base.join(text_path(record.file())), &record.packages);
    kept_study(&file, &texts, packages, record.set.clone(), terminal)
}

/// The folder to which the run's paths are relative: its own, or none for the working folder, if that
/// is the same or the run's no longer exists.
fn base(record: &RunRecord) -> PathBuf {
    let folder = text_path(&record.folder);
    let is_here = std::env::current_dir().is_ok_and(|here| here == folder);
    let is_there = folder.is_absolute()
        && record.data.keys().all(|path| {
            let is_elsewhere = Path::new(path).is_absolute() || path.starts_with('@');
            is_elsewhere || folder.join(text_path(path)).is_file()
        });
    if is_there && !is_here && folder.is_dir() {
        folder
    } else {
        PathBuf::new()
    }
}

/// The texts by their paths relative to the working folder, and the path of the experiment's own.
/// They stay in memory: nothing is written to their paths.
fn placed(record: &RunRecord, base: &Path) -> (String, Texts) {
    let place = |text: &Text| {
        // The texts of packages are not paths on this machine.
        let path = match text.path.starts_with('@') {
            true => text.path.clone(),
            false => join("", &path_text(&base.join(text_path(&text.path)))),
        };
        (path, text.text.clone())
    };
    let file = record.texts.first().map(place).unwrap_or_default().0;
    (file, record.texts.iter().map(place).collect())
}

/// Prints what differs from the run that it repeats.
fn verdict(
    args: &Rerun,
    before: &RunRecord,
    base: &Path,
    finished: &Finished,
    terminal: &Terminal,
) -> Exit {
    let after = &finished.record;
    let differs = differences(before, after, base);
    let is_same = after.ok && after.scores == before.scores;
    let exit = match args.options.json {
        true => finished.complain(terminal),
        false => finished.say(terminal),
    };
    for difference in &differs {
        terminal.note(printable(difference));
    }
    let cached = after.counts.cached;
    if args.options.json {
        let answer = json!({
            "same": is_same, "differs": differs, "ok": after.ok, "seconds": after.seconds,
            "actions": after.counts, "out": after.out,
        });
        terminal.answer(&answer);
    } else if is_same && before.scores.is_none() {
        terminal.say("there are no scores to compare");
    } else if is_same {
        terminal.say("the scores are byte-identical");
        if cached > 0 {
            terminal.say(format!(
                "{cached} results came from the store: `--fresh` computes them again"
            ));
        }
    } else if after.ok {
        let file = base.join(before.file());
        terminal.error(format!(
            "the scores differ: `farcast compare {} {}` shows how",
            args.run, after.out
        ));
        if differs.is_empty() {
            let file = printable(&file.display().to_string());
            terminal.say(format!(
                "  = help: versions, texts and data of `{file}` are the same: another machine may differ in \
                 the last bits"
            ));
        }
    }
    match exit {
        Exit::Fine if !is_same => Exit::Failed,
        other => other,
    }
}

/// The differences in versions, data and params.
fn differences(before: &RunRecord, after: &RunRecord, base: &Path) -> Vec<String> {
    let mut differs = Vec::new();
    let mut differ = |what: &str, old: &str, new: &str| {
        if old != new {
            differs.push(format!("{what} was {old}, is {new}"));
        }
    };
    differ("farcast", &before.farcast, &after.farcast);
    differ(
        "the version of keys",
        &before.key_version.to_string(),
        &after.key_version.to_string(),
    );
    for (plugin, old) in &before.plugins {
        let new = after.plugins.get(plugin);
        let new = new.map_or("not called".to_owned(), u32::to_string);
        differ(
            &format!("the version of plugin `{plugin}`"),
            &old.to_string(),
            &new,
        );
    }
    for (plugin, old) in &before.programs {
        let Some(new) = after.programs.get(plugin) else {
            continue;
        };
        let changed = |path: &&String| old.files.get(*path) != new.files.get(*path);
        let paths = old.files.keys().chain(new.files.keys());
        let files: BTreeSet<&String> = paths.filter(changed).collect();
        for path in files {
            let digest = |code: &Code| {
                let digest = code.files.get(path);
                digest.map_or("not there".to_owned(), |digest| digest.short())
            };
            let what = format!("file `{path}` of plugin `{plugin}`");
            differ(&what, &digest(old), &digest(new));
        }
    }
    for (path, old) in &before.data {
        let here = join("", &path_text(&base.join(text_path(path))));
        let new = after.data.get(&here).or_else(|| after.data.get(path));
        let new = new.map_or("not read".to_owned(), |digest| digest.short());
        differ(&format!("data file `{path}`"), &old.short(), &new);
    }
    for (name, old) in &before.params {
        let new = after.params.get(name).map_or("no param", String::as_str);
        differ(&format!("param `{name}`"), old, new);
    }
    differs
}
