//! What a search may choose: an axis for each param, some of them only where another allows.

use crate::ast::BinaryOp;
use crate::experiment::Value;

/// The value of one axis at a point; none where the axis has no say there.
pub type Setting = Option<Value>;

/// The axes, each after those it depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    /// In the order written.
    pub axes: Vec<Axis>,
}

/// What one param may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The values.
    pub values: Values,
    /// Where it has a say; everywhere when none.
    pub when: Option<When>,
}

/// The values of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// These.
    Among(Vec<Value>),
    /// Whole numbers from the first to the last.
    Whole(i64, i64, Scale),
    /// Real numbers from the first to the last.
    Real(f64, f64, Scale),
}

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps are equal differences.
    Linear,
    /// Equal steps are equal ratios.
    Log,
}

/// A comparison with an earlier axis.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The earlier axis.
    pub axis: usize,
    /// The comparison.
    pub op: BinaryOp,
    /// What its value is compared with.
    pub value: Value,
}

impl Scale {
    fn forth(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.ln(),
        }
    }

    fn back(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.exp(),
        }
    }

    fn between(self, (low, high): (f64, f64), share: f64) -> f64 {
        let (start, end) = (self.forth(low), self.forth(high));
        self.back(start + share * (end - start)).clamp(low, high)
    }
}

impl Values {
    /// How many there are, when they are to be told apart, not measured.
    pub fn count(&self) -> Option<usize> {
        match self {
            Values::Among(values) => Some(values.len()),
            Values::Whole(..) | Values::Real(..) => None,
        }
    }

    /// How the axis is divided.
    pub fn scale(&self) -> Scale {
        match self {
            Values::Among(_) => Scale::Linear,
            Values::Whole(_, _, scale) | Values::Real(_, _, scale) => *scale,
        }
    }

    /// Where on the axis a value lies, as a share of the way through it.
    pub fn share(&self, value: &Value) -> Option<f64> {
        let along = |value: f64, (low, high): (f64, f64), scale: Scale| {
            let (start, end) = (scale.forth(low), scale.forth(high));
            let share = (scale.forth(value) - start) / (end - start);
            if share.is_finite() { share } else { 0.5 }
        };
        match (self, value) {
            (Values::Among(values), value) => {
                let at = values.iter().position(|other| other == value)?;
                Some((at as f64 + 0.5) / values.len() as f64)
            }
            (Values::Whole(first, last, scale), Value::Int(value)) => {
                let room = (*first as f64 - 0.5, *last as f64 + 0.5);
                Some(along(*value as f64, room, *scale))
            }
            (Values::Real(first, last, scale), Value::Float(value)) => {
                Some(along(*value, (*first, *last), *scale))
            }
            _ => None,
        }
    }

    /// The value at a share of the way through the axis, from 0 to below 1.
    ///
    /// Real numbers have four digits: enough to search with, short enough to read, and the
    /// same whatever the last bit of a logarithm is.
    pub fn at(&self, share: f64) -> Setting {
        match self {
            Values::Among(values) => {
                let at = (share * values.len() as f64) as usize;
                values.get(at.min(values.len().saturating_sub(1))).cloned()
            }
            Values::Whole(first, last, scale) => {
                // Every number has as much room as its neighbours.
                let room = (*first as f64 - 0.5, *last as f64 + 0.5);
                let value = scale.between(room, share).round() as i64;
                Some(Value::Int(value.clamp(*first, *last)))
            }
            Values::Real(first, last, scale) => {
                let value = scale.between((*first, *last), share);
                let short = format!("{value:.3e}").parse().unwrap_or(value);
                Some(Value::Float(short.clamp(*first, *last)))
            }
        }
    }
}

impl When {
    fn holds(&self, settings: &[Setting]) -> bool {
        let Some(found) = settings.get(self.axis).and_then(Option::as_ref) else {
            return false;
        };
        let order = match (found, &self.value) {
            (Value::Int(found), Value::Int(value)) => found.partial_cmp(value),
            (Value::Float(found), Value::Float(value)) => found.partial_cmp(value),
            (found, value) => {
                return match self.op {
                    BinaryOp::NotEqual => found != value,
                    _ => found == value,
                };
            }
        };
        order.is_some_and(|order| match self.op {
            BinaryOp::NotEqual => order.is_ne(),
            BinaryOp::Less => order.is_lt(),
            BinaryOp::LessEqual => order.is_le(),
            BinaryOp::Greater => order.is_gt(),
            BinaryOp::GreaterEqual => order.is_ge(),
            _ => order.is_eq(),
        })
    }
}

impl Axis {
    /// Whether it has a say at a point whose earlier settings are these.
    pub fn is_open(&self, settings: &[Setting]) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(settings))
    }
}

impl Space {
    /// The point at these shares of the way through each axis.
    pub fn point(&self, mut share: impl FnMut(usize) -> f64) -> Vec<Setting> {
        let mut settings = Vec::with_capacity(self.axes.len());
        for (at, axis) in self.axes.iter().enumerate() {
            let share = share(at);
            let value = axis.is_open(&settings).then(|| axis.values.at(share));
            settings.push(value.flatten());
        }
        settings
    }

    /// All combinations of listed values, the last axis changing fastest.
    pub fn grid(&self) -> Vec<Vec<Setting>> {
        let mut points: Vec<Vec<Setting>> = vec![Vec::new()];
        for axis in &self.axes {
            let values: &[Value] = match &axis.values {
                Values::Among(values) => values,
                Values::Whole(..) | Values::Real(..) => &[],
            };
            points = points
                .iter()
                .flat_map(|point| {
                    let settings: Vec<Setting> = match axis.is_open(point) {
                        true => values.iter().cloned().map(Some).collect(),
                        false => vec![None],
                    };
                    settings.into_iter().map(move |setting| {
                        let mut point = point.clone();
                        point.push(setting);
                        point
                    })
                })
                .collect();
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_an_axis_evenly() {
        let of = |values: Values| -> Vec<String> {
            let shares = [0.0, 0.25, 0.5, 0.75, 0.999_999];
            let values = shares.map(|share| values.at(share).unwrap().to_string());
            values.to_vec()
        };
        assert_eq!(
            of(Values::Whole(1, 4, Scale::Linear)),
            ["1", "2", "3", "4", "4"]
        );
        assert_eq!(
            of(Values::Whole(1, 100, Scale::Log)),
            ["1", "2", "7", "27", "100"]
        );
        let real = of(Values::Real(1e-4, 1.0, Scale::Log));
        assert_eq!(real, ["0.0001", "0.001", "0.01", "0.1", "1.0"]);
        let ints = [3, 5].map(Value::Int).to_vec();
        assert_eq!(of(Values::Among(ints)), ["3", "3", "5", "5", "5"]);
    }

    #[test]
    fn an_axis_without_a_say_is_left_out() {
        let word = |word: &str| Value::Text(word.to_owned());
        let space = Space {
            axes: vec![
                Axis {
                    values: Values::Among(vec![word("adam"), word("sgd")]),
                    when: None,
                },
                Axis {
                    values: Values::Real(0.0, 1.0, Scale::Linear),
                    when: Some(When {
                        axis: 0,
                        op: BinaryOp::Equal,
                        value: word("sgd"),
                    }),
                },
            ],
        };
        assert_eq!(space.point(|_| 0.25), [Some(word("adam")), None]);
        let both = [Some(word("sgd")), Some(Value::Float(0.75))];
        assert_eq!(space.point(|_| 0.75), both);
    }
}
