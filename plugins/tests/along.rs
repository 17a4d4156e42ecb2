//! What is not computed twice: trainings that are recorded while they run, and longer trainings
//! that go on where shorter ones ended. Told by the steps that were taken, to the same bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use engine::digest::Digest;
use engine::executor::Threads;
use engine::graph::ActionId;
use engine::observer::Observer;
use engine::outside::Disk;
use engine::plugin::Progress;
use engine::run::Settings;
use engine::scheduler::OnFailure;
use engine::store::{MemStore, RecordedOutcome, Store};
use engine::study::Study;

/// The steps that each action tells of.
#[derive(Default)]
struct Steps {
    titles: Mutex<BTreeMap<ActionId, String>>,
    taken: Mutex<BTreeMap<String, Vec<u64>>>,
}

impl Observer for Steps {
    fn started(&self, action: ActionId, title: &str) {
        let mut titles = self.titles.lock().expect("titles");
        titles.insert(action, title.to_owned());
    }

    fn progress(&self, action: ActionId, progress: Progress) {
        let title = self.titles.lock().expect("titles")[&action].clone();
        let mut taken = self.taken.lock().expect("steps");
        taken.entry(title).or_default().push(progress.done);
    }
}

/// Runs an experiment; returns the steps of training that each action took.
fn steps_of(text: &str, store: &MemStore) -> BTreeMap<String, Vec<u64>> {
    let registry = Arc::new(plugins::registry());
    let world = Disk {
        registry: &registry,
    };
    let path = "test.farcast";
    let study = Study::of_text(path, text, Vec::new(), Arc::clone(&registry), &world);
    let Ok(mut study) = study else {
        panic!("mistakes in {text}");
    };
    let settings = Settings {
        on_failure: OnFailure::Stop,
        stop: Default::default(),
        host: "test".to_owned(),
    };
    let steps = Steps::default();
    let finished = study.run(store, &Threads { jobs: 2 }, &steps, &settings);
    assert!(finished.is_ok());
    steps.taken.into_inner().expect("steps")
}

type Results = BTreeMap<Digest, RecordedOutcome>;

/// What is stored by key, less what is left for longer trainings.
fn results(store: &MemStore) -> Results {
    let records = store.records().all().into_iter();
    let results = records.map(|record| (record.key, record.outcome));
    results
        .filter(|(_, outcome)| match outcome {
            RecordedOutcome::Parts(parts) => !parts.contains_key("state.bin"),
            RecordedOutcome::Diverged(_) => true,
        })
        .collect()
}

const NET: &str = "
data all = synthetic(regime, rows: 300)
parent net = mlp(all, inputs: [x], target: y, hidden: [3], steps: 40, hold_out: 0.2, members: 2)
";

#[test]
fn a_parent_is_trained_once_while_it_is_recorded() {
    let text = format!(
        "{NET}trajectory walk = record(net, every: 4 steps)\n\
         trajectory stroll = record(net, every: 6 steps)\n"
    );
    let at_once = MemStore::default();
    let steps = steps_of(&text, &at_once);
    let titles: Vec<&str> = steps.keys().map(|title| &title[..]).collect();
    assert_eq!(titles, ["net[0]", "net[1]"]);
    assert!(steps.values().all(|steps| steps.len() == 40), "{steps:?}");

    // A parent that is there is trained again, as after a run that was killed in between.
    let one_by_one = MemStore::default();
    steps_of(NET, &one_by_one);
    let steps = steps_of(&text, &one_by_one);
    let titles: Vec<&str> = steps.keys().map(|title| &title[..]).collect();
    assert_eq!(titles, ["stroll[0]", "stroll[1]", "walk[0]", "walk[1]"]);
    assert_eq!(results(&at_once), results(&one_by_one));
}

#[test]
fn a_recorded_training_that_stops_early_or_jumps_keeps_its_states() {
    for training in [
        "epochs: 200, hold_out: 0.3, patience: 2",
        "steps: 60, hold_out: 0.3, jump: nowcast(linear, every: 20, ahead: 4)",
    ] {
        let net = format!(
            "data all = synthetic(regime, rows: 300)\n\
             parent net = mlp(all, inputs: [x], target: y, hidden: [3], {training}, members: 1)\n"
        );
        let text = format!("{net}trajectory walk = record(net, every: 3 steps)\n");
        let (at_once, one_by_one) = (MemStore::default(), MemStore::default());
        steps_of(&text, &at_once);
        steps_of(&net, &one_by_one);
        steps_of(&text, &one_by_one);
        assert_eq!(results(&at_once), results(&one_by_one), "{training}");
    }
}

/// Halving over epochs of 8 steps, and the same points one by one.
fn halving(training: &str) -> (String, String) {
    let text = format!(
        "param rate: Float = 1e-2 in 1e-6..=1000\n\
         param epochs: Int = 2 in 1..=100\n\
         data all = synthetic(regime, rows: 256)\n\
         parent net = mlp(all, inputs: [x], target: y, hidden: [3], batch: 32, epochs: epochs, \
         members: 2, {training})\n\
         score inside = compare(net, on: all, metrics: [rmse])\n"
    );
    let search = "halving(4, rate: [1e-3, 3e-3, 1e-2, 3e-2], over: epochs, epochs: [2, 4, 8], \
                  minimise: inside.rmse)";
    let all = "grid(rate: [1e-3, 3e-3, 1e-2, 3e-2], epochs: [2, 4, 8])";
    (
        format!("{text}sweep search = {search}\n"),
        format!("{text}sweep search = {all}\n"),
    )
}

/// The first and last step of each training on a budget.
fn spans(steps: &BTreeMap<String, Vec<u64>>, epochs: u64) -> Vec<(u64, u64)> {
    let of_budget = steps.iter();
    let end = format!("epochs={epochs}");
    let of_budget =
        of_budget.filter(|(title, _)| title.starts_with("net[") && title.ends_with(&end));
    let ends = of_budget.filter_map(|(_, steps)| Some((*steps.first()?, *steps.last()?)));
    ends.collect()
}

#[test]
fn halving_goes_on_where_shorter_trainings_ended_to_the_same_bytes() {
    for training in [
        "optimizer: adam(rate: rate)",
        "optimizer: sgd(rate: rate, momentum: 0.9), schedule: cyclic(period: 10)",
        "optimizer: adamw(rate: rate), hold_out: 0.25, patience: 50",
        "optimizer: rmsprop(rate: rate), schedule: step(every: 20), trainer: dfdx",
    ] {
        let (search, all) = halving(training);
        let searched = MemStore::default();
        let steps = steps_of(&search, &searched);
        let per_epoch = spans(&steps, 2)[0].1 / 2;
        for (epochs, before, trials) in [(2, 0, 4), (4, 2, 2), (8, 4, 1)] {
            let expected = (before * per_epoch + 1, epochs * per_epoch);
            assert_eq!(
                spans(&steps, epochs),
                vec![expected; 2 * trials],
                "{training}"
            );
        }
        let anew = MemStore::default();
        let steps = steps_of(&all, &anew);
        assert_eq!(spans(&steps, 8), vec![(1, 8 * per_epoch); 8]);
        let anew = results(&anew);
        for (key, outcome) in results(&searched) {
            assert_eq!(anew.get(&key), Some(&outcome), "{training}");
        }
    }
}

#[test]
fn a_training_whose_schedule_looks_ahead_begins_anew() {
    let (search, all) = halving("optimizer: adam(rate: rate), schedule: cosine(to: 0.1)");
    let (searched, anew) = (MemStore::default(), MemStore::default());
    let steps = steps_of(&search, &searched);
    assert_eq!(spans(&steps, 8), [(1, 64); 2]);
    steps_of(&all, &anew);
    let anew = results(&anew);
    for (key, outcome) in results(&searched) {
        assert_eq!(anew.get(&key), Some(&outcome));
    }
}
