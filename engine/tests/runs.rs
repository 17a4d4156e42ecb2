//! Runs of small experiments over a store in memory, told by what ran.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dsl::check::Outside;
use dsl::sweep::search::{Finding, Proposal, Search};
use dsl::sweep::space::Setting;
use dsl::types::Kind;
use engine::artifact::{Artifact, Parts};
use engine::digest::Digest;
use engine::error::Fault;
use engine::executor::Threads;
use engine::graph::{ActionId, Graph};
use engine::observer::{Blame, Ending, Observer};
use engine::order::{Order, OrderWriter};
use engine::params::{Gather, Input};
use engine::plugin;
use engine::plugin::{Context, Plugin, Registry};
use engine::run::{Outcome, Settings};
use engine::scheduler::OnFailure;
use engine::store::{MemStore, RecordedOutcome, Store};
use engine::study::{Finished, Planned, Study};
use engine::why::reasons;

/// A number, standing for whatever actions make.
#[derive(Debug, PartialEq)]
pub struct Number<const KIND: usize>(f64);

/// The part of a number of each kind.
const NUMBERS: [&str; 11] = [
    "data", "parent", "2", "3", "4", "5", "6", "7", "child", "9", "score",
];

impl<const KIND: usize> Artifact for Number<KIND> {
    const KIND: Kind = Kind::ALL[KIND];
    const PARTS: &'static [&'static str] = &[NUMBERS[KIND]];

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default().with_json(NUMBERS[KIND], &self.0)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        parts.json(NUMBERS[KIND]).map(Self)
    }
}

/// A number that is data.
pub type Data = Number<0>;
/// A number that is a parent.
pub type Parent = Number<1>;
/// A number that is a child.
pub type Child = Number<8>;
/// A number that is a score.
pub type Score = Number<10>;

plugin! {
    /// A number.
    "number" version 1
    pub struct Constant {
        /// Which.
        value: f64;
    }
}

impl Plugin for Constant {
    type Output = Data;

    fn run(self, _: &Context) -> Result<Data, Fault> {
        Ok(Number(self.value))
    }
}

plugin! {
    /// One random number for each member, near the data.
    "train" version 1
    pub struct Train {
        /// The data.
        data: Input<Data>;
        /// Other data, without part in the draws.
        beside: Option<Input<Data>>, not_in_stream();
        /// How many.
        members: usize = "3", range("1..=10");
        /// The member that diverges.
        bad: i64 = "-1";
        /// How the member that diverges is reported.
        aloud: Option<bool>, not_in_stream();
    }
}

impl Plugin for Train {
    type Output = Parent;
    const RANDOM: bool = true;
    const MEMBERS: Option<&'static str> = Some("members");

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        use rand::RngExt;
        if context.member().map(i64::from) == Some(self.bad) {
            return Err(Fault::Diverged(format!(
                "member {}: the loss is NaN",
                self.bad
            )));
        }
        Ok(Number(self.data.0 + context.rng("init").random::<f64>()))
    }
}

plugin! {
    /// A parent moved; fails or panics on request.
    "shift" version 1
    pub struct Shift {
        /// The parent.
        parent: Input<Parent>;
        /// How far.
        by: f64 = "1";
    }
}

impl Plugin for Shift {
    type Output = Child;

    fn run(self, context: &Context) -> Result<Child, Fault> {
        context.note(format!("moved by {}", self.by));
        match self.by {
            13.0 => Err(Fault::at("by", "`by` is unlucky").with_hint("take another")),
            14.0 => panic!("fourteen"),
            by => Ok(Number(self.parent.0 + by)),
        }
    }
}

plugin! {
    /// The sum over members.
    "total" version 1
    pub struct Total {
        /// The parents.
        parent: Gather<Parent>;
        /// The children.
        child: Gather<Child>;
    }
}

impl Plugin for Total {
    type Output = Score;

    fn run(self, _: &Context) -> Result<Score, Fault> {
        let parents: f64 = self
            .parent
            .members
            .iter()
            .flatten()
            .map(|number| number.0)
            .sum();
        let children: f64 = self
            .child
            .members
            .iter()
            .flatten()
            .map(|number| number.0)
            .sum();
        Ok(Number(children - parents))
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.artifact::<Data>();
    registry.artifact::<Parent>();
    registry.artifact::<Child>();
    registry.artifact::<Score>();
    registry.plugin::<Constant>();
    registry.plugin::<Train>();
    registry.plugin::<Shift>();
    registry.plugin::<Total>();
    registry
}

struct Nowhere;

impl Outside for Nowhere {
    fn propose(&self, search: &Search, score: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
        engine::search::propose(search, score)
    }
}

/// Remembers the titles of what ran.
#[derive(Default)]
struct Seen {
    titles: Mutex<Vec<String>>,
    remarks: AtomicUsize,
}

impl Observer for Seen {
    fn ended(&self, _: ActionId, title: &str, ending: &Ending) {
        if matches!(ending, Ending::Ran(_) | Ending::Diverged { .. }) {
            self.titles.lock().unwrap().push(title.to_owned());
        }
    }

    fn remark(&self, _: &str) {
        self.remarks.fetch_add(1, Ordering::Relaxed);
    }
}

struct Told {
    ran: String,
    remarks: usize,
    outcome: Outcome,
    graph: Graph,
}

fn study(text: &str) -> Study {
    let registry = Arc::new(registry());
    let study = Study::of_text("test.farcast", text, Vec::new(), registry, &Nowhere);
    study.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The actions of a text that reads no files.
fn lowered(text: &str) -> Graph {
    study(text).actions(&MemStore::default()).unwrap()
}

/// Runs a text and returns what ran, sorted.
fn told_with(text: &str, store: &MemStore, jobs: usize, on_failure: OnFailure) -> Told {
    let observer = Seen::default();
    let settings = Settings {
        on_failure,
        stop: Default::default(),
        host: "test".to_owned(),
    };
    let backend = Threads { jobs };
    let finished = study(text).run(store, &backend, &observer, &settings);
    let Finished { graph, outcome } = finished.unwrap();
    let mut titles = observer.titles.into_inner().unwrap();
    titles.sort();
    Told {
        ran: titles.join(" "),
        remarks: observer.remarks.into_inner(),
        outcome,
        graph,
    }
}

fn told(text: &str, store: &MemStore) -> Told {
    told_with(text, store, 2, OnFailure::KeepGoing)
}

fn ran(text: &str, store: &MemStore) -> String {
    told(text, store).ran
}

const BASE: &str = "\
data one = number(1.0)
parent net = train(one)
child moved = shift(net, by: 2)
score sum = total(net, moved)
";

const ALL: &str = "moved[0] moved[1] moved[2] net[0] net[1] net[2] one sum";

#[test]
fn a_second_run_runs_nothing() {
    let store = MemStore::default();
    assert_eq!(ran(BASE, &store), ALL);
    assert_eq!(ran(BASE, &store), "");
}

#[test]
fn an_edit_runs_what_depends_on_it() {
    let store = MemStore::default();
    ran(BASE, &store);
    let edited = BASE.replace("by: 2", "by: 3");
    assert_eq!(ran(&edited, &store), "moved[0] moved[1] moved[2] sum");
    assert_eq!(ran(BASE, &store), "", "the first results are still there");
}

#[test]
fn names_layout_order_and_comments_run_nothing() {
    let store = MemStore::default();
    ran(BASE, &store);
    let renamed = "\
# the same again
data d = number(value: 1.0)

parent p =
    train(d, members: 3)
child c = shift(by: 2.0, parent: p)
score s = total(p, c)
";
    assert_eq!(ran(renamed, &store), "");
}

#[test]
fn more_members_run_only_the_new_ones() {
    let store = MemStore::default();
    ran(BASE, &store);
    let more = BASE.replace("train(one)", "train(one, members: 5)");
    assert_eq!(ran(&more, &store), "moved[3] moved[4] net[3] net[4] sum");
}

#[test]
fn the_seed_is_in_random_actions_only() {
    let store = MemStore::default();
    ran(BASE, &store);
    let seeded = format!("seed = 7\n{BASE}");
    assert_eq!(ran(&seeded, &store), ALL.replace(" one", ""));
}

#[test]
fn sweep_points_share_what_they_can() {
    let store = MemStore::default();
    let swept = "param far: Float = 2 in 0..=9\n".to_owned()
        + &BASE.replace("by: 2", "by: far")
        + "sweep fars = grid(far: [2, 3])\n";
    let told = told(&swept, &store);
    assert_eq!(told.outcome.endings.len(), 1 + 3 + 2 * 3 + 2);
    assert_eq!(told.ran.matches("net[").count(), 3, "{}", told.ran);
    assert_eq!(
        ran(BASE, &store),
        "",
        "a point is the same as the plain experiment"
    );
}

#[test]
fn a_diverged_member_is_left_out_and_remembered() {
    let store = MemStore::default();
    let diverging = BASE.replace("train(one)", "train(one, bad: 1)");
    let first = told(&diverging, &store);
    let diverged = first
        .outcome
        .endings
        .iter()
        .filter(|ending| matches!(ending, Ending::Diverged { .. }));
    assert_eq!(diverged.count(), 2, "the parent and its child");
    assert!(first.ran.contains("sum"), "{}", first.ran);
    assert_eq!(ran(&diverging, &store), "");
}

#[test]
fn a_failure_fails_what_depends_on_it_and_points_at_its_argument() {
    let store = MemStore::default();
    let failing = BASE.replace("by: 2", "by: 13")
        + "child fine = shift(net, by: 4)\nscore other = total(net, fine)\n";
    let told = told(&failing, &store);
    assert_eq!(
        told.ran,
        "fine[0] fine[1] fine[2] net[0] net[1] net[2] one other"
    );
    let failure = told.outcome.endings.iter().find_map(|ending| match ending {
        Ending::Failed(failure) => Some(failure.clone()),
        _ => None,
    });
    let failure = failure.unwrap();
    assert_eq!(failure.param.as_deref(), Some("by"));
    assert_eq!(
        (failure.blame, failure.message.as_str()),
        (Blame::User, "`by` is unlucky")
    );
    assert!(told.outcome.endings.contains(&Ending::Skipped));
}

#[test]
fn a_panic_is_a_bug_of_one_action() {
    let store = MemStore::default();
    let told = told(&BASE.replace("by: 2", "by: 14"), &store);
    let blames: Vec<Blame> = told
        .outcome
        .endings
        .iter()
        .filter_map(|ending| match ending {
            Ending::Failed(failure) => Some(failure.blame),
            _ => None,
        })
        .collect();
    assert_eq!(blames, [Blame::Bug; 3]);
}

#[test]
fn a_failure_stops_the_run_unless_told_to_go_on() {
    let store = MemStore::default();
    let failing = BASE.replace("by: 2", "by: 13");
    let told = told_with(&failing, &store, 1, OnFailure::Stop);
    let failed = told
        .outcome
        .endings
        .iter()
        .filter(|e| matches!(e, Ending::Failed(_)));
    assert_eq!(failed.count(), 1);
}

#[test]
fn damaged_results_are_made_again() {
    let store = MemStore::default();
    let first = told(BASE, &store);
    let object = |key: &Digest| match store.find(key).unwrap().outcome {
        RecordedOutcome::Parts(parts) => parts.values().next().unwrap().0,
        RecordedOutcome::Diverged(_) => unreachable!(),
    };
    // The parent's second member and the final score are damaged; a changed child needs both.
    let key = |title: &str| {
        let found = first.graph.actions.iter().find(|action| match title {
            "net[1]" => action.key.text.contains("plugin train") && action.member == Some(1),
            _ => action.key.text.contains("plugin total"),
        });
        found.unwrap().key.digest
    };
    store.damage(&object(&key("net[1]")));
    store.damage(&object(&key("sum")));
    let again = told(&BASE.replace("by: 2", "by: 3"), &store);
    assert_eq!(again.ran, "moved[0] moved[1] moved[2] net[1] sum");
    assert_eq!(again.remarks, 1);
    let restored = told(BASE, &store);
    assert_eq!((restored.ran.as_str(), restored.remarks), ("sum", 1));
}

#[test]
fn jobs_change_nothing() {
    let (one, eight) = (MemStore::default(), MemStore::default());
    told_with(BASE, &one, 1, OnFailure::Stop);
    told_with(BASE, &eight, 8, OnFailure::Stop);
    let outcomes = |store: &MemStore| -> Vec<_> {
        store
            .records()
            .all()
            .into_iter()
            .map(|record| (record.key, record.outcome))
            .collect()
    };
    assert_eq!(outcomes(&one), outcomes(&eight));
}

#[test]
fn notes_are_told_again_when_cached() {
    let store = MemStore::default();
    let first = told(BASE, &store).outcome.notes;
    assert_eq!(first.len(), 3);
    assert_eq!(told(BASE, &store).outcome.notes, first);
}

#[test]
fn the_plan_says_why() {
    let store = MemStore::default();
    ran(BASE, &store);
    let mut study = study(&BASE.replace("by: 2", "by: 3"));
    let Planned { graph, plan } = study.plan(&store).unwrap();
    let title = |id: ActionId| graph.actions[id.0].title(&study.experiment);
    let reasons: Vec<String> = reasons(&graph, &store, &plan)
        .into_iter()
        .map(|(id, reason)| format!("{}: {reason}", title(id)))
        .collect();
    assert_eq!(
        reasons,
        [
            "moved[0]: `by` was 2.0, is 3.0",
            "moved[1]: `by` was 2.0, is 3.0",
            "moved[2]: `by` was 2.0, is 3.0",
            "sum: its `child` runs",
        ]
    );
}

#[test]
fn keys_do_not_change_between_releases() {
    let graph = lowered(BASE);
    let child = graph
        .actions
        .iter()
        .find(|a| a.key.text.contains("plugin shift"))
        .unwrap();
    let parent = graph
        .actions
        .iter()
        .find(|a| a.key.text.contains("plugin train"))
        .unwrap();
    let data = &graph.actions[0];
    assert_eq!(
        data.key.text,
        "farcast-key 1\nplugin number 1\nvalue = 1.0\n"
    );
    assert_eq!(
        parent.key.text,
        format!(
            "farcast-key 1\nplugin train 1\nseed 0\nmember 0\nbad = -1\ndata <- {}\n",
            data.key.digest
        )
    );
    assert_eq!(
        child.key.text,
        format!(
            "farcast-key 1\nplugin shift 1\nby = 2.0\nparent <- {}\n",
            parent.key.digest
        )
    );
    // The digest of the three lines above, as `b3sum` gives it for them.
    assert_eq!(
        data.key.digest.to_string(),
        "f8597f09292002c70212aaf35bb00ed72d3b0c2193f228113464fc5ce94a6bb1"
    );
}

#[test]
fn what_has_no_part_in_chance_changes_keys_but_no_random_stream() {
    let plain = lowered(BASE);
    let with = |arguments: &str| lowered(&BASE.replace("train(one)", arguments));
    let apart = with("train(one, aloud: true, beside: one)");
    let bad = with("train(one, bad: 1)");
    for (plain, (apart, bad)) in plain
        .actions
        .iter()
        .zip(apart.actions.iter().zip(&bad.actions))
    {
        let trained_or_after = !plain.key.text.contains("plugin number");
        assert_eq!(plain.key.digest != apart.key.digest, trained_or_after);
        assert_eq!(plain.streams, apart.streams);
        assert_eq!(plain.streams != bad.streams, trained_or_after);
        // Without such parameters the streams are those of the key.
        assert_eq!(plain.streams.0, plain.key.digest);
    }
}

#[test]
fn an_order_comes_back_from_json_as_it_was() {
    let mut study = study(BASE);
    let store = MemStore::default();
    let graph = study.actions(&store).unwrap();
    let writer = OrderWriter {
        graph: &graph,
        experiment: &study.experiment,
        registry: &study.registry,
        store: &store,
    };
    for index in 0..graph.actions.len() {
        let id = ActionId(index);
        let order = writer.order(id);
        let json = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
    }
    let last = ActionId(graph.actions.len() - 1);
    let sum = writer.order(last);
    let read = sum.inputs.iter().map(|input| {
        let members = input.members.iter().map(|member| &member.title[..]);
        (input.node.0, members.collect::<Vec<_>>())
    });
    // References are numbered among the inputs, not in the experiment.
    assert_eq!(
        read.collect::<Vec<_>>(),
        [
            (1, vec!["moved[0]", "moved[1]", "moved[2]"]),
            (0, vec!["net[0]", "net[1]", "net[2]"]),
        ]
    );
}
