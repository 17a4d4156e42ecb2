//! The language server as an editor uses it, over standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::farcast::Folder;

/// An editor.
struct Editor {
    server: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    next: u64,
    heard: Vec<Value>,
}

impl Editor {
    fn new() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_farcast"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut editor = Self {
            to: server.stdin.take(),
            from: BufReader::new(server.stdout.take().unwrap()),
            server,
            next: 0,
            heard: Vec::new(),
        };
        let answer = editor.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16");
        editor.say("initialized", json!({}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let to = self.to.as_mut().unwrap();
        write!(to, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        to.flush().unwrap();
    }

    fn say(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.from.read_line(&mut line).unwrap();
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(text) => length = text.parse().unwrap(),
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn reply(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let message = self.read();
            if message["id"] == id {
                return message;
            }
            self.heard.push(message);
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let reply = self.reply(method, params);
        assert!(reply["error"].is_null(), "{method}: {reply}");
        reply["result"].clone()
    }

    /// The next diagnostics of an address.
    fn diagnostics(&mut self, uri: &str) -> Vec<Value> {
        loop {
            let mut heard = self.heard.iter();
            let at = heard.position(|message| message["params"]["uri"] == uri);
            if let Some(at) = at {
                let message = self.heard.remove(at);
                return message["params"]["diagnostics"].as_array().unwrap().clone();
            }
            let message = self.read();
            self.heard.push(message);
        }
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "farcast", "version": 1, "text": text });
        self.say("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// The labels of the completions at `|`.
    fn completions(&mut self, uri: &str, marked: &str) -> Vec<String> {
        let (text, position) = marked_place(marked);
        let change = json!([{ "text": text }]);
        let document = json!({ "uri": uri, "version": 2 });
        self.say(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": change }),
        );
        let params = json!({ "textDocument": { "uri": uri }, "position": position });
        let items = self.ask("textDocument/completion", params);
        let items = items.as_array().unwrap().iter();
        let mut items: Vec<(String, String)> = items
            .map(|item| {
                let text = |name: &str| item[name].as_str().unwrap().to_owned();
                (text("sortText"), text("label"))
            })
            .collect();
        items.sort();
        items.into_iter().map(|(_, label)| label).collect()
    }

    fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.say("exit", Value::Null);
        self.to = None;
        assert!(self.server.wait().unwrap().success());
    }
}

/// The text without its mark, and the place of the mark.
fn marked_place(marked: &str) -> (String, Value) {
    let (before, after) = marked.split_once('|').unwrap();
    let line = before.matches('\n').count();
    let last = before.rsplit('\n').next().unwrap();
    let character = last.encode_utf16().count();
    let position = json!({ "line": line, "character": character });
    (format!("{before}{after}"), position)
}

const TEXT: &str = "\
# How far to train.
param length: Int = 4 in 1..=9
data all = synthetic(regime, rows: 400)
data seen = where(all, z <= 0.6)
parent net = mlp(seen, inputs: [x], target: y, epochs: length)
score s = compare(net, on: all)
sweep t = grid(length: [1, 2])
";

fn at(text: &str, what: &str) -> Value {
    let before = text.find(what).unwrap();
    let marked = format!("{}|{}", &text[..=before], &text[before + 1..]);
    marked_place(&marked).1
}

#[test]
fn an_editor_is_shown_mistakes_and_what_things_are() {
    let folder = Folder::new();
    let uri = format!("file://{}/a.farcast", folder.real_path());
    let mut editor = Editor::new();
    // The mistake is behind an emoji, which counts as two.
    let wrong = TEXT.replace("z <= 0.6)", "zz <= 0.6) # 😀");
    let wrong = wrong.replace("epochs: length", "epochs: lenght");
    editor.open(&uri, &wrong);
    let found = editor.diagnostics(&uri);
    let codes: Vec<&str> = found.iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["unknown-column", "unknown-name"]);
    assert_eq!(
        found[0]["range"],
        json!({ "start": { "line": 3, "character": 23 }, "end": { "line": 3, "character": 25 } })
    );
    let range = found[0]["range"].clone();
    let document = json!({ "uri": uri });
    let change = json!([{ "range": range, "text": "z" }]);
    editor.say(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": change }),
    );
    let found = editor.diagnostics(&uri);
    assert_eq!(
        found[0]["message"].as_str().unwrap().lines().next(),
        Some("unknown name `lenght`")
    );
    let params = json!({
        "textDocument": document, "range": found[0]["range"], "context": { "diagnostics": [] },
    });
    let actions = editor.ask("textDocument/codeAction", params);
    assert_eq!(actions[0]["title"], "replace `lenght` by `length`");
    let change = json!([{ "text": TEXT }]);
    editor.say(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": uri, "version": 3 }, "contentChanges": change }),
    );
    assert_eq!(editor.diagnostics(&uri), [] as [Value; 0]);
    let mut hover = |what: &str| {
        let params = json!({ "textDocument": { "uri": uri }, "position": at(TEXT, what) });
        let hover = editor.ask("textDocument/hover", params);
        hover["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let param = hover("length)");
    assert!(
        param.contains("param length: Int = 4 in 1..=9") && param.contains("How far to train.")
    );
    let data = hover("seen,");
    assert!(
        data.contains("data seen = where(all, z <= 0.6)")
            && data.contains("columns: `x`, `z`, `y`"),
        "{data}"
    );
    assert!(hover("epochs").contains("Int"));
    assert!(hover("mlp").starts_with("```text\nmlp("));
    assert!(hover("z <=").contains("column `z`"));
    editor.end();
}

#[test]
fn completion_knows_what_can_be_written() {
    let mut editor = Editor::new();
    let uri = "file:///none/b.farcast";
    editor.open(uri, TEXT);
    let first = editor.completions(uri, &format!("{TEXT}par|"));
    assert!(first.contains(&"parent".to_owned()) && first.contains(&"param".to_owned()));
    let plugins = editor.completions(uri, &format!("{TEXT}subset near = |"));
    assert!(plugins.contains(&"window".to_owned()) && !plugins.contains(&"mlp".to_owned()));
    let data = editor.completions(uri, &format!("{TEXT}subset near = window(|"));
    assert_eq!(data[..2], ["all", "seen"]);
    assert!(!data.contains(&"net".to_owned()));
    let columns = editor.completions(uri, &format!("{TEXT}subset near = window(seen, by: |"));
    assert_eq!(columns[..3], ["x", "y", "z"]);
    let words = editor.completions(
        uri,
        &format!("{TEXT}parent n = mlp(seen, activation: re|\ndata c = all"),
    );
    assert!(words.contains(&"relu".to_owned()));
    let names = editor.completions(uri, &format!("{TEXT}parent n = mlp(seen, inputs: [x], |"));
    assert!(names.contains(&"target".to_owned()) && !names.contains(&"inputs".to_owned()));
    let formula = editor.completions(uri, &format!("{TEXT}data c = where(all, sin(x) > |"));
    assert_eq!(formula[..4], ["x", "y", "z", "length"]);
    let made = editor.completions(
        uri,
        &format!("{TEXT}parent n = mlp(seen, inputs: [x], target: y, optimizer: |"),
    );
    assert_eq!(made, ["adam", "adamw", "rmsprop", "sgd", "sgdw"]);
    let help = json!({
        "textDocument": { "uri": uri }, "position": { "line": 7, "character": 47 },
    });
    let help = editor.ask("textDocument/signatureHelp", help);
    assert!(
        help["signatures"][0]["label"]
            .as_str()
            .unwrap()
            .starts_with("mlp(")
    );
    editor.end();
}

#[test]
fn a_name_is_renamed_wherever_it_is_used() {
    let folder = Folder::new();
    folder.write(
        "lib.farcast",
        "param depth: Float = 0.6\ndata sea = synthetic(regime, rows: 400)\n",
    );
    folder.write(
        "other.farcast",
        "use \"lib.farcast\" as lib\ndata a = where(lib.sea, z > lib.depth)\n",
    );
    let root = format!("file://{}", folder.real_path());
    let main = "use \"lib.farcast\" as l\ndata near = where(l.sea, z <= l.depth)\nscore s = compare(mlp(near, inputs: [x], target: y), on: l.sea)\nsweep t = grid(seed: [1, 2])\n";
    let uri = format!("{root}/main.farcast");
    let mut editor = Editor::new();
    editor.open(&uri, main);
    let rename = |what: &str, to: &str| json!({ "textDocument": { "uri": uri }, "position": at(main, what), "newName": to });
    let edits = editor.ask("textDocument/rename", rename("sea, z", "ocean"));
    let changes = edits["changes"].as_object().unwrap();
    let counts: Vec<(&str, usize)> = changes
        .iter()
        .map(|(uri, edits)| {
            (
                uri.rsplit('/').next().unwrap(),
                edits.as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("lib.farcast", 1),
            ("main.farcast", 2),
            ("other.farcast", 1)
        ]
    );
    let alias = editor.ask("textDocument/rename", rename("l.sea, z", "lib"));
    assert_eq!(alias["changes"][&uri].as_array().unwrap().len(), 4);
    let refused = editor.reply("textDocument/rename", rename("z <=", "q"));
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("only params")
    );
    let refused = editor.reply("textDocument/rename", rename("near", "1 x"));
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("expected a name")
    );
    let params = json!({ "textDocument": { "uri": uri }, "position": at(main, "depth") });
    let definition = editor.ask("textDocument/definition", params);
    assert_eq!(definition["uri"], format!("{root}/lib.farcast"));
    assert_eq!(
        definition["range"]["start"],
        json!({ "line": 0, "character": 6 })
    );
    editor.end();
}

#[test]
fn a_broken_message_is_answered_and_the_server_stays() {
    let mut editor = Editor::new();
    let mut codes = Vec::new();
    for broken in ["{bad", "[]", "{\"id\": 7}"] {
        let to = editor.to.as_mut().unwrap();
        write!(to, "Content-Length: {}\r\n\r\n{broken}", broken.len()).unwrap();
        codes.push(editor.read()["error"]["code"].clone());
    }
    assert_eq!(codes, [-32700, -32600, -32600]);
    for method in ["workspace/symbol", "textDocument/foldingRange", "x"] {
        let reply = editor.reply(method, json!({}));
        assert_eq!(reply["error"]["code"], -32601, "{method}: {reply}");
    }
    let closed = json!({ "textDocument": { "uri": "file:///none/c.farcast" } });
    let reply = editor.reply("textDocument/hover", closed);
    assert_eq!(reply["error"]["code"], -32602);
    editor.end();
}

#[test]
fn a_new_name_may_change_no_meaning() {
    let text = "\
param limit: Float = 0.5
data all = synthetic(regime, rows: 400)
data seen = where(all, z <= limit)
parent net = mlp(seen, inputs: [x], target: y)
score s = compare(net, on: all)
";
    let mut editor = Editor::new();
    let uri = "file:///none/d.farcast";
    editor.open(uri, text);
    let mut rename = |what: &str, to: &str| {
        let params = json!({
            "textDocument": { "uri": uri }, "position": at(text, what), "newName": to,
        });
        let reply = editor.reply("textDocument/rename", params);
        match reply["error"]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => reply["result"]["changes"][uri]
                .as_array()
                .map_or(0, Vec::len)
                .to_string(),
        }
    };
    for word in ["data", "in", "true", "param", "score"] {
        assert_eq!(
            rename("net =", word),
            format!("`{word}` is a word of the language")
        );
    }
    assert_eq!(rename("net =", "seen"), "`seen` is declared already");
    // A column would hide the param.
    assert!(rename("limit:", "z").starts_with("with the name `z`, "));
    assert_eq!(rename("limit:", "bound"), "2");
    assert_eq!(rename("seen =", "shallow"), "2");
    assert_eq!(rename("seen =", "seen"), "0");
    editor.end();
}

#[test]
fn hover_knows_own_plugins_and_what_is_cached() {
    let text = "\
# Huber's regression.
plugin hub(shift: anomaly, delta: Float = 1.35 in 0..100) = regression from \"huber\"
data all = synthetic(regime, rows: 400)
score fit = compare(least_squares(all, inputs: [x], target: y), on: all)
define drift(shift) = hub(shift, delta: 2)
";
    let plain = "data all = synthetic(regime, rows: 400)\nscore fit = compare(least_squares(all, inputs: [x], target: y), on: all)\n";
    let folder = Folder::with(plain);
    let root = format!("file://{}", folder.real_path());
    let uri = format!("{root}/own.farcast");
    let mut editor = Editor::new();
    editor.open(&uri, text);
    let mut hover = |uri: &str, text: &str, what: &str| {
        let params = json!({ "textDocument": { "uri": uri }, "position": at(text, what) });
        let found = editor.ask("textDocument/hover", params);
        found["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let call = hover(&uri, text, "hub(shift, delta: 2)");
    assert!(
        call.contains("plugin hub(") && call.contains("Huber's regression."),
        "{call}"
    );
    assert_eq!(
        hover(&uri, text, "delta: 2"),
        "`delta: Float = 1.35 in 0..100` of `hub`"
    );
    assert!(hover(&uri, text, "delta: Float").contains("plugin hub("));
    folder.run(&[]);
    let uri = format!("{root}/it.farcast");
    editor.open(&uri, plain);
    let mut hover = || {
        let params = json!({ "textDocument": { "uri": uri }, "position": at(plain, "fit") });
        editor.ask("textDocument/hover", params).to_string()
    };
    // The plan is made in the background.
    let waited = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        hover().contains("cached")
    });
    assert!(waited, "{}", hover());
    editor.end();
}

/// Nothing is timed; what was slow was asked of all statements, and is asked of a few now.
#[test]
fn completion_in_a_long_file_looks_at_what_it_needs() {
    let mut text = TEXT.to_owned();
    for index in 0..300 {
        text += &format!("data d{index} = derive(seen, c{index} = x + {index})\n");
    }
    let mut editor = Editor::new();
    let uri = "file:///none/long.farcast";
    editor.open(uri, &text);
    let columns = editor.completions(uri, &format!("{text}subset near = window(d7, by: |"));
    assert_eq!(columns[..4], ["c7", "x", "y", "z"]);
    let data = editor.completions(uri, &format!("{text}subset near = window(d29|"));
    assert!(data.contains(&"d299".to_owned()));
    editor.end();
}
