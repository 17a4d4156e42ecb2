//! `diagnose(walk, against: first, metrics: [rotation])`: numbers about weights alone.

use std::ops::Range;
use std::sync::Arc;

use dsl::experiment::Value;
use dsl::types::{Kind, Type};
use engine::artifact::{Layout, ScoreRow, Scores, Trajectory};
use engine::error::Fault;
use engine::params::{Bindings, Gather, ParamType};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;

use super::Weights;
use super::support::facts::mixed;
use super::support::lines::places;
use super::support::rows::Rows;

words! {
    /// A number about weights.
    pub enum Figure {
        /// The root of the sum of squares.
        Norm = "norm",
        /// The norm of the difference from the reference.
        Distance = "distance",
        /// The distance divided by the norm of the reference.
        RelativeDistance = "relative_distance",
        /// The cosine of the angle to the reference.
        Cosine = "cosine",
        /// 1 less the cosine (Carbonnelle and De Vleeschouwer 2019).
        Rotation = "rotation",
        /// The share of the sum of squares over all weights.
        Share = "share",
        /// The share of the number of weights, to read `share` by.
        Size = "size",
        /// The share of weights that are zero.
        Sparsity = "sparsity",
        /// The largest singular value.
        Spectral = "spectral",
        /// The largest singular value divided by the smallest.
        Condition = "condition",
        /// The sum of squares divided by the square of the largest singular value.
        StableRank = "stable_rank",
        /// The exponential of the entropy of singular values divided by their sum.
        EffectiveRank = "effective_rank",
        /// 1 + n / Σ ln(λ / λ_min) over all eigenvalues λ of the matrix times its transpose.
        AlphaHill = "alpha_hill",
        /// The entropy of the exponents of the numbers, in bits.
        ExponentEntropy = "exponent_entropy",
    }
}

impl Figure {
    fn needs_reference(self) -> bool {
        matches!(
            self,
            Figure::Distance | Figure::RelativeDistance | Figure::Cosine | Figure::Rotation
        )
    }

    fn is_spectral(self) -> bool {
        matches!(
            self,
            Figure::Spectral
                | Figure::Condition
                | Figure::StableRank
                | Figure::EffectiveRank
                | Figure::AlphaHill
        )
    }
}

words! {
    /// What numbers are about.
    pub enum Of {
        /// All weights together.
        Network = "network",
        /// Those of each layer: tensors whose names are the same up to the last point.
        Layer = "layer",
        /// Those of each tensor.
        Tensor = "tensor",
    }
}

/// What weights are compared with.
#[derive(Debug)]
pub enum Against {
    /// Their own first row.
    First,
    /// Other weights: one row, or one for each member.
    Weights(Gather<Weights>),
}

impl ParamType for Against {
    const GATHER: bool = true;

    fn ty() -> Type {
        let first = Type::Word(vec!["first".to_owned()]);
        Type::OneOf(vec![Type::Kind(Kind::Weights), first])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Text(_) => Ok(Self::First),
            other => Gather::from_value(field, other, bindings).map(Self::Weights),
        }
    }
}

plugin! {
    /// Numbers about weights alone: no data and no network are needed.
    ///
    /// Each row of a table has its lines, with the step or horizon in the column `horizon`, other
    /// coordinates and the name of layer or tensor in `group`. `distance`, `relative_distance`,
    /// `cosine` and `rotation` are relative to `against`. Those of singular values are of
    /// matrices: with `by: layer` or `by: tensor`; a convolution is a matrix of outputs by the
    /// rest, and what is not a matrix has none. `alpha_hill` takes all eigenvalues for the tail, other
    /// than the alpha of weightwatcher, which searches where it begins. Memory is one tensor.
    ///
    /// ```farcast
    /// score turns = diagnose(walk, against: first, metrics: [rotation, distance], by: layer)
    /// score ranks = diagnose(net, metrics: [spectral, stable_rank], by: tensor)
    /// ```
    "diagnose" version 1
    pub struct Diagnose {
        /// The weights.
        weights: Vec<Gather<Weights>>, variadic();
        /// What they are compared with: `first`, their own first row, or other weights.
        against: Option<Against>;
        /// The numbers.
        metrics: Vec<Figure> = "[norm]";
        /// What they are about.
        by: Of = "network";
    }
}

impl Plugin for Diagnose {
    type Output = Scores;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let metrics = call.get::<Vec<Figure>>("metrics").unwrap_or_default();
        let relative = metrics.iter().find(|figure| figure.needs_reference());
        let lacks = relative.filter(|_| !call.has("against")).map(|figure| {
            let message = format!("`{}` is relative to other weights", figure.word());
            let hint = "say which: `against: first`, or other weights";
            Complaint::at("metrics", message).with_hint(hint)
        });
        let spectral = metrics.iter().find(|figure| figure.is_spectral());
        let whole = call.get::<Of>("by") == Some(Of::Network);
        let whole = spectral.filter(|_| whole).map(|figure| {
            let message = format!("`{}` is of a matrix", figure.word());
            Complaint::at("metrics", message).with_hint("write `by: layer` or `by: tensor`")
        });
        let empty = metrics
            .is_empty()
            .then(|| Complaint::at("metrics", "expected a metric or more, found none"));
        let others = call.inputs("against");
        let many = others.iter().find(|other| !other.is_single()).map(|other| {
            let message = format!("expected one row of weights, `{}` has many", other.name);
            Complaint::at("against", message).with_hint("`pick` chooses rows")
        });
        let unlike = others.first().and_then(|other| {
            let inputs = call.inputs("weights");
            inputs
                .into_iter()
                .find_map(|input| mixed(&[*other, input], "against"))
        });
        [lacks, whole, empty, many, unlike]
            .into_iter()
            .flatten()
            .collect()
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let mut rows = Vec::new();
        for weights in &self.weights {
            self.about(weights, context, &mut rows)?;
        }
        Ok(Scores {
            rows,
            ..Scores::default()
        })
    }
}

/// A row of a table.
#[derive(Clone, Copy)]
struct Row<'a> {
    table: &'a Trajectory,
    row: usize,
}

impl Row<'_> {
    fn read(&self, columns: &Range<usize>) -> Result<Vec<f32>, Fault> {
        Ok(self.table.read(&[self.row], columns.clone())?.values)
    }
}

/// The tensors that one group of numbers is about.
struct TensorGroup {
    name: Option<String>,
    tensors: Vec<(Vec<usize>, Range<usize>)>,
}

impl Diagnose {
    fn about(
        &self,
        weights: &Gather<Weights>,
        context: &Context,
        lines: &mut Vec<ScoreRow>,
    ) -> Result<(), Fault> {
        // For each coordinate the values of members, in order.
        let mut found: Vec<(Option<f64>, Option<String>, Figure, Vec<Option<f64>>)> = Vec::new();
        let count = weights.members.len();
        for (member, table) in weights.members.iter().enumerate() {
            let Some(table) = table else { continue };
            let number = Some(member as u32);
            let rows = Rows::of(table, number)?;
            let parts = self.parts(&rows.table.layout);
            let reference = self.reference(&rows, member, count)?;
            let reference = reference
                .as_ref()
                .map(|(table, row)| Row { table, row: *row });
            let places = places(&rows)?;
            for (place, row) in places.into_iter().zip(&rows.rows) {
                context.check_stop()?;
                let row = Row {
                    table: rows.table,
                    row: *row,
                };
                let figures = self.figures(row, reference, &parts)?;
                for (part, figures) in parts.iter().zip(figures) {
                    let (horizon, group) = &place;
                    let names = group.iter().chain(&part.name).map(String::as_str);
                    let names: Vec<&str> = names.collect();
                    let group = (!names.is_empty()).then(|| names.join(", "));
                    for (figure, value) in self.metrics.iter().zip(figures) {
                        let known = found
                            .iter_mut()
                            .find(|(h, g, f, _)| h == horizon && *g == group && f == figure);
                        let values = match known {
                            Some((.., values)) => values,
                            None => {
                                let fresh = (*horizon, group.clone(), *figure, vec![None; count]);
                                found.push(fresh);
                                let Some((.., values)) = found.last_mut() else {
                                    continue;
                                };
                                values
                            }
                        };
                        values[member] = value.filter(|value| value.is_finite());
                    }
                }
            }
        }
        for (horizon, group, figure, values) in found {
            let members: Vec<_> = values.into_iter().map(|value| Some(vec![value])).collect();
            let named =
                crate::scores::support::table::rows_of(&weights.label.0, [figure.word()], &members);
            lines.extend(named.into_iter().map(|line| ScoreRow {
                horizon,
                group: group.clone(),
                ..line
            }));
        }
        Ok(())
    }

    /// The row that those of a member are compared with.
    fn reference(
        &self,
        rows: &Rows,
        member: usize,
        count: usize,
    ) -> Result<Option<(Trajectory, usize)>, Fault> {
        match &self.against {
            None => Ok(None),
            Some(Against::First) => Ok(rows.rows.first().map(|row| (rows.table.clone(), *row))),
            Some(Against::Weights(others)) => {
                let at = match others.members.len() {
                    1 => 0,
                    all if all == count => member,
                    all => {
                        let message = format!("expected 1 or {count} members, found {all}");
                        return Err(Fault::at("against", message));
                    }
                };
                let Some(Some(other)) = others.members.get(at) else {
                    return Ok(None);
                };
                let other: &Arc<Weights> = other;
                let found = Rows::of(other, Some(at as u32))?;
                let [row] = found.rows[..] else {
                    let message =
                        format!("expected one row of weights, found {}", found.rows.len());
                    return Err(Fault::at("against", message));
                };
                if found.table.layout != rows.table.layout {
                    let message = "these are weights of different networks";
                    return Err(Fault::at("against", message));
                }
                Ok(Some((found.table.clone(), row)))
            }
        }
    }

    fn parts(&self, layout: &Layout) -> Vec<TensorGroup> {
        let mut parts: Vec<TensorGroup> = Vec::new();
        for (tensor, range) in layout.ranges() {
            let name = match self.by {
                Of::Network => None,
                Of::Tensor => Some(tensor.name.clone()),
                Of::Layer => {
                    let name = tensor.name.rsplit_once('.');
                    Some(name.map_or(tensor.name.clone(), |(layer, _)| layer.to_owned()))
                }
            };
            let piece = (tensor.shape.clone(), range);
            match parts.iter_mut().find(|part| part.name == name) {
                Some(part) => part.tensors.push(piece),
                None => parts.push(TensorGroup {
                    name,
                    tensors: vec![piece],
                }),
            }
        }
        parts
    }

    /// For each part the value of each metric.
    fn figures(
        &self,
        row: Row,
        reference: Option<Row>,
        parts: &[TensorGroup],
    ) -> Result<Vec<Vec<Option<f64>>>, Fault> {
        let mut sums = Vec::new();
        for part in parts {
            sums.push(GroupSums::of(row, reference, part, &self.metrics)?);
        }
        let squares: f64 = sums.iter().map(|sums| sums.own).sum();
        let count: f64 = sums.iter().map(|sums| sums.count).sum();
        let value = |sums: &GroupSums, figure: &Figure| match figure {
            Figure::Norm => Some(sums.own.sqrt()),
            Figure::Distance => reference.map(|_| sums.apart.sqrt()),
            Figure::RelativeDistance => reference.map(|_| (sums.apart / sums.other).sqrt()),
            Figure::Cosine => reference.map(|_| sums.cosine()),
            Figure::Rotation => reference.map(|_| 1.0 - sums.cosine()),
            Figure::Share => Some(sums.own / squares),
            Figure::Size => Some(sums.count / count),
            Figure::Sparsity => Some(sums.zeros / sums.count),
            Figure::ExponentEntropy => Some(sums.entropy()),
            figure => spectral(*figure, sums.singular.as_deref()?),
        };
        let values = sums
            .iter()
            .map(|sums| self.metrics.iter().map(|it| value(sums, it)).collect());
        Ok(values.collect())
    }
}

/// Sums over the weights of a part.
struct GroupSums {
    count: f64,
    own: f64,
    other: f64,
    both: f64,
    apart: f64,
    zeros: f64,
    exponents: Vec<f64>,
    /// The singular values of its only matrix, the largest first.
    singular: Option<Vec<f64>>,
}

impl GroupSums {
    fn of(
        row: Row,
        reference: Option<Row>,
        part: &TensorGroup,
        metrics: &[Figure],
    ) -> Result<Self, Fault> {
        let mut sums = Self {
            count: 0.0,
            own: 0.0,
            other: 0.0,
            both: 0.0,
            apart: 0.0,
            zeros: 0.0,
            exponents: vec![0.0; 256],
            singular: None,
        };
        let matrices = part
            .tensors
            .iter()
            .filter(|(shape, _)| shape.len() >= 2)
            .count();
        let wants = metrics.iter().any(|figure| figure.is_spectral());
        for (shape, range) in &part.tensors {
            let weights = row.read(range)?;
            for weight in &weights {
                let number = f64::from(*weight);
                sums.count += 1.0;
                sums.own += number * number;
                sums.zeros += f64::from(u8::from(*weight == 0.0));
                sums.exponents[(weight.to_bits() >> 23 & 255) as usize] += 1.0;
            }
            if let Some(reference) = reference {
                let others = reference.read(range)?;
                for (weight, other) in weights.iter().zip(&others) {
                    let (weight, other) = (f64::from(*weight), f64::from(*other));
                    sums.other += other * other;
                    sums.both += weight * other;
                    sums.apart += (weight - other) * (weight - other);
                }
            }
            if wants && matrices == 1 && shape.len() >= 2 {
                sums.singular = singular(&weights, shape[0]);
            }
        }
        Ok(sums)
    }

    fn cosine(&self) -> f64 {
        self.both / (self.own.sqrt() * self.other.sqrt())
    }

    fn entropy(&self) -> f64 {
        let shares = self.exponents.iter().filter(|count| **count > 0.0);
        -shares
            .map(|count| count / self.count)
            .map(|share| share * share.log2())
            .sum::<f64>()
    }
}

/// The singular values of a matrix, row after row, the largest first.
fn singular(weights: &[f32], rows: usize) -> Option<Vec<f64>> {
    let columns = weights.len().checked_div(rows)?;
    if columns == 0 || weights.iter().any(|weight| !weight.is_finite()) {
        return None;
    }
    let matrix = Mat::from_fn(rows, columns, |row, column| {
        f64::from(weights[row * columns + column])
    });
    matrix.singular_values().ok()
}

fn spectral(figure: Figure, values: &[f64]) -> Option<f64> {
    let (first, last) = (*values.first()?, *values.last()?);
    let squares = || values.iter().map(|value| value * value);
    Some(match figure {
        Figure::Spectral => first,
        Figure::Condition => first / last,
        Figure::StableRank => squares().sum::<f64>() / (first * first),
        Figure::EffectiveRank => {
            let sum: f64 = values.iter().sum();
            let shares = values
                .iter()
                .map(|value| value / sum)
                .filter(|share| *share > 0.0);
            (-shares.map(|share| share * share.ln()).sum::<f64>()).exp()
        }
        Figure::AlphaHill => {
            let least = last * last;
            1.0 + values.len() as f64 / squares().map(|square| (square / least).ln()).sum::<f64>()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::table;

    #[derive(Deserialize)]
    struct Golden {
        w: Vec<Vec<f64>>,
        w0: Vec<Vec<f64>>,
        frobenius: f64,
        spectral: f64,
        condition: f64,
        stable_rank: f64,
        effective_rank: f64,
        alpha_hill: f64,
        rotation: f64,
        exponent_entropy_bits: f64,
    }

    #[test]
    fn figures_are_those_of_the_golden_file() {
        let text = include_str!("../../testdata/golden/weightspace/tensor.json");
        let golden: Golden = serde_json::from_str(text).expect("figures");
        let matrix = |rows: &[Vec<f64>]| {
            let mut weights = table(&[rows.concat()], None);
            weights.table.layout.tensors[0].shape = vec![rows.len(), rows[0].len()];
            given(weights)
        };
        let inputs = [("w", matrix(&golden.w)), ("v", matrix(&golden.w0))];
        let metrics = "norm, spectral, condition, stable_rank, effective_rank, alpha_hill, \
                       rotation, exponent_entropy";
        let arguments = format!("w, against: v, metrics: [{metrics}], by: tensor");
        let diagnose: Diagnose = call(&arguments, &inputs);
        let scores = diagnose.run(&Context::alone("diagnose")).expect("scores");
        let means = scores.rows.iter().filter(|row| row.member == "mean");
        let found: Vec<f64> = means.filter_map(|row| row.value).collect();
        let expected = [
            golden.frobenius,
            golden.spectral,
            golden.condition,
            golden.stable_rank,
            golden.effective_rank,
            golden.alpha_hill,
            golden.rotation,
            golden.exponent_entropy_bits,
        ];
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
        }
    }
}
