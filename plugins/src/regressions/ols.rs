//! `ols(shift, z)`: straight lines by ordinary least squares.

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
    /// Straight lines from predictors to the anomalies of all weights, by least squares.
    ///
    /// One multi-right-hand-side problem: the predictors are the same for all weights. A
    /// subset's predictor is its mean over the rows of the subset, on the scale of all
    /// subsets (mean 0, standard deviation 1). Standard errors are
    /// `sqrt(σ² diag((XᵀX)⁻¹))` with `σ² = residual / (subsets - terms)`; `snr` is the
    /// magnitude of a slope divided by its standard error.
    ///
    /// ```farcast
    /// regression line = ols(shift, regime, keep: snr > 2)
    /// ```
    "ols" version 1
    pub struct Ols {
        /// The fine-tuned weights to explain.
        anomalies: Input<WeightTable>;
        /// What explains them.
        predictors: Vec<Input<Predictors>>, variadic();
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

impl Plugin for Ols {
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
        least_squares::fit(&sample, Basis::Polynomial(1), keep, context)
    }
}
