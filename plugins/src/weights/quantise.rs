//! `quantise(net, bits: 4)`: weights rounded to few values.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use super::support::facts::{made, network};
use super::support::rows::Rows;
use super::support::stream::{lone, walk, write};
use super::trim::{Scope, parts, within};
use crate::parents::Parent;

plugin! {
    /// Weights rounded to the nearest of few values that are equally far apart.
    ///
    /// With `m = 2^(bits - 1) - 1` and the step `d` the largest magnitude divided by `m`, each
    /// weight is `d` times its quotient by `d`, rounded to the nearest whole number, of two the even
    /// one. The largest magnitude is that of each tensor, or of all weights. Zeros stay zeros.
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
        Vec::from_iter(network(call, degree, single))
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
        let most = f64::from((1_u32 << (self.bits - 1)) - 1);
        write(target, &sources, context, |columns, blocks, made| {
            let rows = blocks[0].rows().zip(made.chunks_exact_mut(columns.len()));
            for (row, (weights, made)) in rows.enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let step = largest[row][part] / most;
                    for at in here {
                        let weight = f64::from(weights[at]);
                        made[at] = match step > 0.0 {
                            true => (weight / step).round_ties_even().clamp(-most, most) * step,
                            false => weight,
                        };
                    }
                }
            }
            Ok(())
        })
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
        nearest: Vec<Vec<f64>>,
    }

    #[test]
    fn values_are_those_of_the_golden_file() {
        let golden: Golden = golden(include_str!(
            "../../testdata/golden/weightspace/quantise.json"
        ));
        let inputs = [("w", given(table(&[golden.w.concat()], None)))];
        let quantise: Quantise = call("w, bits: 3", &inputs);
        let found = quantise.run(&Context::alone("quantise")).expect("runs");
        close(&weights_of(&found), &golden.nearest.concat(), 1e-6);
    }
}
