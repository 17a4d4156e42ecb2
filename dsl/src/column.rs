//! Expressions over columns, checked: names resolved, units converted, types known.
//!
//! One list holds every function: its name, what it takes, what it says and how it is
//! computed; the checker, the documentation and the evaluation all read it.

use std::fmt;

use crate::ast::{BinaryOp, UnaryOp};

/// A number or a yes/no for every row. Yes is `1.0`, no is `0.0`, missing is NaN.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnExpr {
    /// The value of a column (or of a given name such as `snr`).
    Column(String),
    /// The same number for every row.
    Number(f64),
    /// An operator with one side.
    Unary(UnaryOp, Box<ColumnExpr>),
    /// An operator with two sides.
    Binary(BinaryOp, Box<ColumnExpr>, Box<ColumnExpr>),
    /// A function of the list in this file, by name.
    Call(String, Vec<ColumnExpr>),
}

impl fmt::Display for ColumnExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
