//! The text of a file piece by piece, each of whole records: no more of it need be in memory.

use std::io::{Cursor, Read};

use engine::files::DataFile;

use super::layout::Layout;
use super::scan::Scanner;
use super::text::{ByteOrder, Encoding, ZEROS, ends_in_returns, expanded, order};

/// Bytes that tell how lines end.
const FIRST: u64 = 64 << 10;

/// Whole records of a file.
#[derive(Debug)]
pub struct TextPiece {
    /// Their bytes, which may not be UTF-8 yet.
    bytes: Vec<u8>,
    /// Where the first row begins.
    pub start: usize,
}

/// Why bytes are not text.
#[derive(Debug)]
pub struct NoText {
    /// The text of the piece before them; none where the place does not matter.
    pub before: Option<String>,
    /// One line.
    pub reason: String,
}

impl From<String> for NoText {
    fn from(reason: String) -> Self {
        let before = None;
        Self { before, reason }
    }
}

impl TextPiece {
    /// Its text.
    ///
    /// # Errors
    /// The first byte that is no text.
    pub fn text(self) -> Result<String, NoText> {
        if self.bytes.contains(&0) {
            return Err(ZEROS.to_owned().into());
        }
        String::from_utf8(self.bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            let wrong = bytes.get(valid).copied().unwrap_or_default();
            bytes.truncate(valid);
            let before = String::from_utf8(bytes).unwrap_or_default();
            NoText {
                before: Some(before),
                reason: format!("byte 0x{wrong:02X} is not UTF-8"),
            }
        })
    }
}

/// The records of a file, in pieces of about a size.
pub struct TextPieces<'l> {
    layout: &'l Layout,
    body: Box<dyn Read + Send>,
    encoding: Option<Encoding>,
    /// How the file encodes characters; none before its first bytes.
    form: Option<Encoded>,
    /// Whether lines end with carriage returns alone.
    has_returns: bool,
    /// What was read after the last piece, in UTF-8.
    rest: Vec<u8>,
    /// Bytes within a character.
    half: Vec<u8>,
    is_after_return: bool,
    /// Where the first row begins.
    start: usize,
    size: usize,
    is_end: bool,
}

/// How the bytes of a file are to be read.
#[derive(Clone, Copy)]
struct Encoded {
    order: Option<ByteOrder>,
    is_latin: bool,
}

impl Encoded {
    /// Whether the bytes are those of the text.
    fn is_plain(self) -> bool {
        self.order.is_none() && !self.is_latin
    }
}

impl<'l> TextPieces<'l> {
    /// Those of a file with this layout, of about `size` bytes each.
    ///
    /// # Errors
    /// Why it is not text, in one line.
    pub fn of(
        file: &DataFile,
        layout: &'l Layout,
        encoding: Option<Encoding>,
        size: usize,
    ) -> Result<Self, String> {
        let mut body = expanded(file)?;
        let mut first = Vec::new();
        let read = body.by_ref().take(FIRST).read_to_end(&mut first);
        read.map_err(|error| error.to_string())?;
        // UTF-16 has zeros beside the ends of lines.
        let units: Vec<u8> = first.iter().copied().filter(|byte| *byte != 0).collect();
        Ok(Self {
            layout,
            body: Box::new(Cursor::new(first).chain(body)),
            encoding,
            form: None,
            has_returns: ends_in_returns(&units),
            rest: Vec::new(),
            half: Vec::new(),
            is_after_return: false,
            start: layout.body,
            size,
            is_end: false,
        })
    }

    /// The next piece; none after the last.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next(&mut self) -> Result<Option<TextPiece>, NoText> {
        let mut size = self.size;
        loop {
            self.read(size)?;
            let cut = match self.is_end {
                true => self.rest.len(),
                false => self.cut(),
            };
            if cut > self.start || self.is_end {
                if cut == 0 {
                    return Ok(None);
                }
                let rest = self.rest.split_off(cut);
                let bytes = std::mem::replace(&mut self.rest, rest);
                let start = std::mem::take(&mut self.start).min(bytes.len());
                return Ok(Some(TextPiece { bytes, start }));
            }
            // A record longer than a piece.
            size = size.saturating_mul(2);
        }
    }

    /// Reads until the rest has as many bytes, or all.
    fn read(&mut self, size: usize) -> Result<(), NoText> {
        while self.rest.len() < size && !self.is_end {
            let wanted = size - self.rest.len();
            let mut body = self.body.by_ref().take(wanted as u64);
            let is_plain = !self.has_returns && self.form.is_some_and(Encoded::is_plain);
            let mut read = std::mem::take(&mut self.half);
            let bytes = if is_plain { &mut self.rest } else { &mut read };
            bytes.reserve(wanted);
            let count = body.read_to_end(bytes).map_err(|error| error.to_string())?;
            self.is_end = count == 0;
            if !is_plain {
                self.add(read)?;
            }
        }
        Ok(())
    }

    /// Adds bytes of the file to the rest.
    fn add(&mut self, mut bytes: Vec<u8>) -> Result<(), NoText> {
        let is_first = self.form.is_none();
        let form = self.form.unwrap_or_else(|| Encoded {
            order: order(&bytes, self.encoding),
            is_latin: self.encoding == Some(Encoding::Latin1),
        });
        match form.order {
            Some(order) => bytes = self.of_utf16(&bytes, order)?,
            None if form.is_latin => {
                let text: String = bytes.iter().copied().map(char::from).collect();
                bytes = text.into_bytes();
            }
            None => {}
        }
        if is_first && bytes.starts_with(b"\xef\xbb\xbf") && !form.is_latin {
            bytes.drain(..3);
        }
        self.form = Some(form);
        if self.has_returns {
            for byte in bytes {
                // A pair is one end of a line.
                if byte != b'\n' || !self.is_after_return {
                    self.rest.push(if byte == b'\r' { b'\n' } else { byte });
                }
                self.is_after_return = byte == b'\r';
            }
        } else if self.rest.is_empty() {
            self.rest = bytes;
        } else {
            self.rest.extend(bytes);
        }
        Ok(())
    }

    /// The text of bytes in UTF-16; those of a character that is not complete wait.
    fn of_utf16(&mut self, bytes: &[u8], order: ByteOrder) -> Result<Vec<u8>, NoText> {
        let (pairs, odd) = bytes.as_chunks::<2>();
        let is_high = |pair: &[u8; 2]| (0xd800..0xdc00).contains(&order(*pair));
        let waiting = pairs.last().filter(|pair| is_high(pair) && !self.is_end);
        let pairs = &pairs[..pairs.len() - usize::from(waiting.is_some())];
        if self.is_end && !odd.is_empty() {
            return Err("it ends within a character of UTF-16".to_owned().into());
        }
        self.half.extend(waiting.into_iter().flatten());
        self.half.extend(odd);
        let mut text = String::with_capacity(bytes.len());
        for unit in char::decode_utf16(pairs.iter().map(|pair| order(*pair))) {
            match unit {
                Ok('\u{feff}') if self.form.is_none() && text.is_empty() => {}
                Ok(character) => text.push(character),
                Err(error) => {
                    let wrong = error.unpaired_surrogate();
                    let before = String::from_utf8_lossy(&self.rest) + &*text;
                    return Err(NoText {
                        before: Some(before.into_owned()),
                        reason: format!("0x{wrong:04X} is not UTF-16"),
                    });
                }
            }
        }
        Ok(text.into_bytes())
    }

    /// Where the last whole record of the rest ends; 0 where none does.
    fn cut(&self) -> usize {
        let end = self.rest.iter().rposition(|byte| *byte == b'\n');
        let end = end.map_or(0, |end| end + 1);
        let (whole, start) = (&self.rest[..end], self.start);
        if start >= end || !whole[start..].contains(&b'"') {
            return if start >= end { 0 } else { end };
        }
        // A line may end within quotes: record by record.
        let mut scanner = Scanner::of_bytes(
            whole,
            start,
            self.layout.separator,
            self.layout.comment.as_deref(),
        );
        let (mut last, mut fields) = (0, Vec::new());
        loop {
            match scanner.next(&mut fields) {
                Ok(true) => last = scanner.at.min(end),
                Ok(false) => return end,
                Err(problem) if problem.message == super::scan::OPEN => return last,
                // The parser of the record reports what is wrong with it.
                Err(_) => return end,
            }
        }
    }
}
