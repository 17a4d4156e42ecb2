//! Places as editors count them: lines from 0, and UTF-16 units in a line.

use serde::{Deserialize, Serialize};

/// A place between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    pub line: u32,
    pub character: u32,
}

/// From a place to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub start: Position,
    pub end: Position,
}

/// Where the lines of a text begin.
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1));
        Self {
            text,
            starts: starts.collect(),
        }
    }

    /// The byte at a place; the end of the line, or of the text, where the place is beyond it.
    pub fn byte(&self, position: Position) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else {
            return self.text.len();
        };
        let end = self
            .starts
            .get(line + 1)
            .map_or(self.text.len(), |next| next - 1);
        let mut units = position.character as usize;
        for (at, c) in self.text[start..end].char_indices() {
            if units < c.len_utf16() {
                return start + at;
            }
            units -= c.len_utf16();
        }
        end
    }

    /// The place of a byte; of the character it is inside of.
    pub fn position(&self, byte: usize) -> Position {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte) - 1;
        let before = &self.text[self.starts[line]..byte];
        let units: usize = before.chars().map(char::len_utf16).sum();
        Position {
            line: line as u32,
            character: units as u32,
        }
    }

    /// The places of a range of bytes.
    pub fn range(&self, start: usize, end: usize) -> Range {
        Range {
            start: self.position(start),
            end: self.position(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_and_combining_characters_are_counted_in_utf_16() {
        let text = "a😀e\u{301}z\r\nb";
        let lines = Lines::new(text);
        let at = |line, character| lines.byte(Position { line, character });
        // `😀` has 4 bytes and 2 units; `e` with its accent is two characters.
        assert_eq!((at(0, 1), at(0, 3), at(0, 5), at(0, 6)), (1, 5, 8, 9));
        assert_eq!((at(0, 2), at(0, 99), at(1, 1), at(9, 0)), (1, 10, 12, 12));
        for (byte, _) in text.char_indices().filter(|(_, c)| *c != '\n') {
            assert_eq!(lines.byte(lines.position(byte)), byte);
        }
        assert_eq!(lines.position(3), lines.position(1));
    }
}
