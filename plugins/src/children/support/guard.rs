//! What a child does where the subsets showed nothing: rows far from them, rows of which
//! nothing is known, and corrections larger than any that was seen.

use engine::artifact::WeightTable;
use engine::words;
use faer::{Mat, Side};
use serde::{Deserialize, Serialize};

words! {
    /// What happens to rows whose predictors are far from those of the subsets.
    pub enum Outside {
        /// The regression is evaluated there as everywhere.
        Keep = "keep",
        /// The parent's weights are taken as they are.
        Parent = "parent",
        /// Beyond the range of the subsets the regression goes on as a straight line.
        Linear = "linear",
    }
}

words! {
    /// What happens to rows that lack a predictor.
    pub enum Missing {
        /// They have no prediction and are not scored.
        LeaveOut = "leave_out",
        /// The parent's weights are taken as they are.
        Parent = "parent",
    }
}

/// The safeguards of a child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Where the subsets lie among the predictors.
    pub cloud: Cloud,
    /// The Mahalanobis distance from there beyond which predictors are not trusted.
    pub trust: f64,
    /// What happens to rows beyond it.
    pub outside: Outside,
    /// What happens to rows without a predictor.
    pub missing: Missing,
}

impl Default for Guard {
    /// Trusts everything.
    fn default() -> Self {
        Self {
            cloud: Cloud::default(),
            trust: 0.0,
            outside: Outside::Keep,
            missing: Missing::LeaveOut,
        }
    }
}

impl Guard {
    /// Whether standardised predictors are farther from the subsets than is trusted.
    pub fn is_outside(&self, standardised: &[f64]) -> bool {
        self.cloud.distance(standardised) > self.trust
    }

    /// Whether a row with these standardised predictors has the parent's weights.
    pub fn falls_back(&self, standardised: &[f64]) -> bool {
        match standardised.iter().all(|value| value.is_finite()) {
            true => self.outside == Outside::Parent && self.is_outside(standardised),
            false => self.missing == Missing::Parent,
        }
    }
}

/// Mean and inverse covariance of the predictors of the subsets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    mean: Vec<f64>,
    /// Row after row.
    precision: Vec<f64>,
}

/// Directions in which the subsets vary by less than this share of the variance of the widest
/// count as if they varied by so much: leaving the subsets there is far, but not infinitely.
const FLAT: f64 = 1e-9;

impl Cloud {
    /// Of points with a number for each predictor; the covariance is over their count less one.
    pub fn of(points: &[Vec<f64>]) -> Self {
        let width = points.first().map_or(0, Vec::len);
        let count = points.len() as f64;
        let mean: Vec<f64> = (0..width)
            .map(|column| points.iter().map(|point| point[column]).sum::<f64>() / count)
            .collect();
        let covariance = Mat::from_fn(width, width, |a, b| {
            let product = |point: &Vec<f64>| (point[a] - mean[a]) * (point[b] - mean[b]);
            points.iter().map(product).sum::<f64>() / (count - 1.0).max(1.0)
        });
        let Ok(modes) = covariance.self_adjoint_eigen(Side::Lower) else {
            return Self::default();
        };
        let (vectors, values) = (modes.U(), modes.S().column_vector());
        let widest = values.iter().copied().fold(0.0, f64::max);
        // Points that do not vary at all are as wide as a standardised predictor.
        let least = if widest > 0.0 { FLAT * widest } else { FLAT };
        let precision = (0..width * width)
            .map(|at| {
                let (a, b) = (at / width, at % width);
                let part = |mode| vectors[(a, mode)] * vectors[(b, mode)] / values[mode].max(least);
                (0..width).map(part).sum()
            })
            .collect();
        Self { mean, precision }
    }

    /// The Mahalanobis distance of a point; 0 where nothing is known of the subsets.
    pub fn distance(&self, point: &[f64]) -> f64 {
        let from = point.iter().zip(&self.mean).map(|(x, mean)| x - mean);
        let rows = self.precision.chunks_exact(self.mean.len().max(1));
        let dot = |row: &[f64]| -> f64 { row.iter().zip(from.clone()).map(|(p, b)| p * b).sum() };
        let square: f64 = rows.zip(from.clone()).map(|(row, a)| a * dot(row)).sum();
        square.max(0.0).sqrt()
    }
}

/// The range each weight's correction is kept in.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The least correction of each weight.
    pub low: Vec<f32>,
    /// The largest.
    pub high: Vec<f32>,
}

impl Clip {
    /// The range of the anomalies that did not diverge, widened around its middle.
    pub fn of(anomalies: &WeightTable, times: f64) -> Self {
        let weights = anomalies.layout.len();
        let mut low = vec![f32::INFINITY; weights];
        let mut high = vec![f32::NEG_INFINITY; weights];
        for row in (0..anomalies.rows()).map(|row| anomalies.row(row)) {
            if row.iter().all(|weight| weight.is_finite()) {
                for ((low, high), weight) in low.iter_mut().zip(&mut high).zip(row) {
                    *low = low.min(*weight);
                    *high = high.max(*weight);
                }
            }
        }
        for (low, high) in low.iter_mut().zip(&mut high) {
            let (middle, half) = ((*low + *high) / 2.0, (*high - *low) / 2.0);
            let half = half * times as f32;
            (*low, *high) = (middle - half, middle + half);
        }
        Self { low, high }
    }

    /// Brings corrections into their ranges; how many were out of it.
    pub fn apply(&self, corrections: &mut [f64]) -> usize {
        let mut clipped = 0;
        for ((correction, low), high) in corrections.iter_mut().zip(&self.low).zip(&self.high) {
            let kept = correction.max(f64::from(*low)).min(f64::from(*high));
            clipped += usize::from(kept != *correction);
            *correction = kept;
        }
        clipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_agree_with_scipy() {
        // p = np.array([[0, 1], [1, 3], [2, 2], [3, 5], [4, 4.5]])
        // vi = np.linalg.inv(np.cov(p.T))
        // scipy.spatial.distance.mahalanobis(x, p.mean(0), vi) for x in [5, 1], [2, 3], [-7, 9]
        let points = [[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [3.0, 5.0], [4.0, 4.5]];
        let cloud = Cloud::of(&points.map(|point| point.to_vec()));
        for (point, expected) in [
            ([5.0, 1.0], 5.77313019583523),
            ([2.0, 3.0], 0.11359236684941307),
            ([-7.0, 9.0], 16.890921401938133),
        ] {
            let distance = cloud.distance(&point);
            assert!(
                (distance - expected).abs() < 1e-12 * expected.max(1.0),
                "{distance}"
            );
        }
    }

    #[test]
    fn distances_agree_with_scikit_learn() {
        let golden = crate::golden::methods();
        let points: Vec<Vec<f64>> = golden.z.iter().map(|z| z.to_vec()).collect();
        let cloud = Cloud::of(&points);
        for (point, expected) in golden.at.iter().zip(&golden.distances) {
            let distance = cloud.distance(point);
            assert!((distance - expected).abs() < 1e-10, "{distance} {expected}");
        }
    }

    #[test]
    fn leaving_a_line_of_subsets_is_far() {
        let points: Vec<Vec<f64>> = (0..9)
            .map(|x| vec![f64::from(x), 2.0 * f64::from(x)])
            .collect();
        let cloud = Cloud::of(&points);
        assert!(cloud.distance(&[8.0, 16.0]) < 2.0);
        assert!(cloud.distance(&[4.0, 9.0]) > 1000.0);
        assert_eq!(Cloud::default().distance(&[7.0]), 0.0);
        assert!(Cloud::of(&[vec![1.0], vec![1.0]]).distance(&[2.0]) > 1000.0);
    }
}
