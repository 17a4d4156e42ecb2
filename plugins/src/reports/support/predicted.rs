//! What the reports of predictions share: the models, the rows they predict, and the truth there.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::group;
use engine::params::{Column, Gather, Input};
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
        /// Which column is shown, of a network that predicts several.
        target: Option<Column>;
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
    pub fn check(call: &Sketch) -> [Option<Complaint>; 5] {
        [
            not_runnable(call, "parent"),
            not_runnable(call, "models"),
            measure::quantity(call, "parent"),
            mismatch(call),
            which_target(call),
        ]
    }

    /// Runs the models; `unit` is that of the target where the data do not say it.
    ///
    /// # Errors
    /// When one cannot be run, or no row can be predicted.
    pub fn predict(&self, unit: Option<&String>, context: &Context) -> Result<Predicted, Fault> {
        let network = measure::network(&self.parent, "parent")?;
        let targets = measure::targets(network, "parent")?;
        let wanted = |name: &str| self.target.as_ref().is_none_or(|it| it.0 == name);
        let which = targets.iter().position(|target| wanted(&target.name));
        let which = which.ok_or_else(|| Fault::at("target", WHICH))?;
        let target = &targets[which].name;
        let data = measure::scored(&self.on, network, children(&self.models), "on", context)?;
        let unit = measure::unit(&data, target, unit);
        let all = ensembles(&self.parent, &self.models, &data, context)?;
        let own = |values: &[f64]| -> Vec<f64> {
            let own = values.iter().skip(which).step_by(targets.len());
            own.copied().collect()
        };
        Ok(Predicted {
            ensembles: match targets.len() {
                1 => all,
                _ => all.iter().map(|ensemble| ensemble.each(own)).collect(),
            },
            target: target.clone(),
            unit: unit.map_or(String::new(), |unit| format!(" ({})", raised(&unit))),
            data,
        })
    }
}

const WHICH: &str = "expected one of the columns that the network predicts";

/// Refuses a target that the network does not have, and asks which of several.
fn which_target(call: &Sketch) -> Option<Complaint> {
    let network = call.network("parent")?;
    let hint = format!("it predicts `{}`", network.targets.join("`, `"));
    match call.get::<Option<Column>>("target").flatten() {
        Some(Column(target)) if network.targets.contains(&target) => None,
        None if network.targets.len() < 2 => None,
        Some(_) => Some(Complaint::at("target", WHICH).with_hint(hint)),
        None => {
            let message = "the network predicts several columns: say which with `target`";
            Some(Complaint::at("parent", message).with_hint(hint))
        }
    }
}
