//! Gridded variables of any format: what they are called, which dimensions they have, and parts
//! of their values. NetCDF-3, NetCDF-4 and Zarr each have a [`Source`] here.

mod classic;
mod codecs;
mod filters;
mod hdf5;
mod joined;
mod netcdf;
mod numbers;
mod small_reads;
#[cfg(test)]
mod tests;
mod unpacked;
mod variable;
mod zarr;

use std::ops::Range;

use engine::error::Fault;
use ndarray::ArrayD;

pub use joined::joined;
pub use netcdf::open as open_netcdf;
pub use numbers::{Number, Values};
pub use unpacked::Unpacked;
pub use variable::{Attribute, Dimension, Element, Variable, complete};
pub use zarr::open as open_zarr;

/// A chunk has no more bytes when it is decoded.
const LARGEST_CHUNK: u64 = 1 << 31;

/// That a variable is not read where its chunks are too large.
fn refuse_large_chunks(variable: &mut Variable, bytes: u64) {
    if bytes > LARGEST_CHUNK {
        let told = format!("in chunks of {bytes} bytes, more than {LARGEST_CHUNK}");
        variable.element = Element::Unread(told);
    }
}

/// An open file or store with gridded variables.
pub trait Source: Send + Sync {
    /// All variables, also those that cannot be read.
    fn variables(&self) -> &[Variable];

    /// The values of a part of one of its variables, a range along each of its dimensions, the
    /// last dimension fastest.
    ///
    /// # Errors
    /// The user's fault when the file is damaged.
    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault>;

    /// How many cells along a dimension of a variable, by its place, are stored together; 1 where
    /// nothing says so.
    fn together(&self, variable: &Variable, dimension: usize) -> u64;

    /// Whether the values of a variable are numbers in 32 bits.
    fn is_single(&self, _variable: &Variable) -> bool {
        false
    }
}

/// Of all values of a variable those of a part.
fn chosen(all: &[String], shape: &[Dimension], part: &[Range<u64>]) -> Vec<String> {
    let mut places = vec![0_usize];
    for (dimension, range) in shape.iter().zip(part) {
        let within = |base: &usize| {
            let base = *base * dimension.size as usize;
            range.clone().map(move |at| base + at as usize)
        };
        places = places.iter().flat_map(within).collect();
    }
    let text = |at: usize| all.get(at).cloned().unwrap_or_default();
    places.into_iter().map(text).collect()
}

/// The numbers of an array, the last dimension fastest. To walk over dimensions takes longer than to
/// decompress them, so they are taken as they lie where that is the order.
fn in_order<T>(array: ArrayD<T>) -> Vec<T> {
    if !array.is_standard_layout() {
        return array.into_iter().collect();
    }
    let count = array.len();
    let (mut all, start) = array.into_raw_vec_and_offset();
    let start = start.unwrap_or_default();
    all.truncate(start + count);
    all.drain(..start);
    all
}

/// The whole of a variable.
pub fn whole(variable: &Variable) -> Vec<Range<u64>> {
    variable.dimensions.iter().map(|d| 0..d.size).collect()
}

/// How many cells a part has.
pub fn cells(part: &[Range<u64>]) -> u64 {
    let sizes = part.iter().map(|range| range.end - range.start);
    sizes.fold(1, u64::saturating_mul)
}
