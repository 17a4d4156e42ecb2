//! What trajectories of files are made from.

pub mod alike;
pub mod run;
