//! The types of numbers that files hold, and how their bytes become values.

use engine::artifact::Numbers;

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

/// Values as a file has them, in the smallest type that holds them all.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Those of integers of 8 and 16 bits and of half and single precision.
    Single(Vec<f32>),
    /// Those of larger types.
    Double(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Makes room for more.
    pub fn reserve(&mut self, count: usize) {
        match self {
            Self::Single(values) => values.reserve_exact(count),
            Self::Double(values) => values.reserve_exact(count),
            Self::Texts(_) => {}
        }
    }

    /// Adds those of another part of the same variable.
    pub fn extend(&mut self, other: Self) {
        match (self, other) {
            (Self::Single(all), Self::Single(more)) => all.extend(more),
            (Self::Double(all), Self::Double(more)) => all.extend(more),
            (Self::Double(all), Self::Single(more)) => all.extend(more.into_iter().map(f64::from)),
            (Self::Texts(all), Self::Texts(more)) => all.extend(more),
            (all @ Self::Single(_), Self::Double(more)) => {
                let mut wide = all.doubles();
                wide.extend(more);
                *all = Self::Double(wide);
            }
            // Sources return one kind for one variable.
            (Self::Texts(_), _) | (_, Self::Texts(_)) => {}
        }
    }

    /// The numbers as a column has them; none of texts.
    pub fn numbers(self) -> Numbers {
        match self {
            Self::Single(values) => values.into(),
            Self::Double(values) => values.into(),
            Self::Texts(_) => Numbers::default(),
        }
    }

    /// The numbers in double precision; none of texts.
    pub fn doubles(&self) -> Vec<f64> {
        match self {
            Self::Single(values) => values.iter().copied().map(f64::from).collect(),
            Self::Double(values) => values.clone(),
            Self::Texts(_) => Vec::new(),
        }
    }
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
