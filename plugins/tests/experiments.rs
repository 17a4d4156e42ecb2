//! Whole experiments in memory: what ran, what was chosen, what was recovered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use dsl::experiment::NodeId;
use engine::artifact::{Artifact, DataColumn, Dataset, Stored, Trajectory};
use engine::executor::Threads;
use engine::graph::ActionId;
use engine::observer::{Ending, Observer};
use engine::outside::Disk;
use engine::run::Settings;
use engine::scheduler::OnFailure;
use engine::store::{MemStore, Store};
use engine::study::{Finished, Study, StudyError};
use engine::table::{ScoreLine, score_lines};
use plugins::children::Child;

#[derive(Default)]
struct Titles(Mutex<Vec<String>>);

impl Observer for Titles {
    fn ended(&self, _: ActionId, title: &str, ending: &Ending) {
        assert!(
            matches!(ending, Ending::Ran(_)),
            "{title} ended as {ending:?}"
        );
        self.0.lock().expect("titles").push(title.to_owned());
    }
}

fn study(text: &str) -> Result<Study, String> {
    let registry = Arc::new(plugins::registry());
    let world = Disk {
        registry: &registry,
    };
    let path = "test.farcast";
    Study::of_text(path, text, Vec::new(), Arc::clone(&registry), &world).map_err(messages)
}

fn messages(error: StudyError) -> String {
    match error {
        StudyError::Unreadable(message) => message,
        StudyError::Mistakes(diagnostics, _) => {
            let messages = diagnostics.into_iter().map(|diagnostic| diagnostic.message);
            messages.collect::<Vec<_>>().join("; ")
        }
    }
}

/// The sorted titles of what ran, and the scores.
fn ran(text: &str, store: &MemStore) -> (Vec<String>, Vec<ScoreLine>) {
    let mut study = study(text).expect("an experiment");
    let titles = Titles::default();
    let settings = Settings {
        on_failure: OnFailure::KeepGoing,
        stop: Default::default(),
        host: "test".to_owned(),
    };
    let finished = study.run(store, &Threads { jobs: 2 }, &titles, &settings);
    let Finished { graph, outcome } = finished.map_err(messages).expect("a run");
    let mut titles = titles.0.into_inner().expect("titles");
    titles.sort();
    (titles, score_lines(&study.experiment, &graph, &outcome))
}

const SMALL: &str = "
data all = synthetic(regime, rows: 300)
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)
parent net = mlp(seen, inputs: [x], target: y, hidden: [3], epochs: 1, members: 2)
subset near = window(where(seen, x > -2.5), by: z, count: 6, size: 20)
anomaly shift = finetune(net, near, steps: 2)
regression drift = polynomial(shift, columns(z), degree: 1)
child adapted = apply(drift, unseen)
";

#[test]
fn the_method_runs_inside_its_training_data_and_the_child_itself_does_not() {
    let store = MemStore::default();
    let inner = format!("{SMALL}score inside = inner(adapted, by: z)\n");
    let (titles, _) = ran(&inner, &store);
    let fold = |name: &str| format!("inside.fold1.{name}");
    let mut expected: Vec<String> = ["all", "drift.predictors", "inside", "seen", "unseen"]
        .map(str::to_owned)
        .to_vec();
    expected.extend(["edge", "near", "near.data", "rest"].map(fold));
    for member in 0..2 {
        let of = |name| fold(&format!("{name}[{member}]"));
        expected.extend(["adapted", "drift", "net", "shift"].map(of));
    }
    expected.sort();
    assert_eq!(titles, expected);

    let both = format!("{inner}score skill = compare(net, adapted, on: unseen)\n");
    let (titles, _) = ran(&both, &store);
    assert!(titles.contains(&"adapted[1]".to_owned()), "{titles:?}");
    assert!(
        titles.iter().all(|title| !title.starts_with("inside")),
        "{titles:?}"
    );
}

/// The scores of an inner extrapolation, and what ran for it.
fn inner_of(application: &str, side: &str, store: &MemStore) -> (Vec<String>, Vec<Option<f64>>) {
    let text = SMALL.replace("where(all, z > 0.6)", application);
    let text = format!("{text}score inside = inner(adapted, by: z, side: {side})\n");
    let (titles, scores) = ran(&text, store);
    (titles, scores.iter().map(|line| line.value).collect())
}

#[test]
fn other_application_data_on_the_same_side_change_no_inner_score() {
    let store = MemStore::default();
    let (_, expected) = inner_of("where(all, z > 0.6)", "auto", &store);
    // Only the side on which the data to apply to lie is read of them.
    // The score names the child, which is another one.
    let cuts = ["inside", "inside.fold1.edge", "inside.fold1.rest", "unseen"];
    let (titles, found) = inner_of("where(all, z > 0.7 and x < 2)", "auto", &store);
    assert_eq!(
        (titles, &found),
        (cuts.map(str::to_owned).to_vec(), &expected)
    );
    let (titles, found) = inner_of("where(all, z > 0.6)", "upper", &store);
    assert_eq!(found, expected);
    assert!(titles.contains(&"inside".to_owned()), "{titles:?}");
    // With the side given, the data to apply to are not read.
    let (titles, found) = inner_of("where(all, z > 0.7 and x < 2)", "upper", &store);
    assert_eq!((titles, found), (vec!["inside".to_owned()], expected));
}

#[test]
fn targets_of_the_application_data_run_no_inner_trial_again() {
    let store = MemStore::default();
    let text = format!("{SMALL}score inside = inner(adapted, by: z)\n");
    let told = text.replace(
        "data seen = where(all, z <= 0.6)\ndata unseen = where(all, z > 0.6)",
        "data other = derive(all, w = choose(z <= 0.6, y, 1e6 * x))\n\
         data seen = where(other, z <= 0.6)\n\
         data unseen = where(other, z > 0.6)",
    );
    let asked = told.replace("target: y", "target: w");
    let values =
        |lines: &[ScoreLine]| -> Vec<Option<f64>> { lines.iter().map(|line| line.value).collect() };
    let (_, expected) = ran(&asked, &store);
    // Another formula for all rows that gives the rows seen the same values.
    let worse = asked.replace("1e6 * x", "-3 * z");
    let (titles, found) = ran(&worse, &store);
    assert_eq!(values(&found), values(&expected));
    let cuts = [
        "inside",
        "inside.fold1.edge",
        "inside.fold1.rest",
        "other",
        "seen",
        "unseen",
    ];
    assert_eq!(titles, cuts);
    // The scores name the children of this text, so that they can be told by them.
    let told = "score skill = compare(net, adapted, on: unseen, inner: inside)\n";
    for text in [&asked, &worse] {
        let (_, found) = ran(&format!("{text}{told}"), &store);
        assert!(
            found
                .iter()
                .any(|line| line.statement == "skill" && line.model == "adapted")
        );
    }
}

#[test]
fn arms_that_differ_in_what_cannot_change_the_start_begin_alike() {
    let ends = |data: &str, training: &str| -> Vec<Vec<f32>> {
        let text = format!(
            "data all = synthetic(regime, rows: 300)\n\
             data seen = where(all, {data})\n\
             parent net = mlp(seen, inputs: [x], target: y, hidden: [3], {training})\n\
             trajectory walk = record(net, every: 4 steps)\n"
        );
        let store = MemStore::default();
        ran(&text, &store);
        let walk = made::<Trajectory>(&text, "walk", &store);
        walk.networks(&[0, 2]).expect("two states")
    };
    let expected = ends("z < 2", "steps: 8");
    for (data, training) in [
        (
            "z < 2",
            "steps: 9, optimizer: sgd(rate: 1e-1, momentum: 0.5)",
        ),
        ("z < 2", "steps: 8, optimizer: adamw(decay: 0.5)"),
        ("z < 2", "steps: 8, schedule: cosine(to: 0.1)"),
        ("z < 2", "batch: 16, epochs: 1"),
        ("z < 2", "steps: 8, hold_out: 0.2"),
        ("z < 0.5", "steps: 8"),
    ] {
        let found = ends(data, training);
        assert_eq!(found[0], expected[0], "{data} {training}");
        assert_ne!(found[1], expected[1], "{data} {training}");
    }
    // The other rows are only named otherwise: nothing differs.
    assert_eq!(ends("z < 3", "steps: 8"), expected);
    assert_ne!(
        ends("z < 2", "steps: 8, loss: mse, activation: relu")[0],
        expected[0]
    );
}

#[test]
fn points_of_a_sweep_share_what_comes_before_their_choice() {
    let swept = SMALL.replace("degree: 1", "degree: degree");
    let text = format!(
        "param degree: Int = 1 in 1..=3\n{swept}\
         score inside = inner(adapted, by: z, folds: 2)\n\
         sweep degrees = grid(degree: [1, 2])\n"
    );
    let (titles, scores) = ran(&text, &MemStore::default());
    let count = |name: &str| titles.iter().filter(|title| title.contains(name)).count();
    // Two folds of two members; regressions and children at both points.
    assert_eq!(count(".net["), 4);
    assert_eq!(count(".shift["), 4);
    assert_eq!(count(".drift["), 8);
    assert_eq!(count(".adapted["), 8);
    let of = |group: Option<&str>| -> Vec<f64> {
        let chosen = |line: &&ScoreLine| {
            (&line.model[..], &line.member[..]) == ("adapted", "1")
                && (&line.metric[..], line.group.as_deref()) == ("rmse", group)
                && line.point == "degree=2"
        };
        scores
            .iter()
            .filter(chosen)
            .filter_map(|line| line.value)
            .collect()
    };
    let (whole, first, second) = (of(None), of(Some("fold 1")), of(Some("fold 2")));
    assert_eq!(whole, [(first[0] + second[0]) / 2.0]);
    assert_ne!(first, second);
}

#[test]
fn a_sweep_that_chooses_by_it_reads_each_score_at_its_own_point() {
    let swept = SMALL.replace("degree: 1", "degree: degree");
    let text = format!(
        "param degree: Int = 1 in 1..=3\n{swept}\
         score inside = inner(adapted, by: z)\n\
         sweep degrees = grid(degree: [1, 2, 3], minimise: inside.rmse)\n\
         score skill = compare(net, adapted, on: unseen)\n"
    );
    let Study { experiment, .. } = study(&text).expect("an experiment");
    let trials = &experiment.sweeps[0].trials;
    assert_eq!(trials.len(), 3);
    for trial in trials {
        let of = |id: NodeId| &experiment.nodes[id.0];
        let scores: Vec<&str> = trial.scores.iter().map(|id| &of(*id).name[..]).collect();
        assert_eq!(scores, ["inside", "skill"]);
        let ranked = trial
            .objectives
            .first()
            .map(|id| (&of(*id).name[..], &of(*id).point));
        assert_eq!(ranked, Some(("inside", &trial.point)));
    }
}

#[test]
fn rows_of_their_own_are_cut_in_place_of_the_parents() {
    let few = SMALL.replace("where(seen, x > -2.5)", "where(all, z < 0.7)");
    let store = MemStore::default();
    let (titles, _) = ran(
        &format!("{few}score inside = inner(adapted, by: z)\n"),
        &store,
    );
    let fold = |name: &str| titles.contains(&format!("inside.fold1.{name}"));
    assert!(fold("rest") && fold("near") && fold("shift[0]") && fold("adapted[1]"));
    // The parent learned from other rows, and stays.
    assert!(
        !fold("net[0]") && titles.contains(&"net[0]".to_owned()),
        "{titles:?}"
    );
}

#[test]
fn a_parent_is_asked_about_the_edge_of_its_own_rows() {
    let text = format!("{SMALL}score alike = inner(net, by: z, side: upper, metrics: [rmse])\n");
    let (titles, scores) = ran(&text, &MemStore::default());
    let expected = [
        "alike",
        "alike.fold1.edge",
        "alike.fold1.net[0]",
        "alike.fold1.net[1]",
    ];
    let rest = ["alike.fold1.rest", "all", "seen"];
    assert_eq!(titles, [&expected[..], &rest].concat());
    let of: Vec<(&str, &str)> = scores
        .iter()
        .map(|it| (&it.model[..], &it.role[..]))
        .collect();
    assert_eq!(of, [("net", "parent"); 4]);
    let auto = text.replace(", side: upper", "");
    assert_eq!(
        study(&auto).err().as_deref(),
        Some("`net` is applied to no data: nothing says where the edge is")
    );
}

#[test]
fn a_joint_fit_is_repeated_inside_its_rows() {
    let text = SMALL.replace(
        "polynomial(shift, columns(z), degree: 1)",
        "joint(net, where(all, z < 0.7), columns(z), steps: 3)",
    );
    let text = format!(
        "{text}score inside = inner(adapted, by: z, metrics: [rmse])\n\
         score skill = compare(net, adapted, on: unseen, inner: inside, rivals: [inside])\n"
    );
    let (titles, scores) = ran(&text, &MemStore::default());
    let has = |title: &str| titles.contains(&title.to_owned());
    assert!(has("drift[0]") && has("inside.fold1.drift[1]") && !has("inside.fold1.net[1]"));
    assert!(!has("shift[0]"), "{titles:?}");
    let inside = |model: &str| {
        let own = |line: &&ScoreLine| line.model == model && line.metric == "inner_rmse";
        scores.iter().find(own).and_then(|line| line.value)
    };
    assert!(inside("adapted").is_some() && inside("net").is_some());
}

/// A line through the origin whose slope follows z, so that weights are known to follow it.
fn planted(law: &str) -> String {
    format!(
        "
param degree: Int = 1 in 1..=3
data raw = synthetic(regime, rows: 4000)
data all = derive(raw, t = x * ({law}))
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)
parent net = mlp(seen, inputs: [x], target: t, hidden: [], epochs: 5, members: 2)
subset near = window(seen, by: z, count: 40, size: 60)
anomaly shift = finetune(net, near, optimizer: sgd(rate: 5e-2), steps: 200, mix: 0)
regression drift = polynomial(shift, columns(z), degree: degree)
child adapted = apply(drift, unseen)
score inside = inner(adapted, by: z, hold: 40 %)
score skill = compare(net, adapted, on: unseen, metrics: [rmse])
sweep degrees = grid(degree: [1, 2])
"
    )
}

/// Higher degrees hold the laws as well, and which of them is nearer is chance: not asked.
#[test]
fn the_inner_choice_is_the_degree_of_the_planted_law() {
    for (law, degree) in [("1 + 2 * z", "degree=1"), ("1 + 4 * z ^ 2", "degree=2")] {
        let (_, scores) = ran(&planted(law), &MemStore::default());
        let errors = |statement: &str, model: &str| -> BTreeMap<String, f64> {
            let lines = scores.iter().filter(|line| {
                (&line.statement[..], &line.model[..]) == (statement, model)
                    && (&line.member[..], &line.metric[..]) == ("mean", "rmse")
            });
            lines
                .filter_map(|line| Some((line.point.clone(), line.value?)))
                .collect()
        };
        let inside = errors("inside", "adapted");
        let chosen = inside.iter().min_by(|a, b| a.1.total_cmp(b.1));
        assert_eq!(
            chosen.map(|(point, _)| &point[..]),
            Some(degree),
            "{inside:?}"
        );
        let (child, parent) = (errors("skill", "adapted"), errors("skill", "net"));
        assert!(
            child[degree] < 0.01 * parent[degree],
            "{child:?} {parent:?}"
        );
    }
}

/// The artifact of a statement's first member.
fn made<T: Artifact>(text: &str, statement: &str, store: &MemStore) -> Arc<T> {
    let mut study = study(text).expect("an experiment");
    let graph = study.actions(store).map_err(messages).expect("actions");
    let experiment = &study.experiment;
    let node = { experiment.nodes.iter() }.position(|node| node.name == statement);
    let node = node.expect("a statement");
    let action = &graph.actions[graph.of_node[node][0].0];
    let record = store.find(&action.key.digest).expect("a record");
    let registry = plugins::registry();
    let made = registry
        .read(statement, &record, store)
        .expect("an artifact");
    Stored::as_any(made).downcast().expect("its type")
}

/// Rows of a network's input and the predictor.
fn rows(places: &[(f64, f64)]) -> Dataset {
    let column = |name: &str, values: Vec<f64>| DataColumn::numbers(name.to_owned(), None, values);
    let (x, z): (Vec<f64>, Vec<f64>) = places.iter().copied().unzip();
    Dataset::new(vec![column("x", x), column("z", z)]).expect("rows")
}

#[test]
fn the_whole_method_recovers_a_planted_law_of_the_weights_to_a_percent() {
    let text = planted("1 + 2 * z");
    let text = text.split("sweep").next().expect("a text");
    let store = MemStore::default();
    ran(text, &store);
    let child = made::<Child>(text, "adapted", &store);
    // Fine-tuned up to z = 0.6, asked beyond it.
    for z in [0.65, 0.8, 1.0] {
        let planted = 1.0 + 2.0 * z;
        let [below, above] = child.predict(&rows(&[(-1.0, z), (1.0, z)])).expect("two")[..] else {
            panic!("two rows");
        };
        let (slope, offset) = ((above - below) / 2.0, (above + below) / 2.0);
        assert!(
            (slope - planted).abs() < 0.01 * planted,
            "{z}: {slope} {planted}"
        );
        assert!(offset.abs() < 0.01 * planted, "{z}: {offset}");
    }
    let places: Vec<(f64, f64)> = (0..50)
        .map(|row| (f64::from(row).sin(), f64::from(row) / 50.0))
        .collect();
    let turned: Vec<(f64, f64)> = (0..50).map(|row| places[row * 37 % 50]).collect();
    let straight = child.predict(&rows(&places)).expect("predictions");
    let expected: Vec<f64> = (0..50).map(|row| straight[row * 37 % 50]).collect();
    assert_eq!(
        child.predict(&rows(&turned)).expect("predictions"),
        expected
    );
}

#[test]
fn parents_beside_the_first_are_baselines() {
    let text = format!(
        "{SMALL}parent line = least_squares(seen, inputs: [x, z], target: y)\n\
         score skill = compare(net, adapted, line, on: unseen)\n"
    );
    let (_, scores) = ran(&text, &MemStore::default());
    let mut roles: Vec<(&str, &str)> = { scores.iter() }
        .map(|line| (&line.model[..], &line.role[..]))
        .collect();
    roles.sort_unstable();
    roles.dedup();
    assert_eq!(
        roles,
        [
            ("adapted", "child"),
            ("line", "baseline"),
            ("net", "parent")
        ]
    );
}

#[test]
fn transformers_are_recorded_farcast_adopted_tuned_and_scored_as_other_parents() {
    let text = "\
data all = synthetic(regime, rows: 200)
subset near = window(all, by: z, count: 4, size: 40)
parent net = transformer(all, inputs: [x, z], target: y, width: 4, feedforward: 8, layers: 1, steps: 20, members: 3)
trajectory walk = record(net, every: 2 steps)
farcast later = lfd2(walk, observe: 0..=10, horizon: [20], train_on: 0..=1)
farcast last = persistence(walk, observe: 0..=10, horizon: [20])
score ahead = forecast_error(later, last, truth: walk, on: [2], metrics: [mse, loss])
parent grown = adopt(later, horizon: 20)
anomaly shift = finetune(net, near, steps: 5)
child adapted = apply(ols(shift, columns(z)), all)
score skill = compare(net, grown, adapted, on: all)
";
    let (_, scores) = ran(text, &MemStore::default());
    for (statement, model) in [
        ("ahead", "later"),
        ("ahead", "last"),
        ("skill", "grown"),
        ("skill", "adapted"),
    ] {
        let of = |line: &&ScoreLine| line.statement == statement && line.model == model;
        let values: Vec<Option<f64>> = scores.iter().filter(of).map(|line| line.value).collect();
        assert!(!values.is_empty(), "{model}");
        assert!(
            values.iter().flatten().all(|value| value.is_finite()),
            "{model}"
        );
    }
}

#[test]
fn trees_and_curves_are_tuned_tried_inside_and_scored_as_other_parents() {
    let text = format!(
        "{SMALL}\
parent trees = boost(seen, inputs: [x, z], target: y, iterations: 10)
parent curves = additive(seen, inputs: [x, z], target: y, weights: 1 + x * x)
anomaly bent = finetune(curves, near, steps: 5)
child turned = apply(ols(bent, columns(z)), unseen)
score inside_curves = inner(curves, by: z, side: upper)
anomaly leaves = finetune(trees, near, steps: 5, from: chain)
child moved = apply(ols(leaves, columns(z)), unseen)
score inside = inner(adapted, by: z)
score inside_trees = inner(trees, by: z, side: upper)
data told = predict(trees, on: unseen)
parent again = least_squares(told, inputs: [x, predicted], target: y)
score skill = compare(net, adapted, trees, again, curves, on: predict(trees, on: unseen), inner: inside, rivals: [inside_trees, inside_curves])
score tuned = compare(trees, moved, on: unseen)
score steered = compare(curves, turned, on: unseen)
"
    );
    let (_, scores) = ran(&text, &MemStore::default());
    for (statement, model, metric) in [
        ("inside_trees", "trees", "rmse"),
        ("skill", "trees", "inner_rmse"),
        ("skill", "trees", "rmse"),
        ("skill", "again", "rmse"),
        ("tuned", "moved", "rmse"),
        ("inside_curves", "curves", "rmse"),
        ("skill", "curves", "inner_rmse"),
        ("skill", "curves", "rmse"),
        ("steered", "turned", "rmse"),
    ] {
        let of = |line: &&ScoreLine| {
            (&*line.statement, &*line.model, &*line.metric) == (statement, model, metric)
        };
        let values: Vec<Option<f64>> = scores.iter().filter(of).map(|line| line.value).collect();
        assert!(!values.is_empty(), "{statement} {model}");
        let is_number = |value: &Option<f64>| value.is_some_and(f64::is_finite);
        assert!(values.iter().all(is_number), "{statement} {model}");
    }
}
