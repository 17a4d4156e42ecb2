//! `spline(shift, z)`: natural cubic splines by ordinary least squares.

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
    /// Natural cubic splines of the predictors, by least squares: the usual choice.
    ///
    /// The sum of one curve per predictor, twice continuously differentiable, cubic between
    /// its knots and a straight line beyond the outer ones (Hastie, Tibshirani & Friedman 2009,
    /// section 5.2.1). The knots are evenly spaced quantiles of the predictor over the
    /// subsets, the least and largest value among them, so that it bends where there are
    /// subsets and goes on straight where there are none. The straight tails have the slope
    /// of the outermost subsets; `gam` steadies them.
    ///
    /// ```farcast
    /// regression bent = spline(shift, regime, knots: 3)
    /// ```
    "spline" version 8
    pub struct Spline {
        /// The anomalies and the predictors.
        variables: Variables, flatten();
        /// How many knots each predictor has.
        knots: usize = "4", range("3..=20");
        /// What all regressions share.
        options: FitOptions, flatten();
    }
}

impl Plugin for Spline {
    type Output = Regression;
    // Later versions sum in another order.
    const STREAMS: u32 = 1;

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

impl Method for Spline {
    fn model(&self, sample: &Sample, _: &Context) -> Result<Model, Fault> {
        Ok(Model {
            basis: Basis::Spline(sample.knots(self.knots)),
            penalty: Penalty::none(),
        })
    }
}
