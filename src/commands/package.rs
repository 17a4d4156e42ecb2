//! `farcast package check`: what is missing before others can use a package.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dsl::types::Kind;
use engine::executor::Threads;
use engine::observer::{Ending, Silent};
use engine::packages::{Index, MANIFEST, Packages, documented};
use engine::run::Settings as RunSettings;
use engine::scheduler::OnFailure;
use engine::store::MemStore;
use engine::study::{Study, StudyError};
use serde_json::json;

use crate::args::{PackageCheck, PackageCommand};
use crate::exit::{Abort, Exit};
use crate::project::parsed;
use crate::session::study_of;
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::trusted::demand_trust;

pub fn run(
    command: &PackageCommand,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<Exit, Abort> {
    let PackageCommand::Check(args) = command;
    check(args, settings, terminal)
}

fn check(args: &PackageCheck, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let folder = args.folder.as_path();
    let mut wrong = described(folder, terminal)?;
    let index = match Index::of_folder(folder) {
        Ok(index) => index,
        Err(why) => {
            wrong.push(why);
            Index::default()
        }
    };
    let texts: Vec<&String> = { index.files.keys() }
        .filter(|file| file.ends_with(".farcast"))
        .collect();
    if !index.files.contains_key("lib.farcast") {
        wrong.push("there is no `lib.farcast`, which `use \"@name\"` reads".to_owned());
    }
    let packages = Arc::new(Packages::near(folder));
    let mut examples: Vec<(&String, Study, String)> = Vec::new();
    let mut defined: Vec<(&String, String, bool)> = Vec::new();
    for file in texts {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        match study_of(&path, &packages) {
            Ok(study) => {
                let mut kinds = study.experiment.nodes.iter().map(|node| node.kind);
                if kinds.any(|kind| matches!(kind, Kind::Score | Kind::Report)) {
                    examples.push((file, study, text));
                    continue;
                }
            }
            Err(StudyError::Mistakes(found, sources)) => {
                terminal.diagnostics(&found, &sources);
                wrong.push(format!("`{file}` has mistakes"));
            }
            Err(StudyError::Unreadable(why)) => wrong.push(why),
        }
        let documented = documented(&text);
        defined.extend(
            { documented.into_iter() }.map(|(name, is_documented)| (file, name, is_documented)),
        );
    }
    for (file, name, is_documented) in &defined {
        if !is_documented {
            wrong.push(format!(
                "`{name}` of `{file}` has no documentation: write a comment directly above it"
            ));
        }
        let has_example = examples.iter().any(|(_, _, text)| calls(text, name));
        if !has_example {
            wrong.push(format!(
                "`{name}` of `{file}` is in no example: call it in an experiment with a `score`, such as \
                 `examples/{name}.farcast`"
            ));
        }
    }
    let count = examples.len();
    for (file, mut study, _) in examples {
        if let Err(why) = runs(&mut study, args, settings, terminal) {
            wrong.push(format!("example `{file}` does not run: {why}"));
        }
    }
    if args.json {
        terminal.answer(json!({ "ok": wrong.is_empty(), "wrong": wrong, "definitions": defined.len(), "examples": count }));
    } else {
        for why in &wrong {
            terminal.error(why);
        }
        if wrong.is_empty() {
            terminal.say(format!(
                "{} definitions are documented, {count} examples run, tree {}",
                defined.len(),
                index.digest().short()
            ));
        }
    }
    Ok(match wrong.is_empty() {
        true => Exit::Fine,
        false => Exit::Failed,
    })
}

/// What `[package]` lacks.
fn described(folder: &Path, terminal: &Terminal) -> Result<Vec<String>, Abort> {
    let file = folder.join(MANIFEST);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        terminal.error(format!("`{}` cannot be read: {error}", file.display()));
        Abort::Failed
    })?;
    let manifest = parsed(&text, &file.display().to_string(), terminal)?;
    let Some(about) = manifest.about else {
        return Ok(vec![format!("`{MANIFEST}` has no `[package]`")]);
    };
    let fields = [
        ("license", about.license.is_empty()),
        ("description", about.description.is_empty()),
        ("authors", about.authors.is_empty()),
    ];
    let mut wrong: Vec<String> = { fields.iter() }
        .filter(|(_, is_missing)| *is_missing)
        .map(|(field, _)| format!("`[package]` has no `{field}`"))
        .collect();
    for (name, dependency) in &manifest.dependencies {
        if let engine::packages::Source::Path(path) = &dependency.source
            && (path.starts_with('/') || dsl::check::join("", path).starts_with(".."))
        {
            wrong.push(format!(
                "dependency `{name}` is the folder `{path}` outside of the package"
            ));
        }
    }
    Ok(wrong)
}

/// Whether a text has a name as a word.
fn calls(text: &str, name: &str) -> bool {
    let is_letter = |it: char| it.is_alphanumeric() || it == '_';
    text.split(|it| !is_letter(it)).any(|word| word == name)
}

fn runs(
    study: &mut Study,
    args: &PackageCheck,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<(), String> {
    let store = MemStore::default();
    let trust = demand_trust(study, &store, args.trust, terminal);
    trust.map_err(|_| "its plugins are not trusted".to_owned())?;
    let jobs = settings.jobs();
    let settings = RunSettings {
        on_failure: OnFailure::Stop,
        stop: Arc::new(AtomicBool::new(false)),
        host: "check".to_owned(),
    };
    let finished = study.run(&store, &Threads { jobs }, &Silent, &settings);
    let finished = finished.map_err(|error| match error {
        StudyError::Unreadable(why) => why,
        StudyError::Mistakes(found, _) => found
            .first()
            .map_or_else(String::new, |first| first.message.clone()),
    })?;
    let failed = { finished.outcome.endings.iter() }.find_map(|ending| match ending {
        Ending::Failed(failure) => Some(failure.message.clone()),
        _ => None,
    });
    match failed {
        Some(why) => Err(why),
        None => Ok(()),
    }
}
