//! `farcast update`: the newest tags of the same major version, and what they would change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::error::Fault;
use engine::packages::{Change, Manifest, Packages, Pin, Source, changes, interface, newest};
use engine::path_text::path_text;
use engine::store::MemStore;
use engine::study::StudyError;
use serde_json::json;

use super::unknown;
use crate::args::Update;
use crate::exit::{Abort, Exit};
use crate::project::{Project, parsed};
use crate::session::{in_json, study_of};
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

/// A package whose tag changes.
struct Step {
    name: String,
    old: String,
    new: String,
}

pub fn run(args: &Update, terminal: &Terminal) -> Result<Exit, Abort> {
    let refuse = |fault: Fault| report_fault(&fault, terminal);
    let project = Project::open(terminal)?;
    let known = &project.manifest.dependencies;
    if let Some(name) = args.names.iter().find(|name| !known.contains_key(*name)) {
        terminal.error(unknown(
            "dependency",
            name,
            known.keys().map(String::as_str),
        ));
        return Err(Abort::Usage);
    }
    let mut text = project.text.clone();
    let mut steps = Vec::new();
    let mut places: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for (name, dependency) in known {
        if !args.names.is_empty() && !args.names.contains(name) {
            continue;
        }
        let Source::Git {
            url,
            pin: Pin::Tag(tag),
        } = &dependency.source
        else {
            continue;
        };
        project.refuse_moved(name).map_err(refuse)?;
        let Some(new) = newest(url, Some(tag)).map_err(refuse)? else {
            terminal.note(format!(
                "tag `{tag}` of `{name}` is not a version: it stays"
            ));
            continue;
        };
        if new != *tag && dependency.tag.is_empty() {
            terminal.note(format!(
                "`{name}` has `{new}`: write it into `farcast.toml` by hand"
            ));
        } else if new != *tag {
            places.push((dependency.tag.clone(), new.clone()));
            let (name, old) = (name.clone(), tag.clone());
            steps.push(Step { name, old, new });
        }
    }
    places.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, tag) in places {
        text.replace_range(place, &tag);
    }
    let manifest = parsed(&text, "farcast.toml", terminal)?;
    let freedom = args.freedom.freedom();
    let fetched = project.fetched(&manifest, freedom).map_err(refuse)?;
    for step in &steps {
        terminal.say(format!("`{}` {} → {}", step.name, step.old, step.new));
    }
    if steps.is_empty() {
        terminal.say("all tags are the newest of their major version");
    }
    if !args.dry_run {
        if !steps.is_empty() {
            project.write(&text, terminal)?;
        }
        project.keep(&fetched, freedom, terminal)?;
        if args.json {
            terminal.answer(json!({ "updates": in_words(&steps) }));
        }
        return Ok(Exit::Fine);
    }
    let old = Arc::new(Packages::near(&project.folder));
    let new = || Packages::tried(&project.folder, manifest.clone(), fetched.lock.clone());
    let interfaces = differences(&steps, &old, &new());
    let touched = effects(
        &project,
        &manifest,
        &steps,
        &old,
        &Arc::new(new()),
        terminal,
    );
    if args.json {
        let interfaces: BTreeMap<&String, Vec<String>> = interfaces
            .iter()
            .map(|(name, changes)| (*name, changes.iter().map(Change::to_string).collect()))
            .collect();
        terminal.answer(json!({
            "updates": in_words(&steps), "interfaces": interfaces, "experiments": touched,
        }));
        return Ok(Exit::Fine);
    }
    for (name, changes) in interfaces {
        match changes.is_empty() {
            true => terminal.out(format!("`{name}` defines the same\n")),
            false => terminal.out(format!("what `{name}` defines:\n")),
        }
        for change in changes {
            terminal.out(format!("{change}\n"));
        }
    }
    for (file, effect) in &touched {
        terminal.out(format!(
            "{file}: {}\n",
            effect["said"].as_str().unwrap_or_default()
        ));
    }
    Ok(Exit::Fine)
}

fn in_words(steps: &[Step]) -> serde_json::Value {
    let steps = steps.iter();
    steps
        .map(|step| json!({ "name": step.name, "old": step.old, "new": step.new }))
        .collect()
}

/// How what each package defines would change.
fn differences<'s>(
    steps: &'s [Step],
    old: &Packages,
    new: &Packages,
) -> Vec<(&'s String, Vec<Change>)> {
    let of = |packages: &Packages, name: &str| {
        let opened = packages.open(&format!("@{name}"));
        let files = opened
            .ok()
            .and_then(|it| Some(it.index.as_ref()?.files.keys().cloned().collect()));
        let files: Vec<String> = files.unwrap_or_default();
        let texts = files.iter().filter(|file| file.ends_with(".farcast"));
        let texts: Vec<(String, String)> = texts
            .filter_map(|file| {
                Some((
                    file.clone(),
                    packages.text(&format!("@{name}/{file}"))?.ok()?,
                ))
            })
            .collect();
        interface(
            texts
                .iter()
                .map(|(file, text)| (file.as_str(), text.as_str())),
        )
    };
    let steps = steps.iter();
    steps
        .map(|step| {
            (
                &step.name,
                changes(&of(old, &step.name), &of(new, &step.name)),
            )
        })
        .collect()
}

/// Which actions of the project's experiments would have other keys.
fn effects(
    project: &Project,
    manifest: &Manifest,
    steps: &[Step],
    old: &Arc<Packages>,
    new: &Arc<Packages>,
    terminal: &Terminal,
) -> BTreeMap<String, serde_json::Value> {
    let mut effects = BTreeMap::new();
    if steps.is_empty() || manifest == &project.manifest {
        return effects;
    }
    for file in experiments(&project.folder) {
        let shown = file.strip_prefix(&project.folder).unwrap_or(&file);
        let shown = path_text(shown);
        // One that has mistakes now, or uses none of them, is not concerned.
        let Ok(mut before) = study_of(&file, old) else {
            continue;
        };
        let uses = before.sources.iter().any(|(_, source)| {
            let mut names = steps.iter().map(|step| format!("@{}/", step.name));
            names.any(|name| source.path.starts_with(&name))
        });
        if !uses || before.experiment.nodes.is_empty() {
            continue;
        }
        let store = MemStore::default();
        let Ok(graph) = before.actions(&store) else {
            continue;
        };
        let keys: BTreeSet<_> = graph.actions.iter().map(|it| it.key.digest).collect();
        let after = study_of(&file, new).and_then(|mut study| {
            let graph = study.actions(&store)?;
            Ok((graph, study))
        });
        let effect = match after {
            Ok((graph, study)) => {
                let mut changed: BTreeMap<&str, usize> = BTreeMap::new();
                for action in &graph.actions {
                    if !keys.contains(&action.key.digest) {
                        let name = &study.experiment.nodes[action.node.0].name;
                        *changed.entry(name).or_default() += 1;
                    }
                }
                let count: usize = changed.values().sum();
                let of: Vec<String> = changed
                    .iter()
                    .map(|(name, count)| format!("`{name}` {count}"))
                    .collect();
                let said = match count {
                    0 => format!("none of {} actions changes", graph.actions.len()),
                    count => format!(
                        "{count} of {} actions change: {}",
                        graph.actions.len(),
                        of.join(", ")
                    ),
                };
                json!({ "said": said, "actions": graph.actions.len(), "changed": changed })
            }
            Err(StudyError::Mistakes(found, sources)) => {
                terminal.diagnostics(&found, &sources);
                json!({
                    "said": format!("{} mistakes with the new version", found.len()),
                    "diagnostics": in_json(&found, &sources),
                })
            }
            Err(StudyError::Unreadable(message)) => json!({ "said": message }),
        };
        effects.insert(shown, effect);
    }
    effects
}

/// The experiment files of a project.
fn experiments(folder: &Path) -> Vec<PathBuf> {
    const MOST: usize = 500;
    let mut found = Vec::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(folder) = queue.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir()
                && !name.starts_with('.')
                && !matches!(&*name, "vendor" | "out" | "target")
            {
                queue.push(path);
            } else if kind.is_file() && name.ends_with(".farcast") {
                found.push(path);
            }
        }
        if found.len() > MOST {
            break;
        }
    }
    found.sort();
    found
}
