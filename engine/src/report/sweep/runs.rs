//! The points of one sweep with their scores, as pictures and tables need them.

use std::collections::BTreeMap;

use dsl::experiment::Experiment;
use dsl::sweep::{Aim, Objective, Setting, Sweep, SweptParam, Trial};

use crate::artifact::{ScoreRow, is_prediction};
use crate::headline::firsts;
use crate::metric::Better;
use crate::sweep::{narrow, score_of};
use crate::table::ScoreLine;

/// The results of a sweep.
pub struct Runs<'a> {
    pub sweep: &'a Sweep,
    /// The swept params but the seed.
    pub params: Vec<&'a SweptParam>,
    /// What is ranked, with its unit.
    pub heading: String,
    /// What a value is the mean over, as the end of a sentence; empty for one model at one horizon.
    pub over: &'static str,
    /// Points that differ in the seed only are one group.
    pub groups: Vec<Group<'a>>,
    aim: Ranking,
}

/// A point with all its seeds.
pub struct Group<'a> {
    pub number: usize,
    /// The value of each param, if it applies.
    pub settings: Vec<&'a Option<Setting>>,
    pub runs: Vec<OneRun>,
    /// Over the seeds, if each has a value.
    pub mean: Option<f64>,
}

/// A point with one seed.
pub struct OneRun {
    pub seed: Option<String>,
    pub value: Option<f64>,
    /// The values of single members.
    pub members: Vec<f64>,
}

/// Which values are better: according to the sweep, or to the usual reading of the metric.
#[derive(Clone, Copy)]
enum Ranking {
    Declared(Aim),
    Usual(Better),
}

impl Ranking {
    fn cost(self, value: f64) -> f64 {
        match self {
            Ranking::Declared(aim) => aim.cost(value),
            Ranking::Usual(aim) => aim.cost(value),
        }
    }
}

impl<'a> Runs<'a> {
    /// None when no score depends on the sweep.
    pub fn of(sweep: &'a Sweep, experiment: &'a Experiment, scores: &[ScoreLine]) -> Option<Self> {
        let mut by_point: BTreeMap<(&str, &str), Vec<&ScoreLine>> = BTreeMap::new();
        for line in scores {
            by_point
                .entry((&line.statement, &line.point))
                .or_default()
                .push(line);
        }
        let first = sweep.trials.first()?;
        let swept = first.scores.iter().map(|node| &experiment.nodes[node.0]);
        let usual = { swept }.find(|node| !node.point.is_empty());
        let statement = match &sweep.objective {
            Some(objective) => objective.statement.clone(),
            None => usual?.name.clone(),
        };
        let line = scores.iter().find(|line| {
            let metric = sweep.objective.as_ref().map(|objective| &objective.metric);
            line.statement == statement && metric.is_none_or(|metric| line.metric == *metric)
        })?;
        let objective = sweep.objective.clone().unwrap_or_else(|| Objective {
            statement: statement.clone(),
            metric: line.metric.clone(),
            member: None,
            aim: Aim::Minimise,
            span: sweep.span,
        });
        let aim = match &sweep.objective {
            Some(objective) => Ranking::Declared(objective.aim),
            None => Ranking::Usual(Better::of(&line.metric)),
        };
        let rows_of = |trial: &Trial| -> Vec<ScoreRow> {
            let nodes = trial.scores.iter().map(|node| &experiment.nodes[node.0]);
            let node = { nodes }.find(|node| node.name == statement);
            let lines = node.and_then(|node| by_point.get(&(&*node.name, &*node.point)));
            lines.into_iter().flatten().map(|line| row(line)).collect()
        };
        let ranked =
            |line: &&ScoreLine| line.statement == statement && line.metric == objective.metric;
        let mut ranked: Vec<&ScoreLine> = scores.iter().filter(ranked).collect();
        narrow(&mut ranked, |line| is_prediction(&line.role));
        let models = firsts(&ranked, |line| &line.model).len();
        let over = match (models > 1, ranked.iter().all(|line| line.horizon.is_some())) {
            (true, true) => ", the mean over its models and steps ahead",
            (true, false) => ", the mean over its models",
            (false, true) => ", the mean over the steps ahead",
            (false, false) => "",
        };
        let is_seed = |param: &SweptParam| param.name == "seed";
        let mut groups: Vec<Group> = Vec::new();
        for trial in &sweep.trials {
            let pairs = || sweep.params.iter().zip(&trial.settings);
            if trial.group == groups.len() {
                groups.push(Group {
                    number: trial.group,
                    settings: pairs()
                        .filter(|(p, _)| !is_seed(p))
                        .map(|(_, s)| s)
                        .collect(),
                    runs: Vec::new(),
                    mean: None,
                });
            }
            let rows = rows_of(trial);
            let seed = { pairs() }.find(|(param, _)| is_seed(param));
            let run = OneRun {
                seed: seed.and_then(|(_, setting)| Some(setting.as_ref()?.text.clone())),
                value: score_of(&rows, &objective),
                members: members(&rows, &objective),
            };
            if let Some(group) = groups.get_mut(trial.group) {
                group.runs.push(run);
            }
        }
        for group in &mut groups {
            let values: Option<Vec<f64>> = group.runs.iter().map(|run| run.value).collect();
            group.mean = values.map(|values| values.iter().sum::<f64>() / values.len() as f64);
        }
        Some(Self {
            sweep,
            params: sweep
                .params
                .iter()
                .filter(|param| !is_seed(param))
                .collect(),
            heading: line.heading(),
            over,
            groups,
            aim,
        })
    }

    /// The groups with a value, best first.
    pub fn ranked(&self) -> Vec<&Group<'a>> {
        let scored = self
            .groups
            .iter()
            .filter_map(|group| Some((group.mean?, group)));
        let mut ranked: Vec<(f64, &Group)> = scored.collect();
        ranked
            .sort_by(|(one, _), (other, _)| self.aim.cost(*one).total_cmp(&self.aim.cost(*other)));
        ranked.into_iter().map(|(_, group)| group).collect()
    }

    /// The seeds, in the order of the points.
    pub fn seeds(&self) -> Vec<String> {
        let mut seeds: Vec<String> = Vec::new();
        for run in self.groups.iter().flat_map(|group| &group.runs) {
            if let Some(seed) = run.seed.as_ref().filter(|seed| !seeds.contains(seed)) {
                seeds.push(seed.clone());
            }
        }
        seeds
    }

    /// The best group with one seed alone, and its value.
    pub fn winner(&self, seed: &str) -> Option<(&Group<'a>, f64)> {
        let of_seed = self.groups.iter().filter_map(|group| {
            let run = group
                .runs
                .iter()
                .find(|run| run.seed.as_deref() == Some(seed))?;
            Some((group, run.value?))
        });
        of_seed.min_by(|(_, one), (_, other)| self.aim.cost(*one).total_cmp(&self.aim.cost(*other)))
    }
}

impl Group<'_> {
    /// As results name the point, without the seed.
    pub fn text(&self, params: &[&SweptParam]) -> String {
        let settings = params.iter().zip(&self.settings);
        let settings = settings.filter_map(|(param, setting)| {
            Some(format!("{}={}", param.name, setting.as_ref()?.text))
        });
        settings.collect::<Vec<_>>().join(", ")
    }
}

/// The same objective of each member alone.
fn members(rows: &[ScoreRow], objective: &Objective) -> Vec<f64> {
    let mut members: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.member.parse::<u64>().is_ok()) {
        if !members.contains(&&*row.member) {
            members.push(&row.member);
        }
    }
    let of_member = |member: &str| Objective {
        member: Some(member.to_owned()),
        ..objective.clone()
    };
    let values = members
        .into_iter()
        .map(|member| score_of(rows, &of_member(member)));
    values.flatten().collect()
}

fn row(line: &ScoreLine) -> ScoreRow {
    ScoreRow {
        member: line.member.clone(),
        model: line.model.clone(),
        role: line.role.clone(),
        metric: line.metric.clone(),
        horizon: line.horizon,
        group: line.group.clone(),
        value: line.value,
        unit: line.unit.clone(),
    }
}
