//! The plugins farcast ships, registered in one list.

pub mod anomalies;
pub mod children;
mod complete;
pub mod data;
pub mod parents;
pub mod predictors;
pub mod regressions;
pub mod reports;
pub mod scores;
pub mod subsets;
pub mod training;
