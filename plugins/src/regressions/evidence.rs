//! What the subsets say of the predictors, before any application data are met.

use engine::artifact::Layout;
use engine::error::Fault;
use engine::plugin::Context;
use serde::{Deserialize, Serialize};

use super::Form;
use super::fit::{Method, Solution, share};
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
    let mut all = Errors::new(sample.weights());
    let mut along = Vec::new();
    for predictor in 0..sample.names().len() {
        let mut errors = Errors::new(sample.weights());
        for held_out in edges(sample, predictor) {
            match errors.add(sample, &held_out, method, context) {
                // The rest may be too small for this form; then nothing is known there.
                Err(Fault::User { .. }) | Ok(()) => {}
                Err(fault) => return Err(fault),
            }
        }
        along.push(errors.share(&(0..sample.weights())));
        all.join(&errors);
    }
    let layout = &sample.table.layout;
    Ok(Evidence {
        edge: layout
            .ranges()
            .map(|(_, range)| all.share(&range))
            .collect(),
        along,
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

    /// Fits without some rows and predicts them.
    fn add(
        &mut self,
        sample: &Sample,
        held_out: &[usize],
        method: &dyn Method,
        context: &Context,
    ) -> Result<(), Fault> {
        let rest: Vec<usize> = (0..sample.rows())
            .filter(|row| !held_out.contains(row))
            .collect();
        let (edge, rest) = (sample.part(held_out), sample.part(&rest));
        let solution = Solution::of(&rest, method, context)?;
        let design = solution.design_of(&edge);
        // The squared errors are `‖y‖² - 2 b · Xᵀy + bᵀ XᵀX b`.
        let gram = design.transpose() * &design;
        let count = edge.rows() as f64;
        for range in solution.ranges() {
            context.check_stop()?;
            let known = rest.moments(&range, solution.design.factors());
            let (coefficients, _) = solution.coefficients(&range, &known)?;
            let bent = &coefficients * &gram;
            let truth = edge.moments(&range, &design);
            let mut errors = truth.squares.clone();
            for term in 0..design.ncols() {
                let products = truth.products.col_as_slice(term).iter();
                let fitted = bent.col_as_slice(term).iter().zip(products);
                let coefficients = coefficients.col_as_slice(term).iter();
                for (error, (b, (bent, product))) in errors.iter_mut().zip(coefficients.zip(fitted))
                {
                    *error += b * (bent - 2.0 * product);
                }
            }
            // The first term is the intercept, so its products are sums.
            let sums = truth.products.col_as_slice(0).iter();
            let means = solution.design.means(&known);
            let deviations = truth.squares.iter().zip(sums.zip(means));
            let deviations = deviations
                .map(|(squares, (sum, mean))| squares + mean * (count * mean - 2.0 * sum));
            for (weight, (error, deviation)) in range.zip(errors.iter().zip(deviations)) {
                self.errors[weight] += error.max(0.0);
                self.deviations[weight] += deviation.max(0.0);
            }
        }
        Ok(())
    }

    fn join(&mut self, other: &Self) {
        let add = |into: &mut [f64], from: &[f64]| {
            into.iter_mut()
                .zip(from)
                .for_each(|(into, from)| *into += from);
        };
        add(&mut self.errors, &other.errors);
        add(&mut self.deviations, &other.deviations);
    }

    fn share(&self, weights: &std::ops::Range<usize>) -> Option<f64> {
        share(&self.errors, &self.deviations, weights).map(|left| 1.0 - left)
    }
}

/// How far the anomalies differ, as a share of the size of the parent's weights.
fn size(sample: &Sample, variance: f64) -> f64 {
    let squares: f64 = sample.origin.iter().map(|w| f64::from(*w).powi(2)).sum();
    (variance / sample.rows() as f64 / squares).sqrt()
}

/// Says which predictors tell nothing by what they are.
///
/// # Errors
/// When none varies.
pub(super) fn note_predictors(sample: &Sample, context: &Context) -> Result<(), Fault> {
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
        |share| format!("{:.0} %", 100.0 * share),
    )
}
