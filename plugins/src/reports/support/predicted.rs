//! What the reports of predictions share: the models, the rows they predict, and the truth there.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::group;
use engine::params::{Gather, Input};
use engine::plugin::{Complaint, Context, Sketch};

use super::plots::raised;
use crate::parents::{Parent, not_runnable};
use crate::scores::support::ensemble::Ensemble;
use crate::scores::support::measure;
use crate::scores::{Model, children, ensembles, mismatch};

group! {
    /// Models whose predictions are shown beside the truth.
    pub struct PredictedRows {
        /// The network the others started from.
        parent: Gather<Parent>;
        /// What is shown beside it: children, and parents as baselines.
        models: Vec<Model> = "[]", variadic();
        /// The rows to predict, with the truth.
        on: Input<Dataset>, with_truth();
    }
}

/// The rows that all models predict, and what they predict.
pub struct Predicted {
    /// The rows.
    pub data: Dataset,
    /// The column of the truth.
    pub target: String,
    /// The unit of the target, in brackets, for the label of an axis; empty without one.
    pub unit: String,
    /// The predictions of the parent, then those of the models.
    pub(crate) ensembles: Vec<Ensemble>,
}

impl PredictedRows {
    /// What is wrong with the models of a call.
    pub fn check(call: &Sketch) -> [Option<Complaint>; 4] {
        [
            not_runnable(call, "parent"),
            not_runnable(call, "models"),
            measure::quantity(call, "parent"),
            mismatch(call),
        ]
    }

    /// Runs the models; `unit` is that of the target where the data do not say it.
    ///
    /// # Errors
    /// When one cannot be run, or no row can be predicted.
    pub fn predict(&self, unit: Option<&String>, context: &Context) -> Result<Predicted, Fault> {
        let network = measure::network(&self.parent, "parent")?;
        let target = measure::target(network, "parent")?;
        let data = measure::scored(&self.on, network, children(&self.models), "on", context)?;
        let unit = measure::unit(&data, target, unit);
        Ok(Predicted {
            ensembles: ensembles(&self.parent, &self.models, &data, context)?,
            target: target.to_owned(),
            unit: unit.map_or(String::new(), |unit| format!(" ({})", raised(&unit))),
            data,
        })
    }
}
