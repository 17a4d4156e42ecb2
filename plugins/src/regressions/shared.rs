//! The parameters that all regressions share.

use dsl::column::ColumnExpr;
use engine::artifact::{Dataset, WeightTable};
use engine::params::{Condition, Input, MaybeVia, Via};
use engine::{group, words};

use crate::parents::Parent;
use crate::predictors::Predictors;
use crate::subsets::Subsets;

/// The name of |estimate| / standard error in a `keep` condition.
pub(super) const SNR: &str = "snr";

words! {
    /// What is regressed on the predictors.
    pub enum Against {
        /// The differences of the fine-tuned weights from the parent's.
        Anomalies = "anomalies",
        /// The fine-tuned weights themselves.
        Weights = "weights",
    }
}

group! {
    /// The dependent and the independent variables of a regression.
    pub struct Variables {
        /// The fine-tuned weights to explain.
        anomalies: Input<WeightTable>;
        /// What explains them.
        predictors: Vec<Input<Predictors>>, variadic();
    }
}

group! {
    /// What is done to the coefficients of a regression, and what the engine adds to its inputs.
    pub struct FitOptions {
        /// Which slopes stay; the others become zero. All stay when left out.
        keep: Option<Condition>, names(&[SNR]);
        /// How many principal components of the anomalies are regressed in place of
        /// every weight; the rest of their variance counts as noise.
        pca: Option<usize>, range("1..=10000");
        /// Whether anomalies are explained or whole weights. As the intercept is free, both
        /// give the same children.
        against: Against = "anomalies";
        /// The rows of each subset.
        subsets: Via<Subsets>, via("anomalies.subsets");
        /// The data the subsets were drawn from.
        data: Via<Dataset>, via("anomalies.subsets.data");
        /// The data the parent was trained on; none for one that was adopted.
        training: MaybeVia<Dataset>, via("anomalies.parent.data");
        /// The network that was fine-tuned.
        parent: Via<Parent>, via("anomalies.parent");
    }
}

/// Where the rows come from and what is done with them: what all regressions share.
pub(super) struct Sources<'a> {
    /// The fine-tuned weights less the parent's, one row per subset.
    pub anomalies: &'a WeightTable,
    /// The recipes of the predictors.
    pub predictors: &'a [Input<Predictors>],
    /// Which slopes stay.
    pub keep: Option<&'a ColumnExpr>,
    /// How many principal components stand for the weights.
    pub pca: Option<usize>,
    /// Whether the parent's weights are part of what is explained.
    pub against: Against,
    /// The rows of each subset, in `data`.
    pub subsets: &'a Subsets,
    /// What the subsets were drawn from.
    pub data: &'a Dataset,
    /// What the predictors are fitted on: what the parent was trained on, or else `data`.
    pub training: &'a Dataset,
    /// What was fine-tuned.
    pub parent: &'a Parent,
}

impl<'a> Sources<'a> {
    /// The parameters that all regressions share, put together.
    pub fn new(variables: &'a Variables, options: &'a FitOptions) -> Self {
        Self {
            anomalies: &variables.anomalies,
            predictors: &variables.predictors,
            keep: options.keep.as_ref().map(|keep| &keep.0),
            pca: options.pca,
            against: options.against,
            subsets: &options.subsets,
            data: &options.data,
            training: options.training.0.as_deref().unwrap_or(&options.data),
            parent: &options.parent,
        }
    }
}
