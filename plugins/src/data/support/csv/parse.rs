//! All rows of a table, column by column, on all processors.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::thread;

use super::Problem;
use super::field::{Value, plain};
use super::infer::{Content, Form, date, no_date, no_number};
use super::layout::Layout;

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers, or those of dates; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Texts, each by its place in the list.
    Texts(Vec<Option<u32>>, Vec<String>),
    /// A column that is not wanted.
    Nothing,
}

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

/// A part of the text with fewer bytes is not worth a thread.
const PART: usize = 1 << 20;

/// More threads wait for memory.
const MOST_THREADS: usize = 8;

/// Reads the rows of a range of the text.
///
/// # Errors
/// The first record that does not fit.
pub fn rows(
    text: &str,
    range: Range<usize>,
    layout: &Layout,
    contents: &[Content],
    pattern: Option<&str>,
) -> Result<Table, Problem> {
    let parts = parts(text, range);
    let parsed: Vec<Result<RowChunk, Problem>> = match parts.as_slice() {
        [only] => vec![RowChunk::read(
            text,
            only.clone(),
            layout,
            contents,
            pattern,
        )],
        parts => thread::scope(|scope| {
            let read = |range: &Range<usize>| {
                let range = range.clone();
                scope.spawn(move || RowChunk::read(text, range, layout, contents, pattern))
            };
            let threads: Vec<_> = parts.iter().map(read).collect();
            let joined = threads.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect()
        }),
    };
    let parts: Vec<RowChunk> = parsed.into_iter().collect::<Result<_, _>>()?;
    Ok(joined(parts, contents))
}

/// A range of the text in parts for the processors.
fn parts(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_THREADS);
    let count = threads.min(range.len() / PART).max(1);
    let size = range.len().div_ceil(count).max(1);
    blocks(text, range, size)
}

/// A range of the text in blocks of about a size that end with a line. Where there are quotes, a
/// line may end within a field: then there is one.
pub fn blocks(text: &str, range: Range<usize>, size: usize) -> Vec<Range<usize>> {
    let bytes = &text.as_bytes()[..range.end];
    if range.len() <= size || bytes[range.clone()].contains(&b'"') {
        return vec![range];
    }
    let mut blocks = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let near = start.saturating_add(size).min(range.end);
        let rest = bytes[near..].iter();
        let end = { rest }.position(|byte| *byte == b'\n');
        let end = end.map_or(range.end, |end| near + end + 1);
        blocks.push(start..end);
        start = end;
    }
    blocks
}

/// Columns of some rows.
struct RowChunk {
    columns: Vec<ParsedColumn>,
    marks: BTreeMap<(usize, String), usize>,
    short: usize,
    first_short: Option<usize>,
}

enum ParsedColumn {
    Numbers(Vec<f64>),
    Dates(Form, Vec<f64>),
    Texts(ParsedTexts),
    Nothing,
}

#[derive(Default)]
struct ParsedTexts {
    known: HashMap<String, u32>,
    labels: Vec<String>,
    places: Vec<Option<u32>>,
}

impl ParsedTexts {
    fn push(&mut self, text: Option<&str>) {
        let place = text.map(|text| match self.known.get(text) {
            Some(place) => *place,
            None => {
                let place = self.labels.len() as u32;
                self.known.insert(text.to_owned(), place);
                self.labels.push(text.to_owned());
                place
            }
        });
        self.places.push(place);
    }
}

impl RowChunk {
    fn read(
        text: &str,
        range: Range<usize>,
        layout: &Layout,
        contents: &[Content],
        pattern: Option<&str>,
    ) -> Result<Self, Problem> {
        // About as many rows as there would be lines of the first one's length.
        let first = text[range.clone()].find('\n').unwrap_or(range.len()).max(1);
        let room = range.len() / first + 1;
        let column = |content: &Content| match content {
            Content::Numbers | Content::Empty => ParsedColumn::Numbers(Vec::with_capacity(room)),
            Content::Dates(form) => ParsedColumn::Dates(*form, Vec::with_capacity(room)),
            Content::Texts => ParsedColumn::Texts(ParsedTexts::default()),
            Content::Nothing => ParsedColumn::Nothing,
        };
        let mut part = Self {
            columns: contents.iter().map(column).collect(),
            marks: BTreeMap::new(),
            short: 0,
            first_short: None,
        };
        // Most fields are numbers as Rust writes them.
        let marks = &layout.numbers;
        let is_plain =
            marks.decimal == b'.' && marks.thousands.is_none() && marks.missing_numbers.is_empty();
        let text = &text[..range.end];
        let mut rows = layout.rows(text, range.start);
        let mut fields = Vec::with_capacity(contents.len());
        while rows.next(&mut fields)? {
            if fields.len() != contents.len() {
                layout.expect_fields(text, &fields)?;
                part.short += 1;
                let start = fields.first().map_or(rows.at, |field| field.start);
                part.first_short.get_or_insert(start);
            }
            for (at, column) in part.columns.iter_mut().enumerate() {
                let field = fields.get(at);
                match column {
                    ParsedColumn::Nothing => {}
                    ParsedColumn::Texts(texts) => {
                        let field = field.map(|field| field.text(text));
                        texts.push(field.as_deref().and_then(|it| layout.numbers.text(it)));
                    }
                    ParsedColumn::Dates(form, values) => {
                        let written = field.map(|field| field.text(text)).unwrap_or_default();
                        values.push(match date(&written, *form, pattern) {
                            Some(value) => value,
                            None if layout.numbers.is_missing(&written) => f64::NAN,
                            None => {
                                let start = field.map_or(rows.at, |field| field.start);
                                return Err(no_date(start, &layout.names[at], &written, *form));
                            }
                        });
                    }
                    ParsedColumn::Numbers(values) => {
                        let Some(field) = field else {
                            values.push(f64::NAN);
                            continue;
                        };
                        if is_plain
                            && let Some(value) = plain(&text.as_bytes()[field.start..field.end])
                        {
                            values.push(value);
                            continue;
                        }
                        let written = field.text(text);
                        values.push(match layout.numbers.read(&written) {
                            Value::Number(value) => value,
                            Value::Mark => {
                                *part.marks.entry((at, written.into_owned())).or_default() += 1;
                                f64::NAN
                            }
                            Value::Other => {
                                return Err(no_number(field.start, &layout.names[at], &written));
                            }
                        });
                    }
                }
            }
        }
        Ok(part)
    }
}

fn joined(parts: Vec<RowChunk>, contents: &[Content]) -> Table {
    let empty = |content: &Content| match content {
        Content::Numbers | Content::Dates(_) | Content::Empty => Values::Numbers(Vec::new()),
        Content::Texts => Values::Texts(Vec::new(), Vec::new()),
        Content::Nothing => Values::Nothing,
    };
    let mut table = Table {
        columns: contents.iter().map(empty).collect(),
        ..Table::default()
    };
    for part in parts {
        table.short += part.short;
        table.first_short = table.first_short.or(part.first_short);
        for (whole, column) in table.columns.iter_mut().zip(part.columns) {
            match (whole, column) {
                (
                    Values::Numbers(whole),
                    ParsedColumn::Numbers(values) | ParsedColumn::Dates(_, values),
                ) if whole.is_empty() => {
                    *whole = values;
                }
                (
                    Values::Numbers(whole),
                    ParsedColumn::Numbers(values) | ParsedColumn::Dates(_, values),
                ) => {
                    whole.extend(values);
                }
                (Values::Texts(places, labels), ParsedColumn::Texts(texts)) => {
                    let mut known: HashMap<&str, u32> = HashMap::new();
                    for (place, label) in labels.iter().enumerate() {
                        known.insert(label, place as u32);
                    }
                    let mut more = Vec::new();
                    let place = |label: &String| match known.get(label.as_str()) {
                        Some(place) => *place,
                        None => {
                            more.push(label.clone());
                            (known.len() + more.len() - 1) as u32
                        }
                    };
                    let new: Vec<u32> = texts.labels.iter().map(place).collect();
                    labels.extend(more);
                    let new =
                        |place: Option<u32>| place.and_then(|at| new.get(at as usize).copied());
                    places.extend(texts.places.into_iter().map(new));
                }
                _ => {}
            }
        }
        for (mark, count) in part.marks {
            *table.marks.entry(mark).or_default() += count;
        }
    }
    table
}

/// The columns without a row.
pub fn none(contents: &[Content]) -> Table {
    joined(Vec::new(), contents)
}
