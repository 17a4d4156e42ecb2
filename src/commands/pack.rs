//! `farcast pack`: an experiment, or a run with its results, in one file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dsl::experiment::Declared;
use dsl::render::printable;
use engine::bundle::{Contents, pack};
use engine::digest::Digest;
use engine::error::Fault;
use engine::foreign::Provided;
use engine::path_text::text_path;
use engine::record::texts;
use engine::remote::Look;
use engine::store::{Access, Store, size_text};
use serde_json::json;

use super::rerun;
use crate::args::{ExperimentArgs, Pack};
use crate::exit::{Abort, Exit};
use crate::remotes::{Consent, shared};
use crate::session::{abort, open, open_store};
use crate::settings::Settings;
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

pub fn run(args: &Pack, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.json,
        ..*terminal
    };
    let refuse = |fault| report_fault(&fault, terminal);
    let here = std::env::current_dir().unwrap_or_default();
    let is_file = args.what.ends_with(".farcast");
    let (mut study, store, found) = if is_file {
        let experiment = ExperimentArgs {
            file: PathBuf::from(&args.what),
            settings: Vec::new(),
        };
        let (study, store) = open(&experiment, settings, Access::Read, terminal)?;
        (study, store, None)
    } else {
        let found = StoredRun::find(&args.what, settings, terminal)?;
        let study = rerun::study(&found.record, terminal)?;
        let store = open_store(settings, Path::new("."), Access::Read, terminal)?;
        (study, store, Some(found.record))
    };
    let graph = study
        .actions(&store)
        .map_err(|error| abort(&error, terminal))?;
    let keys: BTreeSet<Digest> = graph
        .actions
        .iter()
        .map(|action| action.key.digest)
        .collect();
    if args.results {
        bring(
            &keys,
            is_file.then_some(Path::new(&args.what)),
            settings,
            terminal,
        )?;
        store.refresh().map_err(refuse)?;
    }
    let folder = found.as_ref().map_or(here, |run| text_path(&run.folder));
    let texts = found
        .as_ref()
        .map_or_else(|| texts(&study.sources), |run| run.texts.clone());
    let data = match &found {
        Some(run) => run.data.keys().cloned().collect(),
        None => { graph.files.keys() }
            .map(|path| study.packages.shown(path))
            .collect(),
    };
    let texts_of = texts.iter().map(|text| text.path.as_str());
    let records = match &found {
        Some(run) => run.packages.clone(),
        None => study.packages.records(texts_of),
    };
    let packages = study.packages.bundled(&records).map_err(refuse)?;
    let outputs = found.as_ref().map_or_else(Vec::new, |run| {
        let out = folder.join(text_path(&run.out));
        let names = ["report.html", "scores.csv", "scores.parquet"];
        let files = names.map(|name| out.join(name)).into_iter();
        files.filter(|file| file.is_file()).collect()
    });
    let outputs = same_run(outputs, found.as_ref().and_then(|run| run.scores), terminal);
    let stem = study.stem().to_owned();
    let declared = study.experiment.plugins.iter();
    let file = |plugin: &Declared| &study.sources.get(plugin.span.file).path;
    let own = declared.filter(|plugin| !file(plugin).starts_with('@'));
    let own: BTreeSet<&str> = own.map(|plugin| plugin.signature.name.as_str()).collect();
    let provided = study.registry.provided();
    let is_own = |it: &&Provided| own.contains(it.declaration.signature.name.as_str());
    let contents = Contents {
        title: &study.experiment.title,
        metadata: &study.experiment.metadata,
        folder,
        texts,
        packages,
        plugins: provided.filter(is_own).collect(),
        data,
        run: found,
        outputs,
        with_data: args.data,
        results: args.results.then_some((&store, keys)),
    };
    let target = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{stem}.crate.zip")));
    let packed = pack(contents, &target).map_err(refuse)?;
    let manifest = &packed.manifest;
    if packed.absent > 0 {
        terminal.note(format!(
            "{} results are not in the store and so not in the bundle",
            packed.absent
        ));
    }
    let shown = target.display().to_string();
    if args.json {
        terminal.answer(json!({
            "bundle": shown, "bytes": packed.bytes, "files": manifest.files.len(),
            "missing": manifest.missing, "results": manifest.results,
        }));
        return Ok(Exit::Fine);
    }
    for name in manifest.missing.keys() {
        terminal.note(format!(
            "`{}` is named, not packed: `--data` packs it",
            printable(name)
        ));
    }
    terminal.say(format!(
        "wrote `{}`: {} files, {} results, {}",
        printable(&shown),
        manifest.files.len(),
        manifest.results,
        size_text(packed.bytes)
    ));
    Ok(Exit::Fine)
}

/// Fetches the results that are only in shared stores.
fn bring(
    keys: &BTreeSet<Digest>,
    file: Option<&Path>,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<(), Abort> {
    if settings.remotes.is_empty() {
        return Ok(());
    }
    let near = file.unwrap_or(Path::new("."));
    let store = open_store(settings, near, Access::Write, terminal)?;
    let shared = shared(&store, settings, Consent::Asked, Look::Listed, terminal);
    for key in keys {
        match shared.bring(std::slice::from_ref(key)) {
            // How many are missing is reported below.
            Ok(()) | Err(Fault::Damaged(_)) => {}
            Err(fault) => return Err(report_fault(&fault, terminal)),
        }
    }
    Ok(())
}

/// The files of the output folder, unless a later run has replaced them.
fn same_run(files: Vec<PathBuf>, scores: Option<Digest>, terminal: &Terminal) -> Vec<PathBuf> {
    let parquet = files.iter().find(|file| file.ends_with("scores.parquet"));
    let found = parquet.and_then(|file| std::fs::read(file).ok());
    if found.map(|bytes| Digest::of(&bytes)) == scores {
        return files;
    }
    if !files.is_empty() {
        terminal
            .note("the output folder belongs to a later run: its report and scores are left out");
    }
    Vec::new()
}
