//! Functions of single numbers that formulas call.

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
