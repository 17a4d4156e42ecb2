//! `farcast explain`: what a diagnostic means, with an example and how to mend it.

use dsl::diagnostic::Code;

use super::unknown;
use crate::args::Explain;
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::terminal::Terminal;

/// One section for every code; a test runs the examples.
const PAGE: &str = include_str!("../../docs/diagnostics.md");

pub fn run(args: &Explain, terminal: &Terminal) -> Result<Exit, Abort> {
    let Some(name) = &args.code else {
        terminal.out(listing(terminal.width()));
        return Ok(Exit::Fine);
    };
    // `error[unknown-column]` is what people copy from a message.
    let name = name
        .trim_start_matches("error")
        .trim_start_matches("warning")
        .trim_matches(|c| "[]:".contains(c));
    match section(name) {
        Some(section) => {
            terminal.page(section);
            Ok(Exit::Fine)
        }
        None => {
            let known = Code::ALL.iter().map(|code| code.as_str());
            terminal.error(unknown("code", name, known));
            terminal.say("`farcast explain` lists all codes");
            Err(Abort::Usage)
        }
    }
}

/// The section of a code, without its heading's quotes.
fn section(code: &str) -> Option<String> {
    let (_, rest) = PAGE.split_once(&format!("\n## `{code}`\n"))?;
    let text = rest.split("\n## `").next().unwrap_or(rest);
    Some(format!("{code}\n{}\n", text.trim_end()))
}

/// Every code with the first clause of its section.
fn listing(width: Option<u16>) -> String {
    let row = |code: &Code| {
        let name = code.as_str();
        let text = section(name).unwrap_or_default();
        let words = text.lines().skip(1).skip_while(|line| line.is_empty());
        let paragraph: Vec<&str> = words.take_while(|line| !line.is_empty()).collect();
        let paragraph = paragraph.join(" ");
        let end = paragraph.find([':', '.']).unwrap_or(paragraph.len());
        vec![format!("{name:21}"), paragraph[..end].to_owned()]
    };
    let rows: Vec<Vec<String>> = Code::ALL.iter().map(row).collect();
    aligned_within(&rows, width)
        + "\nfarcast explain CODE shows an example of one, and how to mend it.\n"
}
