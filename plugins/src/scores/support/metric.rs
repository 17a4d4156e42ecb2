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
            Metric::Rmse | Metric::Mae | Metric::Bias | Metric::Spread
        )
    }

    /// Its value for predictions of the truth, one for one; `parent` are the parent's.
    ///
    /// `None` where it is not a finite number: a prediction is not finite, nothing varies,
    /// there is no parent to compare with, or it is of ensembles only.
    pub fn of(self, predictions: &[f64], truth: &[f64], parent: Option<&[f64]>) -> Option<f64> {
        let value = match self {
            Metric::Rmse => mse(predictions, truth).sqrt(),
            Metric::Mae => mean(errors(predictions, truth).map(f64::abs)),
            Metric::Bias => mean(errors(predictions, truth)),
            Metric::Correlation => correlation(predictions, truth),
            Metric::Skill => 1.0 - mse(predictions, truth) / mse(parent?, truth),
            Metric::R2 => 1.0 - mse(predictions, truth) / variance(truth),
            Metric::Spread | Metric::SpreadRatio => return None,
        };
        value.is_finite().then_some(value)
    }
}

fn errors(predictions: &[f64], truth: &[f64]) -> impl Iterator<Item = f64> {
    predictions.iter().zip(truth).map(|(p, t)| p - t)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

fn mse(predictions: &[f64], truth: &[f64]) -> f64 {
    mean(errors(predictions, truth).map(|error| error * error))
}

fn variance(values: &[f64]) -> f64 {
    let center = mean(values.iter().copied());
    mean(values.iter().map(|value| (value - center).powi(2)))
}

/// Pearson's correlation; NaN where one of them does not vary.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    let covariance = mean(a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)));
    covariance / (variance(a).sqrt() * variance(b).sqrt())
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
            let value = metric.of(&found, &truth, Some(&parent)).unwrap();
            assert!((value - expected).abs() < 1e-15, "{metric:?} {value}");
        }
    }

    #[test]
    fn what_does_not_exist_is_not_made_up() {
        let (truth, flat) = ([1.0, 2.0], [5.0, 5.0]);
        assert_eq!(Metric::Rmse.of(&[1.0, f64::NAN], &truth, None), None);
        assert_eq!(Metric::Bias.of(&[1.0, f64::INFINITY], &truth, None), None);
        assert_eq!(Metric::Correlation.of(&flat, &truth, None), None);
        assert_eq!(Metric::R2.of(&truth, &flat, None), None);
        assert_eq!(Metric::Skill.of(&flat, &truth, None), None);
        assert_eq!(Metric::Skill.of(&flat, &truth, Some(&truth)), None);
    }
}
