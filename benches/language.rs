//! How long the language takes for a file of a thousand statements.

#[path = "../dsl/tests/catalog/mod.rs"]
mod catalog;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dsl::check::check;
use dsl::format::format;
use dsl::parse::parse;
use dsl::source::FileId;

const STATEMENTS: usize = 1000;

/// An experiment like the shipped ones, with as many branches as it takes.
fn experiment() -> String {
    let mut text = String::from(
        "experiment \"Many depths\"\n\n\
         param width: Int = 16 in 4..=128\n\
         param rate: Float = 1e-2\n\n\
         define cut(rows, most) = where(rows, depth <= most and salt > 3 psu)\n\n\
         data sea = netcdf(\"sea.nc\", inputs: [temp, salt], coords: [depth, lat, lon])\n",
    );
    let branch = |at: usize| {
        format!(
            "# depths to {at} m\n\
             data upper{at} = cut(sea, {at} m)\n\
             data deep{at} = where(sea, depth > {at} m and lat * 2 < 60)\n\
             data more{at} = derive(upper{at}, x = sin(2 * pi * month / 12), y = temp + 2 * salt)\n\
             parent net{at} = mlp(upper{at}, inputs: [temp, salt], target: density, \
             hidden: [width, 2 * width], optimizer: adam(rate: 3e-3), epochs: 60, members: 20)\n\
             subset near{at} = window(upper{at}, by: depth, count: 64)\n\
             anomaly shift{at} = finetune(net{at}, near{at}, optimizer: sgd(rate: rate), mix: 50 %)\n\
             predictor z{at} = expr(depth / 1000, sin(2 * pi * month / 12))\n\
             regression drift{at} = polynomial(shift{at}, z{at}, degree: 1, keep: snr > 2)\n\
             child adapted{at} = apply(drift{at}, deep{at})\n\
             score skill{at} = compare(net{at}, adapted{at}, on: deep{at}, metrics: [rmse, mae])\n\n"
        )
    };
    let branches = STATEMENTS / 10;
    (1..=branches).for_each(|at| text += &branch(at));
    text += "report summary = page(";
    (1..=branches).for_each(|at| write!(text, "skill{at}, ").unwrap_or_default());
    text + "plots: [error(by: depth), parity])\n"
}

fn language(criterion: &mut Criterion) {
    let text = experiment();
    let (catalog, outside) = (catalog::catalog(), catalog::Table(BTreeMap::new()));
    let checked = check("bench.farcast", &text, &[], &catalog, &outside);
    assert!(checked.experiment.is_some(), "{:?}", checked.diagnostics);

    let mut group = criterion.benchmark_group("language");
    group.throughput(Throughput::Elements(STATEMENTS as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| parse(FileId(0), black_box(&text)));
    });
    group.bench_function("check", |bencher| {
        bencher.iter(|| check("bench.farcast", black_box(&text), &[], &catalog, &outside));
    });
    group.bench_function("format", |bencher| {
        bencher.iter(|| format(black_box(&text)));
    });
    group.finish();
}

criterion_group!(benches, language);
criterion_main!(benches);
