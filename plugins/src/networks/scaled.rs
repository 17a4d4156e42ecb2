//! Inputs and targets as networks see them: standardised by the rows trained on.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;
use serde::{Deserialize, Serialize};

use super::Loss;
use crate::complete::complete;

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
        let counts = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let count = match weights {
            Some(weights) => weights.iter().sum(),
            None => values.len().max(1) as f64,
        };
        let values = values.iter().enumerate();
        let sum: f64 = { values.clone() }
            .map(|(row, value)| counts(row) * value)
            .sum();
        let mean = sum / count;
        let squares: f64 = values
            .map(|(row, value)| counts(row) * (value - mean).powi(2))
            .sum();
        let std = (squares / count).sqrt();
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

/// Rows to learn from.
#[derive(Clone, Debug)]
pub struct TrainingRows {
    /// The rows.
    pub data: Dataset,
    /// How much each counts; all the same when left out.
    pub weights: Option<Vec<f64>>,
}

impl TrainingRows {
    /// Rows that all count the same.
    pub fn alike(data: Dataset) -> Self {
        let weights = None;
        Self { data, weights }
    }

    /// The standardisation of a column by these rows, each as often as it counts.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn scaled(&self, name: &str) -> Result<Scaled, Fault> {
        let values = self.data.values(name)?;
        Ok(Scaled::weighted(name, values, self.weights.as_deref()))
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
        complete(data, name, "inputs")?;
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
    let truth = complete(data, name, "target")?;
    match loss {
        Loss::Mse => Ok((train.scaled(name)?, 1)),
        Loss::CrossEntropy => Ok((Scaled::as_is(name), classes(name, truth)?)),
    }
}

/// The most classes a network may have.
const MOST_CLASSES: f64 = 10_000.0;

/// How many classes a column of class indices has.
fn classes(name: &str, values: &[f64]) -> Result<usize, Fault> {
    let wrong = values
        .iter()
        .find(|value| value.fract() != 0.0 || **value < 0.0 || **value >= MOST_CLASSES);
    if let Some(wrong) = wrong {
        return Err(Fault::at(
            "target",
            format!("expected class indices 0, 1, … in `{name}`, found {wrong}"),
        )
        .with_hint("`loss: mse` takes any numbers"));
    }
    let largest = values.iter().copied().fold(0.0, f64::max);
    Ok(largest as usize + 1)
}

/// The standardised columns, row after row.
fn standardised(scaled: &[Scaled], data: &Dataset) -> Result<Vec<f32>, Fault> {
    let columns = scaled
        .iter()
        .map(|scaled| Ok((scaled, data.values(&scaled.name)?)))
        .collect::<Result<Vec<_>, Fault>>()?;
    let mut values = Vec::with_capacity(data.rows() * columns.len());
    for row in 0..data.rows() {
        values.extend(
            columns
                .iter()
                .map(|(scaled, column)| ((column[row] - scaled.mean) / scaled.std) as f32),
        );
    }
    Ok(values)
}
