//! The farcast language: text in, checked experiment out. No IO, no polars, no dfdx.

// Named by the parser that pest derives.
extern crate alloc;

pub mod ast;
pub mod by_name;
pub mod calendar;
pub mod check;
pub mod column;
pub mod diagnostic;
pub mod experiment;
pub mod facts;
mod foreign;
pub mod format;
pub mod groups;
pub mod in_common;
pub mod name;
mod nearest;
pub mod parse;
pub mod render;
pub mod signature;
pub mod source;
pub mod sweep;
pub mod types;
pub mod units;

pub use nearest::nearest;
