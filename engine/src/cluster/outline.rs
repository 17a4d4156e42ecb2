//! What is to be done in a round elsewhere: its actions, what they need and how long they take.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dsl::experiment::Experiment;

use super::campaign::{Campaign, graph_digest};
use super::chunks::{Task, UNKNOWN};
use crate::digest::Digest;
use crate::error::Fault;
use crate::executor::{Place, Round};
use crate::graph::Graph;
use crate::plan::{Plan, Step, plan};
use crate::trials::Trials;

/// What is needed of a round to submit its missing chunks again.
#[derive(Default)]
pub(super) struct Outline {
    pub(super) tasks: Vec<Task>,
    pub(super) keys: Vec<Digest>,
    pub(super) graph: Option<Digest>,
    pub(super) files: BTreeMap<String, Digest>,
    pub(super) choices: Vec<(String, String, Option<f64>)>,
    pub(super) errors: Vec<(String, String, f64)>,
    pub(super) contents: Vec<(Digest, Digest)>,
    /// What was left to run when it began.
    pub(super) left: BTreeSet<usize>,
    /// The actions of points of sweeps whose failure is forgiven.
    pub(super) trials: Trials,
}

impl Outline {
    /// That of a round, once the store has what its actions read.
    pub(super) fn of(round: Round<'_>, place: Place<'_>, campaign: &Campaign) -> Self {
        let Round {
            graph,
            experiment,
            choices,
            contents,
        } = round;
        let plan = brought(graph, place);
        let left = plan.steps.iter().enumerate();
        let left = left.filter(|(_, step)| matches!(step, Step::Run));
        let left: BTreeSet<usize> = left.map(|(at, _)| at).collect();
        let seconds = seconds(graph, experiment, &plan.steps, &left, place);
        let tasks = graph.actions.iter().map(|action| {
            let node = &experiment.nodes[action.node.0];
            Task {
                class: campaign.about.site.class(&node.plugin),
                point: node.point.clone(),
                member: action.member,
                inputs: action.taken().into_iter().map(|input| input.0).collect(),
                seconds: seconds
                    .get(node.plugin.as_str())
                    .copied()
                    .unwrap_or(UNKNOWN),
            }
        });
        let keys: Vec<Digest> = graph.actions.iter().map(|it| it.key.digest).collect();
        Self {
            tasks: tasks.collect(),
            keys,
            graph: Some(graph_digest(graph)),
            files: graph.files.clone(),
            choices: { choices.all() }
                .map(|(sweep, point, score)| (sweep.to_owned(), point.to_owned(), score))
                .collect(),
            errors: { choices.errors() }
                .map(|(sweep, point, error)| (sweep.to_owned(), point.to_owned(), error))
                .collect(),
            contents: contents.all().collect(),
            left,
            trials: Trials::of(experiment, graph),
        }
    }
}

/// What is missing, once the store on disk has all that it reads: jobs see nothing else.
fn brought(graph: &Graph, place: Place<'_>) -> Plan {
    loop {
        let plan = plan(graph, place.store);
        let runs = |id: &usize| matches!(plan.steps[*id], Step::Run);
        let read = (0..graph.actions.len()).filter(runs).flat_map(|id| {
            let taken = graph.actions[id].taken();
            taken.into_iter().filter(|input| !runs(&input.0))
        });
        let keys: BTreeSet<Digest> = read.map(|id| graph.actions[id.0].key.digest).collect();
        let keys: Vec<Digest> = keys.into_iter().collect();
        match place.store.bring(&keys) {
            // The record is forgotten, so the passes end.
            Err(Fault::Damaged(what)) => place.observer.remark(&what),
            Err(fault) => {
                place.observer.remark(&fault.to_string());
                return plan;
            }
            Ok(()) => return plan,
        }
    }
}

/// How long an action of each plugin took, by the records of the store: those of this graph, or else
/// all that it has.
fn seconds<'a>(
    graph: &Graph,
    experiment: &'a Experiment,
    steps: &[Step],
    left: &BTreeSet<usize>,
    place: Place<'_>,
) -> HashMap<&'a str, f64> {
    let plugin = |at: usize| experiment.nodes[graph.actions[at].node.0].plugin.as_str();
    let mut sums: HashMap<&str, (f64, f64)> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        if let Step::Cached(summary) = step {
            let sum = sums.entry(plugin(at)).or_default();
            *sum = (sum.0 + summary.cost.seconds, sum.1 + 1.0);
        }
    }
    let unknown: HashMap<&str, &str> = { left.iter() }
        .map(|at| (plugin(*at), plugin(*at)))
        .filter(|(plugin, _)| !sums.contains_key(plugin))
        .collect();
    if !unknown.is_empty() {
        for record in place.store.records().all() {
            if let Some(plugin) = unknown.get(record.plugin()) {
                let sum = sums.entry(plugin).or_default();
                *sum = (sum.0 + record.seconds, sum.1 + 1.0);
            }
        }
    }
    let means = sums.into_iter();
    means
        .map(|(plugin, (sum, count))| (plugin, sum / count))
        .collect()
}
