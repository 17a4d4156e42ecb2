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

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

use pest::Parser;

use self::grammar::{Grammar, Rule};
use self::layout::{Chunk, Token, Tokens, layout};
use self::place::Place;
use self::tree::Tree;
use crate::ast::{File, Item};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

pub use self::layout::{MAX_HEIGHT, MAX_NESTING};

/// The longest text that is read, in bytes.
pub const MAX_TEXT: usize = 4 << 20;

/// How many errors of one text are reported; nobody reads more.
pub const MAX_ERRORS: usize = 100;

/// The tree of a text and everything wrong with its form; what could not be read is left out.
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
            Err(errors) => diagnostics.extend(errors),
        }
    }
    diagnostics.truncate(MAX_ERRORS);
    let comments = layout.comments;
    (File { items, comments }, diagnostics)
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

fn read(file: FileId, text: &str, chunk: &Chunk) -> Result<Item, Vec<Diagnostic>> {
    if let Some(fault) = &chunk.fault {
        return Err(vec![fault.clone()]);
    }
    let place = Place {
        file,
        text,
        start: chunk.range.start,
        end: chunk.range.end,
    };
    item(place)
}

/// The tree of one item, or why there is none.
fn item(place: Place<'_>) -> Result<Item, Vec<Diagnostic>> {
    let written = &place.text[place.start..place.end];
    let mut tokens = Tokens::new(written);
    let rule = match tokens.next() {
        Some((Token::Word, first)) => match (&written[first], tokens.next()) {
            ("experiment", _) => Rule::experiment,
            ("use", _) => Rule::import,
            ("param", _) => Rule::param,
            ("define", _) => Rule::define,
            // `seed x = …` is read as a statement of an unknown kind.
            ("seed", Some((Token::Word, _))) => Rule::statement,
            ("seed", _) => Rule::seed,
            _ => Rule::statement,
        },
        _ => return Err(vec![place.no_item()]),
    };
    let pair = Grammar::parse(rule, written)
        .map_err(|error| vec![place.syntax_error(rule, &error)])?
        .next()
        .unwrap_or_else(|| unreachable!("pest gives the rule it was asked for"));
    let kind = Tree::of(place, pair)?;
    let span = Span::new(place.file, place.start, place.end);
    Ok(Item { kind, span })
}

#[cfg(test)]
mod tests;
