//! How long fine-tuning, regression and the evaluation of children take.

use std::hint::black_box;

use benches::{batch, child, data, descent, finetune, parent, regress, regression, run};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use plugins::parents::DfdxTrainer;
use plugins::training::{FanOut, Trainer};

/// One step of one network, by the fast trainer and by the reference.
fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for widths in [&[2, 16, 16, 1][..], &[10, 32, 32, 1], &[64, 64, 64, 64]] {
        for rows in [32, 64] {
            let parent = parent(widths);
            let (batch, optimizer) = (batch(&parent.network, rows), descent());
            let case = format!("{widths:?} batch {rows}");
            let mut weights = parent.weights.clone();
            let mut trainer = FanOut::new(&parent.network, &optimizer);
            group.bench_function(BenchmarkId::new("fan_out", &case), |bencher| {
                bencher.iter(|| trainer.step(&mut weights, black_box(&batch), 1.0));
            });
            let mut trainer = DfdxTrainer::new(&parent.network, &optimizer);
            group.bench_function(BenchmarkId::new("dfdx", &case), |bencher| {
                bencher.iter(|| trainer.step(&mut weights, black_box(&batch), 1.0));
            });
        }
    }
}

/// The whole plugin: draws of minibatches and losses before and after too.
fn fine_tuning(criterion: &mut Criterion) {
    let (children, steps) = (16, 100);
    let parent = parent(&[2, 16, 16, 1]);
    let mut group = criterion.benchmark_group("finetune");
    group.throughput(Throughput::Elements(children as u64 * steps));
    group.bench_function("[2, 16, 16, 1] batch 32", |bencher| {
        bencher.iter(|| run(finetune(&parent, children, 32, steps)));
    });
}

fn regressions(criterion: &mut Criterion) {
    let parent = parent(&[64, 128, 64, 1]);
    let mut group = criterion.benchmark_group("ols");
    for (subsets, predictors) in [(256, 1), (1024, 4)] {
        let bytes = subsets * parent.weights.len() * 4;
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(
            format!("{subsets} subsets {predictors} predictors"),
            |bencher| {
                bencher.iter_with_setup(|| regression(&parent, subsets, predictors), regress);
            },
        );
    }
}

fn children(criterion: &mut Criterion) {
    let rows = 10_000;
    let child = child(&[2, 16, 16, 1], 1);
    let data = data(&child.parent.network, 1, rows);
    let mut group = criterion.benchmark_group("child");
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function("predict", |bencher| {
        bencher.iter(|| child.predict(black_box(&data)).map(|values| values.len()));
    });
}

criterion_group!(benches, step, fine_tuning, regressions, children);
criterion_main!(benches);
