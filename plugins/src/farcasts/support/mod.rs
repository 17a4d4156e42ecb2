//! What the farcasters share.

pub(crate) mod adam;
mod deviations;
pub(crate) mod examine;
pub(crate) mod foreign;
pub(crate) mod linear_map;
pub(crate) mod moments;
pub(crate) mod nets;
pub(crate) mod objective;
pub(crate) mod plateau;
pub(crate) mod recurrent;
pub(crate) mod runs;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod window;
