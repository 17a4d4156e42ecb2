//! The output streams: standard output for results, standard error for everything else.

use std::io::{self, IsTerminal, Write};

use dsl::diagnostic::Diagnostic;
use dsl::render::{Style, render};
use dsl::source::Sources;

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// The choice of a checked word; none means `auto`.
    pub fn from_word(word: Option<&str>) -> Self {
        match word {
            Some("always") => Self::Always,
            Some("never") => Self::Never,
            _ => Self::Auto,
        }
    }
}

/// The two streams and whether they show colour.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether messages are coloured.
    pub color: bool,
    /// Whether standard error is a terminal.
    pub watched: bool,
}

impl Terminal {
    /// The process's own streams.
    pub fn new(choice: ColorChoice) -> Self {
        let watched = io::stderr().is_terminal();
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                watched && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { color, watched }
    }

    /// Prints a result; a reader that has closed the pipe is not an error.
    pub fn out(&self, text: impl AsRef<str>) {
        let mut stream = io::stdout().lock();
        let _ = stream.write_all(text.as_ref().as_bytes());
        let _ = stream.flush();
    }

    /// Prints a message.
    pub fn say(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }

    /// Prints an error of one line, with what to do.
    pub fn error(&self, text: impl AsRef<str>) {
        let (bold, end) = if self.color {
            ("\u{1b}[1;31m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        self.say(format!("{bold}error{end}: {}", text.as_ref()));
    }

    /// Prints diagnostics, with the lines they point at.
    pub fn diagnostics(&self, diagnostics: &[Diagnostic], sources: &Sources) {
        let style = if self.color {
            Style::Color
        } else {
            Style::Plain
        };
        for diagnostic in diagnostics {
            self.say(render(diagnostic, sources, style));
        }
    }

    /// Prints a note.
    pub fn note(&self, text: impl AsRef<str>) {
        let (bold, end) = if self.color {
            ("\u{1b}[1;36m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        self.say(format!("{bold}note{end}: {}", text.as_ref()));
    }
}

/// The text with control characters escaped, which a terminal would obey: text from the files of
/// others may contain them.
pub fn printable(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_debug().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}
