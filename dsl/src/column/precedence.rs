//! How tightly operators bind.

use crate::ast::BinaryOp;

pub(super) const NOT: u8 = 3;
pub(super) const COMPARE: u8 = 4;
pub(super) const ADD: u8 = 5;
pub(super) const NEGATE: u8 = 7;
pub(super) const POWER: u8 = 8;
pub(super) const ATOM: u8 = 9;

/// How tightly an operator binds; larger is tighter.
pub(super) fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::In => COMPARE,
        BinaryOp::Add | BinaryOp::Subtract => ADD,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => 6,
        BinaryOp::Power => POWER,
    }
}
