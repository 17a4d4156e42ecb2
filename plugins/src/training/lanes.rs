//! Numbers side by side and the functions of them that training needs.
//!
//! Plain arrays and loops of fixed length: the compiler turns them into the vector
//! instructions of the caller's target features, so everything here is inlined into it.
//! `FUSED` says whether those features have a fused multiply-add; without, it is rounded twice.

/// Numbers side by side.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Lanes<const N: usize>(pub [f32; N]);

impl<const N: usize> Lanes<N> {
    /// All zero.
    pub const ZERO: Self = Self([0.0; N]);

    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([value; N])
    }

    /// `f` of every lane.
    #[inline(always)]
    pub fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        for value in &mut self.0 {
            *value = f(*value);
        }
        self
    }

    /// `f` of every pair of lanes.
    #[inline(always)]
    pub fn zip(mut self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (value, other) in self.0.iter_mut().zip(&other.0) {
            *value = f(*value, *other);
        }
        self
    }

    /// `self + factor * values`.
    #[inline(always)]
    pub fn plus<const FUSED: bool>(self, factor: f32, values: &Self) -> Self {
        self.zip(values, |sum, value| fused::<FUSED>(factor, value, sum))
    }

    /// The sum over the lanes, a power of two of them, halves first.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let mut values = self.0;
        let mut width = N / 2;
        while width > 0 {
            for lane in 0..width {
                values[lane] += values[lane + width];
            }
            width /= 2;
        }
        values[0]
    }
}

/// `a * b + c`.
#[inline(always)]
pub(super) fn fused<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The value of the polynomial with these coefficients, highest power first.
#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut value = 0.0;
    for coefficient in coefficients {
        value = fused::<FUSED>(value, x, coefficient);
    }
    value
}

/// Hyperbolic tangent by the rational minimax form of Eigen (`generic_fast_tanh_float`):
/// odd polynomial of degree 13 over an even one of degree 6, beyond ±7.905 clamped to it.
/// Within 4e-7 of the truth, absolutely and relatively.
#[inline(always)]
pub(super) fn tanh<const FUSED: bool>(x: f32) -> f32 {
    const LIMIT: f32 = 7.905_311;
    const ABOVE: [f32; 7] = [
        -2.760_768_5e-16,
        2.000_187_9e-13,
        -8.604_672e-11,
        5.122_297e-8,
        1.485_722_4e-5,
        6.372_619_3e-4,
        4.893_524_6e-3,
    ];
    const BELOW: [f32; 4] = [1.198_258_4e-6, 1.185_347e-4, 2.268_434_6e-3, 4.893_525e-3];
    // Comparisons, not `clamp`: a NaN stays one.
    let x = if x > LIMIT { LIMIT } else { x };
    let x = if x < -LIMIT { -LIMIT } else { x };
    let square = x * x;
    x * polynomial::<FUSED, 7>(square, ABOVE) / polynomial::<FUSED, 4>(square, BELOW)
}

/// Exponential function: a power of two times a polynomial of degree 5 (Cephes `expf`).
/// Relatively within 2.4e-7 of the truth between -87 and 88, clamped beyond.
#[inline(always)]
pub(super) fn exp<const FUSED: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to a whole number
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const SERIES: [f32; 6] = [
        1.987_569_2e-4,
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = fused::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = fused::<FUSED>(whole, -LN2_LOW, fused::<FUSED>(whole, -LN2_HIGH, x));
    let series = polynomial::<FUSED, 6>(rest, SERIES);
    let mantissa = fused::<FUSED>(rest * rest, series, rest) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(exponent.wrapping_add(127) << 23);
    mantissa * power
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest `error` over a range.
    fn worst(range: (f32, f32), error: impl Fn(f32) -> f64) -> f64 {
        let points = 200_000;
        (0..=points)
            .map(|i| error(range.0 + (range.1 - range.0) * i as f32 / points as f32))
            .fold(0.0, f64::max)
    }

    #[test]
    fn tanh_is_within_4e_7() {
        let error = |x: f32| (f64::from(tanh::<true>(x)) - f64::from(x).tanh()).abs();
        let relative = |x: f32| error(x) / f64::from(x).tanh().abs();
        assert!(worst((-12.0, 12.0), error) < 4e-7);
        assert!(worst((1e-6, 12.0), relative) < 4e-7);
        assert!(tanh::<false>(f32::NAN).is_nan());
        assert_eq!(tanh::<false>(0.0), 0.0);
    }

    #[test]
    fn exp_is_within_2_4e_7() {
        let relative = |x: f32| {
            let truth = f64::from(x).exp();
            (f64::from(exp::<true>(x)) - truth).abs() / truth
        };
        assert!(worst((-87.0, 88.0), relative) < 2.4e-7);
        assert!(exp::<false>(f32::NAN).is_nan());
    }

    #[test]
    fn lanes_sum_to_the_sum() {
        let lanes = Lanes::<16>(std::array::from_fn(|i| i as f32));
        assert_eq!(lanes.sum(), 120.0);
    }
}
