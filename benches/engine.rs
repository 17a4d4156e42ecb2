//! How long planning takes, and keeping and finding results.

use std::collections::BTreeMap;
use std::hint::black_box;

use benches::lowered;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::artifact::Parts;
use engine::digest::Digest;
use engine::plan::plan;
use engine::store::{Access, DirStore, Record, RecordedOutcome, Store};

/// Members of the ensemble: each is an action, and so is its fine-tuning.
const MEMBERS: usize = 5000;

fn experiment() -> String {
    format!(
        "data all = synthetic(regime)\n\
         parent net = mlp(all, inputs: [x], target: y, members: {MEMBERS})\n\
         subset near = window(all, by: z)\n\
         anomaly shift = finetune(net, near)\n"
    )
}

/// A record of a result of one small part, by a number.
fn record(at: usize) -> (Record, Parts) {
    let parts = Parts::default().with("part", at.to_string().into_bytes());
    let record = Record {
        key: Digest::of(&at.to_le_bytes()),
        key_text: format!("plugin made_up 1\nnumber {at}\n"),
        outcome: RecordedOutcome::Parts(BTreeMap::new()),
        notes: Vec::new(),
        seconds: 0.0,
        host: "bench".to_owned(),
    };
    (record, parts)
}

fn planning(criterion: &mut Criterion) {
    let text = experiment();
    let folder = tempfile::tempdir().expect("a folder");
    let store = DirStore::open(folder.path(), Access::Write).expect("opens");
    let (_, graph) = lowered(&text);
    let mut group = criterion.benchmark_group("planner");
    group.throughput(Throughput::Elements(graph.actions.len() as u64));
    group.bench_function("check and lower", |bencher| {
        bencher.iter(|| lowered(black_box(&text)));
    });
    group.bench_function("plan over an empty store", |bencher| {
        bencher.iter(|| plan(&graph, &store).to_run());
    });
    for action in &graph.actions {
        let (mut record, parts) = record(0);
        (record.key, record.key_text) = (action.key.digest, action.key.text.clone());
        store.save(record, &parts).expect("saves");
    }
    group.bench_function("plan over a full store", |bencher| {
        bencher.iter(|| plan(&graph, &store).to_run());
    });
    group.bench_function("open the full store", |bencher| {
        bencher.iter(|| DirStore::open(folder.path(), Access::Read).map(|_| ()));
    });
}

fn storing(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = DirStore::open(folder.path(), Access::Write).expect("opens");
    let mut group = criterion.benchmark_group("store");
    let mut next = 0..;
    group.bench_function("save", |bencher| {
        bencher.iter_batched(
            || record(next.next().unwrap_or_default()),
            |(record, parts)| store.save(record, &parts).map(|_| ()),
            BatchSize::SmallInput,
        );
    });
    let key = Digest::of(&0_usize.to_le_bytes());
    group.bench_function("find and load", |bencher| {
        bencher.iter(|| {
            let record = store.find(&key).expect("saved");
            store.load(&record).map(|_| ())
        });
    });
}

criterion_group!(benches, planning, storing);
criterion_main!(benches);
