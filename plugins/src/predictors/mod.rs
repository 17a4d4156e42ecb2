//! Predictors: what is known about a row before any network is trained for it.
//!
//! A predictor statement is a recipe without data. A regression fits it on the rows of the
//! training data and evaluates it for every subset (the mean over its rows); a child
//! evaluates the fitted recipe for every application row.

use dsl::types::Kind;
use engine::artifact::{Artifact, Dataset, Parts};
use engine::error::Fault;
use serde::{Deserialize, Serialize};

/// What a predictor statement makes: how to get numbers from a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Predictors {
    /// The values of columns.
    Columns(Vec<String>),
}

/// A recipe fitted on training data: the same numbers from any data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fitted {
    /// The values of columns.
    Columns(Vec<String>),
}

/// One value of each predictor for each row: `names.len()` numbers per row, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictorRows {
    /// The names of the predictors.
    pub names: Vec<String>,
    /// Row after row.
    pub values: Vec<f64>,
}

impl Predictors {
    /// Learns what the recipe needs from the training data.
    ///
    /// # Errors
    /// When the data lack a column.
    pub fn fit(&self, _data: &Dataset) -> Result<Fitted, Fault> {
        match self {
            Predictors::Columns(names) => Ok(Fitted::Columns(names.clone())),
        }
    }
}

impl Artifact for Predictors {
    const KIND: Kind = Kind::Predictor;

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default().with_json("predictors.json", self)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        parts.json("predictors.json")
    }
}
