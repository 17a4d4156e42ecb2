//! Calendars of the CF conventions: dates to day numbers and back.
//!
//! Day 0 is 1970-01-01 of the calendar itself. The calendars of the real world (`standard`,
//! `proleptic_gregorian`, `julian`) number the same days alike, so that times convert between
//! them; the calendars of models are worlds of their own.

pub mod date;
pub mod time;

pub use date::DateTime;
pub use time::TimeUnit;

/// How dates are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calendar {
    /// Julian until 1582-10-04, Gregorian from 1582-10-15 on: what CF means by default.
    Standard,
    /// Gregorian for all times, with a year 0.
    ProlepticGregorian,
    /// Every fourth year has a leap day.
    Julian,
    /// All years have 365 days.
    NoLeap,
    /// All years have 366 days.
    AllLeap,
    /// Twelve months of 30 days.
    Day360,
}

/// The names of the CF conventions; the first of a calendar is the one written.
const NAMES: &[(&str, Calendar)] = &[
    ("standard", Calendar::Standard),
    ("gregorian", Calendar::Standard),
    ("proleptic_gregorian", Calendar::ProlepticGregorian),
    ("julian", Calendar::Julian),
    ("noleap", Calendar::NoLeap),
    ("365_day", Calendar::NoLeap),
    ("all_leap", Calendar::AllLeap),
    ("366_day", Calendar::AllLeap),
    ("360_day", Calendar::Day360),
];

/// The first day of the Gregorian calendar, 1582-10-15, from 1970-01-01.
const REFORM: i64 = -141_427;

/// A day of a calendar; years are astronomical: the year before 1 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// The year.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
}

impl Calendar {
    /// The calendar with this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let known = NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        known.map(|(_, calendar)| *calendar)
    }

    /// The name CF gives it.
    pub fn name(self) -> &'static str {
        let known = NAMES.iter().find(|(_, calendar)| *calendar == self);
        known.map_or("standard", |(name, _)| name)
    }

    /// All names a file may use.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Whether the days of both are the same days, whatever their dates.
    pub fn shares_days_with(self, other: Self) -> bool {
        let is_real = |calendar| {
            matches!(
                calendar,
                Self::Standard | Self::ProlepticGregorian | Self::Julian
            )
        };
        self == other || is_real(self) && is_real(other)
    }

    /// Whether the year before 1 is written 0, and not -1, by the conventions.
    pub(crate) fn has_year_zero(self) -> bool {
        !matches!(self, Self::Standard | Self::Julian)
    }

    /// The number of a day; none when the calendar has no such date.
    pub fn number(self, date: Date) -> Option<i64> {
        let Date { year, month, day } = date;
        let number = match self {
            Self::ProlepticGregorian => gregorian(year, month, day),
            Self::Julian => julian(year, month, day),
            Self::Standard => match gregorian(year, month, day) {
                number if number >= REFORM => number,
                _ => julian(year, month, day),
            },
            Self::NoLeap => 365 * (year - 1970) + before(month, NORMAL) + i64::from(day) - 1,
            Self::AllLeap => 366 * (year - 1970) + before(month, LEAP) + i64::from(day) - 1,
            Self::Day360 => 360 * (year - 1970) + 30 * (i64::from(month) - 1) + i64::from(day) - 1,
        };
        // A date that does not exist is another one or none on the way back.
        (year.abs() < FURTHEST && (1..=12).contains(&month) && day >= 1)
            .then_some(number)
            .filter(|number| self.date(*number) == date)
    }

    /// The date of a day.
    pub fn date(self, number: i64) -> Date {
        match self {
            Self::ProlepticGregorian => from_gregorian(number),
            Self::Julian => from_julian(number),
            Self::Standard if number >= REFORM => from_gregorian(number),
            Self::Standard => from_julian(number),
            Self::NoLeap => of_fixed(number, NORMAL),
            Self::AllLeap => of_fixed(number, LEAP),
            Self::Day360 => {
                let of_year = number.rem_euclid(360);
                Date {
                    year: 1970 + number.div_euclid(360),
                    month: (of_year / 30 + 1) as u8,
                    day: (of_year % 30 + 1) as u8,
                }
            }
        }
    }

    /// How many days a month has, counted over the reform: October 1582 has 31 but no 5th.
    pub fn days_of_month(self, year: i64, month: u8) -> u8 {
        let leap = match self {
            Self::Day360 => return 30,
            Self::NoLeap => false,
            Self::AllLeap => true,
            Self::Julian => year.rem_euclid(4) == 0,
            Self::Standard if year <= 1582 => year.rem_euclid(4) == 0,
            Self::Standard | Self::ProlepticGregorian => {
                year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
            }
        };
        let lengths = if leap { LEAP } else { NORMAL };
        lengths[usize::from(month.clamp(1, 12)) - 1]
    }

    /// The day of the year, from 1; the days that the reform of 1582 left out are counted, as
    /// cftime does.
    pub fn day_of_year(self, year: i64, month: u8, day: u8) -> i64 {
        let earlier = (1..month).map(|month| i64::from(self.days_of_month(year, month)));
        earlier.sum::<i64>() + i64::from(day)
    }

    /// The number of the first of January of a year.
    pub fn new_year(self, year: i64) -> i64 {
        let first = Date {
            year,
            month: 1,
            day: 1,
        };
        // The first of January exists in all calendars, and years are bounded.
        self.number(first).unwrap_or_default()
    }
}

/// A point in time: a day of a calendar and the microseconds since its midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// The number of the day, from 1970-01-01.
    pub day: i64,
    /// Microseconds since midnight.
    pub micros: i64,
}

impl Moment {
    /// This many microseconds, of whatever sign, after midnight of a day.
    pub fn new(day: i64, micros: i64) -> Self {
        Self {
            day: day + micros.div_euclid(DAY),
            micros: micros.rem_euclid(DAY),
        }
    }
}

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// Years further away than this are missing, not overflowed on.
pub(crate) const FURTHEST: i64 = 100_000_000_000;

const NORMAL: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const LEAP: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The days of a year before a month.
fn before(month: u8, lengths: [u8; 12]) -> i64 {
    let earlier = usize::from(month.clamp(1, 12)) - 1;
    lengths[..earlier].iter().map(|days| i64::from(*days)).sum()
}

fn of_fixed(number: i64, lengths: [u8; 12]) -> Date {
    let length: i64 = lengths.iter().map(|days| i64::from(*days)).sum();
    let mut rest = number.rem_euclid(length);
    let mut month = 1;
    for days in lengths {
        if rest < i64::from(days) {
            break;
        }
        rest -= i64::from(days);
        month += 1;
    }
    Date {
        year: 1970 + number.div_euclid(length),
        month,
        day: (rest + 1) as u8,
    }
}

/// The days of a year that begins in March before a day of it; the leap day comes last.
fn from_march(month: u8, day: u8) -> i64 {
    let months = (i64::from(month) + 9) % 12;
    (153 * months + 2) / 5 + i64::from(day) - 1
}

/// The month and day of a day of such a year, and whether it lies in the next civil year.
fn in_march_year(of_year: i64) -> (u8, u8, bool) {
    let months = (5 * of_year + 2) / 153;
    let day = of_year - (153 * months + 2) / 5 + 1;
    let month = (months + 2) % 12 + 1;
    (month as u8, day as u8, month <= 2)
}

/// 400 years have 146 097 days.
fn gregorian(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + from_march(month, day) - 719_468
}

fn from_gregorian(number: i64) -> Date {
    let days = number + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let (month, day, next) = in_march_year(of_era - (365 * year + year / 4 - year / 100));
    Date {
        year: era * 400 + year + i64::from(next),
        month,
        day,
    }
}

/// 4 years have 1461 days; day 0 is 1969-12-19 of this calendar.
fn julian(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(4), year.rem_euclid(4));
    era * 1_461 + of_era * 365 + from_march(month, day) - 719_470
}

fn from_julian(number: i64) -> Date {
    let days = number + 719_470;
    let (era, of_era) = (days.div_euclid(1_461), days.rem_euclid(1_461));
    let year = (of_era - of_era / 1_460) / 365;
    let (month, day, next) = in_march_year(of_era - 365 * year);
    Date {
        year: era * 4 + year + i64::from(next),
        month,
        day,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Calendar; 6] = [
        Calendar::Standard,
        Calendar::ProlepticGregorian,
        Calendar::Julian,
        Calendar::NoLeap,
        Calendar::AllLeap,
        Calendar::Day360,
    ];

    #[test]
    fn every_day_comes_back_and_follows_the_one_before() {
        for calendar in ALL {
            let mut last = calendar.date(-2_500_001);
            for number in -2_500_000..400_000 {
                let date = calendar.date(number);
                assert!(date > last, "{calendar:?} {date:?} after {last:?}");
                assert_eq!(calendar.number(date), Some(number), "{calendar:?} {date:?}");
                assert!(date.day <= calendar.days_of_month(date.year, date.month));
                last = date;
            }
        }
    }

    #[test]
    fn days_that_do_not_exist_have_no_number() {
        for (calendar, year, month, day) in [
            (Calendar::Standard, 1582, 10, 5),
            (Calendar::Standard, 1582, 10, 14),
            (Calendar::Standard, 1900, 2, 29),
            (Calendar::ProlepticGregorian, 1500, 2, 29),
            (Calendar::NoLeap, 2000, 2, 29),
            (Calendar::AllLeap, 2001, 2, 30),
            (Calendar::Day360, 2000, 1, 31),
            (Calendar::Julian, 2000, 13, 1),
            (Calendar::Julian, 2000, 1, 0),
        ] {
            assert_eq!(calendar.number(Date { year, month, day }), None);
        }
    }
}
