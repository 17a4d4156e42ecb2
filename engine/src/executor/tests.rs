//! Worker processes that are shell scripts: each answers, crashes or ends as its text says.
#![cfg(unix)]

use std::sync::Mutex;

use dsl::experiment::Arguments;

use super::wire::{Report, line};
use super::*;
use crate::key::Key;
use crate::observer::Blame;
use crate::plugin::Progress;
use crate::store::MemStore;
use crate::streams::Streams;

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn progress(&self, action: ActionId, progress: Progress) {
        let line = format!("{}: {} of {}", action.0, progress.done, progress.total);
        self.0.lock().unwrap().push(line);
    }

    fn remark(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

fn order(title: &str) -> Order {
    let key = Key::of(title.to_owned());
    Order {
        plugin: "number".to_owned(),
        version: 1,
        arguments: Arguments::default(),
        member: None,
        streams: Streams(key.digest),
        key,
        title: title.to_owned(),
        files: Default::default(),
        inputs: Vec::new(),
        provided: Vec::new(),
        remakes: Vec::new(),
        along: Vec::new(),
        flows: None,
        is_along: false,
        shorter: Vec::new(),
        leaves: false,
    }
}

/// A worker that answers every order, but runs `script` for one that is called `odd`.
fn answering(script: &str) -> Processes {
    let report = |report: &Report| String::from_utf8(line(report).unwrap()).unwrap();
    let progress = report(&Report::Progress(Progress {
        done: 1,
        total: 2,
        loss: None,
    }));
    let ended = report(&Report::Ended(Answer::without_result(
        Conclusion::Produced { seconds: 1.0 },
    )));
    let loop_over_orders = format!(
        "while read -r order; do case $order in\n\
         *'\"odd\"'*) {script} ;;\n\
         *carry*) echo '{}'; echo '{}' ;;\n\
         esac; done",
        progress.trim(),
        ended.trim()
    );
    Processes {
        program: "sh".into(),
        arguments: vec!["-c".into(), loop_over_orders.into()],
        jobs: 2,
    }
}

/// Carries out orders with these titles; returns how they ended, sorted, and what was heard.
fn carried(backend: &dyn Backend, titles: &[&str]) -> (Vec<(String, Conclusion)>, Vec<String>) {
    let (store, heard, stop) = (MemStore::default(), Heard::default(), Arc::default());
    let place = Place {
        registry: &Registry::default(),
        store: &store,
        observer: &heard,
        stop: &stop,
        host: "test",
    };
    let mut ended = Vec::new();
    backend.open(place, &mut |executor| {
        let mut left = titles.iter().enumerate();
        loop {
            while executor.has_room()
                && let Some((index, title)) = left.next()
            {
                executor.start(ActionId(index), order(title));
            }
            match executor.wait() {
                Event::Ended(id, answer) => {
                    ended.push((titles[id.0].to_owned(), answer.conclusion));
                }
                Event::StillRunning => {}
                Event::Idle => break,
            }
        }
    });
    ended.sort_by(|a, b| a.0.cmp(&b.0));
    (ended, heard.0.into_inner().unwrap())
}

const PRODUCED: Conclusion = Conclusion::Produced { seconds: 1.0 };

fn failure_of(ended: &[(String, Conclusion)], title: &str) -> Failure {
    let found = ended.iter().find(|(ended, _)| ended == title);
    match found {
        Some((_, Conclusion::Failed(failure))) => failure.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn workers_answer_and_report_progress() {
    let (ended, heard) = carried(&answering("true"), &["a", "b", "c"]);
    let expected = ["a", "b", "c"].map(|title| (title.to_owned(), PRODUCED));
    assert_eq!(ended, expected);
    assert!(heard.contains(&"2: 1 of 2".to_owned()), "{heard:?}");
}

#[test]
fn an_order_whose_worker_is_killed_twice_fails_alone() {
    let (ended, heard) = carried(&answering("kill -9 $$"), &["a", "odd", "b", "c"]);
    let failure = failure_of(&ended, "odd");
    assert_eq!(failure.blame, Blame::Environment);
    assert_eq!(
        failure.message,
        "the worker process was killed by signal 9, twice"
    );
    let others: Vec<_> = ended.iter().filter(|(title, _)| title != "odd").collect();
    assert_eq!(others.len(), 3);
    assert!(others.iter().all(|(_, how)| *how == PRODUCED), "{ended:?}");
    let retried = "the worker process of `odd` was killed by signal 9: it is tried once more";
    assert!(heard.contains(&retried.to_owned()), "{heard:?}");
}

#[test]
fn an_order_whose_worker_crashes_is_a_bug_and_its_last_words_are_heard() {
    let (ended, heard) = carried(&answering("echo oh no >&2; exit 101"), &["odd", "a"]);
    let failure = failure_of(&ended, "odd");
    assert_eq!(failure.blame, Blame::Bug);
    assert!(heard.contains(&"oh no".to_owned()), "{heard:?}");
}

#[test]
fn an_order_whose_second_worker_answers_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let mark = mark.display();
    let once = format!(
        "if [ -e {mark} ]; then echo '{{\"ended\":{{\"conclusion\":{{\"produced\":{{\"seconds\":1}}}},\
         \"notes\":[],\"cost\":{{\"seconds\":0,\"bytes\":0}}}}}}'; else touch {mark}; kill -9 $$; fi"
    );
    let (ended, _) = carried(&answering(&once), &["odd"]);
    assert_eq!(ended, [("odd".to_owned(), PRODUCED)]);
}

#[test]
fn a_program_that_cannot_be_started_fails_its_orders() {
    let backend = Processes {
        program: "/nowhere/farcast".into(),
        arguments: Vec::new(),
        jobs: 2,
    };
    let (ended, _) = carried(&backend, &["a", "b", "c"]);
    assert_eq!(ended.len(), 3);
    assert_eq!(failure_of(&ended, "a").blame, Blame::Environment);
}

#[test]
fn an_unknown_plugin_fails_in_any_executor() {
    let (ended, _) = carried(&Threads { jobs: 1 }, &["a"]);
    assert_eq!(
        failure_of(&ended, "a").message,
        "plugin `number` is not registered (a bug in farcast: please report it)"
    );
}
