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
    check_complete(data, column, param)?;
    data.values(column).map(|values| &values[..])
}

/// The same of a column whose values nobody needs all at once.
///
/// # Errors
/// As [`complete`].
pub fn check_complete(data: &Dataset, column: &str, param: &'static str) -> Result<(), Fault> {
    let mut gaps = Gaps::default();
    for piece in data.column(column)?.values.pieces() {
        piece.iter().for_each(|value| gaps.count(*value));
    }
    gaps.expect_none(column, data.rows(), param)
}

/// How many values of a column are none to compute with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gaps {
    missing: usize,
    infinite: usize,
}

impl Gaps {
    /// Counts a value, unless it is finite.
    pub fn count(&mut self, value: f64) {
        self.missing += usize::from(value.is_nan());
        self.infinite += usize::from(value.is_infinite());
    }

    /// That there are none among the rows.
    ///
    /// # Errors
    /// When there are: the user's fault, at `param`.
    pub fn expect_none(self, column: &str, rows: usize, param: &'static str) -> Result<(), Fault> {
        let written = dsl::name::written(column);
        let (what, count, kept) = match (self.missing, self.infinite) {
            (0, 0) => return Ok(()),
            (missing, 0) => (
                "has no value",
                missing,
                format!("not is_missing({written})"),
            ),
            // A comparison with a missing value is false.
            (0, infinite) => ("is infinite", infinite, format!("abs({written}) < 1e300")),
            (missing, infinite) => (
                "has no finite value",
                missing + infinite,
                format!("abs({written}) < 1e300"),
            ),
        };
        let message = format!("column `{column}` {what} in {count} of {rows} rows");
        let hint = match self.missing {
            0 => format!("keep the finite ones: `where(…, {kept})`"),
            _ => format!("keep the rows that have one: `where(…, {kept})`"),
        };
        Err(Fault::at(param, message).with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_infinite_values_are_told_apart() {
        let told = |values: &[f64], column| {
            let mut gaps = Gaps::default();
            values.iter().for_each(|value| gaps.count(*value));
            let found = gaps.expect_none(column, values.len(), "inputs");
            found.err().map(|fault| match fault {
                Fault::User { message, hint, .. } => {
                    format!("{message}: {}", hint.unwrap_or_default())
                }
                other => other.to_string(),
            })
        };
        let [gap, infinite] = [f64::NAN, f64::NEG_INFINITY];
        assert_eq!(told(&[1.0, 0.0], "b"), None);
        let kept = "keep the rows that have one";
        let expected = [
            (
                told(&[gap, 0.0], "2t"),
                format!(
                    "column `2t` has no value in 1 of 2 rows: {kept}: `where(…, not is_missing(`2t`))`"
                ),
            ),
            (
                told(&[infinite, 0.0], "b"),
                "column `b` is infinite in 1 of 2 rows: keep the finite ones: `where(…, abs(b) < 1e300)`".to_owned(),
            ),
            (
                told(&[infinite, gap], "b"),
                format!(
                    "column `b` has no finite value in 2 of 2 rows: {kept}: `where(…, abs(b) < 1e300)`"
                ),
            ),
        ];
        for (told, expected) in expected {
            assert_eq!(told, Some(expected));
        }
    }
}
