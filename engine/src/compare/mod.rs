//! Runs side by side: what they were given, what came out, and how sure the differences are.

mod comparison;
mod student;
#[cfg(test)]
mod tests;
mod words;

pub use comparison::{
    Comparison, Difference, InputDifference, Method, RunHead, ScoreComparison, Side, compare,
};
pub use student::Interval;
pub use words::{letter, method, of, shown, signed};
