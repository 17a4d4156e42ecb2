//! What an action leaves for others while it is carried out: the states of a training for what is
//! recorded along with it, rows in parts for those that read them so, and the end of a short training
//! for a longer one.
//!
//! None of these changes a byte of a result: they only spare work or memory.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::Experiment;

use crate::digest::Digest;
use crate::flow::{InParts, MOST_BESIDE};
use crate::graph::{Action, ActionId, Graph};
use crate::key::Key;
use crate::order::{Order, OrderWriter};
use crate::plugin::Registry;
use crate::trials::{needed, node, sets};

/// What the actions of a graph leave for others.
#[derive(Debug, Default)]
pub struct Along {
    /// The actions carried out along with one.
    recorded: BTreeMap<ActionId, Vec<ActionId>>,
    /// Those that the rows of one pass on to in parts, where nothing reads all of its rows.
    flows: BTreeMap<ActionId, Vec<ActionId>>,
    /// Those that are carried out along with others.
    beside: BTreeSet<ActionId>,
    /// Those that leave what a longer one needs to go on.
    leaving: BTreeSet<ActionId>,
    /// Shorter ones that one can go on from.
    shorter: BTreeMap<ActionId, Vec<ActionId>>,
}

impl Along {
    /// That of a graph of which some actions are left to run.
    pub fn of(
        graph: &Graph,
        experiment: &Experiment,
        registry: &Registry,
        is_left: impl Fn(ActionId) -> bool,
    ) -> Self {
        let mut along = Self::default();
        for index in 0..graph.actions.len() {
            let id = ActionId(index);
            if let Some(recorded) = recorded_along(id, graph, experiment, registry)
                && is_left(id)
                && is_left(recorded)
            {
                along.recorded.entry(recorded).or_default().push(id);
                along.beside.insert(id);
            }
        }
        along.flow(graph, experiment, registry, &is_left);
        for sweep in &experiment.sweeps {
            let Some(over) = sweep.over else { continue };
            let over = &sweep.params[over].name;
            let trials = sweep.trials.iter().flat_map(|trial| &trial.scores);
            let lengths = needed(trials.copied(), graph).into_iter();
            let lengths = lengths.filter(|id| sets(&node(*id, experiment, graph).point, over));
            let mut alike: BTreeMap<Digest, Vec<ActionId>> = BTreeMap::new();
            for id in lengths {
                if let Some(stem) = stem(&graph.actions[id.0], experiment, registry) {
                    alike.entry(stem).or_default().push(id);
                }
            }
            for group in alike.into_values() {
                for id in &group {
                    let others = group.iter().filter(|other| *other != id);
                    along.shorter.insert(*id, others.copied().collect());
                }
                if sweep.to_come > 0 {
                    along.leaving.extend(group);
                }
            }
        }
        along
    }

    /// Finds what rows pass on to in parts.
    fn flow(
        &mut self,
        graph: &Graph,
        experiment: &Experiment,
        registry: &Registry,
        is_left: &impl Fn(ActionId) -> bool,
    ) {
        let in_parts = |id: ActionId| {
            let node = &experiment.nodes[graph.actions[id.0].node.0];
            registry.get(&node.plugin)?.in_parts(&node.args)
        };
        let gives = |id: &ActionId| {
            let plugin = &experiment.nodes[graph.actions[id.0].node.0].plugin;
            let is_remade = registry
                .get(plugin)
                .is_some_and(|it| it.declaration().remade);
            is_remade && matches!(in_parts(*id), Some(it) if !matches!(it, InParts::Gathers(_)))
        };
        let left = (0..graph.actions.len())
            .map(ActionId)
            .filter(|id| is_left(*id));
        let giving: Vec<ActionId> = left.filter(gives).collect();
        let dependents = match giving.is_empty() {
            true => return,
            false => graph.dependents(),
        };
        // How many calls the rows of each pass through, dependents first.
        let mut calls: BTreeMap<ActionId, usize> = BTreeMap::new();
        for id in giving.into_iter().rev() {
            // Whether a dependent reads no more of it than its rows in parts.
            let takes = |other: &ActionId| {
                let field = in_parts(*other).and_then(InParts::input);
                let inputs = graph.actions[other.0].inputs.iter();
                let mut reads = inputs.filter(|input| input.actions.contains(&id));
                reads.all(|input| Some(&*input.field) == field && input.actions[..] == [id])
            };
            let left = dependents[id.0].iter().filter(|other| is_left(**other));
            let left: Vec<ActionId> = left.copied().collect();
            // What is asked for by itself is passed on once more when it is written.
            let is_read = !left.is_empty() || graph.goals.contains(&id);
            if !is_read || !left.iter().all(takes) {
                continue;
            }
            // What waits for another result, or reads them more than once, does so in its own turn.
            let is_at_hand = |other: &ActionId| {
                if let Some(InParts::Rereads(_)) = in_parts(*other) {
                    return false;
                }
                let mut reads = graph.actions[other.0].taken().into_iter();
                reads.all(|read| read == id || !is_left(read))
            };
            let now: Vec<ActionId> = left.into_iter().filter(is_at_hand).collect();
            let beyond = now.iter().filter_map(|other| calls.get(other)).max();
            let through = 1 + beyond.copied().unwrap_or_default();
            if through > MOST_BESIDE {
                continue;
            }
            calls.insert(id, through);
            self.beside.extend(&now);
            self.flows.insert(id, now);
        }
    }

    /// The order for one action, with what it leaves.
    pub fn order(&self, id: ActionId, writer: &OrderWriter<'_>) -> Order {
        self.beside(id, None, writer)
    }

    fn beside(&self, id: ActionId, input: Option<ActionId>, writer: &OrderWriter<'_>) -> Order {
        let others = self.recorded.get(&id).into_iter().flatten();
        let flows = self.flows.get(&id).map(|flows| {
            let flows = flows.iter();
            flows.map(|it| self.beside(*it, Some(id), writer)).collect()
        });
        let shorter = self.shorter.get(&id).into_iter().flatten();
        let shorter = shorter.map(|id| left_by(&writer.graph.actions[id.0].key).digest);
        Order {
            along: others.map(|other| writer.order(*other)).collect(),
            flows,
            is_along: self.beside.contains(&id),
            shorter: shorter.collect(),
            leaves: self.leaving.contains(&id),
            ..writer.beside(id, input)
        }
    }
}

/// Under which key is kept what an action leaves for longer ones.
pub fn left_by(key: &Key) -> Key {
    Key::of(format!("{}left for longer ones\n", key.text))
}

/// The action along with which one can be carried out, having all else that it reads at hand.
fn recorded_along(
    id: ActionId,
    graph: &Graph,
    experiment: &Experiment,
    registry: &Registry,
) -> Option<ActionId> {
    let action = &graph.actions[id.0];
    let plugin = &experiment.nodes[action.node.0].plugin;
    let along = registry.get(plugin)?.declaration().along.as_ref()?;
    let input = { action.inputs.iter() }.find(|input| input.field == along.input)?;
    let [recorded] = input.actions[..] else {
        return None;
    };
    let at_hand = graph.actions[recorded.0].taken();
    let mut reads = action.taken().into_iter();
    reads
        .all(|read| read == recorded || at_hand.contains(&read))
        .then_some(recorded)
}

/// What actions share that only last longer than each other; none for those that cannot go on.
fn stem(action: &Action, experiment: &Experiment, registry: &Registry) -> Option<Digest> {
    let plugin = &experiment.nodes[action.node.0].plugin;
    let lengths = &registry.get(plugin)?.declaration().lengths;
    if lengths.is_empty() {
        return None;
    }
    let is_length = |line: &&str| {
        let name = line.split_once(" = ").map(|(name, _)| name);
        name.is_some_and(|name| lengths.iter().any(|it| it == name))
    };
    let lines: Vec<&str> = { action.key.text.lines() }
        .filter(|line| !is_length(line))
        .collect();
    Some(Digest::of(lines.join("\n").as_bytes()))
}
