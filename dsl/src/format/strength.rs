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
    fn of(op: BinaryOp) -> Self {
        match op {
            BinaryOp::Or => Strength::Or,
            BinaryOp::And => Strength::And,
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual
            | BinaryOp::In => Strength::Comparison,
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

/// An operator and what stands on its right.
pub(super) struct Link<'a> {
    pub(super) op: BinaryOp,
    pub(super) right: &'a Expr,
    pub(super) right_in_parens: bool,
}

impl<'a> Link<'a> {
    fn new(op: BinaryOp, left: &Expr, right: &'a Expr) -> Self {
        let own = Strength::of(op);
        let is_looser = match own {
            Strength::Power => right.strength() < Strength::Negate,
            _ => right.strength() <= own,
        };
        let reads_as_percent = op == BinaryOp::Remainder
            && ends_with_number(left)
            && (begins_with_minus(right) || begins_with_step(right));
        Self {
            op,
            right,
            right_in_parens: is_looser || reads_as_percent,
        }
    }

    /// Whether this expression needs parentheses on the operator's left.
    pub(super) fn needs_parens(&self, left: &Expr) -> bool {
        let own = Strength::of(self.op);
        match own {
            Strength::Comparison | Strength::Power => left.strength() <= own,
            _ => left.strength() < own,
        }
    }
}

/// An operation as its leftmost operand and the operators of the same strength after it.
pub(super) fn links(expr: &Expr) -> (&Expr, Vec<Link<'_>>) {
    let strength = expr.strength();
    let mut first = expr;
    let mut links: Vec<Link<'_>> = Vec::new();
    while let ExprKind::Binary {
        op, left, right, ..
    } = &first.kind
        && first.strength() == strength
        && !links.last().is_some_and(|link| link.needs_parens(first))
    {
        links.push(Link::new(*op, left, right));
        first = left;
    }
    links.reverse();
    (first, links)
}

/// Whether the last word is a number without unit, after which `%` may read as its unit.
fn ends_with_number(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int { unit, .. } | ExprKind::Float { unit, .. } => unit.is_none(),
        ExprKind::Unary { operand, .. } => ends_with_number(operand),
        ExprKind::Binary { right, .. } => ends_with_number(right),
        _ => false,
    }
}

fn begins_with_minus(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Unary { op, .. } => *op == UnaryOp::Negate,
        ExprKind::Date(date) => date.year < 0,
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
        ExprKind::Part { whole: left, .. } | ExprKind::Binary { left, .. } => {
            begins_with_step(left)
        }
        _ => false,
    }
}

/// Whether the first word is a date, before which a minus belongs to it.
pub(super) fn begins_with_date(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Date(_) => true,
        ExprKind::Binary { left, .. } => begins_with_date(left),
        _ => false,
    }
}
