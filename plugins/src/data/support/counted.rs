//! How often numbers come: what is known of the order of many rows in little memory.

use engine::artifact::Each;
use engine::error::Fault;

/// What passes on all rows in parts, anew at every call; parts after the first may lack columns that
/// are not read.
pub(crate) type AllRows<'a> = &'a dyn Fn(Each<'_>) -> Result<(), Fault>;

/// Numbers in order, each once, with how often it came: 16 bytes for each different number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    values: Vec<f64>,
    counts: Vec<u64>,
    /// Those that are not in order yet.
    fresh: Vec<f64>,
}

/// How many numbers are put in order at a time, at least.
const FRESH: usize = 1 << 16;

/// Among how many different numbers each new one is looked up at once.
const FEW: usize = 4096;

impl Counted {
    /// Counts a number once more, in the order of [`f64::total_cmp`].
    pub fn add(&mut self, value: f64) {
        if self.values.len() <= FEW
            && let Ok(at) = self.values.binary_search_by(|own| own.total_cmp(&value))
        {
            self.counts[at] += 1;
            return;
        }
        self.fresh.push(value);
        if self.fresh.len() >= self.values.len().max(FRESH) {
            self.settle();
        }
    }

    /// The numbers in order with their counts.
    pub fn settled(mut self) -> (Vec<f64>, Vec<u64>) {
        self.settle();
        (self.values, self.counts)
    }

    fn settle(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.sort_unstable_by(f64::total_cmp);
        let fresh = fresh.chunk_by(|a, b| a.total_cmp(b).is_eq());
        let mut fresh = fresh.map(|run| (run[0], run.len() as u64)).peekable();
        let values = std::mem::take(&mut self.values).into_iter();
        let mut known = values.zip(std::mem::take(&mut self.counts)).peekable();
        loop {
            let (value, count) = match (known.peek(), fresh.peek()) {
                (Some((own, _)), Some((new, _))) => match own.total_cmp(new) {
                    std::cmp::Ordering::Less => known.next(),
                    std::cmp::Ordering::Greater => fresh.next(),
                    std::cmp::Ordering::Equal => {
                        let more = fresh.next().map_or(0, |(_, count)| count);
                        known.next().map(|(value, count)| (value, count + more))
                    }
                },
                (Some(_), None) => known.next(),
                (None, _) => fresh.next(),
            }
            .unwrap_or((f64::NAN, 0));
            if count == 0 {
                return;
            }
            self.values.push(value);
            self.counts.push(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_counted_in_their_order(
            few in proptest::collection::vec(-20..20_i32, 0..300),
            spread in 1..2000_u32,
        ) {
            let mut counted = Counted::default();
            let mut expected = BTreeMap::new();
            // Enough to be put in order several times.
            for at in 0..150_000_u32 {
                let value = (at % 70_000) / spread;
                counted.add(f64::from(value));
                *expected.entry(value as i32).or_insert(0_u64) += 1;
            }
            for value in few {
                counted.add(f64::from(value));
                *expected.entry(value).or_insert(0) += 1;
            }
            let (values, counts) = counted.settled();
            let found: Vec<(i32, u64)> = values.iter().map(|it| *it as i32).zip(counts).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn zeros_are_two_numbers_and_gaps_come_last() {
        let mut counted = Counted::default();
        for value in [f64::NAN, 0.0, -1.0, -0.0, f64::NAN] {
            counted.add(value);
        }
        let (values, counts) = counted.settled();
        assert_eq!(values[..3], [-1.0, -0.0, 0.0]);
        assert!(values[1].is_sign_negative() && values[3].is_nan());
        assert_eq!(counts, [1, 1, 1, 2]);
    }
}
