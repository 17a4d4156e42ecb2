//! Where sweeps look next: points of a space, from nothing or from the scores of earlier points.
//!
//! Pure and replayable: a search says from the start which points it proposes, asking for the
//! scores of each batch before the next, and ends where a score is not known yet. Equal scores
//! therefore give equal points, in one process or in many.

mod halving;
mod sampling;
mod space;
mod stream;
mod tpe;

pub use halving::{halving, rungs};
pub use sampling::{grid, latin, random};
pub use space::{Axis, Scale, Setting, Space, Values, When};
pub use stream::Stream;
pub use tpe::{BATCH, START, tpe};

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

/// What a search proposes, as far as the scores go.
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
