//! The actions that belong to single points of sweeps.

use std::collections::BTreeSet;

use dsl::experiment::{Experiment, Node, NodeId};

use crate::graph::{ActionId, Graph};
use crate::observer::{Blame, Ending};

/// The actions that belong to single points of sweeps.
#[derive(Clone, Debug, Default)]
pub struct Trials(BTreeSet<ActionId>);

impl Trials {
    /// Those of an experiment. What all points share, and what is made from a choice, belongs to
    /// no point.
    pub fn of(experiment: &Experiment, graph: &Graph) -> Self {
        let mut found = BTreeSet::new();
        for sweep in &experiment.sweeps {
            let names: Vec<&str> = { sweep.params.iter() }
                .map(|param| &*param.name)
                .filter(|name| *name != "seed")
                .collect();
            let objectives = sweep.trials.iter().flat_map(|trial| &trial.objectives);
            let of_objectives = needed(objectives.copied(), graph);
            let has_point = |id: &ActionId| !node(*id, experiment, graph).point.is_empty();
            found.extend(of_objectives.into_iter().filter(has_point));
            let scores = sweep.trials.iter().flat_map(|trial| &trial.scores).copied();
            let of_scores = needed(scores, graph).into_iter();
            found.extend(of_scores.filter(|id| {
                let point = &node(*id, experiment, graph).point;
                names.iter().any(|name| sets(point, name))
            }));
        }
        Self(found)
    }

    /// Whether the run goes on after an action of one point ended like this.
    pub fn forgive(&self, id: ActionId, ending: &Ending) -> bool {
        match ending {
            Ending::Failed(failure) => failure.blame == Blame::User && self.0.contains(&id),
            _ => false,
        }
    }
}

pub(crate) fn node<'a>(id: ActionId, experiment: &'a Experiment, graph: &Graph) -> &'a Node {
    &experiment.nodes[graph.actions[id.0].node.0]
}

/// Whether a point, `degree=1,width=8`, sets this param.
pub(crate) fn sets(point: &str, name: &str) -> bool {
    let mut rest = point;
    while let Some(at) = rest.find(name) {
        let starts = at == 0 || rest[..at].ends_with(',');
        let after = &rest[at + name.len()..];
        if starts && after.starts_with('=') {
            return true;
        }
        rest = after;
    }
    false
}

/// Every action that these calls need.
pub(crate) fn needed(calls: impl Iterator<Item = NodeId>, graph: &Graph) -> BTreeSet<ActionId> {
    let mut needed = BTreeSet::new();
    let mut open: Vec<ActionId> = calls
        .flat_map(|node| &graph.of_node[node.0])
        .copied()
        .collect();
    while let Some(id) = open.pop() {
        if needed.insert(id) {
            open.extend(graph.actions[id.0].taken());
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_sets_a_param_by_its_whole_name() {
        assert!(sets("rate=1,width=2", "width"));
        assert!(!sets("max.width=2", "width") && !sets("widths=2", "width"));
        assert!(sets("widths=[1],width=2", "width"));
    }
}
