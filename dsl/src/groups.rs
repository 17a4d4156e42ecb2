//! Functions over many rows: what they have in common, and what came before each.
//!
//! Missing values (NaN) are passed over, unless an order of rows is meant.

fn present(values: &[f64]) -> impl Iterator<Item = f64> + Clone {
    values.iter().copied().filter(|value| !value.is_nan())
}

/// The mean of the values there are.
pub fn mean(values: &[f64]) -> f64 {
    let (sum, count) = sum_and_count(values);
    // Without values 0 / 0: missing.
    sum / count
}

/// The standard deviation of the values there are, divided by their number less one.
pub fn std(values: &[f64]) -> f64 {
    let (sum, count) = sum_and_count(values);
    if count < 2.0 {
        return f64::NAN;
    }
    let mean = sum / count;
    let squares: f64 = present(values).map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0)).sqrt()
}

/// The value in the middle, the mean of both when there are two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = present(values).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (
        sorted.get(half),
        half.checked_sub(1).and_then(|at| sorted.get(at)),
    ) {
        (Some(upper), Some(lower)) if sorted.len().is_multiple_of(2) => (lower + upper) / 2.0,
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

/// The sum of the values there are; missing when there are none.
pub fn sum(values: &[f64]) -> f64 {
    match sum_and_count(values) {
        (_, 0.0) => f64::NAN,
        (sum, _) => sum,
    }
}

/// In one pass.
fn sum_and_count(values: &[f64]) -> (f64, f64) {
    // As an iterator sums: only the sum of negative zeros is one.
    present(values).fold((-0.0, 0.0), |(sum, count), value| {
        (sum + value, count + 1.0)
    })
}

/// The smallest value there is.
pub fn lowest(values: &[f64]) -> f64 {
    // `f64::min` passes over NaN.
    values.iter().copied().fold(f64::NAN, f64::min)
}

/// The largest value there is.
pub fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

/// How many values there are.
pub fn count(values: &[f64]) -> f64 {
    present(values).count() as f64
}

/// The value `rows` rows before each, missing where there is none.
pub fn lag(values: &[f64], rows: f64) -> Vec<f64> {
    let Some(rows) = whole(rows) else {
        return vec![f64::NAN; values.len()];
    };
    let before = |at: usize| values.get(at.checked_sub(rows)?).copied();
    (0..values.len())
        .map(|at| before(at).unwrap_or(f64::NAN))
        .collect()
}

/// The mean of the last `rows` values up to each, missing where one of them is.
pub fn running_mean(values: &[f64], rows: f64) -> Vec<f64> {
    let Some(rows) = whole(rows).filter(|rows| *rows > 0) else {
        return vec![f64::NAN; values.len()];
    };
    // Summed anew for every row: a running sum would carry a missing value on for ever.
    let window = |at: usize| values.get((at + 1).checked_sub(rows)?..=at);
    (0..values.len())
        .map(|at| window(at).map_or(f64::NAN, |of| of.iter().sum::<f64>() / rows as f64))
        .collect()
}

fn whole(rows: f64) -> Option<usize> {
    (rows >= 0.0 && rows.fract() == 0.0).then_some(rows as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    #[test]
    fn missing_values_are_passed_over() {
        let values = [4.0, GAP, 1.0, 7.0];
        assert_eq!(mean(&values), 4.0);
        assert_eq!(std(&values), 3.0);
        assert_eq!(median(&values), 4.0);
        assert_eq!(median(&values[..3]), 2.5);
        assert_eq!(sum(&values), 12.0);
        assert_eq!((lowest(&values), highest(&values)), (1.0, 7.0));
        assert_eq!(count(&values), 3.0);
        for function in [mean, std, median, sum, lowest, highest] {
            assert!(function(&[GAP]).is_nan() && function(&[]).is_nan());
        }
        assert!(std(&[1.0]).is_nan());
    }

    #[test]
    fn what_came_before_is_missing_at_the_start() {
        let known = |values: Vec<f64>| -> Vec<Option<f64>> {
            let known = values.into_iter().map(|x| (!x.is_nan()).then_some(x));
            known.collect()
        };
        let values = [1.0, 2.0, GAP, 4.0, 8.0];
        assert_eq!(
            known(lag(&values, 1.0)),
            [None, Some(1.0), Some(2.0), None, Some(4.0)]
        );
        assert_eq!(
            known(running_mean(&values, 2.0)),
            [None, Some(1.5), None, None, Some(6.0)]
        );
        assert_eq!(known(lag(&values, 9.0)), [None; 5]);
        assert_eq!(known(running_mean(&values, 0.0)), [None; 5]);
        assert_eq!(known(lag(&values, 0.5)), [None; 5]);
    }
}
