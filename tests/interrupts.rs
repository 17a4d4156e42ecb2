//! Signals end a run at once, whatever it is doing, and leave a record of it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::farcast::Folder;

/// Its steps take a minute, and none can be stopped.
const SLOW: &str = "\
data all = synthetic(regime, rows: 40000)
parent net = transformer(all, inputs: [x, z], target: y, width: 512, heads: 8, layers: 8, batch: 40000, steps: 9, members: 1)
score skill = compare(net, on: all)
";

fn start(folder: &Folder, args: &[&str]) -> Child {
    let child = folder
        .command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let has_data =
        || fs::read_dir(folder.path(".farcast/objects")).is_ok_and(|mut it| it.next().is_some());
    while !has_data() {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The parent starts as soon as its data are there.
    std::thread::sleep(Duration::from_millis(300));
    child
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// How the runs of the store ended.
fn ended(folder: &Folder) -> Vec<Value> {
    let said = folder.farcast(&["runs", "--json"]);
    let runs: Value = serde_json::from_str(&said.out).unwrap();
    let runs = runs["runs"].as_array().unwrap().iter();
    runs.map(|run| run["ended"].clone()).collect()
}

#[test]
fn a_signal_ends_a_run_in_the_middle_of_a_step() {
    for (signal, code, executor) in [
        ("-INT", 130, "threads"),
        ("-TERM", 143, "threads"),
        ("-INT", 130, "processes"),
    ] {
        let folder = Folder::with(SLOW);
        let child = start(
            &folder,
            &["run", "it.farcast", "--json", "--executor", executor],
        );
        assert_eq!(ended(&folder), ["running"]);
        let sent = Instant::now();
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        // It takes a second; a loaded machine may take longer, but no step is so short.
        assert!(
            sent.elapsed() < Duration::from_secs(20),
            "{signal} {executor}"
        );
        assert_eq!(output.status.code(), Some(code), "{signal} {executor}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&answer["ok"], &answer["scores"]),
            (&json!(false), &json!([]))
        );
        assert_eq!(ended(&folder), ["interrupted"], "{signal} {executor}");
        let shown = folder.farcast(&["show", "last"]);
        assert!(
            shown.out.contains("interrupted: 1 ran, 0 cached, 2 failed"),
            "{shown:?}"
        );
        assert_eq!(folder.farcast(&["cache", "verify"]).code, 0);
    }
}

#[test]
fn a_killed_run_is_listed() {
    let folder = Folder::with(SLOW);
    let mut child = start(&folder, &["run", "it.farcast"]);
    send("-KILL", &child);
    child.wait().unwrap();
    assert_eq!(ended(&folder), ["killed"]);
    let shown = folder.farcast(&["show", "last"]);
    assert!(shown.out.contains("killed: "), "{shown:?}");
    assert_eq!(folder.farcast(&["cache", "verify"]).code, 0);
}
