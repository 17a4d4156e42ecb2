//! Runs a graph: plans it, carries out what the store lacks, loads the results of the goals, and
//! starts again where a stored result turned out damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dsl::experiment::Experiment;
use dsl::types::Kind;

use crate::along::Along;
use crate::artifact::Stored;
use crate::digest::Digest;
use crate::error::Fault;
use crate::estimate::Estimate;
use crate::executor::{Answer, Conclusion, Executor, Place, failure};
use crate::graph::{Action, ActionId, Graph};
use crate::names::Names;
use crate::observer::Ending;
use crate::order::{Order, OrderWriter};
use crate::plan::{Step, plan};
use crate::scheduler::{OnFailure, Orders, Scheduler};
use crate::store::{Cost, Hold, Unsettled};
use crate::trials::Trials;

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// What is run.
    pub graph: &'a Graph,
    /// The experiment the graph was lowered from.
    pub experiment: &'a Experiment,
    /// What it runs with.
    pub place: Place<'a>,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a failure stops.
    pub on_failure: OnFailure,
    /// Raised from outside to end the run; what is finished is kept.
    pub stop: Arc<AtomicBool>,
    /// The machine's name, for the records.
    pub host: String,
}

/// How every action ended, and what the run produced.
pub struct Outcome {
    /// In the order of the graph's actions.
    pub endings: Vec<Ending>,
    /// What results cost, in this run or an earlier one; nothing for what is not there.
    pub costs: Vec<Cost>,
    /// What a reader of the results must know: by action, also from earlier runs.
    pub notes: Vec<(ActionId, String)>,
    /// The scores and pages among the graph's goals, by action.
    pub results: BTreeMap<ActionId, Arc<dyn Stored>>,
    /// Whether it was stopped from outside.
    pub stopped: bool,
}

/// How actions ended, by key.
pub type Endings = BTreeMap<Digest, Ending>;

impl Outcome {
    /// How the actions of the graph that was run ended.
    pub fn by_key(&self, graph: &Graph) -> Endings {
        let actions = graph.actions.iter().zip(&self.endings);
        actions
            .map(|(action, ending)| (action.key.digest, ending.clone()))
            .collect()
    }
}

/// Runs what the store lacks and loads the results of the goals, as a further round of a run:
/// what ran in earlier rounds counts as run, and what failed in them is not tried again.
///
/// A stored result that turns out damaged is set aside by the store and computed again, with
/// whatever is needed for that.
pub fn run_after(
    work: Work<'_>,
    on_failure: OnFailure,
    executor: &mut dyn Executor,
    earlier: &Endings,
) -> Outcome {
    let stop = work.place.stop;
    let mut before = earlier.clone();
    // Every pass that finds damage makes the store forget a record, so the passes end; a disk
    // that damages everything written to it must end them too.
    let mut passes_left = work.graph.actions.len();
    loop {
        let mut pass = Pass::new(work, &before);
        let mut endings = pass.run(on_failure, executor);
        pass.load_results(&mut endings, executor);
        if !pass.is_damaged || passes_left == 0 || stop.load(Ordering::Relaxed) {
            return pass.outcome(endings);
        }
        let keys = work.graph.actions.iter().map(|action| action.key.digest);
        before.extend(keys.zip(endings).filter(|(_, ending)| has_run(ending)));
        passes_left -= 1;
    }
}

/// One go over the plan; another follows when damage was found.
struct Pass<'a> {
    work: Work<'a>,
    /// How actions ended before the pass; none for those it runs.
    known: Vec<Option<Ending>>,
    costs: Vec<Cost>,
    notes: BTreeMap<ActionId, Vec<String>>,
    results: BTreeMap<ActionId, Arc<dyn Stored>>,
    is_damaged: bool,
    estimate: Estimate,
    /// What actions leave for others.
    along: Along,
    /// What was said of damage: a place that is away is said once, whatever was to come from it.
    remarks: BTreeSet<String>,
    /// Keeps from `gc` what the pass works with, its results until they are loaded.
    hold: Option<Hold>,
}

impl<'a> Pass<'a> {
    fn new(work: Work<'a>, before: &Endings) -> Self {
        let plan = plan(work.graph, work.place.store);
        let mut pass = Self {
            work,
            known: Vec::with_capacity(plan.steps.len()),
            costs: vec![Cost::default(); plan.steps.len()],
            notes: BTreeMap::new(),
            results: BTreeMap::new(),
            is_damaged: false,
            remarks: BTreeSet::new(),
            estimate: Estimate::default(),
            along: Along::default(),
            hold: None,
        };
        for (index, step) in plan.steps.into_iter().enumerate() {
            let earlier = before.get(&work.graph.actions[index].key.digest);
            let known = match step {
                Step::NotNeeded => Some(Ending::NotNeeded),
                Step::Run => earlier.filter(|ending| has_failed(ending)).cloned(),
                Step::Cached(summary) => {
                    pass.costs[index] = summary.cost;
                    if !summary.notes.is_empty() {
                        pass.notes.insert(ActionId(index), summary.notes);
                    }
                    let ran = earlier.filter(|ending| has_run(ending)).cloned();
                    Some(ran.unwrap_or(match summary.diverged {
                        Some(why) => Ending::Diverged { why, seconds: None },
                        None => Ending::Cached,
                    }))
                }
            };
            let seconds = pass.costs[index].seconds;
            let plugin = &work.experiment.nodes[work.graph.actions[index].node.0].plugin;
            match &known {
                None => pass.estimate.add_left(plugin),
                Some(Ending::Cached | Ending::Ran(_)) => pass.estimate.add_known(plugin, seconds),
                Some(_) => {}
            }
            pass.known.push(known);
        }
        pass.remember();
        pass
    }

    /// What earlier runs say of plugins that this one says nothing of.
    fn remember(&mut self) {
        let unknown = self.estimate.unknown();
        if unknown.is_empty() {
            return;
        }
        for record in self.work.place.store.records().all() {
            if unknown.iter().any(|plugin| plugin == record.plugin()) {
                self.estimate.add_known(record.plugin(), record.seconds);
            }
        }
    }

    /// Carries out what is left to run; returns how every action ended.
    fn run(&mut self, on_failure: OnFailure, executor: &mut dyn Executor) -> Vec<Ending> {
        let graph = self.work.graph;
        let known = std::mem::take(&mut self.known);
        let is_left = |id: ActionId| known[id.0].is_none();
        let Work {
            experiment, place, ..
        } = self.work;
        self.along = Along::of(graph, experiment, place.registry, is_left);
        let inputs = |id: ActionId| graph.actions[id.0].taken().into_iter().collect();
        let shown = self.shown();
        let trials = Trials::of(self.work.experiment, graph);
        let scheduler = Scheduler::new(known, inputs, &shown, on_failure);
        let mut scheduler = scheduler.with_trials(trials);
        let left = scheduler.left();
        self.work.place.observer.planned(left);
        self.say_remaining();
        if left > 0 {
            self.hold = self.hold_all();
        }
        let stop = self.work.place.stop;
        scheduler.run(executor, self, stop);
        let mut endings = scheduler.endings();
        self.settle(&mut endings);
        endings
    }

    /// Stores what still waits for that. What cannot be stored has failed.
    fn settle(&self, endings: &mut [Ending]) {
        let Err(Unsettled { keys, fault }) = self.work.place.store.settle() else {
            return;
        };
        let failure = failure(fault);
        for (action, ending) in self.work.graph.actions.iter().zip(endings) {
            if keys.contains(&action.key.digest) {
                *ending = Ending::Failed(failure.clone());
            }
        }
    }

    fn say_remaining(&self) {
        if let Some(left) = self.estimate.left() {
            self.work.place.observer.remaining(left);
        }
    }

    fn hold_all(&self) -> Option<Hold> {
        let actions = self.work.graph.actions.iter();
        self.work
            .place
            .store
            .hold(&actions.map(|action| action.key.digest).collect())
    }

    fn action(&self, id: ActionId) -> &'a Action {
        &self.work.graph.actions[id.0]
    }

    /// The scores and pages among the goals.
    fn shown(&self) -> BTreeSet<ActionId> {
        let nodes = &self.work.experiment.nodes;
        let is_shown = |id: &ActionId| {
            let node = self.action(*id).node;
            matches!(nodes[node.0].kind, Kind::Score | Kind::Report)
        };
        let goals = self.work.graph.goals.iter().copied();
        goals.filter(is_shown).collect()
    }

    /// Loads the scores and pages; one that cannot be loaded turns its ending into a failure.
    fn load_results(&mut self, endings: &mut [Ending], executor: &mut dyn Executor) {
        for id in self.shown() {
            if !matches!(endings[id.0], Ending::Cached | Ending::Ran(_)) {
                continue;
            }
            let key = self.action(id).key.digest;
            let loaded = executor.result(&key).map_or_else(|| self.read(id), Ok);
            executor.release(&key);
            match loaded {
                Ok(result) => {
                    self.results.insert(id, result);
                }
                Err(Fault::Damaged(what)) => self.note_damage(&what),
                Err(fault) => endings[id.0] = Ending::Failed(failure(fault)),
            }
        }
    }

    fn note_damage(&mut self, what: &str) {
        self.is_damaged = true;
        if self.remarks.insert(what.to_owned()) {
            self.work.place.observer.remark(what);
        }
    }

    fn read(&self, id: ActionId) -> Result<Arc<dyn Stored>, Fault> {
        let Work {
            experiment, place, ..
        } = self.work;
        let action = self.action(id);
        let title = action.title(experiment);
        let record = place.store.find(&action.key.digest).ok_or_else(|| {
            Fault::Damaged(format!(
                "the stored result of `{title}` is gone: it is made again"
            ))
        })?;
        place.registry.read(&title, &record, place.store)
    }

    fn outcome(self, endings: Vec<Ending>) -> Outcome {
        let notes = self.notes.into_iter();
        Outcome {
            endings,
            costs: self.costs,
            notes: notes
                .flat_map(|(id, notes)| notes.into_iter().map(move |note| (id, note)))
                .collect(),
            results: self.results,
            stopped: self.work.place.stop.load(Ordering::Relaxed),
        }
    }
}

impl Orders for Pass<'_> {
    fn order(&self, id: ActionId) -> Order {
        let Work {
            graph,
            experiment,
            place,
        } = self.work;
        let writer = OrderWriter {
            graph,
            experiment,
            registry: place.registry,
            store: place.store,
        };
        self.along.order(id, &writer)
    }

    fn key(&self, id: ActionId) -> Digest {
        self.action(id).key.digest
    }

    fn started(&mut self, id: ActionId, order: &Order) {
        self.work.place.observer.started(id, &order.title);
    }

    fn ended(&mut self, id: ActionId, ending: &Ending, answer: Answer) {
        if let Conclusion::Damaged(what) = &answer.conclusion {
            self.note_damage(what);
        }
        let title = self.action(id).title(self.work.experiment);
        let names = Names::of(self.work.experiment, self.work.graph);
        let ending = named(ending, &names);
        let plugin = &self.work.experiment.nodes[self.action(id).node.0].plugin;
        self.estimate.end(plugin, answer.cost.seconds);
        self.say_remaining();
        self.work.place.observer.ended(id, &title, &ending);
        self.costs[id.0] = answer.cost;
        self.notes.insert(id, answer.notes);
    }
}

/// How an action ended, with the names of the file.
fn named(ending: &Ending, names: &Names<'_>) -> Ending {
    let mut ending = ending.clone();
    match &mut ending {
        Ending::Diverged { why, .. } => *why = names.put_in(why).into_owned(),
        Ending::Failed(failure) => *failure = names.put_in_failure(failure),
        _ => {}
    }
    ending
}

fn has_failed(ending: &Ending) -> bool {
    matches!(ending, Ending::Failed(_))
}

fn has_run(ending: &Ending) -> bool {
    matches!(ending, Ending::Ran(_) | Ending::Diverged { .. })
}
