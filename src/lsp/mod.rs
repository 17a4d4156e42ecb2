//! The language server: what editors ask, over standard input and output.
//!
//! Every text is checked whole after it changed; that takes milliseconds, and nothing can get out
//! of step. `analysis` has what the checker found, `cursor` what is half written; the other files
//! answer one kind of request each.

mod analysis;
mod completion;
mod cursor;
mod diagnostics;
mod documents;
mod hover;
mod names;
mod plans;
mod position;
mod rename;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;

use dsl::ast::{File, Item, ItemKind};
use dsl::format::format;
use dsl::parse::parse;
use dsl::signature::Catalog;
use dsl::source::FileId;
use engine::outside::Disk;
use engine::plugin::Registry;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use serde_json::{Value, json};

use self::analysis::Analysis;
use self::completion::{Completions, PLACEHOLDER, signature_help};
use self::cursor::{Cursor, is_word};
use self::diagnostics::Places;
use self::documents::{Change, Documents, path_of};
use self::names::Names;
use self::plans::Plans;
use self::position::{Lines, Position, Range};
pub use self::transport::stdio;

/// What the server can do, as `initialize` answers.
fn capabilities() -> Value {
    json!({
        "capabilities": {
            "positionEncoding": "utf-16",
            "textDocumentSync": { "openClose": true, "change": 2, "save": true },
            "completionProvider": { "triggerCharacters": [".", "(", ",", ":", "\"", "/"] },
            "signatureHelpProvider": { "triggerCharacters": ["(", ",", ":"] },
            "hoverProvider": true,
            "definitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "documentFormattingProvider": true,
            "renameProvider": { "prepareProvider": true },
            "codeActionProvider": { "codeActionKinds": ["quickfix"] },
        },
        "serverInfo": { "name": "farcast", "version": env!("CARGO_PKG_VERSION") },
    })
}

/// The requests about a text.
const METHODS: [&str; 11] = [
    "completion",
    "signatureHelp",
    "formatting",
    "hover",
    "definition",
    "references",
    "documentHighlight",
    "prepareRename",
    "rename",
    "documentSymbol",
    "codeAction",
];

/// Serves one editor until it says goodbye. `program` is asked for plans.
///
/// # Errors
/// When the other side breaks the protocol, or goes away without a word.
pub fn serve(
    registry: &Registry,
    connection: &Connection,
    program: Option<PathBuf>,
) -> Result<(), String> {
    let wrong = |error: lsp_server::ProtocolError| error.to_string();
    let (id, _) = connection.initialize_start().map_err(wrong)?;
    connection
        .initialize_finish(id, capabilities())
        .map_err(wrong)?;
    let catalog = registry.catalog();
    let mut server = Server {
        catalog: &catalog,
        disk: Disk { registry },
        documents: Documents::default(),
        analyses: BTreeMap::new(),
        dirty: BTreeSet::new(),
        published: BTreeMap::new(),
        plans: Plans::by(program),
        connection,
    };
    for message in &connection.receiver {
        match message {
            Message::Request(request) => {
                if connection.handle_shutdown(&request).map_err(wrong)? {
                    return Ok(());
                }
                let response = server_answer(&mut server, request);
                server.send(Message::Response(response));
            }
            Message::Notification(notification) => server.hear(notification),
            Message::Response(_) => {}
        }
        // While more is waiting, such as the next letter that was typed, nothing is checked.
        if connection.receiver.is_empty() {
            server.publish();
        }
    }
    Ok(())
}

struct Server<'a> {
    catalog: &'a Catalog,
    disk: Disk<'a>,
    documents: Documents,
    /// By path, until the next change of any text.
    analyses: BTreeMap<String, Rc<Analysis>>,
    /// The paths whose diagnostics are out of date.
    dirty: BTreeSet<String>,
    /// The addresses with diagnostics, by the path they were found from.
    published: BTreeMap<String, BTreeSet<String>>,
    plans: Plans,
    connection: &'a Connection,
}

/// The answer to a request; one that panics is an error of that request alone.
fn server_answer(server: &mut Server<'_>, request: Request) -> Response {
    let id = request.id.clone();
    let answer = catch_unwind(AssertUnwindSafe(|| server.answer(&request)));
    match answer {
        Ok(Ok(value)) => Response::new_ok(id, value),
        Ok(Err((code, message))) => Response::new_err(id, code as i32, message),
        Err(_) => {
            let message = format!("`{}` failed: this is a bug in farcast", request.method);
            Response::new_err(id, ErrorCode::InternalError as i32, message)
        }
    }
}

type Answer = Result<Value, (ErrorCode, String)>;

impl Server<'_> {
    fn send(&self, message: Message) {
        // The other side is gone: the loop ends at its next message.
        let _ = self.connection.sender.send(message);
    }

    fn hear(&mut self, notification: Notification) {
        let params = &notification.params;
        let document = &params["textDocument"];
        let path = document["uri"].as_str().map(path_of).unwrap_or_default();
        match notification.method.as_str() {
            "textDocument/didOpen" => {
                let text = document["text"].as_str().unwrap_or_default().to_owned();
                self.plans.ask(&path);
                self.documents.open(path, text);
            }
            "textDocument/didChange" => {
                let changes = params["contentChanges"].clone();
                let changes: Vec<Change> = serde_json::from_value(changes).unwrap_or_default();
                self.documents.change(&path, changes);
            }
            "textDocument/didClose" => {
                self.documents.close(&path);
                self.dirty.remove(&path);
                self.retract(&path, &BTreeSet::new());
            }
            "textDocument/didSave" => self.plans.ask(&path),
            "workspace/didChangeWatchedFiles" => {}
            _ => return,
        }
        // Other texts may use this one, or its data.
        self.analyses.clear();
        self.dirty.extend(self.documents.paths().map(str::to_owned));
    }

    fn publish(&mut self) {
        for path in std::mem::take(&mut self.dirty) {
            let checked = catch_unwind(AssertUnwindSafe(|| self.analysis(&path)));
            let Ok(Some(analysis)) = checked else {
                continue;
            };
            let checked = &analysis.checked;
            let mut by_file = diagnostics::diagnostics(&checked.diagnostics, &checked.sources);
            // A file that is open says for itself what is wrong with it.
            let own = documents::uri_of(&path);
            by_file.retain(|uri, _| *uri == own || self.documents.get(&path_of(uri)).is_none());
            let with: BTreeSet<String> = by_file.keys().cloned().collect();
            self.retract(&path, &with);
            for (uri, diagnostics) in by_file {
                self.show(&uri, &json!(diagnostics));
            }
            self.published.insert(path, with);
        }
    }

    /// Empties the diagnostics that a path had at other addresses than these.
    fn retract(&mut self, path: &str, but: &BTreeSet<String>) {
        for uri in self.published.remove(path).unwrap_or_default() {
            if !but.contains(&uri) {
                self.show(&uri, &json!([]));
            }
        }
    }

    fn show(&self, uri: &str, diagnostics: &Value) {
        let params = json!({ "uri": uri, "diagnostics": diagnostics });
        let method = "textDocument/publishDiagnostics".to_owned();
        self.send(Message::Notification(Notification { method, params }));
    }

    fn analysis(&mut self, path: &str) -> Option<Rc<Analysis>> {
        if let Some(analysis) = self.analyses.get(path) {
            return Some(Rc::clone(analysis));
        }
        let text = self.documents.get(path)?.to_owned();
        let analysis = Rc::new(self.check(path, &text));
        self.analyses.insert(path.to_owned(), Rc::clone(&analysis));
        Some(analysis)
    }

    fn check(&self, path: &str, text: &str) -> Analysis {
        Analysis::of(path, text, &self.documents, self.catalog, self.disk)
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let params = &request.params;
        let method = request.method.strip_prefix("textDocument/");
        if !method.is_some_and(|method| METHODS.contains(&method)) {
            let message = format!("`{}` is not supported", request.method);
            return Err((ErrorCode::MethodNotFound, message));
        }
        let path = params["textDocument"]["uri"].as_str().map(path_of);
        let Some(path) = path.filter(|path| self.documents.get(path).is_some()) else {
            return Err((ErrorCode::InvalidParams, "this text is not open".to_owned()));
        };
        let text = self.documents.get(&path).unwrap_or_default().to_owned();
        let lines = Lines::new(&text);
        let position: Option<Position> = serde_json::from_value(params["position"].clone()).ok();
        let byte = position.map_or(0, |position| lines.byte(position));
        // These look at the text alone, or check another.
        match request.method.as_str() {
            "textDocument/completion" => {
                return Ok(json!(self.completions(&path, &text, byte)));
            }
            "textDocument/signatureHelp" => {
                let cursor = Cursor::at(&text, &parse(FileId(0), &text).0, byte);
                let help = cursor.frame.as_ref().and_then(|frame| {
                    let signature = self.catalog.get(&frame.callee)?;
                    Some(signature_help(signature, frame))
                });
                return Ok(help.unwrap_or(Value::Null));
            }
            "textDocument/formatting" => {
                return Ok(match format(&text) {
                    Ok(new) if new == text => json!([]),
                    Ok(new) => {
                        json!([{ "range": lines.range(0, text.len()), "newText": new }])
                    }
                    Err(_) => Value::Null,
                });
            }
            _ => {}
        }
        let Some(analysis) = self.analysis(&path) else {
            return Ok(Value::Null);
        };
        match request.method.as_str() {
            "textDocument/hover" => {
                let state = |name: &str| self.plans.of(&path, &text, name);
                let found = hover::hover(&analysis, self.catalog, &state, byte);
                Ok(found.map_or(Value::Null, |(text, place)| {
                    json!({
                        "contents": { "kind": "markdown", "value": text },
                        "range": lines.range(place.start as usize, place.end as usize),
                    })
                }))
            }
            "textDocument/definition" => Ok(self.definition(&analysis, byte)),
            "textDocument/references" => {
                let places = self.places(&analysis, byte);
                let all = places.into_iter().flat_map(|(uri, ranges)| {
                    let uri = Rc::new(uri);
                    ranges
                        .into_iter()
                        .map(move |range| json!({ "uri": *uri, "range": range }))
                });
                Ok(all.collect())
            }
            "textDocument/documentHighlight" => {
                let own = documents::uri_of(&path);
                let places = self.places(&analysis, byte).into_iter();
                let here = places.filter(|(uri, _)| *uri == own);
                let here = here.flat_map(|(_, ranges)| ranges);
                Ok(here.map(|range| json!({ "range": range })).collect())
            }
            "textDocument/prepareRename" => match Names::new(&analysis, &self.documents).at(byte) {
                None => Ok(Value::Null),
                Some(_) => Ok(json!(word(&text, &lines, byte))),
            },
            "textDocument/rename" => {
                let to = params["newName"].as_str().unwrap_or_default();
                self.rename(&analysis, byte, to)
            }
            "textDocument/documentSymbol" => {
                let tree = &analysis.trees[0];
                Ok(json!(names::outline(tree, &text)))
            }
            "textDocument/codeAction" => {
                let range: Option<Range> = serde_json::from_value(params["range"].clone()).ok();
                let Some(range) = range else {
                    return Ok(json!([]));
                };
                let bytes = (lines.byte(range.start), lines.byte(range.end));
                let checked = &analysis.checked;
                let found = &checked.diagnostics;
                Ok(json!(diagnostics::actions(found, &checked.sources, bytes)))
            }
            method => {
                let message = format!("`{method}` is not supported");
                Err((ErrorCode::MethodNotFound, message))
            }
        }
    }

    fn completions(&mut self, path: &str, text: &str, byte: usize) -> Vec<Value> {
        let tree = parse(FileId(0), text).0;
        let cursor = Cursor::at(text, &tree, byte);
        let item = tree
            .items
            .iter()
            .find(|item| item.span.start as usize == cursor.item);
        let end = item.map_or(byte, |item| (item.span.end as usize).max(byte));
        let near = needed(&tree, text, cursor.item..end);
        let completed = format!(
            "{}{}\n{}",
            &near[..cursor.item],
            cursor.completed(PLACEHOLDER),
            &near[end..]
        );
        let analysis = self.check(path, &completed);
        let mut found = Completions::of(self.catalog, &analysis, &tree, &cursor);
        if let Some(written) = &cursor.quoted {
            // The name of a file is more than the word that editors replace.
            let start = cursor.word - written.rsplit('/').next().map_or(0, str::len);
            let range = Lines::new(text).range(start, byte);
            for item in &mut found {
                let edit = json!({ "range": range, "newText": item["insertText"] });
                item["textEdit"] = edit;
            }
        }
        found
    }

    fn definition(&mut self, analysis: &Analysis, byte: usize) -> Value {
        let mut names = Names::new(analysis, &self.documents);
        if let Some(declared) = names.at(byte) {
            let places = BTreeMap::from([(declared.path, BTreeSet::from([declared.place]))]);
            let mut ranges = names.ranges(&places).into_iter();
            return ranges.next().map_or(
                Value::Null,
                |(uri, ranges)| json!({ "uri": uri, "range": ranges[0] }),
            );
        }
        let sources = &analysis.checked.sources;
        match analysis.name_at(byte) {
            Some((_, _, said)) => Places::new(sources).location(said),
            None => Value::Null,
        }
    }

    fn places(&mut self, analysis: &Analysis, byte: usize) -> Vec<(String, Vec<Value>)> {
        let mut names = Names::new(analysis, &self.documents);
        let Some(target) = names.at(byte) else {
            return Vec::new();
        };
        let places = names.places(&target);
        names.ranges(&places)
    }
}

/// The text with blanks for the statements that a part of it does not lead to: what is known at
/// a place does not depend on them, and the rest is checked in a fraction of the time.
fn needed(tree: &File, text: &str, part: std::ops::Range<usize>) -> String {
    let words = |part: &str| -> Vec<String> {
        let words = part.split(|c: char| !is_word(c));
        words
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let place = |item: &Item| item.span.start as usize..item.span.end as usize;
    let named: BTreeMap<&str, &Item> = { tree.items.iter() }
        .filter_map(|item| Some((names::declared(item)?.text.as_str(), item)))
        .collect();
    let mut left = words(&text[part]);
    let mut kept = BTreeSet::new();
    while let Some(word) = left.pop() {
        if let Some(item) = named.get(word.as_str())
            && kept.insert(item.span.start)
        {
            left.extend(words(&text[place(item)]));
        }
    }
    let mut bytes = text.as_bytes().to_vec();
    for item in &tree.items {
        let is_statement = matches!(
            item.kind,
            ItemKind::Statement { .. } | ItemKind::Define { .. } | ItemKind::Broken { .. }
        );
        if is_statement && !kept.contains(&item.span.start) {
            let blank = bytes[place(item)].iter_mut().filter(|byte| **byte != b'\n');
            blank.for_each(|byte| *byte = b' ');
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The word around a byte.
fn word(text: &str, lines: &Lines, byte: usize) -> Range {
    let start = text[..byte].trim_end_matches(is_word).len();
    let end = text.len() - text[byte..].trim_start_matches(is_word).len();
    lines.range(start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator of numbers, so that a failure can be repeated.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (self.0 >> 33) as usize % end.max(1)
        }
    }

    /// The text as editors see it: UTF-16 units, lines ended by `\n`.
    fn place(units: &[u16], at: usize) -> Position {
        let before = &units[..at];
        let line = before.iter().filter(|unit| **unit == 10).count();
        let start = before
            .iter()
            .rposition(|unit| *unit == 10)
            .map_or(0, |at| at + 1);
        Position {
            line: line as u32,
            character: (at - start) as u32,
        }
    }

    #[test]
    fn ten_thousand_random_edits_neither_panic_nor_get_out_of_step() {
        let registry = plugins::registry();
        let (connection, other) = Connection::memory();
        let catalog = registry.catalog();
        let mut server = Server {
            catalog: &catalog,
            disk: Disk {
                registry: &registry,
            },
            documents: Documents::default(),
            analyses: BTreeMap::new(),
            dirty: BTreeSet::new(),
            published: BTreeMap::new(),
            plans: Plans::default(),
            connection: &connection,
        };
        let start = include_str!("../../experiments/smoke/starter.farcast");
        let uri = "file:///none/starter.farcast";
        let open = json!({ "textDocument": { "uri": uri, "text": start } });
        server.hear(Notification {
            method: "textDocument/didOpen".to_owned(),
            params: open,
        });
        let pieces = [
            "(",
            ")",
            "\"",
            "[",
            "😀",
            "e\u{301}",
            "\n",
            " x",
            "data q = ",
            "# ",
            ", by: z",
            ".",
            "1 km",
        ];
        let methods = [
            "hover",
            "completion",
            "signatureHelp",
            "definition",
            "references",
            "rename",
            "documentSymbol",
            "formatting",
        ];
        let mut units: Vec<u16> = start.encode_utf16().collect();
        let mut numbers = Numbers(7);
        for step in 0..10_000 {
            let (mut from, mut to) = (numbers.below(units.len() + 1), 0);
            to += (from + numbers.below(12)).min(units.len());
            // Editors do not cut a character in two.
            let inside = |units: &[u16], at: usize| {
                at > 0 && at < units.len() && (0xDC00..0xE000).contains(&units[at])
            };
            from -= usize::from(inside(&units, from));
            to += usize::from(inside(&units, to));
            let text = match units.len() > 3000 {
                true => "",
                false => pieces[numbers.below(pieces.len())],
            };
            let range = json!({ "start": place(&units, from), "end": place(&units, to) });
            units.splice(from..to, text.encode_utf16());
            let change = json!([{ "range": range, "text": text }]);
            server.hear(Notification {
                method: "textDocument/didChange".to_owned(),
                params: json!({ "textDocument": { "uri": uri }, "contentChanges": change }),
            });
            if step % 20 == 0 {
                let now = String::from_utf16(&units).unwrap();
                assert_eq!(server.documents.get("/none/starter.farcast"), Some(&*now));
                server.publish();
                let method = methods[numbers.below(methods.len())];
                let position = place(&units, numbers.below(units.len() + 1));
                let request = Request {
                    id: step.into(),
                    method: format!("textDocument/{method}"),
                    params: json!({
                        "textDocument": { "uri": uri }, "position": position, "newName": "other",
                    }),
                };
                let response = server_answer(&mut server, request);
                let error = response.response_result.err().map(|error| error.code);
                assert_ne!(
                    error,
                    Some(ErrorCode::InternalError as i32),
                    "{method}:\n{now}"
                );
            }
        }
        assert!(other.receiver.len() >= 500);
    }
}
