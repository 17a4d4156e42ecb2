//! Units as people and data files write them, and numbers from one to another.
//!
//! A unit is a product of base units, a scale and, for temperatures, an offset:
//! `base = value * scale + offset`. Counted things (steps, rows) are dimensions of their
//! own, as are angles, and practical salinity, which is not a mass fraction. Pressure in dbar
//! is pressure: it is never taken for a depth.

use std::fmt;

/// A unit that was understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    powers: [i8; DIMENSIONS],
    scale: f64,
    offset: f64,
}

const DIMENSIONS: usize = 10;
const ONE: [i8; DIMENSIONS] = [0; DIMENSIONS];
const LENGTH: [i8; DIMENSIONS] = base(0);
const MASS: [i8; DIMENSIONS] = base(1);
const TIME: [i8; DIMENSIONS] = base(2);
const TEMPERATURE: [i8; DIMENSIONS] = base(3);
const ANGLE: [i8; DIMENSIONS] = base(4);
const SALINITY: [i8; DIMENSIONS] = base(5);
const STEPS: [i8; DIMENSIONS] = base(6);
const EPOCHS: [i8; DIMENSIONS] = base(7);
const ROWS: [i8; DIMENSIONS] = base(8);
const MEMBERS: [i8; DIMENSIONS] = base(9);
const SPEED: [i8; DIMENSIONS] = [1, 0, -1, 0, 0, 0, 0, 0, 0, 0];
const FORCE: [i8; DIMENSIONS] = [1, 1, -2, 0, 0, 0, 0, 0, 0, 0];
const PRESSURE: [i8; DIMENSIONS] = [-1, 1, -2, 0, 0, 0, 0, 0, 0, 0];
const ENERGY: [i8; DIMENSIONS] = [2, 1, -2, 0, 0, 0, 0, 0, 0, 0];
const POWER: [i8; DIMENSIONS] = [2, 1, -3, 0, 0, 0, 0, 0, 0, 0];

const fn base(index: usize) -> [i8; DIMENSIONS] {
    let mut powers = [0; DIMENSIONS];
    powers[index] = 1;
    powers
}

const DEGREE: f64 = std::f64::consts::PI / 180.0;

/// The names a unit may have (the first is the one suggested), its dimension and scale.
type Named = (&'static [&'static str], [i8; DIMENSIONS], f64);

const UNITS: &[Named] = &[
    (&["1", "fraction", "dimensionless"], ONE, 1.0),
    (&["%", "percent"], ONE, 0.01),
    (&["sigma", "sigmas"], ONE, 1.0),
    (&["1e-3", "permille"], ONE, 1e-3),
    (&["m", "metre", "metres", "meter", "meters"], LENGTH, 1.0),
    (
        &["km", "kilometre", "kilometres", "kilometer", "kilometers"],
        LENGTH,
        1e3,
    ),
    (&["dm", "decimetre", "decimeter"], LENGTH, 0.1),
    (
        &[
            "cm",
            "centimetre",
            "centimetres",
            "centimeter",
            "centimeters",
        ],
        LENGTH,
        0.01,
    ),
    (
        &[
            "mm",
            "millimetre",
            "millimetres",
            "millimeter",
            "millimeters",
        ],
        LENGTH,
        1e-3,
    ),
    (&["um", "micron", "microns", "micrometer"], LENGTH, 1e-6),
    (&["nmi", "nautical_mile", "nautical_miles"], LENGTH, 1852.0),
    (&["ft", "foot", "feet"], LENGTH, 0.3048),
    (&["kg", "kilogram", "kilograms"], MASS, 1.0),
    (&["g", "gram", "grams"], MASS, 1e-3),
    (&["mg", "milligram", "milligrams"], MASS, 1e-6),
    (&["t", "tonne", "tonnes"], MASS, 1e3),
    (&["s", "sec", "secs", "second", "seconds"], TIME, 1.0),
    (&["ms", "millisecond", "milliseconds"], TIME, 1e-3),
    (&["min", "mins", "minute", "minutes"], TIME, 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], TIME, 3600.0),
    (&["d", "day", "days"], TIME, 86_400.0),
    (&["week", "weeks"], TIME, 604_800.0),
    // Gregorian mean year, and a twelfth of it, as udunits' `common_year` is not what data mean.
    (&["month", "months"], TIME, 31_556_952.0 / 12.0),
    (&["year", "years", "yr", "yrs"], TIME, 31_556_952.0),
    (&["K", "kelvin"], TEMPERATURE, 1.0),
    (&["degrees", "degree", "deg", "arc_degree"], ANGLE, DEGREE),
    (
        &[
            "degrees_north",
            "degree_north",
            "degrees_n",
            "degree_n",
            "degreen",
        ],
        ANGLE,
        DEGREE,
    ),
    (
        &[
            "degrees_east",
            "degree_east",
            "degrees_e",
            "degree_e",
            "degreee",
        ],
        ANGLE,
        DEGREE,
    ),
    (
        &["degrees_south", "degree_south", "degrees_s"],
        ANGLE,
        -DEGREE,
    ),
    (
        &["degrees_west", "degree_west", "degrees_w"],
        ANGLE,
        -DEGREE,
    ),
    (&["radians", "radian", "rad"], ANGLE, 1.0),
    (
        &["psu", "pss", "pss-78", "practical_salinity"],
        SALINITY,
        1.0,
    ),
    (&["Pa", "pascal", "pascals"], PRESSURE, 1.0),
    (
        &["hPa", "mbar", "mb", "millibar", "millibars"],
        PRESSURE,
        100.0,
    ),
    (&["kPa"], PRESSURE, 1e3),
    (&["MPa"], PRESSURE, 1e6),
    (&["dbar", "db", "decibar", "decibars"], PRESSURE, 1e4),
    (&["bar", "bars"], PRESSURE, 1e5),
    (&["atm"], PRESSURE, 101_325.0),
    (
        &["knots", "knot", "kn", "kt", "kts"],
        SPEED,
        1852.0 / 3600.0,
    ),
    (&["N", "newton", "newtons"], FORCE, 1.0),
    (&["J", "joule", "joules"], ENERGY, 1.0),
    (&["W", "watt", "watts"], POWER, 1.0),
    (&["Hz", "hertz"], [0, 0, -1, 0, 0, 0, 0, 0, 0, 0], 1.0),
    (
        &["Sv", "sverdrup", "sverdrups"],
        [3, 0, -1, 0, 0, 0, 0, 0, 0, 0],
        1e6,
    ),
    (
        &["l", "litre", "litres", "liter", "liters"],
        [3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        1e-3,
    ),
    (&["steps", "step"], STEPS, 1.0),
    (&["epochs", "epoch"], EPOCHS, 1.0),
    (&["rows", "row"], ROWS, 1.0),
    (&["members", "member"], MEMBERS, 1.0),
];

/// Temperatures whose zero is not absolute: names, scale, offset.
const OFFSET_UNITS: &[(&[&str], f64, f64)] = &[
    (
        &[
            "degC",
            "celsius",
            "deg_c",
            "degrees_celsius",
            "degree_celsius",
            "degrees_c",
            "degree_c",
            "°c",
            "c",
        ],
        1.0,
        273.15,
    ),
    (
        &[
            "degF",
            "fahrenheit",
            "deg_f",
            "degrees_fahrenheit",
            "degree_fahrenheit",
            "degrees_f",
        ],
        5.0 / 9.0,
        459.67 * 5.0 / 9.0,
    ),
];

/// Why a number cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// No such unit.
    Unknown {
        /// As written.
        unit: String,
        /// The known unit it looks most like.
        nearest: Option<&'static str>,
    },
    /// They measure different things.
    Incompatible {
        /// What the number is in.
        from: String,
        /// What was asked for.
        to: String,
    },
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnitError::Unknown { unit, .. } => write!(f, "unknown unit `{unit}`"),
            UnitError::Incompatible { from, to } => {
                write!(f, "`{from}` cannot be converted to `{to}`")
            }
        }
    }
}

/// `value` in `from`, expressed in `to`; the same number when both are written alike.
///
/// # Errors
/// When a unit is unknown, or the two measure different things.
pub fn convert(value: f64, from: &str, to: &str) -> Result<f64, UnitError> {
    let (source, target) = (parse(from)?, parse(to)?);
    source
        .convert(value, &target)
        .ok_or_else(|| UnitError::Incompatible {
            from: from.to_owned(),
            to: to.to_owned(),
        })
}

/// Whether numbers in both units mean the same: `m/s` and `m s-1`. Unknown units and those since a
/// date do when they are written alike.
pub fn are_alike(one: &str, other: &str) -> bool {
    let is_equal = |value: f64| convert(value, one, other) == Ok(value);
    let has_date = [one, other].iter().any(|unit| unit.contains(" since "));
    one == other || !has_date && is_equal(0.0) && is_equal(1.0)
}

/// The unit that a text names: `m s-1`, `kg/m^3`, `degrees_north`, `days since 1970-01-01`.
///
/// # Errors
/// [`UnitError::Unknown`] when some part of it is not a unit.
pub fn parse(text: &str) -> Result<Unit, UnitError> {
    let unit = text.split(" since ").next().unwrap_or_default().trim();
    let whole = unit.to_lowercase().replace(' ', "_");
    if let Some(unit) = temperature(&whole)
        .or_else(|| named(unit))
        .or_else(|| named(&whole))
    {
        return Ok(unit);
    }
    product(unit).ok_or_else(|| UnitError::Unknown {
        unit: text.to_owned(),
        nearest: nearest(unit),
    })
}

impl Unit {
    /// The same number in another unit; `None` when they measure different things.
    pub fn convert(&self, value: f64, to: &Unit) -> Option<f64> {
        if self.powers != to.powers {
            return None;
        }
        if self.scale == to.scale && self.offset == to.offset {
            return Some(value);
        }
        if self.offset == 0.0 && to.offset == 0.0 {
            return Some(value * (self.scale / to.scale));
        }
        Some((value * self.scale + self.offset - to.offset) / to.scale)
    }

    /// Whether differences in both are proportional: all but temperatures of unlike zero.
    pub fn same_zero(&self, other: &Unit) -> bool {
        self.offset == other.offset
    }
}

fn temperature(lower: &str) -> Option<Unit> {
    OFFSET_UNITS
        .iter()
        .find(|(names, ..)| names.iter().any(|name| name.eq_ignore_ascii_case(lower)))
        .map(|(_, scale, offset)| Unit {
            powers: TEMPERATURE,
            scale: *scale,
            offset: *offset,
        })
}

/// The unit with this name as written, or else in another case, as data files shout `M/S`.
fn named(name: &str) -> Option<Unit> {
    let find = |same: &dyn Fn(&str) -> bool| {
        UNITS
            .iter()
            .find(|(names, ..)| names.iter().any(|name| same(name)))
            .map(|(_, powers, scale)| Unit {
                powers: *powers,
                scale: *scale,
                offset: 0.0,
            })
    };
    find(&|known| known == name).or_else(|| find(&|known| known.eq_ignore_ascii_case(name)))
}

/// Factors with powers: `kg m-3`, `kg/m^3`, `m.s**-1`, `g kg^-1`.
fn product(text: &str) -> Option<Unit> {
    let text = text.replace("**", "^").replace(['*', '.', '·'], " ");
    let mut unit = Unit {
        powers: ONE,
        scale: 1.0,
        offset: 0.0,
    };
    for (index, part) in text.split('/').enumerate() {
        let sign = if index == 0 { 1 } else { -1 };
        let mut factors = part.split_whitespace().peekable();
        factors.peek()?;
        for factor in factors {
            let (name, power) = factor_power(factor)?;
            let factor = named(name)?;
            let power = sign * power;
            for (total, own) in unit.powers.iter_mut().zip(factor.powers) {
                *total = total.checked_add(own.checked_mul(power)?)?;
            }
            unit.scale *= factor.scale.powi(i32::from(power));
        }
    }
    Some(unit)
}

fn factor_power(factor: &str) -> Option<(&str, i8)> {
    let digits = factor.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| {
        at + factor[at..].chars().next().map_or(1, char::len_utf8)
    });
    if digits == factor.len() || digits == 0 {
        return Some((factor, 1));
    }
    let (name, power) = match factor.as_bytes().get(digits - 1) {
        Some(b'-' | b'+') => factor.split_at(digits - 1),
        _ => factor.split_at(digits),
    };
    let power = power.strip_prefix('+').unwrap_or(power).parse().ok()?;
    Some((name.strip_suffix('^').unwrap_or(name), power))
}

fn nearest(unit: &str) -> Option<&'static str> {
    let names = UNITS.iter().map(|(names, ..)| *names);
    let names = names.chain(OFFSET_UNITS.iter().map(|(names, ..)| *names));
    crate::nearest(unit, names.flatten().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(value: f64, from: &str, to: &str) -> f64 {
        convert(value, from, to).unwrap()
    }

    #[test]
    fn ways_of_writing_a_unit_agree() {
        for alike in [
            &[
                "m/s",
                "m s-1",
                "M/S",
                "m s^-1",
                "m.s-1",
                "m s**-1",
                "meters/second",
            ][..],
            &["kg/m^3", "kg m-3", "kg/m3", "KG/M3", "kg m^-3"],
            &[
                "degC",
                "celsius",
                "deg_c",
                "degrees_celsius",
                "DEG C",
                "Celsius",
                "deg C",
            ],
            &["hPa", "mbar", "HPA"],
            &["degrees_north", "degrees_east", "degrees", "DEGREES_N"],
            &["days", "days since 1970-01-01", "d"],
        ] {
            for unit in alike {
                assert_eq!(parse(unit), parse(alike[0]), "{unit}");
            }
        }
    }

    #[test]
    fn numbers_are_converted() {
        assert_eq!(to(1.0, "km", "m"), 1000.0);
        assert_eq!(to(5.0, "dbar", "Pa"), 50_000.0);
        assert_eq!(to(30.0, "min", "s"), 1800.0);
        assert_eq!(to(20.0, "%", "1"), 0.2);
        assert_eq!(to(25.0, "degC", "K"), 298.15);
        assert!((to(212.0, "degF", "degC") - 100.0).abs() < 1e-9);
        assert!((to(10.0, "knots", "m/s") - 5.144_444_444_444_444).abs() < 1e-12);
        assert!((to(1.0, "g/kg", "1") - 1e-3).abs() < 1e-18);
    }

    #[test]
    fn units_are_alike_when_numbers_mean_the_same() {
        assert!(are_alike("m/s", "m s-1") && are_alike("Celsius", "degC"));
        assert!(are_alike("furlongs", "furlongs"));
        assert!(!are_alike("m", "km") && !are_alike("K", "degC"));
        assert!(!are_alike("furlongs", "Furlongs"));
        assert!(!are_alike("days since 2000-01-01", "days since 2001-01-01"));
    }

    #[test]
    fn unlike_things_are_not() {
        for (from, to) in [
            ("dbar", "m"),
            ("psu", "g/kg"),
            ("steps", "epochs"),
            ("s", "degC"),
        ] {
            let error = convert(1.0, from, to).unwrap_err();
            assert!(
                matches!(error, UnitError::Incompatible { .. }),
                "{from} {to}"
            );
        }
    }

    #[test]
    fn unknown_units_name_the_nearest() {
        let error = convert(1.0, "dbarr", "Pa").unwrap_err();
        let unit = "dbarr".to_owned();
        let nearest = Some("dbar");
        assert_eq!(error, UnitError::Unknown { unit, nearest });
        assert!(parse("m/").is_err() && parse("/s").is_err() && parse("").is_err());
    }
}
