//! `slerp(a, b, at: 0.3)`: between two networks along the sphere.

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
    /// The point between two tables along a great circle (Shoemake 1985).
    ///
    /// With cos Ω = u·v / (|u| |v|), it is (sin((1 - t) Ω) u + sin(t Ω) v) / sin Ω, within each
    /// tensor or over all weights; where |cos Ω| is above 0.9995, the straight line. `at: 0` is
    /// the first to the bit, `at: 1` the second.
    ///
    /// ```farcast
    /// parent other = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 3, members: 2)
    /// parent between = slerp(net, other, at: 0.3)
    /// ```
    "slerp" version 2
    pub struct Slerp {
        /// Where it starts.
        a: Input<Weights>;
        /// Where it ends.
        b: Input<Weights>;
        /// How far between them.
        at: f64, range("0..=1");
        /// Over what angles are taken.
        scope: Scope = "tensor";
        /// The networks that the first belong to.
        networks: Origins<Parent>, origins("a");
    }
}

impl Plugin for Slerp {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let inputs = inputs(call);
        let degrees: Vec<f64> = inputs.iter().map(|input| input.degree()).collect();
        let unlike = degrees
            .first()
            .zip(degrees.get(1))
            .filter(|(a, b)| !is(**a, **b));
        let unlike = unlike.map(|_| Complaint::at("b", "expected two networks or two differences"));
        let single = inputs.iter().all(|input| input.is_single());
        let role = network(call, degrees.first().copied().unwrap_or(1.0), single);
        mixed(&inputs, "b")
            .into_iter()
            .chain(unlike)
            .chain(role)
            .collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = inputs(call);
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        made(call, &inputs, degree)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let tables = all([&self.a, &self.b], context)?;
        let (layout, network) = common(&tables, &self.networks, "b", context)?;
        let joined = join(&tables, "b", context)?;
        let sources = sources(&tables, joined.rows);
        let parts = parts(&layout, self.scope);
        let mut sums = vec![vec![[0.0_f64; 3]; parts.len()]; joined.coordinates.height()];
        walk(&sources, context, |columns, blocks| {
            for (row, (a, b)) in blocks[0].rows().zip(blocks[1].rows()).enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let pairs = a[here.clone()].iter().zip(&b[here]);
                    let [aa, ab, bb] = &mut sums[row][part];
                    for (a, b) in pairs.map(|(a, b)| (f64::from(*a), f64::from(*b))) {
                        *aa += a * a;
                        *ab += a * b;
                        *bb += b * b;
                    }
                }
            }
            Ok(())
        })?;
        let t = self.at;
        let factors = |[aa, ab, bb]: [f64; 3]| {
            let cos = ab / (aa.sqrt() * bb.sqrt());
            if t == 0.0 || t == 1.0 || !cos.is_finite() || cos.abs() > 0.9995 {
                return [1.0 - t, t];
            }
            let angle = cos.acos();
            [
                ((1.0 - t) * angle).sin() / angle.sin(),
                (t * angle).sin() / angle.sin(),
            ]
        };
        let factors: Vec<Vec<[f64; 2]>> = sums
            .into_iter()
            .map(|row| row.into_iter().map(factors).collect())
            .collect();
        let target = Target {
            layout,
            coordinates: joined.coordinates,
            network,
        };
        write(target, &sources, context, |columns, blocks, made| {
            let made = made.chunks_exact_mut(columns.len());
            let rows = blocks[0].rows().zip(blocks[1].rows()).zip(made);
            for (row, ((a, b), made)) in rows.enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let [first, second] = factors[row][part];
                    for at in here {
                        made[at] = first * f64::from(a[at]) + second * f64::from(b[at]);
                    }
                }
            }
            Ok(())
        })
    }
}

fn inputs<'a>(call: &Sketch<'a>) -> Vec<dsl::facts::About<'a>> {
    [call.inputs("a"), call.inputs("b")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{close, merge, parent, weights_of};

    #[test]
    fn both_scopes_are_those_of_the_golden_file_and_the_ends_are_the_networks() {
        let golden = merge();
        let (a, b) = (parent(&golden.a), parent(&golden.b));
        let run = |arguments: &str| {
            let inputs = [("a", given(a.clone())), ("b", given(b.clone()))];
            let slerp: Slerp = call(&format!("a, b, {arguments}"), &inputs);
            weights_of(&slerp.run(&Context::alone("slerp")).expect("runs"))
        };
        close(&run("at: 0.3"), &golden.slerp_tensorwise, 1e-6);
        close(&run("at: 0.3, scope: network"), &golden.slerp_whole, 1e-6);
        assert_eq!(
            (run("at: 0"), run("at: 1")),
            (a.weights.clone(), b.weights.clone())
        );
    }
}
