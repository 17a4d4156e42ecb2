//! What runs leave behind: listed, shown, compared and run again.

use std::fs;

use expect_test::expect;
use serde_json::{Value, json};

use crate::farcast::{Folder, shipped};

fn starter() -> String {
    fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap()
}

/// A folder with two runs of the starter: degree 1 in `out/it`, degree 2 in `two`.
fn two_runs() -> Folder {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    folder.run(&["--set", "degree=2", "--out", "two"]);
    folder
}

fn answer(folder: &Folder, args: &[&str]) -> Value {
    let said = folder.farcast(args);
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

/// Names and times of runs, and how long they took, replaced by what is always the same.
fn masked(folder: &Folder, text: &str) -> String {
    let mut text = text.to_owned();
    for run in answer(folder, &["runs", "--json"])["runs"]
        .as_array()
        .unwrap()
    {
        let word = |key: &str| run[key].as_str().unwrap().to_owned();
        text = text.replace(&word("run"), "20260101-000000000-abcdef");
        text = text.replace(&word("when"), "2026-01-01 00:00:00");
        let seconds = run["seconds"].as_f64().unwrap();
        text = text.replace(&format!(" {seconds:.1} "), " 0.0 ");
    }
    text.replace(&folder.real_path(), "HERE")
}

#[test]
fn runs_are_listed_with_what_was_set_and_what_came_out() {
    let folder = two_runs();
    let said = folder.farcast(&["runs"]);
    expect![[r#"
        run                        file        set       ended  seconds  scores
        20260101-000000000-abcdef  it.farcast            ok     0.0      rmse of adapted 0.5289, −33 % against net (+1)
        20260101-000000000-abcdef  it.farcast  degree=2  ok     0.0      rmse of adapted 0.5533, −30 % against net (+1)
    "#]].assert_eq(&masked(&folder, &said.out));
    let runs = answer(&folder, &["runs", "--json", "--limit", "1"]);
    let run = &runs["runs"][0];
    assert_eq!(run["set"], json!([["degree", "2"]]));
    assert_eq!(run["params"], json!({ "degree": "2", "seed": "0" }));
    assert_eq!((&run["ok"], &run["out"]), (&json!(true), &json!("two")));
}

#[test]
fn no_runs_are_no_mistake() {
    let folder = Folder::new();
    let said = folder.farcast(&["runs", "--store", "none"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert_eq!(said.err, "no runs in `none`\n");
    assert_eq!(answer(&folder, &["runs", "--json"]), json!({ "runs": [] }));
}

#[test]
fn a_run_is_shown_by_any_of_its_names() {
    let folder = two_runs();
    let said = folder.farcast(&["show", "last"]);
    let facts: Vec<&str> = said.out.lines().take_while(|l| !l.is_empty()).collect();
    let shown = facts.join("\n").replace(&hostname(), "HOST");
    expect![[r#"
        run         20260101-000000000-abcdef
        experiment  A first experiment
        when        2026-01-01 00:00:00 UTC on HOST
        file        it.farcast
        folder      HERE
        out         two
        set         degree=2
        params      degree=2, seed=0
        ended       ok: 10 ran, 13 cached, 0 failed in 0.0 s
        farcast     0.2.0
        plugins     apply 2, columns 1, compare 6, finetune 10, mlp 9, page 5, polynomial 9, synthetic 1, where 1, window 2"#]].assert_eq(&masked(&folder, &shown));
    let last = answer(&folder, &["show", "last", "--json"]);
    let name = last["run"].as_str().unwrap();
    for named in [name, "two", "two/run.json"] {
        let shown = answer(&folder, &["show", named, "--json"]);
        assert_eq!(shown["scores"], last["scores"], "{named}");
        assert_eq!(shown["set"], last["set"], "{named}");
    }
}

#[test]
fn what_statements_took_is_known_though_all_was_there() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    folder.run(&[]);
    let [first, second] =
        ["last~1", "last"].map(|run| answer(&folder, &["show", run, "--json"])["costs"].clone());
    assert_eq!(first, second);
    let of = |name: &str| {
        let mut costs = first.as_array().unwrap().iter();
        costs.find(|cost| cost["statement"] == name).unwrap()
    };
    let net = of("net");
    assert_eq!(
        (&net["plugin"], &net["actions"]),
        (&json!("mlp"), &json!(4))
    );
    assert!(
        net["seconds"].as_f64() > Some(0.0) && net["bytes"].as_u64() > Some(1000),
        "{net}"
    );

    let run: Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    let trained = run["actions"].as_array().unwrap().iter();
    let trained: Vec<_> = trained
        .filter(|action| action["statement"] == "net")
        .collect();
    let seconds: f64 = trained.iter().map(|a| a["seconds"].as_f64().unwrap()).sum();
    assert_eq!(Some(seconds), net["seconds"].as_f64());
    assert!(trained.iter().all(|action| action["state"] == "cached"));

    let shown = folder.farcast(&["show", "last"]).out;
    let head = "statement  plugin      actions  seconds  size\n";
    assert!(shown.contains(head), "{shown}");
    assert!(
        folder
            .read("out/it/report.html")
            .contains("What each statement took")
    );
}

fn hostname() -> String {
    let name = fs::read_to_string("/etc/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[test]
fn runs_that_are_not_there_are_told() {
    let folder = Folder::with(&starter());
    let says = |args: &[&str]| {
        let said = folder.farcast(args);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
        said.err.replace(&folder.real_path(), "HERE")
    };
    expect![[r#"
        error: there is no run `last`: `./.farcast` has 0
    "#]]
    .assert_eq(&says(&["show", "last"]));
    expect![[r#"
        error: there is no run, folder or file `2026`
          = help: `farcast runs` lists the runs of the store
    "#]]
    .assert_eq(&says(&["show", "2026"]));
    expect![[r#"
        error: `out/it` does not exist
    "#]]
    .assert_eq(&says(&["show", "out/it"]));
    expect![[r#"
        error: `it.farcast`: not the record of a run: expected value at line 1 column 1
    "#]]
    .assert_eq(&says(&["rerun", "it.farcast"]));
    folder.write("old/run.json", r#"{"experiment": "x", "farcast": "0.0.1"}"#);
    expect![[r#"
        error: `old/run.json`: written by farcast `0.0.1`, whose records are incomplete: expected format 1
          = help: run the experiment again
    "#]]
    .assert_eq(&says(&["rerun", "old"]));
    folder.write("new/run.json", r#"{"format": 2, "farcast": "9.0.0"}"#);
    expect![[r#"
        error: `new/run.json`: written by a newer farcast, `9.0.0`: expected format 1, found 2
    "#]]
    .assert_eq(&says(&["compare", "new", "old"]));
}

#[test]
fn a_damaged_record_is_told_and_the_others_are_listed() {
    let folder = two_runs();
    let last = answer(&folder, &["show", "last", "--json"]);
    let name = last["run"].as_str().unwrap();
    let file = format!(".farcast/runs/{name}.json");
    let text = folder.read(&file);
    folder.write(&file, text.replace("degree", "degrees"));
    let said = folder.farcast(&["runs"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 2));
    assert_eq!(
        said.err,
        format!("note: the record of run `{name}` is damaged\n")
    );
    let scores = folder.bytes("two/scores.parquet");
    folder.write("out/it/scores.parquet", scores);
    let said = folder.farcast(&["show", "out/it"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "error: the scores beside `out/it/run.json` belong to another run\n"
    );
}

#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_written_holds_up_no_run() {
    let folder = two_runs();
    // As a plain file in its place, so that not even root can write there.
    fs::remove_dir_all(folder.path(".farcast/runs")).unwrap();
    folder.write(".farcast/runs", "");
    let said = folder.farcast(&["run", "it.farcast"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err
            .contains("note: the run is not listed by `farcast runs`: cannot store the record"),
        "{said:?}"
    );
}

#[test]
fn runs_are_compared_member_by_member() {
    let folder = two_runs();
    let said = folder.farcast(&["compare", "out/it", "two"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    expect![[r#"
        A  out/it/run.json  it.farcast  2026-01-01 00:00:00
        B  two/run.json     it.farcast  2026-01-01 00:00:00

        param `degree`  1  2

        score  model    metric  of               A       B              difference  95 % interval
        skill  net      rmse    ensemble mean    0.7872  0.7872  B − A  0.000
        skill  net      rmse    ensemble median  0.7815  0.7815  B − A  0.000
        skill  net      rmse    4 members        0.7887  0.7887  B − A  0.000       0.000 … 0.000        paired over 4
        skill  net      skill   4 members        0.000   0.000   B − A  0.000       0.000 … 0.000        paired over 4
        skill  adapted  rmse    ensemble mean    0.5289  0.5533  B − A  +0.02437
        skill  adapted  rmse    ensemble median  0.5223  0.5502  B − A  +0.02790
        skill  adapted  rmse    4 members        0.5306  0.5561  B − A  +0.02551    −0.01147 … +0.06249  paired over 4
        skill  adapted  skill   ensemble mean    0.5485  0.5060  B − A  −0.04256
        skill  adapted  skill   ensemble median  0.5533  0.5044  B − A  −0.04899
        skill  adapted  skill   4 members        0.5473  0.5029  B − A  −0.04442    −0.1086 … +0.01973   paired over 4
    "#]].assert_eq(&masked(&folder, &said.out));
    let by_name = folder.farcast(&["compare", "last~1", "last", "--html", "it.html"]);
    let scores = |text: &str| text.split("\n\n").nth(2).unwrap().to_owned();
    assert_eq!(scores(&by_name.out), scores(&said.out));
    assert!(folder.read("it.html").contains("paired over 4"));
    let json = answer(&folder, &["compare", "out/it", "two", "--json"]);
    let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["runs", "given", "scores"]);
    assert_eq!(json["given"][0]["what"], "param `degree`");
}

#[test]
fn experiment_files_are_compared_from_the_store() {
    let folder = two_runs();
    let wider = starter().replace("hidden: [16]", "hidden: [8]");
    folder.write("wider.farcast", wider);
    let said = folder.farcast(&["compare", "it.farcast", "wider.farcast", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    let methods: Vec<&Value> = json["scores"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["of"] == "members")
        .map(|row| &row["differences"][0]["method"])
        .collect();
    // Other parents have no member in common.
    assert!(
        methods.iter().all(|method| *method == "welch"),
        "{methods:?}"
    );
    assert!(!folder.path("out/wider").exists());
}

#[test]
fn comparing_needs_two() {
    let said = Folder::new().farcast(&["compare", "last"]);
    assert_eq!(said.code, 2);
}

#[test]
fn a_fresh_rerun_gives_the_same_bytes() {
    let folder = Folder::with(&starter());
    folder.run(&["--set", "degree=2"]);
    fs::remove_file(folder.path("it.farcast")).unwrap();
    let said = folder.farcast(&["rerun", "out/it/run.json", "--fresh", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.err, "the scores are byte-identical\n");
    for file in ["scores.parquet", "scores.csv"] {
        let (before, after) = (format!("out/it/{file}"), format!("out/it-rerun/{file}"));
        assert!(folder.bytes(&before) == folder.bytes(&after), "{file}");
    }
    let json = answer(&folder, &["rerun", "last", "--json", "--quiet"]);
    assert_eq!(
        (&json["same"], &json["differs"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(json["actions"]["ran"], 0);
}

const WITH_DATA: &str = "\
use \"parts/shared.farcast\" as shared
data all = csv(\"a.csv\")
parent net = mlp(all, inputs: [x], target: y, hidden: [shared.width], epochs: 2, members: 2)
score skill = compare(net, on: all, metrics: [rmse])
";

/// A folder where an experiment with a data file and a used text ran.
fn with_data() -> Folder {
    let folder = Folder::with(WITH_DATA);
    folder.write("parts/shared.farcast", "param width: Int = 4\n");
    folder.write("a.csv", rows(1.0));
    folder.run(&[]);
    folder
}

fn rows(slope: f64) -> String {
    let rows = (0..64).map(|row| format!("{row},{}\n", slope * f64::from(row)));
    format!("x,y\n{}", rows.collect::<String>())
}

#[test]
fn a_changed_data_file_is_told() {
    let folder = with_data();
    folder.write("a.csv", rows(2.0));
    let said = folder.farcast(&["rerun", "out/it/run.json", "--quiet"]);
    assert_eq!(said.code, 1, "{said:?}");
    expect![[r#"
        note: data file `a.csv` was 2ce6ba117435, is 0427305fd837
        error: the scores differ: `farcast compare out/it/run.json out/it-rerun` shows how
    "#]]
    .assert_eq(&said.err);
    fs::remove_file(folder.path("a.csv")).unwrap();
    let said = folder.farcast(&["rerun", "out/it/run.json", "--quiet"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        error[data-file]: there is no file `a.csv`
         --> it.farcast:2:16
          |
        2 | data all = csv("a.csv")
          |                ^^^^^^^
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn a_run_is_repeated_from_anywhere() {
    let folder = with_data();
    fs::remove_dir_all(folder.path("parts")).unwrap();
    let elsewhere = Folder::new();
    let run = folder.path("out/it/run.json");
    let said = elsewhere.farcast(&["rerun", run.to_str().unwrap(), "--fresh", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(elsewhere.path("out/it-rerun/scores.csv").exists());
}

#[test]
fn texts_above_the_folder_of_the_run_are_found() {
    let folder = Folder::new();
    folder.write("deep/it.farcast", WITH_DATA.replace("parts/", "../parts/"));
    folder.write("parts/shared.farcast", "param width: Int = 4\n");
    folder.write("deep/a.csv", rows(1.0));
    let mut run = folder.command(&["run", "it.farcast", "--quiet"]);
    assert!(
        run.current_dir(folder.path("deep"))
            .output()
            .unwrap()
            .status
            .success()
    );
    let said = folder.farcast(&["rerun", "deep/out/it", "--fresh", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn other_versions_are_told() {
    let folder = with_data();
    let mut run: Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    run["farcast"] = json!("0.0.1");
    run["plugins"]["mlp"] = json!(99);
    folder.write("out/it/run.json", run.to_string());
    let json = answer(&folder, &["rerun", "out/it", "--json", "--quiet"]);
    let differs: Vec<&str> = json["differs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    assert_eq!(differs[0], "farcast was 0.0.1, is 0.2.0");
    assert!(differs[1].starts_with("the version of plugin `mlp` was 99, is "));
    assert_eq!(differs.len(), 2);
}

#[test]
fn a_wicked_run_json_writes_nothing_elsewhere() {
    let outer = Folder::new();
    let folder = with_data();
    let mut run: Value = serde_json::from_str(&folder.read("out/it/run.json")).unwrap();
    let outside = outer.path("evil.farcast");
    run["texts"][0]["path"] = json!("../../../evil/it.farcast");
    run["texts"][0]["text"] = json!(
        WITH_DATA
            .replace("parts/shared.farcast", outside.to_str().unwrap())
            .replace("a.csv", folder.path("a.csv").to_str().unwrap())
    );
    run["texts"][1]["path"] = json!(outside);
    run["out"] = json!(outer.path("out"));
    run["experiment"] = json!("\u{1b}[2Jgone");
    folder.write("wicked/run.json", run.to_string());
    let said = folder.farcast(&["rerun", "wicked/run.json", "--fresh", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(folder.path("out/it-rerun/run.json").exists());
    assert_eq!(fs::read_dir(outer.path("")).unwrap().count(), 0);
    assert!(!folder.path("../evil").exists());
    folder.write(
        "wicked/scores.parquet",
        folder.bytes("out/it/scores.parquet"),
    );
    let shown = folder.farcast(&["show", "wicked"]);
    assert!(
        shown.code == 0 && !shown.out.contains('\u{1b}'),
        "{shown:?}"
    );
}

#[test]
fn a_run_json_without_end_is_refused() {
    let folder = Folder::new();
    let file = fs::File::create(folder.path("run.json")).unwrap();
    file.set_len((256 << 20) + 1).unwrap();
    let said = folder.farcast(&["rerun", "run.json"]);
    assert_eq!(said.code, 1);
    assert_eq!(said.err, "error: `run.json` is larger than 256 MiB\n");
    folder.write("deep.json", "[".repeat(1 << 20));
    let said = folder.farcast(&["rerun", "deep.json"]);
    assert_eq!(said.code, 1, "{said:?}");
}
