//! Rows drawn with replacement, many at a time.

use rand::Rng;

/// Draws numbers below bounds: those that `random_range` of the same generator returns one by one.
///
/// A number is the upper half of a word times the bound. Where the lower half says that a bound which divides
/// no power of two favours some numbers, another word is added to it (Canon; see `rand::distr::uniform`).
pub struct Draws<R> {
    rng: R,
    words: [u32; WORDS],
    /// The next word; all are used up at the end.
    at: usize,
}

/// How many words are taken of the generator at a time: what it makes at a time.
const WORDS: usize = 64;

impl<R: Rng> Draws<R> {
    /// Those of a generator from its next word on.
    pub fn new(rng: R) -> Self {
        Self {
            rng,
            words: [0; WORDS],
            at: WORDS,
        }
    }

    /// Adds `count` numbers below `bound`, which is not zero.
    pub fn add(&mut self, bound: u32, count: usize, to: &mut Vec<u32>) {
        let start = to.len();
        to.resize(start + count, 0);
        let mut left = &mut to[start..];
        while !left.is_empty() {
            if self.at == WORDS {
                self.refill();
            }
            let words = &self.words[self.at..];
            let some = left.len().min(words.len());
            let mut is_biased = false;
            for (number, word) in left.iter_mut().zip(words) {
                let product = u64::from(*word) * u64::from(bound);
                is_biased |= favours(product, bound);
                *number = (product >> 32) as u32;
            }
            let done = if is_biased {
                // Hardly ever, for thousands of rows.
                left[0] = self.one(bound);
                1
            } else {
                self.at += some;
                some
            };
            left = &mut left[done..];
        }
    }

    /// One number, whatever its first word.
    fn one(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.word()) * u64::from(bound);
        let number = (product >> 32) as u32;
        if !favours(product, bound) {
            return number;
        }
        let more = (u64::from(self.word()) * u64::from(bound)) >> 32;
        let (_, carries) = (product as u32).overflowing_add(more as u32);
        number + u32::from(carries)
    }

    fn word(&mut self) -> u32 {
        if self.at == WORDS {
            self.refill();
        }
        self.at += 1;
        self.words[self.at - 1]
    }

    fn refill(&mut self) {
        let mut bytes = [0; 4 * WORDS];
        self.rng.fill_bytes(&mut bytes);
        for (word, bytes) in self.words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        self.at = 0;
    }
}

/// Whether the product of a word and a bound is one that needs another word.
fn favours(product: u64, bound: u32) -> bool {
    product as u32 > bound.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use engine::plugin::Context;
    use proptest::prelude::*;
    use rand::RngExt;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_those_drawn_one_by_one(
            name in "[a-z]{1,8}",
            runs in prop::collection::vec(
                (prop_oneof![1..5000_u32, 1..=u32::MAX, Just(1 << 31), Just(u32::MAX)], 0..200_usize),
                1..12,
            ),
        ) {
            let context = Context::alone("draws");
            let (mut draws, mut rng) = (Draws::new(context.rng(&name)), context.rng(&name));
            for (bound, count) in runs {
                let mut found = vec![7];
                draws.add(bound, count, &mut found);
                let one_by_one = (0..count).map(|_| rng.random_range(0..bound));
                let expected: Vec<u32> = std::iter::once(7).chain(one_by_one).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
