//! Times of the CF conventions: a number of units since a date of a calendar.

use std::fmt;
use std::str::FromStr;

use super::{Calendar, DAY, Date, DateTime, FURTHEST, Moment};

/// What the numbers of a column of times mean: `hours since 2000-01-01 06:00` of a calendar.
///
/// Whole months and years lead to the same day of a later month, or to its last day where that
/// is earlier. A fraction of a month is that share of the days from there to the next month's;
/// so is that of a year. In the 360-day calendar this is what cftime does, which refuses months
/// in the others; UDUNITS has months of 30.44 days instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TimeUnit {
    step: Step,
    reference: Moment,
    calendar: Calendar,
    year_zero: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// As many nanoseconds.
    Nanos(i64),
    /// As many months.
    Months(i64),
}

/// The names of the units of time, and what they are; the first of a step is the one written.
const STEPS: &[(&[&str], Step)] = &[
    (&["days", "day", "d"], Step::Nanos(DAY * 1000)),
    (
        &["hours", "hour", "hrs", "hr", "h"],
        Step::Nanos(3_600_000_000_000),
    ),
    (
        &["minutes", "minute", "mins", "min"],
        Step::Nanos(60_000_000_000),
    ),
    (
        &["seconds", "second", "secs", "sec", "s"],
        Step::Nanos(1_000_000_000),
    ),
    (
        &[
            "milliseconds",
            "millisecond",
            "millisecs",
            "millisec",
            "msecs",
            "msec",
            "ms",
        ],
        Step::Nanos(1_000_000),
    ),
    (
        &["microseconds", "microsecond", "microsecs", "microsec", "us"],
        Step::Nanos(1000),
    ),
    (
        &["nanoseconds", "nanosecond", "nanosecs", "nanosec", "ns"],
        Step::Nanos(1),
    ),
    (&["weeks", "week"], Step::Nanos(7 * DAY * 1000)),
    (
        &["common_years", "common_year"],
        Step::Nanos(365 * DAY * 1000),
    ),
    (&["months", "month"], Step::Months(1)),
    (&["years", "year", "yrs", "yr"], Step::Months(12)),
];

/// Why a unit is not one of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotATime {
    /// It has no `since`.
    NoReference,
    /// It has one, but not after a unit of time or not before a date of the calendar.
    Unreadable(String),
}

impl TimeUnit {
    /// Days since 1970-01-01.
    pub fn days(calendar: Calendar) -> Self {
        Self {
            step: Step::Nanos(DAY * 1000),
            reference: Moment::new(0, 0),
            calendar,
            year_zero: calendar.has_year_zero(),
        }
    }

    /// Days since a date; none when the calendar has no such date.
    pub fn days_since(date: DateTime, calendar: Calendar) -> Option<Self> {
        let reference = date.moment(calendar)?;
        Some(Self {
            reference,
            ..Self::days(calendar)
        })
    }

    /// What a unit such as `hours since 1980-01-14 14:00:00` means in a calendar.
    ///
    /// A reference in the year 0 of a calendar that has none counts years with it.
    ///
    /// # Errors
    /// Why it is not a unit of times.
    pub fn parse(unit: &str, calendar: Calendar) -> Result<Self, NotATime> {
        let mut words = unit.split_whitespace();
        let (Some(step), Some(since)) = (words.next(), words.next()) else {
            return Err(NotATime::NoReference);
        };
        if !since.eq_ignore_ascii_case("since") {
            return Err(NotATime::NoReference);
        }
        let known = STEPS
            .iter()
            .find(|(names, _)| names.iter().any(|name| name.eq_ignore_ascii_case(step)));
        let step = match known {
            Some((_, step)) => *step,
            None => {
                let message = format!("`{step}` is not a unit of time");
                return Err(NotATime::Unreadable(message));
            }
        };
        let written = words.collect::<Vec<_>>().join(" ");
        let no_date = || NotATime::Unreadable(format!("`{written}` is not a date"));
        let date = DateTime::read(&written).ok_or_else(no_date)?;
        let year_zero = calendar.has_year_zero() || date.year == 0;
        let reference = date.moment_counting(calendar, year_zero).ok_or_else(|| {
            let name = calendar.name();
            NotATime::Unreadable(format!(
                "`{written}` is not a date of the calendar `{name}`"
            ))
        })?;
        Ok(Self {
            step,
            reference,
            calendar,
            year_zero,
        })
    }

    /// The unit as CF files write it, without the calendar: `hours since 2000-01-01T06:00`.
    pub fn text(self) -> String {
        let known = STEPS.iter().find(|(_, step)| *step == self.step);
        let step = known
            .and_then(|(names, _)| names.first())
            .unwrap_or(&"days");
        let date = self.calendar.date(self.reference.day);
        let date = DateTime::of(date, self.reference.micros, self.year_zero);
        format!("{step} since {date}")
    }

    /// The calendar.
    pub fn calendar(self) -> Calendar {
        self.calendar
    }

    /// The microseconds of one unit; none for months and years, which differ in length.
    pub fn micros(self) -> Option<f64> {
        match self.step {
            Step::Nanos(nanos) => Some(nanos as f64 / 1000.0),
            Step::Months(_) => None,
        }
    }

    /// Whether times in both can be compared.
    pub fn shares_days_with(self, other: Self) -> bool {
        self.calendar.shares_days_with(other.calendar)
    }

    /// The moment that a number means, to the nearest microsecond; none for NaN and for times
    /// too far away to have a date.
    pub fn moment(self, value: f64) -> Option<Moment> {
        match self.step {
            Step::Nanos(nanos) => {
                let furthest = FURTHEST as f64 * (DAY as f64 * 1000.0 / nanos as f64);
                if value.is_nan() || value.abs() >= furthest {
                    return None;
                }
                // Whole units are exact; only the fraction is rounded.
                let whole = value.trunc();
                let total = whole as i128 * i128::from(nanos);
                let rest = ((value - whole) * nanos as f64).round_ties_even() as i128;
                let micros = (total + rest + 500).div_euclid(1000);
                let day = i128::from(DAY);
                let (days, micros) = (micros.div_euclid(day) as i64, micros.rem_euclid(day) as i64);
                let Moment { day, micros: since } = self.reference;
                Some(Moment::new(day + days, since + micros))
            }
            Step::Months(months) => {
                if value.is_nan() || value.abs() * (months as f64) >= FURTHEST as f64 {
                    return None;
                }
                let whole = value.floor();
                let [start, end] = [0, 1].map(|next| self.after((whole as i64 + next) * months));
                // In microseconds of at most a few years: exact.
                let length = (end.day - start.day) * DAY + end.micros - start.micros;
                let share = ((value - whole) * length as f64).round_ties_even() as i64;
                Some(Moment::new(start.day, start.micros + share))
            }
        }
    }

    /// The number of the time N calendar months later: of the same day of a later month, or
    /// of its last day where that is earlier.
    pub fn later(self, value: f64, months: i64) -> f64 {
        let moment = self.moment(value);
        moment.map_or(f64::NAN, |moment| {
            self.value(months_after(self.calendar, moment, months))
        })
    }

    /// So many calendar months after the reference.
    fn after(self, months: i64) -> Moment {
        months_after(self.calendar, self.reference, months)
    }

    /// The number that a moment of this calendar is.
    pub fn value(self, moment: Moment) -> f64 {
        let micros_between = |start: Moment, end: Moment| {
            i128::from(end.day - start.day) * i128::from(DAY)
                + i128::from(end.micros - start.micros)
        };
        match self.step {
            Step::Nanos(nanos) => {
                let total = micros_between(self.reference, moment) * 1000;
                let nanos = i128::from(nanos);
                // Both in lowest terms, so that the division rounds once.
                let divisor = gcd(total.unsigned_abs(), nanos.unsigned_abs()).max(1) as i128;
                let (total, nanos) = (total / divisor, nanos / divisor);
                match total.unsigned_abs() < 1 << 53 {
                    true => total as f64 / nanos as f64,
                    false => {
                        let (whole, rest) = (total.div_euclid(nanos), total.rem_euclid(nanos));
                        whole as f64 + rest as f64 / nanos as f64
                    }
                }
            }
            Step::Months(months) => {
                let index = |day: i64| {
                    let Date { year, month, .. } = self.calendar.date(day);
                    year * 12 + i64::from(month)
                };
                let between = index(moment.day) - index(self.reference.day);
                let mut whole = between.div_euclid(months);
                while self.after(whole * months) > moment {
                    whole -= 1;
                }
                while self.after((whole + 1) * months) <= moment {
                    whole += 1;
                }
                let [start, end] = [0, 1].map(|next| self.after((whole + next) * months));
                let share =
                    micros_between(start, moment) as f64 / micros_between(start, end) as f64;
                whole as f64 + share
            }
        }
    }

    /// The date and time that a number means.
    pub fn date(self, value: f64) -> Option<DateTime> {
        let moment = self.moment(value)?;
        let date = self.calendar.date(moment.day);
        Some(DateTime::of(date, moment.micros, self.year_zero))
    }

    /// The number that a date is; none when the calendar has no such date.
    pub fn number(self, date: DateTime) -> Option<f64> {
        let moment = date.moment_counting(self.calendar, self.year_zero)?;
        Some(self.value(moment))
    }

    /// The date and time of a number, or the number itself where it has no date.
    pub fn show(self, value: f64) -> String {
        self.date(value)
            .map_or_else(|| value.to_string(), |date| date.to_string())
    }

    /// The same time as a number of another unit whose calendar shares its days.
    pub fn convert(self, value: f64, to: Self) -> f64 {
        self.moment(value)
            .map_or(f64::NAN, |moment| to.value(moment))
    }

    /// The share of its year that has passed, from 0 to 1.
    pub fn share_of_year(self, value: f64) -> f64 {
        let Some(moment) = self.moment(value) else {
            return f64::NAN;
        };
        let year = self.calendar.date(moment.day).year;
        let [start, end] = [year, year + 1].map(|year| self.calendar.new_year(year));
        days_from(start, moment) / (end - start) as f64
    }
}

/// So many calendar months after a moment.
fn months_after(calendar: Calendar, moment: Moment, months: i64) -> Moment {
    let Date { year, month, day } = calendar.date(moment.day);
    let total = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (total.div_euclid(12), (total.rem_euclid(12) + 1) as u8);
    let last = calendar.days_of_month(year, month);
    // The days that the reform left out are the ones after them.
    let number = (0..=10)
        .find_map(|later| {
            let day = day.min(last) + later;
            calendar.number(Date { year, month, day })
        })
        .unwrap_or_default();
    Moment::new(number, moment.micros)
}

/// Days, with their fraction, from midnight of a day.
fn days_from(day: i64, moment: Moment) -> f64 {
    (moment.day - day) as f64 + moment.micros as f64 / DAY as f64
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Reads back: `hours since 2000-01-01T06:00 noleap`.
impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text(), self.calendar.name())
    }
}

impl FromStr for TimeUnit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is not a unit of times with a calendar");
        let (unit, calendar) = text.rsplit_once(' ').ok_or_else(unknown)?;
        let calendar = Calendar::named(calendar).ok_or_else(unknown)?;
        Self::parse(unit, calendar).map_err(|_| unknown())
    }
}

impl From<TimeUnit> for String {
    fn from(unit: TimeUnit) -> Self {
        unit.to_string()
    }
}

impl TryFrom<String> for TimeUnit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A part of a date that formulas may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Part {
    /// The year.
    Year,
    /// The month, 1 to 12.
    Month,
    /// The day of the month.
    Day,
    /// The hour of the day, 0 to 23.
    Hour,
    /// The day of the year, from 1.
    DayOfYear,
    /// The day of the year, from 1, with its fraction.
    YearDay,
    /// The meteorological season: 0 is December to February.
    Season,
}

/// The names of the meteorological seasons.
pub const SEASONS: [&str; 4] = ["DJF", "MAM", "JJA", "SON"];

impl Part {
    /// This part of the date that a number means; NaN without one.
    pub fn of(self, value: f64, unit: TimeUnit) -> f64 {
        let Some(moment) = unit.moment(value) else {
            return f64::NAN;
        };
        let calendar = unit.calendar;
        let Date { year, month, day } = calendar.date(moment.day);
        match self {
            Self::Year => DateTime::of(Date { year, month, day }, 0, unit.year_zero).year as f64,
            Self::Month => f64::from(month),
            Self::Day => f64::from(day),
            Self::Hour => moment.micros.div_euclid(3_600_000_000) as f64,
            Self::DayOfYear => calendar.day_of_year(year, month, day) as f64,
            Self::YearDay => {
                let midnight = calendar.day_of_year(year, month, day);
                midnight as f64 + moment.micros as f64 / DAY as f64
            }
            Self::Season => f64::from(month % 12 / 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(unit: &str, calendar: &str) -> TimeUnit {
        TimeUnit::parse(unit, Calendar::named(calendar).unwrap()).unwrap()
    }

    fn shown(value: f64, text: &str, calendar: &str) -> String {
        unit(text, calendar).show(value)
    }

    #[test]
    fn numbers_are_dates_of_their_calendar() {
        for (value, unit, calendar, date) in [
            (0.0, "days since 1850-01-01", "noleap", "1850-01-01"),
            (
                54_803.5,
                "days since 1850-01-01",
                "noleap",
                "2000-02-23T12:00",
            ),
            (36_329.0, "days since 1850-01-01", "360_day", "1950-11-30"),
            (
                0.0,
                "hours since 2000-01-01 00:00:00 +06:00",
                "standard",
                "1999-12-31T18:00",
            ),
            (60.0, "Days Since 2000-01-01", "Standard", "2000-03-01"),
            (1.0, "months since 1960-01-01", "standard", "1960-02-01"),
            (12.0, "months since 1960-01-01", "standard", "1961-01-01"),
            (
                0.5,
                "months since 1960-01-01",
                "standard",
                "1960-01-16T12:00",
            ),
            (-1.0, "months since 1960-03-31", "standard", "1960-02-29"),
            (40.0, "years since 1960-01-01", "standard", "2000-01-01"),
            (0.5, "years since 1961-01-01", "noleap", "1961-07-02T12:00"),
            (1.5, "MONTHS since 2000-01-01", "360_day", "2000-02-16"),
            (
                1.0,
                "microseconds since 2000-01-01",
                "standard",
                "2000-01-01T00:00:00.000001",
            ),
            (1.0, "days since 1582-10-04", "gregorian", "1582-10-15"),
            (0.0, "days since 0000-01-01", "standard", "0000-01-01"),
            (-1.0, "days since 0001-01-01", "standard", "-0001-12-31"),
            (-1.0, "days since 0001-01-01", "noleap", "0000-12-31"),
        ] {
            assert_eq!(
                shown(value, unit, calendar),
                date,
                "{value} {unit} {calendar}"
            );
        }
    }

    #[test]
    fn dates_are_the_numbers_they_came_from() {
        for text in ["days", "hours", "seconds", "months", "years", "weeks"] {
            for calendar in ["standard", "julian", "noleap", "all_leap", "360_day"] {
                let unit = unit(&format!("{text} since 1999-12-30 06:00"), calendar);
                for value in [0.0, 1.0, -1.0, 14.0, 0.25, -7.75, 1200.5, -12_000.0] {
                    let date = unit.date(value).unwrap();
                    let back = unit.number(date).unwrap();
                    assert!((back - value).abs() < 1e-9, "{value} {unit} {date} {back}");
                }
                assert_eq!(unit.to_string().parse(), Ok(unit));
            }
        }
    }

    #[test]
    fn times_convert_between_calendars_of_the_same_days() {
        let julian = unit("days since 1900-01-01", "julian");
        let standard = unit("hours since 1900-01-13", "standard");
        assert!(julian.shares_days_with(standard));
        assert_eq!(julian.convert(1.5, standard), 36.0);
        assert!(!julian.shares_days_with(unit("days since 1900-01-01", "noleap")));
    }

    #[test]
    fn months_later_are_those_of_the_calendar() {
        // The first two are those of `pandas.DateOffset(months=…)`.
        for (value, months, text, calendar, date) in [
            (30.0, 1, "days since 2000-01-01", "standard", "2000-02-29"),
            (
                59.25,
                -12,
                "days since 2000-01-01",
                "standard",
                "1999-02-28T06:00",
            ),
            (30.0, 1, "days since 2000-01-01", "noleap", "2000-02-28"),
            (29.0, 13, "days since 2000-01-01", "360_day", "2001-02-30"),
            (1.0, 1, "months since 2000-01-31", "standard", "2000-03-29"),
            (24.0, 120, "hours since 1999-12-31", "julian", "2010-01-01"),
        ] {
            let unit = unit(text, calendar);
            assert_eq!(unit.show(unit.later(value, months)), date, "{value} {text}");
        }
        let days = unit("days since 2000-01-01", "standard");
        assert!(days.later(f64::NAN, 1).is_nan());
    }

    #[test]
    fn what_is_no_time_since_a_date_is_told() {
        let parse = |unit| TimeUnit::parse(unit, Calendar::Standard);
        for unit in ["days", "m", "", "metres per since"] {
            assert_eq!(parse(unit), Err(NotATime::NoReference), "{unit}");
        }
        for (unit, why) in [
            ("m since 1970-01-01", "`m` is not a unit of time"),
            ("days since then", "`then` is not a date"),
            (
                "days since 1582-10-10",
                "`1582-10-10` is not a date of the calendar `standard`",
            ),
        ] {
            assert_eq!(parse(unit), Err(NotATime::Unreadable(why.to_owned())));
        }
    }

    #[test]
    fn far_times_and_missing_ones_have_no_date() {
        for text in ["days since 1970-01-01", "years since 1970-01-01"] {
            let unit = unit(text, "standard");
            for value in [f64::NAN, f64::INFINITY, 1e300, -1e18] {
                assert_eq!(unit.date(value), None);
                assert!(Part::Month.of(value, unit).is_nan());
                assert!(unit.share_of_year(value).is_nan());
            }
        }
    }

    #[test]
    fn parts_of_a_date() {
        let hours = unit("hour since 1980-01-14 14:00:00", "standard");
        let part = |part: Part| part.of(17_598.0, hours);
        // 733.25 days later: 1982-01-16 20:00.
        assert_eq!(part(Part::Year), 1982.0);
        assert_eq!(
            (part(Part::Month), part(Part::Day), part(Part::Hour)),
            (1.0, 16.0, 20.0)
        );
        assert_eq!((part(Part::DayOfYear), part(Part::Season)), (16.0, 0.0));
        assert_eq!(part(Part::YearDay), 16.0 + 20.0 / 24.0);
        let share = (15.0 + 20.0 / 24.0) / 365.0;
        assert!((hours.share_of_year(17_598.0) - share).abs() < 1e-15);
    }
}
