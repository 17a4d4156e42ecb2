//! Formulas of groups as what is gathered from rows, and what is made of that.

use super::{ColumnExpr, Function, function};

/// A function of the rows of a group in a formula, such as `mean(u ^ 2)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gathered {
    /// The function.
    pub function: String,
    /// What it is of, for each row.
    pub of: ColumnExpr,
}

impl ColumnExpr {
    /// The formula with a column in place of each function of the rows of a group; what these are
    /// of is added to `found`, and the column is called by its place there as `name` says.
    ///
    /// None where rows must be seen more than once, as in `mean(abs(u - mean(u)))`.
    pub fn gathered(&self, found: &mut Vec<Gathered>, name: fn(usize) -> String) -> Option<Self> {
        let mut inner = |expr: &Self| Some(Box::new(expr.gathered(found, name)?));
        Some(match self {
            Self::Column(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => self.clone(),
            Self::Unary(op, x) => Self::Unary(*op, inner(x)?),
            Self::Part(part, x, unit) => Self::Part(*part, inner(x)?, unit.clone()),
            Self::Convert(x, from, to) => Self::Convert(inner(x)?, from.clone(), to.clone()),
            Self::Later(x, unit, months) => Self::Later(inner(x)?, unit.clone(), *months),
            Self::Binary(op, x, y) => Self::Binary(*op, inner(x)?, inner(y)?),
            Self::Call(function_name, args) => match function(function_name) {
                Some(called) if called.of_rows() => {
                    let ([of], true) = (&args[..], Function::gathers(called)) else {
                        return None;
                    };
                    if of.of_rows().is_some() {
                        return None;
                    }
                    let gathered = Gathered {
                        function: function_name.clone(),
                        of: of.clone(),
                    };
                    let known = found.iter().position(|it| *it == gathered);
                    let at = known.unwrap_or(found.len());
                    if known.is_none() {
                        found.push(gathered);
                    }
                    Self::Column(name(at))
                }
                _ => {
                    let args = args.iter().map(|arg| arg.gathered(found, name));
                    Self::Call(function_name.clone(), args.collect::<Option<_>>()?)
                }
            },
        })
    }
}
