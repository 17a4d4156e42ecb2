//! The text of a file: gz and zst undone within bounds, UTF-16 and Latin-1 decoded. A head of it for
//! the layout; [`pieces`](super::pieces) has all of it.

use std::io::{self, BufReader, Read};

use engine::files::DataFile;
use flate2::bufread::MultiGzDecoder;

/// How bytes encode characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One to four bytes a character.
    Utf8,
    /// Two or four bytes a character, in the order that the first two tell.
    Utf16,
    /// A byte a character.
    Latin1,
}

/// A text, or the beginning of one.
#[derive(Debug)]
pub struct Text {
    /// The characters, without a mark of the order of bytes.
    pub text: String,
    /// Whether it is all of the file.
    pub is_whole: bool,
}

/// A compressed text may have this many bytes whatever its size is.
const FREE: u64 = 64 << 20;

/// And this many bytes for every compressed one: no table of numbers shrinks so far.
const MOST_EXPANDED: u64 = 200;

/// The first `limit` bytes of a file as text.
///
/// # Errors
/// Why it is not text, in one line.
pub fn head(file: &DataFile, encoding: Option<Encoding>, limit: u64) -> Result<Text, String> {
    let mut bytes = Vec::new();
    let body = expanded(file)?.take(limit);
    { body }
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let is_whole = (bytes.len() as u64) < limit;
    let text = with_line_feeds(decoded(bytes, encoding, is_whole)?);
    Ok(Text { text, is_whole })
}

/// Whether the first line ends with a carriage return alone.
pub(super) fn ends_in_returns(text: &[u8]) -> bool {
    let mut ends = { text.iter() }.skip_while(|byte| !matches!(byte, b'\r' | b'\n'));
    ends.next() == Some(&b'\r') && ends.next() != Some(&b'\n')
}

/// The text with lines that end as ours do, when the first ends with a carriage return alone.
fn with_line_feeds(text: String) -> String {
    match ends_in_returns(text.as_bytes()) {
        true => text.replace("\r\n", "\n").replace('\r', "\n"),
        false => text,
    }
}

/// The bytes of a file, no longer compressed.
pub(super) fn expanded(file: &DataFile) -> Result<Box<dyn Read + Send>, String> {
    let mut start = [0; 4];
    let length = start.len().min(file.size() as usize);
    let told = |error: io::Error| error.to_string();
    file.read_at(0, &mut start[..length]).map_err(told)?;
    let body = file.reader();
    let buffered = |body| BufReader::with_capacity(1 << 16, body);
    let expanded: Box<dyn Read + Send> = match start {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(buffered(body))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(zstd::stream::read::Decoder::with_buffer(buffered(body)).map_err(told)?)
        }
        [b'P', b'K', 3, 4] => return Err("it is a zip archive".to_owned()),
        [b'B', b'Z', b'h', _] => return Err("it is compressed by bzip2".to_owned()),
        [0xfd, b'7', b'z', b'X'] => return Err("it is compressed by xz".to_owned()),
        _ => return Ok(Box::new(body)),
    };
    let size = file.size();
    Ok(Box::new(Bounded {
        body: expanded,
        size,
        most: most_expanded(size),
        read: 0,
    }))
}

/// What a compressed text expands to, within bounds.
struct Bounded<R> {
    body: R,
    /// How many bytes are compressed.
    size: u64,
    most: u64,
    read: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(bytes)?;
        self.read += count as u64;
        match self.read > self.most {
            true => Err(io::Error::other(format!(
                "{} bytes expand to more than {}: too many for a table",
                self.size, self.most
            ))),
            false => Ok(count),
        }
    }
}

/// How many bytes a compressed text may have.
fn most_expanded(size: u64) -> u64 {
    FREE.max(size.saturating_mul(MOST_EXPANDED))
}

fn decoded(
    mut bytes: Vec<u8>,
    encoding: Option<Encoding>,
    is_whole: bool,
) -> Result<String, String> {
    if let Some(order) = order(&bytes, encoding) {
        return of_utf16(&bytes, order, is_whole);
    }
    if bytes.contains(&0) {
        return Err(ZEROS.to_owned());
    }
    if encoding == Some(Encoding::Latin1) {
        return Ok(bytes.into_iter().map(char::from).collect());
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).or_else(|error| {
        let valid = error.utf8_error().valid_up_to();
        let is_cut = error.utf8_error().error_len().is_none() && !is_whole;
        let mut bytes = error.into_bytes();
        let wrong = bytes.get(valid).copied().unwrap_or_default();
        bytes.truncate(valid);
        let before = String::from_utf8(bytes).unwrap_or_default();
        if is_cut {
            return Ok(before);
        }
        let (line, column) = super::place(&before, before.len());
        Err(format!(
            "line {line}, column {column}: byte 0x{wrong:02X} is not UTF-8"
        ))
    })
}

/// What text never has.
pub(super) const ZEROS: &str = "it is not text: it contains zero bytes";

/// The order of the two bytes of UTF-16.
pub(super) type ByteOrder = fn([u8; 2]) -> u16;

/// The order of the bytes of UTF-16, by the first bytes of a file in it.
pub(super) fn order(bytes: &[u8], encoding: Option<Encoding>) -> Option<ByteOrder> {
    let order: Option<ByteOrder> = match *bytes {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        // The first character of a table is a plain one.
        [0, _, ..] if encoding == Some(Encoding::Utf16) => Some(u16::from_be_bytes),
        _ if encoding == Some(Encoding::Utf16) => Some(u16::from_le_bytes),
        _ => None,
    };
    order.filter(|_| encoding != Some(Encoding::Latin1))
}

fn of_utf16(bytes: &[u8], order: ByteOrder, is_whole: bool) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if is_whole && !rest.is_empty() {
        return Err("it ends within a character of UTF-16".to_owned());
    }
    let mut text = String::with_capacity(pairs.len());
    let mut units = char::decode_utf16(pairs.iter().map(|pair| order(*pair))).peekable();
    while let Some(unit) = units.next() {
        match unit {
            Ok('\u{feff}') if text.is_empty() => {}
            Ok(character) => text.push(character),
            Err(_) if !is_whole && units.peek().is_none() => {}
            Err(error) => {
                let (line, column) = super::place(&text, text.len());
                let wrong = error.unpaired_surrogate();
                return Err(format!(
                    "line {line}, column {column}: 0x{wrong:04X} is not UTF-16"
                ));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_by_their_first_bytes() {
        let whole = |bytes: &[u8], encoding| decoded(bytes.to_vec(), encoding, true);
        assert_eq!(whole(b"\xef\xbb\xbfa,\xc3\xa9", None), Ok("a,é".to_owned()));
        assert_eq!(whole(b"\xff\xfea\0,\0", None), Ok("a,".to_owned()));
        assert_eq!(whole(b"\xfe\xff\0a\0,", None), Ok("a,".to_owned()));
        assert_eq!(whole(b"a\0,\0", Some(Encoding::Utf16)), Ok("a,".to_owned()));
        assert_eq!(whole(b"\xe9", Some(Encoding::Latin1)), Ok("é".to_owned()));
        assert_eq!(
            whole(b"a,b\n1,\xe9\n", None),
            Err("line 2, column 3: byte 0xE9 is not UTF-8".to_owned())
        );
        assert!(whole(b"a\0,\0", None).is_err());
        let lines = |text: &str| with_line_feeds(text.to_owned());
        assert_eq!(lines("a,b\r1,2\r"), "a,b\n1,2\n");
        assert_eq!(lines("a\r\n1\r"), "a\r\n1\r");
        // A beginning may end within a character.
        assert_eq!(decoded(b"a\xc3".to_vec(), None, false), Ok("a".to_owned()));
    }
}
