//! Sweeps while they run: the scores of their points, what sharing saves, and what failed.
//!
//! A sweep that chooses goes in rounds: the checker says which points it knows of, they run,
//! their scores are noted, and the checker is asked again until nothing new is noted.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::{Experiment, NodeId};
use dsl::sweep::{Best, Choices, Objective, Sweep, Trial};
use serde::Serialize;

use crate::artifact::{ScoreRow, Scores, Stored};
use crate::graph::{Action, ActionId, Graph};
use crate::names::Names;
use crate::observer::Ending;
use crate::plugin::Registry;
use crate::run::Outcome;
use crate::store::Store;

/// Notes the scores that the store has of points without one; whether there were any.
///
/// A stored score that cannot be read is left for the run, which makes it again.
pub fn note_scores(
    experiment: &Experiment,
    graph: &Graph,
    registry: &Registry,
    store: &dyn Store,
    choices: &mut Choices,
) -> bool {
    let mut any = false;
    for (sweep, objective, trial, node) in open_trials(experiment) {
        let Some(action) = graph.of_node[node.0].first() else {
            continue;
        };
        let action = &graph.actions[action.0];
        let Some(record) = store.find(&action.key.digest) else {
            continue;
        };
        let score = if record.is_diverged() {
            None
        } else {
            let title = action.title(experiment);
            let Ok(made) = registry.read(&title, &record, store) else {
                continue;
            };
            let scores = Stored::as_any(made).downcast::<Scores>();
            scores
                .ok()
                .and_then(|scores| score_of(&scores.rows, objective))
        };
        choices.note(&sweep.name, &trial.point, score);
        any = true;
    }
    any
}

/// Notes the points whose score could not be made; whether there were any.
pub fn note_failures(
    experiment: &Experiment,
    graph: &Graph,
    outcome: &Outcome,
    choices: &mut Choices,
) -> bool {
    let mut any = false;
    for (sweep, _, trial, node) in open_trials(experiment) {
        let actions = &graph.of_node[node.0];
        let has_failed = actions.iter().any(|action| {
            let ending = &outcome.endings[action.0];
            matches!(ending, Ending::Failed(_) | Ending::Skipped)
        });
        if has_failed {
            choices.note(&sweep.name, &trial.point, None);
            any = true;
        }
    }
    any
}

/// The trials that a choice needs the scores of, each with the call that gives it.
fn open_trials(
    experiment: &Experiment,
) -> impl Iterator<Item = (&Sweep, &Objective, &Trial, NodeId)> {
    experiment.sweeps.iter().flat_map(|sweep| {
        let open = sweep.trials.iter().filter(|trial| trial.finding.is_none());
        open.filter_map(move |trial| {
            Some((sweep, sweep.objective.as_ref()?, trial, trial.objective?))
        })
    })
}

/// The number that an objective means: over all rows, of the children or farcasts when there
/// are any; the mean over models and horizons, and over single members where they have no
/// ensemble. None when one of these has no value.
pub fn score_of(rows: &[ScoreRow], objective: &Objective) -> Option<f64> {
    let of_metric = rows
        .iter()
        .filter(|row| row.metric == objective.metric && row.group.is_none());
    let mut rows: Vec<&ScoreRow> = of_metric.collect();
    narrow(&mut rows, |row| matches!(&*row.role, "child" | "farcast"));
    narrow(&mut rows, |row| row.role != "baseline");
    match &objective.member {
        Some(member) => rows.retain(|row| row.member == *member),
        None => {
            narrow(&mut rows, |row| row.member == "mean");
            narrow(&mut rows, |row| row.member != "median");
        }
    }
    narrow(&mut rows, |row| row.horizon.is_none());
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect::<Option<_>>()?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    mean.is_finite().then_some(mean)
}

/// Keeps what fits, if anything does.
fn narrow(rows: &mut Vec<&ScoreRow>, fits: impl Fn(&ScoreRow) -> bool) {
    if rows.iter().any(|row| fits(row)) {
        rows.retain(|row| fits(row));
    }
}

/// How many actions the points of a sweep take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// In all, equal ones once.
    pub shared: usize,
    /// If every point ran on its own.
    pub alone: usize,
}

/// How many actions the scores of a sweep's points take, with and without sharing.
pub fn sharing(sweep: &Sweep, graph: &Graph) -> Sharing {
    let mut all = BTreeSet::new();
    let mut alone = 0;
    for trial in &sweep.trials {
        let needed = needed(trial, graph);
        alone += needed.len();
        all.extend(needed);
    }
    Sharing {
        shared: all.len(),
        alone,
    }
}

/// Every action that the scores of a trial need.
fn needed(trial: &Trial, graph: &Graph) -> BTreeSet<ActionId> {
    let mut needed = BTreeSet::new();
    let scores = trial.scores.iter();
    let mut open: Vec<ActionId> = scores
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

/// A point that has no scores because something failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedPoint<'a> {
    /// The sweep.
    pub sweep: &'a str,
    /// The point.
    pub point: &'a str,
    /// What failed first, and why.
    pub why: String,
}

/// The points of all sweeps that have no scores because something failed.
pub fn failed_points<'a>(
    experiment: &'a Experiment,
    graph: &Graph,
    outcome: &Outcome,
) -> Vec<FailedPoint<'a>> {
    let has_failed = |ending: &Ending| matches!(ending, Ending::Failed(_));
    if !outcome.endings.iter().any(has_failed) {
        return Vec::new();
    }
    let names = Names::of(experiment, graph);
    let trials = experiment.sweeps.iter().flat_map(|sweep| {
        let trials = sweep.trials.iter();
        trials.map(move |trial| (sweep, trial))
    });
    let failed = trials.filter_map(|(sweep, trial)| {
        let first = needed(trial, graph).into_iter().find_map(|id| {
            let Ending::Failed(failure) = &outcome.endings[id.0] else {
                return None;
            };
            let action: &Action = &graph.actions[id.0];
            let message = names.put_in(&failure.message);
            Some(format!("{}: {message}", action.title(experiment)))
        });
        first.map(|why| FailedPoint {
            sweep: &sweep.name,
            point: &trial.point,
            why,
        })
    });
    failed.collect()
}

/// A sweep in `run.json`.
#[derive(Debug, Serialize)]
pub struct SweepLine<'a> {
    sweep: &'a str,
    objective: Option<String>,
    best: Option<&'a str>,
    to_come: usize,
    points: Vec<PointLine<'a>>,
}

/// A point in `run.json`: its score, or why it has none.
#[derive(Debug, Serialize)]
struct PointLine<'a> {
    point: &'a str,
    score: Option<f64>,
    failed: Option<String>,
}

/// The sweeps in `run.json`: every point with its score, what failed and what was chosen.
pub fn lines<'a>(
    experiment: &'a Experiment,
    graph: &Graph,
    outcome: &Outcome,
) -> Vec<SweepLine<'a>> {
    let failed = failed_points(experiment, graph, outcome).into_iter();
    let mut reasons: BTreeMap<(&str, &str), String> = failed
        .map(|failed| ((failed.sweep, failed.point), failed.why))
        .collect();
    let mut line = |sweep: &'a Sweep| {
        let points = sweep.trials.iter().map(|trial| PointLine {
            point: &trial.point,
            score: trial.finding.flatten(),
            failed: reasons.remove(&(&*sweep.name, &*trial.point)),
        });
        SweepLine {
            sweep: &sweep.name,
            objective: sweep.objective.as_ref().map(|objective| {
                let word = objective.aim.word();
                format!("{word} {}.{}", objective.statement, objective.metric)
            }),
            best: match sweep.best {
                Best::Trial(at) => Some(&sweep.trials[at].point),
                Best::Never | Best::Open | Best::Nothing => None,
            },
            to_come: sweep.to_come,
            points: points.collect(),
        }
    };
    experiment.sweeps.iter().map(&mut line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dsl::source::Span;
    use dsl::sweep::Aim;

    fn row(member: &str, role: &str, horizon: Option<f64>, value: f64) -> ScoreRow {
        ScoreRow {
            member: member.to_owned(),
            model: "‹m›".to_owned(),
            role: role.to_owned(),
            metric: "rmse".to_owned(),
            horizon,
            group: None,
            value: Some(value),
            unit: None,
        }
    }

    fn objective(member: Option<&str>) -> Objective {
        Objective {
            statement: "skill".to_owned(),
            metric: "rmse".to_owned(),
            member: member.map(str::to_owned),
            aim: Aim::Minimise,
            span: Span::default(),
        }
    }

    #[test]
    fn the_score_is_that_of_the_ensemble_of_children() {
        let mut rows = vec![
            row("mean", "parent", None, 9.0),
            row("0", "child", None, 1.0),
            row("mean", "child", None, 2.0),
            row("median", "child", None, 3.0),
        ];
        assert_eq!(score_of(&rows, &objective(None)), Some(2.0));
        assert_eq!(score_of(&rows, &objective(Some("median"))), Some(3.0));
        assert_eq!(score_of(&rows, &objective(Some("7"))), None);
        assert_eq!(score_of(&rows[..1], &objective(None)), Some(9.0));
        rows[2].group = Some("near".to_owned());
        rows[3].value = None;
        assert_eq!(score_of(&rows, &objective(None)), Some(1.0));
        assert_eq!(score_of(&rows, &objective(Some("median"))), None);
    }

    #[test]
    fn members_and_horizons_count_by_their_mean() {
        let rows = [
            row("4", "farcast", Some(60.0), 1.0),
            row("5", "farcast", Some(60.0), 2.0),
            row("4", "farcast", Some(90.0), 3.0),
            row("5", "farcast", Some(90.0), 6.0),
            row("4", "baseline", Some(60.0), 100.0),
        ];
        assert_eq!(score_of(&rows, &objective(None)), Some(3.0));
    }
}
