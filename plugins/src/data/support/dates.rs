//! Dates in text fields: ISO 8601, or a pattern such as `%d.%m.%Y`.

use dsl::calendar::DateTime;

/// A date such as `2012-01-31`, `2012-01-31T06:00Z` or `2012-01-31 06:00:00+01:00`, with all its
/// zeros, so that `1-2-3` stays a text.
pub fn read_iso(text: &str) -> Option<DateTime> {
    is_like_iso(text).then(|| DateTime::read(text)).flatten()
}

/// Whether a text begins as `2012-01-31` does, whatever the numbers are.
pub fn is_like_iso(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    digits.len() >= 10
        && digits[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether a text has the form of a pattern, whatever the numbers are: `31.02.2012`.
pub fn has_pattern(pattern: &str, text: &str) -> bool {
    // Numbers count by their digits alone.
    let shape = |text: &str| {
        let mut shape = String::new();
        for letter in text.chars() {
            let kind = if letter.is_ascii_digit() { '0' } else { letter };
            if kind != '0' || !shape.ends_with('0') {
                shape.push(kind);
            }
        }
        shape
    };
    let sample = pattern.replace("%b", "Mar").replace("%B", "Mar");
    let codes = ["%Y", "%y", "%m", "%d", "%H", "%M", "%S", "%f", "%j"];
    let sample = codes
        .iter()
        .fold(sample, |sample, code| sample.replace(code, "0"));
    text.contains(|letter: char| letter.is_ascii_digit()) && shape(&sample) == shape(text)
}

/// A date in the form of a pattern: `%Y` `%y` `%m` `%d` `%H` `%M` `%S` `%f` `%j` `%b` `%B` as in
/// strftime, `%%` for a percent sign; all else matches itself.
///
/// `None` when the text has another form or is not a date.
pub fn read_pattern(pattern: &str, text: &str) -> Option<DateTime> {
    let (mut year, mut month, mut day, mut of_year) = (None, None, None, None);
    let mut micros = 0;
    let mut rest = text;
    let mut pattern = pattern.chars();
    while let Some(expected) = pattern.next() {
        if expected != '%' {
            rest = rest.strip_prefix(expected)?;
            continue;
        }
        let code = pattern.next()?;
        match code {
            '%' => rest = rest.strip_prefix('%')?,
            'Y' => {
                let (sign, digits) = match rest.strip_prefix('-') {
                    Some(digits) => (-1, digits),
                    None => (1, rest),
                };
                let number;
                (number, rest) = take_digits(digits, 4, 4)?;
                year = Some(sign * number);
            }
            'y' => {
                let number;
                (number, rest) = take_digits(rest, 2, 2)?;
                // As POSIX has it.
                year = Some(if number < 69 {
                    2000 + number
                } else {
                    1900 + number
                });
            }
            'b' | 'B' => {
                let lower = rest.to_ascii_lowercase();
                let known = MONTHS
                    .iter()
                    .position(|name| lower.starts_with(&name[..3]))?;
                let whole = lower.starts_with(MONTHS[known]) && code == 'B';
                let length = if whole { MONTHS[known].len() } else { 3 };
                rest = rest.get(length..)?;
                month = Some(known as i64 + 1);
            }
            'f' => {
                let end = rest
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len());
                let (digits, after) = rest.split_at(end);
                let six: String = digits.chars().chain("000000".chars()).take(6).collect();
                micros += six.parse::<i64>().ok().filter(|_| !digits.is_empty())?;
                rest = after;
            }
            'm' | 'd' | 'H' | 'M' | 'S' => {
                let number;
                (number, rest) = take_digits(rest, 1, 2)?;
                match code {
                    'm' => month = Some(number),
                    'd' => day = Some(number),
                    'H' if number < 24 => micros += number * 3_600_000_000,
                    'M' if number < 60 => micros += number * 60_000_000,
                    'S' if number < 60 => micros += number * 1_000_000,
                    _ => return None,
                }
            }
            'j' => {
                let number;
                (number, rest) = take_digits(rest, 1, 3)?;
                of_year = Some(number);
            }
            _ => return None,
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let (month, day) = match of_year {
        // The day of the year, counted on from the first of January.
        Some(of_year) => {
            let january = DateTime::midnight(year?, 1, 1).moment(PROLEPTIC)?;
            let date = PROLEPTIC.date(january.day + of_year - 1);
            if Some(date.year) != year {
                return None;
            }
            (date.month, date.day)
        }
        None => (month.unwrap_or(1) as u8, day.unwrap_or(1) as u8),
    };
    let midnight = DateTime::midnight(year?, month, day);
    midnight.moment(PROLEPTIC)?;
    Some(DateTime { micros, ..midnight })
}

/// Why a pattern can read no date: a code it does not have, or none for the year.
pub fn pattern_fault(pattern: &str) -> Option<String> {
    let mut codes = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter == '%' {
            match letters.next() {
                Some(code) if "YymdHMSfjbB%".contains(code) => codes.push(code),
                Some(code) => return Some(format!("unknown code `%{code}`")),
                None => return Some("a `%` without a letter after it".to_owned()),
            }
        }
    }
    let has_year = codes.iter().any(|code| matches!(code, 'Y' | 'y'));
    (!has_year).then(|| "it has no year, `%Y`".to_owned())
}

const PROLEPTIC: dsl::calendar::Calendar = dsl::calendar::Calendar::ProlepticGregorian;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn take_digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let (digits, rest) = text.split_at(count);
    (count >= least).then(|| Some((digits.parse().ok()?, rest)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_read_what_they_say() {
        for (pattern, text, date) in [
            ("%d.%m.%Y", "31.01.2012", Some("2012-01-31")),
            ("%d.%m.%Y", "1.2.2012", Some("2012-02-01")),
            ("%Y%m%d", "20120131", Some("2012-01-31")),
            ("%Y%m%d%H", "2012013106", Some("2012-01-31T06:00")),
            ("%m/%d/%y %H:%M", "12/31/68 23:59", Some("2068-12-31T23:59")),
            ("%d %b %Y", "5 Mar 1999", Some("1999-03-05")),
            ("%B %Y", "March 1999", Some("1999-03-01")),
            ("%Y-%j", "2000-366", Some("2000-12-31")),
            ("%Y-%j", "2001-366", None),
            ("%d.%m.%Y", "31.02.2012", None),
            ("%d.%m.%Y", "31.01.2012 ", None),
            ("%d.%m.%Y", "31-01-2012", None),
            ("%H:%M %Y", "24:00 2000", None),
        ] {
            let read = read_pattern(pattern, text).map(|date| date.to_string());
            assert_eq!(read.as_deref(), date, "{pattern} {text}");
        }
        assert_eq!(pattern_fault("%d.%m.%Y"), None);
        assert_eq!(
            pattern_fault("%d.%Q.%Y").as_deref(),
            Some("unknown code `%Q`")
        );
        assert_eq!(
            pattern_fault("%d.%m").as_deref(),
            Some("it has no year, `%Y`")
        );
    }

    #[test]
    fn only_whole_iso_dates_are_taken() {
        assert!(read_iso("2012-01-31").is_some() && read_iso("2012-01-31 06:00+01:00").is_some());
        for text in [
            "2012-1-31",
            "2012-01",
            "20120131",
            "2012-02-32",
            "a",
            "2012-01-31x",
        ] {
            assert_eq!(read_iso(text), None, "{text}");
        }
    }
}
