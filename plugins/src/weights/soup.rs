//! `soup(net)`: one network from all members.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Gather, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::chosen::{Candidates, Chosen};
use super::support::facts::one;
use super::support::rows::{Rows, common};
use super::support::stream::{NOTHING, Target, sources, write};
use super::{Weights, single};
use crate::parents::Parent;

plugin! {
    /// The mean of the weights of all members: one network (Wortsman et al. 2022, model soups).
    ///
    /// `average` is the same over the rows of each member. Members of different starts must be
    /// brought into line first, by `align`. With `on`, members are judged by data: `greedy` takes
    /// the best, then each next one that makes the mean no worse (their greedy soup), `best` a
    /// share of them. Members that diverged are left out.
    ///
    /// ```farcast
    /// parent mixed = soup(net)
    /// parent greedy = soup(net, on: seen)
    /// parent half = soup(net, on: seen, choose: best, share: 50 %)
    /// ```
    "soup" version 4
    pub struct Soup {
        /// The networks.
        parents: Gather<Parent>;
        /// Which members are averaged.
        chosen: Chosen, flatten();
    }
}

impl Plugin for Soup {
    type Output = Weights;
    // Version 3 keeps negative zeros.
    const STREAMS: u32 = 2;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Parent, Kind::Weights, Kind::Child]
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        one(call, &call.inputs("parents"), 1.0)
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        Vec::from_iter(Chosen::check(call, "parents"))
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let members = self.parents.members.iter().flatten();
        let members: Vec<&Parent> = members.map(|member| &**member).collect();
        let lost = self.parents.members.len() - members.len();
        if lost > 0 {
            context.note(format!("{lost} members diverged: left out"));
        }
        let tables = members.iter().map(|parent| Weights::of(parent));
        let tables = tables.collect::<Result<Vec<_>, Fault>>()?;
        let rows = tables.iter().map(|table| Rows::of(table, None));
        let rows = rows.collect::<Result<Vec<_>, Fault>>()?;
        if rows.is_empty() {
            return Err(Fault::Diverged("all members diverged".to_owned()));
        }
        let (layout, network) = common(&rows, &Origins(Vec::new()), "parents", context)?;
        let candidates = Candidates {
            network: network.as_ref(),
            factors: &vec![1.0; members.len()],
            weights: &|at| Ok(members[at].weights.clone()),
        };
        let chosen = self.chosen.among(&candidates, context)?;
        let of_all = sources(&rows, rows.iter().map(|table| table.rows.clone()).collect());
        let sources: Vec<_> = chosen.iter().map(|at| of_all[*at].clone()).collect();
        let target = Target {
            layout,
            coordinates: single()?,
            network,
        };
        let count = sources.len() as f64;
        write(target, &sources, context, |_, blocks, sums| {
            sums.fill(NOTHING);
            for block in blocks {
                for (sum, weight) in sums.iter_mut().zip(&block.values) {
                    *sum += f64::from(*weight);
                }
            }
            sums.iter_mut().for_each(|sum| *sum /= count);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given, members};
    use crate::weights::support::testing::{close, merge, parent, weights_of};

    #[test]
    fn the_mean_is_that_of_the_golden_file_and_one_member_is_itself() {
        let golden = merge();
        let three = [&golden.a, &golden.b, &golden.c].map(|net| Some(parent(net)));
        let soup: Soup = call("p", &[("p", members(three))]);
        let found = soup.run(&Context::alone("soup")).expect("runs");
        close(&weights_of(&found), &golden.mean, 1e-6);
        let alone = parent(&golden.a);
        let soup: Soup = call("p", &[("p", given(alone.clone()))]);
        let found = soup.run(&Context::alone("soup")).expect("runs");
        assert_eq!(weights_of(&found), alone.weights);
    }
}
