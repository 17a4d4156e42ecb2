//! What the regressions share.

pub(crate) mod basis;
pub(crate) mod classes;
pub(crate) mod components;
pub(crate) mod design;
#[cfg(test)]
pub(crate) mod edge_alone;
pub(crate) mod evidence;
pub(crate) mod fit;
pub(crate) mod foreign;
pub(crate) mod grams;
pub(crate) mod held_out;
pub(crate) mod moments;
pub(crate) mod packed;
pub(crate) mod rows;
pub(crate) mod sample;
pub(crate) mod shared;
pub(crate) mod strips;
pub(crate) mod sums;
pub(crate) mod tiles;
