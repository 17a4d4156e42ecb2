//! `relate(flat, good, with: accuracy)`: which metrics go with one metric over a sweep.

use std::collections::BTreeMap;

use engine::artifact::{ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Input, Points, Word};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{plugin, words};
use rand::Rng;
use rand::seq::SliceRandom;

words! {
    /// A correlation.
    pub enum Correlation {
        /// Of ranks.
        Spearman = "spearman",
        /// Of numbers.
        Pearson = "pearson",
        /// Of the order of pairs, Kendall's tau-b.
        Kendall = "kendall",
    }
}

words! {
    /// What counts as one value of a metric.
    pub enum Unit {
        /// Each member at each point.
        Member = "member",
        /// Each point: the mean over its members.
        Point = "point",
    }
}

plugin! {
    /// How every metric of some scores goes with one of their metrics, over the points of the sweep.
    ///
    /// For each metric `correlation` has the correlation with `with`, `pairs` how many values meet, and `p` the
    /// share of 1999 random orders, and the order that is, whose correlation is as far from zero. Values meet
    /// where points agree in the swept params that both depend on, and `on: member` in the member;
    /// diverged members, and values of groups and horizons, are left out. A claim such as "flat
    /// networks are better" is one line. Many metrics at once find one with a small `p` by chance.
    ///
    /// ```farcast
    /// param width: Int = 4
    /// parent sized = mlp(seen, inputs: [x], target: y, hidden: [width], epochs: 2, members: 2)
    /// sweep widths = grid(width: [2, 4, 8])
    /// score flat = landscape(sized, on: seen, metrics: [loss, trace], rows: 32, probes: 2)
    /// score good = compare(sized, on: unseen, metrics: [rmse])
    /// score claim = relate(flat, good, with: rmse)
    /// ```
    "relate" version 1
    pub struct Relate {
        /// The scores.
        scores: Vec<Input<Scores>>, variadic();
        /// The metric that the others are related with.
        with: Word;
        /// The correlation.
        method: Correlation = "spearman";
        /// What counts as one value.
        on: Unit = "point";
        /// The points.
        points: Points, points_of("scores");
    }
}

impl Plugin for Relate {
    type Output = Scores;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let points = call.get::<Points>("points").map_or(0, |points| {
            let last = points.0.iter().map(|point| point.of);
            let most = last.max().map_or(0, |last| last + 1);
            let count = |of| points.0.iter().filter(|point| point.of == of).count();
            (0..most).map(count).max().unwrap_or(0)
        });
        let on_points = call.get::<Unit>("on") != Some(Unit::Member);
        let few = on_points && points < 3;
        let complaint = || {
            let message = format!("expected scores at 3 points or more, found {points}");
            Complaint::at("scores", message).with_hint("sweep what they depend on")
        };
        Vec::from_iter(few.then(complaint))
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let series = self.series();
        let wanted = &self.with.0;
        let mut found = series.iter().filter(|it| it.metric == *wanted);
        let Some(with) = found.next() else {
            let mut names: Vec<&str> = series.iter().map(|it| &it.metric[..]).collect();
            names.dedup();
            let message = format!("no score has a metric `{wanted}` for a whole network");
            let hint = format!("metrics: `{}`", names.join("`, `"));
            return Err(Fault::at("with", message).with_hint(hint));
        };
        if found.next().is_some() {
            let message = format!("several models have a metric `{wanted}`");
            let hint = "score one of them by itself";
            return Err(Fault::at("with", message).with_hint(hint));
        }
        let mut rows = Vec::new();
        for (number, other) in series.iter().enumerate() {
            if std::ptr::eq(other, with) {
                continue;
            }
            context.check_stop()?;
            let (x, y) = other.meeting(with);
            let value = correlation(self.method, &x, &y);
            let mut rng = context.rng(&format!("series {number}"));
            let p = value.map(|value| chance(self.method, value, &x, &y, &mut rng));
            let row = |metric: &str, value| ScoreRow {
                member: "mean".to_owned(),
                model: other.model.clone(),
                role: "parent".to_owned(),
                metric: metric.to_owned(),
                horizon: None,
                group: Some(format!("{} with {wanted}", other.metric)),
                value,
                unit: None,
            };
            rows.push(row("correlation", value));
            rows.push(row("p", p));
            rows.push(row("pairs", Some(x.len() as f64)));
        }
        Ok(Scores {
            rows,
            ..Scores::default()
        })
    }
}

/// The values of one metric of one model over the points.
struct Series {
    model: String,
    metric: String,
    /// With the settings of their point, and the member.
    values: Vec<(BTreeMap<String, String>, String, f64)>,
}

impl Series {
    /// The values that meet those of another.
    fn meeting(&self, other: &Self) -> (Vec<f64>, Vec<f64>) {
        let agree = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
            a.iter()
                .all(|(name, value)| b.get(name).is_none_or(|it| it == value))
        };
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (point, member, value) in &self.values {
            for (found, of, with) in &other.values {
                if of == member && agree(point, found) {
                    x.push(*value);
                    y.push(*with);
                }
            }
        }
        (x, y)
    }
}

impl Relate {
    /// The metrics of all models, in the order of the scores.
    fn series(&self) -> Vec<Series> {
        // For each score, the number of a model there, and its metric.
        let mut found: Vec<((usize, usize, String), Series)> = Vec::new();
        for (scores, point) in self.scores.iter().zip(&self.points.0) {
            let settings: BTreeMap<String, String> = point
                .settings
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect();
            let mut models: Vec<&str> = Vec::new();
            let whole = scores
                .rows
                .iter()
                .filter(|row| row.horizon.is_none() && row.group.is_none());
            for row in whole {
                let model = models.iter().position(|model| *model == row.model);
                let model = model.unwrap_or_else(|| {
                    models.push(&row.model);
                    models.len() - 1
                });
                let is_wanted = match self.on {
                    Unit::Member => row.member.parse::<u32>().is_ok(),
                    Unit::Point => row.member == "mean",
                };
                let Some(value) = row.value.filter(|value| is_wanted && value.is_finite()) else {
                    continue;
                };
                let key = (point.of, model, row.metric.clone());
                let value = (settings.clone(), row.member.clone(), value);
                match found.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, series)) => series.values.push(value),
                    None => found.push((
                        key,
                        Series {
                            model: row.model.clone(),
                            metric: row.metric.clone(),
                            values: vec![value],
                        },
                    )),
                }
            }
        }
        found.into_iter().map(|(_, series)| series).collect()
    }
}

/// Of values that meet; none where there are fewer than three, or one of the two is constant.
fn correlation(method: Correlation, x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() < 3 {
        return None;
    }
    let value = match method {
        Correlation::Pearson => pearson(x, y),
        Correlation::Spearman => pearson(&ranks(x), &ranks(y)),
        Correlation::Kendall => kendall(x, y),
    };
    Some(value).filter(|value| value.is_finite())
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - mx, y - my);
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)
}

/// Ranks from 1; equal numbers share the mean of theirs.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let rank = |number: &f64| {
        let below = numbers.iter().filter(|other| *other < number).count();
        let equal = numbers.iter().filter(|other| *other == number).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    numbers.iter().map(rank).collect()
}

/// Tau-b.
fn kendall(x: &[f64], y: &[f64]) -> f64 {
    let (mut sum, mut in_x, mut in_y) = (0.0, 0.0, 0.0);
    for one in 0..x.len() {
        for two in one + 1..x.len() {
            let sign = |numbers: &[f64]| {
                let order = numbers[one].total_cmp(&numbers[two]);
                if numbers[one] == numbers[two] {
                    0.0
                } else {
                    f64::from(order as i8)
                }
            };
            let (a, b) = (sign(x), sign(y));
            sum += a * b;
            in_x += a * a;
            in_y += b * b;
        }
    }
    sum / f64::sqrt(in_x * in_y)
}

/// How many random orders are tried.
const SHUFFLES: usize = 1999;

/// The share of orders whose correlation is as far from zero.
fn chance(method: Correlation, value: f64, x: &[f64], y: &[f64], rng: &mut impl Rng) -> f64 {
    let (x, mut y) = match method {
        Correlation::Spearman => (ranks(x), ranks(y)),
        Correlation::Pearson | Correlation::Kendall => (x.to_vec(), y.to_vec()),
    };
    let mut as_far = 1;
    for _ in 0..SHUFFLES {
        y.shuffle(rng);
        let found = match method {
            Correlation::Kendall => kendall(&x, &y),
            Correlation::Spearman | Correlation::Pearson => pearson(&x, &y),
        };
        as_far += usize::from(found.abs() >= value.abs() - 1e-12);
    }
    as_far as f64 / (SHUFFLES + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_are_those_of_scipy() {
        // scipy.stats 1.17.1: spearmanr, pearsonr and kendalltau of these, with ties.
        let x = [1.0, 2.0, 2.0, 4.0, 5.5, 3.0, 0.5];
        let y = [2.0, 1.0, 3.0, 3.0, 7.0, 2.5, -1.0];
        for (method, expected) in [
            (Correlation::Spearman, 0.8454545454545456),
            (Correlation::Pearson, 0.8848349515398032),
            (Correlation::Kendall, 0.7499999999999999),
        ] {
            let found = correlation(method, &x, &y).expect("a value");
            assert!((found - expected).abs() < 1e-12, "{method:?} {found}");
        }
        assert_eq!(correlation(Correlation::Spearman, &x, &[1.0; 7]), None);
        assert_eq!(correlation(Correlation::Pearson, &x[..2], &y[..2]), None);
    }

    #[test]
    fn a_perfect_order_is_rarely_chance_and_noise_mostly_is() {
        let rng = || Context::alone("relate").rng("chance");
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let p = |y: &[f64]| {
            let method = Correlation::Spearman;
            let value = correlation(method, &x, y).expect("a value");
            chance(method, value, &x, y, &mut rng())
        };
        // Two of 8! orders are as good.
        assert!(p(&x) < 0.005);
        assert!(p(&[3.0, 0.0, 2.0, 1.0, 3.5, 0.5, 2.5, 1.5]) > 0.5);
    }
}
