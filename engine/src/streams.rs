//! Random streams: which ones an action draws from.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What the random streams of an action are derived from.
///
/// Kept with a result, it lets another action draw the same numbers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Streams(pub Digest);

impl Streams {
    /// The stream of this name: independent of all others, the same on every machine.
    pub fn rng(&self, name: &str) -> ChaCha8Rng {
        let mut text = self.0.bytes().to_vec();
        text.extend_from_slice(name.as_bytes());
        ChaCha8Rng::from_seed(*Digest::of(&text).bytes())
    }
}
