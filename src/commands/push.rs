//! `farcast push`: results of this store into one that is shared.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::digest::Digest;
use engine::remote::{Pushed, push};
use engine::store::{Access, DirStore, Effect, size_text};
use serde_json::json;

use super::rerun;
use crate::args::{ExperimentArgs, Push};
use crate::exit::{Abort, Exit};
use crate::remotes::{named, signing_key};
use crate::session::{abort, open_store, study};
use crate::settings::Settings;
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

pub fn run(args: &Push, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.json,
        ..*terminal
    };
    let refuse = |fault| report_fault(&fault, terminal);
    if args.key {
        let who = std::env::var("USER").unwrap_or_else(|_| "me".to_owned());
        let key = signing_key().map_err(refuse)?.public();
        terminal.out(format!("{who}:{key}\n"));
        return Ok(Exit::Fine);
    }
    let remote = named(args.to.as_deref(), settings, terminal)?;
    let near = { args.what.iter() }.find(|what| what.ends_with(".farcast"));
    let near = near.map_or(Path::new("."), Path::new);
    let store = open_store(settings, near, Access::Write, terminal)?;
    let mut keys = BTreeSet::new();
    for what in &args.what {
        keys.extend(keys_of(what, &store, settings, terminal)?);
    }
    let keys = (!args.all).then_some(keys);
    let effect = match args.dry_run {
        true => Effect::DryRun,
        false => Effect::Apply,
    };
    let key = signing_key().map_err(refuse)?;
    let pushed = push(&store, remote, keys.as_ref(), &key, effect).map_err(refuse)?;
    for note in &pushed.notes {
        terminal.note(note);
    }
    if args.json {
        terminal.answer(json!({
            "remote": remote.name, "records": pushed.records, "objects": pushed.objects,
            "bytes": pushed.bytes, "there": pushed.there, "broken": pushed.broken,
        }));
    } else {
        say(&pushed, &remote.name, effect, terminal);
    }
    Ok(Exit::Fine)
}

fn say(pushed: &Pushed, remote: &str, effect: Effect, terminal: &Terminal) {
    let verb = match effect {
        Effect::Apply => "pushed",
        Effect::DryRun => "would push",
    };
    let Pushed {
        records,
        objects,
        bytes,
        there,
        broken,
        mended,
        ..
    } = pushed;
    if *broken > 0 {
        terminal.note(format!(
            "{broken} results are left out: their files are not here, or damaged"
        ));
    }
    if *mended > 0 {
        terminal.note(format!("{mended} damaged files of `{remote}` are mended"));
    }
    let size = size_text(*bytes);
    terminal.say(format!(
        "{verb} {records} results to `{remote}`, {objects} files, {size}; {there} were there"
    ));
}

/// The keys of an experiment or a run.
fn keys_of(
    what: &str,
    store: &DirStore,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<BTreeSet<Digest>, Abort> {
    let mut study = match what.ends_with(".farcast") {
        true => {
            let experiment = ExperimentArgs {
                file: PathBuf::from(what),
                settings: Vec::new(),
            };
            study(&experiment, settings, terminal)?
        }
        false => {
            let found = StoredRun::find(what, settings, terminal)?;
            rerun::study(&found.record, terminal)?
        }
    };
    let graph = study.actions(store);
    let graph = graph.map_err(|error| abort(&error, terminal))?;
    let actions = graph.actions.iter();
    Ok(actions.map(|action| action.key.digest).collect())
}
