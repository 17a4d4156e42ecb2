//! What evaluating an expression says beside its value.

use super::reads::Reads;
use crate::source::Span;

/// What was met on the way; whoever asks for a value says where to note it.
#[derive(Default)]
pub struct Notes {
    /// The swept params and choices that were read.
    pub reads: Reads,
    /// The columns that were named, with their places.
    pub columns: Vec<(String, Span)>,
}

impl Notes {
    /// Adds what a part of the expression noted.
    pub fn add(&mut self, mut part: Notes) {
        self.reads |= part.reads;
        self.columns.append(&mut part.columns);
    }
}
