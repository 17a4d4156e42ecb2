//! Runs every case of `tests/suite`: texts with what the checker must say written inside.
//!
//! `#!` lines direct a case. `#! set name=value`, `#! score SWEEP POINT VALUE` (`none` for a
//! point that ended without one), `#! spread SWEEP POINT ERROR` (its standard error) and `#! nodes` (list what was meant, too) stand anywhere; `#! file PATH` starts another file of the case. What is expected stands at
//! the end of the first file: `#! error CODE PLACE "message"`, `#! label …`, `#! hint …`,
//! `#! fix …`, `#! node …`. `BLESS=1` writes what is said now; read it before committing it.

mod catalog;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use dsl::check::{Checked, check_with};
use dsl::diagnostic::{Code, Diagnostic};
use dsl::source::{FileId, Sources, Span};
use dsl::sweep::Choices;

const MAIN: &str = "case/main.farcast";

struct Case {
    path: PathBuf,
    /// The first file without its expectations.
    text: String,
    expected: Vec<String>,
    rest: String,
    files: BTreeMap<String, String>,
    settings: Vec<(String, String)>,
    choices: Choices,
    nodes: bool,
}

#[test]
fn every_case_says_what_it_should() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut failures = Vec::new();
    for case in cases() {
        let found = say(&run(&case), case.nodes);
        if found == case.expected {
            continue;
        }
        if bless {
            let mut text = case.text.clone();
            found.iter().for_each(|line| text += &format!("{line}\n"));
            fs::write(&case.path, text + &case.rest).unwrap();
        } else {
            failures.push(format!(
                "{}\nexpected:\n{}\nfound:\n{}\n",
                case.path.display(),
                case.expected.join("\n"),
                found.join("\n")
            ));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let said: BTreeSet<Code> = cases()
        .iter()
        .flat_map(|case| run(case).diagnostics)
        .map(|diagnostic| diagnostic.code)
        .collect();
    let silent: Vec<&Code> = Code::ALL
        .iter()
        .filter(|code| {
            !matches!(code, Code::ActionFailed | Code::Untrusted) && !said.contains(code)
        })
        .collect();
    assert!(silent.is_empty(), "no case in tests/suite for {silent:?}");
}

#[test]
fn every_diagnostic_is_one_quiet_line() {
    for case in cases() {
        for diagnostic in run(&case).diagnostics {
            let lines = diagnostic.hints.iter().chain([&diagnostic.message]);
            for line in lines {
                let sound = !line.contains('\n')
                    && !line.ends_with('.')
                    && !line.starts_with(char::is_uppercase);
                assert!(sound, "{}: {line}", case.path.display());
            }
        }
    }
}

/// Every fix by itself, in the main file and in those it uses.
#[test]
fn every_fix_does_away_with_its_diagnostic() {
    let mut fixes = 0;
    for case in cases() {
        let before = run(&case);
        let of = |checked: &Checked, diagnostic: &Diagnostic| {
            let all = checked.diagnostics.iter();
            all.filter(|other| {
                (other.code, &other.message) == (diagnostic.code, &diagnostic.message)
            })
            .count()
        };
        for diagnostic in &before.diagnostics {
            for fix in &diagnostic.fixes {
                let range = fix.span.start as usize..fix.span.end as usize;
                let mut fixed = read(case.path.clone());
                let path = &before.sources.get(fix.span.file).path;
                let text = match fix.span.file {
                    FileId(0) => &mut fixed.text,
                    _ => fixed.files.get_mut(path).unwrap(),
                };
                text.replace_range(range, &fix.text);
                let after = run(&fixed);
                let (was, is) = (of(&before, diagnostic), of(&after, diagnostic));
                assert!(is < was, "{}: {diagnostic:?}", case.path.display());
                fixes += 1;
            }
        }
    }
    assert!(fixes > 0);
}

fn run(case: &Case) -> Checked {
    let outside = catalog::Table(case.files.clone());
    check_with(
        MAIN,
        &case.text,
        &case.settings,
        &case.choices,
        &catalog::catalog(),
        &outside,
    )
}

fn say(checked: &Checked, nodes: bool) -> Vec<String> {
    let mut lines: Vec<String> = checked
        .diagnostics
        .iter()
        .flat_map(|diagnostic| say_diagnostic(diagnostic, &checked.sources))
        .collect();
    let experiment = checked.experiment.iter().filter(|_| nodes);
    for waiting in experiment.clone().flat_map(|e| &e.waiting) {
        let sweeps = waiting.sweeps.join(", ");
        lines.push(format!("#! waits {} for {sweeps}", waiting.statement));
    }
    for sweep in experiment.flat_map(|e| &e.sweeps) {
        let points: Vec<&str> = sweep.trials.iter().map(|t| t.point.as_str()).collect();
        let (points, name) = (points.join(" "), &sweep.name);
        let (to_come, best) = (sweep.to_come, sweep.best);
        lines.push(format!(
            "#! sweep {name} {points} to come {to_come} best {best:?}"
        ));
    }
    for node in checked
        .experiment
        .iter()
        .flat_map(|e| &e.nodes)
        .filter(|_| nodes)
    {
        let args: Vec<String> = node
            .args
            .iter()
            .map(|(name, argument)| format!("{name}: {}", argument.value))
            .collect();
        let mut line = format!(
            "#! node {} = {}({})",
            node.name,
            node.plugin,
            args.join(", ")
        );
        if node.seed != 0 {
            line += &format!(" seed {}", node.seed);
        }
        if let Some(members) = node.members {
            line += &format!(" members {members}");
        }
        if !node.point.is_empty() {
            line += &format!(" at {}", node.point);
        }
        lines.push(line);
    }
    lines
}

fn say_diagnostic(diagnostic: &Diagnostic, sources: &Sources) -> Vec<String> {
    let mut labels = diagnostic.labels.iter();
    let first = labels.next();
    let place = first.map_or("-".to_owned(), |label| place(label.span, sources));
    let mut lines = vec![format!(
        "#! {} {} {place} {:?}",
        diagnostic.severity.as_str(),
        diagnostic.code.as_str(),
        diagnostic.message
    )];
    if let Some(label) = first.filter(|label| !label.text.is_empty()) {
        lines.push(format!("#! label {place} {:?}", label.text));
    }
    lines.extend(labels.map(|label| {
        format!(
            "#! label {} {:?}",
            self::place(label.span, sources),
            label.text
        )
    }));
    lines.extend(
        diagnostic
            .hints
            .iter()
            .map(|hint| format!("#! hint {hint:?}")),
    );
    lines.extend(diagnostic.fixes.iter().map(|fix| {
        let place = self::place(fix.span, sources);
        format!("#! fix {place} {:?}", fix.text)
    }));
    lines
}

fn place(span: Span, sources: &Sources) -> String {
    let source = sources.get(span.file);
    let (start, end) = (source.position(span.start), source.position(span.end));
    match span.file {
        FileId(0) => format!("{start}-{end}"),
        _ => format!("{}:{start}-{end}", source.path),
    }
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/suite");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    assert!(!paths.is_empty());
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|ext| ext == "farcast") {
            paths.push(path);
        }
    }
}

fn read(path: PathBuf) -> Case {
    let whole = fs::read_to_string(&path).unwrap();
    let cut = whole.find("#! file ").unwrap_or(whole.len());
    let (main, rest) = whole.split_at(cut);
    let said = |line: &&str| {
        [
            "error", "warning", "label", "hint", "fix ", "node ", "waits ", "sweep ",
        ]
        .iter()
        .any(|word| line.starts_with(&format!("#! {word}")))
    };
    let (expected, kept): (Vec<&str>, Vec<&str>) = main.lines().partition(said);
    let directives = |name: &str| -> Vec<String> {
        let start = format!("#! {name}");
        let found = kept.iter().filter_map(|line| line.strip_prefix(&start));
        found.map(|line| line.trim().to_owned()).collect()
    };
    let settings = directives("set ")
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut choices = Choices::default();
    for line in directives("score ") {
        let (sweep, rest) = line.split_once(' ').unwrap();
        let (point, score) = rest.rsplit_once(' ').unwrap();
        choices.note(sweep, point, score.parse().ok());
    }
    for line in directives("spread ") {
        let (sweep, rest) = line.split_once(' ').unwrap();
        let (point, error) = rest.rsplit_once(' ').unwrap();
        choices.note_error(sweep, point, error.parse().unwrap());
    }
    let mut files = BTreeMap::new();
    for section in rest.split("#! file ").skip(1) {
        let (name, text) = section.split_once('\n').unwrap_or((section, ""));
        files.insert(format!("case/{name}"), text.to_owned());
    }
    Case {
        settings,
        choices,
        nodes: !directives("nodes").is_empty(),
        text: kept.iter().map(|line| format!("{line}\n")).collect(),
        expected: expected.iter().map(|line| (*line).to_owned()).collect(),
        rest: rest.to_owned(),
        files,
        path,
    }
}
