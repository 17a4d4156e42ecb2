//! One field: a number, a mark of a missing value, or something else.

/// How numbers and missing values are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Between the whole part and the fraction: `.` or `,`.
    pub decimal: u8,
    /// Between groups of three digits; a blank means any of [`BLANKS`].
    pub thousands: Option<char>,
    /// The texts that the user says are missing values.
    pub missing: Vec<String>,
    /// The numbers that the user says are missing values.
    pub missing_numbers: Vec<f64>,
}

/// The blanks that may group digits: plain, no-break, narrow no-break, thin.
pub const BLANKS: [char; 4] = [' ', '\u{a0}', '\u{202f}', '\u{2009}'];

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number, or missing (NaN) as the user, an empty field or `NA` says.
    Number(f64),
    /// Missing by a mark that may mean something else.
    Mark,
    /// Neither.
    Other,
}

/// Texts that mark a missing value, in columns of texts too.
const NONE: [&str; 9] = [
    "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None",
];

/// Those of tables of numbers: no value, missing, a number too long for its place.
const MARKS: [&str; 5] = ["-", "--", "---", ".", "M"];

impl Numbers {
    /// What a field without blanks around it is.
    pub fn read(&self, field: &str) -> Value {
        let number = match self.thousands.is_none() && self.decimal == b'.' {
            true => plain(field.as_bytes()),
            false => self.converted(field),
        };
        match number {
            Some(value) if self.missing_numbers.contains(&value) => Value::Number(f64::NAN),
            Some(value) => Value::Number(value),
            None if field.is_empty() || self.missing.iter().any(|mark| mark == field) => {
                Value::Number(f64::NAN)
            }
            None if NONE.contains(&field) => Value::Number(f64::NAN),
            None if MARKS.contains(&field) => Value::Mark,
            None if field.bytes().all(|byte| byte == b'*') => Value::Mark,
            None => Value::Other,
        }
    }

    /// Whether a field of a column of numbers or dates is a missing value.
    pub fn is_missing(&self, field: &str) -> bool {
        match self.read(field) {
            Value::Number(value) => value.is_nan(),
            Value::Mark => true,
            Value::Other => false,
        }
    }

    /// The text of a field in a column of texts; none where it is missing.
    pub fn text<'t>(&self, field: &'t str) -> Option<&'t str> {
        let is_missing = field.is_empty()
            || (field.starts_with(['N', 'n', '#']) && NONE.contains(&field))
            || self.missing.iter().any(|mark| mark == field)
            || (!self.missing_numbers.is_empty()
                && plain(field.as_bytes()).is_some_and(|it| self.missing_numbers.contains(&it)));
        (!is_missing).then_some(field)
    }

    /// The number of a field with other marks than `.`; none unless groups have three digits.
    fn converted(&self, field: &str) -> Option<f64> {
        let decimal = char::from(self.decimal);
        let (whole, fraction) = match field.split_once(decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (field, None),
        };
        let mut text = String::with_capacity(field.len());
        let is_mark = |letter: char| match self.thousands {
            Some(' ') => BLANKS.contains(&letter),
            mark => mark == Some(letter),
        };
        match whole.contains(is_mark) {
            true => {
                let mut groups = whole.split(is_mark);
                let first = groups.next().unwrap_or_default();
                let digits = first.trim_start_matches(['+', '-']);
                if !(1..=3).contains(&digits.len()) || !is_digits(digits) {
                    return None;
                }
                text.push_str(first);
                for group in groups {
                    if group.len() != 3 || !is_digits(group) {
                        return None;
                    }
                    text.push_str(group);
                }
            }
            false => text.push_str(whole),
        }
        if decimal != '.' && text.contains('.') {
            return None;
        }
        if let Some(fraction) = fraction {
            if fraction.contains('.') {
                return None;
            }
            text.push('.');
            text.push_str(fraction);
        }
        plain(text.as_bytes())
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The number that this text writes, rounded correctly.
pub fn plain(field: &[u8]) -> Option<f64> {
    match leading(field) {
        Some((value, length)) if length == field.len() => Some(value),
        _ => slowly(field),
    }
}

/// The number at the beginning of a text, and of how many bytes; none where the standard library
/// must read it, if it is one.
///
/// Up to nineteen digits that make a whole number below 2⁵³, divided by a power of ten that is
/// exact, round once (Clinger 1990).
pub fn leading(text: &[u8]) -> Option<(f64, usize)> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut mantissa = 0_u64;
    let mut read = |digits: &[u8]| {
        let mut count = 0;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            // What is too long is found by its length.
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            count += 1;
        }
        count
    };
    let whole = read(digits);
    let mut length = text.len() - digits.len() + whole;
    let mut fraction = 0;
    if text.get(length) == Some(&b'.') {
        length += 1;
        fraction = read(&text[length..]);
        length += fraction;
    }
    let is_exact = (1..20).contains(&(whole + fraction)) && mantissa < 1 << 53;
    let value = mantissa as f64 / POWERS.get(fraction)?;
    is_exact.then_some((if is_negative { -value } else { value }, length))
}

/// Whether a text writes a number that is too large for one.
pub fn is_too_large(field: &str) -> bool {
    field.contains(|it: char| it.is_ascii_digit())
        && written(field).is_some_and(|value| value.is_infinite())
}

#[cold]
fn slowly(field: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(field).ok()?;
    let value = written(text)?;
    // `nan` and `inf` are not digits, `infinity` neither; `1e400` is not a number.
    let is_sound = value.is_finite() || !field.iter().any(u8::is_ascii_digit);
    (!value.is_nan() && is_sound).then_some(value)
}

/// As the standard library reads it, and as Fortran writes double precision: `1.5D+02`.
fn written(text: &str) -> Option<f64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let (digits, exponent) = text.split_once(['D', 'd'])?;
    let is_signed = exponent.starts_with(['+', '-']);
    is_signed.then(|| format!("{digits}e{exponent}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(decimal: u8, thousands: Option<char>) -> Numbers {
        Numbers {
            decimal,
            thousands,
            missing: vec!["gone".to_owned()],
            missing_numbers: vec![-9999.0],
        }
    }

    #[test]
    fn numbers_are_rounded_as_the_standard_library_does() {
        let texts = [
            "0",
            "-0",
            "1.",
            ".5",
            "+2.50",
            "0.1",
            "123456.789",
            "9007199254740993",
            "1e-7",
            "1E300",
            "0.00000000000000000000001",
            "179769313486231570000",
            "3.141592653589793238",
            "-inf",
            "0.30000000000000004",
            "9007199254740991.5",
        ];
        for text in texts {
            let expected = text.parse::<f64>().expect(text);
            let found = plain(text.as_bytes()).expect(text);
            assert_eq!(found.to_bits(), expected.to_bits(), "{text}");
        }
        for text in [
            "", ".", "-", "1.2.3", "1,5", "abc", "0x10", "1 2", "nan", "-1.5e400", "12d3", "D+02",
        ] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
        assert_eq!(plain(b"1D+02"), Some(100.0));
        assert_eq!(plain(b"-0.25d-01"), Some(-0.025));
        assert!(is_too_large("-1.5e400") && !is_too_large("inf") && !is_too_large("1e300"));
    }

    #[test]
    fn missing_values_are_told_by_value_and_by_mark() {
        let read = |text| numbers(b'.', None).read(text);
        let is_missing = |text| matches!(read(text), Value::Number(value) if value.is_nan());
        for text in ["", "gone", "-9999", "-9999.0", "-9.999e3", "NA", "nan"] {
            assert!(is_missing(text), "{text}");
        }
        for text in ["-", "****", "M"] {
            assert_eq!(read(text), Value::Mark, "{text}");
        }
        assert_eq!(read("-999"), Value::Number(-999.0));
        assert_eq!(read("oops"), Value::Other);
        assert_eq!(numbers(b'.', None).text("M"), Some("M"));
        assert_eq!(numbers(b'.', None).text("N/A"), None);
    }

    #[test]
    fn decimal_commas_and_groups_of_digits_are_read() {
        let german = |text| numbers(b',', Some('.')).read(text);
        assert_eq!(german("1.234,5"), Value::Number(1234.5));
        assert_eq!(german("-0,25"), Value::Number(-0.25));
        assert_eq!(german("1.5"), Value::Other);
        assert_eq!(numbers(b',', None).read("1.5"), Value::Other);
        assert_eq!(numbers(b',', None).read("1,5e2"), Value::Number(150.0));
        let english = |text| numbers(b'.', Some(',')).read(text);
        assert_eq!(english("2,345.5"), Value::Number(2345.5));
        assert_eq!(english("-1,234,567"), Value::Number(-1_234_567.0));
        assert_eq!(english("1,23"), Value::Other);
        assert_eq!(english("1234,567"), Value::Other);
        assert_eq!(english("934.5"), Value::Number(934.5));
        let french = |text| numbers(b',', Some(' ')).read(text);
        assert_eq!(french("1\u{202f}234,5"), Value::Number(1234.5));
        assert_eq!(french("1\u{a0}234\u{a0}567"), Value::Number(1_234_567.0));
        assert_eq!(french("1\u{a0}23"), Value::Other);
    }
}
