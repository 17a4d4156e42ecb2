//! Names for bytes: blake3 digests, written as hex.

use std::collections::HashMap;
use std::fmt;
use std::hash::{self, BuildHasherDefault};
use std::str::FromStr;

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 32 bytes that name other bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// A map by digests: no hash of them is better than they are.
pub type DigestMap<V> = HashMap<Digest, V, BuildHasherDefault<FirstBytes>>;

/// The hash of a digest: its first bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstBytes(u64);

impl hash::Hash for Digest {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl hash::Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of everything that a reader returns.
    ///
    /// # Errors
    /// When reading fails.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut reader, &mut hasher)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it is written with these hex digits first.
    pub fn begins_with(&self, digits: &[u8]) -> bool {
        let hex = blake3::Hash::from_bytes(self.0).to_hex();
        hex.as_bytes().starts_with(digits)
    }

    /// The first twelve hex digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

/// The digest of bytes that arrive piece after piece.
#[derive(Clone, Debug, Default)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

/// The digest that is these bytes.
impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The value of each hex digit, and more than 15 for all other bytes: opening a store reads many thousand digests.
const HEX: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        let mut digits = 0;
        if text.len() == 64 {
            for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                let [high, low] = [pair[0], pair[1]].map(|digit| HEX[usize::from(digit)]);
                *byte = high << 4 | low;
                digits |= high | low;
            }
        }
        match text.len() == 64 && digits < 16 {
            true => Ok(Self(bytes)),
            false => Err(format!("expected 64 hex digits, found `{text}`")),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// Parses the digits in place: opening a store parses many thousand of them.
impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl de::Visitor<'_> for Digits {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hex digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Digits)
    }
}

/// The digest of bytes that arrive block after block, and one of each block by itself, so that
/// blocks read again are recognised without reading the rest.
#[derive(Clone, Debug, Default)]
pub struct BlockDigests {
    /// The subtree of every block in blake3's tree.
    blocks: Vec<ChainingValue>,
    /// The digest of the first block as if it were all.
    first: Option<Digest>,
}

impl BlockDigests {
    /// The size of every block but the last.
    pub const BYTES: usize = 1 << 16;

    /// Those of everything that a reader returns.
    ///
    /// # Errors
    /// When reading fails.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<Self> {
        let mut digests = Self::default();
        // Some blocks at a time: a call to the system costs as much as a block.
        let mut bytes = vec![0; 8 * Self::BYTES];
        loop {
            let mut filled = 0;
            while filled < bytes.len() {
                match reader.read(&mut bytes[filled..]) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            bytes[..filled]
                .chunks(Self::BYTES)
                .for_each(|block| digests.push(block));
            if filled < bytes.len() {
                return Ok(digests);
            }
        }
    }

    /// A digest of each block, by which [`is`](Self::is) recognises it.
    pub fn blocks(&self) -> Vec<Digest> {
        self.blocks.iter().copied().map(Digest).collect()
    }

    /// Whether the block at this position, with this digest, has these bytes.
    pub fn is(digest: &Digest, position: usize, bytes: &[u8]) -> bool {
        !bytes.is_empty() && subtree(position, bytes) == digest.0
    }

    /// How many blocks have arrived.
    pub fn count(&self) -> usize {
        self.blocks.len()
    }

    /// Adds the next block.
    pub fn push(&mut self, block: &[u8]) {
        self.first.get_or_insert_with(|| Digest::of(block));
        self.blocks.push(subtree(self.blocks.len(), block));
    }

    /// Whether the block at this position has these bytes.
    pub fn is_block(&self, position: usize, bytes: &[u8]) -> bool {
        let known = self.blocks.get(position);
        !bytes.is_empty() && known == Some(&subtree(position, bytes))
    }

    /// The digest of all bytes: the same as [`Digest::of`] them.
    pub fn digest(&self) -> Digest {
        match (&self.blocks[..], self.first) {
            ([], _) | (_, None) => Digest::of(&[]),
            ([_], Some(only)) => only,
            (blocks, _) => {
                let (left, right) = blocks.split_at(left_blocks(blocks.len()));
                let root = merge_subtrees_root(&merged(left), &merged(right), Mode::Hash);
                Digest(*root.as_bytes())
            }
        }
    }
}

fn subtree(position: usize, block: &[u8]) -> ChainingValue {
    blake3::Hasher::new()
        .set_input_offset((position * BlockDigests::BYTES) as u64)
        .update(block)
        .finalize_non_root()
}

fn merged(blocks: &[ChainingValue]) -> ChainingValue {
    match blocks {
        [only] => *only,
        several => {
            let (left, right) = several.split_at(left_blocks(several.len()));
            merge_subtrees_non_root(&merged(left), &merged(right), Mode::Hash)
        }
    }
}

/// How many of these blocks, at least two, are in the left half of blake3's tree: the largest
/// power of two that leaves some for the right.
fn left_blocks(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_the_digest_of_all_bytes() {
        let most = 5 * BlockDigests::BYTES + 1;
        let bytes: Vec<u8> = (0..most).map(|at| (at * at / 7) as u8).collect();
        let edges = (0..=5).map(|blocks| blocks * BlockDigests::BYTES);
        for size in edges.flat_map(|edge| [edge.saturating_sub(1), edge, edge + 1]) {
            let mut digests = BlockDigests::default();
            for block in bytes[..size].chunks(BlockDigests::BYTES) {
                digests.push(block);
            }
            assert_eq!(digests.digest(), Digest::of(&bytes[..size]), "{size}");
            let read = BlockDigests::of_reader(&bytes[..size]).unwrap();
            assert_eq!(read.blocks(), digests.blocks(), "{size}");
            for (position, block) in bytes[..size].chunks(BlockDigests::BYTES).enumerate() {
                assert!(digests.is_block(position, block));
                assert!(!digests.is_block(position + 1, block));
                assert!(!digests.is_block(position, &block[1..]));
                assert!(BlockDigests::is(
                    &digests.blocks()[position],
                    position,
                    block
                ));
            }
        }
    }
}
