//! A segment: records of one upload, compressed, signed as a whole.
//!
//! ```text
//! farcast segment 1
//! <milliseconds since 1970>
//! <public key>
//! <signature of the lines above and of the digest of the rest>
//! <zstd of lines as in a journal>
//! ```
//!
//! Its name has the time and the digest of all its bytes, so a damaged or renamed one shows
//! without a key. The time is signed: nobody brings back an old segment.

use std::io::BufReader;

use super::signature::{PublicKey, SecretKey, Signature};
use crate::digest::Digest;
use crate::error::Fault;
use crate::store::{Blocks, Line, encode_line};

/// The folder of segments.
pub(super) const FOLDER: &str = "segments";

/// The largest segment that is read.
pub(super) const LARGEST: u64 = 256 << 20;

/// The most that one may inflate to.
const INFLATED: u64 = 1 << 30;

/// More records than this go into more segments.
pub(super) const RECORDS: usize = 50_000;

/// So do longer ones.
const BYTES: usize = 256 << 20;

const HEAD: &str = "farcast segment 1";
const ENDING: &str = ".seg";

/// A segment that is what its name says, signed by the owner of a key.
pub(super) struct Segment<'a> {
    /// Who signed it.
    pub signer: PublicKey,
    packed: &'a [u8],
}

/// The lines of each segment.
pub(super) fn batches(lines: &[Line]) -> Vec<&[Line]> {
    let mut batches = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |line: &&Line| {
            bytes += line.json().len();
            bytes <= BYTES
        };
        let count = rest.iter().take(RECORDS).take_while(fits).count();
        let (batch, others) = rest.split_at(count.max(1));
        batches.push(batch);
        rest = others;
    }
    batches
}

/// A segment with these lines of a journal; its name and its bytes.
pub(super) fn seal(
    lines: &[Line],
    millis: u64,
    key: &SecretKey,
) -> Result<(String, Vec<u8>), Fault> {
    let mut text = Vec::new();
    for line in lines {
        text.extend(encode_line(line.json())?);
    }
    let packed = zstd::bulk::compress(&text, 3)?;
    Ok(seal_packed(&packed, millis, key))
}

/// The same with whatever is compressed.
pub(super) fn seal_packed(packed: &[u8], millis: u64, key: &SecretKey) -> (String, Vec<u8>) {
    let head = head(millis, &key.public());
    let signature = key.sign(&message(&head, packed));
    let mut bytes = format!("{head}{signature}\n").into_bytes();
    bytes.extend(packed);
    let name = format!("{millis:015}-{}{ENDING}", Digest::of(&bytes));
    (name, bytes)
}

/// Judges the bytes of a segment of this name.
///
/// # Errors
/// What is wrong with it, in a few words.
pub(super) fn judge<'a>(name: &str, bytes: &'a [u8]) -> Result<Segment<'a>, &'static str> {
    let (millis, digest) = parts(name).ok_or("has no name of a segment")?;
    if Digest::of(bytes) != digest {
        return Err("is damaged");
    }
    let mut lines = bytes.splitn(5, |byte| *byte == b'\n');
    let mut next = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    if next() != Some(HEAD) {
        return Err("is written by another version of farcast");
    }
    let unsigned = "has no signature";
    let signed_at: u64 = next().and_then(|it| it.parse().ok()).ok_or(unsigned)?;
    let signer: PublicKey = next().and_then(|it| it.parse().ok()).ok_or(unsigned)?;
    let signature: Signature = next().and_then(|it| it.parse().ok()).ok_or(unsigned)?;
    let packed = lines.next().ok_or(unsigned)?;
    let message = message(&head(signed_at, &signer), packed);
    if signed_at != millis || !signer.has_signed(&message, &signature) {
        return Err("has a forged signature");
    }
    Ok(Segment { signer, packed })
}

/// The time and the digest in the name of a segment.
pub(super) fn parts(name: &str) -> Option<(u64, Digest)> {
    let (millis, digest) = name.strip_suffix(ENDING)?.split_once('-')?;
    let is_plain = millis.len() == 15 && millis.bytes().all(|byte| byte.is_ascii_digit());
    let is_written = |digest: &Digest, text: &str| digest.to_string() == text;
    let parsed = digest.parse().ok().filter(|it| is_written(it, digest))?;
    is_plain.then_some((millis.parse().ok()?, parsed))
}

impl Segment<'_> {
    /// Its lines that this farcast understands.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(super) fn lines(&self) -> Result<Vec<Line>, &'static str> {
        let broken = |_| "does not unpack";
        let unpacked = zstd::stream::read::Decoder::new(self.packed).map_err(broken)?;
        let unpacked = std::io::Read::take(unpacked, INFLATED);
        let mut blocks = Blocks::new(BufReader::with_capacity(1 << 18, unpacked), 0);
        let mut lines = Vec::new();
        loop {
            let entries = blocks.next(Line::from_json).map_err(broken)?;
            if entries.is_empty() {
                return Ok(lines);
            }
            lines.extend(entries.into_iter().filter_map(|(_, line)| line.ok()));
        }
    }
}

fn head(millis: u64, key: &PublicKey) -> String {
    format!("{HEAD}\n{millis}\n{key}\n")
}

fn message(head: &str, packed: &[u8]) -> Vec<u8> {
    format!("{head}{}\n", Digest::of(packed)).into_bytes()
}
