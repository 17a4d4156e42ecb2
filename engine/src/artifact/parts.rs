//! Named bytes: what an artifact is in the store, in memory or left there until they are read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Piece;
use crate::digest::Digest;
use crate::error::Fault;

/// The parts of an artifact, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Those in memory.
    bytes: BTreeMap<String, Arc<[u8]>>,
    /// Those that are read on demand; their names end in [`Parts::LARGE`].
    kept: BTreeMap<String, Blob>,
}

/// Bytes that stay where they are, in the store as a rule, until they are asked for.
#[derive(Clone)]
pub struct Blob {
    /// The digest of the bytes.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    read: Arc<Read>,
}

type Read = dyn Fn(&[Piece]) -> Result<Arc<[u8]>, Fault> + Send + Sync;

impl Parts {
    /// What the names of parts end in that a store does not load with the others.
    pub const LARGE: &'static str = ".block";

    /// The only part of a result that is made again where it is read: how large it is.
    pub const REMADE: &'static str = "remade.json";

    /// The same with one more part.
    pub fn with(mut self, name: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.bytes.insert(name.to_owned(), bytes.into());
        self
    }

    /// The same with one more part that is read on demand; its name ends in [`Self::LARGE`].
    pub fn with_kept(mut self, name: &str, kept: Blob) -> Self {
        self.kept.insert(name.to_owned(), kept);
        self
    }

    /// The same with one more part, as JSON.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn with_json(self, name: &str, value: &impl Serialize) -> Result<Self, Fault> {
        let bytes = serde_json::to_vec(value).map_err(|error| Fault::Bug(error.to_string()))?;
        Ok(self.with(name, bytes))
    }

    /// The parts of both.
    pub fn and(mut self, other: Self) -> Self {
        self.bytes.extend(other.bytes);
        self.kept.extend(other.kept);
        self
    }

    /// Whether there is a part in memory with this name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_ok()
    }

    /// The part in memory with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, name: &str) -> Result<&Arc<[u8]>, Fault> {
        self.bytes
            .get(name)
            .ok_or_else(|| Fault::Damaged(format!("part `{name}` is missing")))
    }

    /// The part with this name, from JSON.
    ///
    /// # Errors
    /// When there is none or it does not parse.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Fault> {
        serde_json::from_slice(self.get(name)?)
            .map_err(|error| Fault::Damaged(format!("part `{name}`: {error}")))
    }

    /// The parts in memory, by name.
    pub fn in_memory(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.bytes.iter().map(|(name, bytes)| (&name[..], bytes))
    }

    /// The parts that are read on demand, by name.
    pub fn kept(&self) -> impl Iterator<Item = (&str, &Blob)> {
        self.kept.iter().map(|(name, kept)| (&name[..], kept))
    }
}

impl Blob {
    /// Bytes with this digest and size; `read` returns pieces of them one after another, all
    /// verified.
    pub fn new(
        digest: Digest,
        size: u64,
        read: impl Fn(&[Piece]) -> Result<Arc<[u8]>, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            digest,
            size,
            read: Arc::new(read),
        }
    }

    /// Bytes that stay in memory after all, where nothing harms them.
    pub fn in_memory(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        Self::new(digest, size, move |pieces| match pieces {
            [piece] if piece.size == size => Ok(Arc::clone(&bytes)),
            _ => {
                let parts: Option<Vec<&[u8]>> =
                    pieces.iter().map(|piece| piece.of(&bytes)).collect();
                let beyond = || Fault::Bug(format!("{pieces:?} of {size} bytes"));
                Ok(parts.ok_or_else(beyond)?.concat().into())
            }
        })
    }

    /// The bytes, verified against the digest.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when they are not what was kept any more.
    pub fn read(&self) -> Result<Arc<[u8]>, Fault> {
        self.read_pieces(&[Piece::whole(self.digest, self.size)])
    }

    /// Some of the bytes, piece after piece, each verified against its digest.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_pieces(&self, pieces: &[Piece]) -> Result<Arc<[u8]>, Fault> {
        (self.read)(pieces)
    }
}

/// Equal bytes are equal wherever they are.
impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        (self.digest, self.size) == (other.digest, other.size)
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.digest.short(), self.size)
    }
}
