//! What the fit of a linear map makes small, with its gradient.

use engine::words;

words! {
    /// How the length of a move of all weights is measured.
    pub enum Norm {
        /// The mean of the absolute moves.
        L1 = "l1",
        /// The root of the mean of the squared moves.
        L2 = "l2",
    }
}

/// What is made small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// The L1 loss and `beta` times L_grad (Shou et al. 2025), moves measured by a norm.
    Absolute {
        /// The share of L_grad.
        beta: f64,
        /// How moves are measured.
        norm: Norm,
    },
    /// The squared error.
    Squared,
}

/// Predictions of some weights at all horizons against the truth.
pub struct Batch<'a> {
    /// `[weights, horizons]`.
    pub predictions: &'a [f64],
    /// `[weights, horizons]`.
    pub truth: &'a [f64],
    /// The last state observed, `[weights]`.
    pub last: &'a [f64],
    /// The way from the last step observed to the first horizon, and from each horizon to the
    /// next, in units of their mean.
    pub gaps: &'a [f64],
}

impl Objective {
    /// Whether it is the mean of absolute deviations and nothing else.
    pub fn is_mean_deviation(self) -> bool {
        matches!(self, Objective::Absolute { beta: 0.0, .. })
    }

    /// The objective of a batch; its derivatives by the predictions are added to `gradient`.
    pub fn evaluate(self, batch: &Batch, gradient: &mut [f64]) -> f64 {
        let share = 1.0 / batch.last.len() as f64;
        let residuals = batch
            .predictions
            .iter()
            .zip(batch.truth)
            .map(|(p, t)| p - t);
        let mut sum = 0.0;
        for (derivative, residual) in gradient.iter_mut().zip(residuals) {
            let (part, slope) = match self {
                Objective::Absolute { .. } => (residual.abs(), sign(residual)),
                Objective::Squared => (residual * residual, 2.0 * residual),
            };
            sum += part;
            *derivative += slope * share;
        }
        match self {
            Objective::Absolute { beta, norm } if beta > 0.0 => {
                sum * share + beta * acceleration(batch, norm, beta, gradient)
            }
            _ => sum * share,
        }
    }
}

/// `L_grad = Σ_j max(v_{j+1} − v_j, 0)`, `v_j` the length of the move to horizon `j` divided by
/// the way there; its derivatives times `beta` are added to `gradient`.
fn acceleration(batch: &Batch, norm: Norm, beta: f64, gradient: &mut [f64]) -> f64 {
    let horizons = batch.gaps.len();
    let weights = batch.last.len() as f64;
    let move_to = |weight: usize, horizon: usize| {
        let row = &batch.predictions[weight * horizons..][..horizons];
        let before = match horizon {
            0 => batch.last[weight],
            _ => row[horizon - 1],
        };
        (row[horizon] - before) / batch.gaps[horizon]
    };
    let moves = |horizon| (0..batch.last.len()).map(move |weight| move_to(weight, horizon));
    let speeds: Vec<f64> = (0..horizons)
        .map(|horizon| match norm {
            Norm::L1 => moves(horizon).map(f64::abs).sum::<f64>() / weights,
            Norm::L2 => (moves(horizon).map(|v| v * v).sum::<f64>() / weights).sqrt(),
        })
        .collect();
    let mut sum = 0.0;
    // How often the speed at each horizon counts: once more where it grows into it, once less
    // where it grows from it.
    let mut counts = vec![0.0; horizons];
    for horizon in 1..horizons {
        let growth = speeds[horizon] - speeds[horizon - 1];
        if growth > 0.0 {
            sum += growth;
            counts[horizon] += 1.0;
            counts[horizon - 1] -= 1.0;
        }
    }
    for horizon in (0..horizons).filter(|horizon| counts[*horizon] != 0.0) {
        let scale = beta * counts[horizon] / (weights * batch.gaps[horizon]);
        for weight in 0..batch.last.len() {
            let slope = match (norm, move_to(weight, horizon)) {
                (Norm::L1, v) => sign(v),
                (Norm::L2, _) if speeds[horizon] == 0.0 => 0.0,
                (Norm::L2, v) => v / speeds[horizon],
            };
            gradient[weight * horizons + horizon] += scale * slope;
            if horizon > 0 {
                gradient[weight * horizons + horizon - 1] -= scale * slope;
            }
        }
    }
    sum
}

/// -1, 0 or 1.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, salt: usize) -> Vec<f64> {
        (0..count)
            .map(|k| ((k * 37 + salt * 101) as f64 * 0.618).sin())
            .collect()
    }

    fn value(objective: Objective, predictions: &[f64]) -> (f64, Vec<f64>) {
        let batch = Batch {
            predictions,
            truth: &numbers(20, 1),
            last: &numbers(5, 2),
            gaps: &[0.4, 1.2, 1.2, 1.2],
        };
        let mut gradient = vec![0.0; 20];
        (objective.evaluate(&batch, &mut gradient), gradient)
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let predictions = numbers(20, 3);
        for objective in [
            Objective::Squared,
            Objective::Absolute {
                beta: 0.0,
                norm: Norm::L1,
            },
            Objective::Absolute {
                beta: 0.7,
                norm: Norm::L1,
            },
            Objective::Absolute {
                beta: 0.7,
                norm: Norm::L2,
            },
        ] {
            let (_, gradient) = value(objective, &predictions);
            for at in 0..20 {
                let [above, below] = [1e-6, -1e-6].map(|step| {
                    let mut moved = predictions.clone();
                    moved[at] += step;
                    value(objective, &moved).0
                });
                let expected = (above - below) / 2e-6;
                assert!((gradient[at] - expected).abs() < 1e-8, "{objective:?} {at}");
            }
        }
    }

    #[test]
    fn the_loss_is_that_of_the_paper() {
        // Two weights, two horizons one step apart. Residuals 1, 0 and 0, 2: the mean of the L1
        // norms is (1 + 2) / 2. Moves 1, 2 and 0, -3: speeds 1/2, 5/2 by L1; by L2
        // sqrt(1/2), sqrt(13/2).
        let batch = Batch {
            predictions: &[1.0, 3.0, 5.0, 2.0],
            truth: &[0.0, 3.0, 5.0, 4.0],
            last: &[0.0, 5.0],
            gaps: &[1.0, 1.0],
        };
        for (norm, growth) in [(Norm::L1, 2.0), (Norm::L2, 6.5f64.sqrt() - 0.5f64.sqrt())] {
            let found = Objective::Absolute { beta: 0.5, norm }.evaluate(&batch, &mut [0.0; 4]);
            assert!((found - (1.5 + 0.5 * growth)).abs() < 1e-15);
        }
    }
}
