//! Regressions against statsmodels, patsy, scipy and scikit-learn.

use super::*;
use crate::golden::{Methods, methods};

/// Subsets of two equal rows, each with these predictors and weights.
fn case(predictors: &[&[f64]], weights: impl IntoIterator<Item = [f64; 3]>) -> Case {
    let twice = |values: &&[f64]| values.iter().flat_map(|value| [*value; 2]).collect();
    let weights = weights
        .into_iter()
        .map(|row| row.map(|w| w as f32).to_vec());
    Case {
        columns: ["a", "b"]
            .into_iter()
            .zip(predictors.iter().map(twice))
            .collect(),
        anomalies: (0..).zip(weights).collect(),
        ..Case::new()
    }
}

fn both(golden: &Methods) -> Case {
    let [a, b] = [0, 1].map(|j| golden.z.iter().map(|z| z[j]).collect::<Vec<f64>>());
    case(&[&a, &b], golden.y.iter().copied())
}

#[test]
fn natural_splines_agree_with_patsy() {
    let golden = methods();
    let spline = both(&golden).spline(4);
    for (point, expected) in golden.at.iter().zip(&golden.spline) {
        close(&at(&spline, point), expected, 2e-5);
    }
}

#[test]
fn smoothing_splines_and_their_choice_agree_with_scipy() {
    let golden = methods();
    let few: Vec<f64> = golden.z[..12].iter().map(|z| z[0]).collect();
    let case = case(&[&few], golden.y[..12].iter().map(|y| [y[0], 0.0, 0.0]));
    for (penalty, expected) in [
        (Some(golden.smooth.penalty), &golden.smooth),
        (None, &golden.gcv),
    ] {
        let context = Context::alone("gam");
        let call = call!(
            case,
            Gam {
                knots: 12,
                penalty,
                smoothing: Smoothing::Each
            }
        );
        let found = call.run(&context).unwrap();
        let values: Vec<f64> = golden
            .at
            .iter()
            .map(|point| at(&found, &point[..1])[0])
            .collect();
        close(&values, &expected.values, 2e-5);
        if penalty.is_none() {
            let chosen = format!(
                "penalty {:.3e} by generalised cross-validation",
                expected.penalty
            );
            let notes = context.take_notes();
            assert!(notes.contains(&chosen), "{notes:?}");
        }
    }
}

#[test]
fn the_penalty_of_ridge_agrees_with_scikit_learn() {
    let golden = methods();
    let (ridge, notes) = both(&golden).ridge(None);
    let chosen = format!(
        "penalty {:.3e} by generalised cross-validation",
        golden.ridge.penalty
    );
    assert_eq!(notes, [chosen]);
    for slope in 0..2 {
        let expected: Vec<f64> = golden
            .ridge
            .slopes
            .iter()
            .map(|slopes| slopes[slope])
            .collect();
        close_f32(ridge.coefficients_of(slope + 1), &expected);
    }
}

/// In whole fractions, so that nothing cancels:
///
/// ```python
/// from fractions import Fraction as F
/// n = 200
/// a, b = [F(i) for i in range(n)], [F(i * 77 % n) for i in range(n)]
/// y = [1000 + 3 * a[i] - 2 * b[i] + F(i * i * 13 % 11 - 5, 128) for i in range(n)]
/// X = [[F(1), a[i], b[i]] for i in range(n)]
/// def solve(m):
///     for i in range(3):
///         m[i] = [x / m[i][i] for x in m[i]]
///         for j in {0, 1, 2} - {i}:
///             m[j] = [x - m[j][i] * p for x, p in zip(m[j], m[i])]
///     return [row[3] for row in m]
/// def fit(rows):
///     return solve([[sum(X[i][s] * ([*X[i], y[i]][t]) for i in rows) for t in range(4)]
///                   for s in range(3)])
/// left = lambda i, c: (y[i] - sum(x * k for x, k in zip(X[i], c)))**2
/// mean = lambda rows: sum(y[i] for i in rows) / len(rows)
/// c, m = fit(range(n)), mean(range(n))
/// print(float(sum(left(i, c) for i in range(n)) / sum((v - m)**2 for v in y)))
/// for x in a, b:
///     s, err, dev = sorted(x), 0, 0
///     for held in [i for i in range(n) if x[i] <= s[39]], [i for i in range(n) if x[i] >= s[-40]]:
///         rest = sorted({*range(n)} - {*held})
///         c, m = fit(rest), mean(rest)
///         err += sum(left(i, c) for i in held)
///         dev += sum((y[i] - m)**2 for i in held)
///     print(float(err / dev))
/// ```
#[test]
fn hardly_anything_left_is_known_to_six_digits() {
    let line = |row: u32| {
        let noise = f64::from(row * row * 13 % 11) - 5.0;
        let y = 1000.0 + 3.0 * f64::from(row) - 2.0 * f64::from(row * 77 % 200) + noise / 128.0;
        [y, -y, 2.0 * y]
    };
    let a: Vec<f64> = (0..200).map(f64::from).collect();
    let b: Vec<f64> = (0..200).map(|row| f64::from(row * 77 % 200)).collect();
    let case = case(&[&a, &b], (0..200).map(line));
    let form = case.polynomial(1, None).0.unwrap().form;
    for share in form.explained {
        close(&[1.0 - share], &[1.540_249_819_128e-8], 1e-14);
    }
    let along: Vec<f64> = form.evidence.along.into_iter().flatten().collect();
    let left: Vec<f64> = along.iter().map(|share| 1.0 - share).collect();
    close(&left, &[6.735_033_382_37e-9, 1.121_112_794_11e-8], 1e-14);
}
