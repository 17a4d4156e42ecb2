//! What all regressions take, and how it is found.

use dsl::column::ColumnExpr;
use engine::artifact::{Dataset, WeightTable};
use engine::params::Input;
use engine::words;

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

/// Declares a regression: [`engine::plugin!`] with the parameters that all regressions have.
macro_rules! regression {
    ($(#[doc = $doc:literal])* $name:literal version $version:literal
     pub struct $Struct:ident { $($own:tt)* }) => {
        engine::plugin! {
            $(#[doc = $doc])*
            $name version $version
            pub struct $Struct {
                /// The fine-tuned weights to explain.
                anomalies: engine::params::Input<engine::artifact::WeightTable>;
                /// What explains them.
                predictors: Vec<engine::params::Input<crate::predictors::Predictors>>, variadic();
                $($own)*
                /// Which slopes stay; the others become zero. All stay when left out.
                keep: Option<engine::params::Condition>, names(&[$crate::regressions::shared::SNR]);
                /// How many principal components of the anomalies are regressed in place of
                /// every weight; the rest of their variance counts as noise.
                pca: Option<usize>, range("1..=10000");
                /// Whether anomalies are explained or whole weights. As the intercept is free, both
                /// give the same children.
                against: $crate::regressions::Against = "anomalies";
                /// The rows of each subset.
                subsets: engine::params::Via<crate::subsets::Subsets>, via("anomalies.subsets");
                /// The data the subsets were drawn from.
                data: engine::params::Via<engine::artifact::Dataset>, via("anomalies.subsets.data");
                /// The data the parent was trained on; none for one that was adopted.
                training: engine::params::MaybeVia<engine::artifact::Dataset>, via("anomalies.parent.data");
                /// The network that was fine-tuned.
                parent: engine::params::Via<crate::parents::Parent>, via("anomalies.parent");
            }
        }

        impl $Struct {
            fn sources(&self) -> $crate::regressions::shared::Sources<'_> {
                $crate::regressions::shared::Sources {
                    anomalies: &self.anomalies,
                    predictors: &self.predictors,
                    keep: self.keep.as_ref().map(|keep| &keep.0),
                    pca: self.pca,
                    against: self.against,
                    subsets: &self.subsets,
                    data: &self.data,
                    training: self.training.0.as_deref().unwrap_or(&self.data),
                    parent: &self.parent,
                }
            }
        }
    };
}
pub(super) use regression;
