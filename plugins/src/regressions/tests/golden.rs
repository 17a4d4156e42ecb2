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
