//! Diagnostics and their fixes, as the protocol has them.

use std::collections::BTreeMap;

use dsl::diagnostic::{Diagnostic, Severity};
use dsl::source::{FileId, Sources, Span};
use serde_json::{Value, json};

use super::documents::uri_of;
use super::position::{Lines, Range};

/// Where the codes are explained.
const PAGE: &str = "https://github.com/farcast/farcast/blob/main/docs/diagnostics.md";

/// The diagnostics of every file that was read, by address; empty for a file without any.
pub fn diagnostics(found: &[Diagnostic], sources: &Sources) -> BTreeMap<String, Vec<Value>> {
    let files = sources
        .iter()
        .map(|(_, source)| (uri_of(&source.path), Vec::new()));
    let mut by_file: BTreeMap<String, Vec<Value>> = files.collect();
    for diagnostic in found {
        let span = place(diagnostic);
        let uri = uri_of(&sources.get(span.file).path);
        by_file
            .entry(uri)
            .or_default()
            .push(one(diagnostic, sources));
    }
    by_file
}

/// One diagnostic. Hints follow the message; other labels are related places.
pub fn one(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let code = diagnostic.code.as_str();
    let mut message = diagnostic.message.clone();
    for hint in &diagnostic.hints {
        message += &format!("\nhelp: {hint}");
    }
    let related = diagnostic
        .labels
        .iter()
        .skip(1)
        .filter(|label| known(label.span, sources));
    let related = related.map(|label| {
        let text = if label.text.is_empty() {
            "here"
        } else {
            &label.text
        };
        json!({ "location": location(label.span, sources), "message": text })
    });
    json!({
        "range": range(place(diagnostic), sources),
        "severity": match diagnostic.severity { Severity::Error => 1, Severity::Warning => 2 },
        "code": code,
        "codeDescription": { "href": format!("{PAGE}#{code}") },
        "source": "farcast",
        "message": message,
        "relatedInformation": related.collect::<Vec<_>>(),
    })
}

/// The fixes of the diagnostics that touch a range of bytes of the main file.
pub fn actions(
    found: &[Diagnostic],
    sources: &Sources,
    (start, end): (usize, usize),
) -> Vec<Value> {
    let mut actions = Vec::new();
    for diagnostic in found {
        let span = place(diagnostic);
        let touches =
            span.file == FileId(0) && span.start as usize <= end && start <= span.end as usize;
        if !touches {
            continue;
        }
        for fix in diagnostic
            .fixes
            .iter()
            .filter(|fix| known(fix.span, sources))
        {
            let source = sources.get(fix.span.file);
            let title = match (source.slice(fix.span), fix.text.as_str()) {
                ("", text) => format!("insert `{text}`"),
                (text, "") => format!("remove `{text}`"),
                (before, after) => format!("replace `{before}` by `{after}`"),
            };
            let edit = json!({ "range": range(fix.span, sources), "newText": fix.text });
            actions.push(json!({
                "title": title, "kind": "quickfix",
                "diagnostics": [one(diagnostic, sources)],
                "isPreferred": diagnostic.fixes.len() == 1,
                "edit": { "changes": { uri_of(&source.path): [edit] } },
            }));
        }
    }
    actions
}

pub fn range(span: Span, sources: &Sources) -> Range {
    let lines = Lines::new(&sources.get(span.file).text);
    lines.range(span.start as usize, span.end as usize)
}

pub fn location(span: Span, sources: &Sources) -> Value {
    let uri = uri_of(&sources.get(span.file).path);
    json!({ "uri": uri, "range": range(span, sources) })
}

fn place(diagnostic: &Diagnostic) -> Span {
    diagnostic
        .labels
        .first()
        .map_or_else(Span::default, |label| label.span)
}

/// Whether a span is in one of the files.
fn known(span: Span, sources: &Sources) -> bool {
    sources.iter().any(|(id, _)| id == span.file)
}
