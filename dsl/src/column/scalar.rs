//! Functions of single numbers that formulas call, and loops over many.

use crate::calendar::{Calendar, Date};

/// Days since 1970-01-01 of the standard calendar; NaN where there is no such date.
pub fn date(year: f64, month: f64, day: f64) -> f64 {
    let whole = |x: f64, least: f64, most: f64| x.fract() == 0.0 && (least..=most).contains(&x);
    let is_sound = whole(year, -1e9, 1e9) && whole(month, 1.0, 12.0) && whole(day, 1.0, 31.0);
    if !is_sound || year == 0.0 {
        return f64::NAN;
    }
    let date = Date {
        // The year before 1 is -1.
        year: if year < 0.0 {
            year as i64 + 1
        } else {
            year as i64
        },
        month: month as u8,
        day: day as u8,
    };
    let number = Calendar::Standard.number(date);
    number.map_or(f64::NAN, |number| number as f64)
}

/// Missing beyond the poles.
pub(super) fn area(latitude: f64) -> f64 {
    match latitude.abs() <= 90.0 {
        true => max(latitude.to_radians().cos(), 0.0),
        false => f64::NAN,
    }
}

pub(super) fn truth(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

pub(super) fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

pub(super) fn min(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else {
        x.min(y)
    }
}

pub(super) fn max(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else {
        x.max(y)
    }
}

/// The remainder with the sign of the divisor, so that `lon % 360` lies in `0..360`.
pub(super) fn remainder(x: f64, y: f64) -> f64 {
    let rest = x % y;
    if rest != 0.0 && (rest < 0.0) != (y < 0.0) {
        rest + y
    } else {
        rest
    }
}

/// Replaces every number. Each function has a loop of its own, which the compiler vectorises.
pub(super) fn each(xs: &mut [f64], f: impl Fn(f64) -> f64) {
    xs.iter_mut().for_each(|x| *x = f(*x));
}

/// `x` to the power of `y`.
pub(super) fn power(x: f64, y: f64) -> f64 {
    // The square of a number of single precision is exact, and many are taken.
    match y == 2.0 && is_single(x) {
        true => x * x,
        false => x.powf(y),
    }
}

/// The squares of all, as [`power`] takes them.
pub(super) fn squares(xs: &mut [f64]) {
    let is_exact = |x: &f64| is_single(*x) | x.is_nan();
    match xs.iter().fold(true, |all, x| all & is_exact(x)) {
        true => each(xs, |x| x * x),
        false => each(xs, |x| power(x, 2.0)),
    }
}

fn is_single(x: f64) -> bool {
    f64::from(x as f32) == x
}

/// As [`f64::round_ties_even`], for which older processors have no instruction: where halves are the
/// last digit of a sum, it is rounded to the even number.
pub(super) fn rounded(x: f64) -> f64 {
    const WHOLE: f64 = (1_u64 << 52) as f64;
    let whole = (x.abs() + WHOLE) - WHOLE;
    let is_large = x.abs() >= WHOLE || x.is_nan();
    if is_large { x } else { whole.copysign(x) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounding_is_that_of_the_standard_library(x in prop_oneof![any::<f64>(), -1e4..1e4_f64]) {
            for x in [x, x.round(), x.round() + 0.5, x.trunc() - 0.5] {
                prop_assert_eq!(rounded(x).to_bits(), x.round_ties_even().to_bits());
            }
        }

        #[test]
        fn squares_of_a_block_are_powers(xs in proptest::collection::vec(any::<f64>(), 0..40)) {
            for single in [true, false] {
                let narrow = |x: &f64| if single { f64::from(*x as f32) } else { *x };
                let xs: Vec<f64> = xs.iter().map(narrow).collect();
                let mut found = xs.clone();
                squares(&mut found);
                let same = |(x, found): (&f64, &f64)| {
                    let power = power(*x, 2.0);
                    power.to_bits() == found.to_bits() || power.is_nan() && found.is_nan()
                };
                prop_assert!(xs.iter().zip(&found).all(same));
            }
        }
    }

    #[test]
    fn halves_are_rounded_to_even_numbers() {
        for x in [
            0.5,
            1.5,
            2.5,
            -0.5,
            -1.5,
            -0.0,
            0.0,
            4503599627370495.5,
            1e300,
            f64::INFINITY,
        ] {
            assert_eq!(rounded(x).to_bits(), x.round_ties_even().to_bits(), "{x}");
        }
    }
}
