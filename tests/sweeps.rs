//! Sweeps as their users meet them: planned, run in rounds, chosen from, set from outside.

use std::fs;
use std::process::Command;
use std::time::Duration;

use expect_test::expect;

use crate::farcast::{Folder, shipped};
use crate::runs::same_results;

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
    let first = folder.farcast(&["run", "it.farcast", "--json", "--quiet"]);
    assert_eq!(first.code, 0, "{first:?}");
    expect![[r#"
        note: sweep `sizes`: 2 of 4 points failed, and rank last
          size=180  some at size=180: expected subsets no larger than the data, found 180 of 104 rows
          size=190  some at size=190: expected subsets no larger than the data, found 190 of 104 rows
          the next run tries those that failed again
    "#]]
    .assert_eq(&first.err);
    let answer: serde_json::Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(answer["ok"], true);
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

    let again = folder.farcast(&["run", "it.farcast", "--json", "--quiet"]);
    assert_eq!((again.code, &again.err), (0, &first.err));
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

/// Rates from harmless to hopeless: those that diverge are found out while the search goes on.
const DIVERGING: &str = "\
param rate: Float = 1e-2 in 1e-6..=1000
param width: Int = 4 in 1..=16
data all = synthetic(regime, rows: 400)
data train = split(all, share: 0.6, part: train)
data rest = split(all, share: 0.6, part: test)
data valid = split(rest, share: 0.5, part: train, seed: 1)
data test = split(rest, share: 0.5, part: test, seed: 1)
parent net = mlp(train, inputs: [x], target: y, hidden: [width, width], optimizer: sgd(rate: rate), epochs: 5, members: 2)
score inside = compare(net, on: valid, metrics: [rmse])
score final = compare(net, on: test, metrics: [rmse])
sweep search = tpe(18, rate: log(1e-3..=300), width: normal(8, 3), minimise: inside.rmse)
report summary = page(final, inside)
";

#[test]
fn a_search_goes_on_past_points_that_diverge() {
    let folder = Folder::with(DIVERGING);
    let first = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(first.code, 0, "{first:?}");
    let said = "of 18 points diverged, and rank last\n";
    assert!(first.err.contains(said), "{first:?}");
    assert!(!first.err.contains("outer-objective"), "{first:?}");
    let first_line = first.out.lines().next().unwrap_or_default();
    assert!(
        first_line.starts_with("rmse of net in final: "),
        "{first_line}"
    );
    assert!(
        first.out.contains("\n`search` chose rate="),
        "{}",
        first.out
    );
    let run: serde_json::Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    let sweep = &run["sweeps"][0];
    let points = sweep["points"].as_array().unwrap();
    let lost: Vec<_> = points.iter().filter(|it| it["score"].is_null()).collect();
    assert!(points.len() == 18 && !lost.is_empty() && lost.len() < 18);
    for point in lost {
        let why = point["failed"].as_str().unwrap();
        assert!(why.starts_with("net: member 0: the loss is "), "{why}");
        assert!(point["params"]["rate"].is_f64() && point["params"]["width"].is_f64());
    }
    assert!(sweep["choice"]["next"]["interval"].is_array(), "{sweep}");
    // What diverged is known: nothing runs again, unless that is asked for.
    let again = folder.run(&[]);
    assert_eq!(
        (&again["actions"]["ran"], &again["ok"]),
        (&0.into(), &true.into())
    );
    let retried = folder.run(&["--retry-diverged"]);
    assert_ne!(retried["actions"]["ran"], 0);
    assert_eq!(retried["scores"], again["scores"]);
}

#[test]
fn scores_have_a_column_for_every_param() {
    let text = CHOOSING.replace("degree: [1, 2, 3], seed", "degree: [1, 2], seed");
    let folder = Folder::with(&text);
    folder.run(&[]);
    let csv = folder.read("out/it/scores.csv");
    let mut lines = csv.lines();
    let head = "statement,point,member,model,role,metric,horizon,group,value,run,degree,seed";
    assert_eq!(lines.next(), Some(head));
    let swept = csv
        .lines()
        .find(|line| line.contains("degree=2,seed=1"))
        .unwrap();
    assert!(swept.ends_with(",it,2,1"), "{swept}");
    let index = folder.farcast(&["runs", "--csv"]);
    let lines: Vec<&str> = index.out.lines().collect();
    assert!(
        lines[0].starts_with("run,when,experiment,file,set,ended,seconds,"),
        "{index:?}"
    );
    // The param that the sweep chose has the value of the choice.
    let has_choice = lines[0].ends_with(",out,name,degree") && lines[1].ends_with(",out/it,it,2");
    assert!(lines.len() == 2 && has_choice, "{index:?}");
    let written = folder.farcast(&["runs", "--parquet", "runs.parquet"]);
    assert_eq!(
        (written.code, &*written.err),
        (0, "wrote 1 runs to `runs.parquet`\n")
    );
    assert!(
        fs::read(folder.path("runs.parquet"))
            .unwrap()
            .starts_with(b"PAR1")
    );
}

#[test]
fn several_objectives_give_a_front() {
    let text = CHOOSING
        .replace(
            "minimise: inside.rmse",
            "minimise: [inside.rmse, cost.seconds]",
        )
        .replace("degree: best(tuning).degree", "degree: 1");
    let folder = Folder::with(&text);
    let ran = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = "`tuning`: of 3 points, no other is better than these";
    assert!(ran.out.contains(said), "{}", ran.out);
    let run: serde_json::Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    let front = &run["sweeps"][0]["front"];
    let objectives = serde_json::json!(["minimise inside.rmse", "minimise cost.seconds"]);
    assert_eq!(front["objectives"], objectives);
    let best = front["best"].as_array().unwrap();
    let value = |point: &serde_json::Value, at: usize| point["values"][at].as_f64().unwrap();
    assert!(best.windows(2).all(|pair| {
        value(&pair[0], 0) <= value(&pair[1], 0) && value(&pair[0], 1) >= value(&pair[1], 1)
    }));
    assert!(folder.read("out/it/report.html").contains("Pareto front"));
}

#[test]
fn a_list_on_the_command_line_is_asked_about() {
    let folder = Folder::with(
        "param hidden: List(Int) = [8]\n\
         data all = synthetic(linear, rows: 40)\n\
         parent net = mlp(all, inputs: [x], target: y, hidden: hidden, epochs: 1, members: 1)\n\
         score fit = compare(net, on: all, metrics: [rmse])\n",
    );
    let asked = folder.farcast(&["plan", "it.farcast", "--set", "hidden=16,16"]);
    assert_eq!(asked.code, 1);
    expect![[r#"
        error[wrong-type]: `--set hidden=16,16`: `hidden` is a list: expected one list, or several to sweep
         |
         = help: one list: `--set 'hidden=[16,16]'`
         = help: a sweep: `--set 'hidden=[16],[16]'`
    "#]]
    .assert_eq(&asked.err);
    let one = folder.farcast(&["plan", "it.farcast", "--set", "hidden=[16,16]"]);
    assert_eq!(one.code, 0, "{one:?}");
    let swept = folder.farcast(&["plan", "it.farcast", "--set", "hidden=[16],[8]"]);
    assert!(
        swept.code == 0 && swept.out.contains("2 points"),
        "{swept:?}"
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
        // Until some results are recorded; how many does not matter.
        while running(&folder).len() as u64 == total && child.try_wait().unwrap().is_none() {
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

const ZOO: &str = "\
param rate: Float = 1e-2
data all = synthetic(regime, rows: 300)
parent net = mlp(all, inputs: [x], target: y, hidden: [4], optimizer: adam(rate: rate), epochs: 2, members: 2)
parent first = mlp(all, inputs: [x], target: y, hidden: [4], optimizer: adam(rate: 1e-3), epochs: 2, members: 2)
sweep rates = grid(rate: [1e-3, 1e-2, 1e-1])
weights settings = across(rates, net)
score sizes = diagnose(settings, metrics: [norm])
score own = diagnose(net, metrics: [norm])
score good = compare(net, on: all, metrics: [rmse, mae])
score claim = relate(good, own, with: rmse)
score members = relate(good, with: rmse, on: member)
score mixed = evaluate(average(settings), first, on: all)
report page = page(sizes, own, good, claim, members, mixed)
";

#[test]
fn networks_of_all_points_are_rows_and_their_scores_are_related() {
    let folder = Folder::with(ZOO);
    let answer = folder.run(&[]);
    let rows = answer["scores"].as_array().unwrap();
    let values = |statement: &str, metric: &str, key: &str| -> Vec<(String, f64)> {
        let is_wanted = |row: &&serde_json::Value| {
            row["statement"] == statement && row["metric"] == metric && row["member"] == "mean"
        };
        let pair = |row: &serde_json::Value| {
            (
                row[key].as_str().unwrap().to_owned(),
                row["value"].as_f64().unwrap(),
            )
        };
        rows.iter().filter(is_wanted).map(pair).collect()
    };
    // What `across` gathers is what is at each point.
    let gathered = values("sizes", "norm", "group");
    assert_eq!(gathered.len(), 3);
    for (point, norm) in values("own", "norm", "point") {
        let rate: f64 = point.strip_prefix("rate=").unwrap().parse().unwrap();
        let same = gathered.iter().find(|(group, _)| {
            group.strip_prefix("rate ").unwrap().parse::<f64>().unwrap() == rate
        });
        assert_eq!(same.unwrap().1, norm);
    }
    // Spearman's correlation of three values, by hand.
    let (rmse, mae) = (
        values("good", "rmse", "point"),
        values("good", "mae", "point"),
    );
    let ranks = |of: &[(String, f64)]| -> Vec<f64> {
        let below = |value: f64| of.iter().filter(|(_, other)| *other < value).count() as f64;
        of.iter().map(|(_, value)| below(*value)).collect()
    };
    let pairs = ranks(&rmse).into_iter().zip(ranks(&mae));
    let squares: f64 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
    let found = values("claim", "correlation", "group");
    let mae = found
        .iter()
        .find(|(group, _)| group == "mae with rmse")
        .unwrap();
    assert!((mae.1 - (1.0 - 6.0 * squares / 24.0)).abs() < 1e-12);
    assert!(found.iter().any(|(group, _)| group == "norm with rmse"));
    let pairs = values("claim", "pairs", "group");
    assert!(pairs.iter().all(|(_, pairs)| *pairs == 3.0));
    assert_eq!(values("members", "pairs", "group")[0].1, 6.0);
    // Nothing runs again, and another point only runs what is new.
    assert_eq!(folder.run(&[])["actions"]["ran"], 0);
}

#[test]
fn what_looks_at_all_points_waits_for_the_last_round() {
    let tpe = "tpe(14, rate: log(1e-3..=1e-1), minimise: good.rmse)";
    let text = ZOO.replace("grid(rate: [1e-3, 1e-2, 1e-1])", tpe);
    let folder = Folder::with(&text);
    let answer = folder.run(&[]);
    let rows = answer["scores"].as_array().unwrap();
    let pairs = rows
        .iter()
        .find(|row| row["statement"] == "claim" && row["metric"] == "pairs");
    assert_eq!(pairs.unwrap()["value"], 14.0);
}

const PICKED: &str = "\
data all = synthetic(regime, rows: 200, slope: 2)
param rate: Float = 1e-3
param route: Word = dfdx
parent net = mlp(all, inputs: [x], target: y, hidden: [4], trainer: route, optimizer: adam(rate: rate), epochs: 2, members: 1)
sweep rates = grid(rate: [1e-3, 1e-2], route: [dfdx, fan_out])
weights settings = across(rates, net)
weights slow = pick(settings, rate < 5e-3)
parent one = pick(settings, rate == 1e-2 and route == \"fan_out\")
parent mean = average(settings, weight: choose(route in [\"dfdx\"], rate, 0))
score all_sizes = diagnose(settings, metrics: [norm])
score slow_sizes = diagnose(slow, metrics: [norm])
score one_size = diagnose(one, metrics: [norm])
score apart = diagnose(pick(settings, route == \"dfdx\"), against: mean, metrics: [distance])
report page = page(all_sizes, slow_sizes, one_size, apart)
";

#[test]
fn rows_of_a_sweep_are_picked_and_weighed_by_its_params() {
    let folder = Folder::with(PICKED);
    let answer = folder.run(&[]);
    let rows = answer["scores"].as_array().unwrap();
    let values = |statement: &str| -> Vec<(String, f64)> {
        let wanted = rows
            .iter()
            .filter(|row| row["statement"] == statement && row["member"] == "mean");
        let pair = |row: &serde_json::Value| {
            let group = row["group"].as_str().unwrap_or_default().to_owned();
            (group, row["value"].as_f64().unwrap())
        };
        wanted.map(pair).collect()
    };
    let all = values("all_sizes");
    assert_eq!(all.len(), 4, "{all:?}");
    let slow: Vec<(String, f64)> = all
        .iter()
        .filter(|(group, _)| group.contains("0.001"))
        .cloned()
        .collect();
    assert_eq!(values("slow_sizes"), slow);
    let fast = all
        .iter()
        .find(|(group, _)| group.contains("0.01") && group.contains("fan_out"));
    assert_eq!(values("one_size")[0].1, fast.unwrap().1);
    // Weighed by 0.001 and 0.01, the mean is ten times as near to the second.
    let apart = values("apart");
    assert!((apart[0].1 / apart[1].1 - 10.0).abs() < 1e-3, "{apart:?}");
}

#[test]
fn a_coordinate_that_rows_do_not_have_is_named_before_the_run() {
    let mut said = String::new();
    for (what, line) in [
        ("misspelt", "weights x = pick(settings, rat < 5e-3)"),
        (
            "of something else",
            "parent x = average(settings, weight: step ^ 2)",
        ),
        (
            "a text as a number",
            "weights x = pick(settings, route > 2)",
        ),
        (
            "a number as a text",
            "weights x = pick(settings, rate == \"slow\")",
        ),
        (
            "a word without quotes",
            "weights x = pick(settings, route == fan_out)",
        ),
        (
            "a misspelt one and a word",
            "weights x = pick(settings, rout == fan_out)",
        ),
        (
            "a word in a list",
            "weights x = pick(settings, route in [fan_out, \"dfdx\"])",
        ),
        ("a param alone", "weights x = pick(settings, other == 3)"),
        (
            "a sweep that is none",
            "weights one = across(rate, first)\nweights two = across(rats, first)",
        ),
        (
            "like an argument",
            "weights x = pick(settings, route: \"dfdx\")",
        ),
        (
            "named like an argument",
            "define low(rate) = pick(settings, rate < 1)\nweights x = low(2)",
        ),
        (
            "named like a param",
            "param step: Int = 1\nweights x = pick(record(first, every: 5 steps), step >= step)",
        ),
        (
            "a name that is taken",
            "param member: Int = 1\nparent m = mlp(all, inputs: [x], target: y, hidden: [4], epochs: member, members: 1)\nsweep s = grid(member: [1, 2])\nweights x = across(s, m)",
        ),
    ] {
        let text = PICKED.split("weights slow").next().unwrap();
        let first = "parent first = mlp(all, inputs: [x], target: y, hidden: [4], epochs: 2, members: 1)\nparam other: Int = 1";
        let folder = Folder::with(&format!("{text}{first}\n{line}\n"));
        let found = folder.farcast(&["check", "it.farcast"]);
        let of = |line: &&str| line.starts_with("error") || line.starts_with("= help");
        let lines: Vec<&str> = found.err.lines().map(str::trim).filter(of).collect();
        said.push_str(&format!("{what}\n  {}\n", lines.join("\n  ")));
    }
    expect![[r#"
        misspelt
          error[unknown-name]: the rows have no coordinate `rat`
          = help: did you mean `rate`?
          = help: coordinates: `rate`, `route`
        of something else
          error[unknown-name]: the rows have no coordinate `step`
          = help: coordinates: `rate`, `route`
        a text as a number
          error[wrong-type]: expected numbers around `>`, found a text
          = help: texts are equal or not: `==`, `!=`, `in`
        a number as a text
          error[wrong-type]: expected a text, found a number
        a word without quotes
          error[unknown-name]: the rows have no coordinate `fan_out`
          = help: a text has quotes: `"fan_out"`
          = help: coordinates: `rate`, `route`
        a misspelt one and a word
          error[unknown-name]: the rows have no coordinate `rout`
          = help: did you mean `route`?
          = help: coordinates: `rate`, `route`
        a word in a list
          error[unknown-name]: unknown name `fan_out`
          = help: a text has quotes: `"fan_out"`
        a param alone
          error[impossible-call]: no row meets the condition: it names no coordinate of the rows
        a sweep that is none
          error[wrong-kind]: expected a `sweep`, found `rate`, which is a `Float`
          error[unknown-name]: there is no sweep `rats`
          = help: did you mean `rates`?
          = help: sweeps: `rates`
        like an argument
          error[unknown-argument]: `pick` has no parameter `route`
          = help: parameters: `weights`, `when`
          = help: to compare, write `route == "dfdx"`
        named like an argument
          error[ambiguous-name]: `rate` is both an argument of the definition and a coordinate
          = help: rename one of them
        named like a param
          error[ambiguous-name]: `step` is both a param and a coordinate
          = help: rename one of them
          error[ambiguous-name]: `step` is both a param and a coordinate
          = help: rename one of them
        a name that is taken
          error[impossible-call]: rows have a coordinate `member` that means something else
          = help: rename the param
    "#]]
    .assert_eq(&said);
}
