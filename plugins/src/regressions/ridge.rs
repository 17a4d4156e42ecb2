//! `ridge(shift, z)`: straight lines with shrunken slopes, the penalty by cross-validation.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::fit::{Method, Model, regress};
use super::support::sample::Sample;
use super::support::shared;
use super::support::shared::{FitOptions, Sources, Variables};
use super::{Basis, Regression};
use crate::splines::{Penalty, Strength};

plugin! {
    /// Straight lines from predictors to the anomalies of all weights, slopes held small.
    ///
    /// Minimises `‖Y - X B‖² / n + penalty ‖B‖²` over `n` subsets with standardised
    /// predictors; the intercept is free. Without a penalty the one of least generalised
    /// cross-validation is taken (Golub, Heath & Wahba 1979, eq. 1.4), one for all weights:
    /// `V = (Σ ‖(I - A) y‖² / n) / (trace(I - A) / n)²`, `A` the matrix that turns anomalies
    /// into fitted ones and the sum over weights, over ten penalties a decade from 1e-6 to 1e6.
    ///
    /// ```farcast
    /// regression held = ridge(shift, regime, penalty: 0.1)
    /// ```
    "ridge" version 9
    pub struct Ridge {
        /// The anomalies and the predictors.
        variables: Variables, flatten();
        /// What a squared slope costs; by generalised cross-validation when left out.
        penalty: Option<f64>, range("0..");
        /// What all regressions share.
        options: FitOptions, flatten();
    }
}

impl Plugin for Ridge {
    type Output = Regression;
    // Later versions sum in another order.
    const STREAMS: u32 = 2;

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

impl Method for Ridge {
    fn model(&self, sample: &Sample, _: &Context) -> Result<Model, Fault> {
        let strength = self.penalty.map_or(Strength::Common, Strength::Given);
        Ok(Model {
            basis: Basis::Polynomial(1),
            penalty: Penalty::of_slopes(sample.names().len(), strength),
        })
    }
}
