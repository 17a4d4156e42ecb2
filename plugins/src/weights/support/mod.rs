//! What the plugins over weights share: rows and their coordinates, streams over blocks, facts.

pub(crate) mod activations;
pub(crate) mod assignment;
pub(crate) mod chosen;
pub(crate) mod facts;
pub(crate) mod flow;
pub(crate) mod lines;
pub(crate) mod outputs;
pub(crate) mod population;
pub(crate) mod power;
pub(crate) mod rows;
pub(crate) mod scope;
pub(crate) mod seen;
pub(crate) mod stream;
pub(crate) mod symmetry;
pub(crate) mod symmetry_file;
#[cfg(test)]
pub(crate) mod testing;
