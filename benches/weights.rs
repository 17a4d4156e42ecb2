//! How long fine-tuning, regression, children and farcasts take.

use std::hint::black_box;

use benches::{Made, Training, child, farcast, finetune, regression};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::artifact::Dataset;
use plugins::children::Child;
use plugins::networks::TrainerChoice;
use plugins::parents::Parent;
use plugins::training::Trainer;

/// One step of one network, by the fast trainer and by the reference.
fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for widths in [&[2, 16, 16, 1][..], &[10, 32, 32, 1], &[64, 64, 64, 1]] {
        for rows in [32, 64] {
            let case = format!("{widths:?} batch {rows}");
            let of = Training::of(widths, rows);
            let mut weights = of.weights.clone();
            let mut trainer = Trainer::new(&of.network, TrainerChoice::FanOut, &of.optimizer);
            group.bench_function(BenchmarkId::new("fan_out", &case), |bencher| {
                bencher.iter(|| trainer.step(&mut weights, black_box(&of.batch), 1.0));
            });
            let mut trainer = Trainer::new(&of.network, TrainerChoice::Dfdx, &of.optimizer);
            group.bench_function(BenchmarkId::new("dfdx", &case), |bencher| {
                bencher.iter(|| trainer.step(&mut weights, black_box(&of.batch), 1.0));
            });
        }
    }
}

/// The whole plugin: draws of minibatches and losses before and after too.
fn fine_tuning(criterion: &mut Criterion) {
    let (children, steps) = (16, 100);
    let made = Made::by(&finetune(&[2, 16, 16, 1], children, 32, steps));
    let mut group = criterion.benchmark_group("finetune");
    group.throughput(Throughput::Elements(children as u64 * steps));
    group.bench_function("[2, 16, 16, 1] batch 32", |bencher| {
        bencher.iter(|| made.again("shift"));
    });
}

fn regressions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ols");
    for (subsets, predictors) in [(256, 1), (1024, 4)] {
        let made = Made::by(&regression(&[1, 128, 64, 1], subsets, predictors));
        let weights = made.result::<Parent>("net").weights.len();
        group.throughput(Throughput::Bytes((subsets * weights * 4) as u64));
        let case = format!("{subsets} subsets {predictors} predictors");
        group.bench_function(case, |bencher| bencher.iter(|| made.again("drift")));
    }
}

/// One network for each row.
fn children(criterion: &mut Criterion) {
    let made = Made::by(&child(&[2, 16, 16, 1]));
    let (child, data) = (
        made.result::<Child>("adapted"),
        made.result::<Dataset>("all"),
    );
    let mut group = criterion.benchmark_group("child");
    group.throughput(Throughput::Elements(data.rows() as u64));
    group.bench_function("predict", |bencher| {
        bencher.iter(|| child.predict(black_box(&data)).map(|values| values.len()));
    });
}

fn farcasts(criterion: &mut Criterion) {
    let made = Made::by(&farcast(&[10, 128, 128, 1], 100));
    let weights = made.result::<Parent>("net").weights.len();
    let mut group = criterion.benchmark_group("farcast");
    // One takes more than half a second.
    group.sample_size(10);
    group.throughput(Throughput::Elements(weights as u64));
    group.bench_function("lfd2 of 100 snapshots", |bencher| {
        bencher.iter(|| made.again("ahead"));
    });
}

criterion_group!(benches, step, fine_tuning, regressions, children, farcasts);
criterion_main!(benches);
