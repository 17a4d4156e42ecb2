//! A diagnostic as people read it, and as programs do.

use std::ops::Range;

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{AnnotationKind, Group, Level, Snippet};
use serde::Serialize;

use crate::diagnostic::{Code, Diagnostic, Label, Severity};
use crate::source::{FileId, Source, Sources, Span};

/// Whether the text is for a terminal that shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// With ANSI colours.
    Color,
}

/// Longer lines are cut around what is underlined.
pub const WIDTH: usize = 120;

/// The text of a diagnostic: code, message, place, underlined lines, help; no final newline.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    rendered(diagnostic, sources, style, None)
}

/// The same on a terminal of this width: lines of a file that are longer are cut, messages and help break
/// between words.
pub fn render_within(
    diagnostic: &Diagnostic,
    sources: &Sources,
    style: Style,
    width: usize,
) -> String {
    rendered(diagnostic, sources, style, Some(width))
}

fn rendered(
    diagnostic: &Diagnostic,
    sources: &Sources,
    style: Style,
    width: Option<usize>,
) -> String {
    let broken = |text: &str, before: usize| match width {
        Some(width) => wrapped(&printable(text), width.saturating_sub(before).max(LEAST), 0),
        None => printable(text),
    };
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // What a program said last follows the message, line by line.
    let (message, more) = match diagnostic.message.split_once('\n') {
        Some((message, more)) => (message, Some(more)),
        None => (&*diagnostic.message, None),
    };
    // `error[code]: ` stands before it.
    let before = diagnostic.code.as_str().len() + 11;
    let title = level
        .primary_title(broken(message, before))
        .id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    for (file, labels) in by_file(&diagnostic.labels) {
        let Some(source) = source(sources, file) else {
            continue;
        };
        let primary = diagnostic.labels.first();
        let ranges = labels.iter().map(|label| range(source, label.span));
        let ranges: Vec<Range<usize>> = ranges.collect();
        let start = ranges.iter().map(|range| range.start).min();
        let end = ranges.iter().map(|range| range.end).max();
        // The renderer looks through every line it has: the others are left out.
        let around = start.unwrap_or_default()..end.unwrap_or_default();
        let (line, shown) = source.lines_around(&around);
        let annotations = labels.into_iter().zip(ranges).map(|(label, range)| {
            let kind = match primary {
                Some(first) if std::ptr::eq(first, label) => AnnotationKind::Primary,
                _ => AnnotationKind::Context,
            };
            kind.span(range.start - shown.start..range.end - shown.start)
                .label(printable(&label.text))
        });
        let snippet = Snippet::source(&source.text[shown.clone()])
            .line_start(line)
            .path(printable(&source.path))
            .annotations(annotations);
        group = group.element(snippet);
    }
    if let Some(more) = more {
        let lines: Vec<String> = more.lines().map(printable).collect();
        group = group.element(Level::NOTE.message(lines.join("\n")));
    }
    for hint in &diagnostic.hints {
        // `    = help: ` does, with the room that the numbers of lines take.
        group = group.element(Level::HELP.message(broken(hint, 13)));
    }
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Color => Renderer::styled(),
    };
    let width = width.unwrap_or(WIDTH).clamp(NARROWEST, WIDTH);
    renderer.term_width(width).render(&[group])
}

/// Lines of a file are never cut to fewer columns.
const NARROWEST: usize = 40;

/// Sentences are not broken to fewer columns.
const LEAST: usize = 24;

/// The text with lines of at most this width where words allow; what follows the first line of a
/// line is indented.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut column = 0;
        for word in line.split_inclusive(' ') {
            let length = word.trim_end().chars().count();
            if column > indent && column + length > width {
                wrapped.truncate(wrapped.trim_end_matches(' ').len());
                wrapped.push('\n');
                wrapped.push_str(&" ".repeat(indent));
                column = indent;
            }
            wrapped.push_str(word);
            column += word.trim_end_matches('\n').chars().count();
        }
    }
    wrapped
}

/// The text with control characters and changes of the writing direction escaped, which a terminal
/// would obey: text from the files of others may contain them.
pub fn printable(text: &str) -> String {
    let is_direction = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if let Some(byte) = u32::from(c).checked_sub(0x10_FF80) {
            // A byte of a path that is not UTF-8: see `path_text` of the engine.
            shown.push_str(&format!("\\x{:02X}", byte + 0x80));
        } else if c.is_control() || is_direction(c) {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The labels of each file, the file of the first label first.
fn by_file(labels: &[Label]) -> Vec<(FileId, Vec<&Label>)> {
    let mut files: Vec<(FileId, Vec<&Label>)> = Vec::new();
    for label in labels {
        match files.iter_mut().find(|(file, _)| *file == label.span.file) {
            Some((_, labels)) => labels.push(label),
            None => files.push((label.span.file, vec![label])),
        }
    }
    files
}

fn source(sources: &Sources, file: FileId) -> Option<&Source> {
    let mut all = sources.iter();
    all.find(|(id, _)| *id == file).map(|(_, source)| source)
}

/// The bytes of a span, moved to where characters begin and the text ends.
fn range(source: &Source, span: Span) -> Range<usize> {
    let text = &source.text;
    let boundary = |byte: u32| {
        let mut before = (0..=(byte as usize).min(text.len())).rev();
        before
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or_default()
    };
    let start = boundary(span.start);
    start..boundary(span.end).max(start)
}

/// A diagnostic for programs; lines and columns from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Json {
    /// The code, in kebab-case.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The message.
    pub message: String,
    /// The file it is about; none when no text is involved.
    pub file: Option<String>,
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// One past the last column.
    pub end_column: usize,
    /// What to do.
    pub hints: Vec<String>,
    /// Changes of the text that do away with it.
    pub fixes: Vec<JsonFix>,
}

/// A fix for programs: the place to replace, and the text to put there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonFix {
    /// The file.
    pub file: String,
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// One past the last column.
    pub end_column: usize,
    /// What comes there.
    pub text: String,
}

/// The form of a diagnostic that programs read.
pub fn json(diagnostic: &Diagnostic, sources: &Sources) -> Json {
    let place = diagnostic.labels.first().and_then(|label| {
        let source = source(sources, label.span.file)?;
        Some((source, label.span))
    });
    let (mut line, mut column, mut end_line, mut end_column) = (1, 1, 1, 1);
    if let Some((source, span)) = place {
        let (start, end) = (source.position(span.start), source.position(span.end));
        (line, column) = (start.line, start.column);
        (end_line, end_column) = (end.line, end.column);
    }
    let fixes = diagnostic.fixes.iter().filter_map(|fix| {
        let source = source(sources, fix.span.file)?;
        let start = source.position(fix.span.start);
        let end = source.position(fix.span.end);
        Some(JsonFix {
            file: source.path.clone(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            text: fix.text.clone(),
        })
    });
    Json {
        code: diagnostic.code.as_str(),
        severity: diagnostic.severity.as_str(),
        message: diagnostic.message.clone(),
        file: place.map(|(source, _)| source.path.clone()),
        line,
        column,
        end_line,
        end_column,
        hints: diagnostic.hints.clone(),
        fixes: fixes.collect(),
    }
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($code:ident = $text:literal),* $(,)?) => {
        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The name users and programs see, in kebab-case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$code => $text),*
                }
            }
        }
    };
}

codes! {
    SyntaxError = "syntax-error",
    TooLarge = "too-large",
    TooDeep = "too-deep",
    NumberOutOfRange = "number-out-of-range",
    BadEscape = "bad-escape",
    UnknownName = "unknown-name",
    UnknownPlugin = "unknown-plugin",
    UnknownKind = "unknown-kind",
    UnknownColumn = "unknown-column",
    UnknownFunction = "unknown-function",
    UnknownType = "unknown-type",
    UnknownUnit = "unknown-unit",
    DuplicateName = "duplicate-name",
    AmbiguousName = "ambiguous-name",
    ShadowedName = "shadowed-name",
    MissingArgument = "missing-argument",
    UnknownArgument = "unknown-argument",
    DuplicateArgument = "duplicate-argument",
    TooManyArguments = "too-many-arguments",
    PositionalAfterNamed = "positional-after-named",
    WrongKind = "wrong-kind",
    WrongType = "wrong-type",
    OutOfRange = "out-of-range",
    IncompatibleUnits = "incompatible-units",
    UnknownChoice = "unknown-choice",
    MembersDiffer = "members-differ",
    NotConstant = "not-constant",
    ImpossibleCall = "impossible-call",
    CyclicStatements = "cyclic-statements",
    CyclicUse = "cyclic-use",
    CyclicDefine = "cyclic-define",
    UnreadableFile = "unreadable-file",
    SweepNotParam = "sweep-not-param",
    SweepTooLarge = "sweep-too-large",
    SweepJoin = "sweep-join",
    SweepObjective = "sweep-objective",
    BadParam = "bad-param",
    BadPlugin = "bad-plugin",
    Untrusted = "untrusted-plugin",
    UnknownParam = "unknown-param",
    DataFile = "data-file",
    ActionFailed = "action-failed",
    UnusedStatement = "unused-statement",
    SameStatement = "same-statement",
    OuterObjective = "outer-objective",
    DoubtfulCall = "doubtful-call",
    RenamedArgument = "renamed-argument",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_diagnostic_commands_a_terminal() {
        let strange = "a\u{1b}[31m\u{202e}b";
        let mut sources = Sources::default();
        let file = sources.add(Source::new(strange, strange));
        let span = Span {
            file,
            start: 0,
            end: 1,
        };
        let diagnostic = Diagnostic::error(Code::SyntaxError, span, strange)
            .and(span, strange)
            .hint(strange);
        let text = render(&diagnostic, &sources, Style::Plain);
        let is_command = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(is_command), "{text:?}");
    }
}
