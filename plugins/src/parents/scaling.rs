//! Inputs and targets as networks see them: standardised by the rows trained on.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;

use super::{Loss, Scaled};
use crate::complete::complete;

/// The input columns, complete in all of `data`, standardised by the rows of `train`.
///
/// # Errors
/// When there are none, or one is missing or has gaps.
pub fn scaled_inputs(
    columns: &[Column],
    data: &Dataset,
    train: &Dataset,
) -> Result<Vec<Scaled>, Fault> {
    if columns.is_empty() {
        return Err(Fault::at(
            "inputs",
            "expected one input or more, found none",
        ));
    }
    let scaled = columns.iter().map(|Column(name)| {
        complete(data, name, "inputs")?;
        Ok(Scaled::of(name, train.values(name)?))
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
    train: &Dataset,
) -> Result<(Scaled, usize), Fault> {
    let name = &column.0;
    let truth = complete(data, name, "target")?;
    match loss {
        Loss::Mse => Ok((Scaled::of(name, train.values(name)?), 1)),
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
