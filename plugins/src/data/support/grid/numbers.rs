//! The types of numbers that files hold, and how their bytes become values.

use super::Values;

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The least significant byte first.
    Little,
    /// The most significant byte first.
    Big,
}

impl Number {
    /// How many bytes one has.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Whether every value of it is one of single precision.
    pub fn is_single(self) -> bool {
        self.bytes() < 4 || self == Self::F32
    }

    /// What the netCDF library writes where nothing was written. Bytes have no such value: all of
    /// theirs are in common use.
    pub fn default_fill(self) -> Option<f64> {
        match self {
            Self::I8 | Self::U8 | Self::F16 => None,
            Self::I16 => Some(-32_767.0),
            Self::U16 => Some(65_535.0),
            Self::I32 => Some(-2_147_483_647.0),
            Self::U32 => Some(4_294_967_295.0),
            // The nearest numbers to -2^63 + 2 and 2^64 - 2.
            Self::I64 => Some(-9_223_372_036_854_775_806.0),
            Self::U64 => Some(18_446_744_073_709_551_614.0),
            Self::F32 => Some(f64::from(9.969_21e36_f32)),
            Self::F64 => Some(9.969_209_968_386_869e36),
        }
    }

    /// The values of these bytes; what is left of an incomplete one is ignored.
    pub fn decode(self, bytes: &[u8], order: Order) -> Values {
        macro_rules! decode {
            ($kind:ty, $size:literal, $into:ident, $convert:expr) => {{
                let values = bytes.as_chunks::<$size>().0.iter();
                Values::$into(match order {
                    Order::Little => values
                        .map(|it| $convert(<$kind>::from_le_bytes(*it)))
                        .collect(),
                    Order::Big => values
                        .map(|it| $convert(<$kind>::from_be_bytes(*it)))
                        .collect(),
                })
            }};
        }
        match self {
            Self::I8 => decode!(i8, 1, Single, f32::from),
            Self::U8 => decode!(u8, 1, Single, f32::from),
            Self::I16 => decode!(i16, 2, Single, f32::from),
            Self::U16 => decode!(u16, 2, Single, f32::from),
            Self::I32 => decode!(i32, 4, Double, f64::from),
            Self::U32 => decode!(u32, 4, Double, f64::from),
            Self::I64 => decode!(i64, 8, Double, |it| it as f64),
            Self::U64 => decode!(u64, 8, Double, |it| it as f64),
            Self::F16 => decode!(u16, 2, Single, half),
            Self::F32 => decode!(f32, 4, Single, |it| it),
            Self::F64 => decode!(f64, 8, Double, |it| it),
        }
    }
}

/// The value of a number of half precision (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff) / 1024.0;
    let magnitude = match exponent {
        0 => fraction * 2.0_f32.powi(-14),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction) * 2.0_f32.powi(exponent - 15),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_numpy_says() {
        // np.array([0x3c00, 0x3555, 0xfbff, 0x0001, 0x7c00, 0x8000], "u2").view("f2")
        let bits: [u16; 6] = [0x3c00, 0x3555, 0xfbff, 0x0001, 0x7c00, 0x8000];
        let expected = [1.0, 0.33325195, -65504.0, 5.9604645e-8, f32::INFINITY, -0.0];
        assert_eq!(bits.map(half), expected);
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn bytes_are_read_in_both_orders() {
        assert_eq!(
            Number::I16.decode(&[1, 0, 0xff, 0xff, 9], Order::Little),
            Values::Single(vec![1.0, -1.0])
        );
        assert_eq!(
            Number::U32.decode(&[0, 0, 1, 0], Order::Big),
            Values::Double(vec![256.0])
        );
    }
}
