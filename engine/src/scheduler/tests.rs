//! Graphs written as text, carried out by an executor that only writes down what it was asked.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use dsl::experiment::Arguments;

use super::*;
use crate::key::Key;
use crate::observer::{Blame, Failure};
use crate::streams::Streams;

/// Actions by name, in the order of the text: `a; b: a; c: a b`. An action marked `a!` fails,
/// `a~` diverges, `a?` finds an input damaged, `(a)` is cached; `a^` raises the stop flag.
struct Written {
    names: Vec<String>,
    inputs: Vec<Vec<ActionId>>,
    marks: Vec<char>,
}

impl Written {
    fn new(text: &str) -> Self {
        let mut written = Self {
            names: Vec::new(),
            inputs: Vec::new(),
            marks: Vec::new(),
        };
        for action in text.split(';') {
            let (head, inputs) = action.split_once(':').unwrap_or((action, ""));
            let head = head.trim();
            let name = head.trim_matches(|c: char| !c.is_alphanumeric());
            written.marks.push(head.chars().last().unwrap());
            let inputs = inputs.split_whitespace().map(|input| {
                let at = written.names.iter().position(|name| name == input);
                ActionId(at.expect("an earlier action"))
            });
            written.inputs.push(inputs.collect());
            written.names.push(name.to_owned());
        }
        written
    }

    fn known(&self) -> Vec<Option<Ending>> {
        let marks = self.marks.iter();
        marks
            .map(|mark| (*mark == ')').then_some(Ending::Cached))
            .collect()
    }
}

/// Writes down what happens; orders end in the order they were started.
struct Fake<'a> {
    written: &'a Written,
    room: usize,
    stop: &'a AtomicBool,
    running: VecDeque<ActionId>,
    log: Vec<String>,
}

impl Fake<'_> {
    fn write(&mut self, mark: &str, id: ActionId) {
        self.log.push(format!("{mark}{}", self.written.names[id.0]));
    }
}

impl Executor for Fake<'_> {
    fn has_room(&self) -> bool {
        self.running.len() < self.room
    }

    fn start(&mut self, id: ActionId, _: Order) {
        self.write("", id);
        self.running.push_back(id);
    }

    fn wait(&mut self) -> Event {
        let Some(id) = self.running.pop_front() else {
            return Event::Idle;
        };
        if self.room > 1 {
            self.write("/", id);
        }
        let why = self.written.names[id.0].clone();
        let conclusion = match self.written.marks[id.0] {
            '!' => Conclusion::Failed(Failure {
                blame: Blame::User,
                param: None,
                message: why,
                hint: None,
            }),
            '~' => Conclusion::Diverged { why, seconds: 1.0 },
            '?' => Conclusion::Damaged(why),
            '^' => {
                self.stop.store(true, Ordering::Relaxed);
                Conclusion::Cancelled
            }
            _ => Conclusion::Produced { seconds: 1.0 },
        };
        Event::Ended(id, Answer::without_result(conclusion))
    }

    fn abort(&mut self) {
        self.log.push("abort".to_owned());
    }

    fn release(&mut self, key: &Digest) {
        let names = self.written.names.iter();
        let mut named = names.filter(|name| Digest::of(name.as_bytes()) == *key);
        let name = named.next().expect("an action").clone();
        self.log.push(format!("-{name}"));
    }
}

impl Orders for &Written {
    fn order(&self, id: ActionId) -> Order {
        let key = Key::of(self.names[id.0].clone());
        Order {
            plugin: String::new(),
            version: 1,
            arguments: Arguments::default(),
            member: None,
            streams: Streams(key.digest),
            key,
            title: self.names[id.0].clone(),
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

    fn key(&self, id: ActionId) -> Digest {
        Digest::of(self.names[id.0].as_bytes())
    }

    fn started(&mut self, _: ActionId, _: &Order) {}

    fn ended(&mut self, _: ActionId, _: &Ending, _: Answer) {}
}

struct Told {
    /// What the executor wrote down, the releases of results left out.
    ran: String,
    /// All of it.
    all: String,
    /// The actions by how they ended.
    endings: BTreeMap<&'static str, Vec<String>>,
}

fn told(text: &str, room: usize, on_failure: OnFailure) -> Told {
    let written = Written::new(text);
    let inputs = |id: ActionId| written.inputs[id.0].clone();
    let last = [ActionId(written.names.len() - 1)];
    let mut scheduler = Scheduler::new(written.known(), inputs, &last, on_failure);
    let stop = AtomicBool::new(false);
    let mut fake = Fake {
        written: &written,
        room,
        stop: &stop,
        running: VecDeque::new(),
        log: Vec::new(),
    };
    scheduler.run(&mut fake, &mut &written, &stop);
    let mut endings: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, ending) in written.names.iter().zip(scheduler.endings()) {
        let how = match ending {
            Ending::Cached => "cached",
            Ending::Ran(_) => "ran",
            Ending::Diverged { .. } => "diverged",
            Ending::Failed(_) => "failed",
            Ending::Skipped => "skipped",
            Ending::NotNeeded => "not needed",
        };
        endings.entry(how).or_default().push(name.clone());
    }
    let is_run = |line: &&String| !line.starts_with('-');
    let ran: Vec<&str> = fake
        .log
        .iter()
        .filter(is_run)
        .map(|line| &line[..])
        .collect();
    Told {
        ran: ran.join(" "),
        all: fake.log.join(" "),
        endings,
    }
}

fn ran(text: &str) -> String {
    told(text, 1, OnFailure::KeepGoing).ran
}

#[test]
fn an_action_runs_after_its_inputs() {
    assert_eq!(ran("a; b: a; c: a b"), "a b c");
    assert_eq!(ran("(a); b: a; c: a b"), "b c");
    assert_eq!(ran("(a); (b): a"), "");
}

#[test]
fn the_longest_way_to_a_goal_goes_first() {
    assert_eq!(ran("a; b; c: b; d: c; e: a d"), "b c a d e");
    assert_eq!(ran("a; b; c: a b"), "a b c", "else the order of the text");
}

#[test]
fn as_many_run_at_a_time_as_there_is_room_for() {
    let two = told("a; b; c; d: a b", 2, OnFailure::KeepGoing);
    assert_eq!(two.ran, "a b /a c /b d /c /d");
    let none = told("a; b: a", 0, OnFailure::KeepGoing);
    assert_eq!(none.ran, "");
    assert_eq!(none.endings["skipped"], ["a", "b"]);
}

#[test]
fn a_failure_skips_its_dependents_only() {
    let told = told("a!; b: a; c: b; d; e: d c; f: d", 1, OnFailure::KeepGoing);
    assert_eq!(told.ran, "a d f");
    assert_eq!(told.endings["failed"], ["a"]);
    assert_eq!(told.endings["skipped"], ["b", "c", "e"]);
}

#[test]
fn a_failure_stops_the_run_unless_it_keeps_going() {
    let one = told("a!; b; c: b", 1, OnFailure::Stop);
    assert_eq!(one.ran, "b a", "`b` has the longer way to go");
    assert_eq!(one.endings["skipped"], ["c"]);
    let two = told("a!; b; c; d", 2, OnFailure::Stop);
    assert_eq!(two.ran, "a b /a /b", "what runs ends, nothing more starts");
}

#[test]
fn what_failed_in_an_earlier_round_skips_its_dependents() {
    let written = Written::new("a!; b: a; c");
    let failed = Ending::Failed(Failure {
        blame: Blame::User,
        param: None,
        message: String::new(),
        hint: None,
    });
    let inputs = |id: ActionId| written.inputs[id.0].clone();
    let known = vec![Some(failed), None, None];
    let scheduler = Scheduler::new(known, inputs, &[], OnFailure::KeepGoing);
    assert_eq!(scheduler.left(), 1);
}

#[test]
fn dependents_of_a_diverged_member_run_and_those_of_a_damaged_result_do_not() {
    let diverged = told("a~; b: a", 1, OnFailure::KeepGoing);
    assert_eq!(
        (&diverged.ran[..], &diverged.endings["diverged"][..]),
        ("a b", &["a".to_owned()][..])
    );
    let damaged = told("a; b?: a; c: b; d: a", 1, OnFailure::Stop);
    assert_eq!(damaged.ran, "a b d", "damage is not a failure");
    assert_eq!(damaged.endings["skipped"], ["b", "c"]);
}

#[test]
fn a_stop_starts_nothing_more_and_aborts_what_runs() {
    let told = told("a^; b; c; d: c", 2, OnFailure::KeepGoing);
    assert_eq!(told.ran, "c a /c b /a abort /b");
    assert_eq!(told.endings["skipped"], ["a", "d"]);
}

#[test]
fn results_are_released_when_nothing_reads_them_any_more() {
    let all = |text| told(text, 1, OnFailure::KeepGoing).all;
    assert_eq!(all("a; b: a; c: a; d: b c"), "a b c -a d -b -c");
    assert_eq!(all("(a); b: a; c: b"), "b -a c -b", "also what was cached");
    assert_eq!(
        all("a; b!: a; c: a b"),
        "a b -a -b",
        "a skipped action reads nothing"
    );
    assert_eq!(
        all("a; b"),
        "a -a b",
        "but not what is needed after the run"
    );
}
