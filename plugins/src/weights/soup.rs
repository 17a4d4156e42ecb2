//! `soup(net)`: one network from all members.

use dsl::types::Kind;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Gather, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::facts::one;
use super::support::rows::{Rows, common};
use super::support::stream::{Source, Target, write};
use super::{Weights, single};
use crate::complete::complete;
use crate::networks::Samples;
use crate::parents::{Parent, not_runnable};
use engine::params::Origins;

plugin! {
    /// The mean of the weights of all members: one network (Wortsman et al. 2022, model soups).
    ///
    /// `average` is the same over the rows of each member. Members of different starts must be
    /// brought into line first, by `align`. With `on` members are taken in the order of their
    /// loss, each kept when the mean with it is no worse on these rows (their greedy soup). Members that diverged are left out.
    ///
    /// ```farcast
    /// parent mixed = soup(net)
    /// ```
    "soup" version 2
    pub struct Soup {
        /// The networks.
        parents: Gather<Parent>;
        /// The rows to judge members by, not those of the test; without them all are taken.
        on: Option<Input<Dataset>>, with_truth();
    }
}

impl Plugin for Soup {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Parent, Kind::Weights, Kind::Child]
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        one(call, &call.inputs("parents"), 1.0)
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        Vec::from_iter(not_runnable(call, "parents").filter(|_| call.has("on")))
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let members: Vec<&Parent> = self
            .parents
            .members
            .iter()
            .flatten()
            .map(|it| &**it)
            .collect();
        let lost = self.parents.members.len() - members.len();
        if lost > 0 {
            context.note(format!("{lost} members diverged: left out"));
        }
        let chosen = match &self.on {
            None => members,
            Some(on) => self.greedy(members, on, context)?,
        };
        let tables = chosen.iter().map(|parent| Weights::of(parent));
        let tables = tables.collect::<Result<Vec<_>, Fault>>()?;
        let rows = tables.iter().map(|table| Rows::of(table, None));
        let rows = rows.collect::<Result<Vec<_>, Fault>>()?;
        if rows.is_empty() {
            return Err(Fault::Diverged("all members diverged".to_owned()));
        }
        let (layout, network) = common(&rows, &Origins(Vec::new()), "parents", context)?;
        let sources = rows.into_iter().map(|rows| Source {
            table: rows.table,
            rows: rows.rows,
        });
        let sources: Vec<Source> = sources.collect();
        let target = Target {
            layout,
            coordinates: single()?,
            network,
        };
        let count = sources.len() as f64;
        write(target, &sources, context, |_, blocks, sums| {
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

impl Soup {
    /// The members of the greedy soup, the best first.
    fn greedy<'m>(
        &self,
        members: Vec<&'m Parent>,
        on: &Dataset,
        context: &Context,
    ) -> Result<Vec<&'m Parent>, Fault> {
        let Some(first) = members.first() else {
            return Ok(members);
        };
        let network = first.network()?;
        for column in network.inputs().iter().chain(network.targets()) {
            complete(on, &column.name, "on")?;
        }
        let samples: Samples = network.samples(on)?;
        let mut ranked: Vec<(f64, &Parent)> = Vec::new();
        for member in members {
            context.check_stop()?;
            ranked.push((network.loss_on(&samples, &member.weights), member));
        }
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut chosen: Vec<&Parent> = Vec::new();
        let mut sum = vec![0.0_f64; network.layout().len()];
        let mut least = f64::INFINITY;
        for (_, member) in &ranked {
            context.check_stop()?;
            if member.weights.len() != sum.len() {
                return Err(Fault::at("parents", "the members are different networks"));
            }
            let count = (chosen.len() + 1) as f64;
            let added = sum.iter().zip(&member.weights);
            let added: Vec<f64> = added
                .map(|(sum, weight)| sum + f64::from(*weight))
                .collect();
            let mean: Vec<f32> = added.iter().map(|sum| (sum / count) as f32).collect();
            let loss = network.loss_on(&samples, &mean);
            if chosen.is_empty() || loss <= least {
                (sum, least) = (added, loss);
                chosen.push(member);
            }
        }
        context.note(format!(
            "{} of {} members are in the soup",
            chosen.len(),
            ranked.len()
        ));
        Ok(chosen)
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
