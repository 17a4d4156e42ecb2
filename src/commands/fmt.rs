//! `farcast fmt`: rewrites files in the canonical layout.

use std::path::Path;

use dsl::format::format;
use dsl::source::{Source, Sources};
use engine::output::rewrite_file;
use engine::outside::read_text;
use engine::path_text::path_text;

use crate::args::Fmt;
use crate::exit::{Abort, Exit};
use crate::terminal::Terminal;

pub fn run(args: &Fmt, terminal: &Terminal) -> Result<Exit, Abort> {
    let mut exit = Exit::Fine;
    for file in &args.files {
        if !one(file, args, terminal) {
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// Whether this file is in canonical layout now.
fn one(file: &Path, args: &Fmt, terminal: &Terminal) -> bool {
    let path = path_text(file);
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(message) => {
            terminal.error(message);
            return false;
        }
    };
    let formatted = match format(&text) {
        Ok(formatted) => formatted,
        Err(diagnostics) => {
            let mut sources = Sources::default();
            sources.add(Source::new(path, text));
            terminal.diagnostics(&diagnostics, &sources);
            return false;
        }
    };
    if formatted == text {
        return true;
    }
    if args.check {
        terminal.say(format!(
            "`{path}` is not in canonical layout: run `farcast fmt {path}`"
        ));
        return false;
    }
    match rewrite_file(file, formatted.as_bytes()) {
        Ok(()) => true,
        Err(fault) => {
            terminal.error(fault.to_string());
            false
        }
    }
}
