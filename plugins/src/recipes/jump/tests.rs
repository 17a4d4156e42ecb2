//! Jumps where what must come out is known: weights on formulas, and guards that always refuse.

use engine::artifact::{Artifact, Tensor};

use super::*;
use crate::data::support::testing::table;
use crate::parents::{Mlp, Parent};
use crate::testing::{call, given};

fn nowcast(method: Method) -> Nowcast {
    Nowcast {
        method,
        every: Steps(50),
        history: 5,
        ahead: Steps(20),
        guard: Guard::HeldOutLoss,
        optimizer_state: OptimizerMemory::Keep,
        weights: None,
    }
}

fn jumps(nowcast: Nowcast) -> Result<Jumps, Fault> {
    Jumps::new(&Jump::Nowcast(nowcast), &Files::unchecked())
}

fn complaint(nowcast: Nowcast, hold_out: f64) -> Option<String> {
    let complaint = Jump::Nowcast(nowcast).complaint(hold_out);
    complaint.map(|complaint| complaint.message)
}

fn layout() -> Layout {
    Layout {
        tensors: vec![Tensor {
            name: "layers.0.weight".to_owned(),
            shape: vec![2, 3],
        }],
    }
}

/// States at steps 10, 20, … 50 of six weights that follow a formula.
fn states(weight: impl Fn(usize, f64) -> f64) -> Vec<(u64, Vec<f32>)> {
    let state = |step: u64| (0..6).map(|k| weight(k, step as f64) as f32).collect();
    (1..=5).map(|at| (at * 10, state(at * 10))).collect()
}

fn assert_lands(method: Method, weight: impl Fn(usize, f64) -> f64) {
    let found = jumps(nowcast(method))
        .and_then(|jumps| jumps.predict(&layout(), &states(&weight)))
        .expect("a landing");
    assert_eq!(found.len(), 6);
    for (k, found) in found.into_iter().enumerate() {
        let expected = weight(k, 70.0);
        assert!(
            (f64::from(found) - expected).abs() < 1e-5,
            "{found} {expected}"
        );
    }
}

#[test]
fn each_method_lands_where_its_law_leads() {
    let start = |k: usize| (k as f64 * 0.7).sin();
    assert_lands(Method::Linear, |k, step| {
        start(k) + step / 100.0 * start(k + 1)
    });
    // Each weight to an end of its own, at its own rate.
    assert_lands(Method::Exponential, |k, step| {
        start(k) + start(k + 3) * (-step * (k + 1) as f64 / 100.0).exp()
    });
    // All weights at one rate: one linear layer is exact.
    assert_lands(Method::Lfd2, |k, step| {
        start(k) * (-step / 40.0).exp() + 0.5
    });
}

fn wave() -> engine::artifact::Dataset {
    let x: Vec<f64> = (0..80).map(|i| f64::from(i) / 20.0).collect();
    let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
    table(&[("x", &x), ("y", &y)])
}

fn mlp(jump: Option<Nowcast>) -> Mlp {
    let mut mlp: Mlp = call(
        "seen, inputs: [x], target: y, hidden: [8], optimizer: adam(rate: 1e-2), batch: 16,
         steps: 220, hold_out: 0.25",
        &[("seen", given(wave()))],
    );
    mlp.training.jump = jump.map(Jump::Nowcast);
    mlp
}

fn train(mlp: Mlp) -> Parent {
    mlp.run(&Context::alone("jumps")).expect("trains")
}

fn counts(parent: &Parent) -> Counts {
    parent.training.as_ref().expect("a training").counts
}

/// As the engine gives them: the streams of a call with and without `jump` are the same.
#[test]
fn a_refused_jump_leaves_training_as_it_was_to_the_bit() {
    let plain = train(mlp(None));
    let mut wild = nowcast(Method::Linear);
    // So far along a straight line that the loss can but rise.
    wild.ahead = Steps(1_000_000);
    wild.optimizer_state = OptimizerMemory::Reset;
    let refused = train(mlp(Some(wild)));
    assert_eq!(
        counts(&refused),
        Counts {
            steps: 220,
            jumps: 0,
            rejected: 4,
            guard_evaluations: 8,
        }
    );
    assert_eq!(refused.weights, plain.weights);
    assert_eq!(refused.losses, plain.losses);
}

#[test]
fn jumps_that_are_taken_change_what_comes_after_and_not_before() {
    let plain = train(mlp(None));
    let mut all = nowcast(Method::Lfd2);
    all.guard = Guard::Unguarded;
    let jumped = train(mlp(Some(all)));
    let found = counts(&jumped);
    assert_eq!(
        (found.jumps, found.rejected, found.guard_evaluations),
        (4, 0, 0)
    );
    let before = |parent: &Parent| -> Vec<(u64, f64, Option<f64>)> {
        let losses = parent.losses.iter().copied();
        losses.filter(|(step, ..)| *step < 50).collect()
    };
    assert_eq!(before(&jumped), before(&plain));
    assert_ne!(jumped.weights, plain.weights);
    let mut reset = nowcast(Method::Lfd2);
    reset.guard = Guard::Unguarded;
    reset.optimizer_state = OptimizerMemory::Reset;
    assert_ne!(train(mlp(Some(reset))).weights, jumped.weights);
    let again = Parent::from_parts(&jumped.to_parts().expect("parts")).expect("a parent");
    assert_eq!(again, jumped);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    type Change = fn(&mut Nowcast);
    let cases: [(Method, Change, &str); 8] = [
        (
            Method::Linear,
            |nowcast| nowcast.every = Steps(52),
            "`every` must be a multiple of `history`, found 52 and 5",
        ),
        (
            Method::Linear,
            |nowcast| nowcast.every = Steps(3),
            "`every` must be a multiple of `history`, found 3 and 5",
        ),
        (
            Method::Lfd2,
            |nowcast| nowcast.ahead = Steps(25),
            "expected `ahead` among 10..=30 step 10 for `lfd2`, found 25",
        ),
        (
            Method::Lfd2,
            |nowcast| nowcast.ahead = Steps(40),
            "expected `ahead` among 10..=30 step 10 for `lfd2`, found 40",
        ),
        (
            Method::Exponential,
            |nowcast| (nowcast.every, nowcast.history) = (Steps(40), 4),
            "`exponential` needs an odd `history`",
        ),
        (
            Method::Nino,
            |nowcast| (nowcast.every, nowcast.history) = (Steps(40), 4),
            "`nino` needs `history: 5`",
        ),
        (Method::Nino, |_| {}, "`nino` needs the file of its network"),
        (
            Method::Linear,
            |nowcast| nowcast.weights = Some(DataPath("net.safetensors".into())),
            "`linear` has no network to read from `weights`",
        ),
    ];
    for (method, change, expected) in cases {
        let mut changed = nowcast(method);
        change(&mut changed);
        assert_eq!(complaint(changed, 0.5).as_deref(), Some(expected));
    }
    assert_eq!(complaint(nowcast(Method::Linear), 0.5), None);
    assert_eq!(
        complaint(nowcast(Method::Linear), 0.0).as_deref(),
        Some("the guard of `nowcast` needs rows held out")
    );
}

#[test]
fn a_network_from_a_file_jumps_and_is_kept() {
    let mut nino = nowcast(Method::Nino);
    let name = "testdata/networks/nino_mlp_random.safetensors";
    nino.weights = Some(DataPath(
        [env!("CARGO_MANIFEST_DIR"), name].iter().collect(),
    ));
    nino.guard = Guard::Unguarded;
    let jumped = train(mlp(Some(nino)));
    assert_eq!(counts(&jumped).jumps, 4);
    let again = Parent::from_parts(&jumped.to_parts().expect("parts")).expect("a parent");
    assert_eq!(again, jumped);
}
