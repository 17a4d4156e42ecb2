//! Scores in long form: one row per model, member, metric and group.

use dsl::types::Kind;
use serde::{Deserialize, Serialize};

use super::{Artifact, Parts};
use crate::error::Fault;
use crate::parcel::Parcel;

/// What a score statement found, and the series that plots need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The numbers.
    pub rows: Vec<ScoreRow>,
    /// Samples of truth against prediction by model, for parity plots: `(truth, prediction)`.
    pub parity: Vec<(String, Vec<(f64, f64)>)>,
    /// What the numbers are of, for axes: the target's name and unit.
    pub target: String,
    /// The unit of the target, when known.
    pub unit: Option<String>,
    /// The column the groups are of.
    pub group_by: Option<String>,
}

/// Whether a role is that of predicted networks: what a score is about, where it has any.
pub fn is_prediction(role: &str) -> bool {
    matches!(role, "child" | "farcast")
}

/// One number. `statement` and `point` are added when tables are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// A number, `mean` or `median`.
    pub member: String,
    /// The label of the scored statement.
    pub model: String,
    /// `parent`, `child`, `baseline` or `farcast`.
    pub role: String,
    /// The metric's name.
    pub metric: String,
    /// Steps ahead, for farcasts.
    pub horizon: Option<f64>,
    /// The group, as text; none for all rows together.
    pub group: Option<String>,
    /// The value; `None` where it does not exist, such as for a diverged member.
    pub value: Option<f64>,
    /// The unit of the value; none for shares, correlations and the like.
    #[serde(default)]
    pub unit: Option<String>,
}

impl Artifact for Scores {
    const KIND: Kind = Kind::Score;
    const PARTS: &'static [&'static str] = &["scores.json"];

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default().with_json("scores.json", self)
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        self.as_parcel()
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        parts.json("scores.json")
    }
}
