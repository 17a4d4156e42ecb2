//! Points chosen before any score is known: random ones, Latin hypercubes.

use dsl::experiment::Value;
use dsl::sweep::space::{Setting, Space};

use super::stream::Stream;

/// How often a point that is known already is drawn again before the space counts as empty.
const TRIES: usize = 100;

/// `count` different points, each drawn alone; fewer when the space has no more.
pub fn random(space: &Space, count: usize, stream: &mut Stream) -> Vec<Vec<Setting>> {
    let mut drawn = Drawn::default();
    for _ in 0..count {
        if !drawn.draw(space, stream) {
            break;
        }
    }
    drawn.points
}

/// `count` points, each value of each axis as often as any other (McKay, Beckman and Conover,
/// 1979); equal ones once.
pub fn latin(space: &Space, count: usize, stream: &mut Stream) -> Vec<Vec<Setting>> {
    let orders: Vec<Vec<usize>> = space.axes.iter().map(|_| stream.shuffled(count)).collect();
    let mut drawn = Drawn::default();
    let places = |at: usize| orders.iter().map(move |order| order[at] as f64);
    for places in (0..count).map(places) {
        let places: Vec<f64> = places.collect();
        let point = space.point(|axis| (places[axis] + stream.uniform()) / count as f64);
        drawn.add(point);
    }
    drawn.points
}

/// Points, each once.
#[derive(Default)]
pub(super) struct Drawn {
    pub points: Vec<Vec<Setting>>,
    known: std::collections::BTreeSet<String>,
}

impl Drawn {
    /// Adds a point; false when it is known.
    pub fn add(&mut self, point: Vec<Setting>) -> bool {
        let text: Vec<String> = point
            .iter()
            .map(|setting| setting.as_ref().map_or(String::new(), Value::to_string))
            .collect();
        let is_new = self.known.insert(text.join("\n"));
        if is_new {
            self.points.push(point);
        }
        is_new
    }

    /// Adds a random new point; false when none was met.
    pub fn draw(&mut self, space: &Space, stream: &mut Stream) -> bool {
        (0..TRIES).any(|_| self.add(space.point(|_| stream.uniform())))
    }
}

#[cfg(test)]
mod tests {
    use dsl::sweep::space::{Axis, Scale, Values};

    use super::*;

    fn square() -> Space {
        let axis = || Axis {
            values: Values::Real(0.0, 1.0, Scale::Linear),
            when: None,
        };
        Space {
            axes: vec![axis(), axis()],
        }
    }

    #[test]
    fn every_row_and_column_of_a_latin_square_has_one_point() {
        let points = latin(&square(), 10, &mut Stream::new(5));
        for axis in 0..2 {
            let mut strata: Vec<usize> = points
                .iter()
                .map(|point| match point[axis] {
                    Some(Value::Float(value)) => (value * 10.0) as usize,
                    _ => unreachable!(),
                })
                .collect();
            strata.sort_unstable();
            assert_eq!(strata, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn random_points_follow_from_the_seed_and_differ() {
        let points = random(&square(), 50, &mut Stream::new(1));
        assert_eq!(points, random(&square(), 50, &mut Stream::new(1)));
        assert_ne!(points, random(&square(), 50, &mut Stream::new(2)));
        let few = Space {
            axes: vec![Axis {
                values: Values::Whole(1, 3, Scale::Linear),
                when: None,
            }],
        };
        assert_eq!(random(&few, 50, &mut Stream::new(1)).len(), 3);
    }
}
