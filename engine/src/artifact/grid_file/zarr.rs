//! A grid as a Zarr store of version 2 (zarr-specs, `v2.0`) in a zip file, with consolidated
//! metadata: chunks of whole rows along the first dimension, compressed by zstd.

use serde_json::{Map, Value, json};

use super::{Attribute, GridColumn, GridFile, Pieces, StoredAs, Variable};
use crate::artifact::Take;
use crate::artifact::data_file::ByteSink;
use crate::error::Fault;
use crate::zip::{Archive, Content};

/// About how many values a chunk has.
const CHUNK: usize = 1 << 20;

/// How much is spent on smaller chunks.
const LEVEL: i32 = 3;

/// Gives `put` the bytes of a zip file of a Zarr store with these data. `about` becomes its
/// attributes.
///
/// # Errors
/// When the machine cannot compress it; those of `put`.
pub fn zarr(data: &[GridColumn], about: &[(String, String)], put: &mut Take) -> Result<(), Fault> {
    let mut sink = ByteSink::new(put);
    let written = write(&GridFile::of(data, about), &mut sink);
    sink.end(written)
}

fn write(file: &GridFile<'_>, out: &mut ByteSink<'_, '_>) -> Result<(), Fault> {
    let mut metadata = Map::new();
    metadata.insert(".zgroup".to_owned(), json!({ "zarr_format": 2 }));
    metadata.insert(".zattrs".to_owned(), attributes(&file.attributes).into());
    let arrays = file.variables.iter().map(|it| StoredArray::of(file, it));
    let arrays: Vec<StoredArray<'_>> = arrays.collect();
    for array in &arrays {
        metadata.insert(array.part(".zarray"), array.head());
        metadata.insert(array.part(".zattrs"), array.attributes(file));
    }
    let text = |value: &Value| Content::Bytes(value.to_string().into_bytes());
    let mut archive = Archive::new(out);
    for (name, value) in &metadata {
        archive.add(name, &text(value))?;
    }
    let consolidated = json!({ "zarr_consolidated_format": 1, "metadata": metadata });
    archive.add(".zmetadata", &text(&consolidated))?;
    for array in &arrays {
        let values = file.values(array.variable);
        for at in 0..array.shape[0].div_ceil(array.rows) {
            let place = std::iter::once(at).chain(array.shape[1..].iter().map(|_| 0));
            let place: Vec<String> = place.map(|at| at.to_string()).collect();
            let chunk = Content::Bytes(array.chunk(&values, at)?);
            archive.add(&array.part(&place.join(".")), &chunk)?;
        }
    }
    Ok(archive.end()?)
}

/// A variable as an array of chunks.
struct StoredArray<'a> {
    variable: &'a Variable<'a>,
    shape: Vec<usize>,
    /// How many rows along the first dimension a chunk has.
    rows: usize,
    /// How many values a row has.
    width: usize,
}

impl<'a> StoredArray<'a> {
    fn of(file: &GridFile<'_>, variable: &'a Variable<'a>) -> Self {
        let shape: Vec<usize> = (variable.dimensions.iter())
            .map(|at| file.dimensions[*at].1)
            .collect();
        let width = shape[1..].iter().product::<usize>().max(1);
        Self {
            variable,
            rows: (CHUNK / width).clamp(1, shape[0].max(1)),
            shape,
            width,
        }
    }

    /// The name of a part of the array in the store.
    fn part(&self, part: &str) -> String {
        format!("{}/{part}", self.variable.name)
    }

    fn head(&self) -> Value {
        let dtype = match self.variable.stored {
            StoredAs::Text { letters, .. } => format!("<U{letters}"),
            StoredAs::Float => "<f4".to_owned(),
            StoredAs::Double => "<f8".to_owned(),
        };
        let has_gaps = (self.variable.attributes.iter()).any(|(name, _)| name == FILL);
        let missing = match self.variable.stored {
            StoredAs::Text { .. } => json!(""),
            _ if has_gaps => json!("NaN"),
            _ => Value::Null,
        };
        let chunks = std::iter::once(&self.rows).chain(&self.shape[1..]);
        json!({
            "zarr_format": 2,
            "shape": self.shape,
            "chunks": chunks.collect::<Vec<_>>(),
            "dtype": dtype,
            "compressor": { "id": "zstd", "level": LEVEL },
            "fill_value": missing,
            "order": "C",
            "filters": null,
        })
    }

    fn attributes(&self, file: &GridFile<'_>) -> Value {
        let mut all = attributes(&self.variable.attributes);
        let names = self.variable.dimensions.iter();
        let names: Vec<&String> = names.map(|at| &file.dimensions[*at].0).collect();
        all.insert("_ARRAY_DIMENSIONS".to_owned(), json!(names));
        all.into()
    }

    /// The compressed bytes of a chunk; the last one is as large as the others.
    fn chunk(&self, values: &Pieces, at: usize) -> Result<Vec<u8>, Fault> {
        let first = at * self.rows * self.width;
        let count = self.rows * self.width;
        let mut bytes = Vec::new();
        let own = values.part(first..values.len().min(first + count));
        let missing = std::iter::repeat(&f64::NAN);
        for value in own.iter().chain(missing).take(count) {
            match self.variable.stored {
                StoredAs::Float => bytes.extend((*value as f32).to_le_bytes()),
                StoredAs::Double => bytes.extend(value.to_le_bytes()),
                StoredAs::Text { letters, .. } => {
                    let text = self.variable.column.head.label(*value).unwrap_or_default();
                    let text = text.chars().map(u32::from).chain(std::iter::repeat(0));
                    let text = text.take(letters);
                    text.for_each(|letter| bytes.extend(letter.to_le_bytes()));
                }
            }
        }
        Ok(zstd::bulk::compress(&bytes, LEVEL)?)
    }
}

/// What arrays say of missing values in `fill_value`, files of NetCDF in this attribute.
const FILL: &str = "_FillValue";

fn attributes(all: &[(String, Attribute)]) -> Map<String, Value> {
    let texts = all.iter().filter_map(|(name, value)| match value {
        Attribute::Text(text) => Some((name.clone(), json!(text))),
        Attribute::Float(_) | Attribute::Double(_) => None,
    });
    texts.collect()
}
