//! What the columns of a table hold, from its first rows.

use dsl::calendar::{Calendar, TimeUnit};

use super::Problem;
use super::field::Value;
use super::layout::Layout;
use super::scan::Field;
use crate::data::support::dates::{read_iso, read_pattern};

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Numbers.
    Numbers,
    /// Dates.
    Dates,
    /// Texts.
    Texts,
    /// Nothing that is asked for.
    Nothing,
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
struct Seen {
    numbers: usize,
    others: usize,
    /// Those among all fields with a value that are dates.
    dates: usize,
    /// The first field that is no number.
    first_other: Option<Field>,
    /// Whether a mark is the letter `M`, which is a text among texts.
    has_letter: bool,
}

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
    let mut seen = vec![Seen::default(); layout.names.len()];
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
    let is_empty = |seen: &Seen, at: usize| seen.is_empty() && (asked.is_wanted)(at);
    let empty = |seen: &[Seen]| seen.iter().enumerate().any(|(at, seen)| is_empty(seen, at));
    if empty(&seen) && !is_whole && text.len() < LATE_BYTES {
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

impl Seen {
    fn note(&mut self, text: &str, layout: &Layout, field: Field, pattern: Option<&str>) {
        let value = field.text(text);
        if !layout.numbers.is_missing(&value) {
            self.dates += usize::from(date(&value, pattern).is_some());
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
        // By a pattern, dates such as `20120131` may be numbers too.
        if self.dates > 0 && self.dates == self.numbers + self.others {
            return Ok(Content::Dates);
        }
        match self.first_other {
            None if self.numbers == 0 && self.has_letter => Ok(Content::Texts),
            None => Ok(Content::Numbers),
            Some(field) if self.numbers > self.others => {
                let value = field.text(text);
                let message = format!("expected a number in column `{name}`, found `{value}`");
                let hint = match self.others == 1 && field.start < second {
                    true => "if this line holds units: `units: 2`".to_owned(),
                    false => mended(&value),
                };
                Err(Problem::new(field.start, message).with_hint(hint))
            }
            Some(_) => Ok(Content::Texts),
        }
    }
}

/// The number of a date, in [`unit`]; none when the text is something else.
pub fn date(text: &str, pattern: Option<&str>) -> Option<f64> {
    let date = match pattern {
        Some(pattern) => read_pattern(pattern, text),
        None => read_iso(text),
    };
    unit().number(date?)
}

/// What the numbers of a column of dates are.
pub fn unit() -> TimeUnit {
    TimeUnit::days(Calendar::ProlepticGregorian)
}

/// What to do about a field that is no number.
pub fn mended(value: &str) -> String {
    format!(
        "if it stands for a missing value, add {value:?} to `missing`; if the column holds texts, \
         name it in `texts`; or leave it out of `columns`"
    )
}
