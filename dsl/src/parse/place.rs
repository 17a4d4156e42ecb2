//! Where the text of one item is, for turning places in the item into places in the file.

use pest::iterators::Pair;

use super::grammar::Rule;
use crate::source::{FileId, Span};

/// The text of one item.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub file: FileId,
    pub text: &'a str,
    pub start: usize,
    pub end: usize,
}

impl Place<'_> {
    /// The place of a pair in the file.
    pub(super) fn span(self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        Span::new(
            self.file,
            self.start + span.start(),
            self.start + span.end(),
        )
    }
}
