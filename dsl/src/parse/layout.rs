//! Text to chunks: where each item begins and ends, and the comments between and in them.
//!
//! One linear pass over tokens, before any grammar: it decides which lines belong together,
//! so that a mistake in one item cannot hide the next, and it bounds the nesting, so that
//! nothing after it can run out of stack.

use std::ops::Range;

use crate::ast::Comment;
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;
use crate::name::RESERVED;
use crate::source::{FileId, Span};

/// How many brackets may be open at once.
pub const MAX_NESTING: usize = 128;

/// How high an expression's tree may be: operators and brackets on the way to a leaf.
pub const MAX_HEIGHT: usize = 256;

/// The items and comments of a text.
pub(crate) struct Layout {
    /// The text with a space for every byte of comments and of blanks inside lines.
    pub plain: String,
    /// The text of each item, without the blanks and comments after it.
    pub chunks: Vec<Chunk>,
    /// Every comment in order.
    pub comments: Vec<Comment>,
}

/// The text of one item.
pub(crate) struct Chunk {
    /// Where it stands.
    pub range: Range<usize>,
    /// Why it cannot be read: brackets or quotes that do not match, too deep nesting.
    pub fault: Option<Diagnostic>,
}

/// Splits a text into items.
pub(crate) fn layout(file: FileId, text: &str) -> Layout {
    let mut splitter = Splitter {
        file,
        text,
        chunks: Vec::new(),
        open: None,
    };
    let mut plain = String::with_capacity(text.len());
    let mut comments = Vec::new();
    let mut tokens = Tokens::new(text);
    let mut at_line_start = true;
    while let Some((token, range)) = tokens.next() {
        if token != Token::Comment {
            pad(&mut plain, range.start);
            plain.push_str(&text[range.clone()]);
        }
        match token {
            Token::Newline => at_line_start = true,
            Token::Comment => comments.push(Comment {
                text: text[range.clone()].to_owned(),
                span: Span::new(file, range.start, range.end),
            }),
            _ => {
                if at_line_start && splitter.begins_item(token, &range, tokens.clone()) {
                    splitter.finish(range.clone(), "the next item begins here");
                }
                at_line_start = false;
                splitter.push(token, range);
            }
        }
    }
    splitter.finish(text.len()..text.len(), "the file ends here");
    Layout {
        plain,
        chunks: splitter.chunks,
        comments,
    }
}

fn pad(text: &mut String, length: usize) {
    text.extend(std::iter::repeat_n(' ', length - text.len()));
}

/// The kind of a piece of text, as the layout sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word,
    Number,
    Text,
    UnclosedText,
    Open,
    Close,
    Symbol,
    Comment,
    Newline,
}

/// The tokens of a text with their places.
#[derive(Clone)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens from the start of a text; a byte order mark there is skipped.
    pub(crate) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{FEFF}') { 3 } else { 0 };
        Self { text, at }
    }

    fn length(rest: &str) -> (Token, usize) {
        let bytes = rest.as_bytes();
        match bytes[0] {
            b'\n' => (Token::Newline, 1),
            b'#' => {
                let line = rest.split('\n').next().unwrap_or_default();
                (Token::Comment, line.trim_end().len())
            }
            b'"' => text_length(bytes),
            b'`' => quoted_length(bytes),
            b'(' | b'[' => (Token::Open, 1),
            b')' | b']' => (Token::Close, 1),
            b'0'..=b'9' => (Token::Number, number_length(bytes)),
            first if is_letter(first) => (Token::Word, count(bytes, is_letter)),
            _ => (Token::Symbol, symbol_length(rest)),
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = (Token, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..)?;
        self.at += count(rest.as_bytes(), |byte| matches!(byte, b' ' | b'\t' | b'\r'));
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (token, length) = Self::length(rest);
        let start = self.at;
        self.at += length;
        Some((token, start..self.at))
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn count(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(**byte)).count()
}

fn text_length(bytes: &[u8]) -> (Token, usize) {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (Token::Text, at + 1),
            b'\n' => break,
            b'\\' if bytes.get(at + 1).is_some_and(|next| *next != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    let blanks = bytes[..at].iter().rev();
    let blanks = blanks.take_while(|byte| byte.is_ascii_whitespace()).count();
    (Token::UnclosedText, at - blanks)
}

/// A name in backticks, or the rest of the line without its second one.
fn quoted_length(bytes: &[u8]) -> (Token, usize) {
    let inner = count(&bytes[1..], |byte| !matches!(byte, b'`' | b'\n'));
    match bytes.get(inner + 1) {
        Some(b'`') => (Token::Word, inner + 2),
        _ => {
            let blanks = bytes[..=inner].iter().rev();
            let blanks = blanks.take_while(|byte| byte.is_ascii_whitespace()).count();
            (Token::UnclosedText, inner + 1 - blanks)
        }
    }
}

fn number_length(bytes: &[u8]) -> usize {
    let digit_at = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'.' if digit_at(at + 1) => at += 1,
            b'e' | b'E' if matches!(bytes.get(at + 1), Some(b'+' | b'-')) && digit_at(at + 2) => {
                at += 2;
            }
            byte if is_letter(*byte) => at += 1,
            _ => break,
        }
    }
    at
}

fn symbol_length(rest: &str) -> usize {
    ["..=", "..", "==", "!=", "<=", ">="]
        .iter()
        .find(|symbol| rest.starts_with(**symbol))
        .map_or_else(
            || rest.chars().next().map_or(0, char::len_utf8),
            |symbol| symbol.len(),
        )
}

/// One bracket level of an item being read, with bounds of the tree's height there.
#[derive(Default)]
struct Level {
    /// Where its bracket is.
    open: usize,
    /// Operators since the last comma.
    operators: usize,
    /// The highest bracket since the last comma.
    inner: usize,
    /// The highest operand before the last comma.
    before: usize,
}

impl Level {
    fn height(&self) -> usize {
        self.before.max(self.operators + self.inner)
    }
}

/// An item being read.
#[derive(Default)]
struct OpenChunk {
    range: Range<usize>,
    outside: Level,
    brackets: Vec<Level>,
    wants_more: bool,
    fault: Option<Diagnostic>,
}

impl OpenChunk {
    fn level(&mut self) -> &mut Level {
        self.brackets.last_mut().unwrap_or(&mut self.outside)
    }

    /// Keeps the first fault; further ones are mostly its echo.
    fn blame(&mut self, fault: impl FnOnce() -> Diagnostic) {
        self.fault.get_or_insert_with(fault);
    }
}

struct Splitter<'a> {
    file: FileId,
    text: &'a str,
    chunks: Vec<Chunk>,
    open: Option<OpenChunk>,
}

impl Splitter<'_> {
    /// Whether the first token of a line begins an item, not a further line of one.
    fn begins_item(&self, token: Token, range: &Range<usize>, rest: Tokens<'_>) -> bool {
        let Some(chunk) = &self.open else {
            return false;
        };
        let first = &self.text[range.clone()];
        if !chunk.brackets.is_empty() {
            let indented = self.text[..range.start].ends_with([' ', '\t']);
            !indented && first != "seed" && self.is_head(first, rest)
        } else if chunk.wants_more {
            self.is_head(first, rest)
        } else {
            !continues(token, first) || foreign::begins_comment(&self.text[range.start..])
        }
    }

    /// Whether a line reads like the start of an item and like nothing else.
    fn is_head(&self, first: &str, mut rest: Tokens<'_>) -> bool {
        let mut next = || {
            rest.next().map_or((Token::Newline, ""), |(token, range)| {
                (token, &self.text[range])
            })
        };
        match (first, next()) {
            ("experiment" | "use", (Token::Text, _)) | ("seed", (_, "=")) => true,
            (_, (Token::Word, second)) if !is_reserved(first) && !is_reserved(second) => {
                is_word(first) && matches!(next().1, "=" | ":" | "(")
            }
            _ => false,
        }
    }

    fn push(&mut self, token: Token, range: Range<usize>) {
        let file = self.file;
        let written = &self.text[range.clone()];
        let span = Span::new(file, range.start, range.end);
        let chunk = self.open.get_or_insert_with(|| OpenChunk {
            range: range.clone(),
            ..OpenChunk::default()
        });
        chunk.range.end = range.end;
        chunk.wants_more = match token {
            // A `%` at the end of a line is a unit.
            Token::Symbol => is_joint(written) && written != "%",
            Token::Word => is_reserved(written) && !matches!(written, "true" | "false"),
            _ => false,
        };
        match token {
            Token::Open => {
                chunk.brackets.push(Level {
                    open: range.start,
                    ..Level::default()
                });
                if chunk.brackets.len() > MAX_NESTING {
                    chunk.blame(|| too_deep(span));
                }
            }
            Token::Close => self.close(written, span),
            Token::UnclosedText => chunk.blame(|| unclosed(written, span)),
            Token::Symbol if written == "," => {
                let level = chunk.level();
                level.before = level.height();
                (level.operators, level.inner) = (0, 0);
            }
            // In the types of a plugin's parameters.
            Token::Symbol
                if matches!(written, "|" | "?")
                    && self.text[chunk.range.start..].starts_with("plugin") => {}
            Token::Symbol if foreign::symbol(&self.text[range.start..]).is_some() => {
                let text = self.text;
                chunk.blame(|| foreign_symbol(text, range.start, file));
            }
            Token::Symbol | Token::Word if is_operator(written) => {
                let level = chunk.level();
                level.operators += 1;
                if level.height() > MAX_HEIGHT {
                    chunk.blame(|| too_deep(span));
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, written: &str, span: Span) {
        let Some(chunk) = &mut self.open else { return };
        let Some(level) = chunk.brackets.pop() else {
            chunk.blame(|| {
                Diagnostic::error(Code::SyntaxError, span, format!("unexpected `{written}`"))
                    .says("no bracket is open here")
            });
            return;
        };
        let opened = &self.text[level.open..=level.open];
        let expected = if opened == "(" { ")" } else { "]" };
        if written != expected {
            let open = Span::new(self.file, level.open, level.open + 1);
            chunk.blame(|| {
                Diagnostic::error(
                    Code::SyntaxError,
                    span,
                    format!("expected `{expected}`, found `{written}`"),
                )
                .and(open, format!("`{opened}` is opened here"))
            });
        }
        let around = chunk.level();
        around.inner = around.inner.max(level.height() + 1);
        if around.height() > MAX_HEIGHT {
            chunk.blame(|| too_deep(span));
        }
    }

    fn finish(&mut self, noticed: Range<usize>, why: &str) {
        let Some(mut chunk) = self.open.take() else {
            return;
        };
        if let Some(level) = chunk.brackets.last() {
            let open = Span::new(self.file, level.open, level.open + 1);
            let bracket = &self.text[level.open..=level.open];
            chunk.blame(|| {
                Diagnostic::error(Code::SyntaxError, open, format!("unclosed `{bracket}`"))
                    .says("opened here")
                    .and(Span::new(self.file, noticed.start, noticed.end), why)
            });
        }
        self.chunks.push(Chunk {
            range: chunk.range,
            fault: chunk.fault,
        });
    }
}

/// Whether a line that begins like this can only be a further line of the item before.
fn continues(token: Token, first: &str) -> bool {
    match token {
        Token::Close => true,
        Token::Symbol => is_joint(first) || matches!(first, ".." | "..="),
        Token::Word => is_reserved(first) && !matches!(first, "true" | "false" | "not"),
        _ => false,
    }
}

/// Whether something must stand on both sides of a symbol.
fn is_joint(symbol: &str) -> bool {
    is_operator(symbol) || matches!(symbol, "=" | "," | ":")
}

fn is_operator(written: &str) -> bool {
    matches!(
        written,
        "+" | "-"
            | "*"
            | "/"
            | "%"
            | "^"
            | "=="
            | "!="
            | "<"
            | "<="
            | ">"
            | ">="
            | "and"
            | "or"
            | "not"
            | "in"
    )
}

/// Whether a word has a meaning that keeps it from being a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

fn is_word(written: &str) -> bool {
    written.bytes().all(is_letter) && !written.starts_with(|first: char| first.is_ascii_digit())
}

fn unclosed(written: &str, span: Span) -> Diagnostic {
    if written.starts_with('`') {
        let message = "expected a second backtick, found the end of the line";
        let diagnostic = Diagnostic::error(Code::SyntaxError, span, message);
        return diagnostic.says("the name begins here");
    }
    let message = "expected `\"`, found the end of the line";
    let diagnostic =
        Diagnostic::error(Code::SyntaxError, span, message).says("the text begins here");
    let curly = |it: &char| foreign::quoted(&format!("“{it}")).is_some();
    match written.chars().skip(1).find(curly) {
        Some(curly) => diagnostic.hint(format!("the text ends at `\"`, not at `{curly}`")),
        None => diagnostic,
    }
}

/// What other languages write at a place of a text, and what to write instead.
fn foreign_symbol(text: &str, at: usize, file: FileId) -> Diagnostic {
    let rest = &text[at..];
    let error = |start, end, found: &str, hint| {
        let span = Span::new(file, start, end);
        let message = format!("unexpected {found}");
        Diagnostic::error(Code::SyntaxError, span, message).hint(hint)
    };
    let Some(symbol) = foreign::symbol(rest) else {
        return error(at, at, "symbol", String::new());
    };
    if let Some(path) = foreign::path(text, at) {
        return unquoted_path(text, path, file);
    }
    let follows_digit = text[..at].ends_with(|it: char| it.is_ascii_digit());
    let grouped = rest.strip_prefix('\'').filter(|_| follows_digit);
    if grouped.is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit())) {
        let hint = "digits are grouped by `_`: `1_000`".to_owned();
        return error(at, at + symbol.length, &symbol.found, hint);
    }
    let (length, hint) = match foreign::quoted(rest) {
        Some((length, inner)) => (length, format!("write `\"{inner}\"`")),
        None => (symbol.length, symbol.hint),
    };
    error(at, at + length, &symbol.found, hint)
}

/// Refuses a path without quotes in the text.
pub(crate) fn unquoted_path(text: &str, path: Range<usize>, file: FileId) -> Diagnostic {
    let written = &text[path.clone()];
    let span = Span::new(file, path.start, path.end);
    let message = format!("expected text in quotes, found `{written}`");
    let quoted = written.replace('\\', "/");
    Diagnostic::error(Code::SyntaxError, span, message)
        .hint(format!("a path is text: `\"{quoted}\"`"))
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::TooDeep,
        span,
        "brackets and operators are nested too deep",
    )
    .hint(format!(
        "at most {MAX_NESTING} brackets and {MAX_HEIGHT} operators may stand inside one another; \
             give a part a name of its own"
    ))
}
