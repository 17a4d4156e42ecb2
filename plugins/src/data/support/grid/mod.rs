//! Gridded variables of any format: what they are called, which dimensions they have, and parts
//! of their values. NetCDF-3, NetCDF-4 and Zarr each have a [`Source`] here.

mod classic;
mod codecs;
mod filters;
mod hdf5;
mod joined;
mod netcdf;
mod numbers;
#[cfg(test)]
mod tests;
mod unpacked;
mod variable;
mod zarr;

use std::ops::Range;
use std::sync::Arc;

use engine::error::Fault;

pub use joined::joined;
pub use netcdf::open as open_netcdf;
pub use numbers::Number;
pub use unpacked::Unpacked;
pub use variable::{Attribute, Dimension, Element, Variable, complete};
pub use zarr::open as open_zarr;

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

    /// How many cells along the first dimension of a variable are stored together; the whole of
    /// it where nothing says so.
    fn rows_together(&self, variable: &Variable) -> u64;
}

/// Values as a file has them, in the smallest type that holds them all.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Those of integers of 8 and 16 bits and of half and single precision.
    Single(Vec<f32>),
    /// Those of larger types.
    Double(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Makes room for more.
    pub fn reserve(&mut self, count: usize) {
        match self {
            Self::Single(values) => values.reserve_exact(count),
            Self::Double(values) => values.reserve_exact(count),
            Self::Texts(_) => {}
        }
    }

    /// Adds those of another part of the same variable.
    pub fn extend(&mut self, other: Self) {
        match (self, other) {
            (Self::Single(all), Self::Single(more)) => all.extend(more),
            (Self::Double(all), Self::Double(more)) => all.extend(more),
            (Self::Double(all), Self::Single(more)) => all.extend(more.into_iter().map(f64::from)),
            (Self::Texts(all), Self::Texts(more)) => all.extend(more),
            (all @ Self::Single(_), Self::Double(more)) => {
                let mut wide = all.doubles();
                wide.extend(more);
                *all = Self::Double(wide);
            }
            // Sources return one kind for one variable.
            (Self::Texts(_), _) | (_, Self::Texts(_)) => {}
        }
    }

    /// The numbers in double precision, to be shared; none of texts.
    pub fn shared(self) -> Arc<[f64]> {
        match self {
            Self::Single(values) => values.iter().copied().map(f64::from).collect(),
            Self::Double(values) => values.into(),
            Self::Texts(_) => Arc::default(),
        }
    }

    /// The numbers in double precision; none of texts.
    pub fn doubles(&self) -> Vec<f64> {
        match self {
            Self::Single(values) => values.iter().copied().map(f64::from).collect(),
            Self::Double(values) => values.clone(),
            Self::Texts(_) => Vec::new(),
        }
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

/// The whole of a variable.
pub fn whole(variable: &Variable) -> Vec<Range<u64>> {
    variable.dimensions.iter().map(|d| 0..d.size).collect()
}

/// How many cells a part has.
pub fn cells(part: &[Range<u64>]) -> u64 {
    let sizes = part.iter().map(|range| range.end - range.start);
    sizes.fold(1, u64::saturating_mul)
}
