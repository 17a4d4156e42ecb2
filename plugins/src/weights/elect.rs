//! `elect(a - net, b - net)`: the mean of the differences that agree in sign.

use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use super::support::facts::{is, made, mixed};
use super::support::rows::{all, common, join};
use super::support::stream::{NOTHING, Target, sources, write};
use crate::parents::Parent;

plugin! {
    /// For each weight the mean of those differences that have the sign of their sum.
    ///
    /// The second and third step of TIES (Yadav et al. 2023): `net + 0.7 * elect(trim(a - net,
    /// keep: 20 %), trim(b - net, keep: 20 %))`. Zeros take no part; where the sum is zero, so is
    /// the result. To weigh tasks, scale them: `elect(0.7 * ta, 0.3 * tb)`. (mergekit 0.1 sums
    /// what agrees and divides by the sum of weights, and takes a sum of zero for positive.)
    ///
    /// ```farcast
    /// parent other = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 3, members: 2)
    /// parent third = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 4, members: 2)
    /// weights agreed = elect(other - net, third - net)
    /// ```
    "elect" version 3
    pub struct Elect {
        /// The differences.
        weights: Vec<Input<Weights>>, variadic();
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Elect {
    type Output = Weights;
    // Version 3 keeps negative zeros.
    const STREAMS: u32 = 2;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let inputs = call.inputs("weights");
        let few = (inputs.len() < 2).then(|| {
            let message = format!("expected two differences or more, found {}", inputs.len());
            let complaint = Complaint::at("weights", message);
            complaint.with_hint("`trim` keeps the largest weights of a single one")
        });
        let point = inputs.iter().find(|input| !is(input.degree(), 0.0));
        let point = point.map(|input| {
            let message = format!("`{}` is a network: expected differences", input.name);
            let hint = format!("subtract what they start from: `{} - net`", input.name);
            Complaint::at("weights", message)
                .with_hint(hint)
                .as_warning()
        });
        let mixed = mixed(&inputs, "weights");
        few.into_iter().chain(mixed).chain(point).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(0.0, |input| input.degree());
        made(call, &inputs, degree)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let tables = all(&self.weights, context)?;
        let (layout, network) = common(&tables, &self.networks, "weights", context)?;
        let joined = join(&tables, "weights", context)?;
        let sources = sources(&tables, joined.rows);
        let target = Target {
            layout,
            coordinates: joined.coordinates,
            network,
        };
        write(target, &sources, context, |_, blocks, made| {
            for (at, made) in made.iter_mut().enumerate() {
                let values = || blocks.iter().map(|block| f64::from(block.values[at]));
                let sum = values().fold(NOTHING, |sum, value| sum + value);
                if sum == 0.0 {
                    *made = sum;
                    continue;
                }
                if sum.is_nan() {
                    *made = f64::NAN;
                    continue;
                }
                let agree = values().filter(|value| value * sum > 0.0 || value.is_infinite());
                let (total, count) = agree.fold((0.0, 0.0), |(total, count), value| {
                    (total + value, count + 1.0)
                });
                *made = if count > 0.0 { total / count } else { 0.0 };
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{close, flat, merge, table, weights_of};

    fn elected(rows: &[Vec<f64>]) -> Vec<f32> {
        let names = ["a", "b", "c"];
        let inputs: Vec<_> = names
            .iter()
            .zip(rows)
            .map(|(name, row)| (*name, given(table(std::slice::from_ref(row), None))))
            .collect();
        let elect: Elect = call("a, b, c", &inputs);
        weights_of(&elect.run(&Context::alone("elect")).expect("runs"))
    }

    #[test]
    fn it_is_that_of_the_golden_file() {
        let golden = merge();
        let base = flat(&golden.base);
        let moved = [&golden.a, &golden.b, &golden.c].map(|net| {
            flat(net)
                .iter()
                .zip(&base)
                .map(|(a, b)| a - b)
                .collect::<Vec<_>>()
        });
        let expected: Vec<f64> = golden
            .elect_untrimmed
            .iter()
            .zip(&base)
            .map(|(a, b)| a - b)
            .collect();
        close(&elected(&moved), &expected, 1e-5);
    }

    #[test]
    fn zeros_take_no_part_and_a_sum_of_zero_is_zero() {
        let found = elected(&[
            vec![1.0, 1.0, 0.0],
            vec![0.0, -1.0, 0.0],
            vec![3.0, 0.0, 0.0],
        ]);
        assert_eq!(found, [2.0, 0.0, 0.0]);
    }
}
