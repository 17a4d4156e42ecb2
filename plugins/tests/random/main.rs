//! Random calls of all plugins, alone and inside each other: what `check` passes, a run refuses
//! only for a reason in the data.

mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dsl::signature::Catalog;
use dsl::types::Kind;
use engine::executor::{Backend, Place, Threads};
use engine::lower::{Lowered, lower};
use engine::observer::{Blame, Ending, Failure, Silent};
use engine::outside::Disk;
use engine::plugin::Registry;
use engine::run::{Endings, Work, run_after};
use engine::scheduler::OnFailure;
use engine::store::{MemStore, Store};

use self::writer::Writer;

/// How many calls are made.
const CALLS: u64 = 15_000;

/// The statements that calls may refer to.
const STATEMENTS: &str = "\
data all = synthetic(regime, rows: 400, slope: 2)
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)
parent net = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 2, members: 2)
parent held = mlp(seen, inputs: [x], target: y, hidden: [4], steps: 20, hold_out: 0.2, members: 2)
subset near = window(seen, by: z, count: 8, size: 40)
anomaly shift = finetune(net, near, steps: 4)
trajectory rec = record(held, every: 2 steps)
trajectory walk = finetune(net, near, from: previous, steps: 4)
predictor regime = columns(z)
regression drift = polynomial(shift, regime, degree: 1)
child adapted = apply(drift, unseen)
farcast later = linear(rec, observe: 0..=8, horizon: [12])
score quality = evaluate(net, on: seen)
";

const NAMES: [(Kind, &str); 14] = [
    (Kind::Data, "all"),
    (Kind::Data, "seen"),
    (Kind::Data, "unseen"),
    (Kind::Parent, "net"),
    (Kind::Parent, "held"),
    (Kind::Subset, "near"),
    (Kind::Anomaly, "shift"),
    (Kind::Trajectory, "rec"),
    (Kind::Trajectory, "walk"),
    (Kind::Predictor, "regime"),
    (Kind::Regression, "drift"),
    (Kind::Child, "adapted"),
    (Kind::Farcast, "later"),
    (Kind::Score, "quality"),
];

/// What data decide, as parts of messages: no check can know it before they are read. Each
/// beside what must be in the call, where only some data are unknown.
const OF_THE_DATA: [(&str, &[&str]); 45] = [
    ("no row meets the condition", &[""]),
    ("do not last for", &[""]),
    ("does not tell on which side", &[""]),
    ("rows or more to train on, found", &[""]),
    ("usable subsets", &[""]),
    ("no larger than the data", &[""]),
    ("no more clusters than rows", &[""]),
    ("no more subsets than rows", &[""]),
    ("no bin has", &[""]),
    ("rows in the largest region", &[""]),
    ("expected class indices", &[""]),
    ("keys that are in the table", &[""]),
    ("has the keys of a row before it", &[""]),
    ("no predictor varies", &[""]),
    ("two complete samples", &[""]),
    ("complete rows, found", &["joint("]),
    ("diverged", &[""]),
    // How many leaves trees have, and how many knots curves.
    ("of a network of other tensors", &["boost("]),
    ("of a network of other tensors", &["additive("]),
    ("no row has a partner", &[""]),
    ("is the same in all rows: there is no edge", &["edge("]),
    ("do not lie beyond the rows along", &["reach: matched"]),
    ("standardise their columns", &["path("]),
    // The steps of files, and the end of a path of subsets.
    ("no tensor matches", &["checkpoints("]),
    ("the weights are of", &["checkpoints(", "like"]),
    ("the weights have", &["checkpoints(", "like"]),
    ("is no `", &["checkpoints(", "like"]),
    ("the weights are of", &["checkpoints(", "network"]),
    ("the weights have", &["checkpoints(", "network"]),
    ("is no `", &["checkpoints(", "network"]),
    ("its mean is not known", &["standardised_by"]),
    ("no recorded step is observed", &["checkpoints("]),
    ("observed states, found", &["checkpoints("]),
    ("was not recorded", &["checkpoints("]),
    (
        "is not after the last step observed",
        &["checkpoints(", "walk"],
    ),
    ("of another network", &["checkpoints("]),
    // How long `net` trains follows from the rows that meet a condition.
    (
        "equally far apart, found",
        &["checkpoints(", "walk", "record(parent: net"],
    ),
    ("is missing, negative or infinite in", &["weights"]),
    ("no row is in a group of", &["anomaly_of("]),
    ("has no value in", &["anomaly_of("]),
    ("complete rows, found", &["lag("]),
    ("the anomalies do not vary", &["network("]),
    ("training is shorter than", &["track("]),
    ("two networks or more", &["train_on"]),
    ("no rows are left for", &["split("]),
];

#[test]
fn what_check_passes_runs_unless_the_data_forbid_it() {
    let registry = plugins::registry();
    let catalog = registry.catalog();
    let store = MemStore::default();
    let mut ran = 0;
    let mut refused: BTreeMap<String, String> = BTreeMap::new();
    for seed in 0..CALLS {
        let call = Writer::new(&catalog, &NAMES, seed).statement();
        let Some(lowered) = checked(&registry, &catalog, &call) else {
            continue;
        };
        ran += 1;
        for failure in failures(&registry, &store, &lowered) {
            let is_of_data = OF_THE_DATA.iter().any(|(part, calls)| {
                let is_unknown = calls.iter().any(|of| call.contains(of));
                is_unknown && failure.message.contains(part)
            });
            if failure.blame != Blame::User || !is_of_data {
                let kind = format!("{:?}: {}", failure.blame, failure.message);
                refused.entry(kind).or_insert_with(|| call.clone());
            }
        }
    }
    let refused: Vec<String> = refused
        .iter()
        .map(|(why, call)| format!("{call}    {why}"))
        .collect();
    assert!(
        refused.is_empty(),
        "of {ran} that passed:\n{}",
        refused.join("\n")
    );
    assert!(ran > CALLS / 10, "only {ran} of {CALLS} pass");
}

/// The actions of a call that passes.
fn checked(registry: &Registry, catalog: &Catalog, call: &str) -> Option<Lowered> {
    // Scores are the goals where there are any; the others would not run.
    let is_kept = |line: &&str| call.contains("quality") || !line.starts_with("score");
    let statements = STATEMENTS.lines().filter(is_kept);
    let text = statements.chain([call]).collect::<Vec<_>>().join("\n");
    let outside = Disk { registry };
    let checked = dsl::check::check("d.farcast", &text, &[], catalog, &outside);
    let digest = |path: &str| MemStore::default().file_digest(Path::new(path));
    Some(lower(checked.experiment?, registry, &digest).expect("a graph"))
}

fn failures(registry: &Registry, store: &MemStore, lowered: &Lowered) -> Vec<Failure> {
    let stop = Arc::default();
    let place = Place {
        registry,
        store,
        observer: &Silent,
        stop: &stop,
        host: "test",
    };
    let work = Work {
        graph: &lowered.graph,
        experiment: &lowered.experiment,
        place,
    };
    let mut failures = Vec::new();
    Threads { jobs: 2 }.open(place, &mut |executor| {
        let outcome = run_after(work, OnFailure::KeepGoing, executor, &Endings::new());
        let failed = outcome
            .endings
            .into_iter()
            .filter_map(|ending| match ending {
                Ending::Failed(failure) => Some(failure),
                _ => None,
            });
        failures.extend(failed);
    });
    failures
}
