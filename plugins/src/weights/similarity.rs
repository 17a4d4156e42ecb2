//! `similarity(net, on: unseen)`: how alike members are in what they say and in their weights.

use std::collections::BTreeMap;

use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Gather, Input};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;

use super::align::{PASSES, UNKNOWN, orders};
use super::support::outputs::{Judge, Judged};
use super::support::symmetry::of_network;
use crate::parents::{Parent, not_runnable};

words! {
    /// A number about two networks.
    pub enum Likeness {
        /// Linear centred kernel alignment of their outputs (Kornblith et al. 2019).
        Cka = "cka",
        /// The share of rows of which they predict other classes.
        Disagreement = "disagreement",
        /// Rows that both have wrong, divided by rows that one has wrong.
        ErrorIou = "error_iou",
        /// The root of the sum of squares of their weights' differences.
        Distance = "distance",
        /// The same after the hidden units of the second are in the order of those of the first,
        /// as `align` finds it by weights.
        AlignedDistance = "aligned_distance",
    }
}

impl Likeness {
    fn is_of_classes(self) -> bool {
        matches!(self, Likeness::Disagreement | Likeness::ErrorIou)
    }
}

plugin! {
    /// How alike the members of an ensemble are, pair by pair.
    ///
    /// `group` names the pair; `mean` and `median` are over all pairs. Networks whose outputs do
    /// not vary over the rows have no `cka`, those without a wrong row no `error_iou`.
    ///
    /// ```farcast
    /// score alike = similarity(net, on: unseen, metrics: [cka, distance, aligned_distance])
    /// ```
    "similarity" version 2
    pub struct Similarity {
        /// The networks.
        parents: Gather<Parent>;
        /// The rows, with the truth.
        on: Input<Dataset>, with_truth();
        /// What is measured of each pair.
        metrics: Vec<Likeness> = "[cka]";
    }
}

impl Plugin for Similarity {
    type Output = Scores;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let one = call
            .input("parents")
            .filter(|input| input.members.is_none_or(|it| it < 2));
        let one = one.map(|input| {
            let message = format!("`{}` is one network: there are no pairs", input.name);
            Complaint::at("parents", message)
        });
        let metrics = call.get::<Vec<Likeness>>("metrics").unwrap_or_default();
        let quantity = call
            .network("parents")
            .is_some_and(|network| !network.classes);
        let wrong = metrics
            .iter()
            .find(|it| it.is_of_classes())
            .filter(|_| quantity);
        let wrong = wrong.map(|metric| {
            let message = format!(
                "`{}` is of classes, found a network of quantities",
                metric.word()
            );
            Complaint::at("metrics", message)
        });
        let bare = not_runnable(call, "parents");
        bare.into_iter().chain(one).chain(wrong).collect()
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let mut judged: Vec<(usize, &Parent, Judged)> = Vec::new();
        let mut rows_of_data = 0;
        for (member, parent) in self.parents.members.iter().enumerate() {
            context.check_stop()?;
            let Some(parent) = parent else { continue };
            let network = parent.network().map_err(|fault| fault.inside("parents"))?;
            let judge = Judge::new(network, &self.on, "on")?;
            rows_of_data = judge.rows();
            judged.push((member, parent, judge.of(&parent.weights)));
        }
        let mut lines = Vec::new();
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let row = |member: String, metric: &Likeness, group, value: Option<f64>| ScoreRow {
            member,
            model: self.parents.label.0.clone(),
            role: "parent".to_owned(),
            metric: metric.word().to_owned(),
            horizon: None,
            group,
            value,
            unit: None,
        };
        for (at, (one, first, a)) in judged.iter().enumerate() {
            for (two, second, b) in &judged[at + 1..] {
                context.check_stop()?;
                for metric in &self.metrics {
                    let value = match metric {
                        Likeness::Cka => cka(&a.outputs, &b.outputs, rows_of_data),
                        Likeness::Disagreement => disagreement(first, a, b),
                        Likeness::ErrorIou => a
                            .wrong
                            .as_ref()
                            .zip(b.wrong.as_ref())
                            .and_then(|(a, b)| iou(a, b)),
                        Likeness::Distance => distance(&first.weights, &second.weights),
                        Likeness::AlignedDistance => aligned_distance(first, second, context)?,
                    };
                    let value = value.filter(|value| value.is_finite());
                    values.entry(metric.word()).or_default().extend(value);
                    let pair = Some(format!("{one} and {two}"));
                    lines.push(row(two.to_string(), metric, pair, value));
                }
            }
        }
        for metric in &self.metrics {
            let mut all = values.remove(metric.word()).unwrap_or_default();
            all.sort_by(f64::total_cmp);
            let count = all.len();
            let mean = (count > 0).then(|| all.iter().sum::<f64>() / count as f64);
            let median = (count > 0).then(|| (all[(count - 1) / 2] + all[count / 2]) / 2.0);
            lines.push(row("mean".to_owned(), metric, None, mean));
            lines.push(row("median".to_owned(), metric, None, median));
        }
        Ok(Scores {
            rows: lines,
            ..Scores::default()
        })
    }
}

/// Linear centred kernel alignment of features, `[rows, width]` each; none where one is constant.
pub(crate) fn cka(a: &[f32], b: &[f32], rows: usize) -> Option<f64> {
    let centred = |values: &[f32]| {
        let width = values.len().checked_div(rows)?;
        let mut matrix = Mat::from_fn(rows, width, |row, column| {
            f64::from(values[row * width + column])
        });
        for column in 0..width {
            let mean = (0..rows).map(|row| matrix[(row, column)]).sum::<f64>() / rows as f64;
            (0..rows).for_each(|row| matrix[(row, column)] -= mean);
        }
        Some(matrix)
    };
    let (a, b) = (centred(a)?, centred(b)?);
    let norm = |one: &Mat<f64>, other: &Mat<f64>| (one.transpose() * other).norm_l2();
    let (own, other) = (norm(&a, &a), norm(&b, &b));
    let value = norm(&b, &a).powi(2) / (own * other);
    (own > 0.0 && other > 0.0).then_some(value)
}

/// Rows that both have wrong, divided by those that one has; none where neither has any.
pub(crate) fn iou(a: &[bool], b: &[bool]) -> Option<f64> {
    let pairs = || a.iter().zip(b);
    let both = pairs().filter(|(a, b)| **a && **b).count();
    let any = pairs().filter(|(a, b)| **a || **b).count();
    (any > 0).then(|| both as f64 / any as f64)
}

fn disagreement(parent: &Parent, a: &Judged, b: &Judged) -> Option<f64> {
    a.wrong.as_ref()?;
    let network = parent.network.as_ref()?;
    let (a, b) = (network.unscale(&a.outputs), network.unscale(&b.outputs));
    let apart = a.iter().zip(&b).filter(|(a, b)| a != b).count();
    Some(apart as f64 / a.len() as f64)
}

pub(crate) fn distance(a: &[f32], b: &[f32]) -> Option<f64> {
    let squares = a
        .iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    (a.len() == b.len()).then(|| squares.sum::<f64>().sqrt())
}

/// The distance of what `align` makes of the second network from the first; none where the two are
/// of different layers.
fn aligned_distance(
    first: &Parent,
    second: &Parent,
    context: &Context,
) -> Result<Option<f64>, Fault> {
    if first.layout != second.layout {
        return Ok(None);
    }
    let units = first.network.as_ref().and_then(of_network);
    let units = units.ok_or_else(|| Fault::at("metrics", UNKNOWN))?;
    let orders = orders(&units, &first.weights, &second.weights, PASSES, context)?;
    let mut aligned = second.weights.clone();
    for (units, order) in units.iter().zip(&orders) {
        units.permute(&mut aligned, order);
    }
    Ok(distance(&first.weights, &aligned))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::data::support::testing::table;
    use crate::testing::{call, given, members};
    use crate::weights::support::testing::{alignment, parent};

    #[test]
    fn distances_after_alignment_are_those_of_the_golden_file() {
        let golden = alignment();
        let columns: Vec<Vec<f64>> = (0..golden.x[0].len())
            .map(|at| golden.x.iter().map(|row| row[at]).collect())
            .collect();
        let names: Vec<String> = (0..columns.len()).map(|at| format!("x{at}")).collect();
        let named = names.iter().zip(&columns);
        let named = named.map(|(name, column)| (&name[..], &column[..]));
        let named: Vec<(&str, &[f64])> = named.chain([("y", &golden.y[..])]).collect();
        let data = given(table(&named));
        for case in [&golden.other, &golden.far] {
            let pair = [&golden.reference, &case.network].map(|it| Some(parent(it)));
            let inputs = [("p", members(pair)), ("d", data.clone())];
            let asked = "p, on: d, metrics: [distance, aligned_distance]";
            let similarity: Similarity = call(asked, &inputs);
            let scores = similarity.run(&Context::alone("similarity")).expect("runs");
            let found: Vec<f64> = scores.rows.iter().filter_map(|row| row.value).collect();
            assert!((found[1] / case.distance_after - 1.0).abs() < 1e-6);
            assert!(found[0] > found[1]);
        }
    }

    #[derive(Deserialize)]
    struct Golden {
        a: Vec<Vec<f32>>,
        b: Vec<Vec<f32>>,
        cka_linear: f64,
        training_wrong: Vec<Vec<u8>>,
        new_wrong: Vec<Vec<u8>>,
        max_error_iou: Vec<f64>,
        training_weights: Vec<Vec<f32>>,
        new_weights: Vec<Vec<f32>>,
        min_distance: Vec<f64>,
    }

    #[test]
    fn numbers_are_those_of_the_golden_file() {
        let text = include_str!("../../testdata/golden/weightspace/similarity.json");
        let golden: Golden = serde_json::from_str(text).expect("figures");
        let found = cka(&golden.a.concat(), &golden.b.concat(), 10).expect("a value");
        assert!((found / golden.cka_linear - 1.0).abs() < 1e-6);
        let wrong = |rows: &[Vec<u8>]| -> Vec<Vec<bool>> {
            rows.iter()
                .map(|row| row.iter().map(|it| *it == 1).collect())
                .collect()
        };
        let (seen, new) = (wrong(&golden.training_wrong), wrong(&golden.new_wrong));
        for (new, expected) in new.iter().zip(&golden.max_error_iou) {
            let largest = seen
                .iter()
                .filter_map(|seen| iou(seen, new))
                .fold(0.0, f64::max);
            assert!((largest - expected).abs() < 1e-12);
        }
        for (new, expected) in golden.new_weights.iter().zip(&golden.min_distance) {
            let distances = golden
                .training_weights
                .iter()
                .filter_map(|seen| distance(seen, new));
            assert!((distances.fold(f64::INFINITY, f64::min) / expected - 1.0).abs() < 1e-6);
        }
        assert_eq!(cka(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0], 3), None);
    }
}
