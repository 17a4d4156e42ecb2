//! The codecs of a Zarr array, in both versions of the format.

use std::fmt::Display;

use serde_json::Value;

use super::super::codecs::{self, Refused};
use super::super::numbers::Order;

/// What turns the bytes of a chunk into its values, in the order of encoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// How the dimensions are ordered in the bytes; none as they are.
    pub transposed: Option<Vec<usize>>,
    /// How numbers become bytes.
    pub values: Form,
    /// What was done to the bytes.
    pub bytes: Vec<Codec>,
}

/// How bytes encode values.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Numbers one after the other.
    Numbers(Order),
    /// Texts after their lengths.
    Texts,
    /// Smaller chunks with an index.
    Shards(Box<Shards>),
}

/// Chunks inside a chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Shards {
    /// The shape of an inner chunk.
    pub chunk: Vec<u64>,
    /// How one is encoded.
    pub inner: Pipeline,
    /// How the index is encoded.
    pub index: Pipeline,
    /// Whether the index stands before the chunks.
    pub is_index_first: bool,
}

/// A codec from bytes to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Zstd,
    Gzip,
    Zlib,
    Bzip2,
    Lz4,
    Blosc,
    Crc32c,
    Adler32,
    Crc32,
    /// Of numbers of this many bytes.
    Shuffle(usize),
}

impl Codec {
    /// The codec of a name, such as `zstd` or `numcodecs.zstd`.
    fn of(name: &str, configuration: &Value, bytes: usize) -> Option<Self> {
        let name = name.strip_prefix("numcodecs.").unwrap_or(name);
        let size = configuration.get("elementsize").and_then(Value::as_u64);
        Some(match name {
            "zstd" => Self::Zstd,
            "gzip" => Self::Gzip,
            "zlib" => Self::Zlib,
            "bz2" => Self::Bzip2,
            "lz4" => Self::Lz4,
            "blosc" => Self::Blosc,
            "crc32c" => Self::Crc32c,
            "adler32" => Self::Adler32,
            "crc32" => Self::Crc32,
            "shuffle" => Self::Shuffle(size.map_or(bytes, |size| size as usize).max(1)),
            _ => return None,
        })
    }

    fn undo(self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
        match self {
            Self::Zstd => codecs::zstd(bytes, limit),
            Self::Gzip => codecs::gzip(bytes, limit),
            Self::Zlib => codecs::zlib(bytes, limit),
            Self::Bzip2 => codecs::bzip2(bytes, limit),
            Self::Lz4 => codecs::lz4(bytes, limit),
            Self::Blosc => codecs::blosc(bytes, limit),
            Self::Crc32c => match bytes.split_last_chunk() {
                Some((plain, sum)) => verified(plain, *sum, codecs::crc32c(plain)),
                None => Err(Refused("it has no checksum".to_owned())),
            },
            Self::Adler32 => match bytes.split_first_chunk() {
                Some((sum, plain)) => verified(plain, *sum, codecs::adler32(plain)),
                None => Err(Refused("it has no checksum".to_owned())),
            },
            Self::Crc32 => match bytes.split_first_chunk() {
                Some((sum, plain)) => {
                    let mut crc = flate2::Crc::new();
                    crc.update(plain);
                    verified(plain, *sum, crc.sum())
                }
                None => Err(Refused("it has no checksum".to_owned())),
            },
            Self::Shuffle(size) => {
                let mut out = vec![0; bytes.len()];
                codecs::unshuffle(bytes, size, &mut out);
                Ok(out)
            }
        }
    }
}

fn verified(bytes: &[u8], expected: [u8; 4], found: u32) -> Result<Vec<u8>, Refused> {
    match u32::from_le_bytes(expected) == found {
        true => Ok(bytes.to_vec()),
        false => Err(Refused("its checksum is wrong".to_owned())),
    }
}

impl Pipeline {
    /// That of version 2: `filters`, then a `compressor`.
    ///
    /// # Errors
    /// What is not supported, in words.
    pub fn of_v2(array: &Value, bytes: usize, order: Order) -> Result<Self, String> {
        let none = Value::Null;
        let filters = array.get("filters").and_then(Value::as_array);
        let compressor = array.get("compressor").filter(|it| !it.is_null());
        let mut pipeline = Self {
            transposed: None,
            values: Form::Numbers(order),
            bytes: Vec::new(),
        };
        if array.get("order").and_then(Value::as_str) == Some("F") {
            let rank = array
                .get("shape")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            pipeline.transposed = Some((0..rank).rev().collect());
        }
        for filter in filters.into_iter().flatten().chain(compressor) {
            let name = filter.get("id").and_then(Value::as_str).unwrap_or_default();
            match name {
                "vlen-utf8" => pipeline.values = Form::Texts,
                // They round when written; what is read needs nothing.
                "bitround" | "quantize" if is_same_type(filter) => {}
                _ => match Codec::of(name, filter, bytes) {
                    Some(codec) => pipeline.bytes.push(codec),
                    None => return Err(unsupported(name, &none)),
                },
            }
        }
        Ok(pipeline)
    }

    /// That of version 3: `codecs`.
    ///
    /// # Errors
    /// What is not supported, in words.
    pub fn of_v3(codecs: &Value, bytes: usize) -> Result<Self, String> {
        let mut pipeline = Self {
            transposed: None,
            values: Form::Numbers(Order::Little),
            bytes: Vec::new(),
        };
        for codec in codecs.as_array().into_iter().flatten() {
            let name = codec.get("name").or(Some(codec)).and_then(Value::as_str);
            let name = name.unwrap_or_default();
            let none = Value::Null;
            let configuration = codec.get("configuration").unwrap_or(&none);
            match name {
                "transpose" if pipeline.transposed.is_none() => {
                    let order = numbers(configuration.get("order"));
                    let order = order.ok_or_else(|| unsupported(name, configuration))?;
                    pipeline.transposed = Some(order.iter().map(|at| *at as usize).collect());
                }
                "bytes" => {
                    let endian = configuration.get("endian").and_then(Value::as_str);
                    pipeline.values = Form::Numbers(match endian {
                        Some("big") => Order::Big,
                        _ => Order::Little,
                    });
                }
                "vlen-utf8" | "numcodecs.vlen-utf8" => pipeline.values = Form::Texts,
                "numcodecs.bitround" => {}
                "numcodecs.quantize" if is_same_type(configuration) => {}
                "sharding_indexed" => {
                    pipeline.values = Form::Shards(Box::new(Shards::of(configuration, bytes)?));
                }
                _ => match Codec::of(name, configuration, bytes) {
                    Some(codec) => pipeline.bytes.push(codec),
                    None => return Err(unsupported(name, configuration)),
                },
            }
        }
        Ok(pipeline)
    }

    /// The bytes of values, of which there are `expected` (more only of texts and shards).
    ///
    /// # Errors
    /// When they are damaged or too many.
    pub fn undo(&self, mut bytes: Vec<u8>, expected: usize) -> Result<Vec<u8>, Refused> {
        // What is compressed again, or has an index beside it, is a little longer.
        let limit = expected
            .saturating_add(expected / 8)
            .saturating_add(1 << 16);
        for codec in self.bytes.iter().rev() {
            bytes = codec.undo(&bytes, limit)?;
        }
        Ok(bytes)
    }
}

impl Shards {
    fn of(configuration: &Value, bytes: usize) -> Result<Self, String> {
        let damaged = || unsupported("sharding_indexed", configuration);
        let chunk = numbers(configuration.get("chunk_shape")).ok_or_else(damaged)?;
        let codecs = configuration.get("codecs").ok_or_else(damaged)?;
        let index = configuration.get("index_codecs").ok_or_else(damaged)?;
        let place = configuration.get("index_location").and_then(Value::as_str);
        Ok(Self {
            chunk,
            inner: Pipeline::of_v3(codecs, bytes)?,
            index: Pipeline::of_v3(index, 8)?,
            is_index_first: place == Some("start"),
        })
    }

    /// How many bytes the index of this many chunks has.
    pub fn index_size(&self, chunks: usize) -> usize {
        let sums = self.index.bytes.iter();
        let sums = sums.filter(|codec| matches!(codec, Codec::Crc32c)).count();
        16 * chunks + 4 * sums
    }
}

/// The numbers of a list of whole numbers that are not negative.
pub fn numbers(value: Option<&Value>) -> Option<Vec<u64>> {
    value?.as_array()?.iter().map(Value::as_u64).collect()
}

fn is_same_type(filter: &Value) -> bool {
    let astype = filter.get("astype");
    astype.is_none() || astype == filter.get("dtype")
}

fn unsupported(name: &str, _: &dyn Display) -> String {
    match name.is_empty() {
        true => "encoded in a way that is not supported".to_owned(),
        false => format!("encoded by `{name}`, which is not supported"),
    }
}
