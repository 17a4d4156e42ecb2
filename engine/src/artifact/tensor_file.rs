//! Safetensors files of any size and from anywhere: the header is checked, tensors are read
//! piece by piece.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::other_format::other_format;
use super::precision::{Precision, write_doubles, write_singles};
use super::{Layout, Tensor};
use crate::error::Fault;
use crate::files::{DataFile, Files};

/// The largest header that is read; those of the largest published models have a few MiB.
const LARGEST_HEADER: u64 = 32 << 20;

/// A safetensors file whose header was read and found sound.
#[derive(Clone, Debug)]
pub struct TensorFile {
    file: DataFile,
    /// What its header says beside the tensors.
    pub metadata: BTreeMap<String, String>,
    /// All tensors, in the order of their bytes.
    tensors: Vec<StoredTensor>,
    /// Where each is among them, by name.
    places: BTreeMap<String, usize>,
    /// The names of tensors of whole numbers and truths, which are not weights.
    pub others: Vec<String>,
}

/// Where the numbers of a tensor stand, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor {
    /// Its name and shape.
    pub tensor: Tensor,
    /// The type of its numbers as the format names it, such as `BF16`.
    pub dtype: String,
    /// How many bytes it has.
    pub bytes: u64,
    start: u64,
}

impl StoredTensor {
    /// At which byte of the file they begin.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// How its numbers are stored, when they can be weights.
    pub fn precision(&self) -> Option<Precision> {
        Precision::of_dtype(&self.dtype)
    }
}

/// A tensor as the header has it.
#[derive(Deserialize)]
struct HeaderEntry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl TensorFile {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    /// The user's fault when it is not there, or not a whole safetensors file.
    pub fn open(path: &Path, files: &Files) -> Result<Self, Fault> {
        Self::read_header(files.open(path)?)
    }

    /// How many bytes reading the header of a file takes, at most.
    pub fn header_bytes(file: &DataFile) -> u64 {
        let mut length = [0; 8];
        match file.read_at(0, &mut length) {
            Ok(()) => u64::from_le_bytes(length)
                .min(file.size())
                .min(LARGEST_HEADER),
            Err(_) => 0,
        }
    }

    /// Checks the header of a file that is open.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read_header(file: DataFile) -> Result<Self, Fault> {
        let path = file.path().to_owned();
        let bad = |what: String| Fault::user(format!("`{}`: {what}", path.display()));
        let unreadable = |error: std::io::Error| bad(format!("cannot be read: {error}"));
        let (size, mut reader) = (file.size(), file.reader());
        let mut length = [0; 8];
        let not = |what: &str| bad(format!("not a safetensors file: {what}"));
        if !begins_as_tensors(&file)
            && let Some((what, hint)) = other_format(&file)
        {
            return Err(bad(format!("expected safetensors, found {what}")).with_hint(hint));
        }
        (reader.read_exact(&mut length)).map_err(|_| not("it is shorter than 8 bytes"))?;
        let length = u64::from_le_bytes(length);
        if length > LARGEST_HEADER {
            return Err(not(&format!("its header would have {length} bytes")));
        }
        let cut = |wanted: u64| {
            let what = format!("cut short: it has {size} bytes, its header wants {wanted}");
            bad(what).with_hint("copy or download it again")
        };
        if length > size.saturating_sub(8) {
            return Err(cut(length.saturating_add(8)));
        }
        let mut text = Vec::new();
        (reader.take(length).read_to_end(&mut text)).map_err(unreadable)?;
        let header: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&text).map_err(|_| not("its header is not a JSON object"))?;
        let mut found = Self {
            file,
            metadata: BTreeMap::new(),
            tensors: Vec::new(),
            places: BTreeMap::new(),
            others: Vec::new(),
        };
        let mut spans = Vec::new();
        for (name, value) in header {
            if name == "__metadata__" {
                found.metadata = serde_json::from_value(value)
                    .map_err(|_| not("its metadata are not texts by name"))?;
                continue;
            }
            let entry: HeaderEntry = serde_json::from_value(value)
                .map_err(|_| not(&format!("tensor `{name}` lacks dtype, shape or offsets")))?;
            spans.push(entry.data_offsets);
            found.add(name, entry, 8 + length).map_err(bad)?;
        }
        // The format wants the data without overlap or gap; a header that breaks this lies.
        spans.sort_unstable();
        let end = spans.iter().try_fold(0, |end, [start, stop]| {
            (*start == end && stop >= start).then_some(*stop)
        });
        match end {
            Some(end) if end == size - 8 - length => {}
            Some(end) if end > size - 8 - length => {
                return Err(cut(end.saturating_add(8 + length)));
            }
            _ => return Err(not("the tensors do not fill it without gaps")),
        }
        found.tensors.sort_by_key(|stored| stored.start);
        let names = found
            .tensors
            .iter()
            .map(|stored| stored.tensor.name.clone());
        found.places = names.zip(0..).collect();
        let others = found.tensors.iter().filter(|it| it.precision().is_none());
        found.others = others.map(|stored| stored.tensor.name.clone()).collect();
        Ok(found)
    }

    fn add(&mut self, name: String, entry: HeaderEntry, data: u64) -> Result<(), String> {
        let [start, end] = entry.data_offsets;
        let Some(size) = bytes_of(&entry.dtype) else {
            let found = &entry.dtype;
            return Err(format!(
                "tensor `{}`: numbers of the type `{}` are not known",
                shown(&name),
                shown(found)
            ));
        };
        let count = (entry.shape.iter()).try_fold(1_u64, |count, size| count.checked_mul(*size));
        let bytes = count.and_then(|count| count.checked_mul(size));
        let Some(bytes) = bytes.filter(|bytes| Some(*bytes) == end.checked_sub(start)) else {
            return Err(format!(
                "tensor `{}`: shape {:?} does not fit its offsets {start} and {end}",
                shown(&name),
                entry.shape
            ));
        };
        let shape = entry.shape.iter().map(|size| usize::try_from(*size));
        let tensor = Tensor {
            shape: shape
                .collect::<Result<_, _>>()
                .map_err(|error| error.to_string())?,
            name,
        };
        let start = data.saturating_add(start);
        self.tensors.push(StoredTensor {
            tensor,
            dtype: entry.dtype,
            bytes,
            start,
        });
        Ok(())
    }

    /// All tensors, in the order of their bytes.
    pub fn tensors(&self) -> &[StoredTensor] {
        &self.tensors
    }

    /// Fills `bytes` with those of a tensor, from one of them on, as they are stored.
    ///
    /// # Errors
    /// The user's fault when there is no such tensor, or the machine does not read it.
    pub fn read_bytes(&self, name: &str, first: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        let stored = self.named(name).ok_or_else(|| self.missing(name))?;
        let read = self.file.read_at(stored.start.saturating_add(first), bytes);
        read.map_err(|error| self.bad(format!("cannot be read: {error}")))
    }

    /// The tensors of weights, in the order of their bytes.
    pub fn layout(&self) -> Layout {
        let weights = self.tensors.iter().filter(|it| it.precision().is_some());
        Layout {
            tensors: weights.map(|stored| stored.tensor.clone()).collect(),
        }
    }

    /// How its weights are stored, when all are stored alike.
    pub fn precision(&self) -> Option<Precision> {
        let mut precisions = self.tensors.iter().filter_map(StoredTensor::precision);
        let first = precisions.next()?;
        precisions.all(|other| other == first).then_some(first)
    }

    /// That it has the tensors of a layout, in any order, and no other weights.
    ///
    /// # Errors
    /// Which one is missing, of another shape, or more than expected; the user's fault.
    pub fn expect(&self, layout: &Layout) -> Result<(), Fault> {
        for tensor in &layout.tensors {
            self.find(&tensor.name, &tensor.shape)?;
        }
        let expected: BTreeSet<&str> = layout.tensors.iter().map(|it| &*it.name).collect();
        let mut weights = self.tensors.iter().filter(|it| it.precision().is_some());
        match weights.find(|stored| !expected.contains(&*stored.tensor.name)) {
            Some(more) => {
                let name = shown(&more.tensor.name);
                Err(self.bad(format!("tensor `{name}` is not expected")))
            }
            None => Ok(()),
        }
    }

    /// Writes some of the weights of a network with this layout over `bytes`, as numbers of a
    /// precision: their own, or one that holds them all.
    ///
    /// # Errors
    /// As [`read_part`](Self::read_part).
    pub fn read(
        &self,
        layout: &Layout,
        columns: &Range<usize>,
        precision: Precision,
        bytes: &mut [u8],
    ) -> Result<(), Fault> {
        layout.read_parts(columns, precision, bytes, |tensor, part, to| {
            self.read_part(tensor, part, precision, to)
        })
    }

    /// The file.
    pub fn data_file(&self) -> &DataFile {
        &self.file
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// All numbers of the tensor with this name and shape.
    ///
    /// # Errors
    /// The user's fault when there is none, or it has another shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Fault> {
        let (stored, precision) = self.find(name, shape)?;
        let mut bytes = vec![0; stored.tensor.len() * precision.bytes()];
        self.read_stored(stored, 0, &mut bytes)?;
        Ok(precision.decode(&bytes))
    }

    /// The shape of a tensor, when there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let stored = self.named(name);
        stored.map(|stored| &stored.tensor.shape[..])
    }

    /// Writes some numbers of a tensor over `bytes`, as numbers of a precision: their own, or one
    /// that holds them all.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor), and when one is not finite.
    pub fn read_part(
        &self,
        tensor: &Tensor,
        part: Range<usize>,
        precision: Precision,
        to: &mut [u8],
    ) -> Result<(), Fault> {
        let (stored, own) = self.find(&tensor.name, &tensor.shape)?;
        let are_finite = if own == precision {
            let start = part.start * own.bytes();
            self.read_bytes(&tensor.name, start as u64, to)?;
            own.are_finite(to)
        } else {
            let mut bytes = vec![0; part.len() * own.bytes()];
            self.read_stored(stored, part.start * own.bytes(), &mut bytes)?;
            match precision {
                Precision::F32 => write_singles(&own.decode(&bytes), to),
                Precision::F64 => write_doubles(&own.decode(&bytes), to),
                other => {
                    let what = format!("{own:?} cannot be read as {other:?}");
                    return Err(Fault::Bug(what));
                }
            }
            own.are_finite(&bytes)
        };
        match are_finite {
            true => Ok(()),
            false => Err(self
                .bad(format!(
                    "tensor `{}` holds a number that is not finite{}",
                    shown(&tensor.name),
                    match own {
                        Precision::F64 => " in single precision",
                        _ => "",
                    }
                ))
                .with_hint("a training that diverged: leave out this file, and those after it")),
        }
    }

    /// The tensor of a name, of whatever type.
    pub fn find_stored(&self, name: &str) -> Option<&StoredTensor> {
        self.named(name)
    }

    fn named(&self, name: &str) -> Option<&StoredTensor> {
        self.tensors.get(*self.places.get(name)?)
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<(&StoredTensor, Precision), Fault> {
        let name_shown = shown(name);
        let stored = self.named(name).ok_or_else(|| self.missing(name))?;
        if stored.tensor.shape != shape {
            return Err(self.bad(format!(
                "tensor `{name_shown}`: expected shape {shape:?}, found {:?}",
                stored.tensor.shape
            )));
        }
        let precision = stored.precision().ok_or_else(|| {
            self.bad(format!(
                "tensor `{name_shown}`: expected F64, F32, F16 or BF16, found {}",
                stored.dtype
            ))
        })?;
        Ok((stored, precision))
    }

    /// Fills `bytes` with those of a tensor from one on.
    fn read_stored(
        &self,
        stored: &StoredTensor,
        first: usize,
        bytes: &mut [u8],
    ) -> Result<(), Fault> {
        self.read_bytes(&stored.tensor.name, first as u64, bytes)
    }

    fn missing(&self, name: &str) -> Fault {
        self.bad(format!("tensor `{}` is missing", shown(name)))
    }

    fn bad(&self, what: String) -> Fault {
        Fault::user(format!("`{}`: {what}", self.path().display()))
    }
}

/// Whether a file begins with the length of a header and a JSON object. The length alone may be
/// the first bytes of another format: that of 640 bytes is those of a pickle.
fn begins_as_tensors(file: &DataFile) -> bool {
    let mut start = [0; 9];
    if file.read_at(0, &mut start).is_err() {
        return false;
    }
    let [length @ .., first] = start;
    u64::from_le_bytes(length) <= LARGEST_HEADER && first == b'{'
}

/// How many bytes a number of a type has.
fn bytes_of(dtype: &str) -> Option<u64> {
    match dtype {
        "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => Some(1),
        "U16" | "I16" | "F16" | "BF16" => Some(2),
        "U32" | "I32" | "F32" => Some(4),
        "U64" | "I64" | "F64" | "C64" => Some(8),
        _ => None,
    }
}

/// A name of whatever length and content, for a message.
pub fn shown(name: &str) -> String {
    const LONGEST: usize = 120;
    let mut text: String = name.chars().take(LONGEST).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    let is_plain = |c: char| !c.is_control();
    match text.chars().all(is_plain) {
        true => text,
        false => text.escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn opened(bytes: &[u8]) -> Result<TensorFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        std::fs::write(&path, bytes).unwrap();
        TensorFile::open(&path, &Files::unchecked()).map_err(|fault| {
            let shown = format!("`{}`: ", path.display());
            fault.to_string().replace(&shown, "")
        })
    }

    #[test]
    fn a_header_may_have_as_many_bytes_as_another_format_begins_with() {
        let one = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        // A pickle, JSON and gzip begin with these bytes.
        for length in [0x280, 0x480, 0x27b, 0x8b1f] {
            assert!(opened(&file(&format!("{one:length$}"), 8)).is_ok());
        }
    }

    #[test]
    fn hostile_headers_are_refused() {
        let one = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        assert!(opened(&file(one, 8)).is_ok());
        let huge = [u64::MAX.to_le_bytes(), [0; 8]].concat();
        let edit = |from: &str, to: &str| file(&one.replace(from, to), 8);
        for (bytes, expected) in [
            (
                vec![1, 2],
                "not a safetensors file: it is shorter than 8 bytes",
            ),
            (
                huge,
                "not a safetensors file: its header would have 18446744073709551615 bytes",
            ),
            (
                file("[1]", 0),
                "not a safetensors file: its header is not a JSON object",
            ),
            (
                file(&"[".repeat(100_000), 0),
                "not a safetensors file: its header is not a JSON object",
            ),
            (
                file(r#"{"w":1}"#, 0),
                "not a safetensors file: tensor `w` lacks dtype, shape or offsets",
            ),
            (
                file(r#"{"__metadata__":{"a":1}}"#, 0),
                "not a safetensors file: its metadata are not texts by name",
            ),
            (
                file(one, 7),
                "cut short: it has 69 bytes, its header wants 70",
            ),
            (
                file(one, 9),
                "not a safetensors file: the tensors do not fill it without gaps",
            ),
            (
                edit("[0,8]", "[8,0]"),
                "tensor `w`: shape [2] does not fit its offsets 8 and 0",
            ),
            (
                edit("[0,8]", "[4,12]"),
                "not a safetensors file: the tensors do not fill it without gaps",
            ),
            (
                edit("[2]", "[3]"),
                "tensor `w`: shape [3] does not fit its offsets 0 and 8",
            ),
            (
                edit("[2]", "[9223372036854775808,2]"),
                "tensor `w`: shape [9223372036854775808, 2] does not fit its offsets 0 and 8",
            ),
            (
                edit("F32", "F64"),
                "tensor `w`: shape [2] does not fit its offsets 0 and 8",
            ),
            (
                edit("F32", "F99"),
                "tensor `w`: numbers of the type `F99` are not known",
            ),
        ] {
            assert_eq!(opened(&bytes).unwrap_err(), expected);
        }
    }
}
