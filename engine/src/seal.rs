//! Files in JSON that begin with the digest of their rest, so that a change of them shows.

use std::io::{self, Seek, SeekFrom, Write};
use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use serde::Serialize;

use crate::digest::{Digest, Hasher};

/// The start of a sealed file; the digest of what follows comes next, in hex.
const SEAL: &str = "{\n  \"digest\": \"";

/// Hex digits of the digest.
const DIGITS: usize = 64;

/// Bytes that are digested and written at a time.
const PIECE: usize = 256 << 10;

/// Pieces that wait to be written.
const WAITING: usize = 4;

/// Writes a JSON object with the digest of the rest of its text in front, to the start of an empty file.
///
/// While it becomes text here, another thread digests and writes what is text already.
///
/// # Errors
/// When it cannot be written, or a value has no JSON form, which is a bug.
pub fn seal(object: &impl Serialize, file: &mut (impl Write + Seek + Send)) -> io::Result<()> {
    file.write_all(SEAL.as_bytes())?;
    file.write_all(&[b'0'; DIGITS])?;
    // In place of the brace of the object, as the file has begun one.
    file.write_all(b"\",")?;
    let (full, pieces) = sync_channel(WAITING);
    let (give_back, empty) = channel();
    let digest = thread::scope(|scope| {
        let writing = scope.spawn(|| write_pieces(pieces, give_back, file));
        let mut rest = SealedRest {
            full,
            empty,
            piece: Vec::with_capacity(PIECE),
            is_begun: false,
        };
        let made = serde_json::to_writer_pretty(&mut rest, object).map_err(io::Error::from);
        let made = made
            .and_then(|()| rest.write_all(b"\n"))
            .and_then(|()| rest.flush());
        drop(rest);
        // Where writing fails, that is why no more is taken.
        let digest = writing
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))?;
        made.map(|()| digest)
    })?;
    file.seek(SeekFrom::Start(SEAL.len() as u64))?;
    file.write_all(digest.to_string().as_bytes())
}

/// Writes pieces as they come, gives their memory back, and returns the digest of all.
fn write_pieces(
    pieces: Receiver<Vec<u8>>,
    give_back: Sender<Vec<u8>>,
    file: &mut impl Write,
) -> io::Result<Digest> {
    let mut digest = Hasher::default();
    for mut piece in pieces {
        digest.update(&piece);
        file.write_all(&piece)?;
        piece.clear();
        // Nobody takes it after the last.
        let _ = give_back.send(piece);
    }
    Ok(digest.finish())
}

/// Whether a sealed file differs from what was written. One without a digest, which another program
/// may have rewritten, counts as unchanged.
pub fn is_changed(json: &[u8]) -> bool {
    let sealed = json.strip_prefix(SEAL.as_bytes());
    let parts = sealed.and_then(|sealed| sealed.split_at_checked(DIGITS));
    parts.is_some_and(|(digest, rest)| {
        let rest = rest.strip_prefix(b"\",").unwrap_or(rest);
        Digest::of(rest).to_string().as_bytes() != digest
    })
}

/// What follows the digest.
struct SealedRest {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    is_begun: bool,
}

impl Write for SealedRest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() + bytes.len() > PIECE {
            self.flush()?;
        }
        match bytes {
            [_, rest @ ..] if !self.is_begun => {
                self.piece.extend_from_slice(rest);
                self.is_begun = true;
            }
            _ => self.piece.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // JSON comes in many thousand pieces of a few bytes.
        if self.is_begun && self.piece.len() + bytes.len() <= PIECE {
            self.piece.extend_from_slice(bytes);
            return Ok(());
        }
        self.write(bytes).map(drop)
    }

    fn flush(&mut self) -> io::Result<()> {
        let next = self.empty.try_recv();
        let next = next.unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let piece = mem::replace(&mut self.piece, next);
        let is_gone = |_| io::Error::other("nothing more can be written");
        self.full.send(piece).map_err(is_gone)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use expect_test::expect;

    use super::*;

    fn sealed(object: &impl Serialize) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        seal(object, &mut file).unwrap();
        file.into_inner()
    }

    #[test]
    fn any_changed_byte_shows() {
        let sealed = sealed(&serde_json::json!({"format": 1}));
        assert!(!is_changed(&sealed) && !is_changed(b"{\"format\": 1}"));
        for at in SEAL.len()..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(is_changed(&changed), "byte {at}");
        }
        assert!(is_changed(&sealed[..sealed.len() - 1]));
    }

    #[test]
    fn the_digest_is_a_field_of_the_object() {
        let text = String::from_utf8(sealed(&serde_json::json!({"format": 1}))).unwrap();
        expect![[r#"
            {
              "digest": "5d678fd438f0ad748b8ce58373a90147da6497567ef6c1db606740814ceceae0",
              "format": 1
            }
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn more_than_a_piece_is_whole() {
        let numbers: Vec<usize> = (0..PIECE).collect();
        let object = serde_json::json!({ "numbers": numbers });
        let sealed = sealed(&object);
        assert!(sealed.len() > 2 * PIECE && !is_changed(&sealed));
        let mut read: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        assert!(read.as_object_mut().unwrap().remove("digest").is_some());
        assert_eq!(read, object);
    }
}
