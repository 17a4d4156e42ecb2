//! `farcast plugin test`: what a plugin promises, tried.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dsl::experiment::NodeId;
use engine::artifact::{AnyArtifact, DataColumn, Dataset, downcast};
use engine::digest::Digest;
use engine::error::Fault;
use engine::executor::Threads;
use engine::foreign::Workers;
use engine::observer::{Ending, Silent};
use engine::outside::Disk;
use engine::packages::{Packages, WithPackages};
use engine::params::{Bindings, Loaded};
use engine::path_text::path_text;
use engine::plugin::{Context, Progress};
use engine::run::Settings;
use engine::scheduler::OnFailure;
use engine::store::{MemStore, Record, Store};
use engine::streams::Streams;
use engine::study::Study;
use serde_json::json;

use crate::args::PluginTest;
use crate::commands::trust::folder_of;
use crate::exit::{Abort, Exit};
use crate::session::abort;
use crate::terminal::Terminal;

/// How soon a call must end when it is cancelled.
const IN_TIME: Duration = Duration::from_secs(3);

/// What was tried, and what is wrong.
type Tried = (String, Result<(), String>);

pub fn run(args: &PluginTest, terminal: &Terminal) -> Result<Exit, Abort> {
    let files = files(&args.path);
    if files.is_empty() {
        let path = path_text(&args.path);
        terminal.error(format!(
            "`{path}` holds no experiment that calls a plugin of its own"
        ));
        terminal.say("  = help: write `example.farcast` there, with calls of it");
        return Err(Abort::Failed);
    }
    let mut tried: Vec<Tried> = Vec::new();
    for file in files {
        let subject = Subject { file, terminal };
        tried.extend(subject.all()?);
    }
    let failed = tried.iter().filter(|(_, result)| result.is_err()).count();
    if args.json {
        let tried = tried.iter();
        let tried: Vec<_> = tried
            .map(|(what, result)| json!({ "tried": what, "ok": result.is_ok(), "why": result.as_ref().err() }))
            .collect();
        terminal.answer(json!({ "ok": failed == 0, "tried": tried }));
    } else {
        for (what, result) in &tried {
            match result {
                Ok(()) => terminal.say(format!("ok      {what}")),
                Err(why) => terminal.say(format!("FAILED  {what}: {why}")),
            }
        }
    }
    Ok(if failed == 0 {
        Exit::Fine
    } else {
        Exit::Failed
    })
}

/// The experiments of a folder that call plugins of their own.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(folder_of(path))
        .into_iter()
        .flatten()
        .flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "farcast"));
    files.sort();
    let registry = plugins::registry();
    let calls = |file: &PathBuf| {
        let packages = Packages::near(file);
        let world = WithPackages {
            world: &Disk {
                registry: &registry,
            },
            packages: &packages,
        };
        let path = path_text(file);
        let Ok(text) = std::fs::read_to_string(file) else {
            return false;
        };
        let checked = dsl::check::check(&path, &text, &[], &registry.catalog(), &world);
        let experiment = checked.experiment.or(checked.partial).unwrap_or_default();
        experiment.nodes.iter().any(|node| {
            experiment
                .plugins
                .iter()
                .any(|plugin| plugin.signature.name == node.plugin)
        })
    };
    files.retain(calls);
    files
}

struct Subject<'a> {
    file: PathBuf,
    terminal: &'a Terminal,
}

/// What a run left.
struct Left {
    store: MemStore,
    failures: Vec<String>,
    /// The records of calls of plugins of their own.
    own: BTreeMap<Digest, Record>,
    seconds: Duration,
}

impl Subject<'_> {
    fn all(&self) -> Result<Vec<Tried>, Abort> {
        let mut tried: Vec<Tried> = Vec::new();
        let name = path_text(&self.file);
        let mut add = |what: &str, result: Result<(), String>| {
            tried.push((format!("{name}: {what}"), result));
        };
        let first = self.left(1, &[], None)?;
        add(
            "it runs",
            match first.failures.first() {
                None => Ok(()),
                Some(why) => Err(why.clone()),
            },
        );
        if !first.failures.is_empty() {
            return Ok(tried);
        }
        let again = self.left(1, &[], None)?;
        add(
            "the same call gives the same bytes in another process",
            same(&first, &again),
        );
        let parallel = self.left(4, &[], None)?;
        add(
            "`--jobs 4` gives the bytes of `--jobs 1`",
            same(&first, &parallel),
        );
        let seeded = self.left(1, &[("seed".to_owned(), "987654".to_owned())], None)?;
        for (plugin, is_random) in self.random()? {
            let values = |left: &Left| -> BTreeSet<String> {
                let own = left.own.values().filter(|record| record.plugin() == plugin);
                own.map(|record| format!("{:?}", record.outcome)).collect()
            };
            // Inputs may depend on the seed, too: only what is random must differ.
            if is_random {
                let result = match values(&first) == values(&seeded) {
                    true => Err("it says `random`, but another seed gives the same".to_owned()),
                    false => Ok(()),
                };
                add(&format!("`{plugin}` depends on the seed"), result);
            }
        }
        for (what, result) in self.edges(&first)? {
            add(&what, result);
        }
        let cancelled = self.left(1, &[], Some(Duration::from_millis(300)))?;
        let late = cancelled.seconds > Duration::from_millis(300) + IN_TIME;
        add(
            "it ends soon when it is cancelled",
            match late {
                false => Ok(()),
                true => Err(format!("it took {:.1} s", cancelled.seconds.as_secs_f64())),
            },
        );
        Ok(tried)
    }

    fn study(&self, set: &[(String, String)]) -> Result<Study, Abort> {
        let registry = Arc::new(plugins::registry());
        let packages = Arc::new(Packages::near(&self.file));
        let world = WithPackages {
            world: &Disk {
                registry: &registry,
            },
            packages: &packages,
        };
        let study = Study::open(
            &path_text(&self.file),
            set.to_vec(),
            Arc::clone(&registry),
            &world,
        );
        let study = study.map(|study| study.with_packages(packages));
        study.map_err(|error| abort(&error, self.terminal))
    }

    /// The plugins it calls, and whether they are random.
    fn random(&self) -> Result<Vec<(String, bool)>, Abort> {
        let study = self.study(&[])?;
        let called = |name: &str| {
            study
                .experiment
                .nodes
                .iter()
                .any(|node| node.plugin == name)
        };
        let plugins = study.experiment.plugins.iter();
        let plugins = plugins.filter(|plugin| called(&plugin.signature.name));
        Ok(plugins
            .map(|plugin| (plugin.name.clone(), plugin.signature.random))
            .collect())
    }

    fn left(
        &self,
        jobs: usize,
        set: &[(String, String)],
        until: Option<Duration>,
    ) -> Result<Left, Abort> {
        let mut study = self.study(set)?;
        let store = MemStore::default();
        let stop = Arc::new(AtomicBool::new(false));
        let settings = Settings {
            on_failure: OnFailure::KeepGoing,
            stop: Arc::clone(&stop),
            host: "test".to_owned(),
        };
        if let Some(until) = until {
            std::thread::spawn(move || {
                std::thread::sleep(until);
                stop.store(true, Ordering::Relaxed);
            });
        }
        let started = Instant::now();
        let finished = study.run(&store, &Threads { jobs }, &Silent, &settings);
        let seconds = started.elapsed();
        let finished = finished.map_err(|error| abort(&error, self.terminal))?;
        let endings = &finished.outcome.endings;
        let failures = endings.iter().filter_map(|ending| match ending {
            Ending::Failed(failure) => Some(failure.message.clone()),
            _ => None,
        });
        let names: BTreeSet<&str> = study
            .experiment
            .plugins
            .iter()
            .map(|plugin| plugin.name.as_str())
            .collect();
        let own = store.records().all().into_iter();
        let own = own.filter(|record| {
            record.key_text.contains("\ncode ") && names.contains(record.plugin())
        });
        Ok(Left {
            own: own.map(|record| (record.key, record)).collect(),
            failures: failures.collect(),
            store,
            seconds,
        })
    }

    /// Calls that take nothing but data, with data that are empty, of one row, and missing.
    fn edges(&self, left: &Left) -> Result<Vec<Tried>, Abort> {
        let mut study = self.study(&[])?;
        let graph = study
            .actions(&left.store)
            .map_err(|error| abort(&error, self.terminal))?;
        let mut tried = Vec::new();
        let workers = Workers::default();
        for action in &graph.actions {
            let node = &study.experiment.nodes[action.node.0];
            let Some(operation) = study.registry.get(&node.plugin) else {
                continue;
            };
            if study.registry.program_of(&node.plugin).is_none() || action.member.unwrap_or(0) > 0 {
                continue;
            }
            let mut inputs: BTreeMap<(String, NodeId), Dataset> = BTreeMap::new();
            for input in &action.inputs {
                let data = input.actions.iter().find_map(|id| {
                    let record = left.store.find(&graph.actions[id.0].key.digest)?;
                    let read = study.registry.read("input", &record, &left.store).ok()?;
                    downcast::<Dataset>(&read)
                });
                if let Some(data) = data {
                    inputs.insert((input.field.clone(), input.node), (*data).clone());
                }
            }
            if inputs.is_empty() || inputs.len() < action.inputs.len() {
                continue;
            }
            type FileChange = fn(&Dataset) -> Result<Dataset, Fault>;
            let changes: [(&str, FileChange); 3] = [
                ("no rows", |data| Ok(data.take(&[]))),
                ("one row", |data| Ok(data.take(&[0]))),
                ("nothing but missing values", |data| {
                    let columns = data.columns().iter();
                    let columns = columns.map(|column| DataColumn {
                        values: column.values.iter().map(|_| f64::NAN).collect(),
                        ..column.clone()
                    });
                    Dataset::new(columns.collect())
                }),
            ];
            for (what, change) in changes {
                let inputs = inputs.iter().map(|(place, data)| {
                    let data: AnyArtifact = Arc::new(change(data).unwrap_or_default());
                    let loaded = Loaded {
                        label: Default::default(),
                        kind: Some(dsl::types::Kind::Data),
                        members: vec![Some(data)],
                    };
                    (place.clone(), loaded)
                });
                let bindings = Bindings {
                    args: node.args.clone(),
                    inputs: inputs.collect(),
                };
                let silent = |_: Progress| ();
                let streams = Streams(Digest::of(what.as_bytes()));
                let context = Context::new(streams, action.member, Arc::default(), &silent);
                let context = context.with_shared(&workers);
                let result = match operation.run(&bindings, &context) {
                    Ok(_) | Err(Fault::User { .. } | Fault::Diverged(_)) => Ok(()),
                    Err(fault) => Err(fault.to_string()),
                };
                let what = format!("`{}` takes data with {what}, or says why not", node.plugin);
                tried.push((what, result));
            }
        }
        Ok(tried)
    }
}

/// Whether two runs left the same bytes of the same calls.
fn same(one: &Left, other: &Left) -> Result<(), String> {
    if let Some(why) = other.failures.first() {
        return Err(why.clone());
    }
    let differs = one.own.iter().find(|(key, record)| {
        other
            .own
            .get(key)
            .is_none_or(|it| (&it.outcome, &it.notes) != (&record.outcome, &record.notes))
    });
    match differs {
        None => Ok(()),
        Some((_, record)) => Err(format!(
            "`{}` gave other bytes; if it cannot help it, `farcast.toml` says `deterministic = false`",
            record.plugin()
        )),
    }
}
