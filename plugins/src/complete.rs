//! Columns without gaps: what training and sorting need of the data they are given.

use std::borrow::Cow;

use engine::artifact::Dataset;
use engine::error::Fault;

/// The values of a column, all of them finite.
///
/// # Errors
/// When there is no such column, or when values are missing or infinite: the user's fault,
/// at `param`.
pub fn complete<'a>(
    data: &'a Dataset,
    column: &str,
    param: &'static str,
) -> Result<&'a [f64], Fault> {
    check_complete(data, column, param)?;
    data.values(column).map(|values| &values[..])
}

/// The same of a column whose values nobody needs all at once.
///
/// # Errors
/// As [`complete`].
pub fn check_complete(data: &Dataset, column: &str, param: &'static str) -> Result<(), Fault> {
    let gaps = |piece: Cow<[f64]>| piece.iter().filter(|value| !value.is_finite()).count();
    match data
        .column(column)?
        .values
        .pieces()
        .map(gaps)
        .sum::<usize>()
    {
        0 => Ok(()),
        gaps => Err(has_gaps(column, gaps, data.rows(), param)),
    }
}

/// The user's fault, at `param`, when some of the rows have no value in a column.
pub fn has_gaps(column: &str, gaps: usize, rows: usize, param: &'static str) -> Fault {
    let message = format!("column `{column}` has no value in {gaps} of {rows} rows");
    Fault::at(param, message).with_hint(format!(
        "keep the rows that have one: `where(…, not is_missing({column}))`"
    ))
}
