//! What an experiment says of its sweeps, and what a run tells the checker of them.

pub mod forms;
pub mod normal;
pub mod search;
pub mod space;

use std::collections::BTreeMap;

use crate::experiment::NodeId;
use crate::source::Span;
use search::Finding;

/// The known scores of points: what choosing and proposing points needs.
///
/// The checker is asked again whenever there are new ones; equal scores give equal points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    scores: BTreeMap<(String, String), Option<f64>>,
    errors: BTreeMap<(String, String), f64>,
}

impl Choices {
    /// Notes the score of a sweep's point; none when it ended without one.
    pub fn note(&mut self, sweep: &str, point: &str, score: Option<f64>) {
        let score = score.filter(|score| score.is_finite());
        self.scores
            .insert((sweep.to_owned(), point.to_owned()), score);
    }

    /// The score of a point: outer none when it is not known yet.
    pub fn get(&self, sweep: &str, point: &str) -> Option<Option<f64>> {
        let key = (sweep.to_owned(), point.to_owned());
        self.scores.get(&key).copied()
    }

    /// All that was noted: sweep, point and score.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, Option<f64>)> {
        let all = self.scores.iter();
        all.map(|((sweep, point), score)| (sweep.as_str(), point.as_str(), *score))
    }

    /// Notes the standard error of the score of a sweep's point.
    pub fn note_error(&mut self, sweep: &str, point: &str, error: f64) {
        self.errors
            .insert((sweep.to_owned(), point.to_owned()), error);
    }

    /// The standard error of the score of a point, where there is one.
    pub fn error(&self, sweep: &str, point: &str) -> Option<f64> {
        let key = (sweep.to_owned(), point.to_owned());
        self.errors.get(&key).copied()
    }

    /// All standard errors that were noted: sweep, point and error.
    pub fn errors(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        let all = self.errors.iter();
        all.map(|((sweep, point), error)| (sweep.as_str(), point.as_str(), *error))
    }
}

/// One sweep of an experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep {
    /// The statement; `--set` for one that the command line asks for.
    pub name: String,
    /// The swept params, in the order first named.
    pub params: Vec<SweptParam>,
    /// What its points are ranked by, when by anything.
    pub objective: Option<Objective>,
    /// What its points are judged by when that is more than one thing: then nothing is chosen.
    pub front: Vec<Objective>,
    /// Which of its params is the budget, for one that halves.
    pub over: Option<usize>,
    /// How many standard errors from the best point the chosen one may lie, as the first of those.
    pub within: Option<f64>,
    /// The points, in the order proposed.
    pub trials: Vec<Trial>,
    /// How many more will be proposed at most, once these have scores.
    pub to_come: usize,
    /// The sweeps whose choice its values depend on, when that is not made yet.
    pub is_waiting: bool,
    /// The choice.
    pub best: Best,
    /// The statement's value in the text.
    pub span: Span,
}

/// A swept param.
#[derive(Clone, Debug, PartialEq)]
pub struct SweptParam {
    /// Its name, seen from the main file.
    pub name: String,
    /// Whether it is searched by ratios, not differences.
    pub is_log: bool,
}

/// What a sweep chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Best {
    /// Nothing: it has no objective.
    #[default]
    Never,
    /// Nothing yet.
    Open,
    /// Nothing: no point has a score.
    Nothing,
    /// This trial, and all that differ from it in the seed only.
    Trial(usize),
}

/// The statement of an [`Objective`] that is what a point costs, not a score.
pub const COST: &str = "cost";

/// What points are ranked by.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The score statement.
    pub statement: String,
    /// The metric.
    pub metric: String,
    /// The member, `mean` or `median`; `mean` when not said.
    pub member: Option<String>,
    /// Which way.
    pub aim: Aim,
    /// Where it is said.
    pub span: Span,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// `minimise:`
    Minimise,
    /// `maximise:`
    Maximise,
}

impl Aim {
    /// The word in the language.
    pub fn word(self) -> &'static str {
        match self {
            Aim::Minimise => "minimise",
            Aim::Maximise => "maximise",
        }
    }

    /// The score as something to be small.
    pub fn cost(self, score: f64) -> f64 {
        match self {
            Aim::Minimise => score,
            Aim::Maximise => -score,
        }
    }
}

/// One point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// All its settings, `name=value,…`.
    pub point: String,
    /// The settings, for each of the sweep's params; none where it has no say.
    pub settings: Vec<Option<Setting>>,
    /// Which trials count together: they differ in the seed only.
    pub group: usize,
    /// Its own score.
    pub finding: Score,
    /// The calls its scores are read from, one for each objective that is a score; none while
    /// that statement waits for another sweep.
    pub objectives: Vec<NodeId>,
    /// All scores at this point.
    pub scores: Vec<NodeId>,
}

/// A param's value at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// As in `point`.
    pub text: String,
    /// As a number, if it is one.
    pub number: Option<f64>,
}

/// What is known of a trial's score.
pub type Score = Option<Option<f64>>;

/// A statement that is not made yet because a sweep has not been decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The statement.
    pub statement: String,
    /// The sweeps it waits for.
    pub sweeps: Vec<String>,
}

impl Sweep {
    /// How many trials have ended, with or without a score.
    pub fn ended(&self) -> usize {
        let ended = self.trials.iter().filter(|trial| trial.finding.is_some());
        ended.count()
    }

    /// A point without its seed, as what was chosen is called: `degree=1,width=8`.
    pub fn best_point(&self, at: usize) -> String {
        let settings = self.params.iter().zip(&self.trials[at].settings);
        let settings = settings.filter(|(param, _)| param.name != "seed");
        let settings = settings.filter_map(|(param, setting)| {
            Some(format!("{}={}", param.name, setting.as_ref()?.text))
        });
        settings.collect::<Vec<_>>().join(",")
    }

    /// Whether its points are judged by anything.
    pub fn is_judged(&self) -> bool {
        self.objective.is_some() || !self.front.is_empty()
    }

    /// What is known of the trials that count together: their mean, if each has a score.
    pub fn group_finding(&self, group: usize) -> Finding {
        let Some(objective) = &self.objective else {
            return Finding::Unknown;
        };
        let trials = self.trials.iter().filter(|trial| trial.group == group);
        let costs = trials.map(|trial| match trial.finding {
            None => Finding::Unknown,
            Some(None) => Finding::Nothing,
            Some(Some(score)) => Finding::Cost(objective.aim.cost(score)),
        });
        mean(costs)
    }
}

/// The mean of what is known, if all is.
pub(crate) fn mean(findings: impl Iterator<Item = Finding>) -> Finding {
    let (mut sum, mut count) = (0.0, 0.0);
    let mut lacks = false;
    for finding in findings {
        match finding {
            Finding::Unknown => return Finding::Unknown,
            Finding::Nothing => lacks = true,
            Finding::Cost(cost) => {
                sum += cost;
                count += 1.0;
            }
        }
    }
    match lacks || count == 0.0 {
        true => Finding::Nothing,
        false => Finding::Cost(sum / count),
    }
}
