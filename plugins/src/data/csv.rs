//! `csv`: rows of text tables with a header.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::Value;
use dsl::signature::ColumnRule;
use dsl::types::{Schema, Type};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::{DataFile, Files};
use engine::params::{Bindings, Column, ParamType};
use engine::plugin;
use engine::plugin::{Complaint, Context, Each, InParts, Plugin, Sketch};
use engine::words;

use super::support::csv::infer::{self, Asked, Content, LATE_BYTES, SAMPLE_BYTES};
use super::support::csv::layout::{Layout, Written};
use super::support::csv::parse::{self, Table, Values};
use super::support::csv::scan::Separator;
use super::support::csv::text::{self, Text};
use super::support::csv::{Problem, field, place};
use super::support::dates::pattern_fault;
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
    "csv" version 4
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

/// How much of the files to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowLimit {
    None,
    All,
}

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
        let heads = parts.iter();
        let heads = heads.map(|one| self.open(one, &written, RowLimit::None)?.head(one));
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
        let together = match RowChoice::of(&self.rows).is_all() {
            true => usize::MAX,
            false => TEXT_TOGETHER,
        };
        whole(|each| self.pass(together, context, each))
    }
}

/// As many bytes of text are worth reading at a time.
const TEXT_TOGETHER: usize = 1 << 24;

/// A text whose columns are known.
struct OpenTable {
    text: Text,
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
            ..Part::of(one, dataset(none, &self.contents, &self.chosen)?)
        })
    }
}

impl Csv {
    /// Passes the rows to `each`, those of about `together` bytes at a time; returns the columns
    /// without rows.
    fn pass(&self, together: usize, context: &Context, each: Each<'_>) -> Result<Dataset, Fault> {
        let opened = several::open_all(&self.file, &ENDINGS, context.files())?;
        let written = self.written()?;
        // What a column holds follows from the heads of all files.
        let mut alone = match &opened[..] {
            [one] => Some(self.open(one, &written, RowLimit::All)?),
            _ => None,
        };
        let heads = opened.iter().map(|one| match &alone {
            Some(table) => table.head(one),
            None => self.open(one, &written, RowLimit::None)?.head(one),
        });
        let heads = heads.collect::<Result<_, Fault>>()?;
        let mut stack = Stack::of(heads, self.columns.as_deref(), "file")?;
        let mut choice = RowChoice::of(&self.rows);
        for (at, one) in opened.iter().enumerate() {
            let table = match alone.take() {
                Some(table) => table,
                None => self.open(one, &written, RowLimit::All)?,
            };
            self.each(one, &table, together, context, &mut |rows| match choice
                .of_next(stack.rows(at, rows)?)?
            {
                Some(rows) => each(rows),
                None => Ok(()),
            })?;
        }
        choice.end(context)?;
        Ok(stack.none())
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
    fn open(&self, one: &OneFile, written: &Written, rows: RowLimit) -> Result<OpenTable, Fault> {
        let file = &one.file;
        let mut text = match rows {
            RowLimit::None => self.text(file, Some(2 * SAMPLE_BYTES as u64))?,
            RowLimit::All => self.text(file, None)?,
        };
        loop {
            let at = |problem: Problem| told(file, &text.text, problem);
            let layout = Layout::find(&text.text, written).map_err(at)?;
            let chosen = self.chosen(&layout, one)?;
            if let Some(contents) = self.contents(&text, &layout, &chosen).map_err(at)? {
                return Ok(OpenTable {
                    text,
                    layout,
                    chosen,
                    contents,
                });
            }
            text = self.text(file, Some(2 * LATE_BYTES as u64))?;
        }
    }

    /// Passes the rows of a file to `take`, those of about `together` bytes at a time.
    fn each(
        &self,
        one: &OneFile,
        table: &OpenTable,
        together: usize,
        context: &Context,
        take: &mut dyn FnMut(Dataset) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let OpenTable {
            text,
            layout,
            chosen,
            contents,
        } = table;
        let text = &*text.text;
        let mut found: BTreeMap<(usize, String), usize> = BTreeMap::new();
        let (mut short, mut first_short) = (0, None);
        for block in parse::blocks(text, layout.body..text.len(), together) {
            context.check_stop()?;
            let table = parse::rows(text, block, layout, contents, self.dates.as_deref());
            let mut table = table.map_err(|problem| told(&one.file, text, problem))?;
            for (mark, count) in std::mem::take(&mut table.marks) {
                *found.entry(mark).or_default() += count;
            }
            short += table.short;
            first_short = first_short.or(table.first_short);
            take(dataset(table, contents, chosen)?)?;
        }
        for (at, heading) in chosen {
            if let Some(marks) = marks(&found, *at) {
                let name = &heading.name;
                context.note(format!("column `{name}`: read as missing: {marks}"));
            }
        }
        if let Some(start) = first_short {
            let line = text[..start].matches('\n').count() + 1;
            let rows = match short {
                1 => "1 row has".to_owned(),
                count => format!("{} rows have", source::grouped(count)),
            };
            context.note(format!(
                "{rows} fewer fields than the header, the first in line {line}: the last are missing"
            ));
        }
        Ok(())
    }

    fn text(&self, file: &DataFile, limit: Option<u64>) -> Result<Text, Fault> {
        let encoding = self.encoding.map(|encoding| match encoding {
            Encoding::Utf8 => text::Encoding::Utf8,
            Encoding::Utf16 => text::Encoding::Utf16,
            Encoding::Latin1 => text::Encoding::Latin1,
        });
        text::read(file, encoding, limit).map_err(|reason| {
            let shown = file.path().display();
            let hint = match reason.contains("no UTF-8") {
                true => "if the file is in Latin-1: `encoding: latin1`",
                false => "expected a table of text in UTF-8, UTF-16 or Latin-1, plain, gz or zst",
            };
            Fault::at("file", format!("cannot read `{shown}` as csv: {reason}")).with_hint(hint)
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

/// The marks of missing values in a column and how often each stands there.
fn marks(found: &BTreeMap<(usize, String), usize>, column: usize) -> Option<String> {
    let marks = found.iter().filter(|((at, _), _)| *at == column);
    let marks: Vec<String> = marks
        .map(|((_, mark), count)| format!("`{mark}` ({count})"))
        .collect();
    (!marks.is_empty()).then(|| marks.join(", "))
}

/// The chosen columns of a table, in their order.
fn dataset(
    mut table: Table,
    contents: &[Content],
    chosen: &[(usize, Heading)],
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
                let text = |place: &Option<u32>| place.map(|place| &labels[place as usize]);
                columns.push(DataColumn::texts(name, places.iter().map(text)));
            }
            Values::Nothing => {}
        }
    }
    Dataset::new(columns)
}

/// A problem with the file and the place it is at.
fn told(file: &DataFile, text: &str, problem: Problem) -> Fault {
    let shown = file.path().display();
    let (line, column) = place(text, problem.at);
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
