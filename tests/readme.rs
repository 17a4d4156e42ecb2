//! What the README says is so.

use std::fs;

use crate::farcast::{Folder, shipped};

fn readme() -> String {
    fs::read_to_string(shipped("README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    text.split("```")
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn its_experiment_runs_and_its_commands_are_fine() {
    let text = readme();
    let experiments = blocks(&text, "farcast");
    assert_eq!(experiments.len(), 1);
    let folder = Folder::new();
    folder.write("storms.farcast", &experiments[0]);
    let commands = blocks(&text, "sh").concat();
    let mut ran = 0;
    for line in commands
        .lines()
        .filter_map(|line| line.strip_prefix("farcast "))
    {
        let line = line.split(" #").next().unwrap();
        let args: Vec<&str> = line.split_whitespace().collect();
        let said = folder.farcast(&args);
        assert_eq!(said.code, 0, "farcast {line}: {said:?}");
        ran += 1;
    }
    assert_eq!(ran, 4);
}

#[test]
fn its_experiment_is_the_starter_without_comments() {
    let bare = |text: &str| -> String {
        let kept = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        kept.collect::<Vec<_>>().join("\n")
    };
    let starter = fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap();
    assert_eq!(bare(&blocks(&readme(), "farcast")[0]), bare(&starter));
}

#[test]
fn its_two_commands_are_those_of_the_ci() {
    let ci = fs::read_to_string(shipped(".ci/run")).unwrap();
    let two = blocks(&readme(), "sh")[0].clone();
    assert_eq!(two.lines().count(), 2);
    assert!(ci.contains(two.lines().nth(1).unwrap()));
}

#[test]
fn its_mistake_is_what_check_says() {
    let folder = Folder::new();
    let text = fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap();
    folder.write(
        "storms.farcast",
        text.replace("by: z, count", "by: zz, count"),
    );
    let said = folder.farcast(&["check", "storms.farcast"]);
    let shown = blocks(&readme(), "text")[0].clone();
    assert!(said.err.starts_with(&shown), "{}", said.err);
}

#[test]
fn the_blocks_of_the_language_page_are_fine() {
    let text = fs::read_to_string(shipped("docs/language.md")).unwrap();
    let blocks = blocks(&text, "farcast");
    assert_eq!(blocks.len(), 7);
    let folder = Folder::new();
    let data = shipped("experiments/data").to_str().unwrap().to_owned();
    let testdata = shipped("plugins/testdata").to_str().unwrap().to_owned();
    for block in blocks {
        let block = block.replace("../experiments/data", &data);
        let block = block.replace("../plugins/testdata", &testdata);
        folder.write("block.farcast", &block);
        let said = folder.farcast(&["check", "block.farcast"]);
        assert_eq!(said.code, 0, "{block}\n{}", said.err);
    }
}

#[test]
fn the_sweeps_of_the_manual_run() {
    let text = fs::read_to_string(shipped("docs/sweeps.md")).unwrap();
    let blocks = blocks(&text, "farcast");
    let (first, rest) = blocks.split_first().unwrap();
    for form in [
        "grid", "random", "latin", "tpe", "halving", "product", "zip",
    ] {
        let start = format!("= {form}(");
        assert!(rest.iter().any(|block| block.contains(&start)), "{form}");
    }
    for word in [
        "log(",
        "normal(",
        "choice(",
        "when(",
        "best(",
        "minimise:",
        "maximise:",
    ] {
        assert!(rest.iter().any(|block| block.contains(word)), "{word}");
    }
    let folder = Folder::new();
    for block in rest {
        folder.write("block.farcast", format!("{first}{block}"));
        let said = folder.farcast(&["run", "block.farcast", "--quiet"]);
        assert_eq!(said.code, 0, "{block}\n{}", said.err);
        assert!(said.err.is_empty(), "{block}\n{}", said.err);
    }
}

#[test]
fn the_citation_names_this_version() {
    let citation = fs::read_to_string(shipped("CITATION.cff")).unwrap();
    assert!(citation.contains(&format!("\nversion: {}\n", env!("CARGO_PKG_VERSION"))));
}
