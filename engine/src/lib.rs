//! From a checked experiment to artifacts, tables and a report; names no plugin.

pub mod artifact;
pub mod digest;
pub mod error;
pub mod params;
pub mod plugin;
pub mod store;
