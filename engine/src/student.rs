//! Student's t: confidence intervals of means of few numbers.

/// A mean with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// The interval of the mean of n differences, with n − 1 degrees of freedom; none for fewer than
    /// two.
    pub fn paired(differences: &[f64]) -> Option<Self> {
        let (mean, variance) = moments(differences)?;
        let count = differences.len() as f64;
        Some(Self::around(mean, (variance / count).sqrt(), count - 1.0))
    }

    /// The interval of `mean(b) − mean(a)` of unequal variances, with the degrees of freedom
    /// of Welch and Satterthwaite; none when either has fewer than two numbers.
    pub fn welch(a: &[f64], b: &[f64]) -> Option<Self> {
        let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(a)?, moments(b)?);
        let (count_a, count_b) = (a.len() as f64, b.len() as f64);
        let (part_a, part_b) = (variance_a / count_a, variance_b / count_b);
        let square = part_a + part_b;
        let spread = part_a * part_a / (count_a - 1.0) + part_b * part_b / (count_b - 1.0);
        let freedom = if spread > 0.0 {
            square * square / spread
        } else {
            count_a + count_b - 2.0
        };
        Some(Self::around(mean_b - mean_a, square.sqrt(), freedom))
    }

    /// Whether the interval excludes 0.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    fn around(mean: f64, error: f64, freedom: f64) -> Self {
        let half = if error > 0.0 {
            error * quantile(0.975, freedom)
        } else {
            0.0
        };
        Self {
            mean,
            low: mean - half,
            high: mean + half,
        }
    }
}

/// Mean and unbiased variance of two numbers or more.
fn moments(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, squares / (count - 1.0)))
}

/// The quantile of Student's t for a probability of at least one half and at least one degree of
/// freedom.
pub fn quantile(probability: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while below(high, freedom) < probability && high < 1e12 {
        (low, high) = (high, high * 2.0);
    }
    // 100 halvings exceed the precision of an f64.
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if below(middle, freedom) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The cumulative distribution at `t ≥ 0`: `1 − ½ I_x(ν/2, ½)` at `x = ν / (ν + t²)`.
fn below(t: f64, freedom: f64) -> f64 {
    let x = freedom / (freedom + t * t);
    1.0 - 0.5 * incomplete_beta(x, 0.5 * freedom, 0.5)
}

/// The regularised incomplete beta function (continued fraction, DLMF 8.17.22).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let log_front = a * x.ln() + b * (1.0 - x).ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    // Lentz's method.
    let tiny = 1e-300;
    let (mut c, mut d) = (1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 + term * d;
            d = 1.0 / if d.abs() < tiny { tiny } else { d };
            c = 1.0 + term / c;
            c = if c.abs() < tiny { tiny } else { c };
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    log_front.exp() * fraction / a
}

/// The logarithm of the gamma function of a positive number: Stirling's series (DLMF 5.11.1) for
/// large arguments, to which the recurrence leads.
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut x = x;
    while x < 15.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square)
        / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-10, "{found} is not {expected}");
    }

    /// `scipy.stats.t.ppf(p, df)` of scipy 1.17.1.
    #[test]
    fn quantiles_of_scipy() {
        for (probability, freedom, expected) in [
            (0.975, 1.0, 12.706204736174694),
            (0.975, 2.0, 4.302652729749462),
            (0.975, 3.0, 3.1824463052837078),
            (0.975, 4.7, 2.62072607535317),
            (0.975, 19.0, 2.0930240544083087),
            (0.975, 1.3, 7.500529325562029),
            (0.975, 250.5, 1.969479272051676),
            (0.975, 1e6, 1.959966356814107),
            (0.9, 7.0, 1.4149239276505086),
        ] {
            near(quantile(probability, freedom), expected);
        }
        assert!(quantile(0.5, 5.0) < 1e-15);
    }

    const A: [f64; 4] = [0.79, 0.81, 0.77, 0.84];

    /// `scipy.stats.ttest_rel(b, a).confidence_interval(0.95)` of scipy 1.17.1.
    #[test]
    fn paired_interval_of_scipy() {
        let b = [0.54, 0.53, 0.58, 0.55];
        let differences: Vec<f64> = b.iter().zip(A).map(|(b, a)| b - a).collect();
        let found = Interval::paired(&differences).unwrap();
        near(found.mean, -0.2525);
        near(found.low, -0.32410504186888334);
        near(found.high, -0.18089495813111664);
        assert!(found.excludes_zero());
    }

    /// `scipy.stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)` of scipy 1.17.1.
    #[test]
    fn welch_interval_of_scipy() {
        let b = [0.54, 0.53, 0.58, 0.55, 0.61, 0.50, 0.57];
        let found = Interval::welch(&A, &b).unwrap();
        near(found.mean, -0.24821428571428572);
        near(found.low, -0.2953685195624157);
        near(found.high, -0.2010600518661557);
    }

    #[test]
    fn one_number_has_no_interval() {
        assert_eq!(Interval::paired(&[1.0]), None);
        assert_eq!(Interval::welch(&[1.0], &A), None);
    }

    #[test]
    fn equal_numbers_leave_no_doubt() {
        let same = Interval::paired(&[0.0, 0.0, 0.0]).unwrap();
        assert_eq!((same.low, same.high), (0.0, 0.0));
        assert!(!same.excludes_zero());
    }
}
