//! `spectral(net, edit: cap, value: 2)`: the matrices of weights edited by their norms.

use dsl::types::Kind;
use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;

use super::Weights;
use super::support::facts::{made, network};
use super::support::rows::Rows;
use super::support::stream::lone;
use crate::parents::Parent;

words! {
    /// What is done to a matrix.
    pub enum Edit {
        /// Its largest `rank` singular values are kept, or as many as hold the share `energy`
        /// of the sum of squares.
        Truncate = "truncate",
        /// It is scaled so that its largest singular value is at most `value`.
        Cap = "cap",
        /// Its singular values are at most `value`.
        Clip = "clip",
        /// Its rows have norm one.
        Equilibrate = "equilibrate",
        /// Its rows have at most the norm `value`.
        MaxRows = "max_rows",
    }
}

plugin! {
    /// The matrices of weights, edited by singular values or norms of rows.
    ///
    /// A convolution is a matrix of outputs by the rest; tensors of one axis stay as they are.
    /// Of a network with differences, edit the difference: `net + spectral(tuned - net, edit: truncate,
    /// rank: 4)` has updates of low rank. Time is that of a singular value decomposition of each
    /// matrix, memory that of the rows.
    ///
    /// ```farcast
    /// parent calm = spectral(net, edit: cap, value: 1)
    /// ```
    "spectral" version 2
    pub struct Spectral {
        /// The weights.
        weights: Input<Weights>;
        /// What is done.
        edit: Edit;
        /// How many singular values `truncate` keeps.
        rank: Option<usize>, range("1..");
        /// The share of the sum of squares that `truncate` keeps.
        energy: Option<f64>, range("0..=1");
        /// The norm of `cap`, `clip` and `max_rows`.
        value: Option<f64>, range("0..");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Spectral {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let has = |param: &str| call.has(param);
        let wrong = match call.get::<Edit>("edit") {
            Some(Edit::Truncate) if has("value") => Some(Complaint::at(
                "value",
                "`truncate` takes `rank` or `energy`",
            )),
            Some(Edit::Truncate) if has("rank") == has("energy") => {
                let found = if has("rank") { "both" } else { "neither" };
                let message = format!("expected `rank` or `energy`, found {found}");
                Some(Complaint::at("edit", message))
            }
            Some(Edit::Cap | Edit::Clip | Edit::MaxRows) if !has("value") => {
                Some(Complaint::at("edit", "expected `value`, the largest norm"))
            }
            Some(Edit::Truncate) | None => None,
            Some(_) => {
                let unused = ["rank", "energy"].into_iter().find(|param| has(param));
                unused
                    .map(|param| Complaint::at(param, format!("`{param}` is of `truncate` alone")))
            }
        };
        let input = call.input("weights");
        let known = input.and_then(|input| input.facts.tensors.clone());
        let tensors = known.iter().flat_map(|tensors| tensors.iter());
        let unfit = known
            .as_ref()
            .and_then(|_| unfit(tensors.map(|(_, shape)| &shape[..]), call.get("rank")));
        let unfit = unfit.map(|(param, message)| Complaint::at(param, message));
        let degree = input.map_or(1.0, |input| input.degree());
        let single = input.is_some_and(|input| input.is_single());
        let found = wrong.or(unfit).into_iter();
        found.chain(network(call, degree, single)).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        made(call, &inputs, degree)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.weights, context.member())?;
        let (source, target) = lone(rows, &self.networks, "weights", context)?;
        let layout = &target.layout;
        let shapes = layout.tensors.iter().map(|it| &it.shape[..]);
        if let Some((param, message)) = unfit(shapes, self.rank) {
            return Err(Fault::at(param, message));
        }
        let mut edited = Vec::with_capacity(source.rows.len() * layout.len());
        for row in &source.rows {
            let mut weights = source.table.networks(&[*row])?.concat();
            let is_finite = weights.iter().all(|weight| weight.is_finite());
            for (tensor, range) in layout.ranges().filter(|_| is_finite) {
                context.check_stop()?;
                if tensor.shape.len() >= 2 && !tensor.is_empty() {
                    self.matrix(&mut weights[range], tensor.shape[0])?;
                }
            }
            edited.extend(weights);
        }
        let table = Trajectory::from_rows(target.layout, target.coordinates, &edited)?;
        Ok(Weights {
            table: table.with_saved(source.table.saved.clone()),
            network: target.network,
        })
    }
}

/// Why tensors of these shapes cannot be edited, and the parameter to blame.
fn unfit<'a>(
    shapes: impl Iterator<Item = &'a [usize]>,
    rank: Option<usize>,
) -> Option<(&'static str, String)> {
    let matrices = shapes.filter(|shape| shape.len() >= 2);
    let ranks = matrices.map(|shape| shape[0].min(shape[1..].iter().product()));
    let Some(most) = ranks.max() else {
        return Some((
            "weights",
            "there is no matrix among these weights".to_owned(),
        ));
    };
    let rank = rank.filter(|rank| *rank > most)?;
    Some((
        "rank",
        format!("expected a rank of at most {most}, found {rank}"),
    ))
}

impl Spectral {
    /// Edits a matrix in place, row after row.
    fn matrix(&self, weights: &mut [f32], rows: usize) -> Result<(), Fault> {
        let columns = weights.len() / rows;
        let value = self.value.unwrap_or(1.0);
        if matches!(self.edit, Edit::Equilibrate | Edit::MaxRows) {
            for row in weights.chunks_exact_mut(columns) {
                let norm = row
                    .iter()
                    .map(|it| f64::from(*it).powi(2))
                    .sum::<f64>()
                    .sqrt();
                let scale = match self.edit {
                    Edit::Equilibrate => 1.0 / norm,
                    _ => (value / norm).min(1.0),
                };
                if norm > 0.0 {
                    row.iter_mut()
                        .for_each(|it| *it = (f64::from(*it) * scale) as f32);
                }
            }
            return Ok(());
        }
        let matrix = Mat::from_fn(rows, columns, |row, column| {
            f64::from(weights[row * columns + column])
        });
        let failed = |_| Fault::Diverged("a singular value decomposition did not end".to_owned());
        let svd = matrix.thin_svd().map_err(failed)?;
        let values: Vec<f64> = svd.S().column_vector().iter().copied().collect();
        let first = values.first().copied().unwrap_or(0.0);
        let squares: f64 = values.iter().map(|value| value * value).sum();
        let rank = match (self.rank, self.energy) {
            (Some(rank), _) => rank,
            // The whole is all of them: the smallest may not show in the sum.
            (None, Some(energy)) if energy < 1.0 => {
                let mut sum = 0.0;
                let enough = values.iter().position(|value| {
                    sum += value * value;
                    sum >= energy * squares
                });
                enough.map_or(values.len(), |at| at + 1)
            }
            (None, _) => values.len(),
        };
        let edited: Vec<f64> = values
            .iter()
            .enumerate()
            .map(|(at, own)| match self.edit {
                Edit::Truncate if at >= rank => 0.0,
                Edit::Cap if first > value => own * value / first,
                Edit::Clip => own.min(value),
                _ => *own,
            })
            .collect();
        // What changes nothing changes no bit.
        if edited == values {
            return Ok(());
        }
        let scaled = Mat::from_fn(rows, values.len(), |row, mode| {
            svd.U()[(row, mode)] * edited[mode]
        });
        let made = scaled * svd.V().transpose();
        for (at, weight) in weights.iter_mut().enumerate() {
            *weight = made[(at / columns, at % columns)] as f32;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{close, golden, table, weights_of};

    #[derive(Deserialize)]
    struct Golden {
        w: Vec<Vec<f64>>,
        truncated_rank2: Vec<Vec<f64>>,
        capped_by_scale: Vec<Vec<f64>>,
        capped_singular: Vec<Vec<f64>>,
        row_equilibrated: Vec<Vec<f64>>,
        max_norm_rows: Vec<Vec<f64>>,
    }

    #[test]
    fn matrices_are_those_of_the_golden_file() {
        let golden: Golden = golden(include_str!(
            "../../testdata/golden/weightspace/tensor.json"
        ));
        let mut weights = table(&[golden.w.concat()], None);
        weights.table.layout.tensors[0].shape = vec![6, 4];
        let run = |arguments: &str| {
            let inputs = [("w", given(weights.clone()))];
            let spectral: Spectral = call(&format!("w, {arguments}"), &inputs);
            weights_of(&spectral.run(&Context::alone("spectral")).expect("runs"))
        };
        close(
            &run("edit: truncate, rank: 2"),
            &golden.truncated_rank2.concat(),
            1e-6,
        );
        close(
            &run("edit: cap, value: 2"),
            &golden.capped_by_scale.concat(),
            1e-6,
        );
        close(
            &run("edit: clip, value: 2"),
            &golden.capped_singular.concat(),
            1e-6,
        );
        close(
            &run("edit: equilibrate"),
            &golden.row_equilibrated.concat(),
            1e-6,
        );
        close(
            &run("edit: max_rows, value: 1.5"),
            &golden.max_norm_rows.concat(),
            1e-6,
        );
        assert_eq!(run("edit: truncate, rank: 4"), weights_of(&weights));
        assert_eq!(run("edit: truncate, energy: 1"), weights_of(&weights));
        let inputs = [("w", given(weights.clone()))];
        let spectral: Spectral = call("w, edit: truncate, rank: 5", &inputs);
        let fault = spectral
            .run(&Context::alone("spectral"))
            .expect_err("refused");
        assert_eq!(fault.to_string(), "expected a rank of at most 4, found 5");
    }
}
