//! Runs and farcasts whose errors are known.

use std::sync::Arc;

use engine::params::Label;

use super::*;
use crate::farcasts::support::testing::{gather, run_of};
use crate::farcasts::{Linear, Persistence};
use crate::networks::testing::network;
use crate::networks::{Loss, Scaled};
use crate::testing::{call, members};

/// Weights that all grow by the square of the step, members at different paces.
fn truth() -> Gather<Trajectory> {
    let run = |pace: f32| {
        run_of(&[0, 1, 2, 3, 4], move |k, step| {
            k as f32 + pace * (step * step) as f32
        })
    };
    gather([Some(run(1.0)), None, Some(run(2.0))])
}

fn labelled(label: &str, farcast: Farcast) -> Gather<Farcast> {
    let made = Some(Arc::new(farcast));
    Gather {
        label: Label(label.to_owned()),
        members: vec![made.clone(), made.clone(), made],
    }
}

fn score(metrics: Vec<Measure>) -> ForecastError {
    let context = Context::alone("farcast");
    let runs = || {
        [(
            "w",
            members(truth().members.iter().map(|run| run.as_deref().cloned())),
        )]
    };
    let last: Persistence = call("w, observe: 0..=2, horizon: [3, 4]", &runs());
    let straight: Linear = call("w, observe: 0..=2, horizon: [3, 4]", &runs());
    ForecastError {
        farcasts: vec![
            labelled("last", last.run(&context).unwrap()),
            labelled("straight", straight.run(&context).unwrap()),
        ],
        truth: truth(),
        on: None,
        metrics,
        by: Apart::Nothing,
        data: None,
        parents: Ancestors(Vec::new()),
        train: MaybeVia(None),
    }
}

fn value(scores: &Scores, name: &str) -> Option<f64> {
    let text = |row: &&ScoreRow| {
        let horizon = row
            .horizon
            .map_or(String::new(), |horizon| format!(" {horizon}"));
        let group = row
            .group
            .as_ref()
            .map_or(String::new(), |group| format!(" {group}"));
        format!(
            "{} {} {}{horizon}{group}",
            row.model, row.member, row.metric
        ) == name
    };
    let found: Vec<&ScoreRow> = scores.rows.iter().filter(text).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].value
}

#[test]
fn errors_are_those_worked_out_by_hand() {
    // Member 0: 0, 1, 4, 9, 16 more than at the start. Observed to 4; persistence is off by 5
    // and 12, the line (2 a step) gives 6 and 8: off by 3 and 8. Member 2: all twice.
    use Measure::{BreakEven, Mae, Mse, ObservedBytes, Skill, StepsSaved};
    let mut call = score(vec![Mse, Mae, Skill, BreakEven, StepsSaved, ObservedBytes]);
    call.by = Apart::Layer;
    let scores = call.run(&Context::alone("score")).unwrap();
    for (name, expected) in [
        ("last 0 mse 3", Some(25.0)),
        ("last 0 mae 4", Some(12.0)),
        ("last 0 skill 3", Some(0.0)),
        ("last 0 break_even", Some(3.0)),
        ("straight 0 mse 3", Some(9.0)),
        ("straight 2 mse 3", Some(36.0)),
        ("straight mean mse 3", Some(22.5)),
        ("straight 0 skill 4", Some(1.0 - 64.0 / 144.0)),
        ("straight 0 break_even", None),
        ("straight 0 mae 3 layers.1.bias", Some(3.0)),
        ("straight 0 steps_saved 4", Some(2.0)),
        ("straight 0 observed_bytes", Some(2.0 * 4.0 * 26.0)),
        ("last 0 observed_bytes", Some(4.0 * 26.0)),
    ] {
        assert_eq!(value(&scores, name), expected, "{name}");
    }
}

#[test]
fn the_nearest_state_seen_is_found() {
    let mut call = score(vec![Measure::Nearest]);
    let scores = call.run(&Context::alone("score")).unwrap();
    // The line of member 0 gives 6, the states seen are 0, 1 and 4 more than at the start.
    assert_eq!(value(&scores, "straight 0 nearest 3"), Some(2.0));
    assert_eq!(value(&scores, "last 0 nearest 3"), Some(0.0));
    // Had it learned from member 2, it would have seen 8 more there: as near as 4 for 6, and
    // the same for 8.
    call = score(vec![Measure::Nearest]);
    let mut made = call.farcasts[1].members[0].as_deref().unwrap().clone();
    made.origin.fitted_on = vec![2];
    call.farcasts = vec![labelled("straight", made)];
    let context = Context::alone("score");
    let scores = call.run(&context).unwrap();
    assert_eq!(value(&scores, "straight 0 nearest 4"), Some(0.0));
    assert!(context.take_notes().is_empty() && scores.rows.iter().all(|row| row.member == "0"));
}

#[test]
fn networks_are_run_with_farcast_and_with_true_weights() {
    let scaled = |count: usize| {
        (0..count)
            .map(|at| Scaled::as_is(&format!("c{at}")))
            .collect()
    };
    let network = network(
        [scaled(3), vec![Scaled::as_is("class")]],
        &[3, 4, 2],
        Loss::CrossEntropy,
    );
    let column = |name: &str, values: &[f64]| {
        engine::artifact::DataColumn::numbers(name.to_owned(), None, values)
    };
    let values = [0.1, -0.2, 0.3];
    let inputs = (0..3).map(|at| column(&format!("c{at}"), &values));
    let data = Dataset::new(inputs.chain([column("class", &[0.0, 1.0, 1.0])]).collect()).unwrap();
    let mut call = score(vec![Measure::Loss, Measure::Accuracy]);
    let refused = call.run(&Context::alone("score")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`w` has no parent, so that its networks cannot be run"
    );
    call = score(vec![Measure::Loss, Measure::Accuracy]);
    call.parents = Ancestors(vec![Gather {
        label: Label::default(),
        members: vec![Some(Arc::new(Parent::new(network.clone(), Vec::new())))],
    }]);
    call.train = MaybeVia(Some(Input::new(data.clone())));
    let scores = call.run(&Context::alone("score")).unwrap();
    let samples = network.samples(&data).unwrap();
    let run = truth().members[0].clone().unwrap();
    let last = run.networks(&[2, 4]).unwrap();
    assert_eq!(
        value(&scores, "last 0 loss 4"),
        Some(network.loss_on(&samples, &last[0]))
    );
    assert_eq!(
        value(&scores, "w 0 loss 4"),
        Some(network.loss_on(&samples, &last[1]))
    );
    // All weights are large: every row is in the same class.
    let accuracy = value(&scores, "w 0 accuracy 3").unwrap();
    assert!([1.0 / 3.0, 2.0 / 3.0].contains(&accuracy));
    assert!(
        scores
            .rows
            .iter()
            .filter(|row| row.model == "w")
            .all(|row| row.role == "parent")
    );
}

#[test]
fn equal_networks_are_run_once() {
    let columns = [vec![Scaled::as_is("c0")], vec![Scaled::as_is("class")]];
    let network = network(columns, &[1, 2], Loss::CrossEntropy);
    let mut judge = NetworkRunner {
        network: &network,
        samples: Samples {
            inputs: vec![0.5, -1.0],
            targets: vec![0.0, 1.0],
            weights: Vec::new(),
            rows: 2,
        },
        wanted: vec![Measure::Loss],
        known: BTreeMap::new(),
    };
    let context = Context::alone("score");
    let weights = |salt: usize| crate::networks::testing::made_up(4, salt);
    let networks = [weights(1), weights(2), weights(1), weights(1)];
    let found = judge.measured(&networks, &context);
    let expected = networks.map(|weights| vec![network.loss_on(&judge.samples, &weights)]);
    assert_eq!(found, expected);
    assert_eq!(judge.known.len(), 2);
    // What is known is not run again.
    judge.samples.rows = 0;
    assert_eq!(
        judge.measured(&[weights(2)], &context),
        [expected[1].clone()]
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let refused = |change: &dyn Fn(&mut ForecastError)| {
        let mut call = score(vec![Measure::Mse]);
        change(&mut call);
        call.run(&Context::alone("score")).unwrap_err().to_string()
    };
    let shorter = |call: &mut ForecastError| {
        let run = run_of(&[0, 1, 2, 3], |k, _| k as f32);
        call.truth = gather([Some(run.clone()), None, Some(run)]);
    };
    assert_eq!(
        refused(&shorter),
        "`last` predicts step 4, which `w` did not record"
    );
    let other = |call: &mut ForecastError| call.on = Some(Numbers::Listed(vec![3]));
    assert_eq!(refused(&other), "there is no member 3 in `w`");
    let diverged = |call: &mut ForecastError| call.on = Some(Numbers::Listed(vec![1]));
    assert_eq!(refused(&diverged), "no member of `w` to judge by is left");
}

#[test]
fn members_a_method_was_fitted_on_are_named() {
    let mut call = score(vec![Measure::Mse]);
    let mut made = call.farcasts[1].members[0].as_deref().unwrap().clone();
    made.origin.fitted_on = vec![0, 2];
    call.farcasts = vec![labelled("straight", made)];
    let context = Context::alone("score");
    call.run(&context).unwrap();
    assert_eq!(
        context.take_notes(),
        ["a method was fitted on member 0, 2, which it is judged by: no test of it"]
    );
}
