//! What evaluating an expression read of the sweeps.

use std::ops::{BitOr, BitOrAssign};

/// The swept params and the choices of sweeps that were read; results that read the same at
/// two points are one result.
///
/// One bit for each swept param, and two for choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads(u64);

impl Reads {
    /// How many params can be swept.
    pub const MAX_PARAMS: usize = 62;
    /// The choice of a sweep, made or not.
    pub const CHOICE: Self = Self(1 << 62);
    /// The choice of a sweep that is not made yet.
    pub const OPEN_CHOICE: Self = Self(1 << 62 | 1 << 63);

    const PARAMS: u64 = (1 << 62) - 1;

    /// A swept param, by its place among them.
    pub fn param(dim: usize) -> Self {
        Self(1 << dim)
    }

    /// Whether a swept param was read.
    pub fn has_param(self, dim: usize) -> bool {
        self.0 >> dim & 1 == 1
    }

    /// The part of a point that depends on.
    pub fn key(self, point: &[Option<u32>]) -> Vec<Option<u32>> {
        let dims = point.iter().enumerate();
        dims.filter(|(dim, _)| self.has_param(*dim))
            .map(|(_, value)| *value)
            .collect()
    }

    /// Whether nothing was read that can change.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Whether any swept param was read: the result depends on the point.
    pub fn is_swept(self) -> bool {
        self.0 & Self::PARAMS != 0
    }

    /// Whether the choice of a sweep was read, made or not.
    pub fn has_choice(self) -> bool {
        self.0 & Self::CHOICE.0 != 0
    }

    /// Whether a choice was read that is not made yet.
    pub fn has_open_choice(self) -> bool {
        self.0 >> 63 == 1
    }

    /// The choices alone.
    pub fn choices(self) -> Self {
        Self(self.0 & !Self::PARAMS)
    }
}

impl BitOr for Reads {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Reads {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}
