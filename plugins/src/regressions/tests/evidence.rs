//! What the subsets say of the predictors, as numbers and in words.

use super::*;

#[test]
fn the_edge_is_predicted_as_numpy_does() {
    let evidence = Case::new().polynomial(1, None).0.unwrap().form.evidence;
    let shares = |shares: &[Option<f64>]| -> Vec<f64> {
        shares.iter().map(|share| share.unwrap()).collect()
    };
    close(
        &shares(&evidence.edge),
        &[0.73613247356, 0.178853837808],
        1e-9,
    );
    close(
        &shares(&evidence.along),
        &[0.419724508519, 0.812276789325],
        1e-9,
    );
    close(
        &[evidence.whole.unwrap(), evidence.size],
        &[0.607228092555, 0.737873190486],
        1e-9,
    );
}

#[test]
fn what_the_predictors_say_is_told() {
    let told = |case: &Case| {
        let context = Context::alone("ols");
        call!(case, Ols {})
            .run(&context)
            .map(|_| context.take_notes())
    };
    let shares = "the predictors explain 86 % of the variance of the anomalies, 61 % at the edge: \
                  layers.0.weight 90 % (74 %), layers.0.bias 73 % (18 %)";
    assert_eq!(told(&Case::new()).unwrap(), [shares]);

    let mut pruned = Case::new();
    pruned.keep = Some(2.0);
    let notes = told(&pruned).unwrap();
    assert_eq!(
        notes.last().unwrap(),
        "slopes set to zero: layers.0.weight 25 %, layers.0.bias 50 %"
    );

    let mut known = Case::new();
    known.columns[1].0 = "y";
    assert_eq!(
        told(&known).unwrap(),
        [
            "predictor `y` is among the inputs of the network: it knows the regime, and its \
             weights have little reason to vary with it",
            shares,
        ]
    );

    let mut flat = Case::new();
    let shrunken = |(_, weights): &mut (u32, Vec<f32>)| weights.iter_mut().for_each(|w| *w *= 1e-4);
    flat.anomalies.iter_mut().for_each(shrunken);
    assert_eq!(
        told(&flat).unwrap()[0],
        "flat parent: the anomalies differ by 7.4e-5 of the size of the weights, there is \
         little for a regression to learn"
    );

    let mut noise = Case::new();
    noise.columns.remove(0);
    noise.anomalies.iter_mut().for_each(|(subset, weights)| {
        let side = [1.0, -1.0][*subset as usize % 2];
        weights.iter_mut().for_each(|weight| *weight = side);
    });
    let notes = told(&noise).unwrap();
    assert!(
        notes
            .last()
            .unwrap()
            .starts_with("predictor `b` explains nothing at its edges"),
        "{notes:?}"
    );

    let mut constant = Case::new();
    constant.columns = vec![("flat", vec![0.1; 16])];
    let fault = told(&constant).unwrap_err();
    assert_eq!(fault.to_string(), "no predictor varies over the subsets");
}

#[test]
fn edges_are_predicted_by_no_term_that_the_fit_to_all_drops() {
    // Without the first subset nothing is left of `mark`.
    let mut mark = [0.0; 16];
    mark[..2].fill(1.0);
    let mut case = Case::new().with("mark", mark);
    case.columns[1].1[..2].fill(200.0);
    // Hardly more than `b`: a share of 9e-8 of it over all subsets, of 2e-7 without the large number.
    let mut twin = [0.0; 16];
    for (at, twin) in twin.iter_mut().enumerate() {
        let side = [0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0, 0.0][at / 2];
        *twin = case.columns[1].1[at] + 1e-5 * side;
    }
    let evidence = |case: &Case| case.polynomial(1, None).0.unwrap().form.evidence;
    let along = |case: &Case| -> Vec<f64> {
        let along = evidence(case).along;
        along[..2].iter().map(|share| share.unwrap()).collect()
    };
    close(
        &along(&case.clone().with("twin", twin)),
        &along(&case),
        1e-6,
    );
}
