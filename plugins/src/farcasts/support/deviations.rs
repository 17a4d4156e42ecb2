//! Least absolute deviations: the linear map whose mean absolute error is smallest.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

/// Iterations at most; some sixty are usual.
const MOST: usize = 300;

/// Deviations below this share of their mean count as that, so that weights stay finite.
const FLOOR: f64 = 1e-7;

/// Iterations end when the loss changes by no larger share.
const SETTLED: f64 = 1e-10;

/// Slopes and offset of `y ≈ Σ_i a_i x_i + b` with the smallest mean of `|y − ŷ|`.
///
/// Least squares weighted by one over the deviation, again and again (Schlossmacher 1973) from
/// `start` on, the least deviation that differs from zero halved each time. `examples` has of each,
/// one after the other, as many inputs as `start` has slopes, a one, and `y`.
pub fn least_absolute(examples: &[f64], start: &[f64]) -> Vec<f64> {
    let mut errors = deviations(examples, start);
    let first = mean(&errors);
    let (mut best, mut before, mut least) = ((first, start.to_vec()), first, first);
    for _ in 0..MOST {
        let weights: Vec<f64> = errors.iter().map(|error| 1.0 / error.max(least)).collect();
        // An exact start has no deviations to weigh by.
        let is_exact = least == 0.0;
        let Some(map) = (!is_exact)
            .then(|| weighted(examples, &weights, start.len()))
            .flatten()
        else {
            break;
        };
        errors = deviations(examples, &map);
        let loss = mean(&errors);
        let is_settled = (before - loss).abs() <= SETTLED * loss;
        before = loss;
        if loss < best.0 {
            best = (loss, map);
        }
        if least <= FLOOR * first && is_settled {
            break;
        }
        least = (least / 2.0).max(FLOOR * first);
    }
    best.1
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// `|y − ŷ|` of every example.
fn deviations(examples: &[f64], map: &[f64]) -> Vec<f64> {
    let (offset, slopes) = (map[map.len() - 1], &map[..map.len() - 1]);
    let error = |example: &[f64]| {
        let parts = slopes.iter().zip(example);
        let parts = parts.map(|(slope, value)| slope * value);
        (offset + parts.sum::<f64>() - example[map.len()]).abs()
    };
    examples.chunks_exact(map.len() + 1).map(error).collect()
}

/// Weighted least squares of maps of this size; nothing where the inputs of what counts do not vary.
fn weighted(examples: &[f64], weights: &[f64], size: usize) -> Option<Vec<f64>> {
    // Of all numbers of an example with all of them: whole rows are faster than their halves.
    let width = size + 1;
    let mut products = vec![0.0; size * width];
    for (example, weight) in examples.chunks_exact(width).zip(weights) {
        for (value, products) in example.iter().zip(products.chunks_exact_mut(width)) {
            let value = weight * value;
            let pairs = products.iter_mut().zip(example);
            pairs.for_each(|(sum, other)| *sum += value * other);
        }
    }
    let lower = Mat::from_fn(size, size, |row, column| {
        let (row, column) = (row.max(column), row.min(column));
        products[row * width + column]
    });
    let moments = Mat::from_fn(size, 1, |row, _| products[row * width + size]);
    let solved = lower.llt(Side::Lower).ok()?.solve(&moments);
    let map: Vec<f64> = solved.col(0).iter().copied().collect();
    map.iter().all(|value| value.is_finite()).then_some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_scipy() {
        // k = arange(60); x = sin(k), cos(3 k); e = where(k % 7 == 0, 5 sin(k k), .1 sin(5 k));
        // y = 2 x1 - x2 + .5 + e; scipy.optimize.linprog over slopes, offset and both signs of
        // the residuals (highs): map and mean absolute error.
        let numbers =
            |f: &dyn Fn(f64) -> f64| -> Vec<f64> { (0..60).map(|k| f(f64::from(k))).collect() };
        let (first, second) = (numbers(&f64::sin), numbers(&|k| (3.0 * k).cos()));
        let noise = numbers(&|k| match k as u32 % 7 {
            0 => 5.0 * (k * k).sin(),
            _ => 0.1 * (5.0 * k).sin(),
        });
        let truth: Vec<f64> = (0..60)
            .map(|k| 2.0 * first[k] - second[k] + 0.5 + noise[k])
            .collect();
        let examples: Vec<f64> = (0..60)
            .flat_map(|k| [first[k], second[k], 1.0, truth[k]])
            .collect();
        let found = least_absolute(&examples, &[0.0, 0.0, 0.0]);
        for (found, expected) in found.iter().zip(SCIPY) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let loss = mean(&deviations(&examples, &found));
        assert!((loss - LOSS).abs() < 1e-8, "{loss}");
    }

    const SCIPY: [f64; 3] = [2.018_895_428_834, -1.002_165_852_177, 0.502_165_852_177];
    const LOSS: f64 = 0.586_239_269_718;

    #[test]
    fn an_exact_start_stays() {
        let line = [0.0, 1.0, 2.0, 5.0].map(|x| [x, 1.0, 2.0 * x + 1.0]);
        assert_eq!(least_absolute(line.as_flattened(), &[2.0, 1.0]), [2.0, 1.0]);
    }
}
