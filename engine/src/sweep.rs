//! Sweeps while they run: the scores of their points, what sharing saves, and what failed.
//!
//! A sweep that chooses goes in rounds: the checker says which points it knows of, they run,
//! their scores are noted, and the checker is asked again until nothing new is noted.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::{Experiment, NodeId};
use dsl::sweep::{Choices, Objective, Sweep, Trial};

use crate::artifact::{ScoreRow, Scores, Stored, is_prediction};
use crate::graph::Graph;
use crate::observer::Ending;
use crate::plugin::Registry;
use crate::run::Outcome;
use crate::store::Store;
use crate::trials::needed;

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
        let mut error = None;
        let score = if record.is_diverged() {
            None
        } else {
            let title = action.title(experiment);
            let Ok(made) = registry.read(&title, &record, store) else {
                continue;
            };
            let scores = Stored::as_any(made).downcast::<Scores>().ok();
            error = { scores.as_ref() }.and_then(|it| error_of(&it.rows, objective));
            scores.and_then(|scores| score_of(&scores.rows, objective))
        };
        if let Some(error) = error {
            choices.note_error(&sweep.name, &trial.point, error);
        }
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
            Some((
                sweep,
                sweep.objective.as_ref()?,
                trial,
                *trial.objectives.first()?,
            ))
        })
    })
}

/// The number that an objective means: over all rows, of the children or farcasts when there
/// are any; the mean over models and horizons, and over single members where they have no
/// ensemble. None when an ensemble has no value, or when more than half of the members that
/// count have none, as when they diverged: the members that are left count for the others.
pub fn score_of(rows: &[ScoreRow], objective: &Objective) -> Option<f64> {
    let mut rows = judged(rows, objective);
    if objective.member.is_none() && lost(&rows) > 0.5 {
        return None;
    }
    match &objective.member {
        Some(member) => rows.retain(|row| row.member == *member),
        None => {
            narrow(&mut rows, |row| row.member == "mean");
            narrow(&mut rows, |row| row.member != "median");
            rows.retain(|row| row.value.is_some() || !is_single(row));
        }
    }
    narrow(&mut rows, |row| row.horizon.is_none());
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect::<Option<_>>()?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    mean.is_finite().then_some(mean)
}

/// The standard error of that number as a mean over members, in each fold of an inner
/// extrapolation; none of fewer than two.
fn error_of(rows: &[ScoreRow], objective: &Objective) -> Option<f64> {
    let is_fold = |row: &&ScoreRow| {
        let group = row.group.as_deref();
        group.is_some_and(|group| group.starts_with(FOLD))
    };
    let of_metric = rows.iter().filter(|row| row.metric == objective.metric);
    let mut rows: Vec<&ScoreRow> = of_metric.filter(|row| is_single(row)).collect();
    narrow(&mut rows, |row| is_fold(&row));
    rows.retain(|row| row.group.is_none() || is_fold(row));
    narrow_to_predictions(&mut rows);
    let mut runs: BTreeMap<(&str, Option<&str>), (f64, f64)> = BTreeMap::new();
    for row in rows {
        let (sum, count) = runs.entry((&row.member, row.group.as_deref())).or_default();
        *sum += row.value?;
        *count += 1.0;
    }
    let values: Vec<f64> = runs.into_values().map(|(sum, count)| sum / count).collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    error.is_finite().then_some(error)
}

/// How the groups of an inner extrapolation with several folds begin.
const FOLD: &str = "fold ";

/// The rows that an objective is about: of its metric, over all rows of data, of the children or
/// farcasts when there are any.
pub(crate) fn judged<'a>(rows: &'a [ScoreRow], objective: &Objective) -> Vec<&'a ScoreRow> {
    let of_metric = rows
        .iter()
        .filter(|row| row.metric == objective.metric && row.group.is_none());
    let mut rows: Vec<&ScoreRow> = of_metric.collect();
    narrow_to_predictions(&mut rows);
    rows
}

/// Keeps the children and farcasts, without any the parents, without those the baselines.
fn narrow_to_predictions(rows: &mut Vec<&ScoreRow>) {
    narrow(rows, |row| is_prediction(&row.role));
    narrow(rows, |row| row.role != "baseline");
}

fn is_single(row: &ScoreRow) -> bool {
    row.member.parse::<u64>().is_ok()
}

/// The largest share of members without a value, of any model at any horizon.
fn lost(rows: &[&ScoreRow]) -> f64 {
    let mut members: BTreeMap<(&str, Option<u64>), (f64, f64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_single(row)) {
        let horizon = row.horizon.map(f64::to_bits);
        let (lost, all) = members.entry((&row.model, horizon)).or_default();
        *lost += f64::from(u8::from(row.value.is_none()));
        *all += 1.0;
    }
    let shares = members.into_values().map(|(lost, all)| lost / all);
    shares.fold(0.0, f64::max)
}

/// Keeps what fits, if anything does.
pub(crate) fn narrow<T>(rows: &mut Vec<&T>, fits: impl Fn(&T) -> bool) {
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
        let needed = needed(trial.scores.iter().copied(), graph);
        alone += needed.len();
        all.extend(needed);
    }
    Sharing {
        shared: all.len(),
        alone,
    }
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
    fn a_point_that_lost_more_than_half_of_its_members_has_no_score() {
        let members = |values: [Option<f64>; 4]| -> Vec<ScoreRow> {
            let members = values.iter().enumerate().map(|(member, value)| ScoreRow {
                value: *value,
                ..row(&member.to_string(), "child", None, 0.0)
            });
            members.collect()
        };
        let half = members([Some(1.0), None, Some(2.0), None]);
        assert_eq!(score_of(&half, &objective(None)), Some(1.5));
        let mut few = members([Some(1.0), None, None, None]);
        assert_eq!(score_of(&few, &objective(None)), None);
        assert_eq!(score_of(&few, &objective(Some("0"))), Some(1.0));
        few.push(row("mean", "child", None, 1.0));
        assert_eq!(score_of(&few, &objective(None)), None);
    }

    #[test]
    fn the_standard_error_is_that_of_the_mean_over_members_in_each_fold() {
        let mut rows = vec![
            row("0", "parent", None, 90.0),
            row("0", "child", None, 1.0),
            row("1", "child", None, 2.0),
            row("2", "child", None, 6.0),
            row("mean", "child", None, 3.0),
        ];
        // Deviations of -2, -1, 3: variance 7, of the mean 7 / 3.
        let error = error_of(&rows, &objective(None)).unwrap();
        assert!((error - (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(error_of(&rows[..2], &objective(None)), None);
        for (member, fold, value) in [("0", "fold 1", 1.0), ("0", "fold 2", 3.0)] {
            rows.push(ScoreRow {
                group: Some(fold.to_owned()),
                ..row(member, "child", None, value)
            });
        }
        assert_eq!(error_of(&rows, &objective(None)), Some(1.0));
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
