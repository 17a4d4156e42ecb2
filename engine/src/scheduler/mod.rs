//! Which action starts next: the actions that are left to run, critical path first.
//!
//! A scheduler knows no plugin, no store and no thread. An [`Executor`] carries out what it
//! chooses:
//!
//! ```text
//! Scheduler ──start(order)──▶ Executor
//!     ▲                          │
//!     └──────── answer ──────────┘     until nothing is ready and nothing runs
//! ```

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::Digest;
use crate::executor::{Answer, Conclusion, Event, Executor};
use crate::graph::ActionId;
use crate::observer::Ending;
use crate::order::Order;
use crate::trials::Trials;

/// What a failed action stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// No further action starts.
    Stop,
    /// Only its dependents.
    KeepGoing,
}

/// The actions of a graph, and how far they are.
#[derive(Debug)]
pub struct Scheduler {
    /// How actions ended; none for those that are left to run.
    endings: Vec<Option<Ending>>,
    /// What each action that is left to run reads.
    inputs: Vec<Vec<ActionId>>,
    /// The actions left to run that read each result.
    dependents: Vec<Vec<ActionId>>,
    /// The number of actions on the longest way to a result that nothing reads.
    distance_to_goal: Vec<usize>,
    /// How many inputs of an action have not ended.
    missing: Vec<usize>,
    /// How many actions that are left to run read a result.
    readers: Vec<usize>,
    /// The actions whose inputs are there.
    ready: BinaryHeap<(usize, Reverse<ActionId>)>,
    /// The actions whose results are read after the run.
    kept: BTreeSet<ActionId>,
    on_failure: OnFailure,
    /// Whose failures stop only their dependents, whatever `on_failure` says.
    trials: Trials,
    has_failed: bool,
}

/// The run that a scheduler works for.
pub trait Orders {
    /// The order for an action.
    fn order(&self, id: ActionId) -> Order;

    /// The key of an action.
    fn key(&self, id: ActionId) -> Digest;

    /// An action has started.
    fn started(&mut self, id: ActionId, order: &Order);

    /// An action has ended.
    fn ended(&mut self, id: ActionId, ending: &Ending, answer: Answer);
}

impl Scheduler {
    /// The actions in an order in which each comes after its inputs: how they ended, when they
    /// did before the run, and what they read. The results of `kept` are needed after the run.
    pub fn new<'a>(
        endings: Vec<Option<Ending>>,
        inputs: impl Fn(ActionId) -> Vec<ActionId>,
        kept: impl IntoIterator<Item = &'a ActionId>,
        on_failure: OnFailure,
    ) -> Self {
        let mut scheduler = Self {
            inputs: Vec::new(),
            dependents: Vec::new(),
            distance_to_goal: Vec::new(),
            missing: Vec::new(),
            readers: Vec::new(),
            ready: BinaryHeap::new(),
            kept: kept.into_iter().copied().collect(),
            endings,
            on_failure,
            trials: Trials::default(),
            has_failed: false,
        };
        if scheduler.left() > 0 {
            scheduler.connect(inputs);
            scheduler.skip_after_failures();
            scheduler.collect_ready();
        }
        scheduler
    }

    /// The same with points of sweeps, whose failures stop only their dependents.
    pub fn with_trials(self, trials: Trials) -> Self {
        Self { trials, ..self }
    }

    /// How many actions are left to run.
    pub fn left(&self) -> usize {
        let left = self.endings.iter().filter(|ending| ending.is_none());
        left.count()
    }

    /// Carries out what is left; ends when nothing is ready and nothing runs.
    ///
    /// When `stop` is raised, nothing more starts and the executor aborts what runs.
    pub fn run(&mut self, executor: &mut dyn Executor, orders: &mut dyn Orders, stop: &AtomicBool) {
        let mut is_aborted = false;
        loop {
            let is_stopped = stop.load(Ordering::Relaxed);
            if is_stopped && !is_aborted {
                executor.abort();
                is_aborted = true;
            }
            while !is_stopped
                && executor.has_room()
                && let Some(id) = self.next()
            {
                let order = orders.order(id);
                orders.started(id, &order);
                executor.start(id, order);
            }
            match executor.wait() {
                Event::Ended(id, answer) => {
                    let ending = ending(&answer.conclusion);
                    orders.ended(id, &ending, answer);
                    for unread in self.end(id, ending) {
                        executor.release(&orders.key(unread));
                    }
                }
                Event::StillRunning => {}
                Event::Idle => break,
            }
        }
    }

    /// How every action ended; those that did not run are skipped.
    pub fn endings(self) -> Vec<Ending> {
        let endings = self.endings.into_iter();
        endings
            .map(|ending| ending.unwrap_or(Ending::Skipped))
            .collect()
    }

    fn connect(&mut self, inputs: impl Fn(ActionId) -> Vec<ActionId>) {
        let count = self.endings.len();
        self.inputs = vec![Vec::new(); count];
        self.dependents = vec![Vec::new(); count];
        self.readers = vec![0; count];
        for index in self.open() {
            let read = inputs(ActionId(index));
            for input in &read {
                self.dependents[input.0].push(ActionId(index));
                self.readers[input.0] += 1;
            }
            self.inputs[index] = read;
        }
        self.distance_to_goal = distance_to_goal(&self.dependents);
    }

    fn skip_after_failures(&mut self) {
        for index in 0..self.endings.len() {
            if matches!(self.endings[index], Some(Ending::Failed(_))) {
                self.skip_dependents(ActionId(index));
            }
        }
    }

    fn collect_ready(&mut self) {
        self.missing = vec![0; self.endings.len()];
        for index in self.open() {
            let open = |input: &&ActionId| self.endings[input.0].is_none();
            self.missing[index] = self.inputs[index].iter().filter(open).count();
            if self.missing[index] == 0 {
                self.make_ready(ActionId(index));
            }
        }
    }

    fn open(&self) -> Vec<usize> {
        let open = |index: &usize| self.endings[*index].is_none();
        (0..self.endings.len()).filter(open).collect()
    }

    fn make_ready(&mut self, id: ActionId) {
        self.ready.push((self.distance_to_goal[id.0], Reverse(id)));
    }

    /// The ready action that is farthest from a goal.
    fn next(&mut self) -> Option<ActionId> {
        if self.has_failed && self.on_failure == OnFailure::Stop {
            return None;
        }
        let (_, Reverse(id)) = self.ready.pop()?;
        Some(id)
    }

    /// Notes how an action ended; returns the actions whose results nothing reads any more.
    fn end(&mut self, id: ActionId, ending: Ending) -> Vec<ActionId> {
        let is_usable = matches!(ending, Ending::Ran(_) | Ending::Diverged { .. });
        self.has_failed |= matches!(ending, Ending::Failed(_)) && !self.trials.forgive(id, &ending);
        self.endings[id.0] = Some(ending);
        let mut unread = self.no_longer_reads(id);
        if is_usable {
            for dependent in self.dependents[id.0].clone() {
                if self.endings[dependent.0].is_none() {
                    self.missing[dependent.0] -= 1;
                    if self.missing[dependent.0] == 0 {
                        self.make_ready(dependent);
                    }
                }
            }
        } else {
            for skipped in self.skip_dependents(id) {
                unread.extend(self.no_longer_reads(skipped));
            }
        }
        if self.readers[id.0] == 0 && !unread.contains(&id) {
            unread.push(id);
        }
        unread.retain(|unread| !self.kept.contains(unread));
        unread
    }

    /// Counts an action out from the readers of its inputs; returns those without readers.
    fn no_longer_reads(&mut self, id: ActionId) -> Vec<ActionId> {
        let mut unread = Vec::new();
        for input in &self.inputs[id.0] {
            let readers = &mut self.readers[input.0];
            *readers = readers.saturating_sub(1);
            if *readers == 0 {
                unread.push(*input);
            }
        }
        unread
    }

    /// Skips everything that needs an action; returns what was skipped.
    fn skip_dependents(&mut self, id: ActionId) -> Vec<ActionId> {
        let mut skipped = Vec::new();
        let mut queue = self.dependents[id.0].clone();
        while let Some(dependent) = queue.pop() {
            if self.endings[dependent.0].is_none() {
                self.endings[dependent.0] = Some(Ending::Skipped);
                queue.extend(&self.dependents[dependent.0]);
                skipped.push(dependent);
            }
        }
        skipped
    }
}

/// For each action the number of actions on the longest way to a result that nothing reads.
fn distance_to_goal(dependents: &[Vec<ActionId>]) -> Vec<usize> {
    let mut distances = vec![0; dependents.len()];
    for index in (0..dependents.len()).rev() {
        let after = dependents[index].iter();
        let after = after.map(|dependent| distances[dependent.0] + 1);
        distances[index] = after.max().unwrap_or(0);
    }
    distances
}

fn ending(conclusion: &Conclusion) -> Ending {
    match conclusion {
        Conclusion::Produced { seconds } => Ending::Ran(*seconds),
        Conclusion::Diverged { why, seconds } => Ending::Diverged {
            why: why.clone(),
            seconds: Some(*seconds),
        },
        Conclusion::Failed(failure) => Ending::Failed(failure.clone()),
        Conclusion::Damaged(_) | Conclusion::Cancelled => Ending::Skipped,
    }
}
