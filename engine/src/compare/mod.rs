//! Comparisons of runs: different inputs, scores, and confidence intervals of their differences.

mod comparison;
#[cfg(test)]
mod tests;
mod words;

pub use comparison::{
    Comparison, InputDifference, Method, RunHead, ScoreComparison, ScoreDifference, Side, compare,
};
pub use words::{letter, method, of, shown, signed};
