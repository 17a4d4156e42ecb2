//! Safetensors files of any size and from anywhere: the header is checked, tensors are read
//! piece by piece.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

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
    /// The tensors of weights, in the order of their bytes.
    tensors: Vec<StoredTensor>,
    /// Where each is among them, by name.
    places: BTreeMap<String, usize>,
    /// The names of tensors of whole numbers and truths, which are no weights.
    pub others: Vec<String>,
}

/// Where the numbers of a tensor stand, and how.
#[derive(Clone, Debug, PartialEq)]
struct StoredTensor {
    tensor: Tensor,
    precision: Precision,
    start: u64,
}

/// How a weight is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of single precision.
    BF16,
}

/// A tensor as the header has it.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl TensorFile {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    /// The user's fault when it is not there, not safetensors, or holds weights that are not
    /// `F32`, `F16` or `BF16`.
    pub fn open(path: &Path, files: &Files) -> Result<Self, Fault> {
        Self::read_header(files.open(path)?)
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
        (reader.read_exact(&mut length)).map_err(|_| not("it is shorter than 8 bytes"))?;
        let length = u64::from_le_bytes(length);
        if length > size.saturating_sub(8) || length > LARGEST_HEADER {
            return Err(not(&format!("its header would have {length} bytes")));
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
            let entry: Entry = serde_json::from_value(value)
                .map_err(|_| not(&format!("tensor `{name}` lacks dtype, shape or offsets")))?;
            spans.push(entry.data_offsets);
            found.add(name, entry, 8 + length).map_err(bad)?;
        }
        // The format wants the data without overlap or gap; a header that breaks this lies.
        spans.sort_unstable();
        let end = spans.iter().try_fold(0, |end, [start, stop]| {
            (*start == end && stop >= start).then_some(*stop)
        });
        if end != Some(size - 8 - length) {
            return Err(not("the tensors do not fill it without gaps"));
        }
        found.tensors.sort_by_key(|stored| stored.start);
        let names = found
            .tensors
            .iter()
            .map(|stored| stored.tensor.name.clone());
        found.places = names.zip(0..).collect();
        Ok(found)
    }

    fn add(&mut self, name: String, entry: Entry, data: u64) -> Result<(), String> {
        let [start, end] = entry.data_offsets;
        let precision = match entry.dtype.as_str() {
            "F32" => Precision::F32,
            "F16" => Precision::F16,
            "BF16" => Precision::BF16,
            "BOOL" | "U8" | "I8" | "U16" | "I16" | "U32" | "I32" | "U64" | "I64" => {
                self.others.push(name);
                return Ok(());
            }
            other => {
                return Err(format!(
                    "tensor `{name}`: expected F32, F16 or BF16, found {other}"
                ));
            }
        };
        let count = (entry.shape.iter()).try_fold(1_u64, |count, size| count.checked_mul(*size));
        let bytes = count.and_then(|count| count.checked_mul(precision.bytes() as u64));
        if bytes.is_none() || bytes != end.checked_sub(start) {
            return Err(format!(
                "tensor `{name}`: shape {:?} does not fit its offsets {start} and {end}",
                entry.shape
            ));
        }
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
            precision,
            start,
        });
        Ok(())
    }

    /// The tensors of weights, in the order of their bytes.
    pub fn layout(&self) -> Layout {
        let tensors = self.tensors.iter().map(|stored| stored.tensor.clone());
        Layout {
            tensors: tensors.collect(),
        }
    }

    /// How its weights are stored, when all are stored alike.
    pub fn precision(&self) -> Option<Precision> {
        let first = self.tensors.first()?.precision;
        let alike = |stored: &StoredTensor| stored.precision == first;
        self.tensors.iter().all(alike).then_some(first)
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// That it has the tensors of a layout, in any order, and no others.
    ///
    /// # Errors
    /// Which one is missing, of another shape, or more than expected; the user's fault.
    pub fn expect(&self, layout: &Layout) -> Result<(), Fault> {
        for tensor in &layout.tensors {
            self.find(&tensor.name, &tensor.shape)?;
        }
        let expected = layout.tensors.iter().map(|tensor| &*tensor.name);
        let expected: BTreeSet<&str> = expected.collect();
        let more = self
            .tensors
            .iter()
            .find(|stored| !expected.contains(&*stored.tensor.name));
        match more {
            Some(more) => Err(self.bad(format!("tensor `{}` is not expected", more.tensor.name))),
            None => Ok(()),
        }
    }

    /// All numbers of the tensor with this name and shape.
    ///
    /// # Errors
    /// The user's fault when there is none, or it has another shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Fault> {
        let stored = self.find(name, shape)?;
        let mut bytes = vec![0; stored.tensor.len() * stored.precision.bytes()];
        self.read_stored(stored, 0, &mut bytes)?;
        Ok(stored.precision.decode(&bytes))
    }

    /// The shape of a tensor, when there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let stored = self.named(name);
        stored.map(|stored| &stored.tensor.shape[..])
    }

    /// Writes some of the weights of a network with this layout over `bytes`, as numbers of a
    /// precision: their own, or single.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor), and when one is not finite.
    pub fn read(
        &self,
        layout: &Layout,
        columns: &Range<usize>,
        precision: Precision,
        mut bytes: &mut [u8],
    ) -> Result<(), Fault> {
        for (tensor, range) in layout.ranges() {
            let start = columns.start.max(range.start);
            let end = columns.end.min(range.end);
            if start >= end {
                continue;
            }
            let stored = self.find(&tensor.name, &tensor.shape)?;
            let part = start - range.start..end - range.start;
            let too_few = || Fault::Bug(format!("too few bytes for columns {columns:?}"));
            let to = bytes.split_off_mut(..part.len() * precision.bytes());
            let to = to.ok_or_else(too_few)?;
            let are_finite = match precision {
                own if own == stored.precision => {
                    self.read_stored(stored, part.start, to)?;
                    own.are_finite(to)
                }
                Precision::F32 => {
                    let mut halves = vec![0; part.len() * stored.precision.bytes()];
                    self.read_stored(stored, part.start, &mut halves)?;
                    write_singles(&stored.precision.decode(&halves), to);
                    stored.precision.are_finite(&halves)
                }
                other => {
                    let what = format!("{:?} cannot be read as {other:?}", stored.precision);
                    return Err(Fault::Bug(what));
                }
            };
            if !are_finite {
                let name = &tensor.name;
                let what = format!("tensor `{name}` holds a number that is not finite");
                return Err(self.bad(what));
            }
        }
        Ok(())
    }

    fn named(&self, name: &str) -> Option<&StoredTensor> {
        self.tensors.get(*self.places.get(name)?)
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<&StoredTensor, Fault> {
        match self.named(name) {
            None => Err(self.bad(format!("tensor `{name}` is missing"))),
            Some(stored) if stored.tensor.shape != shape => Err(self.bad(format!(
                "tensor `{name}`: expected shape {shape:?}, found {:?}",
                stored.tensor.shape
            ))),
            Some(stored) => Ok(stored),
        }
    }

    /// Fills `bytes` with the numbers of a tensor from one on.
    fn read_stored(
        &self,
        stored: &StoredTensor,
        first: usize,
        bytes: &mut [u8],
    ) -> Result<(), Fault> {
        let start = stored.start + (first * stored.precision.bytes()) as u64;
        let read = self.file.read_at(start, bytes);
        read.map_err(|error| self.bad(format!("cannot be read: {error}")))
    }

    fn bad(&self, what: String) -> Fault {
        Fault::user(format!("`{}`: {what}", self.path().display()))
    }
}

impl Precision {
    /// How many bytes a number has.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F16 | Precision::BF16 => 2,
        }
    }

    /// The numbers that these bytes are.
    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let mut numbers = vec![0.0; bytes.len() / self.bytes()];
        self.decode_to(bytes, &mut numbers);
        numbers
    }

    /// Writes the numbers that these bytes are over others.
    pub(super) fn decode_to(self, bytes: &[u8], numbers: &mut [f32]) {
        match self {
            Precision::F32 => convert(bytes, numbers, f32::from_le_bytes),
            Precision::F16 => convert(bytes, numbers, |two| from_half(u16::from_le_bytes(two))),
            Precision::BF16 => convert(bytes, numbers, |[low, high]| {
                f32::from_le_bytes([0, 0, low, high])
            }),
        }
    }

    /// Whether none of the numbers that these bytes are is infinite or not a number.
    fn are_finite(self, bytes: &[u8]) -> bool {
        let is_full = |bits: u16, exponent: u16| bits & exponent == exponent;
        match self {
            Precision::F32 => none(bytes, |[_, _, low, high]| {
                is_full(u16::from_le_bytes([low, high]), 0x7f80)
            }),
            Precision::F16 => none(bytes, |two| is_full(u16::from_le_bytes(two), 0x7c00)),
            Precision::BF16 => none(bytes, |two| is_full(u16::from_le_bytes(two), 0x7f80)),
        }
    }
}

/// Whether no number is such; without a way out of the loop, so that it is compiled to vectors.
fn none<const N: usize>(bytes: &[u8], is_such: impl Fn([u8; N]) -> bool) -> bool {
    let numbers = bytes.as_chunks().0.iter();
    !numbers.fold(false, |any, number| any | is_such(*number))
}

fn convert<const N: usize>(bytes: &[u8], numbers: &mut [f32], number: impl Fn([u8; N]) -> f32) {
    for (to, from) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *to = number(*from);
    }
}

/// Writes numbers over bytes, in single precision.
fn write_singles(numbers: &[f32], bytes: &mut [u8]) {
    for (number, to) in numbers.iter().zip(bytes.as_chunks_mut().0) {
        *to = number.to_le_bytes();
    }
}

/// The number that IEEE 754 half precision stands for: 1 sign, 5 exponent, 10 fraction bits.
fn from_half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    if magnitude >= 0x7c00 << 13 {
        // Infinity or not a number: the exponent stays full.
        return f32::from_bits(sign | 0x7f80_0000 | magnitude);
    }
    // The exponents differ by 112; the product is exact and puts subnormal numbers right.
    let number = f32::from_bits(magnitude) * f32::from_bits((112 + 127) << 23);
    f32::from_bits(sign | number.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_are_found() {
        for bits in 0..=u16::MAX {
            let two = bits.to_le_bytes();
            for precision in [Precision::F16, Precision::BF16] {
                let number = precision.decode(&two)[0];
                let both = [[0, 0], two].concat();
                assert_eq!(
                    precision.are_finite(&both),
                    number.is_finite(),
                    "{bits:#06x}"
                );
            }
            let single = f32::from_bits(u32::from(bits) << 16);
            assert_eq!(Precision::BF16.decode(&two)[0].to_bits(), single.to_bits());
        }
        // The lower half of a single may be anything.
        let odd = f32::from_bits(0x3f80_7f80);
        for number in [
            1.0,
            f32::MAX,
            odd,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ] {
            let mut bytes = [0; 12];
            write_singles(&[f32::MIN_POSITIVE, -number, 0.0], &mut bytes);
            assert_eq!(
                Precision::F32.are_finite(&bytes),
                number.is_finite(),
                "{number}"
            );
        }
    }

    #[test]
    fn half_precision_is_what_ieee_754_says() {
        for bits in 0..=u16::MAX {
            let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
            let exponent = i32::from(bits >> 10 & 31);
            let fraction = f64::from(bits & 1023) / 1024.0;
            let expected: f64 = sign
                * match exponent {
                    0 => fraction * 2f64.powi(-14),
                    31 if fraction == 0.0 => f64::INFINITY,
                    31 => f64::NAN,
                    _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
                };
            let found = f64::from(from_half(bits));
            let same = found == expected || (found.is_nan() && expected.is_nan());
            assert!(same, "{bits:#06x}: {found} {expected}");
            assert_eq!(found.is_sign_negative(), bits & 0x8000 != 0);
        }
    }

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
                "not a safetensors file: the tensors do not fill it without gaps",
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
                "tensor `w`: expected F32, F16 or BF16, found F64",
            ),
        ] {
            assert_eq!(opened(&bytes).unwrap_err(), expected);
        }
    }
}
