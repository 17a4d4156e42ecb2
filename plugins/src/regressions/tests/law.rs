//! Every form on a law planted in the anomalies.

use super::*;

/// A hundred subsets with a straight law of two predictors and a little noise.
fn planted() -> (Case, impl Fn(&[f64]) -> Vec<f64>) {
    let wave = |count: usize, salt: f64| -> Vec<f64> {
        (0..count).map(|at| (at as f64 * salt).sin()).collect()
    };
    let (a, b) = (wave(200, 0.37), wave(200, 0.91));
    let law = |z: &[f64]| {
        let weight = |k: usize| {
            [0.3, -0.8, 1.5][k] + [1.0, -0.6, 0.5][k] * z[0] + [0.5, 0.7, -1.2][k] * z[1]
        };
        (0..3).map(weight).collect::<Vec<f64>>()
    };
    let noise = wave(300, 12.9898);
    let mut case = Case::new();
    case.columns = vec![("a", a), ("b", b)];
    case.anomalies = (0..100).map(|subset| (subset, vec![0.0; 3])).collect();
    let form = case.polynomial(1, None).0.unwrap().form;
    for (subset, weights) in &mut case.anomalies {
        let row = *subset as usize;
        let mean = |column: &[f64]| (column[2 * row] + column[2 * row + 1]) / 2.0;
        let z = form.standardised(&[mean(&case.columns[0].1), mean(&case.columns[1].1)]);
        for (k, (weight, value)) in weights.iter_mut().zip(law(&z)).enumerate() {
            *weight = (value + 2e-3 * noise[3 * row + k]) as f32;
        }
    }
    (case, law)
}

#[test]
fn every_form_recovers_a_planted_straight_law_beyond_its_subsets() {
    let (case, law) = planted();
    let mut reduced = case.clone();
    reduced.pca = Some(2);
    let mut pruned = case.clone();
    pruned.keep = Some(2.0);
    let forms = [
        case.polynomial(1, None).0.unwrap(),
        reduced.polynomial(1, None).0.unwrap(),
        pruned.polynomial(1, None).0.unwrap(),
        case.ridge(None).0,
        case.spline(4),
        reduced.spline(4),
        case.gam(None, Smoothing::Each).0,
    ];
    for (index, form) in forms.iter().enumerate() {
        for point in [[3.0, -3.0], [-3.0, 2.5], [0.0, 0.0]] {
            for (found, planted) in at(form, &point).iter().zip(law(&point)) {
                let error = (found - planted).abs();
                assert!(
                    error < 0.01 * planted.abs().max(1.0),
                    "{index}: {found} {planted}"
                );
            }
        }
        let evidence = &form.form.evidence;
        assert!(evidence.whole.unwrap() > 0.999, "{index}: {evidence:?}");
    }
    // A network is not a straight line: it has to find the law where the subsets are.
    let network = case.network();
    assert!(
        network.form.explained.iter().all(|share| *share > 0.99),
        "{:?}",
        network.form
    );
    assert_eq!(case.network(), network);
}

#[test]
fn no_form_depends_on_the_order_of_the_subsets() {
    let (case, _) = planted();
    let mut shuffled = case.clone();
    let order = (0..100).map(|row| row * 37 % 100);
    shuffled.anomalies = order.map(|row| case.anomalies[row].clone()).collect();
    let fit = |case: &Case| {
        let mut reduced = case.clone();
        reduced.pca = Some(2);
        [
            case.ridge(None).0,
            reduced.ridge(Some(0.1)).0,
            case.spline(5),
            case.gam(None, Smoothing::Each).0,
            case.network(),
        ]
    };
    for (index, (one, other)) in fit(&case).iter().zip(fit(&shuffled)).enumerate() {
        for point in [[2.0, -1.0], [-0.3, 0.4]] {
            close(&at(one, &point), &at(&other, &point), 2e-6);
        }
        let edges = (one.form.evidence.whole, other.form.evidence.whole);
        assert!(
            (edges.0.unwrap() - edges.1.unwrap()).abs() < 1e-6,
            "{index}: {edges:?}"
        );
    }
}
