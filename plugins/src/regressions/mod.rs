//! Regressions: maps from predictors to the anomalies of all weights at once.

mod gam;
mod joint;
mod network;
mod ols;
mod polynomial;
mod ridge;
mod spline;
pub(crate) mod support;
#[cfg(test)]
mod tests;

use dsl::types::Kind;
use engine::artifact::{Artifact, Layout, Parts};
use engine::error::Fault;
use engine::foreign::{Parcel, Values};
use engine::plugin::Registry;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::predictors::Fitted;

pub use gam::{Gam, Smoothing};
pub use joint::Joint;
pub use network::Hidden;
pub use ols::Ols;
pub use polynomial::Polynomial;
pub use ridge::Ridge;
pub use spline::Spline;
pub use support::basis::{Basis, Term, Unit};
pub(crate) use support::evidence::percent;
pub use support::evidence::{Evidence, FLAT};
pub use support::shared::{Against, FitOptions, Variables, times};

/// Adds the regressions.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Regression>();
    registry.maker_of(Kind::Regression, support::foreign::Fit);
    registry.plugin::<Ols>();
    registry.plugin::<Ridge>();
    registry.plugin::<Polynomial>();
    registry.plugin::<Spline>();
    registry.plugin::<Gam>();
    registry.plugin::<Hidden>();
    registry.plugin::<Joint>();
}

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
    /// Share of the anomaly variance explained, per tensor of the layout; 0 where none varies.
    pub explained: Vec<f64>,
    /// Share of coefficients set to zero by `keep`, per tensor.
    pub pruned: Vec<f64>,
    /// What the subsets say of the predictors, before any application data are met.
    pub evidence: Evidence,
}

impl Form {
    /// The functions that are summed, the intercept first.
    pub fn terms(&self) -> Vec<Term> {
        self.basis.terms(self.names.len())
    }

    /// The predictors of one row on the scale of the subsets.
    pub fn standardised(&self, predictors: &[f64]) -> Vec<f64> {
        let mut standardised = predictors.to_vec();
        self.standardise(&mut standardised);
        standardised
    }

    /// Brings the predictors of one row to the scale of the subsets.
    pub fn standardise(&self, predictors: &mut [f64]) {
        for (value, (mean, std)) in predictors.iter_mut().zip(&self.scaling) {
            *value = (*value - mean) / std;
        }
    }
}

impl Regression {
    /// The coefficients of one term, one per weight.
    pub fn coefficients_of(&self, term: usize) -> &[f32] {
        let width = self.layout.len();
        &self.coefficients[term * width..(term + 1) * width]
    }
}

impl Artifact for Regression {
    const KIND: Kind = Kind::Regression;
    const PARTS: &'static [&'static str] = &["coefficients.f32", "layout.json", "form.json"];

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

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        let names = &self.form.names;
        let terms = self.form.terms();
        let written: Vec<String> = terms.iter().map(|term| term.name(names)).collect();
        let (mean, std): (Vec<f64>, Vec<f64>) = self.form.scaling.iter().copied().unzip();
        let coefficients = Values::F32(self.coefficients.as_slice().into());
        Ok(Parcel::default()
            .with("names", json!(names))
            .with("mean", json!(mean))
            .with("std", json!(std))
            .with("terms", json!(written))
            .with("layout", json!(self.layout))
            .with_array(
                "coefficients",
                vec![terms.len(), self.layout.len()],
                coefficients,
            ))
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let regression = Self {
            form: parts.json("form.json")?,
            layout: parts.json("layout.json")?,
            coefficients: parts
                .get("coefficients.f32")?
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect(),
        };
        let expected = regression.form.terms().len() * regression.layout.len();
        if regression.coefficients.len() != expected {
            return Err(Fault::Damaged(format!(
                "part `coefficients.f32`: expected {expected} numbers, found {}",
                regression.coefficients.len()
            )));
        }
        Ok(regression)
    }
}
