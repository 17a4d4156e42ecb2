//! What runs, what is reused, and that the bytes are the same.

use std::collections::BTreeMap;
use std::fs;

use crate::farcast::{Folder, shipped};

fn starter() -> String {
    fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap()
}

#[test]
fn a_run_writes_everything_and_a_second_one_runs_nothing() {
    let folder = Folder::with(&starter());
    let first = folder.run(&["--tables", "--weights"]);
    assert_eq!(first["ok"], true);
    assert_eq!(first["experiment"], "A first experiment");
    assert_eq!(first["actions"]["total"], first["actions"]["ran"]);
    assert_eq!(first["out"], "out/it");
    for file in [
        "run.json",
        "scores.parquet",
        "scores.csv",
        "report.html",
        "shift.0.parquet",
        "net.3.safetensors",
        "adapted.0.safetensors",
    ] {
        assert!(folder.path("out/it").join(file).exists(), "{file}");
    }
    let again = folder.run(&[]);
    assert_eq!(again["actions"]["ran"], 0);
    assert_eq!(again["scores"], first["scores"]);
}

#[test]
fn weights_say_what_they_are_and_who_made_them() {
    let folder = Folder::with(&format!("seed = 7\n{}", starter()));
    folder.run(&["--weights"]);
    let run: serde_json::Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    let actions = run["actions"].as_array().unwrap();
    let net = actions
        .iter()
        .find(|action| action["statement"] == "net" && action["member"] == 2);
    let bytes = folder.bytes("out/it/net.2.safetensors");
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(head["__metadata__"]["key"], net.unwrap()["key"]);
    assert_eq!(head["__metadata__"]["seed"], "7");
    assert!(
        head["__metadata__"]["network"]
            .as_str()
            .unwrap()
            .contains("tanh")
    );
    // `[out, in]` and `[out]`, as torch.nn.Linear has them.
    assert_eq!(head["layers.0.weight"]["shape"], serde_json::json!([16, 1]));
    assert_eq!(head["layers.1.weight"]["shape"], serde_json::json!([1, 16]));
    assert_eq!(head["layers.1.bias"]["shape"], serde_json::json!([1]));
}

#[test]
fn scores_have_the_promised_columns() {
    let folder = Folder::with(&starter());
    let answer = folder.run(&[]);
    let row = answer["scores"][0].as_object().unwrap();
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    let promised = [
        "statement",
        "point",
        "member",
        "model",
        "role",
        "metric",
        "horizon",
        "group",
        "value",
    ];
    assert_eq!(columns, promised);
    let csv = folder.read("out/it/scores.csv");
    let head = promised.join(",") + ",run,degree,seed";
    assert_eq!(csv.lines().next(), Some(head.as_str()));
    let models: Vec<&str> = answer["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["model"].as_str().unwrap())
        .collect();
    assert!(
        models.contains(&"net") && models.contains(&"adapted"),
        "{models:?}"
    );
}

#[test]
fn the_child_is_better_than_the_parent_where_the_law_says_so() {
    let folder = Folder::with(&starter());
    let answer = folder.run(&[]);
    let skill = answer["scores"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| {
            row["metric"] == "skill"
                && row["member"] == "mean"
                && row["role"] == "child"
                && row["group"].is_null()
        })
        .and_then(|row| row["value"].as_f64())
        .unwrap();
    assert!(skill > 0.5, "{skill}");
}

#[test]
fn only_what_depends_on_an_edit_runs() {
    let text = starter();
    let folder = Folder::with(&text);
    folder.run(&[]);
    assert_eq!(
        folder.planned(&["--set", "degree=2"]),
        "drift adapted skill summary"
    );
    folder.write("it.farcast", text.replace("steps: 100", "steps: 50"));
    assert_eq!(folder.planned(&[]), "shift drift adapted skill summary");
    folder.write(
        "it.farcast",
        text.replace("metrics: [rmse, skill]", "metrics: [mae]"),
    );
    assert_eq!(folder.planned(&[]), "skill summary");
    folder.write("it.farcast", text.replace("members: 4", "members: 5"));
    assert_eq!(folder.planned(&[]), "net shift drift adapted skill summary");
}

#[test]
fn names_layout_and_place_are_in_no_key() {
    let text = starter();
    let folder = Folder::with(&text);
    folder.run(&[]);
    let renamed = text
        .replace("net,", "network,")
        .replace("parent net", "parent network")
        .replace("drift", "slope")
        .replace("    ", " ")
        .replace("# y = ", "# a comment: y = ");
    folder.write("it.farcast", renamed);
    assert_eq!(folder.planned(&[]), "");
    folder.write("elsewhere/it.farcast", &text);
    let store = folder.path(".farcast");
    let plan = folder.farcast(&[
        "plan",
        "elsewhere/it.farcast",
        "--store",
        store.to_str().unwrap(),
    ]);
    assert!(plan.out.contains("\n0 to run, "), "{plan:?}");
}

#[test]
fn a_renamed_statement_has_its_new_name_in_tables_and_report() {
    let text = starter();
    let folder = Folder::with(&text);
    folder.run(&[]);
    folder.write("it.farcast", text.replace("adapted", "stronger"));
    let answer = folder.run(&[]);
    assert_eq!(answer["actions"]["ran"], 0);
    assert!(answer["scores"].to_string().contains("stronger"));
    assert!(!answer["scores"].to_string().contains("adapted"));
    let html = folder.read("out/it/report.html");
    assert!(html.contains("stronger") && !html.contains("adapted") && !html.contains('‹'));
}

#[test]
fn the_number_of_jobs_changes_no_byte() {
    let text = starter();
    let (one, two) = (Folder::with(&text), Folder::with(&text));
    one.run(&["--jobs", "1", "--tables", "--weights"]);
    two.run(&["--jobs", "2", "--tables", "--weights"]);
    same_results(&one, &two);
}

/// Everything but what says how long it took is the same.
pub fn same_results(one: &Folder, two: &Folder) {
    let files = |folder: &Folder| -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(folder.path("out/it"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "run.json" && name != "report.html")
            .map(|name| (name.clone(), folder.bytes(&format!("out/it/{name}"))))
            .collect();
        files.sort();
        files
    };
    assert_eq!(objects(one), objects(two));
    for (left, right) in files(one).iter().zip(&files(two)) {
        assert_eq!(left.0, right.0);
        assert!(left.1 == right.1, "{} differs", left.0);
    }
}

/// The names of all objects in the store of a folder: the digests of their content.
pub fn objects(folder: &Folder) -> Vec<String> {
    let mut names = packed(folder);
    for part in fs::read_dir(folder.path(".farcast/objects"))
        .into_iter()
        .flatten()
    {
        for object in fs::read_dir(part.unwrap().path()).unwrap() {
            names.push(object.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The names of the objects that were stored together with others.
fn packed(folder: &Folder) -> Vec<String> {
    let packs = fs::read_dir(folder.path(".farcast/packs"));
    let packs = packs.into_iter().flatten().map(|pack| pack.unwrap().path());
    let lists = packs.map(|pack| {
        let bytes = fs::read(pack).unwrap();
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
        serde_json::from_slice::<Vec<(String, u64)>>(&line[17..]).unwrap()
    });
    lists.flatten().map(|(name, _)| name).collect()
}

#[test]
fn a_sweep_shares_what_its_points_share() {
    let text = starter() + "sweep degrees = grid(degree: [1, 2, 3])\n";
    let folder = Folder::with(&text);
    let answer = folder.run(&[]);
    // data ×3, subset, predictor, 4 nets and 4 shifts once; 4 drifts and 4 children, a score
    // for each of three points; one page.
    assert_eq!(
        answer["actions"]["total"],
        3 + 1 + 1 + 8 + 3 * (4 + 4 + 1) + 1
    );
    let mut points: Vec<&str> = answer["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["point"].as_str().unwrap())
        .collect();
    points.dedup();
    assert_eq!(points, ["degree=1", "degree=2", "degree=3"]);
    folder.write("it.farcast", starter());
    assert_eq!(
        folder.planned(&[]),
        "summary",
        "a point is the plain experiment"
    );
}

/// The roles of the models of a statement.
fn roles<'a>(answer: &'a serde_json::Value, statement: &str) -> BTreeMap<&'a str, &'a str> {
    let rows = answer["scores"].as_array().unwrap().iter();
    rows.filter(|row| row["statement"] == statement)
        .map(|row| {
            (
                row["model"].as_str().unwrap(),
                row["role"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn equal_calls_have_the_names_of_their_own_statements() {
    let text = starter()
        + "param width: Int = 16
parent tried = mlp(seen, inputs: [x], target: y, hidden: [width], epochs: 20, members: 4)
score trial = compare(tried, on: unseen)
sweep widths = grid(width: [16, 8])
";
    let answer = Folder::with(&text).run(&[]);
    assert_eq!(roles(&answer, "trial"), [("tried", "parent")].into());
    let own = [("net", "parent"), ("adapted", "child")];
    assert_eq!(roles(&answer, "skill"), own.into());
}

#[test]
fn other_parents_and_the_nearest_subset_are_baselines() {
    let text = starter()
        + "parent line = least_squares(seen, inputs: [x, z], target: y)
child closest = nearest(drift, unseen)
score rivals = compare(net, adapted, closest, line, on: unseen)
";
    let answer = Folder::with(&text).run(&[]);
    let expected = [
        ("net", "parent"),
        ("adapted", "child"),
        ("closest", "baseline"),
        ("line", "baseline"),
    ];
    assert_eq!(roles(&answer, "rivals"), expected.into());
}

/// Groups of one statement are rows of their own: a merged row would show the value of one as that of all.
#[test]
fn scores_of_groups_alone_have_a_row_for_each() {
    let text = "\
param of: Int = 2
data all = synthetic(regime, rows: 200)
parent net = mlp(all, inputs: [x], target: y, hidden: [4], steps: 20, members: 8)
weights drawn = generate(net, blend(of: of), count: 4, train_on: 0..=5)
score new = novelty(drawn, of: net, on: all, train_on: 0..=5)
";
    let folder = Folder::with(text);
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    for group in [
        "generated",
        "held out",
        "jitter",
        "blend",
        "gaussian",
        "training",
    ] {
        let rows = said
            .out
            .lines()
            .filter(|line| line.contains(&format!("┆ {group} ")));
        assert_eq!(rows.count(), 1, "{group}: {said:?}");
    }
    let many = format!("{text}sweep means = grid(of: 2..=5)\n");
    folder.write("it.farcast", many);
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    let expected = "48 scores, each of a group of its own: the report and scores.csv have them";
    assert!(said.out.contains(expected), "{said:?}");
}

#[test]
fn a_model_that_is_not_told_apart_from_its_baseline_beats_nobody() {
    // Four steps move two members far less than they differ from each other.
    let folder = Folder::with(
        "experiment \"Doubt\"
data all = synthetic(regime, rows: 800, slope: 2)
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)
parent net = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 2, members: 2)
anomaly shift = finetune(net, window(seen, by: z, count: 8, size: 40), steps: 4)
child moved = apply(ols(shift, columns(z)), unseen)
score skill = compare(net, moved, on: unseen)
",
    );
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    let mut lines = said.out.lines();
    let first = lines.next().unwrap_or_default();
    let start = "moved is not told apart from net in skill: rmse ";
    assert!(first.starts_with(start), "{said:?}");
    let second = lines.next().unwrap_or_default();
    assert!(
        second.starts_with("95 % interval of the difference −"),
        "{said:?}"
    );
    assert!(second.contains(" … +"), "{said:?}");
}
