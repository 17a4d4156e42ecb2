//! What trajectories of files are made from.

pub(crate) mod again;
pub mod alike;
pub mod look;
pub mod run;
