//! Rows of named columns: numbers with units, times of a calendar, texts.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use dsl::calendar::{Calendar, TimeUnit};
use dsl::column::{ColumnExpr, Values};
use dsl::types::{ColumnInfo, Content, Kind, Schema};
use polars::prelude::*;
use polars_parquet::write::ZstdLevel;
use serde::{Deserialize, Serialize};

use super::{Artifact, Numbers, Parts};
use crate::error::Fault;
use crate::parcel::Parcel;

/// A table; missing values are NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    columns: Vec<DataColumn>,
    rows: usize,
}

/// Takes the next rows; returns the columns that it reads of those after them.
pub type Each<'e> = &'e mut dyn FnMut(Dataset) -> Result<ReadColumns, Fault>;

/// The columns of rows that are read by what they pass on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadColumns {
    /// All of them.
    All,
    /// Those of these names, where there are such columns.
    Named(BTreeSet<String>),
}

impl ReadColumns {
    /// No column.
    pub fn none() -> Self {
        Self::Named(BTreeSet::new())
    }

    /// Whether a column is read.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// These and others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        match (self, others) {
            (Self::Named(mut names), Self::Named(others)) => {
                names.extend(others);
                Self::Named(names)
            }
            _ => Self::All,
        }
    }

    /// These and those of some names.
    #[must_use]
    pub fn and<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Self {
        match self {
            Self::All => Self::All,
            Self::Named(known) => {
                let names = names.into_iter().map(str::to_owned);
                Self::Named(known.iter().cloned().chain(names).collect())
            }
        }
    }

    /// These of the columns of some rows, one at least, which says how many rows there are.
    #[must_use]
    pub fn among(&self, rows: &Dataset) -> Self {
        let mut columns = rows.columns().iter();
        let first = columns.clone().next();
        match columns.any(|column| self.has(&column.name)) {
            true => self.clone(),
            false => self.and(first.map(|column| column.name.as_str())),
        }
    }
}

/// One column of a [`Dataset`], made by [`numbers`](Self::numbers), [`times`](Self::times) or
/// [`texts`](Self::texts).
#[derive(Clone, Debug, PartialEq)]
pub struct DataColumn {
    /// Its name.
    pub name: String,
    /// Its unit, when known.
    pub unit: Option<String>,
    /// One value per row: a number, a time in its unit, or the index of its text in `labels`.
    pub values: Numbers,
    /// What the values are.
    pub content: Content,
    /// The different texts of a column of texts in ascending order; else none.
    pub labels: Arc<[String]>,
}

impl DataColumn {
    /// A column of numbers; of times of the standard calendar where the unit says so, such as
    /// `days since 1970-01-01`.
    pub fn numbers(
        name: impl Into<String>,
        unit: Option<String>,
        values: impl Into<Numbers>,
    ) -> Self {
        Self {
            name: name.into(),
            values: values.into(),
            content: Content::of_unit(unit.as_deref(), Calendar::Standard),
            unit,
            labels: Arc::default(),
        }
    }

    /// A column of times: numbers in `unit`. Readers of dates write
    /// `TimeUnit::days(Calendar::ProlepticGregorian)` and get the numbers from
    /// `unit.number(DateTime::read(text)?)`; readers of CF files parse the file's unit and
    /// calendar with [`TimeUnit::parse`].
    pub fn times(name: impl Into<String>, unit: TimeUnit, values: impl Into<Numbers>) -> Self {
        Self {
            name: name.into(),
            unit: Some(unit.text()),
            values: values.into(),
            content: Content::Time(unit),
            labels: Arc::default(),
        }
    }

    /// A column of numbers or times that the header of a file describes.
    pub fn with(info: ColumnInfo, values: impl Into<Numbers>) -> Self {
        let ColumnInfo {
            name,
            unit,
            content,
            single: _,
        } = info;
        Self {
            name,
            unit,
            values: values.into(),
            content,
            labels: Arc::default(),
        }
    }

    /// A column of texts, one for each row; none where it is missing.
    pub fn texts<T: AsRef<str>>(
        name: impl Into<String>,
        texts: impl IntoIterator<Item = Option<T>>,
    ) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut labels = Vec::new();
        let places = texts.into_iter().map(|text| {
            let Some(text) = text else { return u32::MAX };
            match known.get(text.as_ref()) {
                Some(at) => *at,
                None => {
                    let at = labels.len() as u32;
                    known.insert(text.as_ref().to_owned(), at);
                    labels.push(text.as_ref().to_owned());
                    at
                }
            }
        });
        let places: Vec<u32> = places.collect();
        Self::among(name, labels, &places)
    }

    /// A column of texts, each by its place among different ones; none beyond their end.
    pub fn among(name: impl Into<String>, labels: Vec<String>, places: &[u32]) -> Self {
        let mut is_used = vec![false; labels.len()];
        for place in places {
            if let Some(is_used) = is_used.get_mut(*place as usize) {
                *is_used = true;
            }
        }
        let used = labels
            .into_iter()
            .enumerate()
            .filter(|(at, _)| is_used[*at]);
        let mut used: Vec<(String, usize)> = used.map(|(at, label)| (label, at)).collect();
        used.sort_unstable();
        let mut ranks = vec![None; is_used.len()];
        for (rank, (_, at)) in used.iter().enumerate() {
            ranks[*at] = Some(rank);
        }
        let places = places.iter();
        let places = places.map(|place| ranks.get(*place as usize).copied().flatten());
        Self {
            name: name.into(),
            unit: None,
            values: places_among(used.len(), places),
            content: Content::Text,
            labels: used.into_iter().map(|(label, _)| label).collect(),
        }
    }

    /// The column that these are pieces of; none when they are of several.
    pub(super) fn of_pieces(pieces: Vec<Self>) -> Option<Self> {
        let first = pieces.first()?;
        let is_alike = |piece: &Self| (&piece.name, piece.content) == (&first.name, first.content);
        if !pieces.iter().all(is_alike) {
            return None;
        }
        if first.content == Content::Text {
            return Some(Self::of_texts(first.name.clone(), &pieces));
        }
        let values: Vec<&Numbers> = pieces.iter().map(|piece| &piece.values).collect();
        Some(Self {
            values: Numbers::concat(&values),
            ..first.clone()
        })
    }

    /// The texts of all pieces; each of their labels is looked up once.
    fn of_texts(name: String, pieces: &[Self]) -> Self {
        let used = pieces.iter().map(Self::used_labels);
        let used: Vec<Vec<bool>> = used.collect();
        let own = |at: usize| pieces[at].labels.iter().zip(&used[at]);
        let all = (0..pieces.len()).flat_map(own);
        let labels: BTreeSet<&String> = all.filter(|(_, used)| **used).map(|it| it.0).collect();
        let labels: Vec<&String> = labels.into_iter().collect();
        let places = pieces.iter().enumerate().flat_map(|(at, piece)| {
            let places = own(at).map(|(label, used)| match used {
                true => labels.binary_search(&label).ok(),
                false => None,
            });
            let places: Vec<Option<usize>> = places.collect();
            let pieces = piece.values.pieces().flat_map(Cow::into_owned);
            pieces.map(move |value| match value.is_nan() {
                true => None,
                false => *places.get(value as usize)?,
            })
        });
        Self {
            name,
            unit: None,
            values: places_among(labels.len(), places),
            content: Content::Text,
            labels: labels.into_iter().cloned().collect(),
        }
    }

    /// A column of texts, each the place of its text in `labels`.
    fn coded(name: String, labels: &[String], values: &[f64]) -> Self {
        let text = |value: &f64| match value.is_nan() {
            true => None,
            false => labels.get(*value as usize),
        };
        Self::texts(name, values.iter().map(text))
    }

    /// The text of a row of a column of texts.
    pub fn text(&self, row: usize) -> Option<&str> {
        self.label(self.values.get(row)?)
    }

    /// The text that a value is the place of.
    pub fn label(&self, value: f64) -> Option<&str> {
        let place = (!value.is_nan()).then_some(value as usize)?;
        self.labels.get(place).map(String::as_str)
    }

    /// For each label, whether a row has it.
    pub(super) fn used_labels(&self) -> Vec<bool> {
        let mut used = vec![false; self.labels.len()];
        let places = self.values.pieces();
        for place in places.flat_map(Cow::into_owned).filter(|it| !it.is_nan()) {
            if let Some(used) = used.get_mut(place as usize) {
                *used = true;
            }
        }
        used
    }

    /// A value as people read it: a number, a date, a text.
    pub fn show(&self, value: f64) -> String {
        match self.content {
            _ if value.is_nan() => "missing".to_owned(),
            Content::Number => value.to_string(),
            Content::Time(unit) => unit.show(value),
            Content::Text => match self.labels.get(value as usize) {
                Some(label) => format!("{label:?}"),
                None => value.to_string(),
            },
        }
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, rows: &[u32]) -> Self {
        Self {
            name: self.name.clone(),
            unit: self.unit.clone(),
            values: self.values.take(rows),
            content: self.content,
            labels: Arc::clone(&self.labels),
        }
    }

    /// Some neighbouring rows.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn part(&self, rows: Range<usize>) -> Self {
        match rows == (0..self.values.len()) {
            true => self.clone(),
            false => self.take(&rows.map(|row| row as u32).collect::<Vec<u32>>()),
        }
    }

    /// Its name and what it holds.
    pub fn info(&self) -> ColumnInfo {
        ColumnInfo {
            name: self.name.clone(),
            unit: self.unit.clone(),
            content: self.content,
            single: false,
        }
    }
}

/// Places among as many labels, or none, as the values of a column of texts: two bytes a row where
/// the labels are few.
fn places_among(labels: usize, places: impl Iterator<Item = Option<usize>>) -> Numbers {
    let Ok(none) = u16::try_from(labels) else {
        return places
            .map(|it| it.map_or(f64::NAN, |it| it as f64))
            .collect();
    };
    let values = (0..none).map(f64::from).chain([f64::NAN]);
    let codes = places.map(|it| it.and_then(|it| u16::try_from(it).ok()).unwrap_or(none));
    Numbers::coded(values.collect::<Vec<f64>>(), codes.collect::<Vec<u16>>())
}

impl Dataset {
    /// A data set of these columns.
    ///
    /// # Errors
    /// When they differ in length or share a name.
    pub fn new(columns: Vec<DataColumn>) -> Result<Self, Fault> {
        let rows = columns.first().map_or(0, |column| column.values.len());
        let mut names = HashSet::with_capacity(columns.len());
        for column in &columns {
            if column.values.len() != rows {
                return Err(Fault::Bug(format!(
                    "column `{}` has {} rows, not {rows}",
                    column.name,
                    column.values.len()
                )));
            }
            if !names.insert(column.name.as_str()) {
                return Err(Fault::user(format!(
                    "column `{}` exists twice",
                    column.name
                )));
            }
        }
        Ok(Self { columns, rows })
    }

    /// The rows of all parts, which have the same columns, one part after the other.
    ///
    /// # Errors
    /// When their columns differ.
    pub fn of_parts(mut parts: Vec<Self>) -> Result<Self, Fault> {
        let width = parts.first().map_or(0, |first| first.columns.len());
        if parts.len() < 2 {
            return Ok(parts.pop().unwrap_or_default());
        }
        let mut columns = Vec::with_capacity(width);
        for _ in 0..width {
            // The pieces of a column are freed before the next one is put together.
            let pieces = parts.iter_mut().map(|part| part.columns.pop());
            let pieces: Option<Vec<DataColumn>> = pieces.collect();
            columns.extend(pieces.and_then(DataColumn::of_pieces));
        }
        columns.reverse();
        match columns.len() == width {
            true => Self::new(columns),
            false => Err(Fault::Bug("parts of a table have other columns".to_owned())),
        }
    }

    /// All rows that `pass` passes to its argument, as one table.
    ///
    /// # Errors
    /// Those of `pass`, and where parts have other columns, which is a bug.
    pub fn of_pass(pass: impl FnOnce(Each<'_>) -> Result<(), Fault>) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        pass(&mut |rows| {
            parts.push(rows);
            Ok(ReadColumns::All)
        })?;
        Self::of_parts(parts)
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns in order.
    pub fn columns(&self) -> &[DataColumn] {
        &self.columns
    }

    /// The names and units of the columns.
    pub fn schema(&self) -> Schema {
        Schema {
            columns: self.columns.iter().map(DataColumn::info).collect(),
        }
    }

    /// The column of a name.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn column(&self, name: &str) -> Result<&DataColumn, Fault> {
        let column = self.columns.iter().find(|column| column.name == name);
        column.ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
            Fault::user(format!("the data have no column `{name}`"))
                .with_hint(format!("columns: {}", names.join(", ")))
        })
    }

    /// The values of a column: numbers, times in their unit, or places in its labels.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn values(&self, name: &str) -> Result<&Arc<[f64]>, Fault> {
        self.column(name).map(|column| column.values.wide())
    }

    /// What a formula sees of a column: `formula.evaluate(rows, &|name| data.look(name))`.
    pub fn look(&self, name: &str) -> Option<Values<'_>> {
        let column = self.columns.iter().find(|column| column.name == name)?;
        Some(Values {
            values: &column.values,
            labels: (column.content == Content::Text).then_some(&*column.labels),
        })
    }

    /// The column of these values that a formula over this data gives: its values are times or
    /// texts where the formula says so.
    pub fn derived(&self, name: String, formula: &ColumnExpr, values: Numbers) -> DataColumn {
        let time = |name: &str| self.column(name).ok()?.content.time();
        let labels = formula.labels(&|name| self.look(name)?.labels);
        match (formula.time(&time), labels) {
            (Some(unit), _) => DataColumn::times(name, unit, values),
            (None, Some(labels)) => DataColumn::coded(name, &labels, &values),
            (None, None) => DataColumn::numbers(name, None, values),
        }
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, rows: &[u32]) -> Self {
        Self {
            columns: self
                .columns
                .iter()
                .map(|column| column.take(rows))
                .collect(),
            rows: rows.len(),
        }
    }

    /// The same rows without the columns that are not read.
    #[must_use]
    pub fn only(&self, reads: &ReadColumns) -> Self {
        let reads = reads.among(self);
        let columns = self.columns.iter().filter(|column| reads.has(&column.name));
        Self {
            columns: columns.cloned().collect(),
            rows: self.rows,
        }
    }

    /// Some neighbouring rows.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn part(&self, rows: Range<usize>) -> Self {
        match rows == (0..self.rows) {
            true => self.clone(),
            false => self.take(&rows.map(|row| row as u32).collect::<Vec<u32>>()),
        }
    }

    /// The same with another column at the end.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(mut self, column: DataColumn) -> Result<Self, Fault> {
        self.columns.push(column);
        Self::new(self.columns)
    }
}

/// How a unit is stored: alone, or with its calendar where that is not the standard one.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredUnit {
    Alone(String),
    Dated { unit: String, calendar: String },
}

impl StoredUnit {
    fn of(column: &DataColumn) -> Option<Self> {
        let unit = column.unit.clone()?;
        let calendar = column.content.time().map(TimeUnit::calendar);
        Some(match calendar.filter(|it| *it != Calendar::Standard) {
            Some(calendar) => Self::Dated {
                unit,
                calendar: calendar.name().to_owned(),
            },
            None => Self::Alone(unit),
        })
    }

    fn read(self) -> Result<(String, Content), Fault> {
        let (unit, calendar) = match self {
            Self::Alone(unit) => (unit, Calendar::Standard),
            Self::Dated { unit, calendar } => {
                let unknown = || Fault::Damaged(format!("unknown calendar `{calendar}`"));
                (unit, Calendar::named(&calendar).ok_or_else(unknown)?)
            }
        };
        let content = Content::of_unit(Some(&unit), calendar);
        Ok((unit, content))
    }
}

impl Artifact for Dataset {
    const KIND: Kind = Kind::Data;
    const PARTS: &'static [&'static str] = &["table.parquet", "units.json"];

    fn size(&self) -> u64 {
        (self.rows * self.columns.len() * size_of::<f64>()) as u64
    }

    fn to_parts(&self) -> Result<Parts, Fault> {
        let mut frame = DataFrame::new(self.rows, self.columns.iter().map(stored).collect())?;
        let units: BTreeMap<&str, StoredUnit> = self
            .columns
            .iter()
            .filter_map(|column| Some((column.name.as_str(), StoredUnit::of(column)?)))
            .collect();
        Parts::default()
            .with("table.parquet", to_small_parquet(&mut frame)?)
            .with_json("units.json", &units)
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        Ok(self.as_parcel())
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let frame = from_parquet(parts.get("table.parquet")?)?;
        let mut units: BTreeMap<String, StoredUnit> = parts.json("units.json")?;
        let columns = frame
            .columns()
            .iter()
            .map(|column| {
                let name = column.name().to_string();
                if let DataType::String = column.dtype() {
                    return Ok(DataColumn::texts(name, column.str()?.iter()));
                }
                let values: Numbers = match column.dtype() {
                    DataType::Float32 => {
                        let values = column.f32()?.iter();
                        let values = values.map(|value| value.unwrap_or(f32::NAN));
                        values.collect::<Vec<f32>>().into()
                    }
                    _ => {
                        let values = column.f64()?.iter();
                        values.map(|value| value.unwrap_or(f64::NAN)).collect()
                    }
                };
                let unit = units.remove(&name).map(StoredUnit::read).transpose()?;
                let (unit, content) = unit.unzip();
                Ok(DataColumn {
                    name,
                    unit,
                    values,
                    content: content.unwrap_or_default(),
                    labels: Arc::default(),
                })
            })
            .collect::<Result<_, Fault>>()?;
        Self::new(columns)
    }
}

pub(super) fn stored(column: &DataColumn) -> Column {
    let name = column.name.as_str().into();
    match column.content {
        Content::Text => {
            let texts: StringChunked = (0..column.values.len())
                .map(|row| column.text(row))
                .collect();
            texts.with_name(name).into_column()
        }
        Content::Number | Content::Time(_) => match column.values.to_singles() {
            Some(values) => Column::new(name, values),
            None => Column::new(name, &column.values[..]),
        },
    }
}

/// A table as Parquet; equal tables give equal bytes.
///
/// # Errors
/// When polars cannot write it.
pub fn to_parquet(frame: &mut DataFrame) -> Result<Vec<u8>, Fault> {
    write_parquet(frame, ParquetCompression::Uncompressed)
}

/// The same, compressed: coordinates repeat and take almost no room.
pub(super) fn to_small_parquet(frame: &mut DataFrame) -> Result<Vec<u8>, Fault> {
    let level = ZstdLevel::try_new(1)?;
    write_parquet(frame, ParquetCompression::Zstd(Some(level)))
}

fn write_parquet(frame: &mut DataFrame, compression: ParquetCompression) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(compression)
        .set_parallel(false)
        .finish(frame)?;
    Ok(bytes)
}

/// A table from Parquet.
///
/// # Errors
/// When the bytes are not Parquet.
pub fn from_parquet(bytes: &[u8]) -> Result<DataFrame, Fault> {
    ParquetReader::new(Cursor::new(bytes))
        .finish()
        .map_err(|error| Fault::Damaged(error.to_string()))
}
