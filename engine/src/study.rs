//! The life of an experiment in one place.
//!
//! ```text
//! text ──open(world)──▶ Study ──plan(store)──▶ Planned       what would run
//!                         │
//!                         └──run(store, backend, observer)──▶ Finished
//!
//!         check ─▶ lower ─▶ plan ─▶ run ─▶ note scores       one round
//!           ▲                                  │
//!           └────── a sweep knows more ────────┘
//! ```
//!
//! A study prints nothing and asks nobody: mistakes are values, the world outside the text is
//! behind [`Outside`] while it is opened and behind [`Store`] afterwards. A sweep that chooses
//! runs in rounds. Each round is a pure function of the text and the scores so far, so a later
//! run replays them from the store.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use dsl::check::{Checked, Outside, check_with};
use dsl::diagnostic::{Code, Diagnostic};
use dsl::experiment::{Experiment, Node};
use dsl::source::Sources;
use dsl::sweep::Choices;

use crate::contents::Contents;
use crate::executor::{Backend, Executor, Place, Round};
use crate::files::FirstSeen;
use crate::graph::{ActionId, Graph};
use crate::lower::{Demand, Lowered, lower_for, validate};
use crate::observer::{Ending, Observer};
use crate::output::Export;
use crate::outside::{Disk, KeptTexts, Texts};
use crate::packages::{Packages, WithPackages};
use crate::path_text::{path_text, text_path};
use crate::plan::{Plan, plan};
use crate::plugin::Registry;
use crate::run::{Endings, Outcome, Settings, Work, run_after};
use crate::scheduler::OnFailure;
use crate::store::Store;
use crate::sweep::{note_failures, note_scores};
use crate::trials::Trials;

/// An experiment without mistakes, its texts, and what is known of its sweeps.
pub struct Study {
    /// The plugins.
    pub registry: Arc<Registry>,
    /// The experiment up to the points of sweeps that are known.
    pub experiment: Experiment,
    /// The texts that were read, the experiment's own first.
    pub sources: Sources,
    /// The params that were set from outside, as name and value.
    pub set: Vec<(String, String)>,
    /// What the checker has to say of a text without mistakes.
    pub warnings: Vec<Diagnostic>,
    choices: Choices,
    contents: Contents,
    stage: Stage,
    /// The packages of its project.
    pub packages: Arc<Packages>,
    /// Its data files as they were first seen.
    seen: FirstSeen,
    /// What is made whether or not a score or report reads it.
    asked: Option<(Vec<Export>, Scope)>,
}

/// What else is made beside what is to be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The scores and reports.
    All,
    /// Nothing.
    Exports,
}

/// How far the experiment of a study is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Checked,
    /// With the calls that nobody writes.
    Lowered,
}

/// Why there is no study, or why it cannot go on.
#[derive(Debug)]
pub enum StudyError {
    /// The text cannot be read.
    Unreadable(String),
    /// The text has mistakes; some show only when a sweep has chosen, or a data file is read.
    Mistakes(Vec<Diagnostic>, Sources),
}

/// What a run would do.
#[derive(Debug)]
pub struct Planned {
    /// The actions.
    pub graph: Graph,
    /// What happens to each.
    pub plan: Plan,
}

/// A run that has ended, with the actions of its last round.
pub struct Finished {
    /// The actions.
    pub graph: Graph,
    /// How they ended.
    pub outcome: Outcome,
}

impl Study {
    /// Reads and checks the experiment at `path`, with params set as `set` says.
    ///
    /// # Errors
    /// When the text cannot be read or has mistakes.
    pub fn open(
        path: &str,
        set: Vec<(String, String)>,
        registry: Arc<Registry>,
        world: &dyn Outside,
    ) -> Result<Self, StudyError> {
        let text = world.read(path).map_err(StudyError::Unreadable)?;
        Self::of_text(path, &text, set, registry, world)
    }

    /// The same with the text at hand.
    ///
    /// # Errors
    /// When the text has mistakes.
    pub fn of_text(
        path: &str,
        text: &str,
        set: Vec<(String, String)>,
        registry: Arc<Registry>,
        world: &dyn Outside,
    ) -> Result<Self, StudyError> {
        let choices = Choices::default();
        let checked = check(path, text, &set, &choices, &registry, world);
        let Some(experiment) = checked.experiment else {
            return Err(StudyError::Mistakes(checked.diagnostics, checked.sources));
        };
        let registry = match registry.with_declared(&experiment.plugins) {
            Ok(registry) => registry,
            Err(mistake) => return Err(StudyError::Mistakes(vec![*mistake], checked.sources)),
        };
        Ok(Self {
            registry,
            experiment,
            sources: checked.sources,
            set,
            warnings: checked.diagnostics,
            choices,
            contents: Contents::default(),
            stage: Stage::Checked,
            packages: Arc::default(),
            seen: FirstSeen::default(),
            asked: None,
        })
    }

    /// From now on makes what is to be exported, also where no score or report reads it.
    pub fn ask_for(&mut self, exports: Vec<Export>, scope: Scope) {
        self.asked = Some((exports, scope));
    }

    /// Drops the warnings that nothing uses the statements that are exported, or what they are made
    /// from.
    pub fn allow_unused(&mut self, exports: &[Export]) {
        let nodes = &self.experiment.nodes;
        let mut used = BTreeSet::new();
        let is_exported = |at: &usize| exports.iter().any(|export| export.has(&nodes[*at]));
        let mut open: Vec<usize> = (0..nodes.len()).filter(is_exported).collect();
        while let Some(at) = open.pop() {
            if used.insert(at) {
                open.extend(nodes[at].references().into_iter().map(|node| node.0));
            }
        }
        let used: BTreeSet<&str> = used.into_iter().map(|at| &*nodes[at].name).collect();
        let sources = &self.sources;
        self.warnings.retain(|warning| {
            let label = warning.labels.first();
            let name = label.map(|label| sources.get(label.span.file).slice(label.span));
            warning.code != Code::UnusedStatement || name.is_none_or(|name| !used.contains(name))
        });
    }

    /// The same that uses a data file only as its header was read while the text was checked:
    /// what a [`Watched`](crate::outside::Watched) world noted.
    pub fn with_files(mut self, seen: FirstSeen) -> Self {
        self.seen = seen;
        self
    }

    /// The same whose files use these packages.
    pub fn with_packages(mut self, packages: Arc<Packages>) -> Self {
        self.packages = packages;
        self
    }

    /// The path of the experiment's own text.
    pub fn file(&self) -> &str {
        let mut sources = self.sources.iter();
        sources.next().map_or("", |(_, source)| &source.path)
    }

    /// The name of that file without its ending.
    pub fn stem(&self) -> String {
        let file = text_path(self.file());
        path_text(Path::new(file.file_stem().unwrap_or_default()))
    }

    /// The actions, with sweeps up to the points that the scores in the store decide.
    ///
    /// # Errors
    /// When a data file cannot be read, or a choice does not fit where it is used.
    pub fn actions(&mut self, store: &dyn Store) -> Result<Graph, StudyError> {
        if self.stage == Stage::Lowered {
            self.check_again()?;
        }
        loop {
            let graph = self.lower(store)?;
            let knows_more = self.contents.note(&graph, store.records());
            let (experiment, registry) = (&self.experiment, &self.registry);
            if !note_scores(experiment, &graph, registry, store, &mut self.choices) && !knows_more {
                return Ok(graph);
            }
            self.check_again()?;
        }
    }

    /// The actions when exactly this is known of sweeps and results, whatever the store has.
    ///
    /// # Errors
    /// As [`actions`](Self::actions).
    pub fn actions_given(
        &mut self,
        choices: Choices,
        contents: Contents,
        store: &dyn Store,
    ) -> Result<Graph, StudyError> {
        self.contents = contents;
        if choices != self.choices || self.stage == Stage::Lowered {
            self.choices = choices;
            self.check_again()?;
        }
        self.lower(store)
    }

    /// What a run would do.
    ///
    /// # Errors
    /// As [`actions`](Self::actions).
    pub fn plan(&mut self, store: &dyn Store) -> Result<Planned, StudyError> {
        let graph = self.actions(store)?;
        let plan = plan(&graph, store);
        Ok(Planned { graph, plan })
    }

    /// Runs what the store lacks; as long as that tells a sweep something new, the next round,
    /// too.
    ///
    /// # Errors
    /// As [`actions`](Self::actions). An action that fails is not an error of the run: see
    /// [`Outcome::endings`].
    pub fn run(
        &mut self,
        store: &dyn Store,
        backend: &dyn Backend,
        observer: &dyn Observer,
        settings: &Settings,
    ) -> Result<Finished, StudyError> {
        let registry = Arc::clone(&self.registry);
        let place = Place {
            registry: &registry,
            store,
            observer,
            stop: &settings.stop,
            host: &settings.host,
        };
        let mut finished = None;
        backend.open(place, &mut |executor| {
            finished = Some(self.rounds(place, executor, settings));
        });
        finished.expect("a backend calls its body")
    }

    fn rounds(
        &mut self,
        place: Place<'_>,
        executor: &mut dyn Executor,
        settings: &Settings,
    ) -> Result<Finished, StudyError> {
        let store = place.store;
        let mut graph = self.actions(store)?;
        let mut earlier = Endings::new();
        // A result that others are keyed by is made before them; one that fails fails again below.
        let mut tried = BTreeSet::new();
        loop {
            let unknown = self.contents.unknown(&graph).into_iter();
            let untried = unknown.filter(|id| tried.insert(graph.actions[id.0].key.digest));
            let first: BTreeSet<ActionId> = untried.collect();
            let is_first = !first.is_empty();
            if is_first {
                graph.goals = first;
            }
            earlier.extend(executor.begin(Round {
                graph: &graph,
                experiment: &self.experiment,
                choices: &self.choices,
                contents: &self.contents,
            }));
            let work = Work {
                graph: &graph,
                experiment: &self.experiment,
                place,
            };
            let outcome = run_after(work, settings.on_failure, executor, &earlier);
            if is_first && !outcome.stopped {
                let ended = outcome.by_key(&graph).into_iter();
                earlier.extend(ended.filter(|(_, ending)| matches!(ending, Ending::Ran(_))));
                graph = self.actions(store)?;
                continue;
            }
            let trials = Trials::of(&self.experiment, &graph);
            let mut endings = outcome.endings.iter().enumerate();
            let has_failed = endings.any(|(index, ending)| {
                let is_failure = matches!(ending, Ending::Failed(_));
                is_failure && !trials.forgive(ActionId(index), ending)
            });
            let is_over = outcome.stopped || (has_failed && settings.on_failure == OnFailure::Stop);
            if is_over || !self.learns(&graph, &outcome, store) {
                return Ok(Finished { graph, outcome });
            }
            earlier.extend(outcome.by_key(&graph));
            graph = self.actions(store)?;
        }
    }

    /// Notes what a round tells of the sweeps; whether that is anything new.
    fn learns(&mut self, graph: &Graph, outcome: &Outcome, store: &dyn Store) -> bool {
        let (experiment, registry) = (&self.experiment, &self.registry);
        let choices = &mut self.choices;
        let has_scores = note_scores(experiment, graph, registry, store, choices);
        let has_failures = note_failures(experiment, graph, outcome, choices);
        has_scores || has_failures
    }

    fn lower(&mut self, store: &dyn Store) -> Result<Graph, StudyError> {
        let seen = &self.seen;
        let digest = |path: &str| seen.digest(&text_path(path), |path| store.file_digest(path));
        let checked = std::mem::take(&mut self.experiment);
        let exports = self.asked.iter().flat_map(|(exports, _)| exports);
        let asks = |node: &Node| exports.clone().any(|it| it.has(node));
        let asked = match &self.asked {
            None => Demand::Nothing,
            Some((_, Scope::All)) => Demand::Also(&asks),
            Some((_, Scope::Exports)) => Demand::Only(&asks),
        };
        match lower_for(checked, &self.registry, &digest, &self.contents, asked) {
            Ok(Lowered { experiment, graph }) => {
                self.experiment = experiment;
                self.stage = Stage::Lowered;
                Ok(graph)
            }
            Err(mistake) => Err(StudyError::Mistakes(vec![*mistake], self.sources.clone())),
        }
    }

    /// Checks the texts with what is known of their sweeps now.
    fn check_again(&mut self) -> Result<(), StudyError> {
        let sources = self.sources.iter();
        let texts: Texts = sources
            .map(|(_, source)| (source.path.clone(), source.text.clone()))
            .collect();
        let disk = Disk {
            registry: &self.registry,
        };
        let world = KeptTexts {
            disk,
            texts: &texts,
        };
        let world = WithPackages {
            world: &world,
            packages: &self.packages,
        };
        let text = texts.get(self.file()).map_or("", String::as_str);
        let (registry, choices) = (&self.registry, &self.choices);
        let checked = check(self.file(), text, &self.set, choices, registry, &world);
        let Some(experiment) = checked.experiment else {
            return Err(StudyError::Mistakes(checked.diagnostics, checked.sources));
        };
        self.experiment = experiment;
        self.stage = Stage::Checked;
        Ok(())
    }
}

/// Checks a text, with what is known of its sweeps, for all that can be known before it runs.
pub fn check(
    path: &str,
    text: &str,
    set: &[(String, String)],
    choices: &Choices,
    registry: &Registry,
    world: &dyn Outside,
) -> Checked {
    let mut checked = check_with(path, text, set, choices, &registry.catalog(), world);
    let refused = { checked.experiment.as_ref() }.map(|it| validate(it, registry));
    if let Some(Err(diagnostic)) = refused {
        checked.experiment = None;
        checked.diagnostics.push(*diagnostic);
    }
    checked
}
