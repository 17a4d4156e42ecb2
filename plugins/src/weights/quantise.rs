//! `quantise(net, bits: 4)`: weights rounded to few values.

use dsl::types::Kind;
use engine::artifact::{Dataset, Trajectory};
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;

use super::Weights;
use super::support::facts::{made, network};
use super::support::rows::Rows;
use super::support::scope::{Scope, parts, within};
use super::support::seen::{Seen, not_dense};
use super::support::stream::{Source, Target, lone, walk, write};
use crate::networks::precise::{Matrix, Precise, matrices};
use crate::parents::Parent;

words! {
    /// How values are chosen.
    pub enum Rounding {
        /// The nearest.
        Nearest = "nearest",
        /// One input after the other, the next making up for the errors so far.
        GreedyPath = "greedy_path",
    }
}

plugin! {
    /// Weights rounded to the nearest of few values that are equally far apart.
    ///
    /// With `m = 2^(bits - 1) - 1` and the step `d` the largest magnitude divided by `m`, each
    /// weight is `d` times its quotient by `d`, rounded to the nearest whole number, of two the even
    /// one. The largest magnitude is that of each tensor, of each row of a matrix, or of all weights. Zeros
    /// stay zeros.
    ///
    /// `greedy_path` (Lybrand and Saab 2021) rounds the matrices of dense layers so that their sums
    /// on the rows `on` change little: for each input `t` in order, `q = Q(x̃·(u + w x) / ‖x̃‖²)` and
    /// `u ← u + w x - q x̃` from `u = 0`, with `x` the input in the full network, `x̃` in that which is
    /// rounded so far and `Q` the nearest value. Biases are rounded to the nearest.
    ///
    /// ```farcast
    /// parent small = quantise(net, bits: 4)
    /// ```
    "quantise" version 1
    pub struct Quantise {
        /// The weights.
        weights: Input<Weights>;
        /// Bits of a weight, its sign among them.
        bits: u32, range("2..=8");
        /// What has one step.
        scope: Scope = "tensor";
        /// How values are chosen.
        method: Rounding = "nearest";
        /// The rows that `greedy_path` looks at.
        on: Option<Input<Dataset>>;
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Quantise {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let input = call.input("weights");
        let degree = input.map_or(1.0, |input| input.degree());
        let single = input.is_some_and(|input| input.is_single());
        let is_greedy = call.get::<Rounding>("method") == Some(Rounding::GreedyPath);
        let bare = input.filter(|input| is_greedy && input.facts.no_network);
        let bare = bare.map(|input| {
            let message = format!("`{}` says nothing of its network", input.name);
            Complaint::at("weights", message).with_hint("`method: nearest` needs none")
        });
        let other = not_dense(call, "weights").filter(|_| is_greedy);
        let lacks = (is_greedy && !call.has("on")).then(|| {
            let message = "`greedy_path` looks at rows of data";
            Complaint::at("method", message).with_hint("say which: `on: …`")
        });
        let by_row = is_greedy && call.get::<Scope>("scope") == Some(Scope::Row);
        let by_row = by_row.then(|| {
            let message = "`greedy_path` has one step for all rows of a matrix";
            Complaint::at("scope", message).with_hint("expected `tensor` or `network`")
        });
        let unused = (!is_greedy && call.has("on"))
            .then(|| Complaint::at("on", "`nearest` needs no rows").as_warning());
        let found = [
            bare,
            other,
            lacks,
            by_row,
            unused,
            network(call, degree, single),
        ];
        found.into_iter().flatten().collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        made(call, &inputs, degree)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.weights, context.member())?;
        let (source, target) = lone(rows, &self.networks, "weights", context)?;
        let parts = parts(&target.layout, self.scope);
        let mut largest = vec![vec![0.0_f64; parts.len()]; target.coordinates.height()];
        let sources = [source];
        walk(&sources, context, |columns, blocks| {
            for (row, weights) in blocks[0].rows().enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let sizes = weights[here].iter().map(|weight| f64::from(weight.abs()));
                    largest[row][part] = sizes.fold(largest[row][part], f64::max);
                }
            }
            Ok(())
        })?;
        if let (Rounding::GreedyPath, Some(on)) = (self.method, &self.on) {
            let [source] = sources;
            return self.greedy(source, target, on, &largest, context);
        }
        let levels = |row: usize, part: usize| Levels::of(largest[row][part], self.bits);
        write(target, &sources, context, |columns, blocks, made| {
            let rows = blocks[0].rows().zip(made.chunks_exact_mut(columns.len()));
            for (row, (weights, made)) in rows.enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let levels = levels(row, part);
                    for at in here {
                        made[at] = levels.nearest(f64::from(weights[at]));
                    }
                }
            }
            Ok(())
        })
    }
}

/// Values that are equally far apart, as many on either side of zero.
#[derive(Clone, Copy)]
struct Levels {
    step: f64,
    most: f64,
}

impl Levels {
    /// Those of this many bits up to a largest one.
    fn of(largest: f64, bits: u32) -> Self {
        let most = f64::from((1_u32 << (bits - 1)) - 1);
        Self {
            step: largest / most,
            most,
        }
    }

    fn nearest(self, number: f64) -> f64 {
        match self.step > 0.0 {
            true => {
                let units = (number / self.step).round_ties_even();
                units.clamp(-self.most, self.most) * self.step
            }
            false => number,
        }
    }
}

impl Quantise {
    /// Each row layer after layer, what a layer takes being that of the rounded ones before.
    fn greedy(
        &self,
        source: Source,
        target: Target,
        on: &Dataset,
        largest: &[Vec<f64>],
        context: &Context,
    ) -> Result<Weights, Fault> {
        let Some(network) = &target.network else {
            let message = "these weights say nothing of their network";
            return Err(Fault::at("weights", message));
        };
        let seen = Seen::of(network, on).map_err(|fault| fault.inside("weights"))?;
        let mut made = Vec::new();
        for (row, largest) in source.rows.iter().zip(largest) {
            let weights = source.table.networks(&[*row])?.concat();
            if weights.iter().any(|weight| !weight.is_finite()) {
                made.extend(weights);
                continue;
            }
            let passed = seen.pass(&weights)?;
            let doubles: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let layers = matrices(&seen.layers.widths, &doubles);
            let precise = Precise::new(seen.layers, network.loss(), &doubles);
            let mut inputs = seen.inputs()?;
            for (at, layer) in layers.iter().enumerate() {
                context.check_stop()?;
                let levels = |part: usize| {
                    let part = if largest.len() > 1 { part } else { 0 };
                    Levels::of(largest[part], self.bits)
                };
                let rounded = Matrix {
                    weight: greedy(&layer.weight, &passed.inputs[at], &inputs, levels(2 * at)),
                    bias: layer
                        .bias
                        .iter()
                        .map(|it| levels(2 * at + 1).nearest(*it))
                        .collect(),
                };
                for row in 0..rounded.weight.nrows() {
                    let columns = 0..rounded.weight.ncols();
                    made.extend(columns.map(|column| rounded.weight[(row, column)] as f32));
                }
                made.extend(rounded.bias.iter().map(|bias| *bias as f32));
                inputs = precise.activated(&rounded.of(&inputs));
            }
        }
        let table = Trajectory::from_rows(target.layout, target.coordinates, &made)?;
        Ok(Weights {
            table: table.with_saved(source.table.saved.clone()),
            network: target.network,
        })
    }
}

/// A matrix `[outputs, inputs]` rounded along a greedy path, with what it takes in the full and in
/// the rounded network, `[rows, inputs]`.
fn greedy(weight: &Mat<f64>, full: &Mat<f64>, rounded: &Mat<f64>, levels: Levels) -> Mat<f64> {
    let (outputs, inputs, rows) = (weight.nrows(), weight.ncols(), full.nrows());
    let mut made = Mat::zeros(outputs, inputs);
    let mut errors: Mat<f64> = Mat::zeros(rows, outputs);
    for input in 0..inputs {
        let (x, y) = (full.col(input), rounded.col(input));
        let square: f64 = y.iter().map(|y| y * y).sum();
        for output in 0..outputs {
            let w = weight[(output, input)];
            let aim = match square > 0.0 {
                true => {
                    let products =
                        (0..rows).map(|row| y[row] * (errors[(row, output)] + w * x[row]));
                    products.sum::<f64>() / square
                }
                false => w,
            };
            let q = levels.nearest(aim);
            made[(output, input)] = q;
            for row in 0..rows {
                errors[(row, output)] += w * x[row] - q * y[row];
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::data::support::testing::table as table_of;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{alignment, close, golden, parent, table, weights_of};

    #[derive(Deserialize)]
    struct Golden {
        w: Vec<Vec<f64>>,
        nearest: Vec<Vec<f64>>,
        x: Vec<Vec<f64>>,
        xq: Vec<Vec<f64>>,
        bits: u32,
        gpfq: Vec<Vec<f64>>,
        error_gpfq: f64,
    }

    fn golden_file() -> Golden {
        golden(include_str!(
            "../../testdata/golden/weightspace/quantise.json"
        ))
    }

    #[test]
    fn the_greedy_path_is_that_of_the_golden_file() {
        let golden = golden_file();
        let matrix = |rows: &[Vec<f64>]| {
            Mat::from_fn(rows.len(), rows[0].len(), |row, column| rows[row][column])
        };
        let (w, x, y) = (matrix(&golden.w), matrix(&golden.x), matrix(&golden.xq));
        let found = greedy(&w, &x, &y, Levels::of(w.norm_max(), golden.bits));
        let expected = matrix(&golden.gpfq);
        assert!((&found - &expected).norm_max() < 1e-12 * expected.norm_max());
        let error = (&x * w.transpose() - &y * found.transpose()).norm_l2();
        assert!((error / golden.error_gpfq - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_network_on_a_greedy_path_changes_less_than_one_that_is_rounded() {
        let golden = alignment();
        let net = parent(&golden.reference);
        let column = |at: usize| golden.x.iter().map(|row| row[at]).collect::<Vec<f64>>();
        let columns = [0, 1, 2].map(column);
        let names = ["x0", "x1", "x2"];
        let pairs: Vec<(&str, &[f64])> = names
            .iter()
            .zip(&columns)
            .map(|(name, it)| (*name, &it[..]))
            .collect();
        let data = table_of(&pairs);
        let inputs = [("w", given(net.clone())), ("d", given(data.clone()))];
        let network = net.network.as_ref().expect("a network");
        let rows = network.inputs_of(&data).expect("inputs");
        let outputs = |weights: &[f32]| network.evaluate(weights, &rows, data.rows());
        let change = |method: &str| -> f32 {
            let quantise: Quantise = call(&format!("w, bits: 3{method}"), &inputs);
            let made = quantise.run(&Context::alone("quantise")).expect("runs");
            let pairs = outputs(&weights_of(&made))
                .into_iter()
                .zip(outputs(&net.weights));
            pairs.map(|(a, b)| (a - b).powi(2)).sum()
        };
        let (greedy, nearest) = (change(", method: greedy_path, on: d"), change(""));
        assert!(greedy < nearest, "{greedy} {nearest}");
    }

    #[test]
    fn values_are_those_of_the_golden_file() {
        let golden = golden_file();
        let inputs = [("w", given(table(&[golden.w.concat()], None)))];
        let quantise: Quantise = call("w, bits: 3", &inputs);
        let found = quantise.run(&Context::alone("quantise")).expect("runs");
        close(&weights_of(&found), &golden.nearest.concat(), 1e-6);
    }
}
