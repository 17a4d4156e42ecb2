//! Power function averages: their exponents, widths and inner products (Karras et al. 2024,
//! equations 121 to 127 and 151).

use engine::error::Fault;
use faer::Mat;
use faer::linalg::solvers::Solve;

/// The exponent γ of the average whose relative width is σ: the largest real root of
/// γ³ + 7γ² + (16 - σ⁻²)γ + (12 - σ⁻²).
///
/// # Errors
/// The user's fault where there is no average of this width.
pub(crate) fn power_of(width: f64) -> Result<f64, Fault> {
    let t = width.powi(-2);
    let value = |g: f64| ((g + 7.0) * g + 16.0 - t) * g + 12.0 - t;
    // Above its largest root the cubic is positive; it is negative at 0 for all widths there are.
    let (mut low, mut high) = (0.0, 1.0 + t);
    if !(t.is_finite() && value(low) <= 0.0 && value(high) > 0.0) {
        let message = format!("expected a width above 0 and at most 0.28, found {width}");
        return Err(Fault::user(message));
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        match value(middle) > 0.0 {
            true => high = middle,
            false => low = middle,
        }
    }
    Ok((low + high) / 2.0)
}

/// The inner product of two profiles: exponent and last step of each.
fn product((a, ta): (f64, f64), (b, tb): (f64, f64)) -> f64 {
    let power = if ta < tb { b } else { -a };
    (a + 1.0) * (b + 1.0) * (ta / tb).powf(power) / ((a + b + 1.0) * ta.max(tb))
}

/// The factors of averages, each of an exponent and a step, whose sum is nearest the average of
/// another exponent at a step; they sum to 1.
///
/// # Errors
/// The user's fault when two averages are the same.
pub(crate) fn factors(known: &[(f64, f64)], wanted: (f64, f64)) -> Result<Vec<f64>, Fault> {
    let count = known.len();
    let products = Mat::from_fn(count, count, |row, column| {
        product(known[row], known[column])
    });
    let sides = Mat::from_fn(count, 1, |row, _| product(known[row], wanted));
    let solved = products.partial_piv_lu().solve(&sides);
    let factors: Vec<f64> = (0..count).map(|row| solved[(row, 0)]).collect();
    let sum: f64 = factors.iter().sum();
    if !(sum.is_finite() && sum.abs() > 1e-6) {
        return Err(Fault::user("the averages do not determine another one"));
    }
    Ok(factors.into_iter().map(|factor| factor / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::averages;
    use super::*;

    #[test]
    fn exponents_and_factors_are_those_of_the_golden_file() {
        let golden = averages();
        for (width, gamma) in &golden.std_to_gamma {
            let found = power_of(width.parse().expect("a number")).expect("an exponent");
            assert!((found / gamma - 1.0).abs() < 1e-12, "{width} {found}");
        }
        let known: Vec<(f64, f64)> = golden
            .snapshots
            .iter()
            .map(|[step, gamma]| (*gamma, *step))
            .collect();
        for post in golden.posthoc.values() {
            let found = factors(&known, (post.gamma, 200.0)).expect("factors");
            for (found, expected) in found.iter().zip(&post.coefficients) {
                assert!(
                    (found - expected).abs() < 1e-7 * expected.abs().max(1.0),
                    "{found} {expected}"
                );
            }
        }
        assert!(power_of(0.0).is_err() && power_of(f64::NAN).is_err());
    }
}
