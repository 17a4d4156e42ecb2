//! What the columns of a table hold, from its first rows.

use dsl::calendar::{Calendar, TimeUnit};

use super::Problem;
use super::field::{Value, is_too_large};
use super::layout::Layout;
use super::scan::Field;
use crate::data::support::dates::{has_pattern, is_like_iso, read_iso, read_pattern};

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Numbers.
    Numbers,
    /// Dates in this form.
    Dates(Form),
    /// Texts.
    Texts,
    /// No value: another of several files says what it would hold.
    Empty,
    /// Nothing that is asked for.
    Nothing,
}

/// How the dates of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As `2012-01-31`.
    Iso,
    /// As the pattern says.
    Pattern,
}

/// How many rows tell what a column holds.
const SAMPLE: usize = 1000;

/// How many bytes they are taken from, so that a schema never waits for a long file.
pub const SAMPLE_BYTES: usize = 1 << 22;

/// How many bytes are looked at for the first value of a column that the sample misses.
pub const LATE_BYTES: usize = 1 << 26;

/// What is asked of the columns, one entry for each.
pub struct Asked<'a> {
    /// Whether the column is wanted.
    pub is_wanted: &'a dyn Fn(usize) -> bool,
    /// Whether the user says it holds texts.
    pub is_text: &'a dyn Fn(usize) -> bool,
    /// How the user says dates are written.
    pub pattern: Option<&'a str>,
}

/// What is seen of a column in the sample.
#[derive(Clone, Debug, Default)]
struct ColumnEvidence {
    numbers: usize,
    others: usize,
    /// Those among all fields with a value that are dates, and those that look like one, by form.
    dates: [Dates; 2],
    /// The first field that is not a number.
    first_other: Option<Field>,
    /// Whether a mark is the letter `M`, which is a text among texts.
    has_letter: bool,
}

/// What is seen of dates in one form.
#[derive(Clone, Debug, Default)]
struct Dates {
    count: usize,
    /// How many others have their form: `2012-02-30`.
    alike: usize,
    /// The first field with a value that is none.
    first_other: Option<Field>,
}

/// The forms in the order in which they are tried.
const FORMS: [Form; 2] = [Form::Pattern, Form::Iso];

/// The content of every column from the first rows; of one without a value there, from its first
/// value within [`LATE_BYTES`]. None when that takes more of the text than this beginning.
///
/// # Errors
/// A column of which most fields are numbers and some are not.
pub fn contents(
    text: &str,
    is_whole: bool,
    layout: &Layout,
    asked: &Asked,
) -> Result<Option<Vec<Content>>, Problem> {
    let mut seen = vec![ColumnEvidence::default(); layout.names.len()];
    let mut rows = layout.rows(text, layout.body);
    let mut fields = Vec::new();
    let (sample, late) = (limit(text, SAMPLE_BYTES), limit(text, LATE_BYTES));
    let (mut count, mut second) = (0, 0);
    while count < SAMPLE && (rows.at < sample || count == 0) && rows.next(&mut fields)? {
        layout.expect_fields(text, &fields)?;
        for (seen, field) in seen.iter_mut().zip(&fields) {
            seen.note(text, layout, *field, asked.pattern);
        }
        count += 1;
        if count == 1 {
            second = rows.at;
        }
    }
    if count == 0 {
        return Err(Problem::new(text.len(), "has a header but no rows"));
    }
    let is_empty = |seen: &ColumnEvidence, at: usize| seen.is_empty() && (asked.is_wanted)(at);
    let empty =
        |seen: &[ColumnEvidence]| seen.iter().enumerate().any(|(at, seen)| is_empty(seen, at));
    // The last row may be cut.
    let is_cut = count < SAMPLE || rows.at >= text.len();
    let is_little = is_cut && text.len() < SAMPLE_BYTES;
    if (is_little || empty(&seen) && text.len() < LATE_BYTES) && !is_whole {
        return Ok(None);
    }
    while empty(&seen) && rows.at < late && rows.next(&mut fields)? {
        layout.expect_fields(text, &fields)?;
        for (at, (seen, field)) in seen.iter_mut().zip(&fields).enumerate() {
            if is_empty(&*seen, at) {
                seen.note(text, layout, *field, asked.pattern);
            }
        }
    }
    let contents = seen.iter().enumerate().map(|(at, seen)| match seen {
        _ if !(asked.is_wanted)(at) => Ok(Content::Nothing),
        _ if (asked.is_text)(at) => Ok(Content::Texts),
        // The index that some programs write has no name.
        seen if layout.names[at].is_empty() && seen.is_empty() => Ok(Content::Nothing),
        seen => seen.content(text, &layout.names[at], second),
    });
    contents.collect::<Result<_, _>>().map(Some)
}

/// The end of the last line within these bytes.
fn limit(text: &str, bytes: usize) -> usize {
    let Some(head) = text.as_bytes().get(..bytes) else {
        return text.len();
    };
    head.iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(bytes, |end| end + 1)
}

impl ColumnEvidence {
    fn note(&mut self, text: &str, layout: &Layout, field: Field, pattern: Option<&str>) {
        let value = field.text(text);
        if !layout.numbers.is_missing(&value) {
            for (seen, form) in self.dates.iter_mut().zip(FORMS) {
                match date(&value, form, pattern) {
                    Some(_) => seen.count += 1,
                    None => {
                        seen.alike += usize::from(is_like_date(&value, form, pattern));
                        seen.first_other.get_or_insert(field);
                    }
                }
            }
        }
        match layout.numbers.read(&value) {
            Value::Number(value) if value.is_nan() => {}
            Value::Number(_) => self.numbers += 1,
            Value::Mark => self.has_letter |= value == "M",
            Value::Other => {
                self.others += 1;
                self.first_other.get_or_insert(field);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.numbers == 0 && self.others == 0
    }

    fn content(&self, text: &str, name: &str, second: usize) -> Result<Content, Problem> {
        let all = self.numbers + self.others;
        // By a pattern, dates such as `20120131` may be numbers too.
        for (dates, form) in self.dates.iter().zip(FORMS) {
            if dates.count > 0 && dates.count == all {
                return Ok(Content::Dates(form));
            }
        }
        for (dates, form) in self.dates.iter().zip(FORMS) {
            // Numbers may have the form of a pattern, too: then most must be dates.
            let is_most = 2 * dates.count > all
                || self.others > 0 && dates.count > 0 && 2 * (dates.count + dates.alike) > all;
            if let Some(field) = dates.first_other.filter(|_| is_most) {
                return Err(no_date(field.start, name, &field.text(text), form));
            }
        }
        match self.first_other {
            None if self.numbers == 0 && !self.has_letter => Ok(Content::Empty),
            None if self.numbers == 0 && self.has_letter => Ok(Content::Texts),
            None => Ok(Content::Numbers),
            Some(field) if self.numbers > self.others => {
                let value = field.text(text);
                let problem = no_number(field.start, name, &value);
                Err(match self.others == 1 && field.start < second {
                    true => problem.with_hint("if this line holds units: `units: 2`"),
                    false => problem,
                })
            }
            Some(_) => Ok(Content::Texts),
        }
    }
}

/// The number of a date, in [`unit`]; none when the text is something else.
pub fn date(text: &str, form: Form, pattern: Option<&str>) -> Option<f64> {
    let date = match form {
        Form::Pattern => read_pattern(pattern?, text),
        Form::Iso => read_iso(text),
    };
    unit().number(date?)
}

/// Whether a text has the form of a date, although there is no such date.
fn is_like_date(text: &str, form: Form, pattern: Option<&str>) -> bool {
    match form {
        Form::Pattern => pattern.is_some_and(|pattern| has_pattern(pattern, text)),
        Form::Iso => is_like_iso(text),
    }
}

/// What the numbers of a column of dates are.
pub fn unit() -> TimeUnit {
    TimeUnit::days(Calendar::ProlepticGregorian)
}

/// The complaint about a field of a column of numbers.
pub fn no_number(at: usize, name: &str, found: &str) -> Problem {
    let why = match is_too_large(found) {
        true => ", which is larger than any number of 64 bits",
        false => "",
    };
    let message = format!("expected a number in column `{name}`, found `{found}`{why}");
    Problem::new(at, message).with_hint(mended(found))
}

/// The complaint about a field of a column of dates.
pub fn no_date(at: usize, name: &str, found: &str, form: Form) -> Problem {
    let why = match form == Form::Iso && is_like_iso(found) {
        true => ", which is not in the calendar",
        false => "",
    };
    let message = format!("expected a date in column `{name}`, found `{found}`{why}");
    Problem::new(at, message).with_hint(mended(found))
}

/// What to do about a field that is not a number.
fn mended(value: &str) -> String {
    format!(
        "if it marks a missing value, add {value:?} to `missing`; if the column holds texts, \
         name it in `texts`; or leave it out of `columns`"
    )
}
