//! Times of the CF conventions: a number of units since a date of the Gregorian calendar.

use crate::units;

const SECONDS_OF_DAY: f64 = 86_400.0;

/// How numbers in a unit such as `hours since 1980-01-14 14:00:00` become days since 1970:
/// the factor and what is added. None for a unit that is no time since a date.
pub fn days_since_1970(unit: &str) -> Option<(f64, f64)> {
    let (unit, date) = unit.split_once(" since ")?;
    let seconds = units::convert(1.0, unit.trim(), "s").ok()?;
    Some((seconds / SECONDS_OF_DAY, date_and_time(date.trim())?))
}

/// `1980-1-14`, `1980-01-14 14:00`, `1980-01-14T14:00:00.5Z`, as days since 1970.
fn date_and_time(text: &str) -> Option<f64> {
    let text = text
        .strip_suffix("UTC")
        .unwrap_or(text)
        .trim_end_matches(['Z', ' ']);
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "0"));
    let mut date = date.splitn(3, '-');
    let year: i32 = date.next()?.parse().ok()?;
    let month: u8 = date.next()?.parse().ok()?;
    let day: u8 = date.next()?.parse().ok()?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut seconds = 0.0;
    for (part, size) in time.trim().splitn(3, ':').zip([3600.0, 60.0, 1.0]) {
        seconds += part.parse::<f64>().ok()? * size;
    }
    Some(days_from_civil(i64::from(year), month, day) as f64 + seconds / SECONDS_OF_DAY)
}

/// The number of days from 1970-01-01 to a date of the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day comes last; 400 years have 146 097 days.
fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (i64::from(month) + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year and month of a day counted from 1970-01-01: the inverse of `days_from_civil`.
fn civil(days: i64) -> (i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = (from_march + 2) % 12 + 1;
    (era * 400 + year + i64::from(month <= 2), month)
}

/// Dates further away than the age of the universe are missing, not overflowed on.
fn whole_day(days: f64) -> Option<i64> {
    (days.abs() < 1e13).then_some(days.floor() as i64)
}

/// The calendar year of a time in days since 1970.
pub fn year(days: f64) -> f64 {
    whole_day(days).map_or(f64::NAN, |day| civil(day).0 as f64)
}

/// The calendar month, 1 to 12.
pub fn month(days: f64) -> f64 {
    whole_day(days).map_or(f64::NAN, |day| civil(day).1 as f64)
}

/// The day of the year, from 1, with its fraction.
pub fn year_day(days: f64) -> f64 {
    match whole_day(days) {
        Some(day) => days - days_from_civil(civil(day).0, 1, 1) as f64 + 1.0,
        None => f64::NAN,
    }
}

/// The share of its year that has passed at a time in days since 1970, from 0 to 1.
pub fn year_share(days: f64) -> f64 {
    let Some(day) = whole_day(days) else {
        return f64::NAN;
    };
    let year = civil(day).0;
    let (start, end) = (days_from_civil(year, 1, 1), days_from_civil(year + 1, 1, 1));
    (days - start as f64) / (end - start) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(value: f64, unit: &str) -> f64 {
        let (factor, start) = days_since_1970(unit).unwrap();
        value * factor + start
    }

    // from datetime import date
    // for d in [date(2000, 2, 29), date(1899, 12, 31), date(1600, 3, 1), date(2100, 1, 1)]:
    //     print((d - date(1970, 1, 1)).days, d.timetuple().tm_yday)
    #[test]
    fn dates_agree_with_python() {
        for (text, expected, of_year) in [
            ("2000-02-29", 11_016.0, 60.0),
            ("1899-12-31", -25_568.0, 365.0),
            ("1600-03-01", -135_080.0, 61.0),
            ("2100-1-1", 47_482.0, 1.0),
        ] {
            let day = days(0.0, &format!("days since {text}"));
            assert_eq!((day, year_day(day)), (expected, of_year), "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        let mut last = (1599, 12);
        for day in -135_140..157_054 {
            let (year, month) = civil(day);
            assert!(days_from_civil(year, month as u8, 1) <= day);
            assert!((year, month) >= last, "{year}-{month} after {last:?}");
            last = (year, month);
        }
        assert_eq!(last, (2399, 12));
    }

    #[test]
    fn units_and_hours_count() {
        let first = days(17_598.0, "hour since 1980-01-14 14:00:00");
        // 733.25 days after 14:00 on the 14th of January 1980: 1982-01-16 20:00.
        assert_eq!((year(first), month(first)), (1982.0, 1.0));
        assert!((year_day(first) - (16.0 + 20.0 / 24.0)).abs() < 1e-9);
        assert!((year_share(first) - (15.0 + 20.0 / 24.0) / 365.0).abs() < 1e-12);
        assert_eq!(days(1.0, "days since 1970-01-01T12:00:00Z"), 1.5);
        assert_eq!(days(43_200.0, "seconds since 1970-01-01 00:00 UTC"), 0.5);
    }

    #[test]
    fn what_is_no_time_since_a_date_is_told() {
        for unit in [
            "days",
            "m",
            "m since 1970-01-01",
            "days since then",
            "days since 1970-13-01",
        ] {
            assert_eq!(days_since_1970(unit), None, "{unit}");
        }
        assert!(
            month(f64::NAN).is_nan() && year(1e300).is_nan() && year_day(f64::INFINITY).is_nan()
        );
    }
}
