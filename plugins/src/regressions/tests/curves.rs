//! Splines and additive models against scipy; the script is that of the parent module.

use super::*;

#[test]
fn splines_agree_with_scipy() {
    let expected = [
        3.264773293459,
        17.449083758169,
        8.795877294952,
        3.30843355155,
        1.930937884291,
        3.476792546887,
        2.296203486451,
        -13.434376604353,
        -4.813132679268,
    ];
    // The coefficients are kept as `f32` and the curves are up to 50 there.
    close(&at_script(&Case::new().spline(4)), &expected, 2e-5);
}

#[test]
fn smooth_curves_agree_with_scipy() {
    let (given, notes) = Case::new().gam(Some(0.1), Smoothing::Each);
    let expected = [
        -2.171735709954,
        1.178278491416,
        3.538504776694,
        2.270425327064,
        -0.918403138103,
        2.339664640958,
        6.464113643629,
        -3.764445467171,
        0.049860606527,
    ];
    close(&at_script(&given), &expected, 2e-5);
    assert!(notes.is_empty(), "{notes:?}");

    let (common, notes) = Case::new().gam(None, Smoothing::Common);
    let expected = [
        -2.041438357392,
        1.662760980807,
        4.083046903799,
        2.223611326676,
        -1.037667333597,
        2.20245304762,
        6.73355178714,
        -3.024270754763,
        0.936492623089,
    ];
    close(&at_script(&common), &expected, 2e-5);
    assert_eq!(notes, ["penalty 5.012e0 by generalised cross-validation"]);

    let (each, notes) = Case::new().gam(None, Smoothing::Each);
    let expected = [
        -2.058336998832,
        1.313674160845,
        3.747855318488,
        2.231831662903,
        -0.95997799986,
        2.283083968704,
        6.673762011913,
        -3.510255107783,
        0.423338877856,
    ];
    close(&at_script(&each), &expected, 2e-5);
    assert_eq!(
        notes,
        ["penalty 2.512e-1, 1.000e6 by generalised cross-validation"]
    );
}

#[test]
fn curves_need_no_more_knots_than_there_are_values() {
    let mut case = Case::new();
    case.columns.remove(1);
    for value in &mut case.columns[0].1 {
        *value = if *value > 5.0 { 1.0 } else { 0.0 };
    }
    // With three values and three functions the curve goes through the mean at each value.
    let spline = case.spline(20);
    assert_eq!(spline.form.terms().len(), 3);
    for (value, mean) in [
        (0.0, [1.75 / 3.0, -1.0, 6.25 / 3.0]),
        (0.5, [1.875, 0.5, 3.25]),
        (1.0, [8.75 / 3.0, -2.5 / 3.0, 7.75 / 3.0]),
    ] {
        let point = spline.form.standardised(&[value]);
        close(&at(&spline, &point), &mean, 1e-6);
    }
}
