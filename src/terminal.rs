//! The output streams: standard output for results, standard error for everything else.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use dsl::diagnostic::Diagnostic;
use dsl::render::{Style, printable, render, render_within, wrapped};
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
    /// Whether standard output carries one JSON object and nothing else.
    pub json: bool,
    /// Whether standard error shows links.
    pub links: bool,
}

/// Where a diagnostic is explained.
fn page_of(code: &str) -> String {
    let (repository, version) = (env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"));
    format!("{repository}/blob/v{version}/docs/diagnostics.md#{code}")
}

/// Whether a terminal with this environment shows links (OSC 8): those that do say who they are.
/// `FORCE_HYPERLINK` decides otherwise.
fn shows_links(watched: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    if let Some(forced) = variable("FORCE_HYPERLINK") {
        return !forced.is_empty() && forced != "0";
    }
    let is_new_vte = || {
        variable("VTE_VERSION")?
            .parse::<u32>()
            .ok()
            .map(|it| it >= 5000)
    };
    let is_one_of = |name: &str, known: &[&str]| {
        variable(name).is_some_and(|value| known.iter().any(|known| value.contains(known)))
    };
    let programs = [
        "iTerm.app",
        "WezTerm",
        "vscode",
        "ghostty",
        "Hyper",
        "rio",
        "zed",
        "tmux",
    ];
    let terms = [
        "kitty",
        "alacritty",
        "foot",
        "ghostty",
        "wezterm",
        "contour",
    ];
    let marks = [
        "WT_SESSION",
        "KONSOLE_VERSION",
        "DOMTERM",
        "KITTY_WINDOW_ID",
    ];
    watched
        && (is_new_vte().unwrap_or(false)
            || is_one_of("TERM_PROGRAM", &programs)
            || is_one_of("TERM", &terms)
            || marks.iter().any(|name| variable(name).is_some()))
}

/// The rendered diagnostic with its code as a link.
fn linked(text: &str, code: &str) -> String {
    let (link, end) = (
        format!("\u{1b}]8;;{}\u{1b}\\", page_of(code)),
        "\u{1b}]8;;\u{1b}\\",
    );
    text.replacen(&format!("[{code}]"), &format!("[{link}{code}{end}]"), 1)
}

impl Terminal {
    /// The process's own streams.
    pub fn new(choice: ColorChoice) -> Self {
        // A dumb terminal moves no cursor and shows no colour.
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let watched = io::stderr().is_terminal() && !is_dumb;
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                watched && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self {
            color,
            watched,
            json: false,
            links: shows_links(watched, |name| std::env::var(name).ok()),
        }
    }

    /// How many columns the terminal has that results go to; none when they go elsewhere.
    pub fn width(&self) -> Option<u16> {
        let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
        Some(width.0)
    }

    /// How many columns the terminal has that progress is shown on.
    pub fn progress_width(&self) -> Option<u16> {
        let (width, _) = terminal_size::terminal_size_of(io::stderr())?;
        Some(width.0)
    }

    /// Prints a result. A reader that has closed the pipe is not an error; anything else that
    /// prevents writing makes the command fail in the end: see [`is_output_lost`].
    pub fn out(&self, text: impl AsRef<str>) {
        let mut stream = io::stdout().lock();
        let text = printable_lines(text.as_ref());
        let written = stream.write_all(text.as_bytes());
        let lost = written.and_then(|()| stream.flush()).err();
        if let Some(error) = lost.filter(|error| error.kind() != ErrorKind::BrokenPipe)
            && !OUTPUT_LOST.swap(true, Ordering::Relaxed)
        {
            self.error(format!("cannot write to standard output: {error}"));
        }
    }

    /// Prints an answer for programs: JSON, in which what a terminal obeys is escaped as in `\u202e`.
    pub fn answer(&self, json: impl Display) {
        let mut text = String::new();
        for c in json.to_string().chars() {
            let is_plain = c == '\n' || (' '..='~').contains(&c);
            if is_plain || printable(c.encode_utf8(&mut [0; 4])).chars().eq([c]) {
                text.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
        self.out(text + "\n");
    }

    /// Prints a message.
    pub fn say(&self, text: impl AsRef<str>) {
        self.say_styled(&printable_lines(text.as_ref()));
    }

    fn say_styled(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A word in bold and colour where the terminal shows them.
    fn marked(&self, word: &str, color: u8) -> String {
        match self.color {
            true => format!("\u{1b}[1;{color}m{word}\u{1b}[0m"),
            false => word.to_owned(),
        }
    }

    /// Prints an error of one line, with what to do.
    pub fn error(&self, text: impl AsRef<str>) {
        let text = printable_lines(text.as_ref());
        self.say_styled(&format!("{}: {text}", self.marked("error", 31)));
    }

    /// Prints diagnostics, with the lines they point at.
    pub fn diagnostics(&self, diagnostics: &[Diagnostic], sources: &Sources) {
        let style = if self.color {
            Style::Color
        } else {
            Style::Plain
        };
        for diagnostic in diagnostics {
            // Rendering escapes what the texts contain.
            let text = match self.progress_width() {
                Some(width) => render_within(diagnostic, sources, style, width.into()),
                None => render(diagnostic, sources, style),
            };
            self.say_styled(&match self.links {
                true => linked(&text, diagnostic.code.as_str()),
                false => text,
            });
        }
    }

    /// Prints a note; on a terminal its lines break between words.
    pub fn note(&self, text: impl AsRef<str>) {
        let text = printable_lines(text.as_ref());
        let text = match self.progress_width() {
            Some(width) => wrapped(&format!("note: {text}"), width.into(), 6),
            None => format!("note: {text}"),
        };
        let rest = text.strip_prefix("note").unwrap_or(&text);
        self.say_styled(&format!("{}{rest}", self.marked("note", 36)));
    }

    /// Prints Markdown; on a terminal its lines break between words.
    pub fn page(&self, markdown: impl AsRef<str>) {
        match self.width() {
            Some(width) => self.out(refilled(markdown.as_ref(), width.into())),
            None => self.out(markdown),
        }
    }

    /// Prints a result of sentences; on a terminal its lines break between words.
    pub fn tell(&self, text: impl AsRef<str>) {
        match self.width() {
            Some(width) => self.out(wrapped(text.as_ref(), width.into(), 2)),
            None => self.out(text),
        }
    }
}

/// Markdown with its lines broken between words at this width: those of a paragraph or of an entry of a list follow
/// each other, code stays.
fn refilled(markdown: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut is_code = false;
    // Whether the last line goes on.
    let mut is_open = false;
    for line in markdown.lines() {
        let is_fence = line.starts_with("```");
        let is_prose = !is_code && !is_fence && !line.is_empty() && !line.starts_with(['|', '#']);
        let begins = ["- ", "* "].iter().any(|mark| line.starts_with(mark));
        match lines.last_mut().filter(|_| is_open && is_prose && !begins) {
            Some(last) => {
                last.push(' ');
                last.push_str(line.trim_start());
            }
            None => lines.push(line.to_owned()),
        }
        is_open = is_prose;
        is_code ^= is_fence;
    }
    is_code = false;
    let mut text = String::new();
    for line in lines {
        let is_fence = line.starts_with("```");
        let indent = if line.starts_with(['|', '-', '*']) {
            2
        } else {
            0
        };
        match is_code || is_fence {
            true => text.push_str(&line),
            false => text.push_str(&wrapped(&line, width, indent)),
        }
        text.push('\n');
        is_code ^= is_fence;
    }
    text
}

static OUTPUT_LOST: AtomicBool = AtomicBool::new(false);

/// Whether a result could not be printed, as on a full disk.
pub fn is_output_lost() -> bool {
    OUTPUT_LOST.load(Ordering::Relaxed)
}

/// Text of several lines, each [`printable`]; tabs stay.
fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_layout = |c: char| matches!(c, '\n' | '\t');
    if text
        .bytes()
        .all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~'))
    {
        return Cow::Borrowed(text);
    }
    let parts = text.split_inclusive(is_layout).map(|part| {
        let end = part.chars().next_back().filter(|c| is_layout(*c));
        let line = part.strip_suffix(is_layout).unwrap_or(part);
        printable(line) + &end.map(String::from).unwrap_or_default()
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(watched: bool, set: &[(&str, &str)]) -> bool {
        shows_links(watched, |name| {
            let found = set.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn links_are_for_terminals_that_show_them() {
        assert!(shows(true, &[("VTE_VERSION", "7200")]));
        assert!(shows(true, &[("TERM", "xterm-kitty")]));
        assert!(shows(
            true,
            &[("TERM_PROGRAM", "vscode"), ("NO_COLOR", "1")]
        ));
        assert!(shows(false, &[("FORCE_HYPERLINK", "1")]));
        assert!(!shows(true, &[("TERM", "xterm-256color")]));
        assert!(!shows(true, &[("VTE_VERSION", "4602")]));
        assert!(!shows(false, &[("WT_SESSION", "x")]));
        assert!(!shows(
            true,
            &[("WT_SESSION", "x"), ("FORCE_HYPERLINK", "0")]
        ));
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("note: a bb ccc dd", 11, 2), "note: a bb\n  ccc dd");
        assert_eq!(wrapped("a b\nc d\n", 3, 2), "a b\nc d\n");
        assert_eq!(wrapped("averylongword x", 5, 2), "averylongword\n  x");
    }

    #[test]
    fn paragraphs_are_filled_and_code_stays() {
        let page = "## a\n\none two\nthree four five\n\n- an entry\n  of two\n- more\n\n```sh\nfarcast run x.farcast\n```\n";
        let filled = "## a\n\none two\nthree four\nfive\n\n- an entry\n  of two\n- more\n\n```sh\nfarcast run x.farcast\n```\n";
        assert_eq!(refilled(page, 10), filled);
    }

    #[test]
    fn the_code_alone_is_the_link() {
        let text = linked("error[unused]: `x[unused]` is unused", "unused");
        let page = page_of("unused");
        assert_eq!(
            text,
            format!(
                "error[\u{1b}]8;;{page}\u{1b}\\unused\u{1b}]8;;\u{1b}\\]: `x[unused]` is unused"
            )
        );
    }
}
