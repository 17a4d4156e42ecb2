//! The line format of the store's journals: `<16 hex digits> <json>\n`, the digits being
//! the start of the blake3 digest of the JSON, so that damage is seen line by line.

use std::io::{self, BufRead, Read};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::error::Fault;

/// Bytes a line may have; bounds what a damaged file makes us read into memory.
const LONGEST: u64 = 16 << 20;

/// Hex digits of the checksum.
const CHECK: usize = 16;

/// One entry as a line, with its line end.
///
/// # Errors
/// When the entry has no JSON form or is too long, which is a bug.
pub(super) fn encode(entry: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let json = serde_json::to_vec(entry).map_err(|error| Fault::Bug(error.to_string()))?;
    let mut line = Digest::of(&json).to_string().into_bytes();
    line.truncate(CHECK);
    line.push(b' ');
    line.extend_from_slice(&json);
    line.push(b'\n');
    if line.len() as u64 > LONGEST {
        let length = line.len();
        return Err(Fault::Bug(format!(
            "a record of {length} bytes is too long to keep"
        )));
    }
    Ok(line)
}

fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, &'static str> {
    let (check, rest) = line.split_at_checked(CHECK).ok_or("too short")?;
    let json = rest.strip_prefix(b" ").ok_or("no checksum")?;
    if !Digest::of(json).to_string().as_bytes().starts_with(check) {
        return Err("wrong checksum");
    }
    serde_json::from_slice(json).map_err(|_| "unknown entry")
}

/// The complete lines of a file, read one by one in bounded memory.
pub(super) struct Lines<R> {
    reader: R,
    end: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The lines from here on, which is byte `start` of the file.
    pub(super) fn new(reader: R, start: u64) -> Self {
        Self {
            reader,
            end: start,
            buffer: Vec::new(),
        }
    }

    /// Where the last complete line ended.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The next line: the byte it starts at and its entry, or what is wrong with it. A last
    /// line without its end is none: its writer was killed, or is still writing.
    pub(super) fn next<T: DeserializeOwned>(
        &mut self,
    ) -> io::Result<Option<(u64, Result<T, &'static str>)>> {
        self.buffer.clear();
        let start = self.end;
        let mut limited = self.reader.by_ref().take(LONGEST);
        let taken = limited.read_until(b'\n', &mut self.buffer)? as u64;
        if let Some(line) = self.buffer.strip_suffix(b"\n") {
            self.end += taken;
            return Ok(Some((start, decode(line))));
        }
        if taken < LONGEST {
            return Ok(None);
        }
        self.end += taken + self.reader.skip_until(b'\n')? as u64;
        Ok(Some((start, Err("too long"))))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8]) -> Vec<Result<String, &'static str>> {
        let mut lines = Lines::new(bytes, 0);
        std::iter::from_fn(|| lines.next().unwrap().map(|(_, entry)| entry)).collect()
    }

    #[test]
    fn format_is_stable() {
        let line = String::from_utf8(encode(&"a\nb").unwrap()).unwrap();
        expect![[r#"
            c0ffee0000000000 "a\nb"
        "#]]
        .assert_eq(&line);
    }

    #[test]
    fn corrupt_lines_are_told_apart_from_the_rest() {
        let mut bytes = encode(&"one").unwrap();
        bytes.extend_from_slice(b"short\n");
        bytes.extend_from_slice(b"0123456789abcdefg\"no blank\"\n");
        bytes.extend_from_slice(b"0123456789abcdef \"other\"\n");
        bytes.extend_from_slice(&encode(&17).unwrap());
        bytes.extend_from_slice(&encode(&"two").unwrap());
        bytes.extend_from_slice(b"\xff\0torn");
        assert_eq!(
            read_all(&bytes),
            [
                Ok("one".to_owned()),
                Err("too short"),
                Err("no checksum"),
                Err("wrong checksum"),
                Err("unknown entry"),
                Ok("two".to_owned()),
            ]
        );
    }

    #[test]
    fn a_huge_line_is_skipped_whole() {
        let mut bytes = vec![b'x'; LONGEST as usize * 2 + 3];
        bytes.push(b'\n');
        bytes.extend_from_slice(&encode(&"after").unwrap());
        assert_eq!(read_all(&bytes), [Err("too long"), Ok("after".to_owned())]);
        assert!(encode(&"x".repeat(LONGEST as usize)).is_err());
    }

    proptest! {
        #[test]
        fn any_prefix_gives_its_complete_lines(
            entries in prop::collection::vec(".*", 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let lines: Vec<Vec<u8>> = entries.iter().map(|entry| encode(entry).unwrap()).collect();
            let bytes = lines.concat();
            let prefix = &bytes[..cut.index(bytes.len() + 1)];
            let complete = prefix.iter().filter(|byte| **byte == b'\n').count();
            let expected: Vec<_> = entries.into_iter().take(complete).map(Ok).collect();
            prop_assert_eq!(read_all(prefix), expected);
        }

        #[test]
        fn any_changed_byte_loses_at_most_two_lines(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let entries = ["one", "two", "three", "four"].map(str::to_owned);
            let mut bytes = entries.each_ref().map(|entry| encode(entry).unwrap()).concat();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let found: Vec<String> = read_all(&bytes).into_iter().flatten().collect();
            prop_assert!(found.len() >= 2);
            prop_assert!(found.iter().all(|entry| entries.contains(entry)));
        }
    }
}
