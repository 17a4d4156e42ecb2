//! What a regression is fitted on: the predictors and the anomalies of every usable subset.

use std::ops::Range;
use std::rc::Rc;

use dsl::column::ColumnExpr;
use engine::artifact::WeightTable;
use engine::error::Fault;
use engine::plugin::Context;
use faer::Mat;
use polars::prelude::DataType;

use super::shared::{Against, Sources};
use super::sums::{Found, Pass, Precision};
use crate::moments::mean_and_deviation;
use crate::predictors::{Fitted, PredictorRows};
use crate::regressions::Term;
use crate::splines::knots;
use crate::subsets::Subsets;

/// Standardised predictors and anomalies of the usable subsets.
#[derive(Clone)]
pub(crate) struct Sample<'a> {
    pub table: &'a WeightTable,
    /// The parent's weights.
    pub origin: &'a [f32],
    /// The inputs of the parent.
    pub inputs: Vec<String>,
    /// Which slopes stay.
    pub keep: Option<&'a ColumnExpr>,
    /// How many principal components represent the weights.
    pub pca: Option<usize>,
    against: Against,
    rows: Vec<usize>,
    /// A row of the table that others are compared with.
    reference: usize,
    pub predictors: Rc<[Fitted]>,
    names: Vec<String>,
    /// Mean and standard deviation of each predictor over the subsets.
    pub scaling: Vec<(f64, f64)>,
    /// Smallest and largest value of each predictor over the subsets.
    pub seen: Vec<(f64, f64)>,
    standardised: Vec<Rc<[f64]>>,
}

/// Predictors whose spread is no more than this share of their magnitude do not vary.
const CONSTANT: f64 = 1e-12;

impl<'a> Sample<'a> {
    /// Fits the predictors, takes their mean over each subset, and leaves out anomalies that
    /// are not usable.
    pub fn gather(
        sources: &Sources<'a>,
        is_usable: fn(&[f32]) -> bool,
        context: &Context,
    ) -> Result<Self, Fault> {
        let predictors = sources
            .predictors
            .iter()
            .map(|recipe| recipe.fit(sources.training))
            .collect::<Result<Vec<_>, _>>()?;
        let notes = predictors.iter().filter_map(Fitted::note);
        notes.for_each(|note| context.note(note));
        let all = PredictorRows::of(&predictors, sources.data)?;
        let means = subset_means(&all, sources.subsets)?;
        let (rows, known) = usable(sources.anomalies, is_usable, &means, context)?;
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
        if sources.parent.weights.len() != sources.anomalies.layout.len() {
            return Err(Fault::Bug(
                "the anomalies are of another network than the parent".to_owned(),
            ));
        }
        let inputs = sources.parent.network()?.inputs().iter();
        Ok(Self {
            table: sources.anomalies,
            origin: &sources.parent.weights,
            inputs: inputs.map(|input| input.name.clone()).collect(),
            keep: sources.keep,
            pca: sources.pca,
            against: sources.against,
            reference: rows.first().copied().unwrap_or_default(),
            rows,
            predictors: predictors.into(),
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

    /// The anomalies of the usable subsets, row after row.
    pub fn table_rows(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.iter().map(|row| self.table.row(*row))
    }

    /// The names of the predictors.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The standardised predictors of each subset.
    pub fn points(&self) -> &[Rc<[f64]>] {
        &self.standardised
    }

    /// Whether each predictor varies over the subsets.
    pub fn varies(&self) -> Vec<bool> {
        self.seen.iter().map(|seen| !constant(*seen)).collect()
    }

    /// Some of its subsets, on the scale of all.
    pub fn part(&self, subsets: &[usize]) -> Self {
        Self {
            rows: subsets.iter().map(|subset| self.rows[*subset]).collect(),
            standardised: (subsets
                .iter()
                .map(|subset| Rc::clone(&self.standardised[*subset])))
            .collect(),
            ..self.clone()
        }
    }

    /// The values of some functions of the predictors, `[rows, terms]`.
    pub fn columns(&self, terms: &[Term]) -> Mat<f64> {
        Mat::from_fn(self.rows(), terms.len(), |row, term| {
            terms[term].value(&self.standardised[row])
        })
    }

    /// The knots of each predictor, as many at most.
    pub fn knots(&self, count: usize) -> Vec<Vec<f64>> {
        let values = |predictor: usize| self.standardised.iter().map(move |row| row[predictor]);
        let predictors = 0..self.names.len();
        predictors
            .map(|it| knots(values(it).collect(), count))
            .collect()
    }

    /// The ranges of weights to work on one after the other, so that memory stays bounded.
    pub fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        // 2^17 numbers are a megabyte: a few such matrices stay in a core's cache.
        ranges(
            self.weights(),
            ((1 << 17) / self.rows().max(1)).clamp(16, WIDE),
        )
    }

    /// The same where of each range only what a pass finds is kept.
    pub fn ranges(&self, pass: &Pass) -> impl Iterator<Item = Range<usize>> + use<> {
        // Whole panels.
        let width = KEPT / pass.count().max(1) / PANEL * PANEL;
        ranges(self.weights(), width.clamp(PANEL, WIDE))
    }

    /// What a pass finds in the anomalies of a range of weights, less those of a reference subset.
    ///
    /// `rows` are all [`table_rows`](Self::table_rows).
    pub fn find(
        &self,
        rows: &[&[f32]],
        weights: &Range<usize>,
        pass: &Pass,
        precision: Precision,
    ) -> Vec<Vec<Found>> {
        let rows: Vec<&[f32]> = rows.iter().map(|row| &row[weights.clone()]).collect();
        pass.find(&rows, self.reference(weights), precision)
    }

    /// The anomalies that [`find`](Self::find) leaves out.
    pub fn reference(&self, weights: &Range<usize>) -> &[f32] {
        &self.table.row(self.reference)[weights.clone()]
    }

    /// What is explained of a range of weights, `[weights, rows]`: each row of the table a column.
    pub fn block(&self, weights: &Range<usize>) -> Mat<f64> {
        let mut block = Mat::zeros(weights.len(), self.rows());
        for (column, row) in self.rows.iter().enumerate() {
            let values = &self.table.row(*row)[weights.clone()];
            for (into, value) in block.col_as_slice_mut(column).iter_mut().zip(values) {
                *into = f64::from(*value);
            }
            if self.against == Against::Weights {
                let origin = &self.origin[weights.clone()];
                for (into, parent) in block.col_as_slice_mut(column).iter_mut().zip(origin) {
                    *into += f64::from(*parent);
                }
            }
        }
        block
    }
}

/// The most weights worked on together.
const WIDE: usize = 4096;

/// How many weights sums are made of at a time.
const PANEL: usize = 256;

/// The most numbers kept of a range of weights: two megabytes.
const KEPT: usize = 1 << 18;

fn ranges(weights: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..weights).step_by(width);
    starts.map(move |start| start..(start + width).min(weights))
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
        let mean = values.clone().sum::<f64>() / rows.len() as f64;
        match mean.is_infinite() {
            // A sum may be beyond double precision where the mean is not.
            true => values.map(|value| value / rows.len() as f64).sum(),
            false => mean,
        }
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
    is_usable: fn(&[f32]) -> bool,
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
        if !is_usable(table.row(row)) {
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

/// Whether the first of the weights is a number.
pub(crate) fn begins_finite(weights: &[f32]) -> bool {
    weights.first().is_none_or(|weight| weight.is_finite())
}

/// Whether all weights are numbers.
pub(crate) fn is_finite(weights: &[f32]) -> bool {
    weights.iter().all(|weight| weight.is_finite())
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
    let moments = |unit: f64| {
        let values = values.clone().map(|value| value / unit);
        let mean = values.clone().sum::<f64>() / count;
        let squares = values.map(|value| (value - mean).powi(2)).sum::<f64>();
        (mean, squares / count)
    };
    let leaves =
        |mean: f64, variance: f64| !mean.is_finite() || !variance.is_normal() && !constant(seen);
    let largest = || seen.0.abs().max(seen.1.abs());
    let (mean, std) = mean_and_deviation(moments, leaves, largest);
    match constant(seen) {
        true => (mean, 1.0),
        false => (mean, std),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictors_of_any_size_are_standardised() {
        // numpy.mean and numpy.std of [1, 2, 4, 7], times the unit.
        for unit in [1e-305, 1e-200, 1.0, 1e200, 2e307] {
            let values = [1.0, 2.0, 4.0, 7.0].map(|value| value * unit);
            let (mean, std) = scale(values.into_iter(), (values[0], values[3]));
            assert!((mean / unit / 3.5 - 1.0).abs() < 1e-14, "{unit:e}");
            assert!(
                (std / unit / 5.25_f64.sqrt() - 1.0).abs() < 1e-14,
                "{unit:e}"
            );
            let alike = [values[3]; 4];
            let (mean, std) = scale(alike.into_iter(), (alike[0], alike[0]));
            assert_eq!((mean, std), (alike[0], 1.0), "{unit:e}");
        }
        assert_eq!(scale([0.0; 3].into_iter(), (0.0, 0.0)), (0.0, 1.0));
    }
}
