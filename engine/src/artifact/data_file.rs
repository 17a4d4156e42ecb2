//! Data as files for other programs.

use std::io;

use dsl::types::Content;
use polars::prelude::*;
use polars_parquet::write::ZstdLevel;

use super::dataset::{Dataset, Each, stored};
use super::{ReadColumns, Take, grid_file};
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
        let mut file = Vec::new();
        self.write(|each| each(data.clone()).map(|_| ()), about, &mut |bytes| {
            file.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(file)
    }

    /// Gives `put` the bytes of a file with the rows that `rows` passes to its argument in parts,
    /// and `about` where the form has a place for it. Tables are written as rows come; a grid needs
    /// all of them, each column as narrow as it came and one more at a time.
    ///
    /// # Errors
    /// When the form cannot hold the data; those of `rows` and of `put`.
    pub fn write(
        self,
        rows: impl FnOnce(Each<'_>) -> Result<(), Fault>,
        about: &[(String, String)],
        put: &mut Take,
    ) -> Result<(), Fault> {
        match self {
            Self::NetCdf | Self::Zarr => {
                let mut parts = Vec::new();
                rows(&mut |part| {
                    parts.push(part);
                    Ok(ReadColumns::All)
                })?;
                let columns = grid_file::columns(parts)?;
                match self {
                    Self::Zarr => grid_file::zarr(&columns, about, put),
                    _ => grid_file::netcdf(&columns, about, put),
                }
            }
            Self::Parquet => {
                let level = ParquetCompression::Zstd(Some(ZstdLevel::try_new(1)?));
                let mut file = ByteSink::new(put);
                let mut opening = Some(&mut file);
                let mut writer = None;
                let result = in_groups(rows, |group| {
                    let frame = frame(&group)?;
                    if let Some(file) = opening.take() {
                        let opened = ParquetWriter::new(file).with_compression(level);
                        writer = Some(opened.set_parallel(false).batched(frame.schema())?);
                    }
                    let writer = writer.as_mut();
                    writer.map_or(Ok(()), |writer| Ok(writer.write_batch(&frame)?))
                });
                let ended = writer.map_or(Ok(0), |writer| writer.finish());
                file.end(result)?;
                ended.map(|_| ()).map_err(Fault::from)
            }
            Self::Csv => {
                let mut is_first = true;
                in_groups(rows, |group| {
                    let mut bytes = Vec::new();
                    CsvWriter::new(&mut bytes)
                        .include_header(is_first)
                        .finish(&mut frame(&group)?)?;
                    is_first = false;
                    put(&bytes)
                })
            }
        }
    }
}

/// How many rows are written together: those of a group of rows in a Parquet file.
const GROUP: usize = 1 << 18;

/// Passes rows that come in parts on in groups of one size, whatever the parts are; one group
/// without rows where there are none.
fn in_groups(
    rows: impl FnOnce(Each<'_>) -> Result<(), Fault>,
    mut each: impl FnMut(Dataset) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (mut waiting, mut count, mut is_empty) = (Vec::new(), 0, true);
    rows(&mut |part| {
        count += part.rows();
        waiting.push(part);
        if count < GROUP {
            return Ok(ReadColumns::All);
        }
        let all = Dataset::of_parts(std::mem::take(&mut waiting))?;
        let whole = count / GROUP * GROUP;
        for start in (0..whole).step_by(GROUP) {
            is_empty = false;
            each(all.part(start..start + GROUP))?;
        }
        waiting.push(all.part(whole..count));
        count -= whole;
        Ok(ReadColumns::All)
    })?;
    match count > 0 || is_empty {
        true => each(Dataset::of_parts(waiting)?),
        false => Ok(()),
    }
}

/// Where libraries write to; keeps the fault of the writer behind it.
pub(super) struct ByteSink<'p, 't> {
    put: &'p mut Take<'t>,
    fault: Option<Fault>,
}

impl<'p, 't> ByteSink<'p, 't> {
    pub(super) fn new(put: &'p mut Take<'t>) -> Self {
        Self { put, fault: None }
    }

    /// The result of what was written here; the fault behind it where there is one.
    pub(super) fn end<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        match self.fault {
            Some(fault) => Err(fault),
            None => result,
        }
    }
}

impl io::Write for ByteSink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (self.put)(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(fault) => {
                self.fault = Some(fault);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
