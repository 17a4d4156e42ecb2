//! Comparisons of runs: different inputs, scores, and confidence intervals of their differences.

mod comparison;
mod student;
#[cfg(test)]
mod tests;
mod words;

pub use comparison::{
    Comparison, InputDifference, Method, RunHead, ScoreComparison, ScoreDifference, Side, compare,
};
pub use student::Interval;
pub use words::{letter, method, of, shown, signed};
