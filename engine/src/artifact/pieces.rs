//! Large parts of an artifact of which a few bytes can be read alone: every piece of a fixed number of
//! bytes has a digest of its own.

use std::ops::Range;

use super::{Blob, Digested, Piece};
use crate::digest::{BlockDigests, Digest};
use crate::error::Fault;

/// Kept bytes that are read and verified piece by piece.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pieces {
    kept: Blob,
    digests: Vec<Digest>,
    by: Digested,
}

impl Pieces {
    /// How many bytes are verified together: few enough that little is read in vain, enough
    /// that the digests are a two-thousandth of it.
    pub(super) const BYTES: usize = BlockDigests::BYTES;

    /// Keeps bytes, by [`Context::keep`](crate::plugin::Context::keep).
    pub(super) fn keep(
        bytes: &[u8],
        keep: impl Fn(&[u8]) -> Result<Blob, Fault>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            kept: keep(bytes)?,
            digests: bytes.chunks(Self::BYTES).map(Digest::of).collect(),
            by: Digested::Alone,
        })
    }

    /// A file that stays where it is, with the digests of its blocks.
    pub(super) fn lent(kept: Blob, blocks: &BlockDigests) -> Self {
        // The digest of the only block is that of the file.
        let (digests, by) = match blocks.count() {
            ..=1 => (vec![kept.digest; blocks.count()], Digested::Alone),
            _ => (blocks.blocks(), Digested::InPlace),
        };
        Self { kept, digests, by }
    }

    /// Bytes that were kept; takes the digests of their pieces off the front of `digests`.
    pub(super) fn found(kept: &Blob, digests: &mut &[u8], by: Digested) -> Result<Self, Fault> {
        let count = kept.size.div_ceil(Self::BYTES as u64);
        let one = || {
            let (digest, rest) = digests.split_first_chunk()?;
            *digests = rest;
            Some(Digest::from(*digest))
        };
        let found: Vec<Digest> = std::iter::from_fn(one).take(count as usize).collect();
        if found.len() as u64 != count {
            let message = "the digests of blocks of weights are too few";
            return Err(Fault::Damaged(message.to_owned()));
        }
        Ok(Self {
            kept: kept.clone(),
            digests: found,
            by,
        })
    }

    /// The bytes as a whole.
    pub(super) fn kept(&self) -> &Blob {
        &self.kept
    }

    /// The digests of the pieces, in their order.
    pub(super) fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Gives `take` the bytes of each range with its number. Reads the pieces they are in, each
    /// once, and verifies them.
    pub(super) fn read(
        &self,
        ranges: &[Range<usize>],
        mut take: impl FnMut(usize, &[u8]),
    ) -> Result<(), Fault> {
        let in_pieces =
            |range: &Range<usize>| range.start / Self::BYTES..range.end.div_ceil(Self::BYTES);
        let mut wanted: Vec<usize> = ranges.iter().flat_map(in_pieces).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let beyond = || Fault::Bug(format!("{ranges:?} of {:?}", self.kept));
        let pieces: Option<Vec<Piece>> = wanted.iter().map(|index| self.piece(*index)).collect();
        let bytes = self.kept.read_pieces(&pieces.ok_or_else(beyond)?)?;
        for (number, range) in ranges.iter().enumerate() {
            // Neighbours stay neighbours, and all before the last of all are whole.
            let before = wanted.partition_point(|index| *index < range.start / Self::BYTES);
            let start = before * Self::BYTES + range.start % Self::BYTES;
            let found = bytes.get(start..start + range.len());
            take(number, found.ok_or_else(beyond)?);
        }
        Ok(())
    }

    fn piece(&self, index: usize) -> Option<Piece> {
        let start = (index * Self::BYTES) as u64;
        Some(Piece {
            start,
            size: self.kept.size.checked_sub(start)?.min(Self::BYTES as u64),
            digest: *self.digests.get(index)?,
            by: self.by,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const BYTES: usize = Pieces::BYTES;

    /// Which bytes were asked for.
    type Asked = Arc<Mutex<Vec<Range<u64>>>>;

    /// Two and a half pieces, watched.
    fn watched() -> (Vec<u8>, Pieces, Asked) {
        let bytes: Vec<u8> = (0..5 * BYTES / 2).map(|at| (at / 251) as u8).collect();
        let asked = Asked::default();
        let keep = |bytes: &[u8]| {
            let (held, asked) = (Blob::in_memory(bytes), Arc::clone(&asked));
            Ok(Blob::new(held.digest, held.size, move |pieces| {
                let ranges = pieces
                    .iter()
                    .map(|piece| piece.start..piece.start + piece.size);
                asked.lock().unwrap().extend(ranges);
                held.read_pieces(pieces)
            }))
        };
        let pieces = Pieces::keep(&bytes, keep).unwrap();
        (bytes, pieces, asked)
    }

    #[test]
    fn only_the_pieces_that_are_needed_are_read_and_each_once() {
        let (bytes, pieces, asked) = watched();
        let ranges = [
            2 * BYTES + 7..2 * BYTES + 9,
            5..8,
            0..3,
            2 * BYTES..5 * BYTES / 2,
            9..9,
        ];
        let mut found = Vec::new();
        pieces
            .read(&ranges, |at, part| found.push((at, part.to_vec())))
            .unwrap();
        for (at, range) in ranges.into_iter().enumerate() {
            assert_eq!(found[at], (at, bytes[range].to_vec()));
        }
        let (last, end) = (2 * BYTES as u64, 5 * BYTES as u64 / 2);
        assert_eq!(*asked.lock().unwrap(), [0..BYTES as u64, last..end]);
        let across = BYTES - 3..2 * BYTES + 3;
        let whole = |_: usize, part: &[u8]| assert_eq!(*part, bytes[across.clone()]);
        pieces.read(std::slice::from_ref(&across), whole).unwrap();
        let beyond = pieces.read(std::slice::from_ref(&(0..bytes.len() + 1)), |_, _| ());
        assert!(matches!(beyond, Err(Fault::Bug(_))));
    }

    #[test]
    fn they_come_back_with_their_digests_or_not_at_all() {
        let (_, pieces, _) = watched();
        let digests: Vec<u8> = pieces.digests().iter().flat_map(|d| *d.bytes()).collect();
        let mut rest = &digests[..];
        assert_eq!(
            Pieces::found(pieces.kept(), &mut rest, Digested::Alone).unwrap(),
            pieces
        );
        assert!(rest.is_empty());
        let fault = Pieces::found(pieces.kept(), &mut &digests[1..], Digested::Alone).unwrap_err();
        assert!(matches!(fault, Fault::Damaged(_)));
    }
}
