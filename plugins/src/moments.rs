//! Means and deviations of numbers whose squares may leave double precision, such as 1e200 and 1e-200.

/// The mean and the standard deviation by `moments`, which returns the mean and the variance of the
/// values divided by a unit: 1, or one near the largest magnitude where `leaves`, of both, says
/// that the squares have left double precision.
pub(crate) fn mean_and_deviation(
    moments: impl Fn(f64) -> (f64, f64),
    leaves: impl FnOnce(f64, f64) -> bool,
    largest: impl FnOnce() -> f64,
) -> (f64, f64) {
    let (mean, variance) = moments(1.0);
    if !leaves(mean, variance) {
        return (mean, variance.sqrt());
    }
    let unit = power_of_two(largest());
    let (mean, variance) = moments(unit);
    (mean * unit, variance.sqrt() * unit)
}

/// The power of two next to a magnitude; 1 where that is zero.
pub(crate) fn power_of_two(magnitude: f64) -> f64 {
    match magnitude > 0.0 {
        true => magnitude.log2().floor().exp2(),
        false => 1.0,
    }
}
