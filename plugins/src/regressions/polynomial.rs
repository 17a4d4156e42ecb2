//! `polynomial(shift, z, degree: 2)`: polynomials by ordinary least squares.

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
    /// Polynomials of the predictors, by least squares: `ols` with products of predictors.
    ///
    /// All monomials of total degree up to `degree`. A straight line is the safe choice where
    /// the predictors leave the range of the subsets: a quadratic may gain there, a cubic
    /// mostly diverges. `spline` bends within that range alone and is the better choice.
    ///
    /// ```farcast
    /// regression curve = polynomial(shift, regime, degree: 2)
    /// ```
    "polynomial" version 9
    pub struct Polynomial {
        /// The anomalies and the predictors.
        variables: Variables, flatten();
        /// The highest total degree.
        degree: usize = "1", range("1..=3");
        /// What all regressions share.
        options: FitOptions, flatten();
    }
}

impl Plugin for Polynomial {
    type Output = Regression;
    // Later versions sum in another order.
    const STREAMS: u32 = 2;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        shared::check(call, call.get("degree"))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        shared::facts(call)
    }

    fn run(self, context: &Context) -> Result<Regression, Fault> {
        if self.degree > 1 {
            context.note(format!(
                "polynomials of degree {} are a bad basis for extrapolation; `spline` has straight tails",
                self.degree
            ));
        }
        let sources = Sources::new(&self.variables, &self.options);
        regress(&sources, &self, context)
    }
}

impl Method for Polynomial {
    fn model(&self, _: &Sample, _: &Context) -> Result<Model, Fault> {
        Ok(Model {
            basis: Basis::Polynomial(self.degree),
            penalty: Penalty::none(),
        })
    }
}
