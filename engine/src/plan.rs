//! What a run would do: a dry run over the store. [`why`](crate::why) says why.

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
    let dependents = graph.dependents();
    let keys: Vec<Digest> = graph
        .actions
        .iter()
        .map(|action| action.key.digest)
        .collect();
    let mut summaries = store.records().find_many(&keys);
    let mut steps: Vec<Option<Step>> = vec![None; graph.actions.len()];
    let runs = |step: &Option<Step>| matches!(step, Some(Step::Run));
    for index in (0..graph.actions.len()).rev() {
        let wanted = graph.goals.contains(&ActionId(index))
            || dependents[index]
                .iter()
                .any(|dependent| runs(&steps[dependent.0]));
        let summary = summaries[index].take();
        // The objects of a result that nothing reads need not be present.
        let usable = summary.filter(|_| !wanted || store.find(&keys[index]).is_some());
        steps[index] = Some(match usable {
            Some(summary) => Step::Cached(summary),
            None if wanted => Step::Run,
            None => Step::NotNeeded,
        });
    }
    Plan {
        steps: steps.into_iter().flatten().collect(),
    }
}
