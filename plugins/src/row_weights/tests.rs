//! Rows that count `k` times are rows that stand in the data `k` times.

use engine::plugin::{Context, Plugin};

use super::*;
use crate::anomalies::Finetune;
use crate::data::support::testing::table;
use crate::parents::{LeastSquares, LinearRegression, Mlp, Parent};
use crate::predictors::Predictors;
use crate::regressions::{Joint, Regression};
use crate::subsets::Subsets;
use crate::testing::{call, given};

/// How often each row counts.
const COUNTS: [f64; 8] = [1.0, 3.0, 0.0, 2.0, 1.0, 5.0, 0.0, 2.0];

/// Rows with what they count, or repeated.
fn rows(repeated: bool) -> Dataset {
    let numbers = |salt: f64| (0..8).map(move |row| (salt * f64::from(row)).sin());
    let columns = [0.7, 1.9, 2.3].map(|salt| {
        let values = numbers(salt).zip(COUNTS);
        let times = |count: f64| if repeated { count as usize } else { 1 };
        let values = values.flat_map(|(value, count)| std::iter::repeat_n(value, times(count)));
        values.collect::<Vec<f64>>()
    });
    let [x, z, y] = &columns;
    match repeated {
        true => table(&[("x", x), ("z", z), ("y", y)]),
        false => table(&[("x", x), ("z", z), ("y", y), ("count", &COUNTS)]),
    }
}

fn trained<P: Plugin<Output = Parent>>(arguments: &str, repeated: bool) -> Parent {
    let weights = if repeated { "" } else { ", weights: count" };
    let written = format!("rows, inputs: [x, z], target: y, {arguments}{weights}");
    let plugin: P = call(&written, &[("rows", given(rows(repeated)))]);
    plugin.run(&Context::alone("weights")).expect("trains")
}

fn assert_near(found: &[f32], expected: &[f32], within: f32) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < within, "{found} {expected}");
    }
}

fn expect_same<P: Plugin<Output = Parent>>(arguments: &str, within: f32) {
    let [found, expected] = [false, true].map(|repeated| trained::<P>(arguments, repeated));
    assert_near(&found.weights, &expected.weights, within);
    let [found, expected] = [&found, &expected].map(|it| it.network().expect("a network"));
    for (found, expected) in found.inputs().iter().zip(expected.inputs()) {
        assert!((found.mean - expected.mean).abs() < 1e-12);
        assert!((found.std - expected.std).abs() < 1e-12);
    }
}

#[test]
fn the_exact_solution_is_that_of_repeated_rows() {
    expect_same::<LeastSquares>("penalty: 0.1", 1e-6);
    expect_same::<LeastSquares>("degree: 2, penalty: 0.01", 1e-6);
}

#[test]
fn descents_on_all_rows_are_those_of_repeated_rows() {
    expect_same::<LinearRegression>("steps: 50, members: 1", 1e-5);
    for trainer in ["fan_out", "dfdx"] {
        let mlp = format!(
            "hidden: [5], trainer: {trainer}, optimizer: sgd(rate: 0.1), batch: 1000, steps: 100"
        );
        expect_same::<Mlp>(&mlp, 1e-4);
    }
}

#[test]
fn a_joint_fit_is_that_of_repeated_rows() {
    let fitted = |repeated| -> Regression {
        let parent: LeastSquares = call(
            "rows, inputs: [x], target: y",
            &[("rows", given(rows(true)))],
        );
        let parent = parent.run(&Context::alone("line")).expect("a parent");
        let weights = if repeated { "" } else { ", weights: count" };
        let written = format!("net, rows, z, penalty: 0.1{weights}");
        let joint: Joint = call(
            &written,
            &[
                ("net", given(parent)),
                ("rows", given(rows(repeated))),
                ("z", given(Predictors::Columns(vec!["z".to_owned()]))),
            ],
        );
        joint.run(&Context::alone("joint")).expect("a regression")
    };
    let [found, expected] = [fitted(false), fitted(true)];
    assert_near(&found.coefficients, &expected.coefficients, 1e-5);
    let [found, expected] = [found, expected].map(|it| it.form.scaling[0]);
    assert!((found.0 - expected.0).abs() < 1e-12 && (found.1 - expected.1).abs() < 1e-12);
}

#[test]
fn subsets_follow_the_rows_that_count() {
    let tuned = |weights: &str, subset: &[u32]| {
        let parent = trained::<LinearRegression>("steps: 1, members: 1", true);
        let written = format!("net, subsets, mix: 0, steps: 500, batch: 2000{weights}");
        let finetune: Finetune = call(
            &written,
            &[
                ("net", given(parent)),
                (
                    "subsets",
                    given(Subsets {
                        rows: vec![subset.to_vec()],
                    }),
                ),
                ("data", given(rows(false))),
            ],
        );
        finetune.run(&Context::alone("finetune"))
    };
    let rows: Vec<u32> = (0..8).collect();
    let all = tuned("", &rows).expect("a table");
    // Three times as much for every row is the same.
    let even = tuned(", weights: 0 * count + 3", &rows).expect("a table");
    assert_eq!(even.weights, all.weights);
    let some = tuned(", weights: choose(count > 1, 2, 0)", &rows).expect("a table");
    let without = tuned("", &[1, 3, 5, 7]).expect("a table");
    assert_near(&some.weights, &without.weights, 0.02);
    assert!((some.weights[0] - all.weights[0]).abs() > 0.05);
    let none = tuned(", weights: 0 * count", &rows).map(|_| ());
    let message = none.expect_err("a fault").to_string();
    assert_eq!(message, "the weights are 0 in all rows");
}

#[test]
fn gaps_negative_weights_and_halves_without_weight_are_refused() {
    let refused = |weights: &str| {
        let written = format!("rows, inputs: [x], target: y, weights: {weights}");
        let mlp: Mlp = call(&written, &[("rows", given(rows(false)))]);
        let trained = mlp.run(&Context::alone("bad")).map(|_| ());
        trained.expect_err("a fault").to_string()
    };
    assert_eq!(
        refused("log(count)"),
        "`log(count)` is missing, negative or infinite in 2 of 8 rows"
    );
    assert_eq!(
        refused("-count"),
        "`-count` is missing, negative or infinite in 6 of 8 rows"
    );
    assert_eq!(refused("0 * count"), "the weights are 0 in all rows");
}
