//! What scores of predictions have in common: rows that can be scored, and how
//! they are predicted.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Gather};
use engine::plugin::{Complaint, Context, Sketch};

use crate::children::Child;
use crate::networks::{Loss, Network, Scaled};
use crate::parents::Parent;

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

const NO_QUANTITY: &str = "expected a network that predicts quantities, found one of classes";

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

/// The columns that a network predicts.
pub(crate) fn targets<'a>(
    network: &'a Network,
    param: &'static str,
) -> Result<&'a [Scaled], Fault> {
    match network.loss() {
        Loss::Mse => Ok(network.targets()),
        Loss::CrossEntropy => Err(Fault::at(param, NO_QUANTITY)),
    }
}

/// The names of targets, `u, v`.
pub(crate) fn named(targets: &[Scaled]) -> String {
    let names = targets.iter().map(|target| target.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// Refuses what is of one target where a network has several.
pub(crate) fn of_one_target(call: &Sketch) -> Option<Complaint> {
    let network = call.network("parent")?;
    let baselines = call.get::<Vec<Column>>("baselines").unwrap_or_default();
    let given = [
        ("baselines", !baselines.is_empty()),
        ("climatology", call.has("climatology")),
    ];
    let (given, _) = given.into_iter().find(|(_, is_given)| *is_given)?;
    let several = network.targets.join("`, `");
    (network.targets.len() > 1).then(|| {
        let message = format!("`{given}` is of one target, the network predicts `{several}`");
        Complaint::at(given, message)
    })
}

/// The unit of a column of the data, or the one that users write where these have none.
pub(crate) fn unit(data: &Dataset, column: &str, written: Option<&String>) -> Option<String> {
    let known = data.schema().find(column).and_then(|it| it.unit.clone());
    known.or_else(|| written.cloned())
}

/// How many rows cannot be scored.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    all: usize,
    with_inputs: usize,
    with_predictors: usize,
}

impl LeftOut {
    /// The rows with a truth, all inputs of the network and, where a child leaves out the others,
    /// all its predictors; the rest is counted.
    ///
    /// # Errors
    /// When the data lack a column.
    pub fn scored<'a>(
        &mut self,
        data: Dataset,
        network: &Network,
        targets: &[Scaled],
        children: impl Iterator<Item = &'a Child>,
    ) -> Result<Dataset, Fault> {
        let inputs = network.inputs().iter().map(|input| input.name.as_str());
        let columns = inputs.chain(targets.iter().map(|target| target.name.as_str()));
        let mut is_scored = vec![true; data.rows()];
        for name in columns {
            let values = data.column(name)?.values.pieces();
            let mut scored = is_scored.iter_mut();
            for piece in values {
                let rows = piece.iter().zip(&mut scored);
                rows.for_each(|(value, is_scored)| *is_scored &= value.is_finite());
            }
        }
        let count = |is_scored: &[bool]| is_scored.iter().filter(|is_scored| **is_scored).count();
        self.all += data.rows();
        self.with_inputs += count(&is_scored);
        for child in children {
            let left_out = child.left_out(&data)?;
            let rows = is_scored.iter_mut().zip(left_out);
            rows.for_each(|(is_scored, left_out)| *is_scored &= !left_out);
        }
        let with_predictors = count(&is_scored);
        self.with_predictors += with_predictors;
        if with_predictors == data.rows() {
            return Ok(data);
        }
        let rows = (0..).zip(is_scored).filter(|(_, is_scored)| *is_scored);
        Ok(data.take(&rows.map(|(row, _)| row).collect::<Vec<u32>>()))
    }

    /// Notes how many there are of all.
    ///
    /// # Errors
    /// When no row is left; `param` is where the data were given.
    pub fn tell(
        &self,
        targets: &[Scaled],
        param: &'static str,
        context: &Context,
    ) -> Result<(), Fault> {
        let target = named(targets).replace(", ", "`, `");
        let all = self.all;
        let without = all - self.with_inputs;
        if without > 0 {
            context.note(format!(
                "{without} of {all} rows lack `{target}` or an input and were left out"
            ));
        }
        let without = self.with_inputs - self.with_predictors;
        if without > 0 {
            context.note(format!(
                "{without} of {all} rows lack a predictor and were left out"
            ));
        }
        if self.with_predictors == 0 {
            return Err(Fault::at(
                param,
                format!("expected rows with `{target}` and all inputs, found none among {all}"),
            ));
        }
        Ok(())
    }
}

/// The rows that can be scored; the rest is counted in a note. `param` is where the data were given.
///
/// # Errors
/// When there are none, or the data lack a column.
pub(crate) fn scored<'a>(
    data: &Dataset,
    network: &Network,
    children: impl Iterator<Item = &'a Child>,
    param: &'static str,
    context: &Context,
) -> Result<Dataset, Fault> {
    let targets = targets(network, param)?;
    let mut left_out = LeftOut::default();
    let rows = left_out.scored(data.clone(), network, targets, children)?;
    left_out.tell(targets, param, context)?;
    Ok(rows)
}

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 4096;

/// Of how many rows the predictions of all members are in memory at once.
pub(crate) const AT_ONCE: usize = 16 * BLOCK;

/// The targets for each row, in their own units, `[rows, targets]`.
pub(crate) fn predictions(parent: &Parent, data: &Dataset) -> Result<Vec<f64>, Fault> {
    let network = parent.network()?;
    let mut predictions = Vec::with_capacity(data.rows() * network.targets().len());
    for start in (0..data.rows()).step_by(BLOCK) {
        let rows = start..data.rows().min(start + BLOCK);
        let inputs = network.columns().inputs_in(data, rows.clone())?;
        let outputs = network.evaluate(&parent.weights, &inputs, rows.len());
        predictions.extend(network.unscale(&outputs));
    }
    Ok(predictions)
}

/// Says how many predictions are not numbers.
pub(crate) fn note_not_finite(label: &str, bad: usize, all: usize, context: &Context) {
    if bad > 0 {
        context.note(format!(
            "{bad} of {all} predictions of `{label}` are not finite: what is measured over them \
             has no value"
        ));
    }
}
