//! The parameters that all regressions share.

use dsl::column::ColumnExpr;
use dsl::facts::About;
use engine::artifact::{Dataset, WeightTable};
use engine::params::{Condition, Input, MaybeVia, Via};
use engine::plugin::{Complaint, Facts, Sketch};
use engine::{group, words};

use crate::calls::{complaints, with_rows};
use crate::parents::Parent;
use crate::predictors::Predictors;
use crate::subsets::Subsets;

/// The name of |estimate| / standard error in a `keep` condition.
pub(crate) const SNR: &str = "snr";

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

/// What is wrong with a regression; `degree` is that of polynomials without a penalty.
pub(crate) fn check(call: &Sketch, degree: Option<u64>) -> Vec<Complaint> {
    let predictors = call.inputs("predictors");
    let count: Option<u64> = predictors.iter().map(|it| it.facts.predictors).sum();
    let (rows, terms) = (call.rows("anomalies"), count.zip(degree));
    let terms = terms.map(|(count, degree)| monomials(count, degree));
    let short = match (rows, terms) {
        (Some(rows), _) if rows < 2 => {
            Some(format!("expected at least 2 subsets, found at most {rows}"))
        }
        (Some(rows), Some(terms)) if rows < terms => Some(format!(
            "expected at least {terms} subsets for {terms} terms, found at most {rows}"
        )),
        (Some(rows), Some(terms)) if rows == terms && call.has("keep") => Some(format!(
            "{rows} subsets for as many terms: `keep` needs more, for standard errors"
        )),
        _ => None,
    };
    complaints([
        predictors
            .is_empty()
            .then(|| Complaint::at("predictors", "expected at least one predictor")),
        short.map(|message| Complaint::at("anomalies", message).with_hint(MORE_SUBSETS)),
        times(call, "predictors", call.via("anomalies.subsets.data")),
    ])
}

/// What to do about fewer subsets than terms.
pub(crate) const MORE_SUBSETS: &str =
    "draw more subsets, or use fewer predictors, fewer knots or a lower degree";

/// How many products of at most `degree` of some predictors there are, with that of none.
fn monomials(predictors: u64, degree: u64) -> u64 {
    (1..=degree).fold(1, |count: u64, at| {
        count.saturating_mul(predictors.saturating_add(at)) / at
    })
}

/// Refuses data in which a column of the calls in an argument is not a time, where it must be one.
pub fn times(call: &Sketch, field: &str, data: Option<About>) -> Option<Complaint> {
    let schema = data?.schema?;
    let inputs = call.inputs(field);
    let mut columns = inputs.iter().flat_map(|input| &input.facts.times);
    let is_no_time = |name: &&String| {
        let column = schema.find(name);
        column.is_some_and(|column| column.content.time().is_none())
    };
    let name = columns.find(is_no_time)?;
    let message = format!("column `{name}` has no unit such as `days since 1970-01-01`");
    Some(Complaint::at(field, message).with_hint("name the length of its year: `period: 12`"))
}

/// What is known of a regression: that it has a row for each anomaly.
pub(crate) fn facts(call: &Sketch) -> Facts {
    with_rows(call, call.rows("anomalies"))
}

/// Where the rows come from and what is done with them: what all regressions share.
pub(crate) struct Sources<'a> {
    /// The fine-tuned weights less the parent's, one row per subset.
    pub anomalies: &'a WeightTable,
    /// The recipes of the predictors.
    pub predictors: &'a [Input<Predictors>],
    /// Which slopes stay.
    pub keep: Option<&'a ColumnExpr>,
    /// How many principal components represent the weights.
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
