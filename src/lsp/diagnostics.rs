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
    let places = Places::new(sources);
    for diagnostic in found {
        let uri = places.uri(place(diagnostic));
        let found = by_file.entry(uri).or_default();
        found.push(one(diagnostic, &places));
    }
    by_file
}

/// One diagnostic. Hints follow the message; other labels are related places.
fn one(diagnostic: &Diagnostic, places: &Places) -> Value {
    let code = diagnostic.code.as_str();
    let mut message = diagnostic.message.clone();
    for hint in &diagnostic.hints {
        message += &format!("\nhelp: {hint}");
    }
    let related = diagnostic.labels.iter().skip(1);
    let related = related.filter(|label| places.has(label.span));
    let related = related.map(|label| {
        let text = if label.text.is_empty() {
            "here"
        } else {
            &label.text
        };
        json!({ "location": places.location(label.span), "message": text })
    });
    json!({
        "range": places.range(place(diagnostic)),
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
    let places = Places::new(sources);
    let mut actions = Vec::new();
    for diagnostic in found {
        let span = place(diagnostic);
        let touches =
            span.file == FileId(0) && span.start as usize <= end && start <= span.end as usize;
        if !touches {
            continue;
        }
        for fix in diagnostic.fixes.iter().filter(|fix| places.has(fix.span)) {
            let title = match (
                sources.get(fix.span.file).slice(fix.span),
                fix.text.as_str(),
            ) {
                ("", text) => format!("insert `{text}`"),
                (text, "") => format!("remove `{text}`"),
                (before, after) => format!("replace `{before}` by `{after}`"),
            };
            let edit = json!({ "range": places.range(fix.span), "newText": fix.text });
            actions.push(json!({
                "title": title, "kind": "quickfix",
                "diagnostics": [one(diagnostic, &places)],
                "isPreferred": diagnostic.fixes.len() == 1,
                "edit": { "changes": { places.uri(fix.span): [edit] } },
            }));
        }
    }
    actions
}

/// Places in all files that were read.
pub struct Places<'a> {
    sources: &'a Sources,
    lines: Vec<Lines<'a>>,
}

impl<'a> Places<'a> {
    pub fn new(sources: &'a Sources) -> Self {
        let lines = sources.iter().map(|(_, source)| Lines::new(&source.text));
        Self {
            sources,
            lines: lines.collect(),
        }
    }

    pub fn location(&self, span: Span) -> Value {
        json!({ "uri": self.uri(span), "range": self.range(span) })
    }

    fn uri(&self, span: Span) -> String {
        uri_of(&self.sources.get(span.file).path)
    }

    fn range(&self, span: Span) -> Range {
        self.lines[span.file.0 as usize].range(span.start as usize, span.end as usize)
    }

    /// Whether a span is in one of the files.
    fn has(&self, span: Span) -> bool {
        (span.file.0 as usize) < self.lines.len()
    }
}

fn place(diagnostic: &Diagnostic) -> Span {
    diagnostic
        .labels
        .first()
        .map_or_else(Span::default, |label| label.span)
}
