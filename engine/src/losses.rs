//! What went wrong at the points of sweeps, and what went wrong for the whole experiment.
//!
//! A point that diverges, or that the experiment's own text makes impossible, is one lost trial:
//! it ranks last, the search goes on, and the run is not a failure.

use std::collections::BTreeMap;

use dsl::experiment::Experiment;
use dsl::sweep::{Best, Sweep, Trial};
use dsl::types::Kind;

use crate::graph::{Action, ActionId, Graph};
use crate::names::Names;
use crate::observer::{Blame, Ending, Failure};
use crate::run::Outcome;
use crate::trials::{Trials, needed, node};

/// The failures that are the experiment's: those of no single point, and scores that nothing is
/// left of because all that they measure diverged.
pub fn failures(
    experiment: &Experiment,
    graph: &Graph,
    outcome: &Outcome,
) -> Vec<(ActionId, Failure)> {
    let trials = Trials::of(experiment, graph);
    let any_score = |sweep: &Sweep| {
        let scores = sweep.trials.iter().flat_map(|trial| &trial.scores);
        let mut actions = scores.flat_map(|node| &graph.of_node[node.0]);
        actions.any(|id| matches!(outcome.endings[id.0], Ending::Ran(_) | Ending::Cached))
    };
    // With one point that has a score, those without are some of many.
    let is_compared = experiment.sweeps.iter().any(any_score);
    let forgives = is_compared || experiment.sweeps.iter().any(Sweep::is_judged);
    let endings = outcome.endings.iter().enumerate();
    let failures = endings.filter_map(|(index, ending)| {
        let id = ActionId(index);
        match ending {
            ending if forgives && trials.forgive(id, ending) => None,
            Ending::Failed(failure) => Some((id, failure.clone())),
            Ending::Diverged { why, .. } if graph.goals.contains(&id) => {
                let node = node(id, experiment, graph);
                let is_point = is_compared && !node.point.is_empty();
                let is_lost = node.kind == Kind::Score && !is_point;
                is_lost.then(|| (id, nothing_left(&graph.actions[index], outcome, why)))
            }
            _ => None,
        }
    });
    failures.collect()
}

/// Whether a run that was not stopped did what was asked: nothing failed but points of sweeps,
/// and every sweep that chooses had something to choose from.
pub fn is_ok(experiment: &Experiment, graph: &Graph, outcome: &Outcome) -> bool {
    let can_choose = |sweep: &Sweep| sweep.best != Best::Nothing;
    let all = experiment.sweeps.iter().all(can_choose);
    all && failures(experiment, graph, outcome).is_empty()
}

/// A score without anything to measure, at the argument that diverged.
fn nothing_left(action: &Action, outcome: &Outcome, why: &str) -> Failure {
    let is_lost = |id: &ActionId| matches!(outcome.endings[id.0], Ending::Diverged { .. });
    let inputs = action.inputs.iter();
    let lost = inputs.filter(|it| !it.actions.is_empty() && it.actions.iter().all(is_lost));
    // What another lost input was made from comes before it.
    let lost = lost.min_by_key(|it| it.actions.first().copied());
    Failure {
        blame: Blame::User,
        param: lost.map(|input| input.field.clone()),
        message: why.to_owned(),
        hint: Some("a lower rate or fewer steps may keep them finite".to_owned()),
    }
}

/// A point that has no score.
#[derive(Clone, Debug, PartialEq)]
pub struct LostPoint<'a> {
    /// The sweep.
    pub sweep: &'a str,
    /// The point.
    pub point: &'a str,
    /// What went wrong first.
    pub why: String,
    /// Whether it diverged, which is known from then on; a failure is tried again.
    pub diverged: bool,
}

/// The points of all sweeps that have no scores because something failed or diverged.
pub fn lost_points<'a>(
    experiment: &'a Experiment,
    graph: &Graph,
    outcome: &Outcome,
) -> Vec<LostPoint<'a>> {
    let is_lost = |ending: &Ending| matches!(ending, Ending::Failed(_) | Ending::Diverged { .. });
    if !outcome.endings.iter().any(is_lost) {
        return Vec::new();
    }
    let names = Names::of(experiment, graph);
    let trials = experiment.sweeps.iter().flat_map(|sweep| {
        let trials = sweep.trials.iter();
        trials.map(move |trial| (sweep, trial))
    });
    let lost = trials.filter_map(|(sweep, trial)| {
        let (why, diverged) = loss(trial, experiment, graph, outcome)?;
        Some(LostPoint {
            sweep: &sweep.name,
            point: &trial.point,
            why: names.put_in(&why).into_owned(),
            diverged,
        })
    });
    lost.collect()
}

/// Why a trial has no score, and whether it diverged; none when it has one.
fn loss(
    trial: &Trial,
    experiment: &Experiment,
    graph: &Graph,
    outcome: &Outcome,
) -> Option<(String, bool)> {
    let all = needed(trial.scores.iter().copied(), graph);
    let failed = all.iter().find_map(|id| match &outcome.endings[id.0] {
        Ending::Failed(failure) => Some((*id, &failure.message)),
        _ => None,
    });
    if let Some((id, message)) = failed {
        let title = graph.actions[id.0].title(experiment);
        return Some((format!("{title}: {message}"), false));
    }
    let judged = match trial.objectives.is_empty() {
        true => &trial.scores,
        false => &trial.objectives,
    };
    let mut actions = judged.iter().flat_map(|node| &graph.of_node[node.0]);
    actions.find(|id| matches!(outcome.endings[id.0], Ending::Diverged { .. }))?;
    let needed = needed(judged.iter().copied(), graph);
    let mut diverged = needed.iter().filter_map(|id| match &outcome.endings[id.0] {
        Ending::Diverged { why, .. } => Some((node(*id, experiment, graph), why)),
        _ => None,
    });
    let (first, why) = diverged.next()?;
    Some((format!("{}: {why}", first.name), true))
}

/// The reasons by sweep and point.
pub(crate) fn reasons<'a>(
    experiment: &'a Experiment,
    graph: &Graph,
    outcome: &Outcome,
) -> BTreeMap<(&'a str, &'a str), String> {
    let lost = lost_points(experiment, graph, outcome).into_iter();
    lost.map(|lost| ((lost.sweep, lost.point), lost.why))
        .collect()
}
