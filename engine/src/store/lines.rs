//! The line format of the store's journals: `<16 hex digits> <json>\n`. The digits are the start
//! of the blake3 digest of the JSON, so that damage is found line by line.

use std::io::{self, BufRead, Read};
use std::panic::resume_unwind;
use std::thread;

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::Fault;

/// The most bytes of a line; bounds the memory that a damaged file can use.
const LONGEST: u64 = 16 << 20;

/// Bytes decoded at a time: enough for all cores, and few beside what is kept of them.
const BLOCK: u64 = 4 << 20;

/// More bytes than most lines have.
const USUAL: u64 = 64 << 10;

/// Fewer bytes are decoded faster than a thread starts.
const WORTH_A_THREAD: usize = 1 << 20;

/// About as long are short lines.
pub(super) const BYTES_OF_A_LINE: usize = 512;

/// Hex digits of the checksum.
const CHECK: usize = 16;

/// The line of an entry, with its line break.
///
/// # Errors
/// When the entry is too long, which is a bug.
pub(crate) fn encode(json: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut line = Digest::of(json).to_string().into_bytes();
    line.truncate(CHECK);
    line.push(b' ');
    line.extend_from_slice(json);
    line.push(b'\n');
    if line.len() as u64 > LONGEST {
        let length = line.len();
        return Err(Fault::Bug(format!(
            "a record of {length} bytes is too long to store"
        )));
    }
    Ok(line)
}

/// Decodes an entry from its JSON, if it is valid. The JSON is a piece of a block, which stays in memory as
/// long as a piece of it does.
pub(crate) type Decode<T> = fn(Bytes) -> Option<T>;

/// The entry of a line without its line break, or what is wrong with it.
pub(super) fn decode<T>(
    line: &[u8],
    entry: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, &'static str> {
    let (check, rest) = line.split_at_checked(CHECK).ok_or("too short")?;
    let json = rest.strip_prefix(b" ").ok_or("no checksum")?;
    if !Digest::of(json).begins_with(check) {
        return Err("wrong checksum");
    }
    entry(json).ok_or("unknown entry")
}

/// The byte at which a line starts, and its entry or what is wrong with it.
pub(crate) type Entry<T> = (u64, Result<T, &'static str>);

/// The complete lines of a file, decoded block by block in bounded memory.
pub(crate) struct Blocks<R> {
    reader: R,
    end: u64,
}

impl<R: BufRead> Blocks<R> {
    /// The lines from the position of the reader, byte `start` of the file.
    pub(crate) fn new(reader: R, start: u64) -> Self {
        Self { reader, end: start }
    }

    /// Where the last complete line ended.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The next entries in order; none at the end of the file. An incomplete last line does not
    /// count, as its writer was killed or is still writing, unless no writer writes such a line.
    pub(crate) fn next<T: Send>(&mut self, entry: Decode<T>) -> io::Result<Vec<Entry<T>>> {
        let Self { reader, .. } = self;
        let mut block = Vec::with_capacity((BLOCK + USUAL) as usize);
        reader.by_ref().take(BLOCK).read_to_end(&mut block)?;
        if !block.ends_with(b"\n") {
            reader
                .by_ref()
                .take(LONGEST)
                .read_until(b'\n', &mut block)?;
        }
        // A store may have thousands of short segments, each a block that stays.
        if block.len() < block.capacity() / 2 {
            block.shrink_to_fit();
        }
        let line_end = block.iter().rposition(|byte| *byte == b'\n');
        let mut lines = Bytes::from(block);
        let rest = lines.split_off(line_end.map_or(0, |at| at + 1));
        let mut entries = decode_block(&lines, self.end, entry);
        self.end += lines.len() as u64;
        if rest.len() as u64 >= LONGEST {
            entries.push((self.end, Err("too long")));
            self.end += rest.len() as u64 + reader.skip_until(b'\n')? as u64;
        } else if !may_be_begun(&rest) {
            entries.push((self.end, Err("not a line")));
        }
        Ok(entries)
    }
}

/// Whether a line may begin like this.
fn may_be_begun(rest: &[u8]) -> bool {
    let (check, json) = rest.split_at(rest.len().min(CHECK));
    let is_begun = json.is_empty() || json.starts_with(b" ");
    is_begun && check.iter().all(u8::is_ascii_hexdigit)
}

/// The entries of complete lines, in order; large blocks are decoded on all cores.
fn decode_block<T: Send>(block: &Bytes, start: u64, entry: Decode<T>) -> Vec<Entry<T>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(1 + block.len() / WORTH_A_THREAD);
    if threads == 1 {
        return decode_lines(block, block, start, entry);
    }
    let pieces = split_lines(block, threads);
    thread::scope(|scope| {
        let mut workers = Vec::new();
        let mut from = start;
        for piece in pieces {
            workers.push(scope.spawn(move || decode_lines(piece, block, from, entry)));
            from += piece.len() as u64;
        }
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

/// The entries of lines of a block.
fn decode_lines<T>(lines: &[u8], block: &Bytes, mut start: u64, entry: Decode<T>) -> Vec<Entry<T>> {
    let mut entries = Vec::with_capacity(1 + lines.len() / BYTES_OF_A_LINE);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        entries.push((start, decode(text, |json| entry(block.slice_ref(json)))));
        start += line.len() as u64;
    }
    entries
}

/// About equal pieces of complete lines.
fn split_lines(mut block: &[u8], count: usize) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for left in (1..=count).rev() {
        let (share, beyond) = block.split_at(block.len() / left);
        let to_line_end = beyond.iter().position(|byte| *byte == b'\n');
        let cut = to_line_end.map_or(block.len(), |at| share.len() + at + 1);
        let (piece, rest) = block.split_at(cut);
        pieces.push(piece);
        block = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn encode(entry: &str) -> Vec<u8> {
        super::encode(&serde_json::to_vec(entry).unwrap()).unwrap()
    }

    fn read_all(bytes: &[u8]) -> Vec<Result<String, &'static str>> {
        let mut blocks = Blocks::new(bytes, 0);
        let mut entries = Vec::new();
        loop {
            let end = blocks.end();
            let block = blocks
                .next(|json| serde_json::from_slice(&json).ok())
                .unwrap();
            if block.is_empty() {
                return entries;
            }
            assert_eq!(block[0].0, end);
            entries.extend(block.into_iter().map(|(_, entry)| entry));
        }
    }

    #[test]
    fn format_is_stable() {
        let line = String::from_utf8(encode("a\nb")).unwrap();
        expect![[r#"
            5769c93fea7830ed "a\nb"
        "#]]
        .assert_eq(&line);
    }

    #[test]
    fn corrupt_lines_are_told_apart_from_the_rest() {
        let mut bytes = encode("one");
        bytes.extend_from_slice(b"short\n");
        bytes.extend_from_slice(b"0123456789abcdefg\"no blank\"\n");
        bytes.extend_from_slice(b"0123456789abcdef \"other\"\n");
        bytes.extend_from_slice(&super::encode(b"17").unwrap());
        bytes.extend_from_slice(&encode("two"));
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
                Err("not a line"),
            ]
        );
    }

    #[test]
    fn a_huge_line_is_skipped_whole() {
        let mut bytes = vec![b'x'; (BLOCK + LONGEST) as usize * 2 + 3];
        bytes.push(b'\n');
        bytes.extend_from_slice(&encode("after"));
        assert_eq!(read_all(&bytes), [Err("too long"), Ok("after".to_owned())]);
        assert!(super::encode(&vec![b'1'; LONGEST as usize]).is_err());
    }

    #[test]
    fn many_blocks_and_threads_keep_the_order() {
        let mut bytes = Vec::new();
        let entries: Vec<String> = (0..40)
            .map(|number: usize| number.to_string().repeat(number * 20_000))
            .collect();
        for entry in &entries {
            bytes.extend(encode(entry));
        }
        assert!(bytes.len() as u64 > BLOCK);
        assert!(read_all(&bytes).into_iter().eq(entries.into_iter().map(Ok)));
    }

    proptest! {
        #[test]
        fn pieces_are_whole_lines_and_make_the_block(text in "[a\n]{0,40}\n", count in 1..6_usize) {
            let pieces = split_lines(text.as_bytes(), count);
            prop_assert_eq!(pieces.concat(), text.as_bytes());
            prop_assert!(pieces.iter().all(|piece| piece.is_empty() || piece.ends_with(b"\n")));
        }

        #[test]
        fn any_prefix_gives_its_complete_lines(
            entries in prop::collection::vec(".*", 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let lines: Vec<Vec<u8>> = entries.iter().map(|entry| encode(entry)).collect();
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
            let mut bytes = entries.each_ref().map(|entry| encode(entry)).concat();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let found: Vec<String> = read_all(&bytes).into_iter().flatten().collect();
            prop_assert!(found.len() >= 2);
            prop_assert!(found.iter().all(|entry| entries.contains(entry)));
        }
    }
}
