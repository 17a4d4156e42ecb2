//! Columns without gaps: what training and sorting need of the data they are given.

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
    let values = data.values(column)?;
    match values.iter().filter(|value| !value.is_finite()).count() {
        0 => Ok(values),
        gaps => Err(Fault::at(
            param,
            format!(
                "column `{column}` has no value in {gaps} of {} rows",
                values.len()
            ),
        )
        .with_hint(format!(
            "keep the rows that have one: `where(…, not is_missing({column}))`"
        ))),
    }
}
