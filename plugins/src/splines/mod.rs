//! Natural cubic splines, and what their roughness costs: for regressions of weights on
//! predictors and for parents.

mod curve;
mod penalty;

pub use curve::{Curve, cardinal, knots};
pub(crate) use penalty::{Penalty, Seen, Strength, chosen_words};
