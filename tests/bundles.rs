//! Bundles: packed here, opened elsewhere.

use std::fs;

use engine::store::{Access, DirStore, Record, Store};

use crate::farcast::{Folder, Said};

const TEXT: &str = "\
use \"lib/ocean.farcast\" as ocean
parent net = mlp(ocean.casts, inputs: [x], target: y, hidden: [3], epochs: 2, members: 2)
score skill = compare(net, on: ocean.casts)
";

/// A folder with an experiment, a used file and data, and a run of it.
fn project() -> Folder {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("lib/data")).unwrap();
    folder.write(
        "lib/ocean.farcast",
        "data casts = csv(\"data/casts.csv\")\n",
    );
    let rows = (0..200).map(|row| format!("{},{}\n", row, row * row % 17));
    folder.write(
        "lib/data/casts.csv",
        "x,y\n".to_owned() + &rows.collect::<String>(),
    );
    folder.write("storms.farcast", TEXT);
    fine(&folder, &["run", "storms.farcast", "--quiet"]);
    folder
}

fn fine(folder: &Folder, args: &[&str]) -> Said {
    let said = folder.farcast(args);
    assert_eq!(said.code, 0, "{args:?}: {said:?}");
    said
}

#[test]
fn a_bundle_reruns_elsewhere_to_the_same_bytes() {
    let here = project();
    fine(&here, &["pack", "last", "--data", "--results"]);
    fine(
        &here,
        &[
            "pack",
            "out/storms",
            "--data",
            "--results",
            "-o",
            "again.zip",
        ],
    );
    assert_eq!(here.bytes("storms.crate.zip"), here.bytes("again.zip"));
    let there = Folder::new();
    there.write("storms.crate.zip", here.bytes("storms.crate.zip"));
    let opened = fine(&there, &["open", "storms.crate.zip", "review"]);
    assert!(
        opened.err.contains("the results of 4 actions"),
        "{}",
        opened.err
    );
    assert_eq!(there.read("review/experiment/storms.farcast"), TEXT);
    assert_eq!(
        there.bytes("review/scores.parquet"),
        here.bytes("out/storms/scores.parquet")
    );
    // The original is gone: nothing of it is used.
    drop(here);
    let checked = fine(&there, &["rerun", "review", "--spot-check", "2"]);
    assert!(
        checked.err.contains("2 of 2 results are byte-identical"),
        "{}",
        checked.err
    );
    let again = fine(&there, &["rerun", "review"]);
    assert!(again.err.contains("0 ran, 4 cached"), "{}", again.err);
    assert!(again.err.contains("the scores are byte-identical"));
    let fresh = fine(&there, &["rerun", "review", "--fresh"]);
    assert!(fresh.err.contains("the scores are byte-identical"));
}

/// What the title is followed by is shown everywhere, and nothing runs again for it.
#[test]
fn who_made_an_experiment_goes_where_it_goes() {
    let here = project();
    let said = "experiment \"Storms <1>\" (\n    authors: [\"Ada Lovelace\", \"L. F. Richardson\"],\n    \
                license: \"CC-BY-4.0\",\n    cite: \"doi:10.5281/zenodo.1234567\",\n    \
                about: \"How storms \\\"move\\\".\",\n)\n";
    here.write("storms.farcast", format!("{said}{TEXT}"));
    let run = fine(&here, &["run", "storms.farcast"]);
    assert!(run.err.contains("0 ran, 4 cached"), "{}", run.err);
    let show = fine(&here, &["show", "last"]).out;
    let facts: Vec<&str> = show.lines().skip(1).take(5).map(str::trim_end).collect();
    assert_eq!(
        facts,
        [
            "experiment  Storms <1>",
            "about       How storms \"move\".",
            "authors     Ada Lovelace, L. F. Richardson",
            "license     CC-BY-4.0",
            "cite        doi:10.5281/zenodo.1234567",
        ]
    );
    let report = here.read("out/storms/report.html");
    let head = "<h1>Storms &#60;1&#62;</h1>\n<p>Ada Lovelace, L. F. Richardson</p>\n";
    assert!(report.contains(head), "{report}");
    let link = "<a href=\"https://doi.org/10.5281/zenodo.1234567\">";
    assert!(report.contains(link));
    fine(&here, &["pack", "last"]);
    let opened = fine(&here, &["open", "storms.crate.zip", "there"]);
    assert!(
        opened.err.contains("  license: CC-BY-4.0\n"),
        "{}",
        opened.err
    );
    assert_eq!(
        here.read("there/CITATION.cff")
            .lines()
            .take(10)
            .collect::<Vec<_>>(),
        [
            "cff-version: 1.2.0",
            "message: Please cite this experiment, and its authors.",
            "type: dataset",
            "title: \"Storms <1>\"",
            "authors:",
            "  - name: \"Ada Lovelace\"",
            "  - name: \"L. F. Richardson\"",
            "abstract: \"How storms \\\"move\\\".\"",
            "license: CC-BY-4.0",
            "doi: \"10.5281/zenodo.1234567\"",
        ]
    );
    let crate_json = here.read("there/ro-crate-metadata.json");
    assert!(crate_json.contains("https://spdx.org/licenses/CC-BY-4.0"));
}

#[test]
fn what_was_left_out_is_named_and_what_was_changed_is_refused() {
    let here = project();
    let packed = fine(&here, &["pack", "storms.farcast"]);
    assert!(
        packed
            .err
            .contains("`experiment/lib/data/casts.csv` is named, not packed")
    );
    let opened = fine(&here, &["open", "storms.crate.zip", "light"]);
    assert!(
        opened
            .err
            .contains("not experiment/lib/data/casts.csv: put the file there")
    );
    let run = here.farcast(&["check", "light/experiment/storms.farcast"]);
    assert_eq!(run.code, 1);
    let there = here.farcast(&["open", "storms.crate.zip", "light"]);
    assert_eq!(
        (there.code, there.err.contains("already exists")),
        (1, true)
    );
    // One byte of the data, which is stored as it is.
    fine(&here, &["pack", "last", "--data", "--results"]);
    let good = here.bytes("storms.crate.zip");
    let at = good
        .windows(8)
        .position(|bytes| bytes == b"x,y\n0,0\n")
        .unwrap();
    let mut bad = good.clone();
    bad[at + 4] = b'9';
    here.write("bad.zip", &bad);
    let refused = here.farcast(&["open", "bad.zip", "bad"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .err
            .contains("casts.csv` is damaged: its checksum differs"),
        "{}",
        refused.err
    );
    let left: Vec<_> = fs::read_dir(here.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("bad") && name != "bad.zip")
        .collect();
    assert_eq!(left, [] as [String; 0]);
    here.write("words.zip", "no archive");
    let refused = here.farcast(&["open", "words.zip"]);
    assert!(refused.err.contains("not a zip archive"), "{}", refused.err);
}

#[test]
fn a_forged_result_is_found_by_a_spot_check() {
    let here = project();
    fine(&here, &["pack", "last", "--data", "--results"]);
    fine(&here, &["open", "storms.crate.zip", "review"]);
    let spot = ["rerun", "review", "--spot-check", "9", "--json"];
    let sound = fine(&here, &spot);
    let answer: serde_json::Value = serde_json::from_str(&sound.out).unwrap();
    assert_eq!(
        (&answer["same"], &answer["different"]),
        (&4.into(), &serde_json::json!([]))
    );
    // Somebody gives out the network of one member as that of another.
    let store = DirStore::open(&here.path("review/.farcast"), Access::Write).unwrap();
    let networks = store
        .records()
        .all()
        .into_iter()
        .filter(|record| record.plugin() == "mlp");
    let networks: Vec<Record> = networks.collect();
    let forged = Record {
        outcome: networks[1].outcome.clone(),
        ..networks[0].clone()
    };
    store.records().append(&forged).unwrap();
    drop(store);
    let found = here.farcast(&spot);
    assert_eq!(found.code, 1);
    let answer: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    let different = answer["different"].to_string();
    assert!(different.contains("has other bytes now"), "{different}");
}

#[test]
fn data_that_changed_since_the_run_are_not_packed_as_its_data() {
    let here = project();
    here.write("lib/data/casts.csv", "x,y\n1,2\n");
    let refused = here.farcast(&["pack", "last", "--data"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .err
            .contains("`lib/data/casts.csv` is not what the run read"),
        "{}",
        refused.err
    );
    let elsewhere = Folder::new();
    elsewhere.write("d.csv", "x,y\n1,2\n3,4\n");
    let path = elsewhere.path("d.csv");
    let text = format!("data d = csv({path:?})\nparent n = mlp(d, inputs: [x], target: y)\n");
    here.write("absolute.farcast", text);
    let refused = here.farcast(&["pack", "absolute.farcast", "--data"]);
    assert!(
        refused
            .err
            .contains("is an absolute path, which no other machine has"),
        "{}",
        refused.err
    );
}
