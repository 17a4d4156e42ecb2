//! Safetensors files of any size and from anywhere: the header is checked, tensors are read
//! piece by piece.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Layout, Tensor};
use crate::error::Fault;

/// The largest header that is read; those of the largest published models have a few MiB.
const LARGEST_HEADER: u64 = 32 << 20;

/// A safetensors file whose header was read and found sound.
#[derive(Clone, Debug)]
pub struct TensorFile {
    path: PathBuf,
    /// What its header says beside the tensors.
    pub metadata: BTreeMap<String, String>,
    /// The tensors of weights, in the order of their bytes.
    tensors: Vec<StoredTensor>,
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
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let bad = |what: String| Fault::user(format!("`{}`: {what}", path.display()));
        let unreadable = |error: std::io::Error| bad(format!("cannot be read: {error}"));
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let mut length = [0; 8];
        let not = |what: &str| bad(format!("not a safetensors file: {what}"));
        (file.read_exact(&mut length)).map_err(|_| not("it is shorter than 8 bytes"))?;
        let length = u64::from_le_bytes(length);
        if length > size.saturating_sub(8) || length > LARGEST_HEADER {
            return Err(not(&format!("its header would have {length} bytes")));
        }
        let mut text = Vec::new();
        (file.take(length).read_to_end(&mut text)).map_err(unreadable)?;
        let header: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&text).map_err(|_| not("its header is not a JSON object"))?;
        let mut found = Self {
            path: path.to_owned(),
            metadata: BTreeMap::new(),
            tensors: Vec::new(),
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
        &self.path
    }

    /// That it has the tensors of a layout, in any order, and no others.
    ///
    /// # Errors
    /// Which one is missing, of another shape, or more than expected; the user's fault.
    pub fn expect(&self, layout: &Layout) -> Result<(), Fault> {
        for tensor in &layout.tensors {
            self.find(&tensor.name, &tensor.shape)?;
        }
        let more = self.tensors.iter().find(|stored| {
            let name = &stored.tensor.name;
            !layout.tensors.iter().any(|tensor| tensor.name == *name)
        });
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
        let mut numbers = Vec::new();
        self.read_stored(stored, 0..stored.tensor.len(), &mut numbers)?;
        Ok(numbers)
    }

    /// The shape of a tensor, when there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let stored = self
            .tensors
            .iter()
            .find(|stored| stored.tensor.name == name);
        stored.map(|stored| &stored.tensor.shape[..])
    }

    /// Adds some of the weights of a network with this layout to `weights`.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor).
    pub fn read(
        &self,
        layout: &Layout,
        columns: &Range<usize>,
        weights: &mut Vec<f32>,
    ) -> Result<(), Fault> {
        for (tensor, range) in layout.ranges() {
            let start = columns.start.max(range.start);
            let end = columns.end.min(range.end);
            if start < end {
                let stored = self.find(&tensor.name, &tensor.shape)?;
                self.read_stored(stored, start - range.start..end - range.start, weights)?;
            }
        }
        Ok(())
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<&StoredTensor, Fault> {
        let stored = self
            .tensors
            .iter()
            .find(|stored| stored.tensor.name == name);
        match stored {
            None => Err(self.bad(format!("tensor `{name}` is missing"))),
            Some(stored) if stored.tensor.shape != shape => Err(self.bad(format!(
                "tensor `{name}`: expected shape {shape:?}, found {:?}",
                stored.tensor.shape
            ))),
            Some(stored) => Ok(stored),
        }
    }

    fn read_stored(
        &self,
        stored: &StoredTensor,
        part: Range<usize>,
        numbers: &mut Vec<f32>,
    ) -> Result<(), Fault> {
        let size = stored.precision.bytes();
        let mut bytes = vec![0; part.len() * size];
        let start = stored.start + (part.start * size) as u64;
        let mut read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(|error| self.bad(format!("cannot be read: {error}")))?;
        stored.precision.decode(&bytes, numbers);
        Ok(())
    }

    fn bad(&self, what: String) -> Fault {
        Fault::user(format!("`{}`: {what}", self.path.display()))
    }
}

impl Precision {
    /// How many bytes a number has.
    pub(super) fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F16 | Precision::BF16 => 2,
        }
    }

    /// The bytes that these numbers are, exactly; none when one of them is not such a number.
    pub(super) fn encode(self, numbers: &[f32]) -> Option<Vec<u8>> {
        match self {
            Precision::F32 => {
                let mut bytes = Vec::with_capacity(size_of_val(numbers));
                for number in numbers {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                Some(bytes)
            }
            Precision::F16 => halves(numbers, to_half, from_half),
            Precision::BF16 => halves(numbers, |x| (x.to_bits() >> 16) as u16, from_upper_half),
        }
    }

    /// Adds the numbers that these bytes are, exactly.
    pub(super) fn decode(self, bytes: &[u8], numbers: &mut Vec<f32>) {
        let halves = bytes
            .as_chunks()
            .0
            .iter()
            .map(|two| u16::from_le_bytes(*two));
        match self {
            Precision::F32 => {
                let fours = bytes.as_chunks().0.iter();
                numbers.extend(fours.map(|four| f32::from_le_bytes(*four)));
            }
            Precision::F16 => numbers.extend(halves.map(from_half)),
            Precision::BF16 => numbers.extend(halves.map(from_upper_half)),
        }
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

/// The half precision that stands for this number, where one does.
fn to_half(number: f32) -> u16 {
    // The inverse of the product in `from_half`; what is infinite stays so.
    let magnitude = number.abs() * f32::from_bits((127 - 112) << 23);
    (magnitude.to_bits() >> 13) as u16 & 0x7fff | (number.to_bits() >> 16) as u16 & 0x8000
}

fn from_upper_half(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The bytes of numbers as halves; none when one does not come back to the bit.
fn halves(numbers: &[f32], to: impl Fn(f32) -> u16, from: impl Fn(u16) -> f32) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 2 * numbers.len()];
    // Without a way out of the loop, so that it is compiled to vectors.
    let mut exact = true;
    for (number, two) in numbers.iter().zip(bytes.as_chunks_mut().0) {
        let bits = to(*number);
        exact &= from(bits).to_bits() == number.to_bits();
        *two = bits.to_le_bytes();
    }
    exact.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_come_back_to_the_bit_and_others_are_told_apart() {
        for bits in 0..=u16::MAX {
            for precision in [Precision::F16, Precision::BF16] {
                let mut numbers = Vec::new();
                precision.decode(&bits.to_le_bytes(), &mut numbers);
                if numbers[0].is_finite() {
                    assert_eq!(
                        precision.encode(&numbers),
                        Some(bits.to_le_bytes().to_vec())
                    );
                }
            }
        }
        for other in [
            0.1,
            1.0 + f32::EPSILON,
            65_520.0,
            1e-8,
            1e30,
            f32::MIN_POSITIVE / 2.0,
        ] {
            assert_eq!(Precision::F16.encode(&[1.0, other]), None, "{other}");
        }
        assert_eq!(Precision::BF16.encode(&[0.1]), None);
        assert!(Precision::F32.encode(&[0.1]).is_some());
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
        TensorFile::open(&path).map_err(|fault| {
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
