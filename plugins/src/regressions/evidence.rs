//! What the subsets say of the predictors, before any application data are met.

use std::ops::Range;

use engine::artifact::Layout;
use engine::error::Fault;
use engine::plugin::Context;
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::Form;
use super::fit::{Method, Solution, share};
use super::moments::Moments;
use super::sample::Sample;

/// What the subsets say of the predictors.
///
/// Shares are of the squared deviations of the anomalies at the edge from the mean of those
/// that are not: 1 when the edge is predicted exactly, 0 when no better than by that mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Share predicted at the edges of all predictors, per tensor; none where it has no edge
    /// that can be held out, or does not vary there.
    pub edge: Vec<Option<f64>>,
    /// Share predicted at the two edges of each predictor, over all weights.
    pub along: Vec<Option<f64>>,
    /// The same over all predictors and weights.
    pub whole: Option<f64>,
    /// Standard deviation of the anomalies over the subsets as a share of the size of the
    /// parent's weights, root mean square over all weights.
    pub size: f64,
}

/// Anomalies smaller than this share of the weights are those of a flat parent.
pub const FLAT: f64 = 1e-3;

/// The share of the subsets held out at each end of a predictor.
const HELD_OUT: f64 = 0.2;

/// Predicts the edges of the sample from the rest of it; `variance` are the squared deviations
/// of its anomalies from their means, summed.
pub(super) fn of(
    sample: &Sample,
    variance: f64,
    method: &dyn Method,
    context: &Context,
) -> Result<Evidence, Fault> {
    let mut parts = Vec::new();
    for predictor in 0..sample.names().len() {
        for held_out in edges(sample, predictor) {
            let rest: Vec<usize> = (0..sample.rows())
                .filter(|row| !held_out.contains(row))
                .collect();
            parts.push((predictor, sample.part(&held_out), sample.part(&rest)));
        }
    }
    let mut trials = Vec::new();
    for (predictor, edge, rest) in &parts {
        match Trial::new(*predictor, edge, rest, method, context) {
            Ok(trial) => trials.push(trial),
            // The rest may be too small for this form; then nothing is known there.
            Err(Fault::User { .. }) => {}
            Err(fault) => return Err(fault),
        }
    }
    let shared = shared(sample, &trials);
    let mut all = Errors::new(sample.weights());
    let mut along = vec![(0.0, 0.0); sample.names().len()];
    for range in sample.ranges() {
        context.check_stop()?;
        let whole = shared.as_ref();
        let whole = whole.map(|columns| sample.moments(&range, columns));
        for trial in &trials {
            let (errors, deviations) = trial.errors(&range, whole.as_ref())?;
            let along = &mut along[trial.predictor];
            along.0 += errors.iter().sum::<f64>();
            along.1 += deviations.iter().sum::<f64>();
            all.add(&range, &errors, &deviations);
        }
    }
    let layout = &sample.table.layout;
    Ok(Evidence {
        edge: layout
            .ranges()
            .map(|(_, range)| all.share(&range))
            .collect(),
        along: along
            .into_iter()
            .map(|(errors, deviations)| (deviations > 0.0).then(|| 1.0 - errors / deviations))
            .collect(),
        whole: all.share(&(0..sample.weights())),
        size: size(sample, variance),
    })
}

/// The subsets with the lowest values of a predictor, and those with the highest.
fn edges(sample: &Sample, predictor: usize) -> Vec<Vec<usize>> {
    if !sample.varies()[predictor] {
        return Vec::new();
    }
    let values = || sample.points().iter().map(|point| point[predictor]);
    let mut sorted: Vec<f64> = values().collect();
    sorted.sort_by(f64::total_cmp);
    let count = ((HELD_OUT * sorted.len() as f64).round() as usize).max(1);
    let (low, high) = (sorted[count - 1], sorted[sorted.len() - count]);
    let rows = |is_held_out: &dyn Fn(f64) -> bool| {
        let rows = values().enumerate();
        rows.filter(|(_, value)| is_held_out(*value))
            .map(|(row, _)| row)
            .collect()
    };
    let edges: [Vec<usize>; 2] = [rows(&|value| value <= low), rows(&|value| value >= high)];
    // Of a predictor with few values an edge may be most of the subsets.
    edges
        .into_iter()
        .filter(|edge| 2 * edge.len() <= sorted.len())
        .collect()
}

/// A fit without one edge, which it then predicts.
struct Trial<'a> {
    predictor: usize,
    edge: &'a Sample<'a>,
    rest: &'a Sample<'a>,
    solution: Solution<'a>,
    /// The terms of the fit at the edge, `[rows, terms]`.
    design: Mat<f64>,
    /// Their products with each other.
    gram: Mat<f64>,
}

impl<'a> Trial<'a> {
    fn new(
        predictor: usize,
        edge: &'a Sample<'a>,
        rest: &'a Sample<'a>,
        method: &dyn Method,
        context: &Context,
    ) -> Result<Self, Fault> {
        let solution = Solution::of(rest, method, context)?;
        let design = solution.design_of(edge);
        Ok(Self {
            predictor,
            edge,
            rest,
            gram: design.transpose() * &design,
            solution,
            design,
        })
    }

    /// The squared errors of a range of weights, and the squared deviations from the mean of
    /// the rest, both summed over the edge; `whole` are the moments of edge and rest together
    /// with the terms of the fit, where they are known.
    fn errors(
        &self,
        range: &Range<usize>,
        whole: Option<&Moments>,
    ) -> Result<(Vec<f64>, Vec<f64>), Fault> {
        let design = &self.solution.design;
        let truth = self.edge.moments(range, &self.design);
        let known = match whole {
            Some(whole) => design.of_terms(&whole.less(&truth)),
            None => self.rest.moments(range, design.factors()),
        };
        let (coefficients, _) = self.solution.coefficients(range, &known)?;
        // The squared errors are `‖y‖² - 2 b · Xᵀy + bᵀ XᵀX b`.
        let bent = &coefficients * &self.gram;
        let mut errors = truth.squares.clone();
        for term in 0..self.design.ncols() {
            let products = truth.products.col_as_slice(term).iter();
            let fitted = bent.col_as_slice(term).iter().zip(products);
            let coefficients = coefficients.col_as_slice(term).iter();
            for (error, (b, (bent, product))) in errors.iter_mut().zip(coefficients.zip(fitted)) {
                *error += b * (bent - 2.0 * product);
            }
        }
        errors.iter_mut().for_each(|error| *error = error.max(0.0));
        // The first term is the intercept, so its products are sums.
        let count = self.edge.rows() as f64;
        let sums = truth.products.col_as_slice(0).iter();
        let sums = truth.squares.iter().zip(sums.zip(design.means(&known)));
        let deviations = sums
            .map(|(squares, (sum, mean))| (squares + mean * (count * mean - 2.0 * sum)).max(0.0));
        Ok((errors, deviations.collect()))
    }
}

/// The terms of all trials over the whole sample, where they are the same ones: then the
/// sums over a rest are those over the whole less those over an edge.
fn shared(sample: &Sample, trials: &[Trial]) -> Option<Mat<f64>> {
    let first = trials.first()?;
    let same = |trial: &Trial| trial.solution.kept_terms() == first.solution.kept_terms();
    trials
        .iter()
        .all(same)
        .then(|| first.solution.design_of(sample))
}

/// Squared errors and squared deviations of each weight, summed over what was held out.
struct Errors {
    errors: Vec<f64>,
    deviations: Vec<f64>,
}

impl Errors {
    fn new(weights: usize) -> Self {
        Self {
            errors: vec![0.0; weights],
            deviations: vec![0.0; weights],
        }
    }

    fn add(&mut self, range: &Range<usize>, errors: &[f64], deviations: &[f64]) {
        let add = |into: &mut [f64], from: &[f64]| {
            let pairs = into[range.clone()].iter_mut().zip(from);
            pairs.for_each(|(into, from)| *into += from);
        };
        add(&mut self.errors, errors);
        add(&mut self.deviations, deviations);
    }

    fn share(&self, weights: &Range<usize>) -> Option<f64> {
        share(&self.errors, &self.deviations, weights).map(|left| 1.0 - left)
    }
}

/// How far the anomalies differ, as a share of the size of the parent's weights.
fn size(sample: &Sample, variance: f64) -> f64 {
    let squares: f64 = sample.origin.iter().map(|w| f64::from(*w).powi(2)).sum();
    // Weights that are all zero leave a large number, not an infinite one, which JSON lacks.
    (variance / sample.rows() as f64 / squares.max(f64::MIN_POSITIVE)).sqrt()
}

/// Says which predictors tell nothing by what they are.
///
/// # Errors
/// When none varies, or there are no two subsets.
pub(super) fn note_predictors(sample: &Sample, context: &Context) -> Result<(), Fault> {
    if sample.rows() < 2 {
        let message = format!(
            "expected at least 2 usable subsets, found {}",
            sample.rows()
        );
        return Err(Fault::at("anomalies", message));
    }
    let varies = sample.varies();
    if !varies.contains(&true) {
        return Err(
            Fault::at("predictors", "no predictor varies over the subsets").with_hint(
                "draw the subsets along the predictor, as `window(data, by: column)` does",
            ),
        );
    }
    for (name, varies) in sample.names().iter().zip(varies) {
        if !varies {
            context.note(format!(
                "predictor `{name}` is the same for every subset and was dropped"
            ));
        }
        if sample.inputs.iter().any(|input| input == name) {
            context.note(format!(
                "predictor `{name}` is among the inputs of the network: it knows the regime, and \
                 its weights have little reason to vary with it"
            ));
        }
    }
    Ok(())
}

/// Says how much of the anomalies the predictors explain.
pub(super) fn note(
    form: &Form,
    layout: &Layout,
    whole: Option<f64>,
    pruning: bool,
    context: &Context,
) {
    let evidence = &form.evidence;
    if evidence.size < FLAT {
        context.note(format!(
            "flat parent: the anomalies differ by {:.1e} of the size of the weights, there is \
             little for a regression to learn",
            evidence.size
        ));
    }
    let Some(whole) = whole else {
        context.note("the anomalies do not vary: nothing to explain");
        return;
    };
    let shares = form.explained.iter().zip(&evidence.edge);
    let shares = layout
        .tensors
        .iter()
        .zip(shares)
        .map(|(tensor, (inside, edge))| {
            format!(
                "{} {} ({})",
                tensor.name,
                percent(Some(*inside)),
                percent(*edge)
            )
        });
    context.note(format!(
        "the predictors explain {} of the variance of the anomalies, {} at the edge: {}",
        percent(Some(whole)),
        percent(evidence.whole),
        shares.collect::<Vec<_>>().join(", ")
    ));
    for (name, along) in form.names.iter().zip(&evidence.along) {
        if let Some(share) = along.filter(|share| *share <= 0.0) {
            context.note(format!(
                "predictor `{name}` explains nothing at its edges: anomalies there are predicted \
                 no better than by their mean ({})",
                percent(Some(share))
            ));
        }
    }
    if pruning {
        let pruned = layout.tensors.iter().zip(&form.pruned);
        let pruned =
            pruned.map(|(tensor, share)| format!("{} {}", tensor.name, percent(Some(*share))));
        context.note(format!(
            "slopes set to zero: {}",
            pruned.collect::<Vec<_>>().join(", ")
        ));
    }
}

/// A share as people read it.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || "unknown".to_owned(),
        // Adding zero takes the sign from a negative zero.
        |share| format!("{:.0} %", (100.0 * share).round() + 0.0),
    )
}
