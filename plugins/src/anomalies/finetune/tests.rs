//! Fine-tuning a small linear parent, where what must come out is known.

use engine::artifact::{Artifact, DataColumn};

use super::*;
use crate::networks::testing::network;
use crate::networks::{Loss, Scaled};
use crate::training::Sgd;

fn data(x: &[f64], y: &[f64]) -> Dataset {
    let column = |name: &str, values: &[f64]| DataColumn::numbers(name.to_owned(), None, values);
    Dataset::new(vec![column("x", x), column("y", y)]).expect("columns of one length")
}

/// `y = x` for the training data; the last rows follow `y = x + 2`.
fn finetune(subsets: Vec<Vec<u32>>) -> Finetune {
    let x: Vec<f64> = (0..40).map(|i| f64::from(i % 20) / 10.0 - 1.0).collect();
    let train = data(&x[..20], &x[..20]);
    let y: Vec<f64> = x
        .iter()
        .enumerate()
        .map(|(row, x)| if row < 20 { *x } else { x + 2.0 })
        .collect();
    Finetune {
        parent: Input::new(Parent::new(
            network(
                [vec![Scaled::as_is("x")], vec![Scaled::as_is("y")]],
                &[1, 1],
                Loss::Mse,
            ),
            vec![1.0, 0.0],
        )),
        subsets: Input::new(Subsets { rows: subsets }),
        optimizer: sgd(0.1),
        steps: 200,
        batch: 32,
        mix: 0.0,
        mix_rows: None,
        repeats: 1,
        weights: None,
        from: Start::Parent,
        trainer: TrainerChoice::Auto,
        data: Via(Input::new(data(&x, &y))),
        train: MaybeVia(Some(Input::new(train))),
    }
}

#[test]
fn networks_without_known_training_rows_are_tuned_unmixed() {
    let adopted = |mix: f64| {
        let mut finetune = finetune(vec![new()]);
        finetune.train = MaybeVia(None);
        finetune.mix = mix;
        finetune.run(&Context::alone("finetune"))
    };
    assert_eq!(
        adopted(0.0).unwrap().weights,
        run(finetune(vec![new()])).weights
    );
    assert_eq!(
        adopted(0.5).unwrap_err().to_string(),
        "the rows these networks were trained on are not known"
    );
}

fn sgd(rate: f64) -> Optimizer {
    Optimizer::Sgd(Sgd {
        rate,
        momentum: 0.0,
    })
}

fn old() -> Vec<u32> {
    (0..20).collect()
}

fn new() -> Vec<u32> {
    (20..40).collect()
}

fn run(finetune: Finetune) -> WeightTable {
    finetune.run(&Context::alone("finetune")).expect("a table")
}

fn assert_near(found: &[f32], expected: [f32; 2], tolerance: f32) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{found} {expected}");
    }
}

#[test]
fn anomalies_are_what_the_subset_adds_to_the_parent() {
    let table = run(finetune(vec![old(), new()]));
    assert_eq!(table.row(0), [0.0, 0.0]);
    assert_near(table.row(1), [0.0, 2.0], 1e-3);
    let losses = |name: &str| -> Vec<f64> {
        let column = table.coordinates.column(name).expect("a column");
        column.f64().expect("numbers").into_no_null_iter().collect()
    };
    assert_eq!(losses("loss_before")[0], 0.0);
    assert!((losses("loss_before")[1] - 4.0).abs() < 1e-6);
    assert!(losses("loss_after")[1] < 1e-5);
}

#[test]
fn mixing_pulls_towards_the_training_data() {
    // Half the rows say 0, half say 2: the mean is 1, the minibatches scatter around it.
    let mut half = finetune(vec![new()]);
    half.mix = 0.5;
    half.steps = 2000;
    half.batch = 1024;
    half.optimizer = sgd(0.01);
    assert_near(run(half).row(0), [0.0, 1.0], 0.03);
}

#[test]
fn a_subset_does_not_depend_on_those_before_it() {
    let mut alone = finetune(vec![new()]);
    let mut after = finetune(vec![new(), old()]);
    (alone.mix, after.mix) = (0.5, 0.5);
    assert_eq!(run(alone).row(0), run(after).row(0));
}

#[test]
fn a_trajectory_goes_on_from_subset_to_subset() {
    let mut sequence = finetune(vec![new(), old()]);
    sequence.from = Start::Previous;
    sequence.steps = 5;
    let table = run(sequence);
    let (first, second) = (table.row(0)[1], table.row(1)[1]);
    assert!(
        first > 0.5 && second > 0.1 && second < first,
        "{first} {second}"
    );
    let steps = table.coordinates.column("step").expect("steps");
    let steps: Vec<u64> = steps.u64().expect("numbers").into_no_null_iter().collect();
    assert_eq!(steps, [5, 10]);
}

#[test]
fn a_chain_is_a_trajectory_less_the_parent() {
    let table = |from| {
        let mut sequence = finetune(vec![new(), old()]);
        sequence.from = from;
        sequence.steps = 5;
        let parent = sequence.parent.weights.clone();
        (parent, run(sequence))
    };
    let (_, path) = table(Start::Previous);
    let (parent, chain) = table(Start::Chain);
    for row in 0..2 {
        for (at, parent) in parent.iter().enumerate() {
            assert_eq!(chain.row(row)[at], path.row(row)[at] - parent);
        }
    }
    assert!(chain.coordinates.column("step").is_err());
}

#[test]
fn diverged_subsets_are_marked_and_counted() {
    // A row of the subset far outside makes its own gradient explode, no other's.
    let mut some = finetune(vec![vec![0], new()]);
    let (mut x, mut y) = (vec![0.0; 40], vec![0.0; 40]);
    x[20..].fill(1e6);
    y[20..].fill(1.0);
    x[0] = 0.5;
    some.data = Via(Input::new(data(&x, &y)));
    let context = Context::alone("some");
    let table = some.run(&context).expect("a table");
    assert!(table.row(0).iter().all(|weight| weight.is_finite()));
    assert!(table.row(1).iter().all(|weight| weight.is_nan()));
    assert_eq!(context.take_notes(), ["1 of 2 subsets diverged"]);
    let read = WeightTable::from_parts(&table.to_parts().expect("parts")).expect("a table");
    assert_eq!(read.coordinates.height(), 2);

    let mut all = finetune(vec![new()]);
    all.data = Via(Input::new(data(&x, &y)));
    let fault = all.run(&Context::alone("all")).map(|_| ());
    assert!(matches!(fault, Err(Fault::Diverged(text)) if text == "all 1 subsets diverged"));
}

/// More subsets than go abreast in one group, the fourth with these rows.
fn many(fourth: Vec<u32>) -> Finetune {
    let mut subsets: Vec<Vec<u32>> = (0..20).map(|at| (at..at + 20).collect()).collect();
    subsets[3] = fourth;
    let mut many = finetune(subsets);
    (many.mix, many.steps) = (0.25, 20);
    // The last row makes a gradient explode.
    let x = (0..40).map(|row| f64::from(row % 20) / 10.0 - 1.0);
    let x: Vec<f64> = x.chain([1e6]).collect();
    let y = x.iter().enumerate().map(|(row, x)| match row {
        0..20 => *x,
        20..40 => x + 2.0,
        _ => 1.0,
    });
    let y: Vec<f64> = y.collect();
    many.data = Via(Input::new(data(&x, &y)));
    many
}

#[test]
fn subsets_abreast_are_those_of_the_reference() {
    let mut reference = many(old());
    reference.trainer = TrainerChoice::Dfdx;
    let (reference, found) = (run(reference), run(many(old())));
    for (found, expected) in found.weights.iter().zip(&reference.weights) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn a_diverged_subset_leaves_those_beside_it_as_they_are() {
    let (calm, wild) = (run(many(old())), run(many(vec![40])));
    for row in 0..20 {
        match row {
            3 => assert!(wild.row(row).iter().all(|weight| weight.is_nan())),
            _ => assert_eq!(wild.row(row), calm.row(row), "{row}"),
        }
    }
}

#[test]
fn a_flat_parent_is_told() {
    let mut flat = finetune(vec![old(), (0..10).collect()]);
    flat.optimizer = sgd(1e-6);
    let context = Context::alone("flat");
    flat.run(&context).expect("a table");
    let notes = context.take_notes();
    assert!(
        notes.len() == 1 && notes[0].starts_with("flat parent"),
        "{notes:?}"
    );
    let lively = finetune(vec![old(), new()]);
    let context = Context::alone("lively");
    lively.run(&context).expect("a table");
    assert!(context.take_notes().is_empty());
}

#[test]
fn gaps_are_refused() {
    let mut gaps = finetune(vec![old()]);
    gaps.data = Via(Input::new(data(&[f64::NAN, 1.0], &[0.0, 0.0])));
    let fault = gaps.run(&Context::alone("gaps")).map(|_| ());
    assert_eq!(
        fault.expect_err("a fault").to_string(),
        "column `x` has no value in 1 of 2 rows"
    );
}

#[test]
fn repeats_stand_beside_the_first_and_tell_signal_from_noise() {
    let once = run(finetune(vec![old(), new()]));
    let mut thrice = finetune(vec![old(), new()]);
    thrice.repeats = 3;
    thrice.steps = 20;
    let context = Context::alone("finetune");
    let table = thrice.run(&context).expect("a table");
    let column = |name: &str| -> Vec<u32> {
        let column = table.coordinates.column(name).expect(name);
        column.u32().expect("numbers").into_no_null_iter().collect()
    };
    assert_eq!(column("subset"), [0, 0, 0, 1, 1, 1]);
    assert_eq!(column("repeat"), [0, 1, 2, 0, 1, 2]);
    assert_eq!(once.coordinates.get_column_names().len(), 6);
    assert_ne!(table.row(3), table.row(4));
    let notes = context.take_notes();
    assert!(
        notes.len() == 1 && notes[0].starts_with("signal-to-noise of the anomalies over 3 repeats"),
        "{notes:?}"
    );
    let mut single = finetune(vec![old(), new()]);
    single.steps = 20;
    let single = run(single);
    assert_eq!((single.row(0), single.row(1)), (table.row(0), table.row(3)));
}

#[test]
fn training_rows_are_mixed_by_share_or_by_number() {
    let with = |mix: f64, mix_rows: Option<usize>| {
        let mut call = finetune(vec![new()]);
        (call.mix, call.mix_rows, call.steps) = (mix, mix_rows, 20);
        call.run(&Context::alone("finetune"))
    };
    let share = with(0.25, None).expect("a table");
    let number = with(0.0, Some(8)).expect("a table");
    assert_eq!(share.weights, number.weights);
}
