//! The exact fit against least squares with products, gradients against finite differences, and
//! the descent against the exact fit.

use engine::params::Column;

use super::*;
use crate::networks::Scaled;
use crate::networks::testing::network;
use crate::parents::LeastSquares;
use crate::parents::support::targets::Targets;
use crate::predictors::tests::dataset as table;

fn numbers(rows: usize, salt: f64) -> Vec<f64> {
    (0..rows).map(|k| (salt * k as f64).sin()).collect()
}

/// Rows whose slope of `y` over `x` is linear in `z`, with noise.
fn rows() -> Dataset {
    let (x, z, noise) = (numbers(60, 0.7), numbers(60, 1.9), numbers(60, 12.3));
    let y: Vec<f64> = (0..60)
        .map(|k| 1.0 + 2.0 * x[k] - z[k] + 0.8 * x[k] * z[k] + 0.1 * noise[k])
        .collect();
    table(&[("x", &x), ("z", &z), ("y", &y)])
}

fn least_squares(inputs: &[&str], products: Option<&str>) -> Parent {
    let column = |name: &&str| Column((*name).to_owned());
    let call = LeastSquares {
        data: Input::new(rows()),
        inputs: inputs.iter().map(column).collect(),
        target: Targets(vec![Column("y".to_owned())]),
        penalty: 0.0,
        products: products.as_ref().map(column),
        degree: None,
        weights: None,
    };
    call.run(&Context::alone("least squares"))
        .expect("a parent")
}

fn joint(parent: Parent) -> Joint {
    Joint {
        parent: Input::new(parent),
        data: Input::new(rows()),
        predictors: vec![Input::new(Predictors::Columns(vec!["z".to_owned()]))],
        rank: None,
        penalty: 0.0,
        anchor: 0.0,
        optimizer: Optimizer::Adam(crate::training::Adam {
            rate: 1e-2,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }),
        schedule: Schedule::Constant(crate::training::Constant {}),
        steps: 2000,
        batch: 60,
        weights: None,
    }
}

/// What each row's own network predicts.
fn predicted(call: Joint) -> Vec<f64> {
    let parent = Parent::clone(&call.parent);
    let network = parent.network().expect("a network");
    let data = Dataset::clone(&call.data);
    let context = Context::alone("joint");
    let regression = call.run(&context).expect("a regression");
    let inputs = network.inputs_of(&data).expect("inputs");
    let width = network.inputs().len();
    let z = data.values("z").expect("z");
    let outputs = (0..data.rows()).flat_map(|row| {
        let z = regression.form.standardised(&z[row..=row]);
        let weights: Vec<f32> = (0..parent.weights.len())
            .map(|at| {
                let [first, slope] = [0, 1].map(|term| regression.coefficients_of(term)[at]);
                parent.weights[at] + first + z[0] as f32 * slope
            })
            .collect();
        network.evaluate(&weights, &inputs[row * width..][..width], 1)
    });
    network.unscale(&outputs.collect::<Vec<f32>>())
}

fn assert_near(found: &[f64], expected: &[f64], within: f64) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < within, "{found} {expected}");
    }
}

#[test]
fn without_hidden_layers_it_is_least_squares_with_products() {
    let parent = least_squares(&["x", "z"], Some("z"));
    let network = parent.network().expect("a network");
    let inputs = network.inputs_of(&rows()).expect("inputs");
    let expected = network.unscale(&network.evaluate(&parent.weights, &inputs, 60));
    assert_near(
        &predicted(joint(least_squares(&["x"], None))),
        &expected,
        1e-4,
    );
    // The ridges hold it at the parent.
    let line = least_squares(&["x"], None);
    let network = line.network().expect("a network");
    let inputs = network.inputs_of(&rows()).expect("inputs");
    let kept = network.unscale(&network.evaluate(&line.weights, &inputs, 60));
    let mut call = joint(line.clone());
    (call.anchor, call.penalty) = (1e6, 1e6);
    assert_near(&predicted(call), &kept, 1e-4);
}

#[test]
fn ridges_hold_it_as_numpy_says() {
    let mut call = joint(least_squares(&["x"], None));
    (call.anchor, call.penalty) = (0.02, 0.05);
    // numpy.linalg.solve of the normal equations of standardised columns.
    let expected = [
        0.98830581, 1.83892852, 3.0797831, 2.87466828, 0.98280704, 0.37924824,
    ];
    assert_near(&predicted(call)[..6], &expected, 1e-5);
}

#[test]
fn the_descent_ends_at_the_exact_fit() {
    let mut call = joint(least_squares(&["x"], None));
    (call.anchor, call.penalty) = (0.02, 0.05);
    let context = Context::alone("joint");
    let network = call.parent.network().expect("a network").clone();
    let (problem, _) = call.problem(&network, &context).expect("a problem");
    let exact = problem
        .solve()
        .expect("a solution")
        .expect("a linear model");
    let slow = call.descend(&problem, &context).expect("an end");
    assert_near(&slow, &exact, 1e-3);
    // Few steps end elsewhere.
    call.steps = 20;
    let early = call.descend(
        &call.problem(&network, &context).expect("a problem").0,
        &context,
    );
    let early = early.expect("an end");
    assert!(
        early
            .iter()
            .zip(&exact)
            .any(|(early, exact)| (early - exact).abs() > 0.05)
    );
}

#[test]
fn gradients_agree_with_finite_differences() {
    let scaled = |name: &str| Scaled {
        name: name.to_owned(),
        mean: 0.0,
        std: 1.0,
    };
    let columns = [vec![scaled("x"), scaled("z")], vec![scaled("y")]];
    let network = network(columns, &[2, 3, 1], Loss::Mse);
    let weights: Vec<f32> = numbers(13, 0.9).iter().map(|w| *w as f32).collect();
    let mut call = joint(Parent::new(network.clone(), weights));
    (call.anchor, call.penalty) = (0.1, 0.2);
    let (problem, _) = call
        .problem(&network, &Context::alone("joint"))
        .expect("a problem");
    for rank in [None, Some(1)] {
        let shape = Shape {
            layout: network.layout(),
            sets: 2,
            rank,
        };
        let trained: usize = shape.parts().map(|part| part.trained()).sum();
        assert_eq!(
            trained,
            if rank.is_none() {
                26
            } else {
                13 + 5 + 3 + 3 + 1
            }
        );
        let slopes: Vec<f32> = numbers(trained, 0.37)
            .iter()
            .map(|s| 0.5 * *s as f32)
            .collect();
        let rows = [0, 7, 31];
        let mut differentiate = problem.network.differentiate(TrainerChoice::Auto);
        let (_, gradient) = problem.gradient(&mut *differentiate, &shape.expand(&slopes), &rows);
        let gradient = shape.contract(&slopes, &gradient);
        for at in 0..trained {
            let mut loss = |by: f32| {
                let mut slopes = slopes.clone();
                slopes[at] += by;
                problem
                    .gradient(&mut *differentiate, &shape.expand(&slopes), &rows)
                    .0
            };
            let expected = (loss(1e-2) - loss(-1e-2)) / 2e-2;
            let found = f64::from(gradient[at]);
            assert!(
                (found - expected).abs() < 2e-3,
                "{rank:?} {at}: {found} {expected}"
            );
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let mut call = joint(least_squares(&["x"], None));
    let flat = table(&[("x", &[1.0, 2.0]), ("y", &[0.0, 1.0]), ("z", &[3.0, 3.0])]);
    call.data = Input::new(flat);
    let fault = call.run(&Context::alone("joint")).unwrap_err().to_string();
    assert_eq!(fault, "`z` is the same in all rows");
    let mut call = joint(least_squares(&["x"], None));
    let gaps = table(&[
        ("x", &[1.0, f64::NAN]),
        ("y", &[0.0, 1.0]),
        ("z", &[3.0, 4.0]),
    ]);
    call.data = Input::new(gaps);
    let fault = call.run(&Context::alone("joint")).unwrap_err().to_string();
    assert_eq!(fault, "expected at least 2 complete rows, found 1");
}
