//! How a table is laid out: its separator, its header, the marks in its numbers.

use super::Problem;
use super::field::{BLANKS, Numbers, plain};
use super::scan::{Field, Scanner, Separator};

/// What the user says of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Between fields; found when left out.
    pub separator: Option<Separator>,
    /// Between the whole part and the fraction of a number; found when left out.
    pub decimal: Option<u8>,
    /// Between groups of digits.
    pub thousands: Option<char>,
    /// What comments begin with.
    pub comment: Option<String>,
    /// The lines before the header.
    pub skip: usize,
    /// The line of the units, from 1 for the header.
    pub units: Option<usize>,
    /// Texts that are missing values.
    pub missing: Vec<String>,
    /// Numbers that are missing values.
    pub missing_numbers: Vec<f64>,
}

/// How a table is laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Between fields.
    pub separator: Separator,
    /// What comments begin with.
    pub comment: Option<String>,
    /// The names of the columns, as written.
    pub names: Vec<String>,
    /// Their units, where a line holds them.
    pub units: Option<Vec<String>>,
    /// How numbers are written.
    pub numbers: Numbers,
    /// Where the first row begins.
    pub body: usize,
}

/// How many records tell the separator and the marks of numbers.
const LINES: usize = 100;

/// The separators that are looked for, in this order.
const SEPARATORS: [Separator; 5] = [
    Separator::Byte(b','),
    Separator::Byte(b';'),
    Separator::Byte(b'\t'),
    Separator::Byte(b'|'),
    Separator::Blanks,
];

impl Layout {
    /// The layout of a table from the beginning of its text.
    pub fn find(text: &str, written: &Written) -> Result<Self, Problem> {
        let start = after_lines(text, written.skip);
        if text[start..].trim().is_empty() {
            return Err(Problem::new(
                start,
                match written.skip {
                    0 => "is empty".to_owned(),
                    skip => format!("has nothing after the first {skip} lines"),
                },
            ));
        }
        // The line with which Excel says what separates.
        let (said, start) = match written.skip {
            0 => said_by_excel(text),
            _ => (None, start),
        };
        let separator = match written.separator.or(said) {
            Some(separator) => separator,
            None => separator(text, start, written),
        };
        let mut scanner = Scanner::new(text, start, separator, written.comment.as_deref());
        let mut fields = Vec::new();
        if !scanner.next(&mut fields)? {
            return Err(Problem::new(start, "holds nothing but comments"));
        }
        let header = fields.first().map_or(start, |field| field.start);
        let mut names: Vec<String> = fields
            .iter()
            .map(|field| field.text(text).into_owned())
            .collect();
        if names.iter().all(|name| plain(name.as_bytes()).is_some()) {
            return Err(
                Problem::new(header, "has no header: its first line is numbers")
                    .with_hint("the first line must name the columns"),
            );
        }
        if let Some(first) = names.first_mut()
            && let Some(name) = first.strip_prefix('#')
        {
            // The header of some programs; more such lines are comments.
            if is_comment(text, scanner.clone(), fields.len()) {
                return Err(
                    Problem::new(header, "expected a header, found a line with `#`")
                        .with_hint(COMMENT),
                );
            }
            *first = name.trim_start().to_owned();
        }
        let units = match written.units {
            Some(line) => Some(units(text, &mut scanner, line, names.len())?),
            None => None,
        };
        let body = scanner.at.min(text.len());
        let mut layout = Self {
            separator,
            comment: written.comment.clone(),
            names,
            units,
            numbers: Numbers {
                decimal: written.decimal.unwrap_or(b'.'),
                thousands: written.thousands,
                missing: written.missing.clone(),
                missing_numbers: written.missing_numbers.clone(),
            },
            body,
        };
        layout.find_marks(text, written)?;
        Ok(layout)
    }

    /// Goes through the rows.
    pub fn rows<'t>(&'t self, text: &'t str, at: usize) -> Scanner<'t> {
        Scanner::new(text, at, self.separator, self.comment.as_deref())
    }

    /// Refuses a record that has more fields than there are names, or looks like a comment.
    pub fn expect_fields(&self, text: &str, fields: &[Field]) -> Result<(), Problem> {
        let (expected, found) = (self.names.len(), fields.len());
        let is_short = self.separator == Separator::Blanks && found < expected;
        let Some(first) = fields.first() else {
            return Ok(());
        };
        if found != expected && text[first.start..].starts_with('#') && !first.is_quoted {
            return Err(
                Problem::new(first.start, "expected a row, found a line with `#`")
                    .with_hint(COMMENT),
            );
        }
        if found <= expected && !is_short {
            return Ok(());
        }
        let at = fields.get(expected).unwrap_or(first).start;
        let fields = |count: usize| match count {
            1 => "1 field".to_owned(),
            count => format!("{count} fields"),
        };
        let message = format!("expected {}, found {found}", fields(expected));
        let problem = Problem::new(at, message);
        Err(match expected {
            1 => problem.with_hint(
                "if the first lines are not part of the table: `skip: 3` passes over three of them",
            ),
            _ => problem,
        })
    }

    /// Finds the decimal and thousands marks that the first numbers show, and refuses those that
    /// could be either.
    fn find_marks(&mut self, text: &str, written: &Written) -> Result<(), Problem> {
        if written.thousands.is_some() || written.decimal.is_some_and(|it| it != b',') {
            if written.decimal.is_none() {
                match written.thousands {
                    Some(',') => self.numbers.decimal = b'.',
                    Some('.') => self.numbers.decimal = b',',
                    _ => {}
                }
            }
            return Ok(());
        }
        let mut rows = self.rows(text, self.body);
        let mut fields = Vec::new();
        let mut seen = MarkEvidence::default();
        for _ in 0..LINES {
            // Reading it reports what is wrong with it.
            let Ok(true) = rows.next(&mut fields) else {
                break;
            };
            for field in &fields {
                seen.note(&field.text(text), field.start);
            }
        }
        if seen.blank_groups {
            // Then neither a comma nor a point groups digits.
            seen.comma_decimal |= seen.either.take().is_some() && !seen.point_decimal;
            let is_comma = written.decimal == Some(b',') || seen.comma_decimal;
            self.numbers.decimal = if is_comma { b',' } else { b'.' };
            self.numbers.thousands = Some(' ');
            return Ok(());
        }
        // Beside decimal commas a point groups digits; else it begins a fraction.
        let has_commas = seen.comma_decimal || written.decimal == Some(b',');
        match has_commas {
            true => seen.point_groups |= seen.point_either,
            false => seen.point_decimal |= seen.point_either,
        }
        if written.decimal.is_some() {
            let is_grouped = has_commas && seen.point_groups && !seen.point_decimal;
            self.numbers.thousands = is_grouped.then_some('.');
            return Ok(());
        }
        match seen {
            MarkEvidence {
                comma_decimal: true,
                point_decimal: false,
                ..
            } => {
                self.numbers.decimal = b',';
                self.numbers.thousands = seen.point_groups.then_some('.');
            }
            MarkEvidence {
                comma_groups: true,
                comma_decimal: false,
                ..
            } => {
                self.numbers.thousands = Some(',');
            }
            MarkEvidence {
                either: Some(_),
                point_decimal: true,
                comma_decimal: false,
                ..
            } => {
                self.numbers.thousands = Some(',');
            }
            MarkEvidence {
                either: Some((at, shown)),
                comma_decimal: false,
                ..
            } => {
                let message = format!("`{shown}` may be a fraction or thousands");
                return Err(Problem::new(at, message)
                    .with_hint("say which: `decimal: \",\"` or `thousands: \",\"`"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// What the numbers of a table show of their marks.
#[derive(Default)]
struct MarkEvidence {
    /// `1,5`, `0,125`
    comma_decimal: bool,
    /// `1.5`
    point_decimal: bool,
    /// `1,234.5`, `1,234,567`
    comma_groups: bool,
    /// `1.234,5`, `1.234.567`
    point_groups: bool,
    /// `1 234` with a blank that breaks no line.
    blank_groups: bool,
    /// `1.234`
    point_either: bool,
    /// `1,234` and where it stands.
    either: Option<(usize, String)>,
}

impl MarkEvidence {
    fn note(&mut self, field: &str, at: usize) {
        let digits = field.trim_start_matches(['+', '-']);
        if let Some(first) = digits.find(&BLANKS[1..]) {
            return self.note_blanks(digits, first);
        }
        let is_number = digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b',' || b == b'.');
        if !is_number || !digits.bytes().any(|byte| byte.is_ascii_digit()) {
            return;
        }
        let count = |mark: char| digits.matches(mark).count();
        // Groups of three digits, the first of one to three and not zero.
        let grouped = |whole: &str, mark: char| {
            let mut groups = whole.split(mark);
            let first = groups.next().unwrap_or_default();
            (1..=3).contains(&first.len())
                && !first.starts_with('0')
                && groups.all(|group| group.len() == 3)
        };
        match (count(','), count('.')) {
            (0, 1) if grouped(digits, '.') => self.point_either = true,
            (0, 1) => self.point_decimal = true,
            (1, 0) if grouped(digits, ',') => {
                self.either.get_or_insert_with(|| (at, field.to_owned()));
            }
            (1, 0) => self.comma_decimal = true,
            (0, 2..) if grouped(digits, '.') => self.point_groups = true,
            (2.., 0) if grouped(digits, ',') => self.comma_groups = true,
            (1.., 1) => {
                let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
                if !fraction.contains(',') && grouped(whole, ',') {
                    self.comma_groups = true;
                    self.point_decimal = true;
                } else if count(',') == 1 {
                    self.note_german(digits, grouped);
                }
            }
            (1, 2..) => self.note_german(digits, grouped),
            _ => {}
        }
    }

    /// Digits grouped by blanks that break no line: what follows the groups is a fraction.
    fn note_blanks(&mut self, digits: &str, first: usize) {
        let whole = digits.split([',', '.']).next().unwrap_or_default();
        let mut groups = whole.split(&BLANKS[..]).skip(1);
        let is_grouped = digits[..first].bytes().all(|byte| byte.is_ascii_digit())
            && groups.all(|group| group.len() == 3 && group.bytes().all(|it| it.is_ascii_digit()));
        if is_grouped && whole.len() > first {
            self.blank_groups = true;
            self.comma_decimal |= digits[whole.len()..].starts_with(',');
            self.point_decimal |= digits[whole.len()..].starts_with('.');
        }
    }

    fn note_german(&mut self, digits: &str, grouped: impl Fn(&str, char) -> bool) {
        if let Some((whole, fraction)) = digits.split_once(',')
            && !fraction.contains('.')
            && grouped(whole, '.')
        {
            self.comma_decimal = true;
            self.point_groups = true;
        }
    }
}

/// The separator of a first line such as `sep=;`, and where the text goes on.
fn said_by_excel(text: &str) -> (Option<Separator>, usize) {
    let end = text.find('\n').map_or(text.len(), |end| end + 1);
    let line = text[..end].trim_end_matches(['\r', '\n']).trim_matches('"');
    let said = match line.as_bytes() {
        [s, e, p, b'=', separator] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => *separator,
        _ => return (None, 0),
    };
    (Some(Separator::Byte(said)), end)
}

/// What to do about a line that may be a comment.
const COMMENT: &str = "if it is a comment: `comment: \"#\"`";

/// Whether the record after a header with `#` says that this was none.
fn is_comment(text: &str, mut rows: Scanner, expected: usize) -> bool {
    let mut fields = Vec::new();
    match rows.next(&mut fields) {
        Ok(true) => fields.len() != expected || text[fields[0].start..].starts_with('#'),
        Ok(false) | Err(_) => false,
    }
}

/// Where the text goes on after these many lines.
fn after_lines(text: &str, lines: usize) -> usize {
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    match lines {
        0 => 0,
        lines => ends
            .map(|(at, _)| at + 1)
            .nth(lines - 1)
            .unwrap_or(text.len()),
    }
}

/// The separator that cuts most records into as many fields as the header has.
fn separator(text: &str, start: usize, written: &Written) -> Separator {
    let mut best = (0.0, Separator::Byte(b','));
    for separator in SEPARATORS {
        let mut scanner = Scanner::new(text, start, separator, written.comment.as_deref());
        let mut fields = Vec::new();
        let Ok(true) = scanner.next(&mut fields) else {
            continue;
        };
        let expected = fields.len();
        let (mut records, mut alike) = (0, 0);
        // The last record may be cut.
        while records < LINES && scanner.next(&mut fields) == Ok(true) {
            records += 1;
            alike += usize::from(fields.len() == expected);
        }
        let share = match records {
            0 => 0.5,
            records => f64::from(alike as u32) / f64::from(records as u32),
        };
        if expected > 1 && share > best.0 {
            best = (share, separator);
        }
    }
    best.1
}

/// The units that a line below the header holds.
fn units(
    text: &str,
    scanner: &mut Scanner,
    line: usize,
    columns: usize,
) -> Result<Vec<String>, Problem> {
    let mut fields = Vec::new();
    for _ in 1..line {
        if !scanner.next(&mut fields)? {
            return Err(Problem::new(
                text.len(),
                format!("has no line {line} for units"),
            ));
        }
    }
    if fields.len() > columns {
        let message = format!("expected {columns} units, found {}", fields.len());
        return Err(Problem::new(fields[columns].start, message));
    }
    let units = fields.iter().map(|field| {
        let unit = field.text(text);
        if let Some(number) = plain(unit.as_bytes()) {
            let message = format!("expected a unit, found the number {number}");
            return Err(Problem::new(field.start, message));
        }
        let inside = unit
            .strip_prefix(['[', '('])
            .and_then(|unit| unit.strip_suffix([']', ')']));
        Ok(inside.unwrap_or(&unit).trim().to_owned())
    });
    units.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Layout {
        Layout::find(text, &Written::default()).expect("a layout")
    }

    #[test]
    fn separators_are_found() {
        for (text, expected, columns) in [
            ("a,b\n1,2\n", Separator::Byte(b','), 2),
            ("a;b\n1,5;2,5\n", Separator::Byte(b';'), 2),
            (
                "temp [deg C, ITS-90]\tdepth\n1\t2\n",
                Separator::Byte(b'\t'),
                2,
            ),
            ("a|b\n1|2\n", Separator::Byte(b'|'), 2),
            ("  a  b\n 1  2\n", Separator::Blanks, 2),
            ("air temp\n1\n", Separator::Byte(b','), 1),
            ("a,b c\n1,2 3\n", Separator::Byte(b','), 2),
            ("\"a;x\",b\n1,2\n", Separator::Byte(b','), 2),
            ("sep=;\na;b\n1,5;2,5\n", Separator::Byte(b';'), 2),
            ("\"SEP=|\"\r\na|b,c\r\n1|2\r\n", Separator::Byte(b'|'), 2),
        ] {
            let layout = find(text);
            assert_eq!(
                (layout.separator, layout.names.len()),
                (expected, columns),
                "{text}"
            );
        }
    }

    #[test]
    fn marks_of_numbers_are_found_or_asked_for() {
        let marks = |text| {
            let numbers = find(text).numbers;
            (numbers.decimal, numbers.thousands)
        };
        assert_eq!(marks("a;b\n1,5;10,25\n"), (b',', None));
        assert_eq!(marks("a;b\n1.234,5;0,125\n"), (b',', Some('.')));
        assert_eq!(marks("a,b\n934.5,\"2,345.5\"\n"), (b'.', Some(',')));
        assert_eq!(marks("a,b\n934.5,\"2,345\"\n"), (b'.', Some(',')));
        assert_eq!(marks("a,b\n1.5,2.25\n"), (b'.', None));
        assert_eq!(marks("a;b\n1\u{a0}234,5;0,125\n"), (b',', Some(' ')));
        assert_eq!(marks("a;b\n1\u{202f}234;0,125\n"), (b',', Some(' ')));
        assert_eq!(marks("a;b\n1\u{a0}234.5;2\n"), (b'.', Some(' ')));
        let unclear = Layout::find("a;b\n1,234;2\n", &Written::default()).expect_err("unclear");
        assert_eq!(unclear.message, "`1,234` may be a fraction or thousands");
    }
}
