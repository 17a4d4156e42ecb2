//! Linear maps fitted to runs that follow one, and to runs that do not.

use engine::params::Numbers;

use super::super::runs::FitRuns;
use super::super::testing::{gather, made_up, run, run_of};
use super::*;

/// `w_{i+1} = c_i w_i + d_i`, the same `c_i` and `d_i` for all weights and runs.
fn exactly_linear(salt: usize) -> Trajectory {
    let start = made_up(26, salt);
    run_of(&[0, 1, 2, 3, 4, 5, 6, 7, 8], |k, step| {
        (0..step).fold(f64::from(start[k]), |w, i| {
            let i = i as f64;
            (0.9 + 0.02 * i) * w + 0.03 * (i + 1.0).cos()
        }) as f32
    })
}

fn trained(beta: f64, norm: Norm) -> Training {
    Training {
        objective: Objective::Absolute { beta, norm },
        start: Start::LeastDeviations,
        adam: AdamOptions {
            sample: 1000,
            epochs: 20,
            batch: 16,
            rate: 1e-3,
        },
    }
}

/// The largest error on the last member of a map fitted to the others.
fn error(
    members: Vec<Option<Trajectory>>,
    horizons: &[u64],
    states: usize,
    features: Features,
    training: Option<Training>,
) -> f32 {
    let members = gather(members);
    let others = FitRuns {
        train_on: Some(Numbers::Ranged(0, members.members.len() as i64 - 2, 1)),
        runs: None,
    };
    let window = Window::new(&members, None, horizons)
        .unwrap()
        .thinned(states)
        .unwrap();
    let runs = Runs::new(&members, &others, &window).unwrap();
    let context = Context::alone("linear map");
    let made = farcast(&members, &runs, window, features, training, &context).unwrap();
    let judged = members.members.last().unwrap().as_deref().unwrap();
    let steps = judged.steps().unwrap();
    let rows = horizons
        .iter()
        .map(|h| steps.iter().position(|step| step == h).unwrap());
    let truth = judged.networks(&rows.collect::<Vec<_>>()).unwrap().concat();
    let at = made.rows_of(members.members.len() as u32 - 1).unwrap();
    let found = made
        .predicted
        .networks(&at.iter().map(|(_, row)| *row).collect::<Vec<_>>());
    let found = found.unwrap().concat();
    let errors = truth
        .iter()
        .zip(&found)
        .map(|(truth, found)| (truth - found).abs());
    errors.fold(0.0, f32::max)
}

#[test]
fn an_exactly_linear_run_is_recovered_to_float_precision() {
    let runs = || vec![Some(exactly_linear(1)), None, Some(exactly_linear(2))];
    for (states, features) in [
        (2, Features::States),
        (4, Features::States),
        (4, Features::Moves),
    ] {
        let found = error(runs(), &[5, 6, 8], states, features, None);
        assert!(found < 5e-7, "{states} {features:?}: {found}");
    }
    // Training from the exact solution on must not leave it.
    let found = error(
        runs(),
        &[5, 6, 8],
        2,
        Features::States,
        Some(trained(0.0, Norm::L1)),
    );
    assert!(found < 5e-7, "{found}");
}

#[test]
fn least_squares_agrees_with_numpy() {
    // k = arange(26); a = sin(float32(k * 37 + s * 101) * .618) for s in 1, 2 in float32;
    // w(t) = b + (a - b) exp(-.3 t / 10) in float32; X = [w(0), w(20), 1], y = w(40);
    // numpy.linalg.lstsq(X, y) in float64: printed to nine digits.
    let runs = gather([Some(run(0.3))]);
    let observed = Numbers::Listed(vec![0, 20]);
    let window = Window::new(&runs, Some(&observed), &[40]).unwrap();
    let all = FitRuns {
        train_on: None,
        runs: None,
    };
    let fitted = Runs::new(&runs, &all, &window).unwrap();
    let context = Context::alone("numpy");
    let (map, _) = LinearMap::fit(&fitted, &window, Features::States, None, &context).unwrap();
    let expected = NUMPY;
    let found = [map.slopes[0], map.slopes[1], map.offsets[0]];
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

/// Two slopes and the offset.
const NUMPY: [f64; 3] = [-0.548_811_634, 1.548_811_64, 2.433_572_67e-9];

#[test]
fn training_makes_its_objective_smaller_on_weights_it_did_not_see() {
    let runs = gather([Some(run(0.3)), Some(run(0.05)), Some(run(1.0))]);
    let window = Window::new(&runs, None, &[30, 60])
        .unwrap()
        .thinned(2)
        .unwrap();
    let all = FitRuns {
        train_on: None,
        runs: None,
    };
    let fitted = Runs::new(&runs, &all, &window).unwrap();
    let context = Context::alone("training");
    let objective = Objective::Absolute {
        beta: 0.5,
        norm: Norm::L2,
    };
    let mut training = trained(0.5, Norm::L2);
    training.adam.epochs = 300;
    let mut drawn = Drawn::new(&fitted, training, &context);
    fitted
        .visit(|example| {
            drawn.take(
                example.start,
                &example.states,
                &example.targets,
                example.states[1],
            );
            Ok(())
        })
        .unwrap();
    assert_eq!((drawn.last.len(), drawn.features.len()), (78, 156));
    let loss = |training| {
        let (map, _) =
            LinearMap::fit(&fitted, &window, Features::States, training, &context).unwrap();
        let unit = Whitening {
            center: vec![0.0; 2],
            directions: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
        };
        let problem = DrawnWeights::new(&unit, &drawn, 1.0, &window);
        let held_out: Vec<usize> = (0..78).filter(|at| is_held_out(*at)).collect();
        problem
            .loss(&[map.slopes, map.offsets].concat(), &held_out, objective)
            .0
    };
    let (before, after) = (loss(None), loss(Some(training)));
    assert!(after < 0.95 * before, "{before} {after}");
}

#[test]
fn training_ends_at_the_least_absolute_deviations() {
    let runs = gather([Some(run(0.3)), Some(run(0.05)), Some(run(1.0))]);
    let window = Window::new(&runs, None, &[60]).unwrap().thinned(2).unwrap();
    let all = FitRuns {
        train_on: None,
        runs: None,
    };
    let fitted = Runs::new(&runs, &all, &window).unwrap();
    let mut pairs: Vec<(f64, f64)> = Vec::new();
    fitted
        .visit(|example| {
            let states = example.states[0].iter().zip(example.states[1]);
            pairs.extend(
                states
                    .zip(example.targets[0])
                    .map(|((first, last), target)| {
                        (f64::from(first - last), f64::from(target - last))
                    }),
            );
            Ok(())
        })
        .unwrap();
    // All weights are drawn, in order: every tenth is held out.
    let trained_on: Vec<(f64, f64)> = { pairs.into_iter().enumerate() }
        .filter_map(|(at, pair)| (!is_held_out(at)).then_some(pair))
        .collect();
    let loss = |slope: f64, offset: f64| -> f64 {
        let errors = trained_on
            .iter()
            .map(|(x, y)| (slope * x + offset - y).abs());
        errors.sum::<f64>() / trained_on.len() as f64
    };
    let map = |training| {
        let context = Context::alone("deviations");
        let (map, _) =
            LinearMap::fit(&fitted, &window, Features::Moves, training, &context).unwrap();
        loss(map.slopes[0], map.offsets[0])
    };
    // Least squares weighted by one over the deviation, again and again.
    let (mut slope, mut offset) = (0.0, 0.0);
    for _ in 0..2000 {
        let mut sums = [0.0; 5];
        for (x, y) in &trained_on {
            let weight = 1.0 / (slope * x + offset - y).abs().max(1e-9);
            let parts = [1.0, *x, *y, x * x, x * y].map(|part| weight * part);
            sums.iter_mut()
                .zip(parts)
                .for_each(|(sum, part)| *sum += part);
        }
        let [one, x, y, xx, xy] = sums;
        slope = (one * xy - x * y) / (one * xx - x * x);
        offset = (y - slope * x) / one;
    }
    let (least, squares) = (loss(slope, offset), map(None));
    let found = map(Some(trained(0.0, Norm::L2)));
    assert!(least < 0.99 * squares, "{least} {squares}");
    assert!((found - least).abs() < 1e-5 * least, "{least} {found}");
}

#[test]
fn trends_are_moving_averages_with_repeated_ends() {
    let states: [&[f32]; 4] = [&[1.0], &[2.0], &[6.0], &[0.0]];
    let features = Features::TrendAndRest(3).of(&states).concat();
    let trends = [4.0 / 3.0, 3.0, 8.0 / 3.0, 2.0];
    let rests = [1.0 - 4.0 / 3.0, -1.0, 6.0 - 8.0 / 3.0, -2.0];
    for (found, expected) in features.iter().zip(trends.iter().chain(&rests)) {
        assert!((found - expected).abs() < 1e-6);
    }
    assert_eq!(Features::Moves.of(&states).concat(), [1.0, 2.0, 6.0]);
}

#[test]
fn a_layer_that_starts_at_the_mean_gives_the_mean() {
    let layer = DirectionLayer::mean(6, 2, 0.25);
    let map = layer.map(Features::TrendAndRest(3));
    let found = map.predict(&[&[1.0, 2.0], &[2.0, 2.0], &[6.0, -1.0]]);
    for (found, expected) in found.iter().zip([3.0, 1.0, 3.0, 1.0]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}
