//! Each command's words, answers and exit codes.

use std::fs;

use expect_test::expect;

use crate::farcast::{Folder, shipped};

fn starter() -> String {
    fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap()
}

#[test]
fn check_answers_in_json() {
    let folder = Folder::with("data all = synthetic(regime, rowz: 4)\n");
    let said = folder.farcast(&["check", "it.farcast", "--json"]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    expect![[r#"
        {
          "ok": false,
          "diagnostics": [
            {
              "code": "unknown-argument",
              "severity": "error",
              "message": "`synthetic` has no parameter `rowz`",
              "file": "it.farcast",
              "line": 1,
              "column": 30,
              "end_line": 1,
              "end_column": 34,
              "hints": [
                "did you mean `rows`?",
                "parameters: `law`, `rows`, `noise`, `from`, `to`, `slope`"
              ],
              "fixes": [
                {
                  "file": "it.farcast",
                  "line": 1,
                  "column": 30,
                  "end_line": 1,
                  "end_column": 34,
                  "text": "rows"
                }
              ]
            }
          ]
        }
    "#]]
    .assert_eq(&format!("{answer:#}\n"));
}

#[test]
fn check_is_fine_with_the_shipped_experiments() {
    let folder = Folder::new();
    for file in [
        "experiments/density.farcast",
        "experiments/wind.farcast",
        "experiments/smoke/starter.farcast",
    ] {
        let path = shipped(file);
        let said = folder.farcast(&["check", path.to_str().unwrap()]);
        assert_eq!(
            (said.code, said.err.as_str()),
            (0, "no mistakes found\n"),
            "{said:?}"
        );
    }
}

#[test]
fn a_list_in_a_definition_holds_its_arguments() {
    let text = "\
define last(run, step) = persistence(run, observe: [step], horizon: [30])
data all = synthetic(regime, rows: 200, slope: 2)
parent net = mlp(all, inputs: [x, z], target: y, hidden: [4], epochs: 10)
trajectory trail = record(net, every: 10 steps)
farcast seen = last(trail, 20)
score error = forecast_error(seen, truth: trail, metrics: [mse])
";
    let said = Folder::with(text).farcast(&["check", "it.farcast"]);
    assert_eq!((said.code, &*said.err), (0, "no mistakes found\n"));
}

#[test]
fn fmt_checks_and_rewrites() {
    let folder = Folder::with("data   all=synthetic( regime,rows:4 )   # four\n");
    let said = folder.farcast(&["fmt", "--check", "it.farcast"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        `it.farcast` is not in canonical layout: run `farcast fmt it.farcast`
    "#]]
    .assert_eq(&said.err);
    assert_eq!(folder.farcast(&["fmt", "it.farcast"]).code, 0);
    assert_eq!(
        folder.read("it.farcast"),
        "data all = synthetic(regime, rows: 4)  # four\n"
    );
    assert_eq!(folder.farcast(&["fmt", "--check", "it.farcast"]).code, 0);
}

#[test]
fn plan_says_what_runs_and_why() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    let said = folder.farcast(&["plan", "it.farcast", "--set", "degree=2"]);
    let running: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.contains("  run "))
        .collect();
    expect![[r#"
        drift[0]    polynomial  run     `degree` was 1, is 2
        drift[1]    polynomial  run     `degree` was 1, is 2
        drift[2]    polynomial  run     `degree` was 1, is 2
        drift[3]    polynomial  run     `degree` was 1, is 2
        adapted[0]  apply       run     its `regression` runs
        adapted[1]  apply       run     its `regression` runs
        adapted[2]  apply       run     its `regression` runs
        adapted[3]  apply       run     its `regression` runs
        skill       compare     run     its `models` runs
        summary     page        run     its `scores` runs, its `regressions` runs"#]]
    .assert_eq(&running.join("\n"));
}

#[test]
fn plan_answers_in_json() {
    let folder = Folder::with(&starter());
    let said = folder.farcast(&["plan", "it.farcast", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["cached"], 0);
    assert_eq!(answer["run"], answer["actions"].as_array().unwrap().len());
    let first = answer["actions"][0].as_object().unwrap();
    let fields: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(fields, ["key", "statement", "plugin", "state", "reason"]);
}

#[test]
fn plan_says_what_trains() {
    let folder = Folder::with(
        "data all = synthetic(regime, rows: 400)\n\
         subset near = window(all, by: z, count: 8, size: 40)\n\
         parent net = mlp(all, inputs: [x], target: y, members: 2, trainer: dfdx)\n\
         anomaly shift = finetune(net, near)\n\
         anomaly slow = finetune(net, near, trainer: dfdx)\n\
         trajectory walk = record(net)\n",
    );
    folder.write(
        "images.farcast",
        "data clothes = idx(\"i\", labels: \"l\")\n\
         parent net = conv(clothes, channels: [2])\n\
         parent flat = conv(clothes, channels: [])\n\
         parent small = transformer(clothes, inputs: [pixel_0_0], target: label)\n\
         subset some = random(clothes, count: 2, size: 20)\n\
         anomaly shift = finetune(net, some)\n\
         trajectory walk = record(net)\n\
         farcast later = linear(walk, observe: 0..=10, horizon: [20])\n\
         parent grown = adopt(later, horizon: 20)\n\
         anomaly moved = finetune(grown, some, mix: 0)\n",
    );
    // IDX: two bytes 0, 8 for bytes, the number of dimensions, their sizes, the bytes.
    let sizes = |sizes: &[u32]| {
        sizes
            .iter()
            .flat_map(|size| size.to_be_bytes())
            .collect::<Vec<_>>()
    };
    folder.write(
        "i",
        [vec![0, 0, 8, 3], sizes(&[40, 8, 8]), vec![7; 2560]].concat(),
    );
    folder.write("l", [vec![0, 0, 8, 1], sizes(&[40]), vec![1; 40]].concat());
    let trains = |file| {
        let said = folder.farcast(&["plan", file]);
        let lines = said
            .out
            .lines()
            .filter(|line| line.contains("is trained by"));
        lines.collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        `net` is trained by dfdx, as it says
        `shift` is trained by fan_out
        `slow` is trained by dfdx, as it says
        `walk` is trained by dfdx, as it says"#]]
    .assert_eq(&trains("it.farcast"));
    expect![[r#"
        `net` is trained by fan_out
        `flat` is trained by fan_out
        `small` is trained by fan_out
        `shift` is trained by fan_out
        `walk` is trained by fan_out
        `moved` is trained by fan_out"#]]
    .assert_eq(&trains("images.farcast"));
}

#[test]
fn graph_draws_in_three_forms() {
    let folder = Folder::with(&starter());
    for (format, mark) in [
        ("dot", "digraph"),
        ("mermaid", "flowchart"),
        ("svg", "<svg"),
    ] {
        let said = folder.farcast(&["graph", "it.farcast", "--format", format]);
        assert!(
            said.code == 0 && said.out.contains(mark) && said.out.contains("drift"),
            "{said:?}"
        );
    }
}

#[test]
fn plugins_lists_and_tells() {
    let folder = Folder::new();
    let listing = folder.farcast(&["plugins"]).out;
    assert!(
        listing.contains("\nparent\n") && listing.contains("  mlp "),
        "{listing}"
    );
    let one = folder.farcast(&["plugins", "window"]).out;
    assert!(one.contains("| `count` | Int"), "{one}");
    let wrong = folder.farcast(&["plugins", "windw"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("did you mean `window`?"), "{wrong:?}");
    let answer = folder.farcast(&["plugins", "--json"]).out;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let first = answer["plugins"][0].as_object().unwrap();
    let fields: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(fields, ["name", "kind", "version", "doc", "params"]);
}

#[test]
fn cache_lists_verifies_cleans_and_tells_where() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    let path = folder.farcast(&["cache", "path"]).out;
    assert!(path.trim_end().ends_with(".farcast"), "{path}");
    let ls = folder.farcast(&["cache", "ls"]);
    assert!(
        ls.code == 0 && ls.out.contains("mlp") && ls.out.contains("finetune"),
        "{ls:?}"
    );
    assert_eq!(folder.farcast(&["cache", "verify"]).code, 0);
    assert_eq!(folder.farcast(&["cache", "gc"]).code, 0);
    assert_eq!(folder.planned(&[]), "", "gc removes nothing that is needed");
    assert!(folder.path(".farcast/CACHEDIR.TAG").exists());
    assert_eq!(folder.read(".farcast/.gitignore"), "*\n");
}

#[test]
fn new_writes_a_starter_that_runs() {
    let folder = Folder::new();
    assert_eq!(folder.farcast(&["new", "it"]).code, 0);
    folder.run(&[]);
    let again = folder.farcast(&["new", "it"]);
    assert_eq!(
        (again.code, again.err.as_str()),
        (1, "error: `it.farcast` already exists\n")
    );
    assert_eq!(folder.farcast(&["new", "../it"]).code, 2);
}

#[test]
fn new_starts_from_any_method() {
    let folder = Folder::new();
    let wrong = folder.farcast(&["new", "it", "--from", "guessing"]);
    assert_eq!(wrong.code, 2);
    let methods = wrong.err.split("[possible values: ").nth(1).unwrap();
    let methods: Vec<&str> = methods.split(']').next().unwrap().split(", ").collect();
    assert!(methods.contains(&"conditional"), "{methods:?}");
    for method in methods {
        let said = folder.farcast(&["new", method, "--from", method]);
        assert_eq!(said.code, 0, "{said:?}");
        let file = format!("{method}.farcast");
        let said = folder.farcast(&["run", &file, "--quiet"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(folder.read(&file).contains("\n# "), "{method} is commented");
    }
}

/// The commands that `farcast --help` lists, and what it says of each.
fn listed_commands(folder: &Folder) -> Vec<(String, String)> {
    let help = folder.farcast(&["--help"]).out;
    let list = help.split("Commands:\n").nth(1).unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in lines {
        match (line.strip_prefix("   "), commands.last_mut()) {
            // Of the one before.
            (Some(more), Some((_, about))) => about.push_str(&format!(" {}", more.trim())),
            _ => {
                let (name, about) = line.trim().split_once(' ').unwrap();
                commands.push((name.to_owned(), about.trim().to_owned()));
            }
        }
    }
    commands.retain(|(name, _)| name != "help");
    commands
}

#[test]
fn the_help_of_every_command_has_an_example() {
    let folder = Folder::new();
    let commands = listed_commands(&folder);
    assert!(commands.len() > 12, "{commands:?}");
    for (command, about) in commands {
        let help = folder.farcast(&[&command, "--help"]).out;
        assert!(help.contains(&format!("  farcast {command}")), "{help}");
        // What the list says, with more below.
        let first = help.lines().take_while(|line| !line.is_empty());
        assert_eq!(first.collect::<Vec<_>>().join(" "), about);
    }
}

#[test]
fn every_command_has_a_man_page() {
    let folder = Folder::new();
    let said = folder.farcast(&["docs", "--man", "man"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (0, "wrote the man pages to `man`\n")
    );
    assert!(folder.read("man/farcast.1").starts_with(".ie"));
    for (command, about) in listed_commands(&folder) {
        let page = folder.read(&format!("man/farcast-{command}.1"));
        let name = page.split(".SH ").nth(1).unwrap();
        assert!(name.contains(&about.replace('-', "\\-")), "{name}");
        assert!(
            page.contains(".TH") && page.contains("FARCAST_JOBS"),
            "{page}"
        );
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = Folder::new();
    for args in [
        &["fly"][..],
        &["run"],
        &["run", "it.farcast", "--jobs", "0"],
        &["run", "it.farcast", "--set", "degree"],
        &["graph", "it.farcast", "--format", "gif"],
    ] {
        let said = folder.farcast(args);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
    }
}

#[test]
fn completions_know_the_commands() {
    let said = Folder::new().farcast(&["completions", "bash"]);
    assert!(said.out.contains("farcast") && said.out.contains("plugins"));
}

#[test]
fn output_of_a_quiet_json_run_is_one_object() {
    let folder = Folder::with(&starter());
    let said = folder.farcast(&["run", "it.farcast", "--json", "--quiet"]);
    assert_eq!(said.err, "");
    assert_eq!(said.out.lines().count(), 1);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let fields: Vec<&str> = answer
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        fields,
        ["experiment", "ok", "seconds", "actions", "scores", "out"]
    );
    let actions: Vec<&str> = answer["actions"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(actions, ["total", "ran", "cached", "failed"]);
}

#[test]
fn run_and_plan_answer_in_json_when_the_file_has_mistakes() {
    let folder = Folder::with("data all = synthetic(regme)\n");
    let mut answers = ["check", "plan", "run"].map(|command| {
        let said = folder.farcast(&[command, "it.farcast", "--json"]);
        assert_eq!(said.code, 1, "{said:?}");
        let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(answer["ok"], false);
        answer["diagnostics"].clone()
    });
    answers[0].as_array().unwrap().first().expect("a mistake");
    let checked = answers[0].take();
    assert_eq!(answers[1], checked);
    assert_eq!(answers[2], checked);
    let missing = folder.farcast(&["run", "no.farcast", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&missing.out).unwrap();
    assert_eq!(answer["diagnostics"][0]["code"], "unreadable-file");
}

#[test]
fn a_failed_run_has_its_errors_in_its_json() {
    let text = "data all = synthetic(regime, rows: 10)\ndata none = where(all, z > 9)\n";
    let folder = Folder::with(text);
    let said = folder.farcast(&["run", "it.farcast", "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&answer["ok"], &answer["actions"]["failed"]),
        (&false.into(), &1.into())
    );
    let diagnostic = &answer["diagnostics"][0];
    assert_eq!(diagnostic["code"], "action-failed");
    assert_eq!(diagnostic["line"], 2);
}
