//! `farcast explain` and the page behind it: every code, every example.

use std::fs;

use dsl::diagnostic::Code;

use crate::farcast::{Folder, shipped};

/// The codes of the page with the examples of each: the mistake, and how it is mended.
fn sections(page: &str) -> Vec<(String, Vec<String>)> {
    let examples = |section: &str| -> Vec<String> {
        let parts = section.split("```");
        let code = parts.filter_map(|part| part.strip_prefix("farcast\n"));
        code.map(str::to_owned).collect()
    };
    let sections = page.split("\n## `").skip(1);
    sections
        .filter_map(|section| Some((section.split_once('`')?.0.to_owned(), examples(section))))
        .collect()
}

/// The errors, and all codes, that `check` finds in a text; `# farcast check FILE ARGUMENTS` in
/// its first line adds arguments.
fn found(text: &str) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new();
    folder.write("main.farcast", text);
    let first = text.lines().next().unwrap_or_default();
    let more = first.strip_prefix("# farcast check main.farcast ");
    let mut args = vec!["check", "main.farcast", "--json"];
    args.extend(more.unwrap_or_default().split_whitespace());
    let said = folder.farcast(&args);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let all = answer["diagnostics"].as_array().unwrap().iter();
    let code = |d: &serde_json::Value| d["code"].as_str().unwrap().to_owned();
    let errors = all.clone().filter(|d| d["severity"] == "error").map(code);
    (errors.collect(), all.map(code).collect())
}

#[test]
fn every_code_is_explained_by_an_example_and_its_mend() {
    let page = fs::read_to_string(shipped("docs/diagnostics.md")).unwrap();
    let sections = sections(&page);
    let explained: Vec<&str> = sections.iter().map(|(code, _)| code.as_str()).collect();
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(explained, known);
    for (code, examples) in &sections {
        let [wrong, mended] = &examples[..] else {
            assert!(
                examples.is_empty(),
                "{code}: expected two examples, or none"
            );
            continue;
        };
        let (errors, all) = found(wrong);
        assert!(all.contains(code), "{code}: {all:?}");
        assert!(
            errors.iter().all(|error| error == code),
            "{code}: {errors:?}"
        );
        let (errors, all) = found(mended);
        assert!(errors.is_empty() && !all.contains(code), "{code}: {all:?}");
    }
}

#[test]
fn a_code_is_explained_as_it_is_copied_from_a_message() {
    let folder = Folder::new();
    let plain = folder.farcast(&["explain", "unknown-column"]);
    let copied = folder.farcast(&["explain", "error[unknown-column]:"]);
    assert_eq!((plain.code, &plain.out), (0, &copied.out));
    assert!(
        plain
            .out
            .starts_with("unknown-column\n\nThe data have no column")
    );
    let wrong = folder.farcast(&["explain", "unknown-colum"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("did you mean `unknown-column`?"));
    let list = folder.farcast(&["explain"]);
    let lines = list.out.lines().take_while(|line| !line.is_empty());
    assert_eq!(lines.count(), Code::ALL.len());
}
