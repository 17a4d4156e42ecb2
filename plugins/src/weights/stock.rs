//! `stock(net, a, b)`: between what networks start from and their mean, by their angle.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use super::support::facts::{is, made, mixed, network};
use super::support::rows::{all, common, join};
use super::support::scope::{Scope, parts, within};
use super::support::stream::{Target, sources, walk, write};
use crate::parents::Parent;

plugin! {
    /// The point between a base and the mean of networks tuned from it that is nearest the centre.
    ///
    /// That is where the angle between the networks says the centre is: model stock (Jang et al. 2024).
    ///
    /// With c the mean over pairs of networks of the cosine of their differences from the base,
    /// and t = N c / (1 + (N - 1) c), it is t times the mean of the networks and 1 - t times the
    /// base, within each tensor or over all weights. The paper derives it for two; for more, the
    /// mean over pairs is the reading of mergekit.
    ///
    /// ```farcast
    /// parent other = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 3, members: 2)
    /// parent third = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 4, members: 2)
    /// parent middle = stock(net, other, third)
    /// ```
    "stock" version 2
    pub struct Stock {
        /// What the networks were tuned from.
        base: Input<Weights>;
        /// The networks.
        nets: Vec<Input<Weights>>, variadic();
        /// Over what angles are taken.
        scope: Scope = "tensor";
        /// The networks that the base belongs to.
        networks: Origins<Parent>, origins("base");
    }
}

impl Plugin for Stock {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let (inputs, nets) = (inputs(call), call.inputs("nets"));
        let few = (nets.len() < 2).then(|| {
            let message = format!("expected two tuned networks or more, found {}", nets.len());
            Complaint::at("nets", message)
        });
        let wrong = inputs.iter().find(|input| !is(input.degree(), 1.0));
        let wrong = wrong.map(|input| {
            let message = format!("`{}` is a difference: expected networks", input.name);
            Complaint::at("nets", message)
                .with_hint(format!("add it to one: `net + {}`", input.name))
        });
        let single = inputs.iter().all(|input| input.is_single());
        let role = network(call, 1.0, single);
        let found = few.into_iter().chain(mixed(&inputs, "nets"));
        found.chain(wrong).chain(role).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = inputs(call);
        made(call, &inputs, 1.0)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let tables = all(std::iter::once(&self.base).chain(&self.nets), context)?;
        let (layout, network) = common(&tables, &self.networks, "nets", context)?;
        let joined = join(&tables, "nets", context)?;
        let sources = sources(&tables, joined.rows);
        let (parts, count) = (parts(&layout, self.scope), self.nets.len());
        // The dots of the differences of each pair of networks.
        let mut dots =
            vec![vec![vec![0.0_f64; count * count]; parts.len()]; joined.coordinates.height()];
        walk(&sources, context, |columns, blocks| {
            let width = columns.len();
            for (row, dots) in dots.iter_mut().enumerate() {
                let of = |block: usize| &blocks[block].values[row * width..(row + 1) * width];
                for (part, here) in within(&parts, &columns) {
                    for at in here {
                        let base = f64::from(of(0)[at]);
                        for one in 0..count {
                            let first = f64::from(of(one + 1)[at]) - base;
                            for other in one..count {
                                let second = f64::from(of(other + 1)[at]) - base;
                                dots[part][one * count + other] += first * second;
                            }
                        }
                    }
                }
            }
            Ok(())
        })?;
        let shares: Vec<Vec<f64>> = dots
            .into_iter()
            .map(|row| row.into_iter().map(|dots| share(&dots, count)).collect())
            .collect();
        let target = Target {
            layout,
            coordinates: joined.coordinates,
            network,
        };
        write(target, &sources, context, |columns, blocks, made| {
            let width = columns.len();
            for (row, made) in made.chunks_exact_mut(width).enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let share = shares[row][part];
                    for at in here {
                        let of = |block: usize| f64::from(blocks[block].values[row * width + at]);
                        let mean = (1..=count).map(of).sum::<f64>() / count as f64;
                        made[at] = share * mean + (1.0 - share) * of(0);
                    }
                }
            }
            Ok(())
        })
    }
}

/// How far from the base to the mean; all the way where a network did not move from the base.
fn share(dots: &[f64], count: usize) -> f64 {
    let norm = |net: usize| dots[net * count + net].sqrt();
    let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other)));
    let cosines: Vec<f64> = pairs
        .map(|(one, other)| dots[one * count + other] / (norm(one) * norm(other)))
        .collect();
    let cosine = cosines
        .iter()
        .map(|cosine| cosine.clamp(-1.0, 1.0))
        .sum::<f64>()
        / cosines.len() as f64;
    let count = count as f64;
    let share = count * cosine / (1.0 + (count - 1.0) * cosine);
    if share.is_finite() { share } else { 1.0 }
}

fn inputs<'a>(call: &Sketch<'a>) -> Vec<dsl::facts::About<'a>> {
    [call.inputs("base"), call.inputs("nets")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{close, merge, parent, weights_of};

    #[test]
    fn it_is_that_of_the_golden_file() {
        let golden = merge();
        let nets = [
            ("n", &golden.base),
            ("a", &golden.a),
            ("b", &golden.b),
            ("c", &golden.c),
        ];
        let inputs = nets.map(|(name, net)| (name, given(parent(net))));
        let stock: Stock = call("n, a, b, c", &inputs);
        let found = stock.run(&Context::alone("stock")).expect("runs");
        close(&weights_of(&found), &golden.stock, 1e-5);
    }
}
