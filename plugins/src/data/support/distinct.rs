//! The different values of a column, by number.

/// The different values of a column, each with the number it was seen as: a table with open
/// addressing, as a column has few values and many rows.
pub struct DistinctValues {
    /// By code.
    values: Vec<u64>,
    /// Codes plus one; 0 where nothing is.
    slots: Vec<u32>,
}

impl Default for DistinctValues {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            slots: vec![0; 1 << 10],
        }
    }
}

impl DistinctValues {
    /// The values, by code.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// The number of a value.
    pub fn code(&mut self, bits: u64) -> u32 {
        let mut at = self.start(bits);
        while let Some(code) = self.slots[at].checked_sub(1) {
            if self.values[code as usize] == bits {
                return code;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        let code = self.values.len() as u32;
        self.values.push(bits);
        self.slots[at] = code + 1;
        if self.values.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    /// Where the search for a value begins: the upper bits of a product mix all of its bits.
    fn start(&self, bits: u64) -> usize {
        let mixed = (bits ^ bits >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - self.slots.len().trailing_zeros())) as usize
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 4];
        for code in 0..self.values.len() {
            let mut at = self.start(self.values[code]);
            while self.slots[at] != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = code as u32 + 1;
        }
    }
}

/// Both zeros are one value, and so are all marks of a missing one.
pub fn canonical(value: f64) -> f64 {
    match value.is_nan() {
        true => f64::NAN,
        false => value + 0.0,
    }
}
