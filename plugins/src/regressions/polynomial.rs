//! `polynomial(shift, z, degree: 2)`: polynomials by ordinary least squares.

use engine::artifact::{Dataset, WeightTable};
use engine::error::Fault;
use engine::params::{Condition, Input, Via};
use engine::plugin;
use engine::plugin::{Context, Plugin};

use super::least_squares::{self, SNR};
use super::sample::{Sample, Sources};
use super::{Basis, Regression};
use crate::predictors::Predictors;
use crate::subsets::Subsets;

plugin! {
    /// Polynomials of the predictors, by least squares: `ols` with products of predictors.
    ///
    /// All monomials of total degree up to `degree`. A straight line is the safe choice where
    /// the predictors leave the range of the subsets: a quadratic may gain there, a cubic
    /// mostly diverges. What applies it beyond that range says so.
    ///
    /// ```farcast
    /// regression curve = polynomial(shift, regime, degree: 2)
    /// ```
    "polynomial" version 1
    pub struct Polynomial {
        /// The fine-tuned weights to explain.
        anomalies: Input<WeightTable>;
        /// What explains them.
        predictors: Vec<Input<Predictors>>, variadic();
        /// The highest total degree.
        degree: usize = "1", range("1..=3");
        /// Which slopes stay; the others become zero. All stay when left out.
        keep: Option<Condition>, names(&[SNR]);
        /// The rows of each subset.
        subsets: Via<Subsets>, via("anomalies.subsets");
        /// The data the subsets were drawn from.
        data: Via<Dataset>, via("anomalies.subsets.data");
        /// The data the parent was trained on.
        training: Via<Dataset>, via("anomalies.parent.data");
    }
}

impl Plugin for Polynomial {
    type Output = Regression;

    fn run(self, context: &Context) -> Result<Regression, Fault> {
        let sources = Sources {
            anomalies: &self.anomalies,
            predictors: &self.predictors,
            subsets: &self.subsets,
            data: &self.data,
            training: &self.training,
        };
        let sample = Sample::gather(&sources, context)?;
        let keep = self.keep.as_ref().map(|keep| &keep.0);
        least_squares::fit(&sample, Basis::Polynomial(self.degree), keep, context)
    }
}
