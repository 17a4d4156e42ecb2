//! What sweeps chose, in words and numbers: the best point, the one after it, and whether the
//! difference is more than the spread over members; or the points no other is better than.

use std::collections::BTreeMap;
use std::fmt;

use dsl::experiment::{Experiment, NodeId};
use dsl::sweep::{Best, COST, Objective, Sweep, Trial};
use serde::{Deserialize, Serialize};

use crate::artifact::{Scores, Stored};
use crate::graph::Graph;
use crate::metric::significant;
use crate::run::Outcome;
use crate::student::Interval;
use crate::sweep::{judged, score_of};
use crate::trials::needed;

/// What a sweep chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The sweep.
    pub sweep: String,
    /// What its points are ranked by: `minimise inside.rmse`.
    pub objective: String,
    /// The score statement of that.
    pub by: String,
    /// How many points it has, those that differ in the seed only once.
    pub points: usize,
    /// The chosen one, without its seed.
    pub point: String,
    /// Its score.
    pub score: f64,
    /// How many standard errors from the best it may lie, as the first of those that do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<f64>,
    /// The best of the others, if any has a score.
    pub next: Option<Next>,
    /// The scores at the chosen point: statement and point.
    pub at: Vec<(String, String)>,
}

/// The point after the chosen one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// The point, without its seed.
    pub point: String,
    /// Its score.
    pub score: f64,
    /// Its score minus that of the chosen point, as the mean over members, with the ends of the
    /// 95 % interval of that mean; none for fewer than two members.
    pub interval: Option<(f64, f64)>,
    /// How many members (of all seeds) the interval is over.
    pub members: usize,
}

impl fmt::Display for Choice {
    /// `degree=1, the best of 3 points by minimise inside.rmse: 0.1240; next degree=2 …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            objective,
            points,
            point,
            ..
        } = self;
        let score = significant(self.score);
        match self.within {
            None => write!(
                f,
                "{point}, the best of {points} points by {objective}: {score}"
            )?,
            Some(within) => write!(
                f,
                "{point}, the first of {points} points within {within} standard errors of the best \
                 by {objective}: {score}"
            )?,
        }
        let Some(next) = &self.next else {
            return Ok(());
        };
        let which = match self.within {
            None => "next",
            Some(_) => "best of the others",
        };
        write!(
            f,
            "; {which} {} with {}",
            next.point,
            significant(next.score)
        )?;
        match next.interval {
            Some((low, high)) => {
                let clear = match low > 0.0 || high < 0.0 {
                    true => "",
                    false => ": not told apart",
                };
                write!(
                    f,
                    ", difference {} … {} (95 %, {} members){clear}",
                    signed(low),
                    signed(high),
                    next.members
                )
            }
            None => Ok(()),
        }
    }
}

fn signed(value: f64) -> String {
    let text = significant(value);
    match value > 0.0 {
        true => format!("+{text}"),
        false => text.replace('-', "−"),
    }
}

/// What each sweep that has chosen chose.
pub fn choices(experiment: &Experiment, graph: &Graph, outcome: &Outcome) -> Vec<Choice> {
    let results = ScoresByPoint {
        experiment,
        graph,
        outcome,
    };
    let sweeps = experiment.sweeps.iter();
    sweeps.filter_map(|sweep| results.choice(sweep)).collect()
}

/// The points of a sweep with several objectives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Front {
    /// The sweep.
    pub sweep: String,
    /// What points are judged by: `minimise inside.rmse`.
    pub objectives: Vec<String>,
    /// How many points have all of these scores.
    pub points: usize,
    /// Those that no other is better than in one and at least as good in all (Pareto), sorted by
    /// the first objective.
    pub best: Vec<FrontPoint>,
}

/// A point of a [`Front`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrontPoint {
    /// The point, without its seed.
    pub point: String,
    /// The value of each objective, as the mean over seeds.
    pub values: Vec<f64>,
}

/// The front of each sweep with several objectives.
pub fn fronts(experiment: &Experiment, graph: &Graph, outcome: &Outcome) -> Vec<Front> {
    let results = ScoresByPoint {
        experiment,
        graph,
        outcome,
    };
    let sweeps = experiment.sweeps.iter();
    let several = sweeps.filter(|sweep| !sweep.front.is_empty());
    several.map(|sweep| results.front(sweep)).collect()
}

/// An objective as it is written, with a word before it.
pub fn in_words(objective: &Objective) -> String {
    let Objective {
        statement, metric, ..
    } = objective;
    let member = objective.member.as_ref();
    let member = member.map_or_else(String::new, |member| format!(".{member}"));
    format!("{} {statement}.{metric}{member}", objective.aim.word())
}

struct ScoresByPoint<'a> {
    experiment: &'a Experiment,
    graph: &'a Graph,
    outcome: &'a Outcome,
}

impl ScoresByPoint<'_> {
    fn choice(&self, sweep: &Sweep) -> Option<Choice> {
        let objective = sweep.objective.as_ref()?;
        let Best::Trial(chosen) = sweep.best else {
            return None;
        };
        let scored = groups(sweep);
        let mean = |group: usize| -> Option<f64> {
            let scores: Option<Vec<f64>> = { scored.get(&group)?.iter() }
                .map(|at| sweep.trials[*at].finding.flatten())
                .collect();
            let scores = scores?;
            Some(scores.iter().sum::<f64>() / scores.len() as f64)
        };
        let own = sweep.trials[chosen].group;
        let score = mean(own)?;
        // On another budget a point is not another point.
        let others = scored.keys().filter(|group| **group != own);
        let others = others.filter(|group| is_rival(sweep, chosen, scored[group][0]));
        let others = others.filter_map(|group| Some((*group, mean(*group)?)));
        let next = others.min_by(|(_, one), (_, other)| {
            let cost = |score: f64| objective.aim.cost(score);
            cost(*one).total_cmp(&cost(*other))
        });
        let own_members = self.members(sweep, &scored[&own], objective);
        let next = next.map(|(group, score)| {
            let members = self.members(sweep, &scored[&group], objective);
            let pairs = members.iter();
            let pairs: Vec<f64> = pairs
                .filter_map(|(member, value)| Some(value - own_members.get(member)?))
                .collect();
            let interval = Interval::paired(&pairs);
            Next {
                point: sweep.best_point(scored[&group][0]),
                score,
                interval: interval.map(|interval| (interval.low, interval.high)),
                members: pairs.len(),
            }
        });
        let nodes = scored[&own].iter().flat_map(|at| &sweep.trials[*at].scores);
        let nodes = nodes.map(|id| &self.experiment.nodes[id.0]);
        Some(Choice {
            sweep: sweep.name.clone(),
            objective: in_words(objective),
            by: objective.statement.clone(),
            points: scored.len(),
            point: sweep.best_point(chosen),
            score,
            within: sweep.within,
            next,
            at: nodes
                .map(|node| (node.name.clone(), node.point.clone()))
                .collect(),
        })
    }

    /// The values of single members that count, by seed and member.
    fn members(
        &self,
        sweep: &Sweep,
        trials: &[usize],
        objective: &Objective,
    ) -> BTreeMap<(usize, u64), f64> {
        let mut found = BTreeMap::new();
        for (seed, at) in trials.iter().enumerate() {
            let Some(node) = sweep.trials[*at].objectives.first() else {
                continue;
            };
            let Some(scores) = self.scores(*node) else {
                continue;
            };
            let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
            for row in judged(&scores.rows, objective) {
                if let (Ok(member), Some(value)) = (row.member.parse(), row.value) {
                    let (sum, count) = sums.entry(member).or_default();
                    *sum += value;
                    *count += 1.0;
                }
            }
            let means = sums.into_iter();
            found.extend(means.map(|(member, (sum, count))| ((seed, member), sum / count)));
        }
        found
    }

    fn scores(&self, node: NodeId) -> Option<std::sync::Arc<Scores>> {
        let action = self.graph.of_node[node.0].first()?;
        let made = self.outcome.results.get(action)?;
        Stored::as_any(std::sync::Arc::clone(made)).downcast().ok()
    }

    fn front(&self, sweep: &Sweep) -> Front {
        let points: Vec<FrontPoint> = groups(sweep)
            .into_values()
            .filter_map(|trials| {
                let values: Option<Vec<Vec<f64>>> = { trials.iter() }
                    .map(|at| self.values(sweep, &sweep.trials[*at]))
                    .collect();
                let values = values?;
                let mean = |at: usize| {
                    values.iter().map(|values| values[at]).sum::<f64>() / values.len() as f64
                };
                Some(FrontPoint {
                    point: sweep.best_point(trials[0]),
                    values: (0..sweep.front.len()).map(mean).collect(),
                })
            })
            .collect();
        let cost = |point: &FrontPoint, at: usize| sweep.front[at].aim.cost(point.values[at]);
        let all = 0..sweep.front.len();
        let is_beaten = |point: &&FrontPoint| {
            points.iter().any(|other| {
                all.clone().all(|at| cost(other, at) <= cost(point, at))
                    && all.clone().any(|at| cost(other, at) < cost(point, at))
            })
        };
        let mut best: Vec<FrontPoint> = { points.iter() }
            .filter(|point| !is_beaten(point))
            .cloned()
            .collect();
        best.sort_by(|one, other| cost(one, 0).total_cmp(&cost(other, 0)));
        Front {
            sweep: sweep.name.clone(),
            objectives: sweep.front.iter().map(in_words).collect(),
            points: points.len(),
            best,
        }
    }

    /// What a trial is worth by each objective; none when it lacks one.
    fn values(&self, sweep: &Sweep, trial: &Trial) -> Option<Vec<f64>> {
        let mut nodes = trial.objectives.iter();
        let value = |objective: &Objective| {
            if objective.statement == COST {
                let actions = needed(trial.scores.iter().copied(), self.graph);
                let seconds = actions.iter().map(|id| self.outcome.costs[id.0].seconds);
                return Some(seconds.sum());
            }
            score_of(&self.scores(*nodes.next()?)?.rows, objective)
        };
        sweep.front.iter().map(value).collect()
    }
}

/// The trials that count together, in the order of the sweep.
fn groups(sweep: &Sweep) -> BTreeMap<usize, Vec<usize>> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, trial) in sweep.trials.iter().enumerate() {
        groups.entry(trial.group).or_default().push(at);
    }
    groups
}

/// Whether a trial competes with the chosen one: in a sweep that halves, on the same budget.
fn is_rival(sweep: &Sweep, chosen: usize, other: usize) -> bool {
    let budget = sweep.over;
    budget.is_none_or(|at| {
        let of = |trial: usize| sweep.trials[trial].settings.get(at);
        of(chosen) == of(other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::ScoreRow;

    fn rows(values: &[f64]) -> Vec<ScoreRow> {
        let members = values.iter().enumerate();
        let row = |(member, value): (usize, &f64)| ScoreRow {
            member: member.to_string(),
            model: "‹m›".to_owned(),
            role: "child".to_owned(),
            metric: "rmse".to_owned(),
            horizon: None,
            group: None,
            value: Some(*value),
            unit: None,
        };
        members.map(row).collect()
    }

    #[test]
    fn a_choice_says_whether_the_next_point_is_told_apart() {
        let mut choice = Choice {
            sweep: "tuning".to_owned(),
            objective: "minimise inside.rmse".to_owned(),
            by: "inside".to_owned(),
            points: 3,
            point: "degree=1".to_owned(),
            score: 0.5,
            within: None,
            next: None,
            at: Vec::new(),
        };
        let best = "degree=1, the best of 3 points by minimise inside.rmse: 0.5000";
        assert_eq!(choice.to_string(), best);
        let next = |interval| Next {
            point: "degree=2".to_owned(),
            score: 0.625,
            interval,
            members: 4,
        };
        choice.next = Some(next(Some((-0.25, 0.5))));
        let next_point = "; next degree=2 with 0.6250, difference −0.2500 … +0.5000";
        assert_eq!(
            choice.to_string(),
            format!("{best}{next_point} (95 %, 4 members): not told apart")
        );
        choice.next = Some(next(Some((0.25, 0.5))));
        assert!(choice.to_string().ends_with("+0.5000 (95 %, 4 members)"));
        choice.within = Some(1.0);
        let first = "degree=1, the first of 3 points within 1 standard errors of the best by minimise \
                     inside.rmse: 0.5000; best of the others degree=2 with 0.6250";
        assert!(choice.to_string().starts_with(first), "{choice}");
    }

    #[test]
    fn members_are_those_of_the_judged_rows() {
        let objective = Objective {
            statement: "inside".to_owned(),
            metric: "rmse".to_owned(),
            member: None,
            aim: dsl::sweep::Aim::Minimise,
            span: dsl::source::Span::default(),
        };
        let all = rows(&[1.0, 2.0]);
        assert_eq!(judged(&all, &objective).len(), 2);
    }
}
