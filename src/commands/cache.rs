//! `farcast cache`: inspects and cleans the store of results.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use dsl::render::printable;
use engine::cluster::{KEPT, forget_ended};
use engine::digest::Digest;
use engine::error::Fault;
use engine::graph::Graph;
use engine::path_text::path_text;
use engine::remote::{self, Look, Remote, Usage};
use engine::store::{Access, DirStore, Effect, GcPolicy, OnDamage, Store, VerifyReport, size_text};
use serde_json::{Value, json};

use super::{rerun, why};
use crate::args::{Cache, ExperimentArgs, ForPrograms, Gc};
use crate::exit::{Abort, Exit};
use crate::remotes::{Consent, named, shared};
use crate::session::{abort, open_store, study};
use crate::settings::Settings;
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

pub fn run(args: &Cache, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let here = Path::new(".");
    let open = |access| open_store(settings, here, access, terminal);
    let done = match args {
        Cache::Path => {
            terminal.out(format!("{}\n", settings.store(here).display()));
            Ok(Exit::Fine)
        }
        Cache::Ls(output) => {
            let store = open(Access::Read)?;
            let shared = shared(&store, settings, Consent::Asked, Look::Known, terminal).usage();
            ls(&store, &shared, *output, terminal)
        }
        Cache::Du(output) => du(&open(Access::Read)?, *output, terminal),
        Cache::Why(args) => return why::run(args, settings, terminal),
        Cache::Verify { repair, output } => {
            let (access, on_damage) = match repair {
                false => (Access::Read, OnDamage::Report),
                true => (Access::Write, OnDamage::SetAside),
            };
            verify(&open(access)?, on_damage, *output, terminal)
        }
        Cache::Gc(Gc {
            remote: Some(name),
            dry_run,
            output,
            ..
        }) => {
            let remote = named(Some(name), settings, terminal)?;
            return gc_remote(remote, effect(*dry_run), *output, terminal);
        }
        Cache::Gc(args) => {
            let store = open(Access::Write)?;
            let policy = policy(args, &store, settings, terminal)?;
            gc(&store, policy, args.output, terminal)
        }
        Cache::Pin { run } => {
            let store = open(Access::Write)?;
            let found = StoredRun::find(run, settings, terminal)?;
            let mut study = rerun::study(&found.record, terminal)?;
            let graph = study
                .actions(&store)
                .map_err(|error| abort(&error, terminal))?;
            let keys = keys(&graph);
            let name = format!("{}-{}", found.record.when, study.stem());
            let pinned = store.pin(&name, &keys).map(|()| Exit::Fine);
            if pinned.is_ok() {
                terminal.say(format!("pinned {} results as `{name}`", keys.len()));
            }
            pinned
        }
        Cache::Unpin { pin } => unpin(&open(Access::Write)?, pin, terminal),
    };
    done.map_err(|fault| {
        terminal.error(fault.to_string());
        Abort::Failed
    })
}

/// What `gc` may remove.
fn policy(
    args: &Gc,
    store: &DirStore,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<GcPolicy, Abort> {
    let mut only = BTreeSet::new();
    for file in &args.only {
        let experiment = ExperimentArgs {
            file: file.clone(),
            settings: Vec::new(),
        };
        let mut study = study(&experiment, settings, terminal)?;
        let graph = study
            .actions(store)
            .map_err(|error| abort(&error, terminal))?;
        only.extend(keys(&graph));
    }
    Ok(GcPolicy {
        older_than: args
            .older_than
            .map(|days| Duration::from_secs(days.saturating_mul(24 * 3600))),
        only: (!args.only.is_empty()).then_some(only),
        max_bytes: args.max_size,
        effect: effect(args.dry_run),
    })
}

fn keys(graph: &Graph) -> BTreeSet<Digest> {
    graph
        .actions
        .iter()
        .map(|action| action.key.digest)
        .collect()
}

fn unpin(store: &DirStore, pin: &str, terminal: &Terminal) -> Result<Exit, Fault> {
    let pins = store.pins()?;
    if pins.iter().any(|known| known == pin) && store.unpin(pin)? {
        return Ok(Exit::Fine);
    }
    terminal.error(format!("there is no pin `{pin}`"));
    if !pins.is_empty() {
        terminal.say(format!("  = help: pins: `{}`", pins.join("`, `")));
    }
    Ok(Exit::Failed)
}

/// How much each plugin stores; an object that several results share counts for the first.
fn du(store: &DirStore, output: ForPrograms, terminal: &Terminal) -> Result<Exit, Fault> {
    let mut seen = BTreeSet::new();
    let mut plugins: BTreeMap<String, u64> = BTreeMap::new();
    for record in store.records().all() {
        let own: u64 = record
            .objects()
            .filter(|(_, digest, _)| seen.insert(*digest))
            .map(|(_, _, size)| size)
            .sum();
        *plugins.entry(record.plugin().to_owned()).or_default() += own;
    }
    let referred: u64 = plugins.values().sum();
    let mut plugins: Vec<(String, u64)> = plugins.into_iter().collect();
    plugins.sort_by_key(|(_, bytes)| Reverse(*bytes));
    let usage = store.usage()?;
    let unreferred = usage.bytes.saturating_sub(referred);
    if output.json {
        let plugins = plugins.iter();
        let plugins = plugins.map(|(plugin, bytes)| json!({ "plugin": plugin, "bytes": bytes }));
        terminal.answer(json!({
            "plugins": plugins.collect::<Vec<_>>(), "unneeded_bytes": unreferred,
            "bytes": usage.bytes,
        }));
        return Ok(Exit::Fine);
    }
    for (plugin, bytes) in plugins {
        terminal.out(format!("{:>10}  {plugin}\n", size_text(bytes)));
    }
    terminal.out(format!(
        "{:>10}  not needed by any result\n",
        size_text(unreferred)
    ));
    terminal.out(format!("{:>10}  in total\n", size_text(usage.bytes)));
    Ok(Exit::Fine)
}

/// The number, size and duration of the stored results, by plugin; then the shared stores.
fn ls(
    store: &DirStore,
    shared: &[Usage],
    output: ForPrograms,
    terminal: &Terminal,
) -> Result<Exit, Fault> {
    let mut plugins: BTreeMap<String, (u64, u64, f64)> = BTreeMap::new();
    for record in store.records().all() {
        let cost = record.cost();
        let (count, bytes, seconds) = plugins.entry(record.plugin().to_owned()).or_default();
        *count += 1;
        *bytes = bytes.saturating_add(cost.bytes);
        *seconds += cost.seconds;
    }
    let (usage, pins) = (store.usage()?, store.pins()?);
    if output.json {
        let plugins = plugins.iter().map(|(plugin, (count, bytes, seconds))| {
            json!({ "plugin": plugin, "results": count, "bytes": bytes, "seconds": seconds })
        });
        terminal.answer(json!({
            "store": path_text(store.path()), "results": usage.records, "objects": usage.objects,
            "bytes": usage.bytes, "plugins": plugins.collect::<Vec<_>>(), "pins": pins,
            "shared": shared.iter().map(shared_json).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Fine);
    }
    if !plugins.is_empty() {
        terminal.out(format!(
            "{:16} {:>8} {:>10} {:>10}\n",
            "plugin", "results", "size", "seconds"
        ));
    }
    for (plugin, (count, bytes, seconds)) in plugins {
        let size = size_text(bytes);
        terminal.out(format!(
            "{plugin:16} {count:>8} {size:>10} {seconds:>10.1}\n"
        ));
    }
    terminal.out(format!(
        "{} results in {} objects, {}, in {}\n",
        usage.records,
        usage.objects,
        size_text(usage.bytes),
        store.path().display()
    ));
    for pin in pins {
        terminal.out(format!("pinned: {pin}\n"));
    }
    for usage in shared {
        terminal.out(shared_text(usage));
    }
    Ok(Exit::Fine)
}

fn verify(
    store: &DirStore,
    on_damage: OnDamage,
    output: ForPrograms,
    terminal: &Terminal,
) -> Result<Exit, Fault> {
    let report = store.verify(on_damage)?;
    if output.json {
        terminal.answer(verified_json(&report));
        return Ok(match report.is_clean() {
            true => Exit::Fine,
            false => Exit::Failed,
        });
    }
    for digest in &report.damaged {
        terminal.out(format!("damaged  {digest}\n"));
    }
    for (_, file) in &report.changed {
        let file = file.display().to_string();
        terminal.out(format!("changed  your file `{}`\n", printable(&file)));
    }
    for digest in &report.missing {
        terminal.out(format!("missing  {digest}\n"));
    }
    for run in &report.runs {
        terminal.out(format!("damaged  run {run}\n"));
    }
    let holds = report
        .holds
        .iter()
        .map(|hold| format!("`{}`", hold.display()));
    let lines = report.problems.iter().map(ToString::to_string);
    for place in holds.chain(lines) {
        terminal.out(format!("damaged  {}\n", printable(&place)));
    }
    let others = report.runs.len() + report.holds.len() + report.problems.len();
    terminal.out(format!(
        "{} and {} intact, {} damaged, {}{} missing\n",
        counted(report.intact, "object"),
        counted(report.intact_runs, "run"),
        report.damaged.len() + others,
        match report.changed.len() {
            0 => String::new(),
            count => format!("{count} changed, "),
        },
        report.missing.len()
    ));
    if report.is_clean() {
        return Ok(Exit::Fine);
    }
    terminal.say(match on_damage {
        OnDamage::Report => {
            "a run that needs a damaged result sets it aside and computes it again; `--repair` \
             sets all aside now"
        }
        OnDamage::SetAside => {
            "set aside: the next run computes the results again; damaged runs and pins are lost"
        }
    });
    Ok(Exit::Failed)
}

/// What `verify` found.
fn verified_json(report: &VerifyReport) -> Value {
    let changed = report
        .changed
        .iter()
        .map(|(digest, file)| json!({ "digest": digest, "file": path_text(file) }));
    let holds = report.holds.iter().map(|hold| path_text(hold));
    let lines = report.problems.iter().map(ToString::to_string);
    json!({
        "ok": report.is_clean(), "objects": report.intact, "damaged": report.damaged,
        "changed": changed.collect::<Vec<_>>(), "missing": report.missing,
        "runs": report.intact_runs, "damaged_runs": report.runs,
        "damaged_holds": holds.collect::<Vec<_>>(), "damaged_journal": lines.collect::<Vec<_>>(),
    })
}

fn gc(
    store: &DirStore,
    policy: GcPolicy,
    output: ForPrograms,
    terminal: &Terminal,
) -> Result<Exit, Fault> {
    let (effect, older) = (policy.effect, policy.older_than);
    let report = store.gc(policy)?;
    let older = older.map_or(KEPT, |older| older.min(KEPT));
    let forgotten = forget_ended(store.path(), older, effect)?;
    if output.json {
        terminal.answer(json!({
            "dry_run": effect == Effect::DryRun, "records": report.records, "files": report.files,
            "bytes": report.bytes, "queue_runs": forgotten.runs, "queue_bytes": forgotten.bytes,
        }));
        return Ok(Exit::Fine);
    }
    let verb = verb(effect);
    terminal.out(format!(
        "{verb} {} and {}, {}\n",
        counted(report.records, "record"),
        counted(report.files, "file"),
        size_text(report.bytes)
    ));
    if forgotten.runs > 0 {
        terminal.out(format!(
            "{verb} the orders and logs of {} on a queue, {}\n",
            counted(forgotten.runs, "run"),
            size_text(forgotten.bytes)
        ));
    }
    Ok(Exit::Fine)
}

fn effect(is_dry: bool) -> Effect {
    match is_dry {
        true => Effect::DryRun,
        false => Effect::Apply,
    }
}

/// What a `gc` with this effect says that it does.
fn verb(effect: Effect) -> &'static str {
    match effect {
        Effect::Apply => "removed",
        Effect::DryRun => "would remove",
    }
}

fn gc_remote(
    remote: &Remote,
    effect: Effect,
    output: ForPrograms,
    terminal: &Terminal,
) -> Result<Exit, Abort> {
    let report = remote::gc(remote, effect).map_err(|fault| report_fault(&fault, terminal))?;
    if output.json {
        terminal.answer(json!({
            "dry_run": effect == Effect::DryRun, "remote": remote.name, "files": report.files,
            "bytes": report.bytes,
        }));
        return Ok(Exit::Fine);
    }
    let verb = verb(effect);
    terminal.out(format!(
        "{verb} {}, {}, from `{}`\n",
        counted(report.files, "file"),
        size_text(report.bytes),
        remote.name
    ));
    Ok(Exit::Fine)
}

/// What is known of a shared store.
fn shared_text(usage: &Usage) -> String {
    let age = usage.listed.map(age_text);
    format!(
        "shared: `{}` has {} in {}, {} of them not here, {}; listed {}\n",
        usage.name,
        counted(usage.records as u64, "result"),
        counted(usage.segments as u64, "segment"),
        usage.elsewhere,
        size_text(usage.bytes),
        age.unwrap_or_else(|| "never".to_owned()),
    )
}

fn shared_json(usage: &Usage) -> Value {
    json!({
        "name": usage.name, "results": usage.records, "segments": usage.segments,
        "not_here": usage.elsewhere, "not_here_bytes": usage.bytes,
        "listed_seconds_ago": usage.listed.map(|age| age.as_secs()),
    })
}

/// `just now`, `3 hours ago`.
fn age_text(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{} ago", counted(minutes, "minute")),
        60..2880 => format!("{} ago", counted(minutes / 60, "hour")),
        _ => format!("{} ago", counted(minutes / 1440, "day")),
    }
}

/// `1 run`, `2 runs`.
fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
