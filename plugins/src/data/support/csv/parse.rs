//! The rows of a text, column by column.

use std::collections::{BTreeMap, HashMap};

use super::Problem;
use super::field::{Value, leading, plain};
use super::infer::{Content, Form, date, no_date, no_number};
use super::layout::Layout;
use super::scan::{Field, Separator};
use crate::data::support::distinct::DistinctValues;

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers, or those of dates; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Texts, each by its place in the list, or [`MISSING`].
    Texts(Vec<u32>, Vec<String>),
    /// A column that is not wanted.
    Nothing,
}

/// The place of a text that is missing.
pub const MISSING: u32 = u32::MAX;

/// The columns of a table and the marks of missing values in each.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// One for each column of the layout.
    pub columns: Vec<Values>,
    /// How often each common mark of a missing value is in a column: by column and mark.
    pub marks: BTreeMap<(usize, String), usize>,
    /// How many rows have fewer fields than there are columns.
    pub short: usize,
    /// Where the first of these begins.
    pub first_short: Option<usize>,
}

/// Reads the rows of a text from a byte on. Of a column that is not read only what is worth a fault
/// or a note is looked at.
///
/// # Errors
/// The first record that does not fit.
pub fn rows(
    text: &str,
    start: usize,
    layout: &Layout,
    contents: &[Content],
    pattern: Option<&str>,
    is_read: impl Fn(usize) -> bool,
) -> Result<Table, Problem> {
    // About as many rows as there would be lines of the first one's length.
    let first = text[start..].find('\n').unwrap_or(text.len()).max(1);
    let room = (text.len() - start) / first + 1;
    let columns = contents.iter().enumerate().map(|(at, content)| {
        let is_kept = is_read(at);
        let numbers = || Vec::with_capacity(if is_kept { room } else { 0 });
        let values = match content {
            Content::Texts if !is_kept => ParsedValues::Nothing,
            Content::Numbers | Content::Empty => ParsedValues::Numbers(numbers()),
            Content::Dates(form) => ParsedValues::Dates(*form, numbers()),
            Content::Texts => ParsedValues::Texts(ParsedTexts::default()),
            Content::Nothing => ParsedValues::Nothing,
        };
        ParsedColumn { values, is_kept }
    });
    let mut rows = ParsedRows {
        text,
        layout,
        pattern,
        columns: columns.collect(),
        count: 0,
        table: Table::default(),
    };
    rows.read(start)?;
    let mut table = rows.table;
    let columns = rows.columns.into_iter().map(|column| match column.values {
        ParsedValues::Numbers(values) | ParsedValues::Dates(_, values) if column.is_kept => {
            Values::Numbers(values)
        }
        ParsedValues::Texts(texts) => Values::Texts(texts.places, texts.labels),
        _ => Values::Nothing,
    });
    table.columns = columns.collect();
    Ok(table)
}

/// The columns without a row.
pub fn none(contents: &[Content]) -> Table {
    let empty = |content: &Content| match content {
        Content::Numbers | Content::Dates(_) | Content::Empty => Values::Numbers(Vec::new()),
        Content::Texts => Values::Texts(Vec::new(), Vec::new()),
        Content::Nothing => Values::Nothing,
    };
    Table {
        columns: contents.iter().map(empty).collect(),
        ..Table::default()
    }
}

struct ParsedColumn {
    values: ParsedValues,
    /// Whether anybody reads the values.
    is_kept: bool,
}

enum ParsedValues {
    Numbers(Vec<f64>),
    Dates(Form, Vec<f64>),
    Texts(ParsedTexts),
    Nothing,
}

impl ParsedColumn {
    fn push(&mut self, value: f64) {
        if let (true, ParsedValues::Numbers(values) | ParsedValues::Dates(_, values)) =
            (self.is_kept, &mut self.values)
        {
            values.push(value);
        }
    }

    /// Forgets all rows after as many.
    fn truncate(&mut self, count: usize) {
        match &mut self.values {
            ParsedValues::Numbers(values) | ParsedValues::Dates(_, values) => {
                values.truncate(count);
            }
            ParsedValues::Texts(texts) => texts.places.truncate(count),
            ParsedValues::Nothing => {}
        }
    }
}

#[derive(Default)]
struct ParsedTexts {
    /// Texts of few bytes as numbers.
    short: DistinctValues,
    /// The place of each of these.
    short_places: Vec<u32>,
    long: HashMap<String, u32>,
    labels: Vec<String>,
    places: Vec<u32>,
}

impl ParsedTexts {
    fn push(&mut self, text: Option<&str>) {
        let next = self.labels.len() as u32;
        let place = match text {
            None => MISSING,
            Some(text) => match number_of(text) {
                Some(number) => {
                    let code = self.short.code(number) as usize;
                    match self.short_places.get(code) {
                        Some(place) => *place,
                        None => {
                            self.short_places.push(next);
                            self.labels.push(text.to_owned());
                            next
                        }
                    }
                }
                None => match self.long.get(text) {
                    Some(place) => *place,
                    None => {
                        self.long.insert(text.to_owned(), next);
                        self.labels.push(text.to_owned());
                        next
                    }
                },
            },
        };
        self.places.push(place);
    }
}

/// The bytes of a short text, and how many they are, as one number.
fn number_of(text: &str) -> Option<u64> {
    let mut word = [0; 8];
    let (last, room) = word.split_last_mut()?;
    room.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    *last = text.len() as u8;
    Some(u64::from_le_bytes(word))
}

/// Rows as they are read.
struct ParsedRows<'t> {
    text: &'t str,
    layout: &'t Layout,
    pattern: Option<&'t str>,
    columns: Vec<ParsedColumn>,
    count: usize,
    table: Table,
}

impl ParsedRows<'_> {
    fn read(&mut self, start: usize) -> Result<(), Problem> {
        let (text, layout) = (self.text, self.layout);
        let separator = self.quick_separator(start);
        let mut rows = layout.rows(text, start);
        let mut fields = Vec::with_capacity(self.columns.len());
        loop {
            if let Some(separator) = separator {
                while let Some(next) = self.quick_row(rows.at, separator) {
                    rows.at = next;
                    self.count += 1;
                }
                let count = self.count;
                self.columns.iter_mut().for_each(|it| it.truncate(count));
            }
            if !rows.next(&mut fields)? {
                return Ok(());
            }
            self.row(&fields, rows.at)?;
            self.count += 1;
        }
    }

    /// What separates fields where most rows can be read byte by byte: without quotes, and numbers
    /// as Rust writes them.
    fn quick_separator(&self, start: usize) -> Option<u8> {
        let Separator::Byte(separator) = self.layout.separator else {
            return None;
        };
        let has_quotes = self.text.as_bytes()[start..].contains(&b'"');
        (self.has_plain_numbers() && !has_quotes).then_some(separator)
    }

    fn has_plain_numbers(&self) -> bool {
        let marks = &self.layout.numbers;
        marks.decimal == b'.' && marks.thousands.is_none() && marks.missing_numbers.is_empty()
    }

    /// Reads the row that begins at a byte; returns where the next one does. None where the row is
    /// not as most are, or does not fit: some of its columns may be read then.
    fn quick_row(&mut self, start: usize, separator: u8) -> Option<usize> {
        let (text, layout) = (self.text, self.layout);
        let bytes = text.as_bytes();
        let is_odd = match bytes.get(start)? {
            // Perhaps a line to pass over.
            b' ' | b'\t' | b'\r' | b'\n' => true,
            _ => match &layout.comment {
                Some(comment) => bytes[start..].starts_with(comment.as_bytes()),
                None => false,
            },
        };
        if is_odd {
            return None;
        }
        let mut at = start;
        let last = self.columns.len().checked_sub(1)?;
        for (column, parsed) in self.columns.iter_mut().enumerate() {
            let ends = |at: usize| match bytes.get(at..) {
                None | Some([] | [b'\n', ..] | [b'\r', b'\n', ..] | [b'\r']) => column == last,
                Some([byte, ..]) => *byte == separator && column < last,
            };
            let end;
            match &mut parsed.values {
                ParsedValues::Numbers(_) => {
                    let (value, length) = leading(&bytes[at..]).unwrap_or((f64::NAN, 0));
                    end = at + length;
                    if !ends(end) {
                        return None;
                    }
                    parsed.push(value);
                }
                values => {
                    end = end_of_field(bytes, at, separator);
                    let is_cut = end > at && column == last && bytes[end - 1] == b'\r';
                    let field = &text[at..end - usize::from(is_cut)];
                    if !ends(end) {
                        return None;
                    }
                    match values {
                        ParsedValues::Texts(texts) => {
                            texts.push(layout.numbers.text(trimmed(field)));
                        }
                        ParsedValues::Dates(form, _) => {
                            let value = date(trimmed(field), *form, self.pattern)?;
                            parsed.push(value);
                        }
                        _ => {}
                    }
                }
            }
            at = end + 1;
        }
        // After a carriage return.
        at += usize::from(bytes.get(at - 1) == Some(&b'\r'));
        Some(at)
    }

    /// Reads the fields of any row.
    fn row(&mut self, fields: &[Field], end: usize) -> Result<(), Problem> {
        let (text, layout, pattern) = (self.text, self.layout, self.pattern);
        let is_plain = self.has_plain_numbers();
        if fields.len() != self.columns.len() {
            layout.expect_fields(text, fields)?;
            self.table.short += 1;
            let start = fields.first().map_or(end, |field| field.start);
            self.table.first_short.get_or_insert(start);
        }
        for (at, column) in self.columns.iter_mut().enumerate() {
            let field = fields.get(at);
            match &mut column.values {
                ParsedValues::Nothing => {}
                ParsedValues::Texts(texts) => {
                    let field = field.map(|field| field.text(text));
                    texts.push(field.as_deref().and_then(|it| layout.numbers.text(it)));
                }
                ParsedValues::Dates(form, _) => {
                    let written = field.map(|field| field.text(text)).unwrap_or_default();
                    let value = match date(&written, *form, pattern) {
                        Some(value) => value,
                        None if layout.numbers.is_missing(&written) => f64::NAN,
                        None => {
                            let start = field.map_or(end, |field| field.start);
                            return Err(no_date(start, &layout.names[at], &written, *form));
                        }
                    };
                    column.push(value);
                }
                ParsedValues::Numbers(_) => {
                    let Some(field) = field else {
                        column.push(f64::NAN);
                        continue;
                    };
                    if is_plain && let Some(value) = plain(&text.as_bytes()[field.start..field.end])
                    {
                        column.push(value);
                        continue;
                    }
                    let written = field.text(text);
                    column.push(match layout.numbers.read(&written) {
                        Value::Number(value) => value,
                        Value::Mark => {
                            let mark = (at, written.into_owned());
                            *self.table.marks.entry(mark).or_default() += 1;
                            f64::NAN
                        }
                        Value::Other => {
                            return Err(no_number(field.start, &layout.names[at], &written));
                        }
                    });
                }
            }
        }
        Ok(())
    }
}

/// The text without blanks around it; most have none.
fn trimmed(field: &str) -> &str {
    let is_ink = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    match is_ink(field.as_bytes().first()) && is_ink(field.as_bytes().last()) {
        true => field,
        false => field.trim(),
    }
}

/// The first separator or line feed from a byte on, or the end.
fn end_of_field(bytes: &[u8], start: usize, separator: u8) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (separators, feeds) = (ONES * u64::from(separator), ONES * u64::from(b'\n'));
    let mut at = start;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ separators) | zeros(word ^ feeds);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let mut rest = bytes[at..].iter();
    let end = rest.position(|byte| *byte == separator || *byte == b'\n');
    end.map_or(bytes.len(), |end| at + end)
}
