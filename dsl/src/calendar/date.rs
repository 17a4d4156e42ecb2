//! Dates and times as people write them: `2012-01-01`, `2012-01-01T06:00`, `1-1-1 0:0:0 +06:00`.

use std::fmt;
use std::str::FromStr;

use super::{Calendar, Date, Moment};

/// A date and a time of day, of no calendar yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// As written: in calendars without a year 0, the year before 1 is -1.
    pub year: i64,
    /// The month, from 1.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// Microseconds since midnight, less the offset of the time zone.
    pub micros: i64,
}

impl DateTime {
    /// Midnight of a date.
    pub fn midnight(year: i64, month: u8, day: u8) -> Self {
        Self {
            year,
            month,
            day,
            micros: 0,
        }
    }

    /// Reads a date with an optional time and zone, leniently, as data files have them: parts
    /// may lack their zeros, `T` or blanks may stand before the time, and `Z`, `UTC`, `GMT` or
    /// an offset such as `+06:00`, `+0600`, `-3` after it. None when it is something else.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '-');
        let (date, rest) = digits.split_at(end.unwrap_or(digits.len()));
        let mut parts = date.split('-');
        let year: i64 = number(parts.next()?, 9)?;
        let month = number(parts.next()?, 2)? as u8;
        let day = number(parts.next()?, 2)? as u8;
        if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        Some(Self {
            year: if negative { -year } else { year },
            month,
            day,
            micros: time_of_day(rest)?,
        })
    }

    /// The moment it is in a calendar; none when the calendar has no such date.
    pub fn moment(self, calendar: Calendar) -> Option<Moment> {
        self.moment_counting(calendar, calendar.has_year_zero())
    }

    /// The same; `year_zero` says whether there is a year 0.
    pub(super) fn moment_counting(self, calendar: Calendar, year_zero: bool) -> Option<Moment> {
        let year = match (year_zero, self.year) {
            (false, 0) => return None,
            (false, year) if year < 0 => year + 1,
            (_, year) => year,
        };
        let number = calendar.number(Date {
            year,
            month: self.month,
            day: self.day,
        })?;
        Some(Moment::new(number, self.micros))
    }

    /// The same time of day on another date.
    pub(super) fn of(date: Date, micros: i64, year_zero: bool) -> Self {
        Self {
            year: match year_zero {
                false if date.year <= 0 => date.year - 1,
                _ => date.year,
            },
            month: date.month,
            day: date.day,
            micros,
        }
    }
}

impl Calendar {
    /// The same moment with the time of day between midnights, as a date is written.
    pub fn written(self, date: DateTime) -> String {
        let moment = date.moment(self);
        let date = moment.map_or(date, |moment| {
            DateTime::of(self.date(moment.day), moment.micros, self.has_year_zero())
        });
        date.to_string()
    }
}

/// The date, and the time unless it is midnight: `2012-01-01`, `2012-01-01T06:00`,
/// `2012-01-01T06:00:00.5`.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.year < 0 { "-" } else { "" };
        let (year, month, day) = (self.year.abs(), self.month, self.day);
        write!(f, "{sign}{year:04}-{month:02}-{day:02}")?;
        if self.micros == 0 {
            return Ok(());
        }
        let (seconds, micros) = (
            self.micros.div_euclid(1_000_000),
            self.micros.rem_euclid(1_000_000),
        );
        let (hours, minutes) = (seconds.div_euclid(3600), seconds.rem_euclid(3600) / 60);
        write!(f, "T{hours:02}:{minutes:02}")?;
        let seconds = seconds.rem_euclid(60);
        if seconds != 0 || micros != 0 {
            write!(f, ":{seconds:02}")?;
        }
        if micros != 0 {
            let fraction = format!("{micros:06}");
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// As the language writes it: all zeros, `T` before the time, no zone.
impl FromStr for DateTime {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let written = Self::read(text).ok_or(())?;
        match text.contains([' ', '+', 'Z']) {
            true => Err(()),
            false => Ok(written),
        }
    }
}

/// A whole number of at most N digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let sound = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

/// Microseconds since midnight of what follows a date: ``, `T14:00:00.5Z`, ` 14:00 +0600`.
fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_prefix(['T', 't']).unwrap_or(text).trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
    let (time, zone) = text.split_at(end.unwrap_or(text.len()));
    let offset = zone_minutes(zone.trim())?;
    let mut micros = 0;
    if !time.is_empty() {
        let mut parts = time.split(':');
        let hours = number(parts.next()?, 2).filter(|hours| *hours < 24)?;
        let minutes = match parts.next() {
            Some(minutes) => number(minutes, 2).filter(|minutes| *minutes < 60)?,
            None => 0,
        };
        let seconds = match parts.next() {
            Some(seconds) => seconds_in_micros(seconds)?,
            None => 0,
        };
        if parts.next().is_some() {
            return None;
        }
        micros = (hours * 60 + minutes) * 60_000_000 + seconds;
    }
    Some(micros - offset * 60_000_000)
}

fn seconds_in_micros(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = number(whole, 2).filter(|seconds| *seconds < 60)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Nanoseconds are cut off.
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(whole * 1_000_000 + digits.parse::<i64>().ok()?)
}

/// How many minutes a zone is ahead of UTC.
fn zone_minutes(zone: &str) -> Option<i64> {
    if zone.is_empty() || ["z", "utc", "gmt"].contains(&zone.to_ascii_lowercase().as_str()) {
        return Some(0);
    }
    let sign = match zone.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone.get(1..)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (number(hours, 2)?, number(minutes, 2)?),
        None if digits.len() <= 2 => (number(digits, 2)?, 0),
        None => {
            let (hours, minutes) = digits.split_at_checked(digits.len() - 2)?;
            (number(hours, 2)?, number(minutes, 2)?)
        }
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_files_have_them_and_written_one_way() {
        for (text, written) in [
            ("1980-1-14", "1980-01-14"),
            ("2012-01-01T06:00", "2012-01-01T06:00"),
            ("2012-01-01 06", "2012-01-01T06:00"),
            ("2012-01-01t06:00:30.25z", "2012-01-01T06:00:30.25"),
            ("1-1-1 0:0:0 UTC", "0001-01-01"),
            ("-4713-11-24 12:00:0.0", "-4713-11-24T12:00"),
            ("2000-01-01 12:00 -3", "2000-01-01T15:00"),
            ("2000-01-01 06:00:00 +06:00", "2000-01-01"),
            ("2000-01-01T06:00+0530", "2000-01-01T00:30"),
        ] {
            let read = DateTime::read(text).map(|date| date.to_string());
            assert_eq!(read.as_deref(), Some(written), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        for text in [
            "",
            "then",
            "2000-13-01",
            "2000-01-32",
            "2000-01-00",
            "20000101",
            "2000-01",
            "2000-01-01 24:00",
            "2000-01-01 12:60",
            "2000-01-01 12:00:60",
            "2000-01-01 12:00 CET",
            "2000-01-01 12:00:00:00",
            "2000-1-1x",
            "2000-01-01 +99:00",
            "1e3-01-01",
            "2000--01-01",
        ] {
            assert_eq!(DateTime::read(text), None, "{text}");
        }
    }
}
