//! The loop: a pool of threads over the actions whose inputs are there, critical path first.

use std::collections::{BTreeMap, BinaryHeap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dsl::experiment::Experiment;
use dsl::types::Kind;

use crate::artifact::{Parts, Stored};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::Files;
use crate::graph::{Action, ActionId, Graph};
use crate::observer::{Blame, Ending, Failure, Observer};
use crate::params::{Bindings, Loaded};
use crate::plan::{Step, plan};
use crate::plugin::{Context, Registry};
use crate::store::{Cost, Hold, Record, RecordedOutcome, Store};

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// What is run.
    pub graph: &'a Graph,
    /// Where its nodes stand.
    pub experiment: &'a Experiment,
    /// The plugins.
    pub registry: &'a Registry,
    /// Where results are kept.
    pub store: &'a dyn Store,
    /// Who is told.
    pub observer: &'a dyn Observer,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many actions at a time.
    pub jobs: usize,
    /// What a failure stops.
    pub on_failure: OnFailure,
    /// Set from outside to end the run; what is finished is kept.
    pub stop: Arc<AtomicBool>,
    /// The machine's name, for the records.
    pub host: String,
}

/// What a failed action stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// No further action starts.
    Stop,
    /// Only what takes it.
    KeepGoing,
}

/// How every action ended, and what the run gave.
pub struct Outcome {
    /// In the order of the graph's actions.
    pub endings: Vec<Ending>,
    /// What results took, now or in an earlier run; nothing for what is not there.
    pub costs: Vec<Cost>,
    /// What results say their readers must know: by action, also from earlier runs.
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

/// Runs what the store lacks and loads the results of the goals.
pub fn run(work: Work<'_>, settings: &Settings) -> Outcome {
    run_after(work, settings, &Endings::new())
}

/// The same as a further round of a run: what earlier rounds ran counts as run, and what failed
/// in them is not tried again.
///
/// A stored result that turns out damaged is set aside by the store and made again, with
/// whatever is needed for that.
pub fn run_after(work: Work<'_>, settings: &Settings, earlier: &Endings) -> Outcome {
    let mut before = earlier.clone();
    // Every pass that finds damage makes the store forget a record, so the passes end; a disk
    // that damages all it is given must end them too.
    let mut passes_left = work.graph.actions.len();
    loop {
        let pass = Pass::new(work, settings, &before);
        pass.run();
        let results = pass.load_results();
        let is_damaged = lock(&pass.shared).damaged;
        if !is_damaged || passes_left == 0 || settings.stop.load(Ordering::Relaxed) {
            return pass.outcome(results);
        }
        before.extend(pass.ran());
        passes_left -= 1;
    }
}

/// One go over the plan; another follows when damage was found.
struct Pass<'a> {
    work: Work<'a>,
    settings: &'a Settings,
    dependents: Vec<Vec<ActionId>>,
    heights: Vec<usize>,
    slots: Vec<Mutex<Option<Arc<dyn Stored>>>>,
    shared: Mutex<Shared>,
    wake: Condvar,
    /// Keeps from `gc` what the pass works with.
    _hold: Option<Hold>,
}

/// What the threads share.
struct Shared {
    ready: BinaryHeap<(usize, std::cmp::Reverse<ActionId>)>,
    waiting: Vec<usize>,
    users: Vec<usize>,
    endings: Vec<Option<Ending>>,
    costs: Vec<Cost>,
    notes: BTreeMap<ActionId, Vec<String>>,
    running: usize,
    failed: bool,
    damaged: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Pass<'a> {
    fn new(work: Work<'a>, settings: &'a Settings, before: &Endings) -> Self {
        let plan = plan(work.graph, work.store);
        let dependents = work.graph.dependents();
        let count = work.graph.actions.len();
        let mut shared = Shared {
            ready: BinaryHeap::new(),
            waiting: vec![0; count],
            users: vec![0; count],
            endings: vec![None; count],
            costs: vec![Cost::default(); count],
            notes: BTreeMap::new(),
            running: 0,
            failed: false,
            damaged: false,
        };
        for (index, step) in plan.steps.iter().enumerate() {
            let earlier = before.get(&work.graph.actions[index].key.digest);
            shared.endings[index] = match step {
                Step::NotNeeded => Some(Ending::NotNeeded),
                Step::Run => earlier.filter(|ending| has_failed(ending)).cloned(),
                Step::Cached(known) => {
                    shared.costs[index] = known.cost;
                    if !known.notes.is_empty() {
                        shared.notes.insert(ActionId(index), known.notes.clone());
                    }
                    let ending = earlier.filter(|ending| has_run(ending)).cloned();
                    Some(ending.unwrap_or_else(|| match &known.diverged {
                        Some(why) => Ending::Diverged {
                            why: why.clone(),
                            seconds: None,
                        },
                        None => Ending::Cached,
                    }))
                }
            };
        }
        skip_after_failures(&mut shared, &dependents);
        let to_run = shared.endings.iter().filter(|ending| ending.is_none());
        let to_run = to_run.count();
        work.observer.planned(to_run);
        let keys = || {
            work.graph
                .actions
                .iter()
                .map(|action| action.key.digest)
                .collect()
        };
        let hold = (to_run > 0).then(|| work.store.hold(&keys())).flatten();
        let heights = heights(&dependents);
        for (index, action) in work.graph.actions.iter().enumerate() {
            if shared.endings[index].is_none() {
                let taken = action.taken();
                shared.waiting[index] = taken
                    .iter()
                    .filter(|id| shared.endings[id.0].is_none())
                    .count();
                taken.iter().for_each(|id| shared.users[id.0] += 1);
                if shared.waiting[index] == 0 {
                    shared
                        .ready
                        .push((heights[index], std::cmp::Reverse(ActionId(index))));
                }
            }
        }
        Self {
            work,
            settings,
            dependents,
            heights,
            slots: (0..count).map(|_| Mutex::default()).collect(),
            shared: Mutex::new(shared),
            wake: Condvar::new(),
            _hold: hold,
        }
    }

    fn run(&self) {
        let heights = &self.heights;
        std::thread::scope(|scope| {
            for _ in 0..self
                .settings
                .jobs
                .clamp(1, self.work.graph.actions.len().max(1))
            {
                scope.spawn(|| self.worker(heights));
            }
        });
        let mut shared = lock(&self.shared);
        for ending in &mut shared.endings {
            ending.get_or_insert(Ending::Skipped);
        }
    }

    fn worker(&self, heights: &[usize]) {
        while let Some(id) = self.next() {
            let title = self.action(id).title(self.work.experiment);
            self.work.observer.started(id, &title);
            let (ending, notes) = self.perform(id);
            self.work.observer.ended(id, &title, &ending);
            self.finish(id, ending, notes, heights);
        }
    }

    /// The ready action with the longest way to go; waits for one; `None` when there is no more.
    fn next(&self) -> Option<ActionId> {
        let mut shared = lock(&self.shared);
        loop {
            let stop_on_failure = self.settings.on_failure == OnFailure::Stop;
            let halted =
                self.settings.stop.load(Ordering::Relaxed) || (shared.failed && stop_on_failure);
            if !halted && let Some((_, std::cmp::Reverse(id))) = shared.ready.pop() {
                shared.running += 1;
                return Some(id);
            }
            if shared.running == 0 || halted {
                self.wake.notify_all();
                return None;
            }
            shared = self
                .wake
                .wait(shared)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, id: ActionId, ending: Ending, notes: Vec<String>, heights: &[usize]) {
        let mut shared = lock(&self.shared);
        shared.running -= 1;
        shared.failed |= matches!(ending, Ending::Failed(_));
        let usable = matches!(ending, Ending::Ran(_) | Ending::Diverged { .. });
        shared.notes.insert(id, notes);
        shared.endings[id.0] = Some(ending);
        if usable {
            for dependent in &self.dependents[id.0] {
                if shared.endings[dependent.0].is_none() {
                    shared.waiting[dependent.0] -= 1;
                    if shared.waiting[dependent.0] == 0 {
                        let ready = (heights[dependent.0], std::cmp::Reverse(*dependent));
                        shared.ready.push(ready);
                    }
                }
            }
        } else {
            skip_dependents(id, &mut shared, &self.dependents);
        }
        for taken in self.action(id).taken() {
            shared.users[taken.0] = shared.users[taken.0].saturating_sub(1);
            if shared.users[taken.0] == 0 && !self.work.graph.goals.contains(&taken) {
                *lock(&self.slots[taken.0]) = None;
            }
        }
        self.wake.notify_all();
    }

    fn action(&self, id: ActionId) -> &'a Action {
        &self.work.graph.actions[id.0]
    }

    /// Loads the inputs of an action, runs it and keeps what it made.
    fn perform(&self, id: ActionId) -> (Ending, Vec<String>) {
        let started = Instant::now();
        let mut notes = Vec::new();
        let ending = match self.make(id, &mut notes, started) {
            Ok(ending) => ending,
            Err(Fault::Diverged(why)) => {
                let outcome = RecordedOutcome::Diverged(why.clone());
                match self.save(id, outcome, &notes, started, &Parts::default()) {
                    Ok(()) => Ending::Diverged {
                        why,
                        seconds: Some(started.elapsed().as_secs_f64()),
                    },
                    Err(fault) => Ending::Failed(failure(fault)),
                }
            }
            Err(Fault::Damaged(what)) => {
                lock(&self.shared).damaged = true;
                self.work.observer.remark(&what);
                Ending::Skipped
            }
            Err(Fault::Cancelled) => Ending::Skipped,
            Err(fault) => Ending::Failed(failure(fault)),
        };
        (ending, notes)
    }

    fn make(
        &self,
        id: ActionId,
        notes: &mut Vec<String>,
        started: Instant,
    ) -> Result<Ending, Fault> {
        let action = self.action(id);
        if let Some(why) = self.diverged_input(action) {
            return Err(Fault::Diverged(why));
        }
        let node = &self.work.experiment.nodes[action.node.0];
        let operation = self
            .work
            .registry
            .get(&node.plugin)
            .ok_or_else(|| Fault::Bug(format!("plugin `{}` is not registered", node.plugin)))?;
        let bindings = self.bindings(action)?;
        let observer = self.work.observer;
        let report = |progress| observer.progress(id, progress);
        let stop = Arc::clone(&self.settings.stop);
        let digests = action.files.iter();
        let digests = digests.map(|(path, digest)| (path.into(), *digest));
        let files = Files::expected(digests.collect(), Arc::clone(&stop));
        let context = Context::new(action.streams, action.member, stop, &report)
            .with_store(self.work.store)
            .with_files(files);
        let made = catch_unwind(AssertUnwindSafe(|| operation.run(&bindings, &context)));
        *notes = context.take_notes();
        let made = made.unwrap_or_else(|panic| Err(Fault::Bug(panic_text(&*panic))));
        if let Err(Fault::Cancelled) = made {
            return Err(Fault::Cancelled);
        }
        // Whatever it made or complains of may come of bytes that are not those of its key.
        if let Err(fault) = context.files().verify() {
            if let Fault::Changed(path) = &fault {
                self.work.store.forget_file_digest(path);
            }
            return Err(fault);
        }
        let made = made?;
        let outcome = RecordedOutcome::Parts(BTreeMap::new());
        self.save(id, outcome, notes, started, &made.to_parts()?)?;
        if lock(&self.shared).users[id.0] > 0 || self.work.graph.goals.contains(&id) {
            *lock(&self.slots[id.0]) = Some(made);
        }
        Ok(Ending::Ran(started.elapsed().as_secs_f64()))
    }

    /// Why an input that is taken for one member is not there: it diverged.
    fn diverged_input(&self, action: &Action) -> Option<String> {
        let shared = lock(&self.shared);
        let single = action.inputs.iter().filter(|input| !input.gather);
        single
            .flat_map(|input| &input.actions)
            .find_map(|taken| match &shared.endings[taken.0] {
                Some(Ending::Diverged { why, .. }) => Some(why.clone()),
                _ => None,
            })
    }

    fn save(
        &self,
        id: ActionId,
        outcome: RecordedOutcome,
        notes: &[String],
        started: Instant,
        parts: &Parts,
    ) -> Result<(), Fault> {
        let action = self.action(id);
        let record = Record {
            key: action.key.digest,
            key_text: action.key.text.clone(),
            outcome,
            notes: notes.to_vec(),
            seconds: started.elapsed().as_secs_f64(),
            host: self.settings.host.clone(),
        };
        let record = self.work.store.save(record, parts)?;
        lock(&self.shared).costs[id.0] = record.cost();
        Ok(())
    }

    fn bindings(&self, action: &Action) -> Result<Bindings, Fault> {
        let node = &self.work.experiment.nodes[action.node.0];
        let mut bindings = Bindings {
            args: node.args.clone(),
            inputs: BTreeMap::new(),
        };
        for input in &action.inputs {
            let members = input
                .actions
                .iter()
                .map(|taken| self.load(*taken))
                .collect::<Result<Vec<_>, Fault>>()?;
            let label = self.work.graph.label(input.node).unwrap_or_default();
            let plugin = &self.work.experiment.nodes[input.node.0].plugin;
            let loaded = Loaded {
                label,
                kind: self.work.registry.default_kind(plugin),
                members,
            };
            bindings
                .inputs
                .insert((input.field.clone(), input.node), loaded);
        }
        Ok(bindings)
    }

    /// The result of an action, from memory or the store; `None` when its member diverged.
    fn load(&self, id: ActionId) -> Result<Option<Arc<dyn Stored>>, Fault> {
        if matches!(
            lock(&self.shared).endings[id.0],
            Some(Ending::Diverged { .. })
        ) {
            return Ok(None);
        }
        let mut slot = lock(&self.slots[id.0]);
        if let Some(made) = &*slot {
            return Ok(Some(Arc::clone(made)));
        }
        let action = self.action(id);
        let title = action.title(self.work.experiment);
        let record = self.work.store.find(&action.key.digest).ok_or_else(|| {
            Fault::Damaged(format!(
                "the stored result of `{title}` is gone: it is made again"
            ))
        })?;
        let registry = self.work.registry;
        let made = registry.read(&title, &record, self.work.store)?;
        *slot = Some(Arc::clone(&made));
        Ok(Some(made))
    }

    fn ran(&self) -> Endings {
        let shared = lock(&self.shared);
        let actions = self.work.graph.actions.iter().zip(&shared.endings);
        actions
            .filter_map(|(action, ending)| {
                let ending = ending.as_ref().filter(|ending| has_run(ending))?;
                Some((action.key.digest, ending.clone()))
            })
            .collect()
    }

    /// The scores and pages; one that cannot be loaded turns its ending into a failure.
    fn load_results(&self) -> BTreeMap<ActionId, Arc<dyn Stored>> {
        let mut results = BTreeMap::new();
        let nodes = &self.work.experiment.nodes;
        let is_shown = |id: &&ActionId| {
            matches!(
                nodes[self.action(**id).node.0].kind,
                Kind::Score | Kind::Report
            )
        };
        for &id in self.work.graph.goals.iter().filter(is_shown) {
            let ending = lock(&self.shared).endings[id.0].clone();
            if !matches!(ending, Some(Ending::Cached | Ending::Ran(_))) {
                continue;
            }
            match self.load(id) {
                Ok(Some(made)) => {
                    results.insert(id, made);
                }
                Ok(None) => {}
                Err(Fault::Damaged(what)) => {
                    self.work.observer.remark(&what);
                    lock(&self.shared).damaged = true;
                }
                Err(fault) => {
                    lock(&self.shared).endings[id.0] = Some(Ending::Failed(failure(fault)));
                }
            }
        }
        results
    }

    fn outcome(self, results: BTreeMap<ActionId, Arc<dyn Stored>>) -> Outcome {
        let shared = self
            .shared
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Outcome {
            endings: shared
                .endings
                .into_iter()
                .map(|e| e.unwrap_or(Ending::Skipped))
                .collect(),
            costs: shared.costs,
            notes: shared
                .notes
                .into_iter()
                .flat_map(|(id, notes)| notes.into_iter().map(move |note| (id, note)))
                .collect(),
            results,
            stopped: self.settings.stop.load(Ordering::Relaxed),
        }
    }
}

fn has_failed(ending: &Ending) -> bool {
    matches!(ending, Ending::Failed(_))
}

fn has_run(ending: &Ending) -> bool {
    matches!(ending, Ending::Ran(_) | Ending::Diverged { .. })
}

fn skip_after_failures(shared: &mut Shared, dependents: &[Vec<ActionId>]) {
    for index in 0..shared.endings.len() {
        if shared.endings[index].as_ref().is_some_and(has_failed) {
            skip_dependents(ActionId(index), shared, dependents);
        }
    }
}

fn skip_dependents(id: ActionId, shared: &mut Shared, dependents: &[Vec<ActionId>]) {
    let mut queue = dependents[id.0].clone();
    while let Some(dependent) = queue.pop() {
        if shared.endings[dependent.0].is_none() {
            shared.endings[dependent.0] = Some(Ending::Skipped);
            queue.extend(&dependents[dependent.0]);
        }
    }
}

/// For each action the number of actions on the longest way to a result.
fn heights(dependents: &[Vec<ActionId>]) -> Vec<usize> {
    let mut heights = vec![0; dependents.len()];
    for index in (0..dependents.len()).rev() {
        heights[index] = dependents[index]
            .iter()
            .map(|dependent| heights[dependent.0] + 1)
            .max()
            .unwrap_or(0);
    }
    heights
}

fn failure(fault: Fault) -> Failure {
    let message = fault.to_string();
    match fault {
        Fault::User {
            param,
            message,
            hint,
        } => Failure {
            blame: Blame::User,
            param,
            message,
            hint,
        },
        Fault::Bug(_) => Failure {
            blame: Blame::Bug,
            param: None,
            message,
            hint: None,
        },
        Fault::Changed(_) => Failure {
            blame: Blame::Environment,
            param: None,
            message,
            hint: Some("run again, to use the file as it is now".to_owned()),
        },
        _ => Failure {
            blame: Blame::Environment,
            param: None,
            message,
            hint: None,
        },
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("panicked: {text}")
}
