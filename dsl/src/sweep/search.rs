//! What an optimiser of sweeps is asked, and what it answers, as data. The optimisers are outside.

use super::space::{Setting, Space};

/// A search for the points of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// How points are chosen.
    pub method: Method,
    /// What may be chosen.
    pub space: Space,
    /// How many points, at most.
    pub count: usize,
    /// What its random numbers follow from.
    pub seed: u64,
}

/// A way to choose points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Each drawn alone.
    Random,
    /// A Latin hypercube.
    Latin,
    /// A tree-structured Parzen estimator.
    Tpe,
    /// Successive halving on these budgets. The budget is the last setting of each point.
    Halving(Vec<i64>),
}

/// What is known of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// It has not ended yet.
    Unknown,
    /// It ended without a score: something failed, or every member diverged.
    Nothing,
    /// What is to be small.
    Cost(f64),
}

impl Finding {
    /// For sorting: what has no score is worse than everything.
    pub fn cost(self) -> f64 {
        match self {
            Finding::Cost(cost) => cost,
            Finding::Unknown | Finding::Nothing => f64::INFINITY,
        }
    }
}

/// What a search proposes from the scores so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposal {
    /// The points, in the order proposed.
    pub points: Vec<Vec<Setting>>,
    /// How many more there will be at most, once these have scores.
    pub to_come: usize,
}

impl From<Vec<Vec<Setting>>> for Proposal {
    /// All points at once.
    fn from(points: Vec<Vec<Setting>>) -> Self {
        Self { points, to_come: 0 }
    }
}
