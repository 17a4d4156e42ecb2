//! `spectral(net, edit: cap, value: 2)`: the matrices of weights edited by their norms.

use dsl::types::Kind;
use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Input, Numbers, Origins};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;

use super::Weights;
use super::support::facts::{made, misnamed, mixed, network};
use super::support::rows::{all, common, join, mark};
use crate::calls::exactly_one;
use crate::parents::Parent;
use crate::patterns::{chosen, matches};

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
        /// The rows of the last matrix have norm one.
        UnitRows = "unit_rows",
        /// Its rows have at most the norm `value`.
        MaxRows = "max_rows",
        /// It has the norm that it has in `like`; or some `rows` of the last matrix have the mean
        /// norm of its others.
        MatchNorm = "match_norm",
    }
}

impl Edit {
    /// The parameters that say more.
    fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Truncate => &["rank", "energy"],
            Self::Cap | Self::Clip | Self::MaxRows => &["value"],
            Self::Equilibrate | Self::UnitRows => &[],
            Self::MatchNorm => &["rows", "like"],
        }
    }
}

plugin! {
    /// The matrices of weights, edited by singular values or norms of rows.
    ///
    /// A convolution is a matrix of outputs by the rest; tensors of one axis stay as they are.
    /// Of a network with differences, edit the difference: `net + spectral(tuned - net, edit: truncate,
    /// rank: 4)` has updates of low rank.
    ///
    /// `unit_rows`, and `match_norm` with `rows`, edit the matrix that makes the outputs: the
    /// last one, or those that `tensors` names, which files without a network need. With `rows`,
    /// what is learned of classes met late gets the mean norm of the other classes: the rows are
    /// multiplied by mean norm of the others / mean norm of these (weight aligning, Zhao et al. 2020).
    /// With `like`, each matrix is scaled to the norm that it has there: `like: member(net, 0)`,
    /// or `record(net)` at its first step.
    ///
    /// Time is that of a singular value decomposition of each
    /// matrix for `truncate`, `cap` and `clip`, memory that of the rows.
    ///
    /// ```farcast
    /// parent calm = spectral(net, edit: cap, value: 1)
    /// parent sized = spectral(net, edit: match_norm, like: member(net, 0))
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
        /// The rows that `match_norm` scales, counted from 0.
        rows: Option<Numbers>;
        /// The weights whose norms `match_norm` gives to these.
        like: Option<Input<Weights>>;
        /// The names of the matrices; all that the edit is about when left out.
        tensors: Option<Vec<String>>;
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
        let input = call.input("weights");
        let degree = input.map_or(1.0, |input| input.degree());
        let single = input.is_some_and(|input| input.is_single());
        let given = [call.inputs("weights"), call.inputs("like")].concat();
        let wrong = miscalled(call)
            .or_else(|| misnamed(call, "tensors"))
            .or_else(|| misfit(call))
            .or_else(|| mixed(&given, "like"))
            .or_else(|| many(call));
        wrong
            .into_iter()
            .chain(network(call, degree, single))
            .collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        made(call, &inputs, degree)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let tables = all(std::iter::once(&self.weights).chain(&self.like), context)?;
        let (layout, network) = common(&tables, &self.networks, "like", context)?;
        let joined = join(&tables, "like", context)?;
        let tensors: Vec<NamedShape> = layout
            .tensors
            .iter()
            .map(|it| (&it.name[..], &it.shape[..]))
            .collect();
        if let Some(patterns) = &self.tensors {
            chosen(&layout, patterns, "tensors")?;
        }
        let matrices = matrices(&tensors, self.tensors.as_deref(), self.is_of_last());
        let unfit = unfit(&tensors, &matrices, self.rank, self.rows.as_ref());
        let is_lost = self.is_of_last() && self.tensors.is_none() && network.is_none();
        let unfit = unfit.or_else(|| is_lost.then(|| lost(self.edit)));
        if let Some((param, message)) = unfit {
            return Err(Fault::at(param, message));
        }
        let ranges: Vec<_> = layout.ranges().map(|(_, range)| range).collect();
        let read = |table: usize, row: usize| {
            let rows = [joined.rows[table][row]];
            Ok::<_, Fault>(tables[table].table.networks(&rows)?.concat())
        };
        let (mut made, mut finite) = (Vec::new(), Vec::new());
        for row in 0..joined.coordinates.height() {
            let mut weights = read(0, row)?;
            let like = self.like.as_ref().map(|_| read(1, row)).transpose()?;
            let mut numbers = weights.iter().chain(like.iter().flatten());
            let is_finite = numbers.all(|weight| weight.is_finite());
            finite.push(is_finite);
            for at in matrices.iter().filter(|_| is_finite) {
                context.check_stop()?;
                let (range, rows) = (ranges[*at].clone(), tensors[*at].1[0]);
                match &like {
                    Some(like) => to_norm(&mut weights[range.clone()], norm(&like[range])),
                    None => self.matrix(&mut weights[range], rows)?,
                }
            }
            made.extend(weights);
        }
        if finite.iter().all(|is_finite| !is_finite) {
            return Err(Fault::Diverged("the weights are not finite".to_owned()));
        }
        let coordinates = mark(&joined.coordinates, &finite)?;
        let saved = tables[0].table.saved.clone();
        let table = Trajectory::from_rows(layout, coordinates, &made)?;
        Ok(Weights {
            table: table.with_saved(saved),
            network,
        })
    }
}

/// The name and shape of a tensor.
type NamedShape<'a> = (&'a str, &'a [usize]);

/// The matrices that are edited, by their places among all tensors: those with a name that one of
/// the patterns matches, or else all of them or the last.
fn matrices(tensors: &[NamedShape], patterns: Option<&[String]>, last: bool) -> Vec<usize> {
    let is_matrix = |(_, shape): &NamedShape| shape.len() >= 2 && !shape.contains(&0);
    let is_named = |name: &str| match patterns {
        Some(patterns) => patterns.iter().any(|pattern| matches(pattern, name)),
        None => true,
    };
    let all = tensors.iter().enumerate();
    let all = all.filter(|(_, tensor)| is_matrix(tensor) && is_named(tensor.0));
    let mut all: Vec<usize> = all.map(|(at, _)| at).collect();
    if last && patterns.is_none() {
        all.drain(..all.len().saturating_sub(1));
    }
    all
}

/// Why these matrices cannot be edited, and the parameter to blame.
fn unfit(
    tensors: &[NamedShape],
    matrices: &[usize],
    rank: Option<usize>,
    rows: Option<&Numbers>,
) -> Option<(&'static str, String)> {
    let shapes = matrices.iter().map(|at| tensors[*at].1);
    let ranks = shapes
        .clone()
        .map(|shape| shape[0].min(shape[1..].iter().product()));
    let Some(most) = ranks.max() else {
        let message = "there is no matrix among these weights";
        return Some(("weights", message.to_owned()));
    };
    if let Some(rank) = rank.filter(|rank| *rank > most) {
        let message = format!("expected a rank of at most {most}, found {rank}");
        return Some(("rank", message));
    }
    let mut wrong = shapes.filter_map(|shape| scaled(rows?, shape[0]).err());
    wrong.next().map(|message| ("rows", message))
}

/// Which of the rows of a matrix are scaled.
fn scaled(rows: &Numbers, all: usize) -> Result<Vec<usize>, String> {
    let known: Vec<u64> = (0..all as u64).collect();
    let unknown = |row: i64| format!("there is no row {row} among {all}");
    if let Numbers::Ranged(first, last, _) = rows {
        let out = [*first, *last].into_iter();
        let mut out = out.filter(|row| usize::try_from(*row).map_or(true, |row| row >= all));
        if let Some(row) = out.next() {
            return Err(unknown(row));
        }
    }
    let mut rows = rows.among(&known).map_err(unknown)?;
    rows.sort_unstable();
    rows.dedup();
    match rows.len() {
        0 => Err("expected a row or more, found none".to_owned()),
        count if count == all => Err("these are all rows: no others are left".to_owned()),
        _ => Ok(rows.into_iter().map(|row| row as usize).collect()),
    }
}

/// Refuses parameters that the edit does not take, and too few or too many of those that it does.
fn miscalled(call: &Sketch) -> Option<Complaint> {
    let edit = call.get::<Edit>("edit")?;
    let takes = edit.takes();
    let mut others = ["rank", "energy", "value", "rows", "like"].into_iter();
    if let Some(idle) = others.find(|param| call.has(param) && !takes.contains(param)) {
        let message = match takes {
            [] => format!("`{}` takes no `{idle}`", edit.word()),
            takes => format!(
                "`{}` takes `{}`, not `{idle}`",
                edit.word(),
                takes.join("` or `")
            ),
        };
        return Some(Complaint::at(idle, message));
    }
    match takes {
        [_, _] => exactly_one(call, takes).map(|found| Complaint {
            param: found.param.or_else(|| Some("edit".to_owned())),
            ..found
        }),
        ["value"] if !call.has("value") => {
            Some(Complaint::at("edit", "expected `value`, the largest norm"))
        }
        _ => None,
    }
}

/// Refuses matrices that are known not to be there, or not to have these rows or that rank.
fn misfit(call: &Sketch) -> Option<Complaint> {
    let input = call.input("weights")?;
    let patterns = call.get::<Vec<String>>("tensors");
    let (edit, rows) = (call.get::<Edit>("edit")?, call.get::<Numbers>("rows"));
    let last = is_of_last(edit, rows.as_ref());
    if last && patterns.is_none() && input.facts.no_network {
        let (param, message) = lost(edit);
        return Some(
            Complaint::at(param, message).with_hint("name it: `tensors: \"head.weight\"`"),
        );
    }
    let known = input.facts.tensors.clone()?;
    let tensors: Vec<NamedShape> = known
        .iter()
        .map(|(name, shape)| (&name[..], &shape[..]))
        .collect();
    let matrices = matrices(&tensors, patterns.as_deref(), last);
    let (param, message) = unfit(&tensors, &matrices, call.get("rank"), rows.as_ref())?;
    Some(Complaint::at(param, message))
}

/// Refuses a table of norms with many rows where one network is asked for.
fn many(call: &Sketch) -> Option<Complaint> {
    let like = call.input("like").filter(|like| !like.is_single())?;
    let is_lone = call.input("weights")?.is_single();
    let message = format!("expected one row of weights, `{}` has many", like.name);
    is_lone.then(|| Complaint::at("like", message).with_hint("`pick` chooses rows"))
}

/// Whether an edit is of the matrix that makes the outputs.
fn is_of_last(edit: Edit, rows: Option<&Numbers>) -> bool {
    edit == Edit::UnitRows || rows.is_some()
}

/// Why that matrix is not known.
fn lost(edit: Edit) -> (&'static str, String) {
    let message = format!(
        "`{}` is of the matrix that makes the outputs: without a network it is not known",
        edit.word()
    );
    ("edit", message)
}

/// The root of the sum of squares.
fn norm(weights: &[f32]) -> f64 {
    let squares = weights.iter().map(|weight| f64::from(*weight).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Multiplies weights by a number.
fn scale(weights: &mut [f32], factor: f64) {
    weights
        .iter_mut()
        .for_each(|it| *it = (f64::from(*it) * factor) as f32);
}

/// Scales weights to a norm; zeros stay.
fn to_norm(weights: &mut [f32], wanted: f64) {
    let own = norm(weights);
    if own > 0.0 {
        scale(weights, wanted / own);
    }
}

impl Spectral {
    fn is_of_last(&self) -> bool {
        is_of_last(self.edit, self.rows.as_ref())
    }

    /// Edits a matrix in place, row after row.
    fn matrix(&self, weights: &mut [f32], rows: usize) -> Result<(), Fault> {
        let columns = weights.len() / rows;
        let value = self.value.unwrap_or(1.0);
        if let Some(chosen) = &self.rows {
            let chosen = scaled(chosen, rows).map_err(|message| Fault::at("rows", message))?;
            match_rows(weights, columns, &chosen);
            return Ok(());
        }
        if matches!(
            self.edit,
            Edit::Equilibrate | Edit::UnitRows | Edit::MaxRows
        ) {
            for row in weights.chunks_exact_mut(columns) {
                match self.edit {
                    Edit::MaxRows if norm(row) <= value => {}
                    Edit::MaxRows => to_norm(row, value),
                    _ => to_norm(row, 1.0),
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

/// Scales some rows of a matrix so that their mean norm is that of the others.
fn match_rows(weights: &mut [f32], columns: usize, chosen: &[usize]) {
    let (mut own, mut others) = ((0.0, 0.0), (0.0, 0.0));
    for (at, row) in weights.chunks_exact(columns).enumerate() {
        let (sum, count) = match chosen.binary_search(&at) {
            Ok(_) => &mut own,
            Err(_) => &mut others,
        };
        *sum += norm(row);
        *count += 1.0;
    }
    let factor = (others.0 / others.1) / (own.0 / own.1);
    // Zeros have no direction to grow in.
    if factor.is_finite() {
        for at in chosen {
            scale(&mut weights[at * columns..(at + 1) * columns], factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Tensor;
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
        w0: Vec<Vec<f64>>,
        norm_to_start: Vec<Vec<f64>>,
    }

    /// A table of one row with a matrix, a vector and another matrix.
    fn matrices(numbers: &[f64]) -> Weights {
        let mut weights = table(&[numbers.to_vec()], None);
        let named = |name: &str, shape: &[usize]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        weights.table.layout.tensors = vec![
            named("body.weight", &[2, 3]),
            named("body.bias", &[2]),
            named("head.weight", &[4, 2]),
        ];
        weights
    }

    fn edit(arguments: &str, weights: &Weights) -> Result<Vec<f32>, Fault> {
        let like: Vec<f64> = (0..16).map(|at| f64::from(at) - 7.0).collect();
        let inputs = [("w", given(weights.clone())), ("l", given(matrices(&like)))];
        let spectral: Spectral = call(&format!("w, {arguments}"), &inputs);
        let found = spectral.run(&Context::alone("spectral"))?;
        Ok(weights_of(&found))
    }

    #[test]
    fn norms_are_those_of_other_rows_or_of_other_weights() {
        let numbers: Vec<f64> = (1..=16).map(|at| f64::from(at * at % 11) - 4.5).collect();
        let weights = matrices(&numbers);
        let norm = |numbers: &[f64]| numbers.iter().map(|it| it * it).sum::<f64>().sqrt();
        let head: Vec<f64> = numbers[8..].chunks(2).map(norm).collect();
        let mut expected = numbers.clone();
        let factor = (head[0] + head[2]) / (head[1] + head[3]);
        for at in [10, 11, 14, 15] {
            expected[at] *= factor;
        }
        let head_alone = r#"tensors: "head.*""#;
        let by_rows = edit(
            &format!("edit: match_norm, rows: [3, 1], {head_alone}"),
            &weights,
        );
        close(&by_rows.expect("runs"), &expected, 1e-6);

        let mut expected = numbers.clone();
        for row in expected[8..].chunks_mut(2) {
            let norm = norm(row);
            row.iter_mut().for_each(|it| *it /= norm);
        }
        let unit = edit(&format!("edit: unit_rows, {head_alone}"), &weights);
        close(&unit.expect("runs"), &expected, 1e-6);

        let like: Vec<f64> = (0..16).map(|at| f64::from(at) - 7.0).collect();
        let mut expected = numbers.clone();
        for range in [0..6, 8..16] {
            let factor = norm(&like[range.clone()]) / norm(&numbers[range.clone()]);
            expected[range].iter_mut().for_each(|it| *it *= factor);
        }
        close(
            &edit("edit: match_norm, like: l", &weights).expect("runs"),
            &expected,
            1e-6,
        );
        let body = edit(r#"edit: match_norm, like: l, tensors: "body.*""#, &weights);
        expected[8..].copy_from_slice(&numbers[8..]);
        close(&body.expect("runs"), &expected, 1e-6);

        let mut diverged = numbers.clone();
        diverged[0] = f64::NAN;
        let fault = edit("edit: equilibrate", &matrices(&diverged)).expect_err("not finite");
        assert!(matches!(fault, Fault::Diverged(_)), "{fault}");
    }

    #[test]
    fn rows_that_are_not_there_are_refused() {
        let numbers: Vec<f64> = (0..16).map(f64::from).collect();
        let weights = matrices(&numbers);
        for (rows, message) in [
            ("[4]", "there is no row 4 among 4"),
            ("2..=4", "there is no row 4 among 4"),
            ("[]", "expected a row or more, found none"),
            ("0..=3", "these are all rows: no others are left"),
        ] {
            let arguments = format!("edit: match_norm, rows: {rows}, tensors: \"head.*\"");
            let fault = edit(&arguments, &weights).expect_err("refused");
            assert_eq!(fault.to_string(), message, "{rows}");
        }
        let fault = edit("edit: unit_rows", &weights).expect_err("refused");
        let message = "`unit_rows` is of the matrix that makes the outputs: without a network it is not known";
        assert_eq!(fault.to_string(), message);
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
        let mut start = weights.clone();
        start.table = table(&[golden.w0.concat()], None).table;
        start.table.layout = weights.table.layout.clone();
        let inputs = [("w", given(weights.clone())), ("s", given(start))];
        let spectral: Spectral = call("w, edit: match_norm, like: s", &inputs);
        let found = spectral.run(&Context::alone("spectral")).expect("runs");
        close(&weights_of(&found), &golden.norm_to_start.concat(), 1e-6);
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
