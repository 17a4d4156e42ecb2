//! Filters of HDF5 beside those that `hdf5-reader` has, by their registered numbers
//! (<https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md>).

use hdf5_reader::FilterRegistry;
use hdf5_reader::error::Error;

use super::codecs::{self, Refused};

/// A chunk is not larger than this.
const LARGEST_CHUNK: usize = 1 << 30;

const BUILT_IN: [u16; 7] = [1, 2, 3, 4, 5, 6, 32_004];

type CodecFn = fn(&[u8], usize) -> Result<Vec<u8>, Refused>;

const CODECS: [(u16, CodecFn); 4] = [
    (307, codecs::bzip2),
    (32_000, codecs::lzf),
    (32_001, codecs::blosc),
    (32_015, codecs::zstd),
];

/// All filters that are read.
pub fn registry() -> FilterRegistry {
    let mut registry = FilterRegistry::new();
    for (id, codec) in CODECS {
        let decode = move |bytes: &[u8]| {
            let plain = codec(bytes, LARGEST_CHUNK);
            plain.map_err(|reason| Error::DecompressionError(reason.to_string()))
        };
        registry.register(id, Box::new(move |_, bytes, _| decode(bytes)));
    }
    registry
}

/// The name of a filter that is not read.
pub fn unknown(id: u16, name: Option<&str>) -> Option<String> {
    if BUILT_IN.contains(&id) || CODECS.iter().any(|(known, _)| *known == id) {
        return None;
    }
    let known = match id {
        305 => "LZO",
        32_003 => "Snappy",
        32_008 => "bitshuffle",
        32_013 => "ZFP",
        32_017 => "SZ",
        32_019 => "JPEG",
        32_022 => "Granular BitRound",
        32_024 => "SZ3",
        32_026 => "Blosc2",
        _ => name.unwrap_or_default(),
    };
    Some(match known.is_empty() {
        true => format!("filter {id}"),
        false => format!("{known} (filter {id})"),
    })
}
