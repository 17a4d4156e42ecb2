//! How numbers are stored: in 64, 32 or 16 bits.

use serde::{Deserialize, Serialize};

/// How a weight is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// IEEE 754 double precision.
    F64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of single precision.
    BF16,
}

impl Precision {
    /// How many bytes a number has.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F64 => 8,
            Precision::F32 => 4,
            Precision::F16 | Precision::BF16 => 2,
        }
    }

    /// That of numbers of a type, as the format names it.
    pub fn of_dtype(dtype: &str) -> Option<Self> {
        match dtype {
            "F64" => Some(Precision::F64),
            "F32" => Some(Precision::F32),
            "F16" => Some(Precision::F16),
            "BF16" => Some(Precision::BF16),
            _ => None,
        }
    }

    /// The nearest numbers of this precision, ties to even; none when one is out of its range.
    pub fn encode(self, numbers: &[f32]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; numbers.len() * self.bytes()];
        match self {
            Precision::F64 => write_doubles(numbers, &mut bytes),
            Precision::F32 => write_singles(numbers, &mut bytes),
            Precision::F16 => write(numbers, &mut bytes, |it| to_half(it).to_le_bytes()),
            Precision::BF16 => write(numbers, &mut bytes, |it| to_bfloat(it).to_le_bytes()),
        }
        self.are_finite(&bytes).then_some(bytes)
    }

    /// The numbers that these bytes are.
    pub(super) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let mut numbers = vec![0.0; bytes.len() / self.bytes()];
        self.decode_to(bytes, &mut numbers);
        numbers
    }

    /// Writes the numbers that these bytes are over others.
    pub(super) fn decode_to(self, bytes: &[u8], numbers: &mut [f32]) {
        match self {
            Precision::F64 => convert(bytes, numbers, |eight| f64::from_le_bytes(eight) as f32),
            Precision::F32 => convert(bytes, numbers, f32::from_le_bytes),
            Precision::F16 => convert(bytes, numbers, |two| from_half(u16::from_le_bytes(two))),
            Precision::BF16 => convert(bytes, numbers, |[low, high]| {
                f32::from_le_bytes([0, 0, low, high])
            }),
        }
    }

    /// Whether none of the numbers that these bytes are is infinite or not a number.
    pub(super) fn are_finite(self, bytes: &[u8]) -> bool {
        let is_full = |bits: u16, exponent: u16| bits & exponent == exponent;
        match self {
            // In single precision, too: numbers are computed with in it.
            Precision::F64 => none(bytes, |eight| {
                !(f64::from_le_bytes(eight) as f32).is_finite()
            }),
            Precision::F32 => none(bytes, |[_, _, low, high]| {
                is_full(u16::from_le_bytes([low, high]), 0x7f80)
            }),
            Precision::F16 => none(bytes, |two| is_full(u16::from_le_bytes(two), 0x7c00)),
            Precision::BF16 => none(bytes, |two| is_full(u16::from_le_bytes(two), 0x7f80)),
        }
    }
}

/// Whether no number is such; without a way out of the loop, so that it is compiled to vectors.
fn none<const N: usize>(bytes: &[u8], is_such: impl Fn([u8; N]) -> bool) -> bool {
    let numbers = bytes.as_chunks().0.iter();
    !numbers.fold(false, |any, number| any | is_such(*number))
}

fn convert<const N: usize>(bytes: &[u8], numbers: &mut [f32], number: impl Fn([u8; N]) -> f32) {
    for (to, from) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *to = number(*from);
    }
}

/// The nearest number in IEEE 754 half precision, ties to even; infinite when it is too large.
fn to_half(number: f32) -> u16 {
    let bits = number.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude >= 0x4780_0000 {
        // At least 2^16; what is not a number stays one.
        return sign
            | if magnitude > 0x7f80_0000 {
                0x7e00
            } else {
                0x7c00
            };
    }
    if magnitude < 0x3880_0000 {
        // Subnormal, below 2^-14: adding 0.5 leaves multiples of 2^-24, rounded by the machine.
        let sum = f32::from_bits(magnitude) + 0.5;
        return sign | (sum.to_bits() - 0.5_f32.to_bits()) as u16;
    }
    let odd = magnitude >> 13 & 1;
    sign | ((magnitude + 0xfff + odd - (112 << 23)) >> 13) as u16
}

/// The nearest number with the upper half of a single's bits, ties to even.
fn to_bfloat(number: f32) -> u16 {
    let bits = number.to_bits();
    match number.is_nan() {
        true => (bits >> 16) as u16 | 0x40,
        false => ((u64::from(bits) + 0x7fff + u64::from(bits >> 16 & 1)) >> 16) as u16,
    }
}

/// The value of a number in IEEE 754 half precision: 1 sign, 5 exponent, 10 fraction bits.
fn from_half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    if magnitude >= 0x7c00 << 13 {
        // Infinity or not a number: the exponent stays full.
        return f32::from_bits(sign | 0x7f80_0000 | magnitude);
    }
    // The exponents differ by 112; the product is exact and puts subnormal numbers right.
    let number = f32::from_bits(magnitude) * f32::from_bits((112 + 127) << 23);
    f32::from_bits(sign | number.to_bits())
}

/// Writes numbers over bytes, in single precision.
pub(super) fn write_singles(numbers: &[f32], bytes: &mut [u8]) {
    write(numbers, bytes, f32::to_le_bytes);
}

/// Writes numbers over bytes, in double precision.
pub(super) fn write_doubles(numbers: &[f32], bytes: &mut [u8]) {
    write(numbers, bytes, |number| f64::from(number).to_le_bytes());
}

fn write<const N: usize>(numbers: &[f32], bytes: &mut [u8], number: impl Fn(f32) -> [u8; N]) {
    for (from, to) in numbers.iter().zip(bytes.as_chunks_mut().0) {
        *to = number(*from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_are_found() {
        for bits in 0..=u16::MAX {
            let two = bits.to_le_bytes();
            for precision in [Precision::F16, Precision::BF16] {
                let number = precision.decode(&two)[0];
                let both = [[0, 0], two].concat();
                assert_eq!(
                    precision.are_finite(&both),
                    number.is_finite(),
                    "{bits:#06x}"
                );
            }
            let single = f32::from_bits(u32::from(bits) << 16);
            assert_eq!(Precision::BF16.decode(&two)[0].to_bits(), single.to_bits());
        }
        // The lower half of a single may be anything.
        let odd = f32::from_bits(0x3f80_7f80);
        for number in [
            1.0,
            f32::MAX,
            odd,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ] {
            let mut bytes = [0; 12];
            write_singles(&[f32::MIN_POSITIVE, -number, 0.0], &mut bytes);
            assert_eq!(
                Precision::F32.are_finite(&bytes),
                number.is_finite(),
                "{number}"
            );
        }
    }

    #[test]
    fn half_precision_is_what_ieee_754_says() {
        for bits in 0..=u16::MAX {
            let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
            let exponent = i32::from(bits >> 10 & 31);
            let fraction = f64::from(bits & 1023) / 1024.0;
            let expected: f64 = sign
                * match exponent {
                    0 => fraction * 2f64.powi(-14),
                    31 if fraction == 0.0 => f64::INFINITY,
                    31 => f64::NAN,
                    _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
                };
            let found = f64::from(from_half(bits));
            let same = found == expected || (found.is_nan() && expected.is_nan());
            assert!(same, "{bits:#06x}: {found} {expected}");
            assert_eq!(found.is_sign_negative(), bits & 0x8000 != 0);
        }
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        let halves: Vec<f32> = (0..0x7c00).map(from_half).collect();
        for (bits, pair) in halves.windows(2).enumerate() {
            let middle = (pair[0] + pair[1]) / 2.0;
            let even = (bits + bits % 2) as u16;
            assert_eq!(to_half(pair[0]), bits as u16);
            assert_eq!(to_half(middle), even, "{middle}");
            assert_eq!(to_half(middle.next_up()), bits as u16 + 1);
            assert_eq!(to_half(-middle.next_down()), bits as u16 | 0x8000);
        }
        // The largest is 65504; half of the next step more is infinite.
        assert_eq!((to_half(65519.0), to_half(65520.0)), (0x7bff, 0x7c00));
        assert_eq!(Precision::F16.encode(&[1.0, 7e4]), None);
        // 1 + 2^-8 is a tie, and even below; 1 + 3 · 2^-8 is one, and even above.
        let tie = |over: f32| to_bfloat(1.0 + over / 256.0);
        assert_eq!([tie(0.0), tie(1.0), tie(3.0)], [0x3f80, 0x3f80, 0x3f82]);
        assert_eq!(Precision::BF16.encode(&[f32::MAX]), None);
        let wide = Precision::F64.encode(&[0.1]).unwrap();
        assert_eq!(wide, f64::from(0.1_f32).to_le_bytes());
        assert_eq!(Precision::F64.decode(&wide), [0.1]);
    }
}
