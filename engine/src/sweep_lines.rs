//! The sweeps in `run.json`.

use std::collections::BTreeMap;

use dsl::experiment::Experiment;
use dsl::sweep::{Best, Sweep, Trial};
use serde::Serialize;

use crate::choice::{Choice, Front, choices, fronts, in_words};
use crate::graph::Graph;
use crate::losses::reasons;
use crate::run::Outcome;

/// A sweep in `run.json`.
#[derive(Debug, Serialize)]
pub struct SweepLine<'a> {
    sweep: &'a str,
    objective: Option<String>,
    best: Option<&'a str>,
    /// The choice with the next point.
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<Choice>,
    /// The points that no other is better than, by several objectives.
    #[serde(skip_serializing_if = "Option::is_none")]
    front: Option<Front>,
    to_come: usize,
    points: Vec<PointLine<'a>>,
}

/// A point in `run.json`: its score, or why it has none.
#[derive(Debug, Serialize)]
struct PointLine<'a> {
    point: &'a str,
    /// The params that have a say at the point.
    params: BTreeMap<&'a str, ParamValue<'a>>,
    score: Option<f64>,
    failed: Option<String>,
}

/// The value of a param: a number where it is one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ParamValue<'a> {
    Number(f64),
    Text(&'a str),
}

fn params<'a>(sweep: &'a Sweep, trial: &'a Trial) -> BTreeMap<&'a str, ParamValue<'a>> {
    let settings = sweep.params.iter().zip(&trial.settings);
    let settings = settings.filter_map(|(param, setting)| {
        let setting = setting.as_ref()?;
        let value = match setting.number {
            Some(number) => ParamValue::Number(number),
            None => ParamValue::Text(&setting.text),
        };
        Some((&*param.name, value))
    });
    settings.collect()
}

/// The sweeps in `run.json`: every point with its score, what failed and what was chosen.
pub fn lines<'a>(
    experiment: &'a Experiment,
    graph: &Graph,
    outcome: &Outcome,
) -> Vec<SweepLine<'a>> {
    let mut reasons = reasons(experiment, graph, outcome);
    let mut choices = choices(experiment, graph, outcome);
    let mut fronts = fronts(experiment, graph, outcome);
    let mut line = |sweep: &'a Sweep| {
        let choice = choices.iter().position(|it| it.sweep == sweep.name);
        let front = fronts.iter().position(|it| it.sweep == sweep.name);
        let points = sweep.trials.iter().map(|trial| PointLine {
            point: &trial.point,
            params: params(sweep, trial),
            score: trial.finding.flatten(),
            failed: reasons.remove(&(&*sweep.name, &*trial.point)),
        });
        SweepLine {
            sweep: &sweep.name,
            objective: sweep.objective.as_ref().map(in_words),
            choice: choice.map(|at| choices.remove(at)),
            front: front.map(|at| fronts.remove(at)),
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
