//! A comparison of runs, as data.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::digest::Digest;
use crate::metric::Better;
use crate::record::RunRecord;
use crate::student::Interval;
use crate::table::ScoreLine;

/// One of the runs that are compared.
pub struct Side {
    /// Its name.
    pub name: String,
    /// Its record.
    pub record: RunRecord,
    /// Its scores.
    pub lines: Vec<ScoreLine>,
}

/// The runs side by side; differences are against the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs.
    pub runs: Vec<RunHead>,
    /// The inputs that are not the same in all runs.
    pub given: Vec<InputDifference>,
    /// The scores, in the order of the score tables.
    pub scores: Vec<ScoreComparison>,
}

/// The names of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunHead {
    /// Its name or the path of its `run.json`.
    pub name: String,
    /// The experiment's file.
    pub file: String,
    /// The experiment's title.
    pub experiment: String,
    /// When it ended, in UTC.
    pub when: String,
}

/// An input that is not the same in all runs: a param, a text, a data file or a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputDifference {
    /// ``param `width` ``, ``data `x.nc` ``.
    pub what: String,
    /// Its value for each run, if the run has it.
    pub values: Vec<Option<String>>,
}

/// One score of all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreComparison {
    /// The score statement.
    pub statement: String,
    /// The swept parameters.
    pub point: String,
    /// The scored statement.
    pub model: String,
    /// Its role.
    pub role: String,
    /// The metric, with its unit.
    pub metric: String,
    /// Steps ahead.
    pub horizon: Option<f64>,
    /// `members` for the mean over members, else the ensemble: `mean` or `median`.
    pub of: String,
    /// The value for each run, if the run has it.
    pub values: Vec<Option<f64>>,
    /// How many members of each run have a value; empty for ensembles.
    pub members: Vec<usize>,
    /// For each run but the first; none where either has no value.
    pub differences: Vec<Option<ScoreDifference>>,
}

/// The difference between a run and the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreDifference {
    /// The run's value minus that of the first; for members, the mean of the differences.
    pub value: f64,
    /// The ends of its 95 % interval over members; none for ensembles and single members.
    pub interval: Option<(f64, f64)>,
    /// How the interval is computed.
    pub method: Method,
    /// `better` or `worse` where the interval excludes 0 and the sign decides.
    pub verdict: &'static str,
}

/// How the members of two runs are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Paired, over this many members that descend from the same parents.
    Paired(usize),
    /// Mean against mean.
    Welch,
    /// Too few members for an interval.
    None,
}

/// Compares the runs with the first one.
pub fn compare(sides: &[Side]) -> Comparison {
    Comparison {
        runs: sides.iter().map(head).collect(),
        given: given(sides),
        scores: scores(sides),
    }
}

fn head(side: &Side) -> RunHead {
    RunHead {
        name: side.name.clone(),
        file: side.record.file().to_owned(),
        experiment: side.record.experiment.clone(),
        when: side.record.time(),
    }
}

fn given(sides: &[Side]) -> Vec<InputDifference> {
    let of_sides: Vec<Vec<(String, String)>> =
        sides.iter().map(|side| things(&side.record)).collect();
    let mut given: Vec<InputDifference> = Vec::new();
    for (what, _) in of_sides.iter().flatten() {
        if given.iter().any(|known| known.what == *what) {
            continue;
        }
        let value = |things: &Vec<(String, String)>| {
            let found = things.iter().find(|(other, _)| other == what);
            found.map(|(_, value)| value.clone())
        };
        given.push(InputDifference {
            what: what.clone(),
            values: of_sides.iter().map(value).collect(),
        });
    }
    given.retain(|given| given.values.iter().any(|value| *value != given.values[0]));
    given
}

/// All inputs of a run, as name and value.
fn things(run: &RunRecord) -> Vec<(String, String)> {
    let named = |kind: &str, name: &str, value: String| (format!("{kind} `{name}`"), value);
    let mut things: Vec<_> = run
        .params
        .iter()
        .map(|(name, value)| named("param", name, value.clone()))
        .collect();
    let swept = run
        .set
        .iter()
        .filter(|(name, _)| !run.params.contains_key(name));
    things.extend(swept.map(|(name, value)| named("param", name, value.clone())));
    things.extend(run.choices.iter().map(|choice| {
        let kind = "choice of";
        named(kind, &choice.sweep, choice.point.clone())
    }));
    let text = run.texts.first().map_or("", |text| &text.text);
    let used = run.texts.iter().skip(1);
    things.push(("text".to_owned(), Digest::of(text.as_bytes()).short()));
    things.extend(used.map(|used| {
        let digest = Digest::of(used.text.as_bytes()).short();
        named("used text", &used.path, digest)
    }));
    let data = run.data.iter();
    things.extend(data.map(|(path, digest)| named("data", path, digest.short())));
    things.push(("farcast".to_owned(), run.farcast.clone()));
    let plugins = run.plugins.iter();
    things.extend(plugins.map(|(name, version)| named("plugin", name, version.to_string())));
    things
}

/// What identifies a score in different runs.
type ScoreKey<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, Option<u64>);

/// The values of one key in one run.
#[derive(Clone, Default)]
struct RunValues<'a> {
    /// By `mean`, `median`.
    ensembles: BTreeMap<&'a str, Option<f64>>,
    members: BTreeMap<u32, f64>,
    line: Option<&'a ScoreLine>,
}

fn scores(sides: &[Side]) -> Vec<ScoreComparison> {
    let mut places: BTreeMap<ScoreKey, usize> = BTreeMap::new();
    let mut table: Vec<Vec<RunValues>> = Vec::new();
    for (at, side) in sides.iter().enumerate() {
        for line in side.lines.iter().filter(|line| line.group.is_none()) {
            let next = places.len();
            let place = *places.entry(key(line)).or_insert(next);
            if place == table.len() {
                table.push(vec![RunValues::default(); sides.len()]);
            }
            table[place][at].take(line);
        }
    }
    table.iter().flat_map(|row| rows(row, sides)).collect()
}

fn key(line: &ScoreLine) -> ScoreKey<'_> {
    let horizon = line.horizon.map(f64::to_bits);
    let (statement, point) = (&line.statement, &line.point);
    (
        statement,
        point,
        &line.model,
        &line.role,
        &line.metric,
        horizon,
    )
}

impl<'a> RunValues<'a> {
    fn take(&mut self, line: &'a ScoreLine) {
        let value = line.value.filter(|value| value.is_finite());
        self.line = self.line.or(Some(line));
        match (line.member.parse(), value) {
            (Ok(member), Some(value)) => {
                self.members.insert(member, value);
            }
            (Ok(_), None) => {}
            (Err(_), value) => {
                self.ensembles.insert(&line.member, value);
            }
        }
    }

    fn mean(&self) -> Option<f64> {
        let count = self.members.len();
        (count > 0).then(|| self.members.values().sum::<f64>() / count as f64)
    }
}

/// A row for every ensemble, then one for the members.
fn rows(values: &[RunValues], sides: &[Side]) -> Vec<ScoreComparison> {
    let Some(line) = values.iter().find_map(|values| values.line) else {
        return Vec::new();
    };
    let row = |of: &str, of_sides: Vec<Option<f64>>, members, differences| ScoreComparison {
        statement: line.statement.clone(),
        point: line.point.clone(),
        model: line.model.clone(),
        role: line.role.clone(),
        metric: line.heading(),
        horizon: line.horizon,
        of: of.to_owned(),
        values: of_sides,
        members,
        differences,
    };
    let words: BTreeSet<&str> = values
        .iter()
        .flat_map(|values| values.ensembles.keys().copied())
        .collect();
    let means: Vec<Option<f64>> = values.iter().map(RunValues::mean).collect();
    let mut rows = Vec::new();
    for word in words {
        let of_sides: Vec<Option<f64>> = values
            .iter()
            .map(|values| values.ensembles.get(word).copied().flatten())
            .collect();
        // Some scores have no ensemble: their `mean` is the mean over members.
        if of_sides
            .iter()
            .zip(&means)
            .all(|(one, mean)| is_near(*one, *mean))
        {
            continue;
        }
        let differences = of_sides.iter().skip(1).map(|value| {
            Some(ScoreDifference {
                value: (*value)? - of_sides[0]?,
                interval: None,
                method: Method::None,
                verdict: "",
            })
        });
        let differences = differences.collect();
        rows.push(row(word, of_sides, Vec::new(), differences));
    }
    if values.iter().any(|values| !values.members.is_empty()) {
        let better = Better::of(&line.metric);
        let differences = values.iter().zip(sides).skip(1).map(|(other, side)| {
            over_members(
                (&values[0], &sides[0].record),
                (other, &side.record),
                better,
            )
        });
        let counts = values.iter().map(|values| values.members.len()).collect();
        rows.push(row("members", means, counts, differences.collect()));
    }
    rows
}

fn is_near(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-12 * one.abs(),
        (one, other) => one == other,
    }
}

/// The mean difference of the members that two runs share, else the difference of their means.
fn over_members(
    (first, first_run): (&RunValues, &RunRecord),
    (other, other_run): (&RunValues, &RunRecord),
    better: Better,
) -> Option<ScoreDifference> {
    let pairs: Vec<f64> = other
        .members
        .iter()
        .filter(|(member, _)| is_shared(**member, first_run, other_run))
        .filter_map(|(member, value)| Some(value - first.members.get(member)?))
        .collect();
    let (interval, method) = if let Some(interval) = Interval::paired(&pairs) {
        (Some(interval), Method::Paired(pairs.len()))
    } else {
        let all = |values: &RunValues| values.members.values().copied().collect::<Vec<f64>>();
        match Interval::welch(&all(first), &all(other)) {
            Some(interval) => (Some(interval), Method::Welch),
            None => (None, Method::None),
        }
    };
    let value = match interval {
        Some(interval) => interval.mean,
        None => other.mean()? - first.mean()?,
    };
    let good = better.good_sign();
    let verdict = match interval.filter(Interval::excludes_zero) {
        Some(_) if value * good > 0.0 => "better",
        Some(_) if value * good < 0.0 => "worse",
        _ => "",
    };
    Some(ScoreDifference {
        value,
        interval: interval.map(|interval| (interval.low, interval.high)),
        method,
        verdict,
    })
}

/// Whether a member of both runs descends from the same trained parent.
fn is_shared(member: u32, first: &RunRecord, other: &RunRecord) -> bool {
    match (first.members.get(&member), other.members.get(&member)) {
        (Some(first), Some(other)) => !first.is_disjoint(other),
        _ => false,
    }
}
