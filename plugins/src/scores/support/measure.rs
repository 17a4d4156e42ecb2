//! What scores of predictions have in common: rows that can be scored, and lines of numbers.

use engine::artifact::{Dataset, ScoreRow};
use engine::error::Fault;
use engine::params::{Formula, Gather};
use engine::plugin::{Complaint, Context, Sketch};

use super::ensemble::Ensemble;
use super::groups::Group;
use super::metric::{self, Rows};
use crate::children::Child;
use crate::networks::{Loss, Network};
use crate::parents::Parent;
use crate::scores::Metric;

/// The first member that did not diverge.
///
/// # Errors
/// When there is none: then there is no score, either.
pub(crate) fn first<T>(model: &Gather<T>) -> Result<&T, Fault> {
    let first = model.members.iter().flatten().next();
    let first = first.map(|member| &**member);
    first.ok_or_else(|| Fault::Diverged(format!("all members of `{}` diverged", model.label)))
}

/// Refuses networks of classes, whose scores `evaluate` takes.
pub(crate) fn quantity(call: &Sketch, param: &str) -> Option<Complaint> {
    let networks = call.inputs(param).into_iter();
    let mut networks = networks.filter_map(|input| input.facts.network.as_ref());
    let classes = networks.any(|network| network.classes);
    classes.then(|| Complaint::at(param, NO_QUANTITY).with_hint("`evaluate` is for classes"))
}

const NO_QUANTITY: &str =
    "expected a network with one target that is a quantity, found classes or several";

/// How to run the first member that did not diverge.
///
/// # Errors
/// When there is none, or its weights cannot be run: the user's fault, at `param`.
pub(crate) fn network<'a>(
    parents: &'a Gather<Parent>,
    param: &'static str,
) -> Result<&'a Network, Fault> {
    let network = first(parents)?.network();
    network.map_err(|fault| fault.inside(param))
}

/// The one column that a network predicts.
pub(crate) fn target<'a>(network: &'a Network, param: &'static str) -> Result<&'a str, Fault> {
    match (network.targets(), network.loss()) {
        ([target], Loss::Mse) => Ok(&target.name),
        _ => Err(Fault::at(param, NO_QUANTITY)),
    }
}

/// The unit of a column of the data, or the one that users write where these have none.
pub(crate) fn unit(data: &Dataset, column: &str, written: Option<&String>) -> Option<String> {
    let known = data.schema().find(column).and_then(|it| it.unit.clone());
    known.or_else(|| written.cloned())
}

/// The rows with a truth, all inputs of the network and, where a child leaves out the others,
/// all its predictors; the rest is counted in a note. `param` is where the data were given.
pub(crate) fn scored<'a>(
    data: &Dataset,
    network: &Network,
    children: impl Iterator<Item = &'a Child>,
    param: &'static str,
    context: &Context,
) -> Result<Dataset, Fault> {
    let target = target(network, param)?;
    let inputs = network.inputs().iter().map(|input| input.name.as_str());
    let columns = inputs
        .chain([target])
        .map(|name| data.values(name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows: Vec<u32> = (0..)
        .take(data.rows())
        .filter(|row| {
            columns
                .iter()
                .all(|column| column[*row as usize].is_finite())
        })
        .collect();
    let all = data.rows();
    let without = all - rows.len();
    if without > 0 {
        context.note(format!(
            "{without} of {all} rows lack `{target}` or an input and were left out"
        ));
    }
    let with_inputs = rows.len();
    for child in children {
        let left_out = child.left_out(data)?;
        rows.retain(|row| !left_out[*row as usize]);
    }
    let without = with_inputs - rows.len();
    if without > 0 {
        context.note(format!(
            "{without} of {all} rows lack a predictor and were left out"
        ));
    }
    if rows.is_empty() {
        return Err(Fault::at(
            param,
            format!("expected rows with `{target}` and all inputs, found none among {all}"),
        ));
    }
    Ok(data.take(&rows))
}

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 4096;

/// The target for each row, in its own unit.
pub(crate) fn predictions(parent: &Parent, data: &Dataset) -> Result<Vec<f64>, Fault> {
    let network = parent.network()?;
    let width = network.inputs().len().max(1);
    let inputs = network.inputs_of(data)?;
    Ok(inputs
        .chunks(BLOCK * width)
        .flat_map(|inputs| {
            let rows = inputs.len() / width;
            network.unscale(&network.evaluate(&parent.weights, inputs, rows))
        })
        .collect())
}

/// Says how many predictions are not numbers.
pub(crate) fn note_not_finite(ensemble: &Ensemble, context: &Context) {
    let (bad, all) = ensemble.not_finite();
    if bad > 0 {
        context.note(format!(
            "{bad} of {all} predictions of `{}` are not finite: what is measured over them has \
             no value",
            ensemble.label
        ));
    }
}

/// What is measured, and against what.
pub(crate) struct Measure<'a> {
    /// The metrics.
    pub metrics: &'a [Metric],
    /// The truth of every row.
    pub truth: &'a [f64],
    /// What skill is relative to.
    pub parent: &'a Ensemble,
    /// The unit of the target, when known.
    pub unit: Option<&'a str>,
    /// How much each row counts; all the same when left out.
    pub weights: Option<&'a [f64]>,
    /// What is usual in each row.
    pub climatology: Option<&'a [f64]>,
}

/// How much each row counts, by the formula of parameter `weights`.
///
/// # Errors
/// When a weight is missing, negative or infinite, or all are zero.
pub(crate) fn weights(
    formula: Option<&Formula>,
    data: &Dataset,
) -> Result<Option<Vec<f64>>, Fault> {
    let Some(Formula(formula)) = formula else {
        return Ok(None);
    };
    let weights = formula.evaluate(data.rows(), &|name| data.look(name));
    let weights = weights.map_err(|message| Fault::at("weights", message))?;
    let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
    let wrong = weights.iter().filter(|weight| !is_weight(weight)).count();
    if wrong > 0 {
        let message = format!(
            "`{formula}` is missing, negative or infinite in {wrong} of {} rows",
            weights.len()
        );
        return Err(Fault::at("weights", message).with_hint("leave these rows out with `where`"));
    }
    match weights.iter().any(|weight| *weight > 0.0) {
        true => Ok(Some(weights)),
        false => Err(Fault::at(
            "weights",
            format!("`{formula}` is 0 in all rows"),
        )),
    }
}

impl Measure<'_> {
    /// Every metric of every series of an ensemble over a group of rows.
    pub fn rows(&self, ensemble: &Ensemble, group: &Group) -> Vec<ScoreRow> {
        let truth = group.take(self.truth);
        let weights = self.weights.map(|weights| group.take(weights));
        let climatology = self.climatology.map(|usual| group.take(usual));
        let mut rows = Vec::new();
        for (member, predictions) in &ensemble.series {
            let found = predictions.as_ref().map(|values| group.take(values));
            let reference = self.parent.series(member).map(|values| group.take(values));
            let of_rows = Rows {
                truth: &truth,
                parent: reference.as_deref(),
                weights: weights.as_deref(),
                climatology: climatology.as_deref(),
            };
            for metric in self.metrics {
                let spread = || ensemble.spread(group, weights.as_deref());
                let value = match metric {
                    metric if metric.is_of_ensembles() && member != "mean" => continue,
                    Metric::Spread => spread(),
                    Metric::SpreadRatio => {
                        let error = found.as_ref();
                        let error = error.and_then(|f| Metric::Rmse.of(f, &of_rows));
                        let ratio = spread().zip(error).map(|(s, e)| s / e);
                        ratio.filter(|ratio| ratio.is_finite())
                    }
                    Metric::Crps => {
                        let members = ensemble.members().flatten();
                        let members: Vec<Vec<f64>> = members.map(|m| group.take(m)).collect();
                        metric::crps(&members, &truth, weights.as_deref())
                    }
                    _ => found.as_ref().and_then(|f| metric.of(f, &of_rows)),
                };
                let unit = self.unit.filter(|_| metric.has_unit());
                let row = ensemble.row(member, metric.word(), value);
                rows.push(ScoreRow {
                    group: group.name.clone(),
                    unit: unit.map(str::to_owned),
                    ..row
                });
            }
        }
        rows
    }
}
