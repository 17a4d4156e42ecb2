//! Inputs and targets as networks see them: standardised by the rows trained on.

use std::borrow::Cow;
use std::ops::Range;

use engine::artifact::{Dataset, Numbers};
use engine::error::Fault;
use engine::params::Column;
use serde::{Deserialize, Serialize};

use super::Loss;
use crate::complete::check_complete;
use crate::moments::mean_and_deviation;

/// A column and its standardisation: `(x - mean) / std`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// The column.
    pub name: String,
    /// Mean over the training data.
    pub mean: f64,
    /// Standard deviation over the training data; 1 for a constant column.
    pub std: f64,
}

impl Scaled {
    /// The standardisation of a column by its own values.
    pub fn of(name: &str, values: &[f64]) -> Self {
        Self::weighted(name, values, None)
    }

    /// The standardisation of a column by its own values, each as often as it counts.
    pub fn weighted(name: &str, values: &[f64], weights: Option<&[f64]>) -> Self {
        let pieces = || std::iter::once(Cow::Borrowed(values));
        Self::of_pieces(name, values.len(), pieces, weights)
    }

    /// The same of values that come in pieces, again at every call of `pieces`.
    pub fn of_pieces<'v, P: Iterator<Item = Cow<'v, [f64]>>>(
        name: &str,
        rows: usize,
        pieces: impl Fn() -> P,
        weights: Option<&[f64]>,
    ) -> Self {
        let counts = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let count = match weights {
            Some(weights) => weights.iter().sum(),
            None => rows.max(1) as f64,
        };
        let moments = |unit: f64| {
            let mean = total(pieces(), counts, |value| value / unit) / count;
            let square = |value: f64| (value / unit - mean).powi(2);
            let squares = total(pieces(), counts, square);
            (mean, squares / count)
        };
        let leaves = |mean: f64, variance: f64| {
            !variance.is_finite() || variance < 1e-280 && mean.abs() < 1e-100
        };
        let (mean, std) = mean_and_deviation(moments, leaves, || largest(pieces()));
        // Rounding leaves a constant column with a deviation of about its last digit.
        let constant = std <= mean.abs() * 1e-12;
        Self {
            name: name.to_owned(),
            mean,
            std: if constant { 1.0 } else { std },
        }
    }

    /// A column taken as it is.
    pub fn as_is(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mean: 0.0,
            std: 1.0,
        }
    }
}

/// What `of` is of each value, as often as it counts, added up in the order of the rows.
fn total<'v>(
    pieces: impl Iterator<Item = Cow<'v, [f64]>>,
    counts: impl Fn(usize) -> f64,
    of: impl Fn(f64) -> f64,
) -> f64 {
    let (mut total, mut row) = (NOTHING_YET, 0);
    for piece in pieces {
        for value in &piece[..] {
            total += counts(row) * of(*value);
            row += 1;
        }
    }
    total
}

/// The largest magnitude among values.
fn largest<'v>(pieces: impl Iterator<Item = Cow<'v, [f64]>>) -> f64 {
    let mut largest = 0.0_f64;
    for piece in pieces {
        largest = piece
            .iter()
            .fold(largest, |most, value| most.max(value.abs()));
    }
    largest
}

/// What sums begin with, as those of the standard library do.
const NOTHING_YET: f64 = -0.0;

/// Rows to learn from.
#[derive(Clone, Debug)]
pub struct TrainingRows {
    /// The data they are among; clones share the columns.
    pub data: Dataset,
    /// Which they are, in their order; all of the data when left out.
    pub rows: Option<Vec<u32>>,
    /// How much each counts; all the same when left out.
    pub weights: Option<Vec<f64>>,
}

/// How many rows are looked at together.
const PIECE: usize = 4096;

impl TrainingRows {
    /// All rows of the data, which all count the same.
    pub fn alike(data: Dataset) -> Self {
        Self::weighted(data, None)
    }

    /// All rows of the data.
    pub fn weighted(data: Dataset, weights: Option<Vec<f64>>) -> Self {
        let rows = None;
        Self {
            data,
            rows,
            weights,
        }
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.rows.as_ref().map_or(self.data.rows(), Vec::len)
    }

    /// The values of a column in these rows, piece after piece.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn pieces<'r>(
        &'r self,
        name: &str,
    ) -> Result<impl Iterator<Item = Cow<'r, [f64]>> + use<'r>, Fault> {
        let values = &self.data.column(name)?.values;
        let all = self.rows.is_none().then(|| values.pieces());
        let chosen = self.rows.as_deref().unwrap_or_default().chunks(PIECE);
        let chosen = chosen.map(move |rows| Cow::Owned(values.gather(rows)));
        Ok(all.into_iter().flatten().chain(chosen))
    }

    /// The standardisation of a column by these rows, each as often as it counts.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn scaled(&self, name: &str) -> Result<Scaled, Fault> {
        self.data.column(name)?;
        let pieces = || self.pieces(name).into_iter().flatten();
        let weights = self.weights.as_deref();
        Ok(Scaled::of_pieces(name, self.count(), pieces, weights))
    }
}

/// What a network reads and predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// The input columns with mean and standard deviation of the training data.
    pub inputs: Vec<Scaled>,
    /// The target columns (one for regression and for class indices).
    pub targets: Vec<Scaled>,
}

impl Columns {
    /// The standardised inputs of every row, `[rows, inputs]`.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn inputs_of(&self, data: &Dataset) -> Result<Vec<f32>, Fault> {
        standardised(&self.inputs, data)
    }

    /// The standardised inputs of some neighbouring rows, `[rows, inputs]`.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn inputs_in(&self, data: &Dataset, rows: Range<usize>) -> Result<Vec<f32>, Fault> {
        let mut values = vec![0.0; rows.len() * self.inputs.len()];
        standardise(&numbers_of(&self.inputs, data)?, rows, &mut values);
        Ok(values)
    }

    /// The standardised targets of every row, `[rows, targets]`; class indices unchanged.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn targets_of(&self, data: &Dataset) -> Result<Vec<f32>, Fault> {
        standardised(&self.targets, data)
    }
}

/// The input columns, complete in all of `data`, standardised by the rows of `train`.
///
/// # Errors
/// When there are none, or one is missing or has gaps.
pub fn scaled_inputs(
    columns: &[Column],
    data: &Dataset,
    train: &TrainingRows,
) -> Result<Vec<Scaled>, Fault> {
    let scaled = columns.iter().map(|Column(name)| {
        check_complete(data, name, "inputs")?;
        train.scaled(name)
    });
    scaled.collect()
}

/// The target, and how many outputs a network needs for it.
///
/// # Errors
/// When it is missing or has gaps, or when classes are asked for and it has none.
pub fn scaled_target(
    column: &Column,
    loss: Loss,
    data: &Dataset,
    train: &TrainingRows,
) -> Result<(Scaled, usize), Fault> {
    let name = &column.0;
    check_complete(data, name, "target")?;
    match loss {
        Loss::Mse => Ok((train.scaled(name)?, 1)),
        Loss::CrossEntropy => {
            let classes = classes(name, &data.column(name)?.values)?;
            Ok((Scaled::as_is(name), classes))
        }
    }
}

/// The most classes a network may have.
const MOST_CLASSES: f64 = 10_000.0;

/// How many classes a column of class indices has.
fn classes(name: &str, values: &Numbers) -> Result<usize, Fault> {
    let is_wrong = |value: &f64| value.fract() != 0.0 || *value < 0.0 || *value >= MOST_CLASSES;
    let mut largest = 0.0;
    for piece in values.pieces() {
        if let Some(wrong) = piece.iter().copied().find(is_wrong) {
            return Err(Fault::at(
                "target",
                format!("expected class indices 0, 1, … in `{name}`, found {wrong}"),
            )
            .with_hint("`loss: mse` takes any numbers"));
        }
        largest = piece.iter().copied().fold(largest, f64::max);
    }
    Ok(largest as usize + 1)
}

/// The standardised columns, row after row.
///
/// # Errors
/// When one is missing.
pub fn standardised(scaled: &[Scaled], data: &Dataset) -> Result<Vec<f32>, Fault> {
    let mut values = vec![0.0; data.rows() * scaled.len()];
    let columns = numbers_of(scaled, data)?;
    let blocks = values.chunks_mut((ROWS_AT_ONCE * columns.len()).max(1));
    for (block, values) in blocks.enumerate() {
        let first = block * ROWS_AT_ONCE;
        let rows = first..first + values.len() / columns.len();
        standardise(&columns, rows, values);
    }
    Ok(values)
}

/// The numbers of each column.
pub(super) fn numbers_of<'a>(
    scaled: &'a [Scaled],
    data: &'a Dataset,
) -> Result<Vec<(&'a Scaled, &'a Numbers)>, Fault> {
    let columns = scaled.iter();
    columns
        .map(|scaled| Ok((scaled, &data.column(&scaled.name)?.values)))
        .collect()
}

/// How many rows are standardised column by column, so that those of many columns are written while
/// they are near.
pub(super) const ROWS_AT_ONCE: usize = 256;

/// Puts some rows of columns into `values`, standardised, row after row.
pub(super) fn standardise(
    columns: &[(&Scaled, &Numbers)],
    rows: impl Iterator<Item = usize> + Clone,
    values: &mut [f32],
) {
    for (first, (scaled, numbers)) in columns.iter().enumerate() {
        let mut at = first;
        numbers.visit(rows.clone(), |value| {
            values[at] = ((value - scaled.mean) / scaled.std) as f32;
            at += columns.len();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_whose_squares_leave_double_precision_have_a_deviation() {
        let near = |value: f64, expected: f64| (value / expected - 1.0).abs() < 1e-14;
        // numpy.mean and numpy.std of [1, 2, 4, 7], times the unit.
        for unit in [1.0, 1e-3, 1e200, 1e307, 1e-200, 1e-305] {
            let values = [1.0, 2.0, 4.0, 7.0].map(|value| value * unit);
            let scaled = Scaled::of("x", &values);
            assert!(near(scaled.mean / unit, 3.5), "{unit:e}: {scaled:?}");
            assert!(
                near(scaled.std / unit, 5.25_f64.sqrt()),
                "{unit:e}: {scaled:?}"
            );
            let both = [-unit, unit];
            assert!(near(Scaled::of("x", &both).std / unit, 1.0), "{unit:e}");
        }
        for constant in [0.0, 5.0, 1e300, 1e-300] {
            assert_eq!(Scaled::of("x", &[constant; 3]).std, 1.0, "{constant:e}");
        }
    }
}
