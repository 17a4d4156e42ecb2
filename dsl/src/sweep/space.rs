//! What a search may choose: an axis for each param, some of them only where another allows.

use super::normal::{Normal, short};
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
    /// These, each as often as its weight says; the weights add up to 1.
    Weighted(Vec<Value>, Vec<f64>),
    /// Numbers with a normal distribution, cut off at both ends.
    Normal(Normal),
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

/// What must hold of earlier axes.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// A comparison of this axis.
    Is(usize, BinaryOp, Value),
    /// The value of this axis is one of these.
    Among(usize, Vec<Value>),
    /// Both.
    And(Box<When>, Box<When>),
    /// One of them, or both.
    Or(Box<When>, Box<When>),
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
            Values::Among(values) | Values::Weighted(values, _) => Some(values.len()),
            Values::Whole(..) | Values::Real(..) | Values::Normal(_) => None,
        }
    }

    /// How likely each is before anything is known, when they are to be told apart.
    pub fn weights(&self) -> Option<Vec<f64>> {
        match self {
            Values::Among(values) => Some(vec![1.0 / values.len() as f64; values.len()]),
            Values::Weighted(_, weights) => Some(weights.clone()),
            Values::Whole(..) | Values::Real(..) | Values::Normal(_) => None,
        }
    }

    /// The value at a share of the way through an axis on which distinct values have
    /// equal room: what [`share`](Self::share) is the way back from.
    pub fn pick(&self, share: f64) -> Setting {
        match self {
            Values::Among(values) | Values::Weighted(values, _) => {
                let at = (share * values.len() as f64) as usize;
                values.get(at.min(values.len().saturating_sub(1))).cloned()
            }
            _ => self.at(share),
        }
    }

    /// How the axis is divided.
    pub fn scale(&self) -> Scale {
        match self {
            Values::Among(_) | Values::Weighted(..) | Values::Normal(_) => Scale::Linear,
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
            (Values::Among(values) | Values::Weighted(values, _), value) => {
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
            (Values::Normal(normal), Value::Float(value)) => Some(normal.share(*value)),
            (Values::Normal(normal), Value::Int(value)) => Some(normal.share(*value as f64)),
            _ => None,
        }
    }

    /// The value at a share of the way through the axis, from 0 to below 1, on which each value
    /// has as much room as it is likely.
    ///
    /// Real numbers have four digits: enough to search with, short enough to read, and the
    /// same whatever the last bit of a logarithm is.
    pub fn at(&self, share: f64) -> Setting {
        match self {
            Values::Among(_) => self.pick(share),
            Values::Weighted(values, weights) => {
                let mut rest = share;
                let at = weights.iter().position(|weight| {
                    rest -= weight;
                    rest < 0.0
                });
                let at = at.or_else(|| weights.iter().rposition(|weight| *weight > 0.0));
                values.get(at.unwrap_or_default()).cloned()
            }
            Values::Normal(normal) => Some(match normal.is_whole {
                true => Value::Int(normal.at(share) as i64),
                false => Value::Float(normal.at(share)),
            }),
            Values::Whole(first, last, scale) => {
                // Every number has as much room as its neighbours.
                let room = (*first as f64 - 0.5, *last as f64 + 0.5);
                let value = scale.between(room, share).round() as i64;
                Some(Value::Int(value.clamp(*first, *last)))
            }
            Values::Real(first, last, scale) => {
                let value = scale.between((*first, *last), share);
                Some(Value::Float(short(value).clamp(*first, *last)))
            }
        }
    }
}

impl When {
    /// Whether it holds at a point; not where an axis it names has no say.
    fn holds(&self, settings: &[Setting]) -> bool {
        let found = |axis: usize| settings.get(axis).and_then(Option::as_ref);
        match self {
            When::Is(axis, op, value) => found(*axis).is_some_and(|it| compares(it, *op, value)),
            When::Among(axis, values) => found(*axis).is_some_and(|it| values.contains(it)),
            When::And(one, other) => one.holds(settings) && other.holds(settings),
            When::Or(one, other) => one.holds(settings) || other.holds(settings),
        }
    }
}

fn compares(found: &Value, op: BinaryOp, value: &Value) -> bool {
    let order = match (found, value) {
        (Value::Int(found), Value::Int(value)) => found.partial_cmp(value),
        (Value::Float(found), Value::Float(value)) => found.partial_cmp(value),
        (found, value) => return (found == value) == (op != BinaryOp::NotEqual),
    };
    order.is_some_and(|order| match op {
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        BinaryOp::GreaterEqual => order.is_ge(),
        _ => order.is_eq(),
    })
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
                Values::Among(values) | Values::Weighted(values, _) => values,
                Values::Whole(..) | Values::Real(..) | Values::Normal(_) => &[],
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
    fn weights_say_how_often_and_the_way_back_tells_values_apart() {
        let values = Values::Weighted([1, 2, 3].map(Value::Int).to_vec(), vec![0.0, 0.75, 0.25]);
        let at = |share: f64| values.at(share).unwrap().to_string();
        assert_eq!([0.0, 0.7, 0.8, 1.0].map(at), ["2", "2", "3", "3"]);
        for value in [1, 2, 3].map(Value::Int) {
            let share = values.share(&value).unwrap();
            assert_eq!(values.pick(share), Some(value));
        }
    }

    #[test]
    fn conditions_join() {
        let is = |axis, value| When::Is(axis, BinaryOp::Equal, Value::Int(value));
        let both = When::And(Box::new(is(0, 1)), Box::new(is(1, 2)));
        let one = When::Or(Box::new(is(0, 1)), Box::new(is(1, 2)));
        let among = When::Among(1, [2, 3].map(Value::Int).to_vec());
        let holds = |when: &When, points: [Option<i64>; 2]| {
            when.holds(&points.map(|setting| setting.map(Value::Int)))
        };
        for (point, expected) in [
            ([Some(1), Some(2)], [true, true, true]),
            ([Some(1), Some(3)], [false, true, true]),
            ([Some(0), Some(2)], [false, true, true]),
            ([Some(1), None], [false, true, false]),
            ([None, None], [false, false, false]),
        ] {
            assert_eq!(
                [&both, &one, &among].map(|when| holds(when, point)),
                expected
            );
        }
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
                    when: Some(When::Is(0, BinaryOp::Equal, word("sgd"))),
                },
            ],
        };
        assert_eq!(space.point(|_| 0.25), [Some(word("adam")), None]);
        let both = [Some(word("sgd")), Some(Value::Float(0.75))];
        assert_eq!(space.point(|_| 0.75), both);
    }
}
