//! What a regression is fitted on: the predictors and the anomalies of every usable subset.

use std::ops::Range;

use engine::artifact::{Dataset, WeightTable};
use engine::error::Fault;
use engine::params::Input;
use engine::plugin::Context;
use faer::Mat;
use polars::prelude::DataType;

use super::{Basis, Form, Regression};
use crate::predictors::{Fitted, PredictorRows, Predictors};
use crate::subsets::Subsets;

/// Where the rows come from: the inputs all regressions share.
pub(super) struct Sources<'a> {
    /// The fine-tuned weights less the parent's, one row per subset.
    pub anomalies: &'a WeightTable,
    /// The recipes of the predictors.
    pub predictors: &'a [Input<Predictors>],
    /// The rows of each subset, in `data`.
    pub subsets: &'a Subsets,
    /// What the subsets were drawn from.
    pub data: &'a Dataset,
    /// What the parent was trained on, and the predictors are fitted on.
    pub training: &'a Dataset,
}

/// Standardised predictors and anomalies of the usable subsets.
pub(super) struct Sample<'a> {
    table: &'a WeightTable,
    rows: Vec<usize>,
    predictors: Vec<Fitted>,
    names: Vec<String>,
    scaling: Vec<(f64, f64)>,
    seen: Vec<(f64, f64)>,
    standardised: Vec<Vec<f64>>,
}

/// Predictors whose spread is no more than this share of their magnitude do not vary.
const CONSTANT: f64 = 1e-12;

impl<'a> Sample<'a> {
    /// Fits the predictors, takes their mean over each subset, and leaves out what diverged.
    pub fn gather(sources: &Sources<'a>, context: &Context) -> Result<Self, Fault> {
        if sources.predictors.is_empty() {
            return Err(Fault::at("predictors", "expected at least one predictor"));
        }
        let predictors = sources
            .predictors
            .iter()
            .map(|recipe| recipe.fit(sources.training))
            .collect::<Result<Vec<_>, _>>()?;
        let all = PredictorRows::of(&predictors, sources.data)?;
        let means = subset_means(&all, sources.subsets)?;
        let (rows, known) = usable(sources.anomalies, &means, context)?;
        let columns = 0..all.names.len();
        let column = |index: usize| known.iter().map(move |row| row[index]);
        let seen: Vec<(f64, f64)> = columns.clone().map(|c| extremes(column(c))).collect();
        let scaling: Vec<(f64, f64)> = columns
            .zip(&seen)
            .map(|(c, seen)| scale(column(c), *seen))
            .collect();
        let standardised = known
            .iter()
            .map(|row| {
                let scaled = row.iter().zip(&scaling).zip(&seen);
                scaled
                    .map(|((value, (mean, std)), seen)| {
                        if constant(*seen) {
                            0.0
                        } else {
                            (value - mean) / std
                        }
                    })
                    .collect()
            })
            .collect();
        Ok(Self {
            table: sources.anomalies,
            rows,
            predictors,
            names: all.names,
            scaling,
            seen,
            standardised,
        })
    }

    /// How many usable subsets there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many weights there are.
    pub fn weights(&self) -> usize {
        self.table.layout.len()
    }

    /// The values of each term of the basis, one column of `rows` numbers per term.
    pub fn design(&self, basis: &Basis) -> Result<Vec<Vec<f64>>, Fault> {
        let terms = basis.terms(self.names.len());
        if self.rows() < terms.len() {
            let needed = format!(
                "expected at least {} usable subsets for {} terms, found {}",
                terms.len(),
                terms.len(),
                self.rows()
            );
            return Err(Fault::at("anomalies", needed)
                .with_hint("draw more subsets, or use fewer predictors or a lower degree"));
        }
        Ok(terms
            .iter()
            .map(|term| {
                self.standardised
                    .iter()
                    .map(|row| term.value(row))
                    .collect()
            })
            .collect())
    }

    /// Tells which predictors do not vary over the subsets.
    pub fn note_constant(&self, context: &Context) {
        for (name, seen) in self.names.iter().zip(&self.seen) {
            if constant(*seen) {
                context.note(format!(
                    "predictor `{name}` is the same for every subset and was dropped"
                ));
            }
        }
    }

    /// Tells which terms of varying predictors are not among those kept, by index.
    pub fn note_collinear(&self, basis: &Basis, kept: &[usize], context: &Context) {
        let varies: Vec<bool> = self.seen.iter().map(|seen| !constant(*seen)).collect();
        for (index, term) in basis.terms(self.names.len()).iter().enumerate() {
            if !kept.contains(&index) && term.only_of(&varies) {
                context.note(format!(
                    "`{}` is a linear combination of the terms before it over the subsets and was dropped",
                    term.name(&self.names)
                ));
            }
        }
    }

    /// The ranges of weights to work on one after the other, so that memory stays bounded.
    pub fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        // 2^17 numbers are a megabyte: a few such matrices stay in a core's cache.
        let width = ((1 << 17) / self.rows().max(1)).clamp(16, 4096);
        let weights = self.weights();
        (0..weights)
            .step_by(width)
            .map(move |start| start..(start + width).min(weights))
    }

    /// The anomalies of a range of weights, `[weights, rows]`: each row of the table a column.
    pub fn block(&self, weights: &Range<usize>) -> Mat<f64> {
        let mut block = Mat::zeros(weights.len(), self.rows());
        for (column, row) in self.rows.iter().enumerate() {
            let values = &self.table.row(*row)[weights.clone()];
            for (into, value) in block.col_as_slice_mut(column).iter_mut().zip(values) {
                *into = f64::from(*value);
            }
        }
        block
    }

    /// The regression with these coefficients, term after term.
    pub fn regression(&self, basis: Basis, fit: Fit, context: &Context) -> Regression {
        let layout = self.table.layout.clone();
        let share = |part: &[f64], whole: &[f64], range: Range<usize>| {
            let whole: f64 = whole[range.clone()].iter().sum();
            (whole > 0.0).then(|| part[range].iter().sum::<f64>() / whole)
        };
        let mut explained = Vec::new();
        for (tensor, range) in layout.ranges() {
            let left = share(&fit.residual, &fit.variance, range);
            if left.is_none() {
                context.note(format!("the anomalies of `{}` do not vary", tensor.name));
            }
            explained.push(left.map_or(0.0, |left| 1.0 - left));
        }
        let pruned = layout
            .ranges()
            .map(|(_, range)| share(&fit.pruned, &fit.slopes, range).unwrap_or(0.0))
            .collect();
        Regression {
            form: Form {
                predictors: self.predictors.clone(),
                names: self.names.clone(),
                scaling: self.scaling.clone(),
                seen: self.seen.clone(),
                basis,
                rows: self.rows(),
                explained,
                pruned,
            },
            coefficients: fit.coefficients,
            layout,
        }
    }
}

/// What a fit found, weight by weight.
#[derive(Default)]
pub(super) struct Fit {
    weights: usize,
    /// One row of coefficients per term of the basis, term after term.
    coefficients: Vec<f32>,
    /// The squared residuals of each weight, summed over the subsets.
    pub residual: Vec<f64>,
    /// The squared deviations of each weight from its mean, summed over the subsets.
    pub variance: Vec<f64>,
    /// How many slopes of each weight were set to zero by `keep`.
    pub pruned: Vec<f64>,
    /// How many slopes each weight had before.
    pub slopes: Vec<f64>,
}

impl Fit {
    /// Room for the coefficients of this many terms and weights, all zero.
    pub fn new(terms: usize, weights: usize) -> Self {
        Self {
            weights,
            coefficients: vec![0.0; terms * weights],
            ..Self::default()
        }
    }

    /// Sets the coefficients of one term for a range of weights.
    pub fn set(&mut self, term: usize, weights: &Range<usize>, values: &[f64]) {
        let into = &mut self.coefficients[term * self.weights..][weights.clone()];
        for (coefficient, value) in into.iter_mut().zip(values) {
            *coefficient = *value as f32;
        }
    }
}

/// The mean of each predictor over the rows of each subset.
fn subset_means(all: &PredictorRows, subsets: &Subsets) -> Result<Vec<Vec<f64>>, Fault> {
    let count = all.values.len() / all.names.len().max(1);
    let bad = |row: &&u32| **row as usize >= count;
    if let Some(row) = subsets.rows.iter().flatten().find(bad) {
        return Err(Fault::Bug(format!("a subset has row {row} of {count}")));
    }
    let mean = |rows: &Vec<u32>, predictor: usize| {
        let values = rows.iter().map(|row| all.row(*row as usize)[predictor]);
        values.sum::<f64>() / rows.len() as f64
    };
    Ok(subsets
        .rows
        .iter()
        .map(|rows| (0..all.names.len()).map(|p| mean(rows, p)).collect())
        .collect())
}

/// The rows of the table that neither diverged nor lack a predictor, with their predictors.
fn usable(
    table: &WeightTable,
    means: &[Vec<f64>],
    context: &Context,
) -> Result<(Vec<usize>, Vec<Vec<f64>>), Fault> {
    let subsets = subset_of_rows(table)?;
    let (mut diverged, mut unknown) = (0, 0);
    let (mut rows, mut known) = (Vec::new(), Vec::new());
    for (row, subset) in subsets.into_iter().enumerate() {
        let predictors = means.get(subset).ok_or_else(|| {
            Fault::Bug(format!("an anomaly of subset {subset} of {}", means.len()))
        })?;
        if table.row(row).iter().any(|weight| !weight.is_finite()) {
            diverged += 1;
        } else if predictors.iter().any(|value| !value.is_finite()) {
            unknown += 1;
        } else {
            rows.push(row);
            known.push(predictors.clone());
        }
    }
    if diverged > 0 {
        context.note(format!(
            "{diverged} of {} anomalies diverged and were left out",
            table.rows()
        ));
    }
    if unknown > 0 {
        context.note(format!(
            "{unknown} of {} subsets have a missing predictor and were left out",
            table.rows()
        ));
    }
    Ok((rows, known))
}

/// The coordinate of a weight table that says which subset a row is of.
const SUBSET: &str = "subset";

/// The subset of each row of the table.
fn subset_of_rows(table: &WeightTable) -> Result<Vec<usize>, Fault> {
    let column = table.coordinates.column(SUBSET)?.cast(&DataType::UInt32)?;
    let subsets = column.u32()?.iter();
    Ok(subsets.flatten().map(|subset| subset as usize).collect())
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

fn constant((low, high): (f64, f64)) -> bool {
    high - low <= CONSTANT * low.abs().max(high.abs())
}

fn scale(values: impl Iterator<Item = f64> + Clone, seen: (f64, f64)) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    if constant(seen) {
        return (mean, 1.0);
    }
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}
