//! `evaluate(cnn, on: test)`: the loss of networks on data, and how often they are right.

use engine::artifact::{Dataset, Scores};
use engine::error::Fault;
use engine::params::{Gather, Input, Origins};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{plugin, words};

use super::Weights;
use super::support::facts::is;
use super::support::lines::{Lines, places};
use super::support::rows::Rows;
use crate::complete::complete;
use crate::networks::Network;
use crate::parents::{Parent, not_runnable};
use crate::scores::support::table::Measured;

words! {
    /// What is measured of a network.
    pub enum Quality {
        /// The mean loss it was trained to make small; targets are standardised.
        Loss = "loss",
        /// The share of rows whose class is the likeliest one.
        Accuracy = "accuracy",
    }
}

plugin! {
    /// The loss of networks on data they may never have seen, and how often they are right.
    ///
    /// Each metric is given for each member, with the `mean` and the `median` of the members'
    /// values; a diverged member has none. Each row of a table of weights has its lines, with the step or
    /// horizon in the column `horizon` and other coordinates in `group`. `compare` measures predictions of quantities in
    /// their own unit.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// parent cnn = conv(shapes, channels: [2], dense: [4], steps: 4, batch: 8, members: 2)
    /// score right = evaluate(cnn, on: shapes, metrics: [loss, accuracy])
    /// ```
    "evaluate" version 3
    pub struct Evaluate {
        /// The networks, or tables of them.
        parents: Vec<Gather<Weights>>, variadic();
        /// The rows, with the truth.
        on: Input<Dataset>, with_truth();
        /// What is measured.
        metrics: Vec<Quality> = "[loss]";
        /// The networks that tables of weights belong to.
        networks: Origins<Parent>, origins("parents");
    }
}

pub(crate) const OF_CLASSES: &str = "`accuracy` is of classes, found a network of quantities";
const OTHERS: &str = "`compare` has their metrics";

impl Plugin for Evaluate {
    type Output = Scores;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let metrics = call.get::<Vec<Quality>>("metrics").unwrap_or_default();
        let networks = call.inputs("parents").into_iter();
        let mut networks = networks.filter_map(|input| input.facts.network.as_ref());
        let is_wrong = metrics.contains(&Quality::Accuracy) && networks.any(|it| !it.classes);
        let complaint = Complaint::at("metrics", OF_CLASSES).with_hint(OTHERS);
        let complaint = is_wrong.then_some(complaint);
        let bare = not_runnable(call, "parents");
        let inputs = call.inputs("parents").into_iter();
        let difference = { inputs }.find(|input| !is(input.degree(), 1.0));
        let difference = difference.map(|input| {
            let message = format!("`{}` is a difference: expected networks", input.name);
            Complaint::at("parents", message).with_hint("add it to a network")
        });
        let first = bare.or(difference);
        first.into_iter().chain(complaint).collect()
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let mut scores = Scores::default();
        for weights in &self.parents {
            let mut all = Vec::new();
            for (member, table) in weights.members.iter().enumerate() {
                let Some(table) = table else { continue };
                let rows = Rows::of(table, Some(member as u32))?;
                let network = self.network(&rows)?;
                let places = places(&rows)?.into_iter().zip(rows.rows);
                all.extend(places.map(|(place, row)| (place, member, network, rows.table, row)));
            }
            let measured = context.share(&all, |(_, _, network, table, row)| {
                context.check_stop()?;
                let weights = table.networks(&[*row])?.concat();
                match weights.iter().all(|weight| weight.is_finite()) {
                    true => self.measured(network, &weights, context),
                    false => Ok(vec![None; self.metrics.len()]),
                }
            });
            let mut lines = Lines::new(weights.members.len());
            for ((place, member, ..), measured) in all.into_iter().zip(measured) {
                lines.add(place, member, measured?);
            }
            let names: Vec<&str> = self.metrics.iter().map(|metric| metric.word()).collect();
            scores.rows.extend(lines.rows(&weights.label.0, &names));
        }
        Ok(scores)
    }
}

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 4096;

impl Evaluate {
    /// How to run the rows of a table.
    fn network<'a>(&'a self, rows: &Rows<'a>) -> Result<&'a Network, Fault> {
        if let Some(network) = rows.network {
            return Ok(network);
        }
        let origins = self.networks.0.iter().filter_map(|it| it.network.as_ref());
        let mut fitting = origins.filter(|network| network.layout() == rows.table.layout);
        let Some(network) = fitting.next() else {
            let message = "these weights say nothing of their network: they cannot be run";
            return Err(Fault::at("parents", message));
        };
        match fitting.all(|other| other == network) {
            true => Ok(network),
            false => {
                let message = "these weights belong to networks that are run in different ways";
                Err(Fault::at("parents", message).with_hint("evaluate them one by one"))
            }
        }
    }

    /// The metrics of one network.
    fn measured(
        &self,
        network: &Network,
        weights: &[f32],
        context: &Context,
    ) -> Result<Measured, Fault> {
        for column in network.inputs().iter().chain(network.targets()) {
            complete(&self.on, &column.name, "on")?;
        }
        let rows: Vec<u32> = (0..self.on.rows() as u32).collect();
        let blocks: Vec<&[u32]> = rows.chunks(BLOCK).collect();
        let found = context.share(&blocks, |rows| {
            let samples = network.samples(&self.on.take(rows))?;
            let outputs = network.evaluate(weights, &samples.inputs, samples.rows);
            let loss = network.mean_loss(&outputs, &samples.targets) * rows.len() as f64;
            let classes = network.unscale(&outputs);
            let classes = classes.iter().zip(&samples.targets);
            let right = classes.filter(|(class, truth)| **class == f64::from(**truth));
            Ok::<_, Fault>((loss, right.count() as f64))
        });
        let (mut loss, mut right) = (0.0, 0.0);
        for found in found {
            let (of_block, right_in_block) = found?;
            loss += of_block;
            right += right_in_block;
        }
        let share = |sum: f64| sum / rows.len() as f64;
        let value = |metric: &Quality| match metric {
            Quality::Loss => share(loss),
            Quality::Accuracy => share(right),
        };
        Ok(self.metrics.iter().map(value).map(Some).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::table;
    use crate::testing::{call, given, members};
    use crate::weights::support::testing::{alignment, parent};

    #[test]
    fn rows_of_tables_have_the_lines_of_their_networks() {
        let golden = alignment();
        let (one, other) = (parent(&golden.reference), parent(&golden.far.network));
        let column = |at: usize| golden.x.iter().map(|row| row[at]).collect::<Vec<f64>>();
        let data = table(&[
            ("y", &golden.y[..]),
            ("x0", &column(0)),
            ("x1", &column(1)),
            ("x2", &column(2)),
        ]);
        let inputs = [
            ("p", members([Some(one.clone()), None, Some(other.clone())])),
            ("q", given(one.clone())),
            ("d", given(data)),
        ];
        let score = |text: &str| {
            let evaluate: Evaluate = call(text, &inputs);
            let scores = evaluate.run(&Context::alone("evaluate")).expect("scores");
            let rows = scores.rows.into_iter();
            rows.map(|row| (row.member, row.value)).collect::<Vec<_>>()
        };
        let all = score("p, on: d, metrics: [loss, accuracy]");
        let names: Vec<&str> = all[..5].iter().map(|(member, _)| &member[..]).collect();
        assert_eq!(names, ["0", "1", "2", "mean", "median"]);
        assert_eq!(all[1].1, None);
        let loss = |at: usize| all[at].1.expect("a loss");
        assert!((loss(0) - golden.far.losses_before[0]).abs() < 1e-6);
        assert!((loss(2) - golden.far.losses_before[10]).abs() < 1e-6);
        assert!((loss(3) - (loss(0) + loss(2)) / 2.0).abs() < 1e-12);
        assert_eq!(score("q, on: d")[0].1, all[0].1);
    }
}
