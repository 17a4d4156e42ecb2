//! Text tables: from the bytes of a file to columns.
//!
//! `text` undoes compression and encoding, `scan` cuts records into fields, `layout` finds
//! separator, header and the marks of numbers, `field` reads one field, `infer` says what a
//! column holds, `pieces` cuts the text into whole records, `parse` reads the rows of one.

pub mod field;
pub mod infer;
pub mod layout;
pub mod parse;
pub mod pieces;
pub mod scan;
pub mod text;

/// What is wrong at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The byte it is about.
    pub at: usize,
    /// One line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The line and the column of a byte, both from 1; columns count characters.
pub fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
    (line, column)
}
