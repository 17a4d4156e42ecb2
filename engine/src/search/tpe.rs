//! Tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl, 2011).
//!
//! Points so far are parted into the good and the others, and for each axis the density of
//! either is estimated from where they lie. The next value is the one of several drawn from
//! the good density that is likeliest to be good: the largest ratio of the two. An axis that
//! only has a say at some points learns from those only, which makes it a tree.

use std::f64::consts::PI;

use dsl::sweep::normal::below;
use dsl::sweep::search::{Finding, Proposal};
use dsl::sweep::space::{Axis, Setting, Space};

use super::sampling::{Drawn, latin};
use super::stream::Stream;

/// How many points of a Latin hypercube come before the first estimate.
const START: usize = 10;
/// How many points are proposed from one estimate, so that they can run at the same time.
const BATCH: usize = 4;
/// How many values are drawn from the good density for each that is taken.
const CANDIDATES: usize = 24;
/// How many points count as good at most.
const MOST_GOOD: usize = 25;
/// How often an estimate is asked again when it proposes what is known already.
const TRIES: usize = 16;

/// Up to `count` points; `score` returns what is known of one.
pub fn tpe(
    space: &Space,
    count: usize,
    seed: u64,
    score: &mut dyn FnMut(&[Setting]) -> Finding,
) -> Proposal {
    let mut stream = Stream::new(seed);
    let mut drawn = Drawn::default();
    for point in latin(space, count.min(START), &mut stream) {
        drawn.add(point);
    }
    let mut found: Vec<Finding> = Vec::new();
    loop {
        let points = &drawn.points;
        found.extend(points[found.len()..].iter().map(|point| score(point)));
        if found.contains(&Finding::Unknown) || points.len() >= count {
            return Proposal {
                to_come: count.saturating_sub(points.len()),
                points: drawn.points,
            };
        }
        let before = points.len();
        for _ in 0..BATCH.min(count - before) {
            if !propose(space, &found, &mut drawn, &mut stream) {
                break;
            }
        }
        if drawn.points.len() == before {
            return Proposal {
                points: drawn.points,
                to_come: 0,
            };
        }
    }
}

/// Adds a new point; false when the space has no more.
fn propose(space: &Space, found: &[Finding], drawn: &mut Drawn, stream: &mut Stream) -> bool {
    let (good, bad) = parted(drawn.points.len(), found);
    for _ in 0..TRIES {
        let mut settings: Vec<Setting> = Vec::with_capacity(space.axes.len());
        for (at, axis) in space.axes.iter().enumerate() {
            let value = axis.is_open(&settings).then(|| {
                let density = |points: &[usize]| {
                    let points = points.iter().map(|point| &drawn.points[*point]);
                    let settings = points.filter_map(|point| point[at].as_ref());
                    let shares = settings.filter_map(|value| axis.values.share(value));
                    Density::of(axis, shares.collect())
                };
                axis.values
                    .pick(likeliest(&density(&good), &density(&bad), stream))
            });
            settings.push(value.flatten());
        }
        if drawn.add(settings) {
            return true;
        }
    }
    drawn.draw(space, stream)
}

/// The good points and the others; those that wait for their score count as bad, so that the
/// points of a batch keep away from each other.
fn parted(points: usize, found: &[Finding]) -> (Vec<usize>, Vec<usize>) {
    let scored = found
        .iter()
        .filter(|found| matches!(found, Finding::Cost(_)));
    let count = scored.count().div_ceil(10).clamp(1, MOST_GOOD);
    let cost = |at: usize| found.get(at).copied().unwrap_or(Finding::Unknown).cost();
    let mut order: Vec<usize> = (0..points).collect();
    order.sort_by(|one, other| cost(*one).total_cmp(&cost(*other)));
    let bad = order.split_off(count.min(order.len()));
    (order, bad)
}

fn likeliest(good: &Density, bad: &Density, stream: &mut Stream) -> f64 {
    let mut best = (f64::NEG_INFINITY, 0.5);
    for _ in 0..CANDIDATES {
        let share = good.draw(stream);
        let ratio = good.at(share).ln() - bad.at(share).ln();
        if ratio > best.0 {
            best = (ratio, share);
        }
    }
    best.1
}

/// Where on an axis points lie.
enum Density {
    /// The weight of each of several values, that of all together being 1.
    Values(Vec<f64>),
    /// Centres and widths of bells of equal weight, cut off at both ends of the axis.
    Bells(Vec<(f64, f64)>),
}

impl Density {
    /// Of these shares, with one point's worth of knowing nothing.
    fn of(axis: &Axis, mut shares: Vec<f64>) -> Self {
        if let Some(mut weights) = axis.values.weights() {
            let count = weights.len();
            for share in &shares {
                weights[((share * count as f64) as usize).min(count - 1)] += 1.0;
            }
            let all: f64 = weights.iter().sum();
            return Density::Values(weights.iter().map(|weight| weight / all).collect());
        }
        shares.push(0.5);
        shares.sort_by(f64::total_cmp);
        let narrowest = 1.0 / (1.0 + shares.len() as f64).min(100.0);
        let mut bells: Vec<(f64, f64)> = shares
            .iter()
            .enumerate()
            .map(|(at, share)| {
                // As far as the farther neighbour, or the end of the axis.
                let before = at.checked_sub(1).map_or(0.0, |before| shares[before]);
                let after = shares.get(at + 1).copied().unwrap_or(1.0);
                let width = (share - before).max(after - share);
                (*share, width.clamp(narrowest, 1.0))
            })
            .collect();
        if let Some(nothing) = bells.iter_mut().find(|(centre, _)| *centre == 0.5) {
            nothing.1 = 1.0;
        }
        Density::Bells(bells)
    }

    fn draw(&self, stream: &mut Stream) -> f64 {
        match self {
            Density::Values(weights) => {
                let mut rest = stream.uniform();
                let at = weights.iter().position(|weight| {
                    rest -= weight;
                    rest < 0.0
                });
                let at = at.unwrap_or(weights.len().saturating_sub(1));
                (at as f64 + 0.5) / weights.len() as f64
            }
            Density::Bells(bells) => {
                let (centre, width) = bells[stream.below(bells.len())];
                // Each bell has its centre on the axis: at least a third of it lies there.
                (0..200)
                    .map(|_| centre + width * stream.normal())
                    .find(|share| (0.0..1.0).contains(share))
                    .unwrap_or(centre)
            }
        }
    }

    fn at(&self, share: f64) -> f64 {
        match self {
            Density::Values(weights) => {
                let at = (share * weights.len() as f64) as usize;
                weights[at.min(weights.len() - 1)]
            }
            Density::Bells(bells) => {
                let heights = bells.iter().map(|(centre, width)| {
                    let inside = below((1.0 - centre) / width) - below(-centre / width);
                    let distance = (share - centre) / width;
                    (-0.5 * distance * distance).exp() / (width * (2.0 * PI).sqrt() * inside)
                });
                heights.sum::<f64>() / bells.len() as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dsl::ast::BinaryOp;
    use dsl::experiment::Value;
    use dsl::sweep::space::{Scale, Values, When};

    use super::super::sampling::random;
    use super::*;

    fn real(first: f64, last: f64) -> Axis {
        Axis {
            values: Values::Real(first, last, Scale::Linear),
            when: None,
        }
    }

    fn number(setting: &Setting) -> f64 {
        match setting {
            Some(Value::Float(value)) => *value,
            _ => unreachable!(),
        }
    }

    /// Branin's function (Dixon and Szegő, 1978); its three minima are 0.397887.
    fn branin(point: &[Setting]) -> f64 {
        let (x, y) = (number(&point[0]), number(&point[1]));
        let slope = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
        slope * slope + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
    }

    fn domain() -> Space {
        Space {
            axes: vec![real(-5.0, 10.0), real(0.0, 15.0)],
        }
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2] + values[(values.len() - 1) / 2]) / 2.0
    }

    #[test]
    fn branin_is_branin() {
        let at = |x: f64, y: f64| branin(&[Some(Value::Float(x)), Some(Value::Float(y))]);
        for (x, y) in [(-PI, 12.275), (PI, 2.275), (9.42478, 2.475)] {
            assert!((at(x, y) - 0.397_887).abs() < 1e-5);
        }
    }

    #[test]
    fn it_beats_random_points_on_branin() {
        let best = |points: &[Vec<Setting>]| -> f64 {
            points
                .iter()
                .map(|p| branin(p))
                .fold(f64::INFINITY, f64::min)
        };
        let seeds = 0..40;
        let (mut tpes, mut randoms, mut wins) = (Vec::new(), Vec::new(), 0);
        for seed in seeds {
            let searched = tpe(&domain(), 60, seed, &mut |p| Finding::Cost(branin(p)));
            assert_eq!((searched.points.len(), searched.to_come), (60, 0));
            let random = best(&random(&domain(), 60, &mut Stream::new(seed)));
            let tpe = best(&searched.points);
            wins += usize::from(tpe < random);
            tpes.push(tpe);
            randoms.push(random);
        }
        let (tpe, random) = (median(tpes), median(randoms));
        assert!(
            tpe < 0.6 && random > 0.9 && wins >= 32,
            "{tpe} {random} {wins}"
        );
    }

    #[test]
    fn a_batch_waits_for_its_scores() {
        let start = tpe(&domain(), 30, 1, &mut |_| Finding::Unknown);
        assert_eq!((start.points.len(), start.to_come), (START, 20));
        let mut asked = 0;
        let next = tpe(&domain(), 30, 1, &mut |point| {
            asked += 1;
            match asked > START {
                true => Finding::Unknown,
                false => Finding::Cost(branin(point)),
            }
        });
        assert_eq!((next.points.len(), next.to_come), (START + BATCH, 16));
        assert_eq!(next.points[..START], start.points);
    }

    #[test]
    fn a_small_space_is_searched_whole() {
        let values = Values::Among([1, 2, 3].map(Value::Int).to_vec());
        let axis = Axis { values, when: None };
        let space = Space {
            axes: vec![axis.clone(), axis],
        };
        let all = tpe(&space, 50, 1, &mut |_| Finding::Nothing);
        assert_eq!((all.points.len(), all.to_come), (9, 0));
    }

    #[test]
    fn an_axis_that_depends_on_another_is_only_set_with_it() {
        let words = ["adam", "sgd"].map(|word| Value::Text(word.to_owned()));
        let space = Space {
            axes: vec![
                Axis {
                    values: Values::Among(words.to_vec()),
                    when: None,
                },
                Axis {
                    when: Some(When::Is(0, BinaryOp::Equal, words[1].clone())),
                    ..real(0.0, 1.0)
                },
            ],
        };
        let found = tpe(&space, 40, 3, &mut |point| {
            Finding::Cost(point[1].as_ref().map_or(2.0, |_| number(&point[1])))
        });
        assert!(
            found
                .points
                .iter()
                .all(|p| p[1].is_some() == (p[0] == Some(words[1].clone())))
        );
        assert_eq!(found.points.iter().filter(|p| p[1].is_none()).count(), 1);
    }
}
