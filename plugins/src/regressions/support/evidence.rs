//! What the subsets say of the predictors, before any application data are met.

use std::cell::LazyCell;
use std::ops::Range;
use std::rc::Rc;

use engine::artifact::Layout;
use engine::error::Fault;
use engine::plugin::Context;
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::fit::{Method, Solution, share};
use super::grams::RowProducts;
use super::held_out::HeldOut;
use super::moments::Moments;
use super::sample::Sample;
use super::sums::{EdgeSquares, Found, Precision, SummedSet, Sums};
use crate::regressions::Form;

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

/// The edges of a sample, each predicted from the rest of it.
pub(crate) struct Edges<'a> {
    trials: Vec<EdgeTrial<'a>>,
    squares: SquaresOfEdges,
    /// Squared errors and deviations at the edges of each predictor, summed over the weights.
    along: Vec<(f64, f64)>,
}

/// The squares over all edges together: the errors, and the deviations from the mean of the rest.
enum SquaresOfEdges {
    /// Of each weight.
    OfWeights(EdgeSquares),
    /// Of each tensor, from products of rows, where these take less than one edge after the other.
    OfTensors(Box<RowProducts>, EdgeSquares),
}

impl SquaresOfEdges {
    fn are_from_products(&self) -> bool {
        matches!(self, Self::OfTensors(..))
    }

    /// The share of the squares that is predicted, of each tensor and of all.
    fn predicted(&self, layout: &Layout) -> (Vec<Option<f64>>, Option<f64>) {
        let of = |squares: &EdgeSquares, range: &Range<usize>| {
            share(&squares.errors, &squares.deviations, range).map(|left| 1.0 - left)
        };
        let all = 0..self.all().errors.len();
        let of_tensors = (layout.ranges().enumerate()).map(|(at, (_, range))| match self {
            Self::OfWeights(squares) => of(squares, &range),
            Self::OfTensors(_, squares) => of(squares, &(at..at + 1)),
        });
        (of_tensors.collect(), of(self.all(), &all))
    }

    fn all(&self) -> &EdgeSquares {
        match self {
            Self::OfWeights(squares) | Self::OfTensors(_, squares) => squares,
        }
    }
}

impl<'a> Edges<'a> {
    /// Fits the sample without each of its edges; `whole` is the fit to all of it.
    pub fn of(
        sample: &Sample<'a>,
        whole: &Solution,
        method: &dyn Method,
        context: &Context,
    ) -> Result<Self, Fault> {
        let mut trials = Vec::new();
        for predictor in 0..sample.names().len() {
            for edge in edges(sample, predictor) {
                match EdgeTrial::new(sample, whole, (predictor, edge), method, context) {
                    Ok(trial) => trials.push(trial),
                    // The rest may be too small for this form; then nothing is known there.
                    Err(Fault::User { .. }) => {}
                    Err(fault) => return Err(fault),
                }
            }
        }
        let edges: Vec<_> = trials.iter().map(EdgeTrial::straight).collect();
        let zero = |count| EdgeSquares {
            errors: vec![0.0; count],
            deviations: vec![0.0; count],
        };
        let squares = match RowProducts::of(&whole.factors(), &edges, sample.weights()) {
            Some(products) => {
                let tensors = sample.table.layout.tensors.len();
                SquaresOfEdges::OfTensors(Box::new(products), zero(tensors))
            }
            None => SquaresOfEdges::OfWeights(zero(sample.weights())),
        };
        Ok(Self {
            squares,
            trials,
            along: vec![(0.0, 0.0); sample.names().len()],
        })
    }

    /// The sums over subsets that it and the fit to the whole take: with the factors of that
    /// fit over the whole sample and the edges of fits with the same terms; then, for each fit
    /// with terms of its own, with these over its edge and with its factors over the rest.
    pub fn wanted(&self, whole: &Solution) -> Vec<Sums> {
        let factors = whole.factors();
        let set = |rows, held_out| SummedSet { rows, held_out };
        let mut sets = vec![set((0..factors.nrows()).collect(), None)];
        let mut own = Vec::new();
        for trial in &self.trials {
            match &trial.fit {
                EdgeFit::Straight(_) if self.squares.are_from_products() => {}
                EdgeFit::Straight(held_out) => {
                    sets.push(set(trial.edge.clone(), Some(Rc::clone(held_out))));
                }
                EdgeFit::OfWhole(_) => sets.push(set(trial.edge.clone(), None)),
                EdgeFit::Own { fit, edge, rest } => {
                    own.push(Sums::over(&trial.edge, edge));
                    own.push(Sums::over(rest, &fit.solution.factors()));
                }
            }
        }
        let mut wanted = vec![Sums::over_sets(&factors, sets)];
        wanted.append(&mut own);
        wanted
    }

    /// Predicts the edges of a range of weights from what was found of [`wanted`](Self::wanted) in the `rows` of the sample,
    /// and how precisely; ranges come in their order.
    pub fn add(
        &mut self,
        (sample, rows): (&Sample, &[&[f32]]),
        whole: &Solution,
        range: &Range<usize>,
        (found, precision): (&[Vec<Found>], Precision),
    ) -> Result<(), Fault> {
        let all = match &mut self.squares {
            SquaresOfEdges::OfWeights(squares) => squares,
            SquaresOfEdges::OfTensors(products, squares) => {
                for (at, (_, tensor)) in sample.table.layout.ranges().enumerate() {
                    let here = range.start.max(tensor.start)..range.end.min(tensor.end);
                    if here.is_empty() {
                        continue;
                    }
                    let part: Vec<&[f32]> = rows.iter().map(|row| &row[here.clone()]).collect();
                    products.add(&part, sample.reference(&here), precision);
                    if here.end == tensor.end {
                        (squares.errors[at], squares.deviations[at]) = products.take();
                    }
                }
                return Ok(());
            }
        };
        let [shared, own @ ..] = found else {
            return Ok(());
        };
        let [Found::Moments(moments), edges @ ..] = &shared[..] else {
            return Ok(());
        };
        let (mut edges, mut own) = (edges.iter(), own.iter().flatten());
        let all_in_terms = LazyCell::new(|| whole.design.in_terms(moments));
        for trial in &self.trials {
            let made;
            let EdgeSquares { errors, deviations } = match &trial.fit {
                EdgeFit::Straight(_) => match edges.next() {
                    Some(Found::Edge(squares)) => squares,
                    _ => continue,
                },
                EdgeFit::OfWhole(fit) => match edges.next() {
                    Some(Found::Moments(edge)) => {
                        let truth = whole.design.in_terms(edge);
                        let known = fit.solution.design.of_terms(&all_in_terms.less(&truth));
                        made = fit.squares(trial.edge.len(), &truth, &known)?;
                        &made
                    }
                    _ => continue,
                },
                EdgeFit::Own { fit, .. } => match (own.next(), own.next()) {
                    (Some(Found::Moments(edge)), Some(Found::Moments(rest))) => {
                        made = fit.squares(trial.edge.len(), edge, rest)?;
                        &made
                    }
                    _ => continue,
                },
            };
            let along = &mut self.along[trial.predictor];
            along.0 += errors.iter().sum::<f64>();
            along.1 += deviations.iter().sum::<f64>();
            add(&mut all.errors[range.clone()], errors);
            add(&mut all.deviations[range.clone()], deviations);
        }
        Ok(())
    }

    /// What the predictions say; `variance` are the squared deviations of the anomalies from
    /// their means, summed.
    pub fn evidence(&mut self, sample: &Sample, variance: f64) -> Evidence {
        if let SquaresOfEdges::OfTensors(products, _) = &self.squares {
            for (trial, (errors, deviations)) in self.trials.iter().zip(products.of_edges()) {
                let along = &mut self.along[trial.predictor];
                along.0 += errors;
                along.1 += deviations;
            }
        }
        let (edge, whole) = self.squares.predicted(&sample.table.layout);
        let along = self.along.iter();
        Evidence {
            edge,
            along: along
                .map(|(errors, deviations)| (*deviations > 0.0).then(|| 1.0 - errors / deviations))
                .collect(),
            whole,
            size: size(sample, variance),
        }
    }
}

fn add(into: &mut [f64], from: &[f64]) {
    for (into, from) in into.iter_mut().zip(from) {
        *into += from;
    }
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
struct EdgeTrial<'a> {
    predictor: usize,
    /// The subsets that are held out.
    edge: Vec<usize>,
    fit: EdgeFit<'a>,
}

/// How a fit without an edge is made.
enum EdgeFit<'a> {
    /// It has the terms of the fit to the whole sample, or some of them without a penalty, and no coefficient is pruned.
    Straight(Rc<HeldOut>),
    /// It has the terms of the fit to the whole sample: the sums over the rest are those over the whole
    /// less those over the edge.
    OfWhole(RestFit<'a>),
    /// It has its own.
    Own {
        fit: RestFit<'a>,
        /// Their values at the edge, `[rows, terms]`.
        edge: Mat<f64>,
        /// The subsets that are not held out.
        rest: Vec<usize>,
    },
}

/// A fit with a decomposition of its own.
struct RestFit<'a> {
    solution: Solution<'a>,
    /// The products of its terms with each other, summed over the edge.
    gram: Mat<f64>,
}

impl<'a> EdgeTrial<'a> {
    /// The edge, and what predicts it where its fit has the terms of that to the whole sample.
    fn straight(&self) -> (&[usize], Option<&HeldOut>) {
        match &self.fit {
            EdgeFit::Straight(held_out) => (&self.edge, Some(held_out)),
            EdgeFit::OfWhole(_) | EdgeFit::Own { .. } => (&self.edge, None),
        }
    }

    fn new(
        sample: &Sample<'a>,
        whole: &Solution,
        (predictor, edge): (usize, Vec<usize>),
        method: &dyn Method,
        context: &Context,
    ) -> Result<Self, Fault> {
        let mut held_out = vec![false; sample.rows()];
        edge.iter().for_each(|row| held_out[*row] = true);
        let rest: Vec<usize> = (0..sample.rows()).filter(|row| !held_out[*row]).collect();
        let part = sample.part(&rest);
        let model = method.model(&part, context)?;
        let fit = match whole.held_out(&edge, rest.len(), &model) {
            Some(held_out) => EdgeFit::Straight(Rc::new(held_out)),
            None => {
                let solution = Solution::by(&part, model, Some(whole), context)?;
                EdgeFit::with(solution, whole, (sample, &edge, rest))
            }
        };
        Ok(Self {
            predictor,
            edge,
            fit,
        })
    }
}

impl<'a> EdgeFit<'a> {
    /// By the fit to the rest of the sample.
    fn with(
        solution: Solution<'a>,
        whole: &Solution,
        (sample, edge, rest): (&Sample<'a>, &[usize], Vec<usize>),
    ) -> Self {
        let has_penalty = solution.has_penalty() || whole.has_penalty();
        let is_of_whole = whole.is_of_terms() && solution.kept_terms() == whole.kept_terms();
        let columns = solution.terms_in(whole);
        let columns = columns.filter(|_| is_of_whole || !has_penalty);
        let held_out = columns.and_then(|columns| {
            let rest = (&solution.design, &columns[..]);
            HeldOut::between(&whole.design, edge, rest, has_penalty)
        });
        let is_of_whole = is_of_whole && held_out.is_some();
        if whole.is_straight()
            && let Some(held_out) = held_out
        {
            return Self::Straight(Rc::new(held_out));
        }
        let terms = solution.design_of(&sample.part(edge));
        let gram = terms.transpose() * &terms;
        let fit = RestFit { solution, gram };
        match is_of_whole {
            true => Self::OfWhole(fit),
            false => Self::Own {
                fit,
                edge: terms,
                rest,
            },
        }
    }
}

impl RestFit<'_> {
    /// The squares of some weights summed over an edge of `count` rows: from the moments there with
    /// the terms, and those of the rest with the factors of the fit.
    fn squares(
        &self,
        count: usize,
        truth: &Moments,
        known: &Moments,
    ) -> Result<EdgeSquares, Fault> {
        let (coefficients, _) = self.solution.coefficients(known)?;
        // The squared errors are `‖y‖² - 2 b · Xᵀy + bᵀ XᵀX b`.
        let bent = &coefficients * &self.gram;
        let mut errors = truth.squares.clone();
        for term in 0..bent.ncols() {
            let products = truth.products.col_as_slice(term).iter();
            let fitted = bent.col_as_slice(term).iter().zip(products);
            let coefficients = coefficients.col_as_slice(term).iter();
            for (error, (b, (bent, product))) in errors.iter_mut().zip(coefficients.zip(fitted)) {
                *error += b * (bent - 2.0 * product);
            }
        }
        errors.iter_mut().for_each(|error| *error = error.max(0.0));
        // The first term is the intercept, so its products are sums.
        let count = count as f64;
        let means = self.solution.design.means(known);
        let sums = truth.products.col_as_slice(0).iter();
        let sums = truth.squares.iter().zip(sums.zip(means));
        let deviations = sums
            .map(|(squares, (sum, mean))| (squares + mean * (count * mean - 2.0 * sum)).max(0.0));
        Ok(EdgeSquares {
            errors,
            deviations: deviations.collect(),
        })
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
pub(crate) fn note_predictors(sample: &Sample, context: &Context) -> Result<(), Fault> {
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
pub(crate) fn note(
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
