//! `farcast cache`: look after the store of results.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use engine::error::Fault;
use engine::store::{Access, DirStore, Effect, GcPolicy, OnDamage, RecordedOutcome, Store};

use super::Exit;
use crate::args::Cache;
use crate::session::{Stop, open_store};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Cache, settings: &Settings, terminal: &Terminal) -> Result<Exit, Stop> {
    let here = Path::new(".");
    let open = |access| open_store(settings, here, access, terminal);
    let done = match args {
        Cache::Path => {
            terminal.out(format!("{}\n", settings.store(here).display()));
            Ok(Exit::Fine)
        }
        Cache::Ls => ls(&open(Access::Read)?, terminal),
        Cache::Verify => verify(&open(Access::Read)?, terminal),
        Cache::Gc {
            older_than,
            dry_run,
        } => {
            let policy = GcPolicy {
                older_than: older_than.map(|days| Duration::from_secs(days * 24 * 3600)),
                effect: if *dry_run {
                    Effect::DryRun
                } else {
                    Effect::Apply
                },
            };
            gc(&open(Access::Write)?, policy, terminal)
        }
    };
    done.map_err(|fault| {
        terminal.error(fault.to_string());
        Stop::Failed
    })
}

/// What is stored, by plugin: how many results, how large, how long they took.
fn ls(store: &DirStore, terminal: &Terminal) -> Result<Exit, Fault> {
    let mut plugins: BTreeMap<String, (u64, u64, f64)> = BTreeMap::new();
    for record in store.records() {
        let size = match &record.outcome {
            RecordedOutcome::Parts(parts) => parts.values().map(|(_, size)| size).sum(),
            RecordedOutcome::Diverged(_) => 0,
        };
        let (count, bytes, seconds) = plugins.entry(record.plugin().to_owned()).or_default();
        *count += 1;
        *bytes += size;
        *seconds += record.seconds;
    }
    if !plugins.is_empty() {
        terminal.out(format!(
            "{:16} {:>8} {:>10} {:>10}\n",
            "plugin", "results", "size", "seconds"
        ));
    }
    for (plugin, (count, bytes, seconds)) in plugins {
        let size = size(bytes);
        terminal.out(format!(
            "{plugin:16} {count:>8} {size:>10} {seconds:>10.1}\n"
        ));
    }
    let usage = store.usage()?;
    terminal.out(format!(
        "{} results in {} objects, {}, in {}\n",
        usage.records,
        usage.objects,
        size(usage.bytes),
        store.path().display()
    ));
    Ok(Exit::Fine)
}

fn verify(store: &DirStore, terminal: &Terminal) -> Result<Exit, Fault> {
    let report = store.verify(OnDamage::Report)?;
    for digest in &report.damaged {
        terminal.out(format!("damaged  {digest}\n"));
    }
    for digest in &report.missing {
        terminal.out(format!("missing  {digest}\n"));
    }
    terminal.out(format!(
        "{} objects intact, {} damaged, {} missing\n",
        report.intact,
        report.damaged.len(),
        report.missing.len()
    ));
    if report.is_clean() {
        return Ok(Exit::Fine);
    }
    terminal.say("the next run sets damaged results aside and makes them again");
    Ok(Exit::Failed)
}

fn gc(store: &DirStore, policy: GcPolicy, terminal: &Terminal) -> Result<Exit, Fault> {
    let report = store.gc(policy)?;
    let verb = match policy.effect {
        Effect::Apply => "removed",
        Effect::DryRun => "would remove",
    };
    terminal.out(format!(
        "{verb} {} records and {} files, {}\n",
        report.records,
        report.files,
        size(report.bytes)
    ));
    Ok(Exit::Fine)
}

fn size(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e3 => format!("{bytes} B"),
        bytes if bytes < 1e6 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}
