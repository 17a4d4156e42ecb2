//! Formulas as text, with as few brackets as they need.

use std::fmt;

use super::precedence::{ATOM, COMPARE, NEGATE, NOT, POWER, precedence};
use super::*;

/// The text in the language with as few parentheses as it reads back with.
///
/// Equal expressions print equally; keys are made of it.
impl fmt::Display for ColumnExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnExpr::Column(name) => f.write_str(&written(name)),
            ColumnExpr::Number(value) => write!(f, "{value:?}"),
            ColumnExpr::Unary(UnaryOp::Negate, inner) => {
                f.write_str("-")?;
                inner.write_above(POWER, f)
            }
            ColumnExpr::Unary(UnaryOp::Not, inner) => {
                f.write_str("not ")?;
                inner.write_above(COMPARE, f)
            }
            ColumnExpr::Binary(op, left, right) => {
                let own = precedence(*op);
                let (least_left, least_right) = match own {
                    POWER => (own + 1, own),
                    COMPARE => (own + 1, own + 1),
                    // `2.0 % -x` would be read as two percent less x.
                    _ if *op == BinaryOp::Remainder => (own, POWER),
                    _ => (own, own + 1),
                };
                left.write_above(least_left, f)?;
                write!(f, " {} ", op.symbol())?;
                right.write_above(least_right, f)
            }
            ColumnExpr::Call(name, args) => {
                write!(f, "{name}(")?;
                for (index, arg) in args.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{arg}")?;
                }
                f.write_str(")")
            }
            ColumnExpr::Text(text) => f.write_str(&in_quotes(text)),
            ColumnExpr::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            // Keys must tell units apart, although nobody writes them here.
            ColumnExpr::Part(part, time, unit) => {
                let name = FUNCTIONS.iter().find(|it| it.part() == Some(*part));
                let name = name.map_or("part", |function| function.name);
                write!(f, "{name}({time}, \"{unit}\")")
            }
            ColumnExpr::Convert(time, from, to) => {
                write!(f, "convert({time}, \"{from}\", \"{to}\")")
            }
            ColumnExpr::Later(time, unit, months) => {
                write!(f, "later({time}, \"{unit}\", {months})")
            }
        }
    }
}

impl ColumnExpr {
    fn precedence(&self) -> u8 {
        match self {
            ColumnExpr::Number(value) if value.is_sign_negative() => NEGATE,
            ColumnExpr::Column(_)
            | ColumnExpr::Number(_)
            | ColumnExpr::Text(_)
            | ColumnExpr::List(_)
            | ColumnExpr::Part(..)
            | ColumnExpr::Convert(..)
            | ColumnExpr::Later(..)
            | ColumnExpr::Call(..) => ATOM,
            ColumnExpr::Unary(UnaryOp::Negate, _) => NEGATE,
            ColumnExpr::Unary(UnaryOp::Not, _) => NOT,
            ColumnExpr::Binary(op, ..) => precedence(*op),
        }
    }

    fn write_above(&self, least: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.precedence() >= least {
            write!(f, "{self}")
        } else {
            write!(f, "({self})")
        }
    }
}
