//! Random streams: which ones an action draws from.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng;
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

#[cfg(test)]
mod tests {
    use chacha20::rand_core::Rng;

    use super::*;

    #[test]
    fn streams_are_chacha8() {
        // Test vector TC1 of draft-strombergson-chacha-test-vectors-01, 256 bits, 8 rounds.
        let mut bytes = [0; 16];
        ChaCha8Rng::from_seed([0; 32]).fill_bytes(&mut bytes);
        let expected = 0x3e00_ef2f_895f_40d6_7f5b_b8e8_1f09_a5a1_u128;
        assert_eq!(bytes, expected.to_be_bytes());
    }
}
