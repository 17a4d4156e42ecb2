//! `gam(shift, z)`: additive splines whose roughness costs.

use engine::error::Fault;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};

use super::support::fit::{Method, Model, regress};
use super::support::sample::Sample;
use super::support::shared;
use super::support::shared::{FitOptions, Sources, Variables};
use super::{Basis, Regression};
use crate::splines::{Penalty, Strength};

words! {
    /// How many penalties are chosen.
    pub enum Smoothing {
        /// One for each predictor.
        Each = "each",
        /// One for all predictors.
        Common = "common",
    }
}

plugin! {
    /// A generalised additive model: smooth curves of the predictors, summed.
    ///
    /// The curves of `spline` with many knots, and a cost on their roughness: minimises
    /// `‖Y - f‖² / n + Σ_j penalty_j ∫ f_j''²` over `n` subsets with standardised predictors
    /// (Wood 2017, section 4.3). The larger the penalty, the nearer to a straight line.
    /// Penalties are those of least generalised cross-validation summed over all weights, as
    /// in `ridge`, among ten a decade from 1e-6 to 1e6: first one for all predictors, then
    /// each in turn until none changes.
    ///
    /// ```farcast
    /// regression smooth = gam(shift, regime, knots: 5)
    /// ```
    "gam" version 8
    pub struct Gam {
        /// The anomalies and the predictors.
        variables: Variables, flatten();
        /// How many knots each predictor has.
        knots: usize = "8", range("3..=40");
        /// What roughness costs; by generalised cross-validation when left out.
        penalty: Option<f64>, range("0..");
        /// Whether each predictor has a penalty of its own.
        smoothing: Smoothing = "each";
        /// What all regressions share.
        options: FitOptions, flatten();
    }
}

impl Plugin for Gam {
    type Output = Regression;
    // Later versions sum in another order.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        shared::check(call, None)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        shared::facts(call)
    }

    fn run(self, context: &Context) -> Result<Regression, Fault> {
        let sources = Sources::new(&self.variables, &self.options);
        regress(&sources, &self, context)
    }
}

impl Method for Gam {
    fn model(&self, sample: &Sample, _: &Context) -> Result<Model, Fault> {
        let knots = sample.knots(self.knots);
        let strength = match (self.penalty, self.smoothing) {
            (Some(penalty), _) => Strength::Given(penalty),
            (None, Smoothing::Each) => Strength::Each,
            (None, Smoothing::Common) => Strength::Common,
        };
        Ok(Model {
            penalty: Penalty::of_roughness(&knots, strength),
            basis: Basis::Spline(knots),
        })
    }
}
