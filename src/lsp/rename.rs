//! Another name for a param, a definition, a statement or a used file, wherever it is written.

use dsl::check::Meaning;
use dsl::diagnostic::Severity;
use dsl::name::RESERVED;
use dsl::types::Kind;
use lsp_server::ErrorCode;
use serde_json::{Value, json};

use super::analysis::Analysis;
use super::cursor::is_word;
use super::names::Names;
use super::{Answer, Server};

/// Words that begin an item.
const ITEMS: [&str; 7] = [
    "experiment",
    "use",
    "param",
    "define",
    "plugin",
    "seed",
    "sweep",
];

impl Server<'_> {
    /// The edits that give what is at a byte the name `to`; refused where that would be no name,
    /// or would mean something else somewhere.
    pub(super) fn rename(&mut self, analysis: &Analysis, byte: usize, to: &str) -> Answer {
        let refuse = |message: String| Err((ErrorCode::InvalidParams, message));
        let starts = to.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || !to.chars().all(|c| is_word(c) && c.is_ascii()) {
            return refuse("expected a name: letters, digits and `_`".to_owned());
        }
        if RESERVED.contains(&to) || ITEMS.contains(&to) || Kind::from_keyword(to).is_some() {
            return refuse(format!("`{to}` is a word of the language"));
        }
        let mut names = Names::new(analysis, &self.documents);
        let Some(target) = names.at(byte) else {
            let only = "only params, definitions, statements and used files are renamed";
            return refuse(only.to_owned());
        };
        if target.name == to {
            return Ok(json!({ "changes": {} }));
        }
        if names.declares(&target.path, to) {
            return refuse(format!("`{to}` is declared already"));
        }
        let places = names.places(&target);
        let ranges = names.ranges(&places);
        let mut renamed = self.documents.clone();
        for (path, places) in &places {
            let Some(mut text) = names.text(path) else {
                continue;
            };
            for (start, end) in places.iter().rev() {
                text.replace_range(*start..*end, to);
            }
            renamed.open(path.clone(), text);
        }
        let main = analysis.main().path.clone();
        let text = renamed.get(&main).unwrap_or(&analysis.main().text);
        let after = Analysis::meant(&main, text, &renamed, self.catalog, self.disk);
        if let Some(why) = changed(analysis, &after) {
            return refuse(format!("with the name `{to}`, {why}"));
        }
        let edits = ranges.into_iter().map(|(uri, ranges)| {
            let edit = |range| json!({ "range": range, "newText": to });
            (uri, Value::Array(ranges.into_iter().map(edit).collect()))
        });
        Ok(json!({ "changes": edits.collect::<serde_json::Map<_, _>>() }))
    }
}

/// What a text means otherwise after a name has changed.
fn changed(before: &Analysis, after: &Analysis) -> Option<String> {
    let errors = |analysis: &Analysis| -> Vec<String> {
        let found = analysis.checked.diagnostics.iter();
        let errors = found.filter(|it| it.severity == Severity::Error);
        errors.map(|it| it.message.clone()).collect()
    };
    let (old, new) = (errors(before), errors(after));
    if new.len() > old.len() {
        return new.into_iter().find(|message| !old.contains(message));
    }
    let meanings = |analysis: &Analysis| -> Vec<Meaning> { analysis.meanings().collect() };
    let is_same = meanings(before) == meanings(after);
    (!is_same).then(|| "another word would mean something else".to_owned())
}

impl Names<'_> {
    /// Whether a file declares a name.
    fn declares(&mut self, path: &str, name: &str) -> bool {
        let parsed = self.file(path);
        parsed.is_some_and(|parsed| parsed.declared.contains_key(name))
    }

    /// The text of a file.
    fn text(&mut self, path: &str) -> Option<String> {
        self.file(path).map(|parsed| parsed.text.to_string())
    }
}
