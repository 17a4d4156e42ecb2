//! `ols(shift, z)`: straight lines by ordinary least squares.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::fit::{Method, Model, regress};
use super::support::sample::Sample;
use super::support::shared;
use super::support::shared::{FitOptions, Sources, Variables};
use super::{Basis, Regression};
use crate::splines::Penalty;

plugin! {
    /// Straight lines from predictors to the anomalies of all weights, by least squares.
    ///
    /// One multi-right-hand-side problem: the predictors are the same for all weights. A
    /// subset's predictor is its mean over the rows of the subset, on the scale of all
    /// subsets (mean 0, standard deviation 1). Standard errors are
    /// `sqrt(σ² diag((XᵀX)⁻¹))` with `σ² = residual / (subsets - terms)`; `snr` is the
    /// magnitude of a slope divided by its standard error. Sums over 128 subsets and more are in
    /// single precision, which moves a standard error by less than a thousandth, and again in double
    /// precision where the predictors leave less than 0.03 % of a weight's squares.
    ///
    /// Every regression says, before any application data are met, how much of the variance
    /// of the anomalies the predictors explain, tensor by tensor: over the subsets it was
    /// fitted on, and at the *edge*, where the fifth of the subsets with the lowest values of a
    /// predictor is predicted from the others, then the fifth with the highest. A share of
    /// zero at the edge is no better than the mean of the others.
    ///
    /// ```farcast
    /// regression line = ols(shift, regime, keep: snr > 2)
    /// ```
    "ols" version 9
    pub struct Ols {
        /// The anomalies and the predictors.
        variables: Variables, flatten();
        /// What all regressions share.
        options: FitOptions, flatten();
    }
}

impl Plugin for Ols {
    type Output = Regression;
    // Later versions sum in another order.
    const STREAMS: u32 = 2;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        shared::check(call, Some(1))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        shared::facts(call)
    }

    fn run(self, context: &Context) -> Result<Regression, Fault> {
        let sources = Sources::new(&self.variables, &self.options);
        regress(&sources, &self, context)
    }
}

impl Method for Ols {
    fn model(&self, _: &Sample, _: &Context) -> Result<Model, Fault> {
        Ok(Model {
            basis: Basis::Polynomial(1),
            penalty: Penalty::none(),
        })
    }
}
