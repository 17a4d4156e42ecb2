//! `farcast check`: finds every mistake before anything runs.

use dsl::diagnostic::Severity;
use dsl::render::json;
use serde_json::json;

use crate::args::Check;
use crate::exit::{Abort, Exit};
use crate::session::{checked, with_profile};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Check, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let registry = plugins::registry();
    let set = with_profile(&settings.params, &args.settings);
    let mut found = Vec::new();
    let (mut errors, mut warnings) = (0, 0);
    for file in &args.files {
        let checked = match checked(file, &set, &registry, terminal) {
            Ok(checked) => checked,
            Err(_) => {
                errors += 1;
                found.push(json!({
                    "code": "unreadable-file", "severity": "error",
                    "message": format!("`{}` cannot be read", file.display()),
                    "file": file, "line": 1, "column": 1, "end_line": 1, "end_column": 1,
                    "hints": [], "fixes": [],
                }));
                continue;
            }
        };
        for diagnostic in &checked.diagnostics {
            match diagnostic.severity {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
            }
            found.push(json!(json(diagnostic, &checked.sources)));
        }
        if !args.json {
            terminal.diagnostics(&checked.diagnostics, &checked.sources);
        }
    }
    if args.json {
        terminal.answer(json!({ "ok": errors == 0, "diagnostics": found }));
    } else if errors + warnings == 0 {
        terminal.say(match args.files.len() {
            1 => "no mistakes found".to_owned(),
            files => format!("no mistakes found in {files} files"),
        });
    } else {
        terminal.say(format!(
            "{}, {}",
            count(errors, "error"),
            count(warnings, "warning")
        ));
    }
    Ok(if errors == 0 {
        Exit::Fine
    } else {
        Exit::Failed
    })
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
