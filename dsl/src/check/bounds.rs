//! The values a param or an argument may have: what follows `in`, or a declared range.

use crate::experiment::Value;
use crate::types::Type;

/// Allowed values.
#[derive(Clone, Debug)]
pub enum Bounds {
    /// Between two numbers, in the unit of the type.
    Between {
        least: Option<f64>,
        most: Option<f64>,
        inclusive: bool,
    },
    /// These.
    Among(Vec<Value>),
}

impl Bounds {
    /// The value, or the value of a list or range, that is not allowed.
    pub fn refused<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let holds = match (self, value) {
            (Bounds::Among(values), _) if values.contains(value) => true,
            (_, Value::List(values)) => {
                return values.iter().find_map(|value| self.refused(value));
            }
            (_, Value::Range(first, last, _)) => {
                return self.refused(first).or_else(|| self.refused(last));
            }
            (Bounds::Between { .. }, Value::Int(value)) => self.between(*value as f64),
            (Bounds::Between { .. }, Value::Float(value)) => self.between(*value),
            (Bounds::Between { .. }, _) => true,
            (Bounds::Among(_), _) => false,
        };
        (!holds).then_some(value)
    }

    fn between(&self, value: f64) -> bool {
        let Bounds::Between {
            least,
            most,
            inclusive,
        } = self
        else {
            return false;
        };
        least.is_none_or(|least| value >= least)
            && most.is_none_or(|most| {
                if *inclusive {
                    value <= most
                } else {
                    value < most
                }
            })
    }
}

/// A value in a message: words bare, whole numbers without a point, quantities with their unit.
pub fn shown(value: &Value, ty: &Type) -> String {
    let text = match value {
        Value::Text(text) => return text.clone(),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{number}")
        }
        value => value.to_string(),
    };
    match element(ty) {
        Type::Quantity(unit) => format!("{text} {unit}"),
        Type::Duration => format!("{text} s"),
        _ => text,
    }
}

/// The type of the single values in lists and ranges.
pub fn element(ty: &Type) -> &Type {
    match ty {
        Type::List(inner) | Type::Range(inner) => element(inner),
        Type::OneOf(types) => types.first().map_or(ty, element),
        ty => ty,
    }
}
