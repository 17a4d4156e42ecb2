//! The graph of an experiment for people: statements as boxes, references as arrows.
//!
//! A call inside an argument is part of the statement that holds it, and the instances of a
//! statement at the points of a sweep are one box with `×N`.

mod layout;
mod picture;
mod svg;
#[cfg(test)]
pub(crate) mod tests;
mod text;

pub use svg::svg;
pub use text::{dot, mermaid};
