//! What is measured between predictions and the truth.

use engine::words;

words! {
    /// A number that says how far predictions are from the truth.
    pub enum Metric {
        /// Root of the mean squared error, in the unit of the target.
        Rmse = "rmse",
        /// Mean absolute error, in the unit of the target.
        Mae = "mae",
        /// Mean of prediction less truth, in the unit of the target.
        Bias = "bias",
        /// Pearson's correlation of prediction and truth.
        Correlation = "correlation",
        /// 1 less the mean squared error divided by the parent's: positive where better.
        Skill = "skill",
        /// 1 less the squared error divided by that of the mean of the truth.
        R2 = "r2",
        /// Correlation of prediction and truth, each less the climatology of its row; needs
        /// `climatology`.
        AnomalyCorrelation = "anomaly_correlation",
        /// Continuous ranked probability score of the members, in the unit of the target; of
        /// ensembles only. Of one member it is the mean absolute error.
        Crps = "crps",
        /// Standard deviation of the members around their mean, in the unit of the target;
        /// of ensembles only.
        Spread = "spread",
        /// The spread divided by the error of the mean: 1 where the spread tells the error.
        SpreadRatio = "spread_ratio",
    }
}

impl Metric {
    /// Whether its values are in the unit of the target.
    pub fn has_unit(self) -> bool {
        matches!(
            self,
            Metric::Rmse | Metric::Mae | Metric::Bias | Metric::Crps | Metric::Spread
        )
    }

    /// Whether it is of all members together.
    pub fn is_of_ensembles(self) -> bool {
        matches!(self, Metric::Crps | Metric::Spread | Metric::SpreadRatio)
    }

    /// Whether it follows from what rows are away from a mean, which only a second pass over them
    /// tells.
    pub fn is_of_variation(self) -> bool {
        self.is_correlation() || self == Metric::R2
    }

    /// Whether the predictions themselves are needed in that pass.
    pub fn is_correlation(self) -> bool {
        matches!(self, Metric::Correlation | Metric::AnomalyCorrelation)
    }

    /// Its value for predictions of some rows, one for one.
    ///
    /// `None` where it is not a finite number: a prediction is not finite, nothing varies,
    /// there is no parent to compare with, or it is of ensembles only.
    pub fn of(self, predictions: &[f64], rows: &Rows<'_>) -> Option<f64> {
        let row = |(at, truth): (usize, &f64)| ScoredRow {
            truth: *truth,
            usual: rows.climatology.map_or(f64::NAN, |usual| usual[at]),
            weight: rows.weights.map_or(1.0, |weights| weights[at]),
        };
        let all: Vec<ScoredRow> = rows.truth.iter().enumerate().map(row).collect();
        let sums = |predictions: &[f64]| {
            let mut sums = Sums::default();
            let rows = predictions.iter().zip(&all);
            rows.for_each(|(value, row)| sums.add(*value, row));
            sums
        };
        let (mut own, mut truth) = (sums(predictions), TruthSums::default());
        all.iter().for_each(|row| truth.add(row));
        if self.is_of_variation() {
            truth.center();
            own.center(&truth);
            all.iter().for_each(|row| truth.add_again(row));
            let rows = predictions.iter().zip(&all);
            rows.for_each(|(value, row)| own.add_again(*value, row, &truth));
        }
        self.of_sums(&own, &truth, rows.parent.map(sums).as_ref())
    }

    /// Its value by the sums over some rows; `None` as for [`of`](Self::of).
    pub fn of_sums(self, own: &Sums, truth: &TruthSums, parent: Option<&Sums>) -> Option<f64> {
        let mean = |sum: f64| sum / truth.total;
        let correlation = |covariance: f64, own: f64, truth: f64| {
            mean(covariance) / (mean(own).sqrt() * mean(truth).sqrt())
        };
        let value = match self {
            Metric::Rmse => mean(own.square).sqrt(),
            Metric::Mae => mean(own.absolute),
            Metric::Bias => mean(own.error),
            Metric::Correlation => {
                correlation(own.covariance, own.value.variance, truth.value.variance)
            }
            Metric::AnomalyCorrelation => correlation(
                own.unusual_covariance,
                own.unusual.variance,
                truth.unusual.variance,
            ),
            Metric::Skill => 1.0 - mean(own.square) / mean(parent?.square),
            Metric::R2 => 1.0 - mean(own.square) / mean(truth.value.variance),
            Metric::Crps | Metric::Spread | Metric::SpreadRatio => return None,
        };
        value.is_finite().then_some(value)
    }
}

/// What is known of the rows that predictions are of.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The truth.
    pub truth: &'a [f64],
    /// The parent's predictions.
    pub parent: Option<&'a [f64]>,
    /// How much each row counts; all the same when left out.
    pub weights: Option<&'a [f64]>,
    /// What is usual.
    pub climatology: Option<&'a [f64]>,
}

/// What is known of one row.
#[derive(Clone, Copy, Debug)]
pub struct ScoredRow {
    /// The truth.
    pub truth: f64,
    /// What is usual.
    pub usual: f64,
    /// How much it counts.
    pub weight: f64,
}

impl ScoredRow {
    /// Adds a value to a sum; what does not count must not spoil it.
    #[inline(always)]
    pub fn count(&self, sum: &mut f64, value: f64) {
        if self.weight > 0.0 {
            *sum += self.weight * value;
        }
    }
}

/// A mean, then the squares of what rows are away from it.
#[derive(Clone, Copy, Debug, Default)]
struct Variation {
    sum: f64,
    mean: f64,
    variance: f64,
}

impl Variation {
    #[inline(always)]
    fn add_again(&mut self, value: f64, row: &ScoredRow) -> f64 {
        let away = value - self.mean;
        row.count(&mut self.variance, away.powi(2));
        away
    }
}

/// Sums of the truth over rows, in the order they come.
#[derive(Clone, Copy, Debug, Default)]
pub struct TruthSums {
    /// How much the rows count in all.
    pub total: f64,
    value: Variation,
    unusual: Variation,
}

impl TruthSums {
    /// Adds a row.
    #[inline(always)]
    pub fn add(&mut self, row: &ScoredRow) {
        row.count(&mut self.total, 1.0);
        row.count(&mut self.value.sum, row.truth);
        row.count(&mut self.unusual.sum, row.truth - row.usual);
    }

    /// After all rows, before they are added again.
    pub fn center(&mut self) {
        self.value.mean = self.value.sum / self.total;
        self.unusual.mean = self.unusual.sum / self.total;
    }

    /// Adds a row once more.
    #[inline(always)]
    pub fn add_again(&mut self, row: &ScoredRow) {
        self.value.add_again(row.truth, row);
        self.unusual.add_again(row.truth - row.usual, row);
    }
}

/// Sums of predictions over rows, in the order they come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    error: f64,
    absolute: f64,
    square: f64,
    value: Variation,
    unusual: Variation,
    covariance: f64,
    unusual_covariance: f64,
}

impl Sums {
    /// Adds the prediction of a row.
    #[inline(always)]
    pub fn add(&mut self, value: f64, row: &ScoredRow) {
        let error = value - row.truth;
        row.count(&mut self.error, error);
        row.count(&mut self.absolute, error.abs());
        row.count(&mut self.square, error * error);
        row.count(&mut self.value.sum, value);
        row.count(&mut self.unusual.sum, value - row.usual);
    }

    /// After all rows, before they are added again.
    pub fn center(&mut self, truth: &TruthSums) {
        self.value.mean = self.value.sum / truth.total;
        self.unusual.mean = self.unusual.sum / truth.total;
    }

    /// Adds the prediction of a row once more.
    #[inline(always)]
    pub fn add_again(&mut self, value: f64, row: &ScoredRow, truth: &TruthSums) {
        let away = self.value.add_again(value, row);
        row.count(&mut self.covariance, away * (row.truth - truth.value.mean));
        let away = self.unusual.add_again(value - row.usual, row);
        let usual = row.truth - row.usual - truth.unusual.mean;
        row.count(&mut self.unusual_covariance, away * usual);
    }
}

/// The continuous ranked probability score of the members in one row: the mean of `|x - truth|`
/// over members less half the mean of `|x - x'|` over pairs of them (Gneiting and Raftery 2007,
/// equation 21).
pub(crate) fn crps(members: &mut [f64], truth: f64) -> f64 {
    let count = members.len() as f64;
    members.sort_by(f64::total_cmp);
    let away: f64 = members.iter().map(|value| (value - truth).abs()).sum();
    // Over all pairs of sorted values: each is the larger of those before it.
    let apart = members.iter().enumerate();
    let apart: f64 = apart
        .map(|(at, value)| value * (2.0 * at as f64 + 1.0 - count))
        .sum();
    away / count - apart / (count * count)
}

/// The variance of the members in one row, of their count less one.
pub(crate) fn variance_of(members: &[f64]) -> f64 {
    let count = members.len() as f64;
    let mean = members.iter().sum::<f64>() / count;
    let squares = members.iter().map(|value| (value - mean).powi(2));
    squares.sum::<f64>() / (count - 1.0)
}

/// Pearson's correlation; NaN where one of them does not vary.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let rows = Rows {
        truth: b,
        parent: None,
        weights: None,
        climatology: None,
    };
    Metric::Correlation.of(a, &rows).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_those_worked_out_by_hand() {
        // Errors 1, -1, 2, 0: squares 1 + 1 + 4 + 0 = 6. Truth 1 2 3 4: mean 2.5, variance
        // 1.25. Predictions 2 1 5 4: mean 3, variance (1 + 4 + 4 + 1) / 4 = 2.5; covariance
        // (1.5 + 1 + 1 + 1.5) / 4 = 1.25. The parent's errors 2, 2, 2, 0: squares 12.
        let (truth, found) = ([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 5.0, 4.0]);
        let parent = [3.0, 4.0, 5.0, 4.0];
        for (metric, expected) in [
            (Metric::Rmse, 1.5f64.sqrt()),
            (Metric::Mae, 1.0),
            (Metric::Bias, 0.5),
            (Metric::Correlation, 1.25 / (1.25f64 * 2.5).sqrt()),
            (Metric::Skill, 0.5),
            (Metric::R2, 1.0 - 1.5 / 1.25),
        ] {
            let rows = rows(&truth, Some(&parent));
            let value = metric.of(&found, &rows).unwrap();
            assert!((value - expected).abs() < 1e-15, "{metric:?} {value}");
        }
    }

    // numpy: np.average(…, weights=w) of the errors 1, -1 and 2, and np.cov(…, aweights=w); the last
    // row does not count.
    #[test]
    fn rows_count_by_their_weights() {
        let (truth, found) = ([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 5.0, f64::NAN]);
        let climatology = [0.5, 1.0, 3.5, 0.0];
        let rows = Rows {
            weights: Some(&[1.0, 2.0, 1.0, 0.0]),
            climatology: Some(&climatology),
            ..rows(&truth, None)
        };
        for (metric, expected) in [
            (Metric::Rmse, (7.0f64 / 4.0).sqrt()),
            (Metric::Bias, 0.25),
            (Metric::Mae, 1.25),
            // Means 2.25 and 2; covariance 0.75, variances 2.6875 and 0.5.
            (Metric::Correlation, 0.75 / (2.6875f64 * 0.5).sqrt()),
            // Anomalies 1.5, 0, 1.5 and 0.5, 1, -0.5: means 0.75 and 0.5, covariance -0.375,
            // variances 0.5625 and 0.375.
            (
                Metric::AnomalyCorrelation,
                -0.375 / (0.5625f64 * 0.375).sqrt(),
            ),
        ] {
            let value = metric.of(&found, &rows).unwrap();
            assert!(
                (value - expected).abs() < 1e-15,
                "{metric:?} {value} {expected}"
            );
        }
    }

    // By hand: |x - truth| is 0.5, 0.5, 2.5; pairs of members are 1, 3 and 2 apart, each twice. In
    // the second row all are right.
    #[test]
    fn crps_and_variance_are_those_of_the_members() {
        let apart = 3.5 / 3.0 - 12.0 / 18.0;
        assert!((crps(&mut [3.0, 0.0, 1.0], 0.5) - apart).abs() < 1e-15);
        assert_eq!(crps(&mut [2.0; 3], 2.0), 0.0);
        assert_eq!(crps(&mut [0.0], 0.5), 0.5);
        // Around 4 / 3: 16 / 9, 1 / 9 and 25 / 9.
        assert!((variance_of(&[0.0, 1.0, 3.0]) - 7.0 / 3.0).abs() < 1e-15);
        assert!(variance_of(&[1.0]).is_nan());
    }

    fn rows<'a>(truth: &'a [f64], parent: Option<&'a [f64]>) -> Rows<'a> {
        Rows {
            truth,
            parent,
            weights: None,
            climatology: None,
        }
    }

    #[test]
    fn what_does_not_exist_is_not_made_up() {
        let (truth, flat) = ([1.0, 2.0], [5.0, 5.0]);
        assert_eq!(Metric::Rmse.of(&[1.0, f64::NAN], &rows(&truth, None)), None);
        assert_eq!(
            Metric::Bias.of(&[1.0, f64::INFINITY], &rows(&truth, None)),
            None
        );
        assert_eq!(Metric::Correlation.of(&flat, &rows(&truth, None)), None);
        assert_eq!(Metric::R2.of(&truth, &rows(&flat, None)), None);
        assert_eq!(Metric::Skill.of(&flat, &rows(&truth, None)), None);
        assert_eq!(Metric::Skill.of(&flat, &rows(&truth, Some(&truth))), None);
    }
}
