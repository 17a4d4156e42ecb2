//! Regressions: maps from predictors to the anomalies of all weights at once.

use dsl::types::Kind;
use engine::artifact::{Artifact, Layout, Parts};
use engine::error::Fault;
use serde::{Deserialize, Serialize};

use crate::predictors::Fitted;

/// A fitted map: `weights(row) = parent + Σ_t basis_t(predictors(row)) · coefficients_t`.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The form of the map and how well it fits.
    pub form: Form,
    /// The tensors a row of coefficients is made of.
    pub layout: Layout,
    /// One row of `layout.len()` coefficients per term, term after term.
    pub coefficients: Vec<f32>,
}

/// Everything about a regression but its coefficients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// The predictors, fitted.
    pub predictors: Vec<Fitted>,
    /// Names of the predictors.
    pub names: Vec<String>,
    /// Mean and standard deviation of each predictor over the subsets.
    pub scaling: Vec<(f64, f64)>,
    /// Smallest and largest value of each predictor over the subsets.
    pub seen: Vec<(f64, f64)>,
    /// The terms of the basis, the intercept among them.
    pub basis: Basis,
    /// How many subsets it was fitted on.
    pub rows: usize,
    /// Share of the anomaly variance explained, per tensor of the layout.
    pub explained: Vec<f64>,
    /// Share of coefficients set to zero by `keep`, per tensor.
    pub pruned: Vec<f64>,
}

/// The functions of the standardised predictors that are summed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Basis {
    /// All monomials of total degree up to this one, with the intercept.
    Polynomial(usize),
}

impl Artifact for Regression {
    const KIND: Kind = Kind::Regression;

    fn to_parts(&self) -> Result<Parts, Fault> {
        let bytes: Vec<u8> = self
            .coefficients
            .iter()
            .flat_map(|c| c.to_le_bytes())
            .collect();
        Parts::default()
            .with("coefficients.f32", bytes)
            .with_json("layout.json", &self.layout)?
            .with_json("form.json", &self.form)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        Ok(Self {
            form: parts.json("form.json")?,
            layout: parts.json("layout.json")?,
            coefficients: parts
                .get("coefficients.f32")?
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect(),
        })
    }
}
