//! The files for editors: they are JSON, and know the words of the language.

use std::fs;

use dsl::types::Kind;
use serde_json::Value;

use crate::farcast::shipped;

fn json(path: &str) -> Value {
    let text = fs::read_to_string(shipped(path)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_highlighting_knows_every_kind() {
    let grammar = json("editors/vscode/syntaxes/farcast.tmLanguage.json");
    let patterns = grammar["patterns"].as_array().unwrap().iter();
    let all: Vec<&str> = patterns.filter_map(|one| one["match"].as_str()).collect();
    let kinds = all
        .iter()
        .find(|pattern| pattern.contains("data|"))
        .unwrap();
    for kind in Kind::ALL {
        let word = kind.keyword();
        assert!(
            kinds.split(['(', ')', '|']).any(|one| one == word),
            "{word}"
        );
    }
}

#[test]
fn the_extension_starts_the_server_and_names_this_version() {
    let package = json("editors/vscode/package.json");
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    let language = &package["contributes"]["languages"][0];
    assert_eq!(language["extensions"][0], ".farcast");
    json("editors/vscode/language-configuration.json");
    let code = fs::read_to_string(shipped("editors/vscode/extension.js")).unwrap();
    assert!(code.contains(r#"args: ["lsp"]"#));
}

#[test]
fn the_grammar_for_trees_knows_every_kind_and_this_version() {
    let about = json("editors/tree-sitter/tree-sitter.json");
    assert_eq!(about["metadata"]["version"], env!("CARGO_PKG_VERSION"));
    let grammar = fs::read_to_string(shipped("editors/tree-sitter/grammar.js")).unwrap();
    let (_, rest) = grammar.split_once("kind: (_) =>").unwrap();
    let (kinds, _) = rest.split_once(")").unwrap();
    for kind in Kind::ALL {
        assert!(kinds.contains(&format!("\"{}\"", kind.keyword())), "{kind}");
    }
}
