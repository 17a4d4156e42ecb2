//! Numbers that start where a line of the caches does.

use std::ops::{Deref, DerefMut};

/// The bytes of a line, which are those of the widest registers.
const LINE: usize = 64;

/// Numbers of which no register lies across two lines of the caches.
///
/// Vectors start at any multiple of 16 bytes: then each register of 64 is read and written in two pieces, and training
/// takes an eighth longer.
#[derive(Debug)]
pub struct Aligned {
    numbers: Vec<f32>,
    start: usize,
}

impl Aligned {
    /// As many zeros.
    pub fn zeros(count: usize) -> Self {
        let numbers = vec![0.0; count + LINE / size_of::<f32>()];
        let start = numbers.as_ptr().align_offset(LINE);
        let mut aligned = Self { numbers, start };
        aligned.numbers.truncate(start + count);
        aligned
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.numbers[self.start..]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[self.start..]
    }
}

impl From<&[f32]> for Aligned {
    fn from(numbers: &[f32]) -> Self {
        let mut aligned = Self::zeros(numbers.len());
        aligned.copy_from_slice(numbers);
        aligned
    }
}

impl FromIterator<f32> for Aligned {
    fn from_iter<I: IntoIterator<Item = f32>>(numbers: I) -> Self {
        Self::from(&*numbers.into_iter().collect::<Vec<f32>>())
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl PartialEq for Aligned {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_starts_at_a_line_as_well() {
        for count in [0, 1, 16, 1000] {
            let numbers: Aligned = (0..count).map(|number| number as f32).collect();
            let copies: Vec<Aligned> = vec![numbers.clone(); 5];
            for copy in &copies {
                assert_eq!(copy.as_ptr() as usize % LINE, 0);
                assert_eq!((copy.len(), copy), (count, &numbers));
            }
        }
    }
}
