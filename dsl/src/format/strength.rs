//! Where an expression needs parentheses to read as the tree says.

use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// How tightly an expression holds together, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    Range,
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Negate,
    Power,
    Atom,
}

impl Strength {
    pub(super) fn of(op: BinaryOp) -> Self {
        match op {
            BinaryOp::Or => Strength::Or,
            BinaryOp::And => Strength::And,
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => Strength::Comparison,
            BinaryOp::Add | BinaryOp::Subtract => Strength::Sum,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => Strength::Product,
            BinaryOp::Power => Strength::Power,
        }
    }
}

impl Expr {
    pub(super) fn strength(&self) -> Strength {
        match &self.kind {
            ExprKind::Range { .. } => Strength::Range,
            ExprKind::Binary { op, .. } => Strength::of(*op),
            ExprKind::Unary {
                op: UnaryOp::Not, ..
            } => Strength::Not,
            ExprKind::Unary {
                op: UnaryOp::Negate,
                ..
            } => Strength::Negate,
            _ => Strength::Atom,
        }
    }
}

/// Whether the last word is a number without unit, after which `%` may read as its unit.
pub(super) fn ends_with_number(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int { unit, .. } | ExprKind::Float { unit, .. } => unit.is_none(),
        ExprKind::Unary { operand, .. } => ends_with_number(operand),
        ExprKind::Binary { right, .. } => ends_with_number(right),
        _ => false,
    }
}

pub(super) fn begins_with_minus(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Unary { op, .. } => *op == UnaryOp::Negate,
        ExprKind::Binary { left, .. } => begins_with_minus(left),
        _ => false,
    }
}

/// Whether the first word is the name `step`, which reads as the keyword after some things.
pub(super) fn begins_with_step(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Name(path) | ExprKind::Call { callee: path, .. } => {
            path.first().is_some_and(|name| name.text == "step")
        }
        ExprKind::Binary { left, .. } => begins_with_step(left),
        _ => false,
    }
}
