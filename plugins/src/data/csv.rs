//! `csv`: rows of text tables with a header.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dsl::experiment::Value;
use dsl::signature::ColumnRule;
use dsl::types::{Schema, Type};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::{DataFile, Files};
use engine::params::{Bindings, Column, ParamType};
use engine::plugin;
use engine::plugin::{Complaint, Context, Each, InParts, Plugin, ReadColumns, Sketch};
use engine::words;

use super::support::csv::infer::{self, Asked, Content, LATE_BYTES, SAMPLE_BYTES};
use super::support::csv::layout::{Layout, Written};
use super::support::csv::parse::{self, Table, Values};
use super::support::csv::pieces::{NoText, TextPiece, TextPieces};
use super::support::csv::scan::Separator;
use super::support::csv::text::{self, Text};
use super::support::csv::{Problem, field, place};
use super::support::dates::pattern_fault;
use super::support::in_order::{SharedReads, in_order, processors};
use super::support::row_choice::{RowChoice, RowOptions, of_many_rows};
use super::support::several::{self, DataFiles, OneFile};
use super::support::source::{self, Heading};
use super::support::stacking::{Part, Stack, whole};

words! {
    /// How bytes encode characters.
    pub enum Encoding {
        /// UTF-8.
        Utf8 = "utf8",
        /// UTF-16.
        Utf16 = "utf16",
        /// ISO 8859-1.
        Latin1 = "latin1",
    }
}

plugin! {
    /// Rows of text tables with a header line.
    ///
    /// `file` is a file, a pattern (`"tas/*.csv"`), a folder or a list of these; the rows of
    /// several files stand one below the other in the order of their names, and folders such as
    /// `year=2000/` become a column. All must have the same columns. Files may be compressed
    /// (`.gz`, `.zst`) and in UTF-8, UTF-16 with its mark, or Latin-1 when `encoding` says so.
    ///
    /// Fields are separated by `,`, `;`, tabs, `|` or blanks, whichever cuts all lines into as
    /// many fields; a decimal comma and groups of digits (`2,345.5`) are found too, and asked for
    /// where both could be meant. A column holds numbers when all its fields of the first 1000
    /// rows do; times (of the proleptic Gregorian calendar) when they are dates such as
    /// `2012-01-31` or `2012-01-31T06:00Z`, or have the form of `dates`; and texts otherwise. An empty field is missing, and so are `NA`, `N/A`, `NaN`,
    /// `null` and `None`, and in columns of numbers `-`, `.`, `M` and `****`; a note counts them.
    /// A header such as `depth [m]` or `depth (m)` gives the name `depth` and the unit `m`.
    /// Whatever does not fit is refused with its line and column. `where` keeps the rows that meet
    /// a condition; the others do not come into memory.
    ///
    /// ```farcast
    /// data casts = csv("tiny.csv", columns: [depth, qc_flag])
    /// data deep = csv("tiny.csv", where: depth >= 10 m)
    /// ```
    "csv" version 5
    pub struct Csv {
        /// The files.
        file: DataFiles;
        /// The columns to keep, in this order; all when left out.
        columns: Option<Vec<Column>>;
        /// More marks of a missing value: texts (`"x"`), or numbers, which are compared
        /// by value: `-9999` takes `-9999.0` too.
        missing: Vec<Mark> = "[]";
        /// What separates fields: `","`, `";"`, `"|"`, `"tab"` or `"blanks"`.
        separator: Option<String>;
        /// What stands before the fraction of a number: `"."` or `","`.
        decimal: Option<String>;
        /// What stands between groups of three digits: `","`, `"."`, `" "` or `"'"`.
        thousands: Option<String>;
        /// What lines that are not rows begin with, such as `"#"`.
        comment: Option<String>;
        /// How many lines stand before the header.
        skip: usize = "0", range("0..=100000");
        /// The line that holds the units, counted from the header: `2` is the one below it.
        units: Option<usize>, range("2..=100");
        /// How bytes encode characters.
        encoding: Option<Encoding>;
        /// How dates are written, when not as `2012-01-31`: `"%d.%m.%Y"`, `"%Y%m%d"`, with `%Y`
        /// `%y` `%m` `%d` `%H` `%M` `%S` `%f` `%j` `%b` `%B` as in strftime.
        dates: Option<String>;
        /// Columns that hold texts although they look like numbers.
        texts: Option<Vec<Column>>;
        /// Which rows are read.
        rows: RowOptions, flatten();
    }
}

/// The mark of a missing value: a text, or a number by its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// This text.
    Text(String),
    /// This number however it is written.
    Number(f64),
}

impl ParamType for Mark {
    fn ty() -> Type {
        Type::OneOf(vec![Type::String, Type::Float])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Text(text) => Ok(Self::Text(text.clone())),
            number => f64::from_value(field, number, bindings).map(Self::Number),
        }
    }
}

/// The endings of the files that are taken from a folder.
const ENDINGS: [&str; 7] = [
    ".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst",
];

impl Plugin for Csv {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let text = |field: &str| call.get::<Option<String>>(field).flatten();
        let mut found = Vec::from_iter(of_many_rows(call));
        let mut expect = |field: &'static str, result: Result<(), Fault>| {
            if let Err(fault) = result {
                let complaint = Complaint::from(fault);
                found.push(Complaint {
                    param: Some(field.to_owned()),
                    ..complaint
                });
            }
        };
        if let Some(written) = text("separator") {
            expect("separator", separator(&written).map(|_| ()));
        }
        if let Some(written) = text("decimal") {
            expect("decimal", decimal(&written).map(|_| ()));
        }
        if let Some(written) = text("thousands") {
            expect("thousands", thousands(&written).map(|_| ()));
        }
        if let Some(mark) = text("thousands").filter(|it| text("decimal").as_ref() == Some(it)) {
            let message = format!("{mark:?} stands before the fraction, too: see `decimal`");
            expect("thousands", Err(Fault::user(message)));
        }
        if let Some(why) = text("dates").as_deref().and_then(pattern_fault) {
            let fault = Fault::user(format!("the pattern reads no date: {why}"));
            expect(
                "dates",
                Err(fault.with_hint("write `\"%d.%m.%Y\"` for 31.01.2012")),
            );
        }
        if text("comment").is_some_and(|comment| comment.trim().is_empty()) {
            expect(
                "comment",
                Err(Fault::user(
                    "expected a text such as `\"#\"`, found a blank one",
                )),
            );
        }
        found
    }

    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        let written = self.written()?;
        let parts = several::open_all(&self.file, &ENDINGS, files)?;
        let heads = parts.iter().map(|one| self.open(one, &written)?.head(one));
        let heads = heads.collect::<Result<_, Fault>>()?;
        let stack = Stack::of(heads, self.columns.as_deref(), "file")?;
        Ok(stack.none().schema())
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Reads)
    }

    fn read_parts(self, context: &Context, each: Each<'_>) -> Result<(), Fault> {
        self.pass(TEXT_TOGETHER, context, each).map(|_| ())
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        whole(|each| self.pass(TEXT_TOGETHER, context, each))
    }
}

/// As many bytes of text are read at a time.
const TEXT_TOGETHER: usize = 1 << 21;

/// As many bytes mostly have enough rows to tell what columns hold.
const FIRST_BYTES: usize = 1 << 18;

/// A table whose columns are known.
struct OpenTable {
    layout: Layout,
    chosen: Vec<(usize, Heading)>,
    contents: Vec<Content>,
}

impl OpenTable {
    /// The head of the table.
    fn head(&self, one: &OneFile) -> Result<Part, Fault> {
        let empty = (self.chosen.iter()).filter(|(at, _)| self.contents[*at] == Content::Empty);
        let none = parse::none(&self.contents);
        Ok(Part {
            empty: empty.map(|(_, heading)| heading.name.clone()).collect(),
            ..Part::of(one, dataset(none, &self.chosen, &self.contents)?)
        })
    }

    /// The columns of a file that are read, by place: one at least, which says how many rows there
    /// are.
    fn is_read(&self, reads: &ReadColumns) -> impl Fn(usize) -> bool {
        let has = |(_, heading): &&(usize, Heading)| reads.has(&heading.name);
        let read = self.chosen.iter().filter(has).map(|(at, _)| *at);
        let mut read: BTreeSet<usize> = read.collect();
        let held = |(at, _): &&(usize, Heading)| self.contents[*at] != Content::Nothing;
        if read.is_empty() {
            read.extend(self.chosen.iter().find(held).map(|(at, _)| *at));
        }
        move |at| read.contains(&at)
    }
}

/// Rows to be read: those of a piece of a file.
struct TextRows {
    file: usize,
    piece: Result<TextPiece, NoText>,
    reads: Arc<ReadColumns>,
}

/// Rows of a piece of a file.
struct ReadRows {
    file: usize,
    reads: Arc<ReadColumns>,
    /// How many lines the piece has.
    lines: usize,
    /// What else is said of the rows, and the rows.
    rows: Result<(Table, Dataset), Unread>,
}

/// Why the rows of a piece are not read.
enum Unread {
    NoText(NoText),
    /// What is wrong at a place of a text.
    Problem(String, Problem),
    Fault(Fault),
}

impl Csv {
    /// Passes the rows to `each`, those of about `together` bytes at a time; returns the columns
    /// without rows.
    fn pass(&self, together: usize, context: &Context, each: Each<'_>) -> Result<Dataset, Fault> {
        let opened = several::open_all(&self.file, &ENDINGS, context.files())?;
        let written = self.written()?;
        let tables = opened.iter().map(|one| self.open(one, &written));
        let tables: Vec<OpenTable> = tables.collect::<Result<_, Fault>>()?;
        let heads = opened
            .iter()
            .zip(&tables)
            .map(|(one, table)| table.head(one));
        // What a column holds follows from the heads of all files.
        let heads = heads.collect::<Result<_, Fault>>()?;
        let mut stack = Stack::of(heads, self.columns.as_deref(), "file")?;
        let mut choice = RowChoice::of(&self.rows);
        let none = stack.none();
        let reads = SharedReads::default();
        let pieces = (0..opened.len()).flat_map(|file| {
            let layout = &tables[file].layout;
            let encoding = self.encoding();
            let pieces = TextPieces::of(&opened[file].file, layout, encoding, together);
            let (mut pieces, mut failed) = match pieces {
                Ok(pieces) => (Some(pieces), None),
                Err(reason) => (None, Some(NoText::from(reason))),
            };
            let reads = &reads;
            std::iter::from_fn(move || {
                let piece = match pieces.as_mut().map(TextPieces::next) {
                    Some(piece) => piece.transpose()?,
                    None => Err(failed.take()?),
                };
                let reads = reads.now();
                Some(TextRows { file, piece, reads })
            })
        });
        let read = |rows: TextRows| self.rows_of(rows, &tables);
        let mut notes = TextNotes::default();
        in_order(processors(), pieces, read, |read| {
            context.check_stop()?;
            let ReadRows {
                file,
                reads: wanted,
                lines,
                rows,
            } = read;
            if notes.file != file {
                notes.tell(&tables[notes.file].chosen, context);
                notes = TextNotes {
                    file,
                    ..TextNotes::default()
                };
            }
            let (table, rows) = rows.map_err(|why| why.fault(&opened[file].file, notes.lines))?;
            notes.add(table, lines);
            let rows = stack.rows(file, rows, &wanted)?;
            if let Some(rows) = choice.of_next(rows)? {
                let after = each(rows)?;
                reads.set(choice.reads(&stack.reads(&after)).among(&none));
            }
            Ok(())
        })?;
        notes.tell(&tables[notes.file].chosen, context);
        choice.end(context)?;
        Ok(none)
    }

    /// Reads the rows of a piece of a file.
    fn rows_of(&self, rows: TextRows, tables: &[OpenTable]) -> ReadRows {
        let TextRows { file, piece, reads } = rows;
        let OpenTable {
            layout,
            chosen,
            contents,
        } = &tables[file];
        let mut lines = 0;
        let read = || {
            let piece = piece.map_err(Unread::NoText)?;
            let start = piece.start;
            let text = piece.text().map_err(Unread::NoText)?;
            lines = text.bytes().filter(|byte| *byte == b'\n').count();
            let is_read = tables[file].is_read(&reads);
            let table = parse::rows(
                &text,
                start,
                layout,
                contents,
                self.dates.as_deref(),
                is_read,
            );
            let mut table = table.map_err(|problem| Unread::Problem(text.clone(), problem))?;
            // Later ones are not told.
            if let Some(start) = &mut table.first_short {
                *start = text.as_bytes()[..*start]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
            }
            let columns = std::mem::take(&mut table.columns);
            let columns = Table {
                columns,
                ..Table::default()
            };
            let rows = dataset(columns, chosen, contents).map_err(Unread::Fault)?;
            Ok((table, rows))
        };
        let rows = read();
        ReadRows {
            file,
            reads,
            lines,
            rows,
        }
    }

    /// What the user says of the layout.
    fn written(&self) -> Result<Written, Fault> {
        let mut written = Written {
            separator: self.separator.as_deref().map(separator).transpose()?,
            decimal: self.decimal.as_deref().map(decimal).transpose()?,
            thousands: self.thousands.as_deref().map(thousands).transpose()?,
            comment: self
                .comment
                .clone()
                .filter(|comment| !comment.trim().is_empty()),
            skip: self.skip,
            units: self.units,
            ..Written::default()
        };
        for mark in &self.missing {
            match mark {
                Mark::Number(number) => written.missing_numbers.push(*number),
                Mark::Text(text) => {
                    written
                        .missing_numbers
                        .extend(field::plain(text.trim().as_bytes()));
                    written.missing.push(text.trim().to_owned());
                }
            }
        }
        Ok(written)
    }

    /// Finds what the columns of a file are.
    fn open(&self, one: &OneFile, written: &Written) -> Result<OpenTable, Fault> {
        let file = &one.file;
        // A character of UTF-16 may become one byte.
        let sizes = [FIRST_BYTES, 3 * SAMPLE_BYTES, 3 * LATE_BYTES];
        for size in sizes {
            let text = text::head(file, self.encoding(), size as u64);
            let text = text.map_err(|reason| no_text(file, &reason))?;
            let found = self.find(&text, one, written);
            match found {
                Ok(Some(table)) => return Ok(table),
                // A longer text may say more.
                _ if !text.is_whole && size == FIRST_BYTES => {}
                Ok(None) => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::Bug("the head of a table is too short".to_owned()))
    }

    /// The same from the beginning of its text; none where that is too short.
    fn find(
        &self,
        text: &Text,
        one: &OneFile,
        written: &Written,
    ) -> Result<Option<OpenTable>, Fault> {
        let at = |problem: Problem| told(&one.file, &text.text, 0, problem);
        let layout = Layout::find(&text.text, written).map_err(at)?;
        let chosen = self.chosen(&layout, one)?;
        let contents = self.contents(text, &layout, &chosen).map_err(at)?;
        Ok(contents.map(|contents| OpenTable {
            layout,
            chosen,
            contents,
        }))
    }

    fn encoding(&self) -> Option<text::Encoding> {
        self.encoding.map(|encoding| match encoding {
            Encoding::Utf8 => text::Encoding::Utf8,
            Encoding::Utf16 => text::Encoding::Utf16,
            Encoding::Latin1 => text::Encoding::Latin1,
        })
    }

    /// The columns to keep: where they are and how they are called.
    fn chosen(&self, layout: &Layout, one: &OneFile) -> Result<Vec<(usize, Heading)>, Fault> {
        let mut headings: Vec<Heading> = layout
            .names
            .iter()
            .map(|name| Heading::parse(name))
            .collect();
        for (at, heading) in headings.iter_mut().enumerate() {
            if heading.raw.is_empty() {
                heading.name = format!("column_{}", at + 1);
            }
            if let Some(units) = &layout.units {
                heading.unit = units.get(at).filter(|unit| !unit.is_empty()).cloned();
            }
        }
        source::tell_apart(&mut headings);
        if let Some(texts) = &self.texts {
            source::select(&headings, texts).map_err(|fault| source::moved(fault, "texts"))?;
        }
        let chosen = match &self.columns {
            Some(wanted) => one.select(&headings, wanted)?,
            None => headings.into_iter().enumerate().collect(),
        };
        source::distinct(
            "file",
            chosen.iter().map(|(_, heading)| heading.name.as_str()),
        )?;
        Ok(chosen)
    }

    fn contents(
        &self,
        text: &Text,
        layout: &Layout,
        chosen: &[(usize, Heading)],
    ) -> Result<Option<Vec<Content>>, Problem> {
        let wanted: BTreeSet<usize> = chosen.iter().map(|(at, _)| *at).collect();
        let texts: BTreeSet<usize> = chosen
            .iter()
            .filter(|(_, heading)| {
                let texts = self.texts.iter().flatten();
                texts.into_iter().any(|Column(name)| {
                    *name == heading.name || Heading::parse(&heading.raw).name == *name
                })
            })
            .map(|(at, _)| *at)
            .collect();
        let asked = Asked {
            is_wanted: &|at| wanted.contains(&at),
            is_text: &|at| texts.contains(&at),
            pattern: self.dates.as_deref(),
        };
        infer::contents(&text.text, text.is_whole, layout, &asked)
    }
}

/// What is worth a note of the rows of a file.
#[derive(Default)]
struct TextNotes {
    file: usize,
    /// How many lines came.
    lines: usize,
    /// How often each mark of a missing value is in a column.
    marks: BTreeMap<(usize, String), usize>,
    /// How many rows have fewer fields than the header.
    short: usize,
    /// The line of the first of these.
    first_short: Option<usize>,
}

impl TextNotes {
    /// Adds those of the next lines.
    fn add(&mut self, table: Table, lines: usize) {
        for (mark, count) in table.marks {
            *self.marks.entry(mark).or_default() += count;
        }
        self.short += table.short;
        let line = table.first_short.map(|before| self.lines + before + 1);
        self.first_short = self.first_short.or(line);
        self.lines += lines;
    }

    fn tell(&self, chosen: &[(usize, Heading)], context: &Context) {
        for (column, heading) in chosen {
            let marks = self.marks.iter().filter(|((at, _), _)| at == column);
            let marks: Vec<String> = marks
                .map(|((_, mark), count)| format!("`{mark}` ({count})"))
                .collect();
            if !marks.is_empty() {
                let (name, marks) = (&heading.name, marks.join(", "));
                context.note(format!("column `{name}`: read as missing: {marks}"));
            }
        }
        if let Some(line) = self.first_short {
            let rows = match self.short {
                1 => "1 row has".to_owned(),
                count => format!("{} rows have", source::grouped(count)),
            };
            context.note(format!(
                "{rows} fewer fields than the header, the first in line {line}: the last are missing"
            ));
        }
    }
}

impl Unread {
    /// The complaint about a file, after as many lines of it.
    fn fault(self, file: &DataFile, lines: usize) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Problem(text, problem) => told(file, &text, lines, problem),
            Self::NoText(NoText { before, reason }) => match before {
                None => no_text(file, &reason),
                Some(before) => {
                    let (line, column) = place(&before, before.len());
                    let line = lines + line;
                    no_text(file, &format!("line {line}, column {column}: {reason}"))
                }
            },
        }
    }
}

/// The complaint about a file that is not text.
fn no_text(file: &DataFile, reason: &str) -> Fault {
    let shown = file.path().display();
    let hint = match reason.contains("not UTF-8") {
        true => "if the file is in Latin-1: `encoding: latin1`",
        false => "expected a table of text in UTF-8, UTF-16 or Latin-1, plain, gz or zst",
    };
    let hint = source::other_reader(file).unwrap_or(hint);
    Fault::at("file", format!("cannot read `{shown}` as csv: {reason}")).with_hint(hint)
}

/// The chosen columns of a table that hold something, in their order.
fn dataset(
    mut table: Table,
    chosen: &[(usize, Heading)],
    contents: &[Content],
) -> Result<Dataset, Fault> {
    let mut columns = Vec::new();
    for (at, heading) in chosen {
        let Heading { name, unit, .. } = heading.clone();
        match std::mem::replace(&mut table.columns[*at], Values::Nothing) {
            Values::Numbers(values) if matches!(contents[*at], Content::Dates(_)) => {
                columns.push(DataColumn::times(name, infer::unit(), values));
            }
            Values::Numbers(values) => columns.push(DataColumn::numbers(name, unit, values)),
            Values::Texts(places, labels) => {
                columns.push(DataColumn::among(name, labels, &places));
            }
            Values::Nothing => {}
        }
    }
    Dataset::new(columns)
}

/// A problem with the file and the place it is at.
fn told(file: &DataFile, text: &str, lines: usize, problem: Problem) -> Fault {
    let shown = file.path().display();
    let (line, column) = place(text, problem.at);
    let line = lines + line;
    let message = match problem.message.split_whitespace().next() {
        Some("is" | "has" | "holds") => format!("`{shown}` {}", problem.message),
        _ => format!(
            "`{shown}`, line {line}, column {column}: {}",
            problem.message
        ),
    };
    let fault = Fault::at("file", message);
    match problem.hint {
        Some(hint) => fault.with_hint(hint),
        None => fault,
    }
}

fn separator(text: &str) -> Result<Separator, Fault> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(Separator::Byte(b'\t')),
        b"blanks" | b" " => Ok(Separator::Blanks),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => {
            Ok(Separator::Byte(*byte))
        }
        _ => Err(Fault::at(
            "separator",
            format!("expected one character, `\"tab\"` or `\"blanks\"`, found {text:?}"),
        )),
    }
}

fn decimal(text: &str) -> Result<u8, Fault> {
    match text {
        "." | "," => Ok(text.as_bytes()[0]),
        _ => Err(Fault::at(
            "decimal",
            format!("expected `\".\"` or `\",\"`, found {text:?}"),
        )),
    }
}

fn thousands(text: &str) -> Result<char, Fault> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(mark), None) if !mark.is_ascii_alphanumeric() && !"+-\"\n\r".contains(mark) => {
            Ok(mark)
        }
        _ => Err(Fault::at(
            "thousands",
            format!("expected one mark such as `\",\"`, found {text:?}"),
        )),
    }
}

#[cfg(test)]
mod tests;
