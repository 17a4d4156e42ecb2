//! Children: networks for rows no network was trained on, one per row, never materialised.

use dsl::types::Kind;
use engine::artifact::{Artifact, Dataset, Parts};
use engine::error::Fault;

use crate::parents::Parent;
use crate::regressions::Regression;

/// A parent and the regression that moves its weights: a network for every row of any data.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Where the weights start.
    pub parent: Parent,
    /// How they move with the predictors.
    pub regression: Regression,
}

impl Child {
    /// The target for each row, in its own unit, by the row's own network; `[rows]`.
    ///
    /// # Errors
    /// When the data lack an input or a predictor.
    pub fn predict(&self, _data: &Dataset) -> Result<Vec<f64>, Fault> {
        Err(Fault::Bug("not written yet".to_owned()))
    }
}

impl Artifact for Child {
    const KIND: Kind = Kind::Child;

    fn to_parts(&self) -> Result<Parts, Fault> {
        let mut parts = self.parent.to_parts()?;
        parts.0.extend(self.regression.to_parts()?.0);
        Ok(parts)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        Ok(Self {
            parent: Parent::from_parts(parts)?,
            regression: Regression::from_parts(parts)?,
        })
    }
}
