//! Comparisons of runs: different inputs, scores, and confidence intervals of their differences.

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
