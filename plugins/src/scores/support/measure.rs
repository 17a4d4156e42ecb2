//! What scores of predictions have in common: rows that can be scored, and lines of numbers.

use std::borrow::Cow;
use std::sync::Arc;

use engine::artifact::{Dataset, ScoreRow};
use engine::error::Fault;
use engine::params::{Column, Gather};
use engine::plugin::{Complaint, Context, Sketch};

use super::ensemble::Ensemble;
use super::groups::Group;
use super::metric::{self, Rows};
use crate::children::Child;
use crate::networks::{Loss, Network, Scaled};
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

/// The rows with a truth, all inputs of the network and, where a child leaves out the others,
/// all its predictors; the rest is counted in a note. `param` is where the data were given.
pub(crate) fn scored<'a>(
    data: &Dataset,
    network: &Network,
    children: impl Iterator<Item = &'a Child>,
    param: &'static str,
    context: &Context,
) -> Result<Dataset, Fault> {
    let targets = targets(network, param)?;
    let inputs = network.inputs().iter().map(|input| input.name.as_str());
    let target = named(targets).replace(", ", "`, `");
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
    let all = data.rows();
    let with_inputs = count(&is_scored);
    let without = all - with_inputs;
    if without > 0 {
        context.note(format!(
            "{without} of {all} rows lack `{target}` or an input and were left out"
        ));
    }
    for child in children {
        let left_out = child.left_out(data)?;
        let rows = is_scored.iter_mut().zip(left_out);
        rows.for_each(|(is_scored, left_out)| *is_scored &= !left_out);
    }
    let with_predictors = count(&is_scored);
    let without = with_inputs - with_predictors;
    if without > 0 {
        context.note(format!(
            "{without} of {all} rows lack a predictor and were left out"
        ));
    }
    if with_predictors == 0 {
        return Err(Fault::at(
            param,
            format!("expected rows with `{target}` and all inputs, found none among {all}"),
        ));
    }
    if with_predictors == all {
        return Ok(data.clone());
    }
    let rows = (0..).zip(is_scored).filter(|(_, is_scored)| *is_scored);
    Ok(data.take(&rows.map(|(row, _)| row).collect::<Vec<u32>>()))
}

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 4096;

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

/// What is scored: one target, or several together, each in its standard deviations.
pub(crate) struct Scored {
    /// What the names of its metrics end in: ` of u` where there are several targets.
    pub suffix: String,
    /// How many values a row has.
    pub width: usize,
    /// The truth, `[rows, width]`.
    pub truth: Arc<[f64]>,
    /// The unit of the truth, when known.
    pub unit: Option<String>,
    /// The predictions of all models, `[rows, width]`.
    pub ensembles: Vec<Ensemble>,
}

/// The one target of models; of several first all of them together, then each.
///
/// # Errors
/// When a column of the truth is missing.
pub(crate) fn scored_targets(
    targets: &[Scaled],
    ensembles: Vec<Ensemble>,
    data: &Dataset,
    written: Option<&String>,
) -> Result<Vec<Scored>, Fault> {
    if let [target] = targets {
        return Ok(vec![Scored {
            suffix: String::new(),
            width: 1,
            truth: Arc::clone(data.values(&target.name)?),
            unit: unit(data, &target.name, written),
            ensembles,
        }]);
    }
    let count = targets.len();
    let each = targets.iter().enumerate().map(|(at, target)| {
        let own = |values: &[f64]| values.iter().skip(at).step_by(count).copied().collect();
        Ok(Scored {
            suffix: format!(" of {}", target.name),
            width: 1,
            truth: Arc::clone(data.values(&target.name)?),
            unit: unit(data, &target.name, written),
            ensembles: ensembles.iter().map(|it| it.each(own)).collect(),
        })
    });
    let each = each.collect::<Result<Vec<Scored>, Fault>>()?;
    let scaled = |values: &[f64]| -> Vec<f64> {
        let pairs = values.iter().zip(targets.iter().cycle());
        pairs
            .map(|(value, target)| (value - target.mean) / target.std)
            .collect()
    };
    let rows = 0..data.rows();
    let truth = rows.flat_map(|row| each.iter().map(move |target| target.truth[row]));
    let together = Scored {
        suffix: String::new(),
        width: count,
        truth: scaled(&truth.collect::<Vec<f64>>()).into(),
        unit: None,
        ensembles: ensembles.iter().map(|it| it.each(scaled)).collect(),
    };
    Ok([together].into_iter().chain(each).collect())
}

impl Scored {
    /// Values of the rows, each as often as a row has values.
    pub fn repeated(&self, of_rows: Option<&[f64]>) -> Option<Vec<f64>> {
        let repeat = |value: &f64| std::iter::repeat_n(*value, self.width);
        of_rows.map(|values| values.iter().flat_map(repeat).collect())
    }

    /// The groups of rows, as groups of values.
    pub fn widened<'g>(&self, groups: &'g [Group]) -> Cow<'g, [Group]> {
        match self.width {
            1 => Cow::Borrowed(groups),
            width => groups.iter().map(|group| group.widened(width)).collect(),
        }
    }
}

/// What is measured, and against what.
pub(crate) struct Measure<'a> {
    /// What the names of the metrics end in.
    pub suffix: &'a str,
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

/// The share of all rows, as `weights` count them, that each group with a name has.
pub(crate) fn shares(
    ensemble: &Ensemble,
    groups: &[Group],
    rows: usize,
    weights: Option<&[f64]>,
) -> Vec<ScoreRow> {
    let size = |group: &Group| match weights {
        Some(weights) => group.take(weights).iter().sum(),
        None => group.len() as f64,
    };
    let all = size(&Group::all(rows));
    let groups = groups.iter().filter(|group| group.name.is_some());
    let shares = groups.map(|group| ScoreRow {
        group: group.name.clone(),
        ..ensemble.row("all", "share", Some(size(group) / all))
    });
    shares.collect()
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
                        let members: Vec<Cow<[f64]>> = members.map(|m| group.take(m)).collect();
                        metric::crps(&members, &truth, weights.as_deref())
                    }
                    _ => found.as_ref().and_then(|f| metric.of(f, &of_rows)),
                };
                let unit = self.unit.filter(|_| metric.has_unit());
                let name = format!("{}{}", metric.word(), self.suffix);
                let row = ensemble.row(member, &name, value);
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
