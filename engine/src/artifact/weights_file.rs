//! Files of weights to export, written piece by piece: none of them need fit in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value, json};

use super::precision::write_singles;
use super::{Layout, Metadata, Saved, Trajectory};
use crate::error::Fault;

/// The files that an artifact exports.
pub type WeightsFiles<'a> = Vec<WeightsFile<'a>>;

/// A file by its name, and how its bytes are made.
pub struct WeightsFile<'a> {
    /// Its name.
    pub name: String,
    make: Box<Make<'a>>,
}

/// Takes the next bytes of a file.
pub type Take<'t> = dyn FnMut(&[u8]) -> Result<(), Fault> + 't;

type Make<'a> = dyn Fn(&mut Take) -> Result<(), Fault> + 'a;

impl<'a> WeightsFile<'a> {
    /// A file whose bytes `make` gives to its argument, piece after piece.
    pub fn new(name: String, make: impl Fn(&mut Take) -> Result<(), Fault> + 'a) -> Self {
        let make = Box::new(make);
        Self { name, make }
    }

    /// A file of these bytes.
    pub fn of(name: String, bytes: Vec<u8>) -> Self {
        Self::new(name, move |take| take(&bytes))
    }

    /// Gives the bytes to `take`, piece after piece.
    ///
    /// # Errors
    /// Those of `take`, and when the bytes cannot be made.
    pub fn write(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        (self.make)(take)
    }

    /// All its bytes.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        self.write(&mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }
}

/// The weights of one network.
#[derive(Clone, Copy)]
pub enum Row<'a> {
    /// In memory.
    Slice(&'a [f32]),
    /// In a row of a table.
    Of(&'a Trajectory, usize),
}

impl<'a> Row<'a> {
    /// The files of these weights: in the form in which they are saved where they come from, or
    /// one in the names of their layout. `stem` is what their names begin with.
    ///
    /// # Errors
    /// A bug when the layout is of other weights.
    pub fn files(
        self,
        stem: &str,
        layout: &'a Layout,
        saved: Option<&'a Saved>,
        metadata: Metadata,
    ) -> Result<WeightsFiles<'a>, Fault> {
        if let Some(saved) = saved {
            return saved.files(stem, layout, self, &metadata);
        }
        let format = ("format".to_owned(), "pt".to_owned());
        let metadata = std::iter::once(format).chain(metadata).collect();
        let make = move |take: &mut Take| {
            let tensors = layout.tensors.iter();
            let tensors = tensors.map(|it| (&it.name[..], "F32", &it.shape[..], 4 * it.len()));
            take(&header(tensors, &metadata))?;
            self.each(0..layout.len(), |weights| {
                let mut bytes = vec![0; 4 * weights.len()];
                write_singles(weights, &mut bytes);
                take(&bytes)
            })
        };
        Ok(vec![WeightsFile::new(format!("{stem}.safetensors"), make)])
    }

    /// Gives some of the weights to `take`, a few MiB at a time.
    ///
    /// # Errors
    /// Those of `take`, and those of reading the table.
    pub(super) fn each(
        self,
        columns: Range<usize>,
        mut take: impl FnMut(&[f32]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        const MOST: usize = 1 << 18;
        let mut start = columns.start;
        while start < columns.end {
            // Pieces that begin and end where the table is read without waste.
            let end = columns.end.min((start / MOST + 1) * MOST);
            let weights = match self {
                Self::Slice(weights) => Cow::Borrowed(&weights[start..end]),
                Self::Of(table, row) => Cow::Owned(table.read(&[row], start..end)?.values),
            };
            take(&weights)?;
            start = end;
        }
        Ok(())
    }
}

/// The head of a safetensors file of tensors: name, type, shape and number of bytes of each, in the order of their
/// bytes. The format allows any order; one order keeps bytes equal.
pub(super) fn header<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a str, &'a [usize], usize)>,
    metadata: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut end = 0;
    for (name, dtype, shape, bytes) in tensors {
        let start = end;
        end += bytes;
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        header.insert(name.to_owned(), entry);
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.append(&mut text);
    head
}
