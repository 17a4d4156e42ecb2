//! The pages beside the report: the index of runs, and a run as it goes on.

use std::fs;

use crate::farcast::{Folder, shipped};

const TEXT: &str = "\
experiment \"Pages\"
data all = synthetic(regime, rows: 400, slope: 2)
data world = derive(all, lon = 20 * floor(18 * z), lat = 10 * floor(2 * x), time = date(1990 + floor(20 * z), 1, 1))
data seen = where(world, z <= 0.6)
data unseen = where(world, z > 0.6)
parent net = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 2, members: 2)
parent line = least_squares(seen, inputs: [x], target: y)
score skill = compare(net, line, on: unseen)
report places = map(net, line, on: unseen, domain: world)
report years = timeline(net, line, on: unseen)
report summary = page(skill)
";

#[test]
fn maps_and_records_are_drawn_and_nothing_says_that_nothing_is_there() {
    let folder = Folder::with(TEXT);
    folder.run(&[]);
    let html = folder.read("out/it/report.html");
    for drawn in [
        "Map of errors",
        "rmse of <code>line</code>",
        "° E</text>",
        "y along time",
        ">2006</text>",
        "<code>net</code>",
        "Download the table",
    ] {
        assert!(html.contains(drawn), "{drawn}");
    }
    for empty in [
        "has no groups",
        "no anomalies stand",
        "no samples",
        "no finite values",
    ] {
        assert!(!html.contains(empty), "{empty}");
    }
}

#[test]
fn a_page_lists_all_runs_and_leads_to_their_reports() {
    let starter = fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap();
    let folder = Folder::with(&starter);
    folder.run(&[]);
    folder.run(&["--set", "degree=2"]);
    folder.run(&["--set", "degree=3", "--out", "a b"]);
    let said = folder.farcast(&["runs", "--html", "site/all"]);
    assert_eq!(said.err, "wrote 3 runs to `site/all/index.html`\n");
    let html = folder.read("site/all/index.html");
    let rows: Vec<&str> = html
        .lines()
        .filter(|line| line.starts_with("<tr><td"))
        .collect();
    let reports: Vec<Option<&str>> = rows
        .iter()
        .map(|row| Some(row.split_once("href=\"")?.1.split_once('"')?.0))
        .collect();
    // Newest first; the first run's report was replaced by the second's.
    assert_eq!(
        reports,
        [
            Some("../../a%20b/report.html"),
            Some("../../out/it/report.html"),
            None
        ]
    );
    assert!(rows[1].contains("degree=2") && rows[1].contains("rmse of adapted"));
    assert_eq!(folder.read("site/all/runs.csv").lines().count(), 4);
}

#[test]
fn a_live_page_is_there_from_the_beginning_and_says_how_the_run_ended() {
    let folder = Folder::with(TEXT);
    let said = folder.farcast(&["run", "it.farcast", "--live"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.starts_with("live: out/it/live.html\n"), "{said:?}");
    let html = folder.read("out/it/live.html");
    assert!(
        html.contains("<b>ended</b>") && html.contains("report.html"),
        "{html}"
    );
    assert!(html.contains("Loss of net") && !html.contains("http-equiv=\"refresh\""));
    let refused = folder.farcast(&["run", "it.farcast", "--live", "--on", "slurm"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}
