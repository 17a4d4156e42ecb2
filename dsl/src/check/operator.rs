//! Operators between two formulas: both of the right sort, brought to one unit.

use super::checker::Checker;
use super::columns::{Names, Term};
use super::env::Env;
use super::known::Columns;
use crate::ast::BinaryOp;
use crate::column::{ColumnExpr, Sort};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::units;

impl Checker<'_> {
    /// A formula of two sides; none when an error was reported.
    pub fn binary(
        &mut self,
        op: BinaryOp,
        left: (Term, Span),
        right: (Term, Span),
        env: Env,
        names: Names,
    ) -> Option<Term> {
        let takes = match op {
            BinaryOp::Or | BinaryOp::And => Sort::Truth,
            _ => Sort::Number,
        };
        let ((mut first, left), (mut second, right)) = (left, right);
        let sound = self.expect_sort(&first, takes, left, env);
        self.expect_sort(&second, takes, right, env).and(sound)?;
        let unit = match self.agree(op, &mut first, &mut second) {
            Ok(unit) => unit,
            Err(why) => {
                self.refuse_units(why, (&first, left), (&second, right), env, names);
                return None;
            }
        };
        let whole = first.whole && second.whole;
        let expr = ColumnExpr::Binary(op, Box::new(first.expr), Box::new(second.expr)).folded();
        match op {
            BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => Some(Term::truth(expr)),
            _ => {
                let term = Term {
                    expr,
                    unit,
                    sort: Sort::Number,
                    whole,
                };
                Some(if whole {
                    term.whole_if_integral()
                } else {
                    term
                })
            }
        }
    }

    /// Brings both sides to one unit where the operator needs that; the unit of the result.
    fn agree(
        &self,
        op: BinaryOp,
        left: &mut Term,
        right: &mut Term,
    ) -> Result<Option<String>, Disagreement> {
        let scales = |op| matches!(op, BinaryOp::Multiply | BinaryOp::Divide);
        match (left.unit.clone(), right.unit.clone()) {
            (None, None) => Ok(None),
            // Scaling a number keeps its unit; of a column it makes something else.
            (Some(unit), None) if scales(op) && right.expr.is_number() => {
                Ok(left.expr.is_number().then_some(unit))
            }
            (None, Some(unit)) if op == BinaryOp::Multiply && left.expr.is_number() => {
                Ok(right.expr.is_number().then_some(unit))
            }
            (Some(unit), Some(other)) if op != BinaryOp::Multiply && op != BinaryOp::Power => {
                // A number is brought to the unit of a column, else the right to the left.
                let (term, from, to) = if left.expr.is_number() && !right.expr.is_number() {
                    (left, unit, other)
                } else {
                    (right, other, unit)
                };
                let differences = !matches!(
                    op,
                    BinaryOp::Equal
                        | BinaryOp::NotEqual
                        | BinaryOp::Less
                        | BinaryOp::LessEqual
                        | BinaryOp::Greater
                        | BinaryOp::GreaterEqual
                );
                convert_term(term, &from, &to, differences)?;
                Ok((op != BinaryOp::Divide).then_some(to))
            }
            // A number with a unit beside something without one, or of no use there.
            _ if left.is_quantity() || right.is_quantity() => Err(Disagreement::NoUnit),
            (Some(unit), None) if !scales(op) && op != BinaryOp::Power => {
                Ok(right.expr.is_number().then_some(unit))
            }
            _ => Ok(None),
        }
    }

    fn refuse_units(
        &mut self,
        why: Disagreement,
        (left, left_span): (&Term, Span),
        (right, right_span): (&Term, Span),
        env: Env,
        names: Names,
    ) {
        // Nothing is known of data that did not check.
        if matches!(names, Names::Columns(Columns::Poisoned)) {
            return;
        }
        let say = |term: &Term| match (&term.unit, &term.expr) {
            (Some(unit), _) => format!("in `{unit}`"),
            (None, ColumnExpr::Column(_)) => "of unknown unit".to_owned(),
            (None, _) => "without a unit".to_owned(),
        };
        let message = match &why {
            Disagreement::NoUnit => match (&left.expr, &right.expr) {
                (ColumnExpr::Column(name), _) | (_, ColumnExpr::Column(name)) => {
                    format!("the unit of `{name}` is not known")
                }
                _ => "one side has a unit, the other has none".to_owned(),
            },
            Disagreement::Offset => {
                "temperatures with different zeros cannot be added or subtracted".to_owned()
            }
            Disagreement::Incompatible(from, to) => {
                format!("`{from}` cannot be converted to `{to}`")
            }
        };
        let diagnostic = Diagnostic::error(Code::IncompatibleUnits, right_span, message)
            .says(say(right))
            .and(left_span, say(left));
        let diagnostic = match why {
            Disagreement::NoUnit => diagnostic.hint("write the number without its unit"),
            _ => diagnostic,
        };
        self.report(env, diagnostic);
    }
}

enum Disagreement {
    NoUnit,
    Offset,
    Incompatible(String, String),
}

fn convert_term(
    term: &mut Term,
    from: &str,
    to: &str,
    differences: bool,
) -> Result<(), Disagreement> {
    if from == to {
        return Ok(());
    }
    let (Ok(source), Ok(target)) = (units::parse(from), units::parse(to)) else {
        // Units of data that nobody can read: only a number's unit makes a promise.
        let promise = units::parse(from).is_ok() && term.expr.is_number();
        return if promise {
            Err(Disagreement::NoUnit)
        } else {
            Ok(())
        };
    };
    if differences && !source.same_zero(&target) && source.convert(0.0, &target).is_some() {
        return Err(Disagreement::Offset);
    }
    let incompatible = || Disagreement::Incompatible(from.to_owned(), to.to_owned());
    let zero = source.convert(0.0, &target).ok_or_else(incompatible)?;
    let one = source.convert(1.0, &target).ok_or_else(incompatible)?;
    term.unit = Some(to.to_owned());
    if let ColumnExpr::Number(value) = &mut term.expr {
        *value = source.convert(*value, &target).ok_or_else(incompatible)?;
        term.whole &= value.fract() == 0.0;
        return Ok(());
    }
    let (scale, shift) = (one - zero, zero);
    let mut expr = std::mem::replace(&mut term.expr, ColumnExpr::Number(0.0));
    let combine = |op, expr, value| {
        ColumnExpr::Binary(op, Box::new(expr), Box::new(ColumnExpr::Number(value)))
    };
    if scale != 1.0 {
        expr = combine(BinaryOp::Multiply, expr, scale);
    }
    if shift != 0.0 {
        expr = combine(BinaryOp::Add, expr, shift);
    }
    term.expr = expr;
    Ok(())
}
