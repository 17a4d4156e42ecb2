//! What plugins say of calls before anything runs: `calls.txt` has calls, each followed by what
//! `check` says of them. `BLESS=1` writes what is said now; read it before committing it.

use std::fs;
use std::path::{Path, PathBuf};

use dsl::check::check;
use dsl::diagnostic::{Code, Diagnostic};
use engine::outside::Disk;

/// The statements that all calls may refer to.
const STATEMENTS: &str = include_str!("statements.farcast");

#[test]
fn every_call_is_answered_before_it_runs() {
    let path = path();
    let found: Vec<String> = fs::read_to_string(&path)
        .unwrap()
        .split("\n\n")
        .map(answered)
        .collect();
    let found = found.join("\n\n") + "\n";
    match std::env::var_os("BLESS") {
        Some(_) => fs::write(path, found).unwrap(),
        None => assert_eq!(fs::read_to_string(path).unwrap(), found),
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls/calls.txt")
}

/// A case with what is said now.
fn answered(case: &str) -> String {
    let lines = case.lines().filter(|line| !line.starts_with("#!"));
    let calls = lines.collect::<Vec<_>>().join("\n");
    let text = format!("{STATEMENTS}{calls}\n");
    let registry = plugins::registry();
    let outside = Disk {
        registry: &registry,
    };
    let checked = check("calls.farcast", &text, &[], &registry.catalog(), &outside);
    let answers = checked.diagnostics.iter();
    let answers = answers.filter(|it| it.code != Code::UnusedStatement);
    let answers: String = answers.map(|it| format!("\n{}", line(it, &text))).collect();
    match answers.is_empty() {
        true => format!("{calls}\n#! fine"),
        false => calls + &answers,
    }
}

/// A diagnostic with the text that it points at.
fn line(diagnostic: &Diagnostic, text: &str) -> String {
    let span = diagnostic.labels.first().map(|label| label.span);
    let place = span.map_or("", |span| &text[span.start as usize..span.end as usize]);
    let (severity, message) = (diagnostic.severity.as_str(), &diagnostic.message);
    let hints: String = diagnostic
        .hints
        .iter()
        .map(|it| format!("; {it}"))
        .collect();
    format!("#! {severity} at `{place}`: {message}{hints}")
}
