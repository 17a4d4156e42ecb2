//! Sweeps as their users meet them: planned, run in rounds, chosen from, set from outside.

use std::fs;
use std::process::Command;
use std::time::Duration;

use expect_test::expect;

use crate::farcast::{Folder, shipped};
use crate::runs::{objects, same_results};

fn starter() -> String {
    fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap()
}

const CHOOSING: &str = "\
param degree: Int = 1 in 1..=3
param far: Float = 2.5

data all = synthetic(regime, rows: 300)
data near = where(all, z < 1)
parent net = mlp(near, inputs: [x], target: y, epochs: 1, members: 2)
subset some = window(near, by: z, count: 8, size: 30)
anomaly shift = finetune(net, some, steps: 5)
child moved = apply(polynomial(shift, columns(z), degree: degree), near)
score inside = compare(net, moved, on: near, metrics: [rmse])
sweep tuning = grid(degree: [1, 2, 3], seed: [1, 2], minimise: inside.rmse)
child chosen = apply(polynomial(shift, columns(z), degree: best(tuning).degree), all)
score outside = compare(net, chosen, on: all, metrics: [rmse])
report page = page(outside)
";

#[test]
fn a_plan_says_what_waits_and_what_sharing_saves() {
    let folder = Folder::with(CHOOSING);
    let plan = folder.farcast(&["plan", "it.farcast"]);
    let lines: Vec<&str> = plan.out.lines().rev().take(5).collect();
    // The predictor once; for each seed data, rows, subsets, two nets and two shifts; for each of
    // the points two regressions, two children and a score.
    let shared = 1 + 2 * (3 + 4) + 6 * 5;
    let alone = 6 * (4 + 4 + 5);
    assert_eq!(
        lines,
        [
            format!("{shared} to run, 0 cached"),
            format!(
                "sweep `tuning`: 6 points, {shared} actions ({alone} without sharing), 0 with a score"
            ),
            "`page` waits for sweep `tuning`".to_owned(),
            "`outside` waits for sweep `tuning`".to_owned(),
            "`chosen` waits for sweep `tuning`".to_owned(),
        ]
    );
}

#[test]
fn a_choice_is_made_used_and_shown() {
    let folder = Folder::with(CHOOSING);
    let answer = folder.run(&[]);
    let run: serde_json::Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    let sweep = &run["sweeps"][0];
    assert_eq!(sweep["objective"], "minimise inside.rmse");
    let points = sweep["points"].as_array().unwrap();
    let mean = |degree: usize| -> f64 {
        let scores = points[2 * degree..2 * degree + 2].iter();
        scores.map(|point| point["score"].as_f64().unwrap()).sum()
    };
    let best = (0..3).min_by(|one, other| mean(*one).total_cmp(&mean(*other)));
    let best = format!("degree={},seed=1", best.unwrap() + 1);
    assert_eq!(sweep["best"], best.as_str());
    let rows = answer["scores"].as_array().unwrap();
    let outside = rows.iter().find(|row| row["statement"] == "outside");
    assert_eq!(outside.unwrap()["point"], "seed=1");
    let html = folder.read("out/it/report.html");
    assert!(html.contains("How stable") && html.contains("Response of"));
    let again = folder.run(&[]);
    assert_eq!(again["actions"]["ran"], 0);
    assert_eq!(again["scores"], answer["scores"]);
    assert_eq!(again["actions"]["total"], answer["actions"]["ran"]);
}

#[test]
fn values_listed_on_the_command_line_are_swept() {
    let folder = Folder::with(&starter());
    let answer = folder.run(&["--set", "degree=1,2"]);
    let points = answer["scores"].as_array().unwrap().iter();
    let mut points: Vec<&str> = points.map(|row| row["point"].as_str().unwrap()).collect();
    points.dedup();
    assert_eq!(points, ["degree=1", "degree=2"]);
    let wrong = folder.farcast(&["check", "it.farcast"]);
    assert_eq!(wrong.code, 0, "{wrong:?}");
    let wrong = folder.farcast(&["plan", "it.farcast", "--set", "degree=two"]);
    assert_eq!(wrong.code, 1);
    let said = "`--set degree=two`: expected an `Int` in `1..=3`";
    assert!(wrong.err.contains(said), "{wrong:?}");
}

#[test]
fn a_caption_says_at_which_point_its_figure_is() {
    let folder = Folder::with(
        "param width: Int = 2 in 1..=8\n\
         data all = synthetic(linear, rows: 40)\n\
         parent net = mlp(all, inputs: [x], target: y, hidden: [width], epochs: 1, members: 1)\n\
         parent line = least_squares(all, inputs: [x], target: y)\n\
         score inside = compare(line, net, on: all)\n\
         sweep widths = grid(width: [2, 4])\n\
         report shown = page(inside, plots: [parity, loss])\n",
    );
    folder.run(&[]);
    let html = folder.read("out/it/report.html");
    for caption in [
        "Truth and prediction in <code>inside at width=2</code>",
        "Truth and prediction in <code>inside at width=4</code>",
        "Loss of <code>net at width=2</code>",
        "Loss of <code>net at width=4</code>",
        "<code>line</code> was not trained here",
    ] {
        assert_eq!(html.matches(caption).count(), 1, "{caption}");
    }
}

/// Parts of the sweep's points fail: subsets of 180 rows cannot be taken from 104.
const FAILING: &str = "\
param size: Int = 10
data all = where(synthetic(regime, rows: 200), z <= 0.5)
parent net = mlp(all, inputs: [x], target: y, epochs: 1, members: 2)
subset some = random(all, count: 4, size: size)
anomaly shift = finetune(net, some, steps: 5)
child moved = apply(polynomial(shift, columns(z)), all)
score inside = compare(net, moved, on: all, metrics: [rmse])
sweep sizes = grid(size: [10, 180, 20, 190], minimise: inside.rmse)
";

#[test]
fn failed_points_are_listed_and_only_they_are_tried_again() {
    let folder = Folder::with(FAILING);
    let first = folder.farcast(&["run", "it.farcast", "--keep-going", "--json", "--quiet"]);
    assert_eq!(first.code, 1);
    expect![[r#"
        error[action-failed]: expected subsets no larger than the data, found 180 of 104 rows
         --> it.farcast:4:43
          |
        4 | subset some = random(all, count: 4, size: size)
          |                                           ^^^^
          |
          = help: `size` can be 1 to 104
        error[action-failed]: expected subsets no larger than the data, found 190 of 104 rows
         --> it.farcast:4:43
          |
        4 | subset some = random(all, count: 4, size: size)
          |                                           ^^^^
          |
          = help: `size` can be 1 to 104
        sweep `sizes`: 2 of 4 points failed
          size=180  some at size=180: expected subsets no larger than the data, found 180 of 104 rows
          size=190  some at size=190: expected subsets no larger than the data, found 190 of 104 rows
          the next run tries them again
    "#]]
    .assert_eq(&first.err);
    let answer: serde_json::Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(answer["ok"], false);
    let run: serde_json::Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    let sweep = &run["sweeps"][0];
    let reason = |at: usize| sweep["points"][at]["failed"].as_str().unwrap_or("none");
    assert_eq!(
        [0, 1, 2, 3].map(reason),
        [
            "none",
            "some at size=180: expected subsets no larger than the data, found 180 of 104 rows",
            "none",
            "some at size=190: expected subsets no larger than the data, found 190 of 104 rows",
        ]
    );
    assert!(sweep["best"] == "size=10" || sweep["best"] == "size=20");

    let again = folder.farcast(&["run", "it.farcast", "--keep-going", "--json", "--quiet"]);
    assert_eq!((again.code, &again.err), (1, &first.err));
    let again: serde_json::Value = serde_json::from_str(&again.out).unwrap();
    let failed = &answer["actions"]["failed"];
    assert_eq!(
        (&again["actions"]["ran"], &again["actions"]["failed"]),
        (&0.into(), failed)
    );
    assert_eq!(again["scores"], answer["scores"]);
    assert_eq!(
        folder.planned(&[]),
        "some shift moved.regression moved inside some shift moved.regression moved inside"
    );
}

#[test]
fn an_interrupted_sweep_goes_on_with_exactly_what_is_missing() {
    let text = starter().replace("rows: 4000", "rows: 1000") + "sweep seeds = grid(seed: 1..=12)\n";
    let whole = Folder::with(&text);
    let total = whole.run(&["--jobs", "2"])["actions"]["ran"]
        .as_u64()
        .unwrap();
    for signal in ["-INT", "-KILL"] {
        let folder = Folder::with(&text);
        let mut child = folder.start(&["run", "it.farcast", "--quiet", "--jobs", "2"]);
        // Until some points are there; how many does not matter.
        while objects(&folder).len() < 40 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let killed = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        child.wait().unwrap();
        let missing = running(&folder);
        assert!(
            !missing.is_empty() && (missing.len() as u64) < total,
            "{signal}: {missing:?}"
        );
        let rest = folder.run(&["--jobs", "2"]);
        assert_eq!(rest["actions"]["ran"], missing.len(), "{signal}");
        let run: serde_json::Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
        let mut ran = keys(&run["actions"], "ran");
        ran.sort();
        assert_eq!(ran, missing, "{signal}");
        same_results(&whole, &folder);
    }
}

/// The keys of the actions that a plan runs, in order.
fn running(folder: &Folder) -> Vec<String> {
    let said = folder.farcast(&["plan", "it.farcast", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let mut keys = keys(&plan["actions"], "run");
    keys.sort();
    keys
}

fn keys(actions: &serde_json::Value, state: &str) -> Vec<String> {
    let actions = actions.as_array().unwrap().iter();
    let actions = actions.filter(|action| action["state"] == state);
    actions
        .map(|action| action["key"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn sequential_searches_replay_their_rounds_from_the_store() {
    for sweep in [
        "tpe(6, far: 0.5..=4, degree: 1..=3, minimise: inside.rmse)",
        "random(5, far: 0.5..=4, degree: 1..=3, minimise: inside.rmse)",
        "latin(5, far: 0.5..=4, degree: 1..=3, minimise: inside.rmse)",
    ] {
        let text = CHOOSING.replace(
            "grid(degree: [1, 2, 3], seed: [1, 2], minimise: inside.rmse)",
            sweep,
        );
        let folder = Folder::with(&text.replace("z < 1", "z < far"));
        let first = folder.run(&[]);
        let again = folder.run(&[]);
        assert_eq!(
            (&again["actions"]["ran"], &again["scores"]),
            (&0.into(), &first["scores"])
        );
        let plan = folder.farcast(&["plan", "it.farcast"]).out;
        assert!(plan.contains("\n0 to run, "), "{sweep}: {plan}");
    }
}
