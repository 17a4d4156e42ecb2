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

    /// Its value for predictions of some rows, one for one.
    ///
    /// `None` where it is not a finite number: a prediction is not finite, nothing varies,
    /// there is no parent to compare with, or it is of ensembles only.
    pub fn of(self, predictions: &[f64], rows: &Rows<'_>) -> Option<f64> {
        let Rows {
            truth,
            weights,
            climatology,
            ..
        } = *rows;
        let mse = |predictions: &[f64]| {
            mean(
                errors(predictions, truth).map(|error| error * error),
                weights,
            )
        };
        let value = match self {
            Metric::Rmse => mse(predictions).sqrt(),
            Metric::Mae => mean(errors(predictions, truth).map(f64::abs), weights),
            Metric::Bias => mean(errors(predictions, truth), weights),
            Metric::Correlation => weighted_correlation(predictions, truth, weights),
            Metric::AnomalyCorrelation => {
                let usual = climatology.unwrap_or_default();
                let unusual = |values: &[f64]| errors(values, usual).collect::<Vec<f64>>();
                weighted_correlation(&unusual(predictions), &unusual(truth), weights)
            }
            Metric::Skill => 1.0 - mse(predictions) / mse(rows.parent?),
            Metric::R2 => 1.0 - mse(predictions) / variance(truth, weights),
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

/// The continuous ranked probability score of the members over rows: the mean of `|x - truth|`
/// over members less half the mean of `|x - x'|` over pairs of them (Gneiting and Raftery 2007,
/// equation 21).
pub(crate) fn crps<M: AsRef<[f64]>>(
    members: &[M],
    truth: &[f64],
    weights: Option<&[f64]>,
) -> Option<f64> {
    let count = members.len() as f64;
    let of_row = |(row, truth): (usize, &f64)| {
        let mut values: Vec<f64> = members.iter().map(|member| member.as_ref()[row]).collect();
        values.sort_by(f64::total_cmp);
        let away: f64 = values.iter().map(|value| (value - truth).abs()).sum();
        // Over all pairs of sorted values: each is the larger of those before it.
        let apart = values.iter().enumerate();
        let apart: f64 = apart
            .map(|(at, value)| value * (2.0 * at as f64 + 1.0 - count))
            .sum();
        away / count - apart / (count * count)
    };
    let value = mean(truth.iter().enumerate().map(of_row), weights);
    value.is_finite().then_some(value)
}

fn errors(predictions: &[f64], truth: &[f64]) -> impl Iterator<Item = f64> {
    predictions.iter().zip(truth).map(|(p, t)| p - t)
}

pub(crate) fn mean(values: impl Iterator<Item = f64>, weights: Option<&[f64]>) -> f64 {
    let Some(weights) = weights else {
        let (sum, count) =
            values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        return sum / count;
    };
    // What does not count must not spoil the sum.
    let counted = values.zip(weights).filter(|(_, weight)| **weight > 0.0);
    let (sum, total) = counted.fold((0.0, 0.0), |(sum, total), (value, weight)| {
        (sum + weight * value, total + weight)
    });
    sum / total
}

fn variance(values: &[f64], weights: Option<&[f64]>) -> f64 {
    let center = mean(values.iter().copied(), weights);
    mean(values.iter().map(|value| (value - center).powi(2)), weights)
}

/// Pearson's correlation; NaN where one of them does not vary.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    weighted_correlation(a, b, None)
}

fn weighted_correlation(a: &[f64], b: &[f64], weights: Option<&[f64]>) -> f64 {
    let center = |values: &[f64]| mean(values.iter().copied(), weights);
    let (mean_a, mean_b) = (center(a), center(b));
    let products = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b));
    let covariance = mean(products, weights);
    covariance / (variance(a, weights).sqrt() * variance(b, weights).sqrt())
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
    fn crps_is_that_of_the_members() {
        let members = [vec![0.0, 2.0], vec![1.0, 2.0], vec![3.0, 2.0]];
        let apart = 3.5 / 3.0 - 12.0 / 18.0;
        assert!((crps(&members, &[0.5, 2.0], None).unwrap() - apart / 2.0).abs() < 1e-15);
        let first = crps(&members, &[0.5, 2.0], Some(&[1.0, 0.0])).unwrap();
        assert!((first - apart).abs() < 1e-15);
        assert_eq!(crps(&members[..1], &[0.5, 2.0], None), Some(0.25));
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
