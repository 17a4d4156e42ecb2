//! Data as files for other programs.

use dsl::types::Content;
use polars::prelude::*;

use super::dataset::{Dataset, stored, to_small_parquet};
use super::grid_file;
use crate::error::Fault;

/// The forms of files that data are written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataForm {
    /// A grid with coordinates and attributes.
    #[default]
    NetCdf,
    /// The same as a Zarr store in a zip file.
    Zarr,
    /// A table with typed columns.
    Parquet,
    /// A table of text.
    Csv,
}

impl DataForm {
    /// What the names of its files end with.
    pub fn ending(self) -> &'static str {
        match self {
            Self::NetCdf => "nc",
            Self::Zarr => "zarr.zip",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }

    /// The bytes of a file with these data, and `about` where the form has a place for it.
    ///
    /// # Errors
    /// When the form cannot hold the data.
    pub fn file(self, data: &Dataset, about: &[(String, String)]) -> Result<Vec<u8>, Fault> {
        match self {
            Self::NetCdf => grid_file::netcdf(data, about),
            Self::Zarr => grid_file::zarr(data, about),
            Self::Parquet => to_small_parquet(&mut frame(data)?),
            Self::Csv => {
                let mut bytes = Vec::new();
                CsvWriter::new(&mut bytes).finish(&mut frame(data)?)?;
                Ok(bytes)
            }
        }
    }
}

/// The data as other programs read them: dates are texts, missing values are none.
fn frame(data: &Dataset) -> Result<DataFrame, Fault> {
    let columns = data.columns().iter().map(|column| {
        let name = column.name.as_str().into();
        let values = column.values.iter();
        match column.content {
            Content::Time(unit) => {
                let dates = values.map(|time| unit.date(*time).map(|date| date.to_string()));
                let dates: StringChunked = dates.collect();
                dates.with_name(name).into_column()
            }
            Content::Text => stored(column),
            Content::Number => {
                let known = values.map(|value| (!value.is_nan()).then_some(*value));
                let known: Float64Chunked = known.collect();
                known.with_name(name).into_column()
            }
        }
    });
    Ok(DataFrame::new(data.rows(), columns.collect())?)
}
