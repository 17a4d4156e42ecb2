//! Rows of numbers with named columns and units.

use std::collections::{BTreeMap, HashSet};
use std::io::Cursor;
use std::sync::Arc;

use dsl::types::{ColumnInfo, Kind, Schema};
use polars::prelude::*;

use super::{Artifact, Parts};
use crate::error::Fault;

/// A table of numbers; missing values are NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    columns: Vec<DataColumn>,
    rows: usize,
}

/// One column of a [`Dataset`].
#[derive(Clone, Debug, PartialEq)]
pub struct DataColumn {
    /// Its name.
    pub name: String,
    /// Its unit, when known.
    pub unit: Option<String>,
    /// One value per row.
    pub values: Arc<[f64]>,
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
            columns: self
                .columns
                .iter()
                .map(|column| ColumnInfo {
                    name: column.name.clone(),
                    unit: column.unit.clone(),
                })
                .collect(),
        }
    }

    /// The values of a column.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn values(&self, name: &str) -> Result<&Arc<[f64]>, Fault> {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .map(|column| &column.values)
            .ok_or_else(|| {
                let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
                Fault::user(format!("the data have no column `{name}`"))
                    .with_hint(format!("columns: {}", names.join(", ")))
            })
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, rows: &[u32]) -> Self {
        Self {
            columns: self
                .columns
                .iter()
                .map(|column| DataColumn {
                    values: rows
                        .iter()
                        .map(|row| column.values[*row as usize])
                        .collect(),
                    ..column.clone()
                })
                .collect(),
            rows: rows.len(),
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

impl Artifact for Dataset {
    const KIND: Kind = Kind::Data;
    const PARTS: &'static [&'static str] = &["table.parquet", "units.json"];

    fn to_parts(&self) -> Result<Parts, Fault> {
        let columns = self
            .columns
            .iter()
            .map(|column| Column::new(column.name.as_str().into(), &column.values[..]))
            .collect();
        let mut frame = DataFrame::new(self.rows, columns)?;
        let units: BTreeMap<&str, &str> = self
            .columns
            .iter()
            .filter_map(|column| Some((column.name.as_str(), column.unit.as_deref()?)))
            .collect();
        Parts::default()
            .with("table.parquet", to_parquet(&mut frame)?)
            .with_json("units.json", &units)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let frame = from_parquet(parts.get("table.parquet")?)?;
        let units: BTreeMap<String, String> = parts.json("units.json")?;
        let columns = frame
            .columns()
            .iter()
            .map(|column| {
                let values: Vec<f64> = column
                    .f64()?
                    .iter()
                    .map(|value| value.unwrap_or(f64::NAN))
                    .collect();
                Ok(DataColumn {
                    name: column.name().to_string(),
                    unit: units.get(column.name().as_str()).cloned(),
                    values: values.into(),
                })
            })
            .collect::<Result<_, Fault>>()?;
        Self::new(columns)
    }
}

/// A table as Parquet; equal tables give equal bytes.
///
/// # Errors
/// When polars cannot write it.
pub fn to_parquet(frame: &mut DataFrame) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Uncompressed)
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
