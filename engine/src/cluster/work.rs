//! Carries one chunk of an order out: the ordinary loop over its actions, in threads of this process.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dsl::experiment::Experiment;

use super::campaign::{Campaign, WorkOrder};
use crate::along::Along;
use crate::digest::Digest;
use crate::executor::{Answer, Backend, Conclusion, Place, Threads, failure};
use crate::graph::{ActionId, Graph};
use crate::names::Names;
use crate::observer::{Ending, Failure};
use crate::order::{Order, OrderWriter};
use crate::scheduler::{OnFailure, Orders, Scheduler};
use crate::store::Unsettled;

/// How long a result may take to be seen on this machine after another has recorded it, as on a
/// network file system.
const DELAY: Duration = Duration::from_secs(20);

/// The same where nothing says that it was recorded: its chunk may have been killed.
const UNPROMISED: Duration = Duration::from_secs(4);

/// A chunk, and what it is part of.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    /// The run.
    pub campaign: &'a Campaign,
    /// The order.
    pub order: &'a WorkOrder,
    /// Its number.
    pub number: usize,
    /// The actions of the order's graph.
    pub graph: &'a Graph,
    /// The experiment that the graph was lowered from.
    pub experiment: &'a Experiment,
}

/// What came of a chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    /// How many of its actions have results now.
    pub ran: usize,
    /// Those that failed.
    pub failed: Vec<(Digest, Failure)>,
    /// Those that did not run.
    pub skipped: Vec<Digest>,
}

/// Runs the actions of a chunk that the store lacks, `jobs` at a time; those that read what is not
/// there are skipped.
pub fn carry_chunk(chunk: Chunk<'_>, place: Place<'_>, jobs: usize) -> Carried {
    let ids = chunk.order.chunk(chunk.number).unwrap_or_default();
    let ids: BTreeSet<usize> = ids.iter().copied().collect();
    let missing = wait_for_inputs(chunk, &ids, place);
    let graph = chunk.graph;
    let key = |id: usize| graph.actions[id].key.digest;
    let mut known: Vec<Option<Ending>> = vec![Some(Ending::NotNeeded); graph.actions.len()];
    let mut absent = missing;
    for &id in &ids {
        let reads = graph.actions[id].taken();
        known[id] = match () {
            () if place.store.find(&key(id)).is_some() => Some(Ending::Cached),
            () if reads.iter().any(|input| absent.contains(&input.0)) => {
                absent.insert(id);
                Some(Ending::Skipped)
            }
            () => None,
        };
    }
    let inputs = |id: ActionId| graph.actions[id.0].taken().into_iter().collect();
    let mut scheduler = Scheduler::new(known, inputs, [], OnFailure::KeepGoing);
    place.observer.planned(scheduler.left());
    let read = ids.iter().flat_map(|id| graph.actions[*id].taken());
    let held = read.map(|input| input.0).chain(ids.iter().copied());
    let _hold = place.store.hold(&held.map(key).collect());
    let is_left = |id: ActionId| place.store.find(&key(id.0)).is_none();
    let mut going = Going {
        chunk,
        place,
        along: Along::of(graph, chunk.experiment, place.registry, is_left),
        failed: Vec::new(),
    };
    let stop = place.stop;
    Threads { jobs }.open(place, &mut |executor| {
        scheduler.run(executor, &mut going, stop);
    });
    let mut endings = scheduler.endings();
    // The report promises what it counts, so all of it is stored before.
    if let Err(Unsettled { keys, fault }) = place.store.settle() {
        let failure = failure(fault);
        for id in ids.iter().filter(|id| keys.contains(&key(**id))) {
            endings[*id] = Ending::Failed(failure.clone());
            going.failed.push((key(*id), failure.clone()));
        }
    }
    let is_there = |ending: &Ending| {
        let is_made = matches!(ending, Ending::Ran(_) | Ending::Cached);
        is_made || matches!(ending, Ending::Diverged { .. })
    };
    let skipped = ids
        .iter()
        .filter(|id| matches!(endings[**id], Ending::Skipped));
    Carried {
        ran: ids.iter().filter(|id| is_there(&endings[**id])).count(),
        failed: going.failed,
        skipped: skipped.map(|id| key(*id)).collect(),
    }
}

/// What the chunk reads from others and is not in the store, even after a while, unless they have
/// said that it does not come.
fn wait_for_inputs(chunk: Chunk<'_>, ids: &BTreeSet<usize>, place: Place<'_>) -> BTreeSet<usize> {
    let graph = chunk.graph;
    let key = |id: &usize| graph.actions[*id].key.digest;
    let left = ids.iter().filter(|id| place.store.find(&key(id)).is_none());
    let reads = left.flat_map(|id| graph.actions[*id].taken());
    let reads = reads
        .map(|input| input.0)
        .filter(|input| !ids.contains(input));
    let mut missing: BTreeSet<usize> = reads.collect();
    let since = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        missing.retain(|id| place.store.find(&key(id)).is_none());
        let is_promised = missing
            .iter()
            .any(|id| maker(*id, chunk).is_some_and(|it| it.1));
        let delay = if is_promised { DELAY } else { UNPROMISED };
        let is_over = since.elapsed() > delay || place.stop.load(Ordering::Relaxed);
        if missing.is_empty() || is_over || missing.iter().any(|id| is_given_up(*id, chunk)) {
            return missing;
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(2));
        // Tried again at the next turn.
        let _ = place.store.refresh();
    }
}

/// Whether the chunk that should have made a result has ended without it.
fn is_given_up(id: usize, chunk: Chunk<'_>) -> bool {
    maker(id, chunk).is_some_and(|(_, is_made)| !is_made)
}

/// The chunk of this order that makes a result and has ended, and whether it says that it has.
fn maker(id: usize, chunk: Chunk<'_>) -> Option<(usize, bool)> {
    let arrays = chunk.order.arrays.iter();
    let mut chunks = arrays.flat_map(|array| (array.first..).zip(&array.chunks));
    let (maker, _) = chunks.find(|(_, actions)| actions.binary_search(&id).is_ok())?;
    let report = chunk.campaign.report(chunk.order.number, maker)?;
    let key = chunk.graph.actions[id].key.digest;
    let has_failed = report.failed.iter().any(|(other, _)| *other == key);
    let is_made = !(report.stopped || has_failed || report.skipped.contains(&key));
    Some((maker, is_made))
}

/// A chunk that is being carried out.
struct Going<'a> {
    chunk: Chunk<'a>,
    place: Place<'a>,
    /// What its actions leave for others.
    along: Along,
    failed: Vec<(Digest, Failure)>,
}

impl Orders for Going<'_> {
    fn order(&self, id: ActionId) -> Order {
        let Chunk {
            graph, experiment, ..
        } = self.chunk;
        let writer = OrderWriter {
            graph,
            experiment,
            registry: self.place.registry,
            store: self.place.store,
        };
        self.along.order(id, &writer)
    }

    fn key(&self, id: ActionId) -> Digest {
        self.chunk.graph.actions[id.0].key.digest
    }

    fn started(&mut self, id: ActionId, order: &Order) {
        self.place.observer.started(id, &order.title);
    }

    fn ended(&mut self, id: ActionId, ending: &Ending, answer: Answer) {
        if let Conclusion::Damaged(what) = &answer.conclusion {
            self.place.observer.remark(what);
        }
        let Chunk {
            graph, experiment, ..
        } = self.chunk;
        let title = graph.actions[id.0].title(experiment);
        let mut shown = ending.clone();
        if let Ending::Failed(failure) = ending {
            self.failed.push((self.key(id), failure.clone()));
            let names = Names::of(experiment, graph);
            shown = Ending::Failed(names.put_in_failure(failure));
        }
        self.place.observer.ended(id, &title, &shown);
    }
}
