//! Text to tree, by pest; total: whatever does not parse becomes a diagnostic.
//!
//! `layout` splits the text into items; pest reads each on its own, so a
//! syntax error costs one item. Pest's pairs become a spanned tree at once and no rule of
//! the grammar is seen outside this module.

mod expected;
mod grammar;
mod layout;
mod place;
mod tree;

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

use pest::Parser;

use self::grammar::{Grammar, Rule};
use self::layout::{Chunk, Token, Tokens, is_reserved, layout};
use self::place::Place;
use self::tree::Tree;
use crate::ast::{File, Item, ItemKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;
use crate::source::{FileId, Span};
use crate::types::Kind;

pub use self::layout::{MAX_HEIGHT, MAX_NESTING};

/// The longest text that is read, in bytes.
pub const MAX_TEXT: usize = 4 << 20;

/// How many errors of one text are reported; nobody reads more.
pub const MAX_ERRORS: usize = 100;

/// With more errors than these and no statement, a text is none of ours.
const FOREIGN: usize = 5;

/// The tree of a text and everything wrong with its form; items that could not be read are
/// [`ItemKind::Broken`].
pub fn parse(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    if text.len() > MAX_TEXT {
        let start = Span::new(file, 0, 0);
        let message = format!("a file of {} bytes is too large", text.len());
        let error = Diagnostic::error(Code::TooLarge, start, message)
            .hint(format!("at most {MAX_TEXT} bytes are read"));
        return (File::default(), vec![error]);
    }
    let layout = layout(file, text);
    let mut items = Vec::with_capacity(layout.chunks.len());
    let mut diagnostics = Vec::new();
    let parts = in_parts(&layout.chunks, |chunk| read(file, &layout.plain, chunk));
    for item in parts.into_iter().flatten() {
        match item {
            Ok(item) => items.push(item),
            Err((broken, errors)) => {
                items.extend(broken);
                diagnostics.extend(errors);
            }
        }
    }
    if diagnostics.len() > FOREIGN && !items.iter().any(is_ours) {
        // A table, or a program of another language: one message says it.
        let hint = "nothing in this file is a statement: is it an experiment?";
        let first = diagnostics.into_iter().take(1);
        diagnostics = first.map(|error| error.hint(hint)).collect();
    }
    diagnostics.truncate(MAX_ERRORS);
    let comments = layout.comments;
    (File { items, comments }, diagnostics)
}

/// Whether an item can be read, or begins as one that can.
fn is_ours(item: &Item) -> bool {
    let ItemKind::Broken { keyword, .. } = &item.kind else {
        return true;
    };
    keyword.as_ref().is_some_and(|keyword| {
        Kind::from_keyword(&keyword.text).is_some() || rule_of(&keyword.text).is_some()
    })
}

/// How many items keep a thread busy for longer than it takes to start.
const ITEMS_OF_A_THREAD: usize = 200;

/// How many items a thread reads before it takes the next ones.
const PART: usize = 32;

/// Bytes of a thread's stack: brackets nested as deep as may be take a good megabyte.
const STACK: usize = 8 << 20;

/// What `read` makes of each chunk, in their order and in parts; many chunks are read on several
/// threads.
fn in_parts<T: Send>(chunks: &[Chunk], read: impl Fn(&Chunk) -> T + Sync) -> Vec<Vec<T>> {
    let threads = match chunks.len() / ITEMS_OF_A_THREAD {
        0 | 1 => 1,
        wanted => available_parallelism().map_or(1, |most| most.get().min(wanted)),
    };
    let next = AtomicUsize::new(0);
    let part = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let part = chunks.chunks(PART).nth(at)?;
        Some((at, part.iter().map(&read).collect()))
    };
    let work = || std::iter::from_fn(part).collect::<Vec<_>>();
    let mut parts = scope(|scope| {
        let start = |_| {
            let thread = Builder::new().stack_size(STACK);
            // What does not start leaves its work to the others.
            thread.spawn_scoped(scope, work).ok()
        };
        let started: Vec<_> = (1..threads).filter_map(start).collect();
        let mut parts = work();
        for thread in started {
            parts.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        parts
    });
    parts.sort_by_key(|(at, _)| *at);
    parts.into_iter().map(|(_, items)| items).collect()
}

/// What is left of an item that does not parse, and why it does not.
type Broken = (Vec<Item>, Vec<Diagnostic>);

fn read(file: FileId, text: &str, chunk: &Chunk) -> Result<Item, Broken> {
    let place = Place {
        file,
        text,
        start: chunk.range.start,
        end: chunk.range.end,
    };
    let kind = match &chunk.fault {
        Some(fault) => Err(vec![control_word(place).unwrap_or_else(|| fault.clone())]),
        None => item(place),
    };
    let span = Span::new(file, place.start, place.end);
    match kind {
        Ok(kind) => Ok(Item { kind, span }),
        Err(errors) => Err((broken(place), errors)),
    }
}

/// The complaint about an item that begins as other languages choose and repeat: `if`, `for`.
fn control_word(place: Place<'_>) -> Option<Diagnostic> {
    let written = &place.text[place.start..place.end];
    let (_, range) = Tokens::new(written).next()?;
    let word = &written[range.clone()];
    let hint = foreign::control_word(word)?;
    let span = Span::new(
        place.file,
        place.start + range.start,
        place.start + range.end,
    );
    let message = format!("unexpected `{word}`");
    Some(Diagnostic::error(Code::SyntaxError, span, message).hint(hint))
}

/// What can be seen of an item that does not parse. Where a bracket is left open it may have
/// swallowed others, which begin at the start of a line.
fn broken(place: Place<'_>) -> Vec<Item> {
    let written = &place.text[place.start..place.end];
    let is_start = |at: usize| written[at..].starts_with(char::is_alphabetic);
    let lines = written.match_indices('\n').map(|(at, _)| at + 1);
    let mut starts = vec![0];
    starts.extend(lines.filter(|at| is_start(*at)));
    let ends = starts.iter().skip(1).copied().chain([written.len()]);
    let items = starts.iter().zip(ends).map(|(start, end)| {
        let end = start + written[*start..end].trim_end().len();
        let span = Span::new(place.file, place.start + start, place.start + end);
        let kind = broken_item(place, *start..end);
        Item { kind, span }
    });
    items.collect()
}

/// `KIND name` or `use "path" as name` of an item that does not parse.
fn broken_item(place: Place<'_>, range: Range<usize>) -> ItemKind {
    let start = place.start + range.start;
    let written = &place.text[start..place.start + range.end];
    let mut tokens = Tokens::new(written).filter(|(token, _)| *token != Token::Newline);
    let name = |found: Option<(Token, Range<usize>)>| {
        let (_, range) = found.filter(|(token, _)| *token == Token::Word)?;
        let span = Span::new(place.file, start + range.start, start + range.end);
        let text = written[range].to_owned();
        Some(Name { text, span })
    };
    let keyword = name(tokens.next());
    let name = match keyword.as_ref().map(|keyword| keyword.text.as_str()) {
        Some("experiment" | "seed") | None => None,
        Some("use") => {
            tokens.find(|(_, range)| &written[range.clone()] == "as");
            name(tokens.next())
        }
        Some(_) => name(tokens.next()),
    };
    // `if n > 3 {` names nothing.
    let is_control = |word: &Name| foreign::control_word(&word.text).is_some();
    let name = name.filter(|_| !keyword.as_ref().is_some_and(is_control));
    let name = name.filter(|name| !is_reserved(&name.text));
    ItemKind::Broken { keyword, name }
}

/// The form of what a keyword begins, unless it is a kind.
fn rule_of(keyword: &str) -> Option<Rule> {
    Some(match keyword {
        "experiment" => Rule::experiment,
        "use" => Rule::import,
        "param" => Rule::param,
        "define" => Rule::define,
        "plugin" => Rule::plugin,
        "seed" => Rule::seed,
        _ => return None,
    })
}

/// What one item is, or why it cannot be read.
fn item(place: Place<'_>) -> Result<ItemKind, Vec<Diagnostic>> {
    let written = &place.text[place.start..place.end];
    let mut tokens = Tokens::new(written);
    let rule = match tokens.next() {
        Some((Token::Word, first)) => {
            let has_name = matches!(tokens.next(), Some((Token::Word, _)));
            match rule_of(&written[first]) {
                // `seed x = …` is read as a statement of an unknown kind.
                Some(Rule::seed) if has_name => Rule::statement,
                Some(Rule::plugin) if !has_name => Rule::statement,
                Some(rule) => rule,
                None => Rule::statement,
            }
        }
        _ => return Err(vec![place.no_item()]),
    };
    let pair = Grammar::parse(rule, written)
        .map_err(|error| vec![place.syntax_error(rule, &error)])?
        .next()
        .unwrap_or_else(|| unreachable!("pest gives the rule it was asked for"));
    Tree::of(place, pair)
}

#[cfg(test)]
mod tests;
