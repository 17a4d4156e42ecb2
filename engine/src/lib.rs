//! From a checked experiment to artifacts, tables and a report; names no plugin.

pub mod artifact;
pub mod compare;
pub mod digest;
pub mod draw;
pub mod error;
pub mod graph;
pub mod headline;
pub mod key;
pub mod label;
pub mod lower;
pub mod metric;
pub mod names;
pub mod observer;
pub mod output;
pub mod outside;
pub mod params;
pub mod plan;
pub mod plugin;
pub mod record;
pub mod report;
pub mod run;
pub mod store;
pub mod streams;
mod svg;
pub mod sweep;
pub mod table;
pub mod why;
