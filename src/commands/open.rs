//! `farcast open`: verifies a bundle and unpacks it into a new folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dsl::render::printable;
use engine::bundle::{Manifest, open};
use engine::foreign::described;
use engine::store::size_text;
use serde_json::json;

use crate::args::Open;
use crate::exit::{Abort, Exit};
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

pub fn run(args: &Open, terminal: &Terminal) -> Result<Exit, Abort> {
    let folder = args.folder.clone().unwrap_or_else(|| beside(&args.bundle));
    let opened = open(&args.bundle, &folder).map_err(|fault| report_fault(&fault, terminal))?;
    let manifest = &opened.manifest;
    let shown = printable(&folder.display().to_string());
    let has_run = manifest.files.contains_key("run.json");
    let programs = programs(&folder, manifest);
    if args.json {
        let mut answer = json!({
            "folder": shown, "title": manifest.title, "file": manifest.file,
            "files": manifest.files.len(), "missing": manifest.missing,
            "results": manifest.results, "run": has_run, "programs": programs,
        });
        if !manifest.metadata.is_empty() {
            answer["metadata"] = json!(manifest.metadata);
        }
        terminal.answer(answer);
        return Ok(Exit::Fine);
    }
    let title = match manifest.title.as_str() {
        "" => "an experiment without a title".to_owned(),
        title => format!("\u{201c}{}\u{201d}", printable(title)),
    };
    terminal.say(format!("`{shown}` holds {title}:"));
    for (name, text) in manifest.metadata.lines() {
        terminal.say(format!("  {name}: {}", printable(&text)));
    }
    let file = printable(&manifest.file);
    let bytes: u64 = manifest.files.values().map(|entry| entry.size).sum();
    terminal.say(format!("  the experiment {file}"));
    terminal.say(format!(
        "  {} files, {}, all verified",
        manifest.files.len(),
        size_text(bytes)
    ));
    if manifest.results > 0 {
        terminal.say(format!("  the results of {} actions", manifest.results));
    }
    for (name, command) in &programs {
        terminal.say(match command {
            Some(command) => format!("  plugin {name}, which runs `{command}` if you trust it"),
            None => {
                format!("  plugin {name}, a WebAssembly module, which reads and writes nothing")
            }
        });
    }
    for (name, entry) in &manifest.missing {
        let name = printable(name);
        let digest = entry.digest.short();
        terminal.say(format!(
            "  not {name}: put the file there ({}, blake3 {digest}…)",
            size_text(entry.size)
        ));
    }
    terminal.say(match has_run {
        true => format!("`farcast rerun {shown}` repeats the run, `--spot-check 3` a part of it"),
        false => format!("`farcast run {shown}/{file}` runs it"),
    });
    Ok(Exit::Fine)
}

/// The programs of plugins in an opened bundle, as they are written there; those without a command
/// are modules.
fn programs(folder: &Path, manifest: &Manifest) -> BTreeMap<String, Option<String>> {
    let files = manifest.files.keys().map(Path::new);
    let folders = files.filter(|file| file.ends_with("farcast.toml"));
    // What is wrong in one is said when it is used.
    let described = folders.filter_map(|file| described(&folder.join(file.parent()?)).ok());
    let programs = described.flatten().map(|(name, program)| {
        let command = program.runner.run.join(" ");
        let command = program.is_process().then(|| printable(&command));
        (printable(&name), command)
    });
    programs.collect()
}

/// `storms` for `storms.crate.zip`.
fn beside(bundle: &Path) -> PathBuf {
    let name = bundle.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".zip").unwrap_or(&name);
    let stem = stem.strip_suffix(".crate").unwrap_or(stem);
    match stem.is_empty() || stem == name {
        true => PathBuf::from(format!("{name}-opened")),
        false => PathBuf::from(stem),
    }
}
