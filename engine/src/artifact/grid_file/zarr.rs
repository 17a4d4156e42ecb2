//! A grid as a Zarr store of version 2 (zarr-specs, `v2.0`) in a zip file, with consolidated
//! metadata: chunks of whole rows along the first dimension, compressed by zstd.

use serde_json::{Map, Value, json};

use super::{Attribute, Dataset, GridFile, Variable, VariableValues, grid};
use crate::error::Fault;
use crate::zip::{Content, write_archive};

/// About how many values a chunk has.
const CHUNK: usize = 1 << 20;

/// How much is spent on smaller chunks.
const LEVEL: i32 = 3;

/// The bytes of a zip file of a Zarr store with these data. `about` becomes its attributes.
///
/// # Errors
/// When the machine cannot compress it.
pub fn zarr(data: &Dataset, about: &[(String, String)]) -> Result<Vec<u8>, Fault> {
    let file = grid(data, about);
    let mut metadata = Map::new();
    metadata.insert(".zgroup".to_owned(), json!({ "zarr_format": 2 }));
    metadata.insert(".zattrs".to_owned(), attributes(&file.attributes).into());
    let mut chunks = Vec::new();
    for variable in &file.variables {
        let array = StoredArray::of(&file, variable);
        let head = |part: &str| format!("{}/{part}", variable.name);
        metadata.insert(head(".zarray"), array.head());
        metadata.insert(head(".zattrs"), array.attributes(&file));
        for at in 0..array.shape[0].div_ceil(array.rows) {
            let place = std::iter::once(at).chain(array.shape[1..].iter().map(|_| 0));
            let place: Vec<String> = place.map(|at| at.to_string()).collect();
            chunks.push((head(&place.join(".")), array.chunk(at)?));
        }
    }
    let text = |value: &Value| Content::Bytes(value.to_string().into_bytes());
    let mut entries: Vec<(String, Content)> = (metadata.iter())
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let consolidated = json!({ "zarr_consolidated_format": 1, "metadata": metadata });
    entries.push((".zmetadata".to_owned(), text(&consolidated)));
    let chunks = chunks.into_iter();
    entries.extend(chunks.map(|(name, bytes)| (name, Content::Bytes(bytes))));
    let mut bytes = Vec::new();
    write_archive(&entries, &mut bytes)?;
    Ok(bytes)
}

/// A variable as an array of chunks.
struct StoredArray<'a> {
    variable: &'a Variable,
    shape: Vec<usize>,
    /// How many rows along the first dimension a chunk has.
    rows: usize,
    /// How many values a row has.
    width: usize,
    /// How many characters the longest text has.
    longest: usize,
}

impl<'a> StoredArray<'a> {
    fn of(file: &GridFile, variable: &'a Variable) -> Self {
        let shape: Vec<usize> = (variable.dimensions.iter())
            .map(|at| file.dimensions[*at].1)
            .collect();
        let width = shape[1..].iter().product::<usize>().max(1);
        let longest = match &variable.values {
            VariableValues::Texts(texts) => texts.iter().map(|text| text.chars().count()).max(),
            _ => None,
        };
        Self {
            variable,
            rows: (CHUNK / width).clamp(1, shape[0].max(1)),
            shape,
            width,
            longest: longest.unwrap_or_default().max(1),
        }
    }

    fn head(&self) -> Value {
        let dtype = match self.variable.values {
            VariableValues::Texts(_) => format!("<U{}", self.longest),
            VariableValues::Float(_) => "<f4".to_owned(),
            VariableValues::Double(_) => "<f8".to_owned(),
        };
        let has_gaps = (self.variable.attributes.iter()).any(|(name, _)| name == FILL);
        let missing = match self.variable.values {
            VariableValues::Texts(_) => json!(""),
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

    fn attributes(&self, file: &GridFile) -> Value {
        let mut all = attributes(&self.variable.attributes);
        let names = self.variable.dimensions.iter();
        let names: Vec<&String> = names.map(|at| &file.dimensions[*at].0).collect();
        all.insert("_ARRAY_DIMENSIONS".to_owned(), json!(names));
        all.into()
    }

    /// The compressed bytes of a chunk; the last one is as large as the others.
    fn chunk(&self, at: usize) -> Result<Vec<u8>, Fault> {
        let first = at * self.rows * self.width;
        let count = self.rows * self.width;
        let mut bytes = Vec::new();
        match &self.variable.values {
            VariableValues::Float(values) => {
                for value in padded(values, first, count, f32::NAN) {
                    bytes.extend(value.to_le_bytes());
                }
            }
            VariableValues::Double(values) => {
                for value in padded(values, first, count, f64::NAN) {
                    bytes.extend(value.to_le_bytes());
                }
            }
            VariableValues::Texts(texts) => {
                for text in padded(texts, first, count, String::new()) {
                    let letters = text.chars().map(u32::from);
                    let letters = letters.chain(std::iter::repeat(0)).take(self.longest);
                    letters.for_each(|letter| bytes.extend(letter.to_le_bytes()));
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

/// A part of the values, made up where it ends before.
fn padded<T: Clone>(
    values: &[T],
    first: usize,
    count: usize,
    missing: T,
) -> impl Iterator<Item = T> {
    let part = values[first..].iter().take(count).cloned();
    part.chain(std::iter::repeat(missing)).take(count)
}
