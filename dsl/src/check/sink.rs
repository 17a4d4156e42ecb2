//! Where diagnostics go while a file is checked.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// Every diagnostic so far, in the order found.
#[derive(Default)]
pub struct Sink {
    found: Vec<Diagnostic>,
}

/// How many diagnostics are given at most.
const MAX_DIAGNOSTICS: usize = 100;
/// Past this many, other sweep points have nothing new to say.
const ENOUGH: usize = 1000;

impl Sink {
    /// With what was found before.
    pub fn new(found: Vec<Diagnostic>) -> Self {
        Self { found }
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// How many were reported.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Takes back those after the first `count`.
    pub fn take_after(&mut self, count: usize) -> Vec<Diagnostic> {
        self.found.split_off(count)
    }

    /// Takes back, of those after the first `before`, what refuses the right side of an operator as
    /// a whole where its left side is refused, too, or that of an operator in it.
    pub fn once_for_both(&mut self, before: usize, [left, right]: [Span; 2]) {
        let place = |it: &Diagnostic| {
            let is_refusal = matches!(it.code, Code::WrongKind | Code::WrongType);
            it.labels.first().filter(|_| is_refusal).map(|it| it.span)
        };
        let is_side =
            |it: Span| it.file == left.file && (it.start == left.start || it.end == left.end);
        let mut since = self.found.split_off(before);
        if since.iter().any(|it| place(it).is_some_and(is_side)) {
            since.retain(|it| place(it) != Some(right));
        }
        self.found.append(&mut since);
    }

    /// Says more in those after the first `count`.
    pub fn amend_after(&mut self, count: usize, amend: impl FnMut(&mut Diagnostic)) {
        self.found.iter_mut().skip(count).for_each(amend);
    }

    pub fn has_errors(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// Whether nobody would read more.
    pub fn is_full(&self) -> bool {
        self.found.len() > ENOUGH
    }

    /// All of them in the order of the text, each once, not more than anyone reads.
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.found;
        diagnostics.sort_by_cached_key(|diagnostic| {
            let place = diagnostic.labels.first().map(|label| label.span);
            (place, diagnostic.code, diagnostic.message.clone())
        });
        diagnostics.dedup();
        let mut diagnostics = first_of_calls(diagnostics);
        let more = diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
        // Errors are what must not be cut off.
        if more > 0 {
            diagnostics.sort_by_key(|diagnostic| diagnostic.severity);
            diagnostics.truncate(MAX_DIAGNOSTICS);
            if let Some(last) = diagnostics.last_mut() {
                last.hints.push(format!("{more} more are not shown"));
            }
        }
        diagnostics
    }
}

/// Of what is wrong at one place of a definition wherever it is called, the first.
fn first_of_calls(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |diagnostic: &Diagnostic| diagnostic.labels.first().map(|label| label.span);
    let is_same = |a: &Diagnostic, b: &Diagnostic| {
        place(a).is_some() && (place(a), a.code, &a.message) == (place(b), b.code, &b.message)
    };
    let told = diagnostics.chunk_by(is_same).map(|alike| {
        let first = alike[0].clone();
        match alike.len() - 1 {
            0 => first,
            1 => first.hint("the same in one more call"),
            more => first.hint(format!("the same in {more} more calls")),
        }
    });
    told.collect()
}
