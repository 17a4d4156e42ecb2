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
use engine::remote::{self, Look, Remote};
use engine::store::{Access, DirStore, Effect, GcPolicy, OnDamage, Store, size_text};

use super::{rerun, why};
use crate::args::{Cache, ExperimentArgs, Gc};
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
        Cache::Ls => {
            let store = open(Access::Read)?;
            let listed = ls(&store, terminal);
            say_shared(&store, settings, terminal);
            listed
        }
        Cache::Du => du(&open(Access::Read)?, terminal),
        Cache::Why(args) => return why::run(args, settings, terminal),
        Cache::Verify { repair: false } => verify(&open(Access::Read)?, OnDamage::Report, terminal),
        Cache::Verify { repair: true } => {
            verify(&open(Access::Write)?, OnDamage::SetAside, terminal)
        }
        Cache::Gc(Gc {
            remote: Some(name),
            dry_run,
            ..
        }) => {
            let remote = named(Some(name), settings, terminal)?;
            return gc_remote(remote, effect(*dry_run), terminal);
        }
        Cache::Gc(args) => {
            let store = open(Access::Write)?;
            let policy = policy(args, &store, settings, terminal)?;
            gc(&store, policy, terminal)
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
fn du(store: &DirStore, terminal: &Terminal) -> Result<Exit, Fault> {
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
    for (plugin, bytes) in plugins {
        terminal.out(format!("{:>10}  {plugin}\n", size_text(bytes)));
    }
    let usage = store.usage()?;
    let unreferred = usage.bytes.saturating_sub(referred);
    terminal.out(format!(
        "{:>10}  not needed by any result\n",
        size_text(unreferred)
    ));
    terminal.out(format!("{:>10}  in total\n", size_text(usage.bytes)));
    Ok(Exit::Fine)
}

/// The number, size and duration of the stored results, by plugin.
fn ls(store: &DirStore, terminal: &Terminal) -> Result<Exit, Fault> {
    let mut plugins: BTreeMap<String, (u64, u64, f64)> = BTreeMap::new();
    for record in store.records().all() {
        let cost = record.cost();
        let (count, bytes, seconds) = plugins.entry(record.plugin().to_owned()).or_default();
        *count += 1;
        *bytes = bytes.saturating_add(cost.bytes);
        *seconds += cost.seconds;
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
    let usage = store.usage()?;
    terminal.out(format!(
        "{} results in {} objects, {}, in {}\n",
        usage.records,
        usage.objects,
        size_text(usage.bytes),
        store.path().display()
    ));
    for pin in store.pins()? {
        terminal.out(format!("pinned: {pin}\n"));
    }
    Ok(Exit::Fine)
}

fn verify(store: &DirStore, on_damage: OnDamage, terminal: &Terminal) -> Result<Exit, Fault> {
    let report = store.verify(on_damage)?;
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

fn gc(store: &DirStore, policy: GcPolicy, terminal: &Terminal) -> Result<Exit, Fault> {
    let verb = match policy.effect {
        Effect::Apply => "removed",
        Effect::DryRun => "would remove",
    };
    let (effect, older) = (policy.effect, policy.older_than);
    let report = store.gc(policy)?;
    terminal.out(format!(
        "{verb} {} and {}, {}\n",
        counted(report.records, "record"),
        counted(report.files, "file"),
        size_text(report.bytes)
    ));
    let older = older.map_or(KEPT, |older| older.min(KEPT));
    let forgotten = forget_ended(store.path(), older, effect)?;
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

fn gc_remote(remote: &Remote, effect: Effect, terminal: &Terminal) -> Result<Exit, Abort> {
    let verb = match effect {
        Effect::Apply => "removed",
        Effect::DryRun => "would remove",
    };
    let report = remote::gc(remote, effect).map_err(|fault| report_fault(&fault, terminal))?;
    terminal.out(format!(
        "{verb} {}, {}, from `{}`\n",
        counted(report.files, "file"),
        size_text(report.bytes),
        remote.name
    ));
    Ok(Exit::Fine)
}

/// What is known of the shared stores.
fn say_shared(store: &DirStore, settings: &Settings, terminal: &Terminal) {
    let shared = shared(store, settings, Consent::Asked, Look::Known, terminal);
    for usage in shared.usage() {
        let age = usage.listed.map(age_text);
        terminal.out(format!(
            "shared: `{}` has {} in {}, {} of them not here, {}; listed {}\n",
            usage.name,
            counted(usage.records as u64, "result"),
            counted(usage.segments as u64, "segment"),
            usage.elsewhere,
            size_text(usage.bytes),
            age.unwrap_or_else(|| "never".to_owned()),
        ));
    }
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
