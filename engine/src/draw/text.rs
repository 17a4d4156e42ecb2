//! The graph for other programs: Graphviz and Mermaid.

use std::fmt::Write as _;

use dsl::experiment::Experiment;

use super::picture::Picture;

/// The graph in the language of Graphviz.
pub fn dot(experiment: &Experiment) -> String {
    let picture = Picture::of(experiment);
    let mut text = format!("digraph {} {{\n", quoted(&picture.title));
    text.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    for (index, statement) in picture.statements.iter().enumerate() {
        let label = quoted(&format!("{}\n{}", statement.heading(), statement.detail()));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  n{index} [label={label}];");
    }
    for (from, to) in &picture.arrows {
        let _ = writeln!(text, "  n{from} -> n{to};");
    }
    text.push_str("}\n");
    text
}

/// A Graphviz string: `"` and `\` are the only characters that could end or change it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The graph in the language of Mermaid.
pub fn mermaid(experiment: &Experiment) -> String {
    let picture = Picture::of(experiment);
    let mut text = String::from("flowchart TD\n");
    for (index, statement) in picture.statements.iter().enumerate() {
        let _ = writeln!(
            text,
            "  n{index}[\"{}<br>{}\"]",
            entities(&statement.heading()),
            entities(&statement.detail())
        );
    }
    for (from, to) in &picture.arrows {
        let _ = writeln!(text, "  n{from} --> n{to}");
    }
    text
}

/// Mermaid reads HTML and Markdown inside labels: everything but plain text is escaped by number.
fn entities(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            ' ' | '.' | '_' | '·' | '×' | '+' => plain.push(character),
            letter if letter.is_alphanumeric() => plain.push(letter),
            control if control.is_control() => plain.push(' '),
            other => {
                let _ = write!(plain, "#{};", other as u32);
            }
        }
    }
    plain
}
