//! What trajectories of files are made from.

pub mod alike;
pub mod look;
pub mod run;
