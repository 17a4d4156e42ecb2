//! What a run would do: a dry run over the store. [`why`](crate::why) says why.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use crate::digest::Digest;
use crate::graph::{ActionId, Graph};
use crate::store::{Store, Summary};

/// For every action of a graph, whether its result is there.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order of the graph's actions.
    pub steps: Vec<Step>,
}

/// What happens to one action.
#[derive(Clone, Debug)]
pub enum Step {
    /// Its result is in the store.
    Cached(Summary),
    /// Its result is not in the store, but nothing that runs takes it.
    NotNeeded,
    /// It runs.
    Run,
}

impl Plan {
    /// How many actions run.
    pub fn to_run(&self) -> usize {
        self.steps
            .iter()
            .filter(|step| matches!(step, Step::Run))
            .count()
    }

    /// The step of an action.
    pub fn step(&self, action: ActionId) -> &Step {
        &self.steps[action.0]
    }
}

/// Plans the graph: what the store has is cached; of the rest, the goals run and whatever
/// something that runs takes.
pub fn plan(graph: &Graph, store: &dyn Store) -> Plan {
    let keys: Vec<Digest> = graph
        .actions
        .iter()
        .map(|action| action.key.digest)
        .collect();
    let mut summaries = store.records().find_many(&keys);
    let present = present(graph, &keys, store);
    let mut is_wanted = vec![false; graph.actions.len()];
    for goal in &graph.goals {
        is_wanted[goal.0] = true;
    }
    let mut steps = Vec::with_capacity(graph.actions.len());
    // An action is after all it reads, so that whether it is wanted is known by then.
    for (index, action) in graph.actions.iter().enumerate().rev() {
        let is_there = || match present.binary_search_by_key(&index, |it| it.0) {
            Ok(at) => present[at].1,
            Err(_) => store.find(&keys[index]).is_some(),
        };
        // The objects of a result that nothing reads need not be present.
        let usable = summaries[index].take();
        let usable = usable.filter(|_| !is_wanted[index] || is_there());
        steps.push(match usable {
            Some(summary) => Step::Cached(summary),
            None if is_wanted[index] => {
                let taken = action.inputs.iter().flat_map(|input| &input.actions);
                taken.for_each(|id| is_wanted[id.0] = true);
                Step::Run
            }
            None => Step::NotNeeded,
        });
    }
    steps.reverse();
    Plan { steps }
}

/// Fewer goals are looked up faster than a thread starts.
const WORTH_A_THREAD: usize = 1000;

/// Whether the result of each goal is in the store, in the order of the actions; many are looked
/// up on all cores.
fn present(graph: &Graph, keys: &[Digest], store: &dyn Store) -> Vec<(usize, bool)> {
    let goals: Vec<usize> = graph.goals.iter().map(|goal| goal.0).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(goals.len() / WORTH_A_THREAD).max(1);
    let look = |goal: &usize| (*goal, store.find(&keys[*goal]).is_some());
    if threads == 1 {
        return goals.iter().map(look).collect();
    }
    let share = goals.len().div_ceil(threads);
    thread::scope(|scope| {
        let shares = goals.chunks(share);
        let looking: Vec<_> = shares
            .map(|goals| scope.spawn(move || goals.iter().map(look).collect::<Vec<_>>()))
            .collect();
        let found = looking.into_iter().map(ScopedJoinHandle::join);
        found
            .flat_map(|found| found.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}
