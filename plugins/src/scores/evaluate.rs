//! `evaluate(cnn, on: test)`: the loss of networks on data, and how often they are right.

use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Gather, Input};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{plugin, words};

use super::support::table::{Measured, rows_of};
use crate::complete::complete;
use crate::parents::{Parent, not_runnable};

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
    /// values; a diverged member has none. `compare` measures predictions of quantities in
    /// their own unit.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// parent cnn = conv(shapes, channels: [2], dense: [4], steps: 4, batch: 8, members: 2)
    /// score right = evaluate(cnn, on: shapes, metrics: [loss, accuracy])
    /// ```
    "evaluate" version 2
    pub struct Evaluate {
        /// The networks.
        parents: Vec<Gather<Parent>>, variadic();
        /// The rows, with the truth.
        on: Input<Dataset>, with_truth();
        /// What is measured.
        metrics: Vec<Quality> = "[loss]";
    }
}

const OF_CLASSES: &str = "`accuracy` is of classes, found a network of quantities";
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
        bare.into_iter().chain(complaint).collect()
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let mut rows: Vec<ScoreRow> = Vec::new();
        for parents in &self.parents {
            let members = parents.members.iter().map(|member| {
                context.check_stop()?;
                member
                    .as_deref()
                    .map(|parent| self.measured(parent))
                    .transpose()
            });
            let members = members.collect::<Result<Vec<_>, Fault>>()?;
            let names = self.metrics.iter().map(|metric| metric.word());
            rows.extend(rows_of(&parents.label.0, names, &members));
        }
        Ok(Scores {
            rows,
            ..Scores::default()
        })
    }
}

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 4096;

impl Evaluate {
    /// The metrics of one member.
    fn measured(&self, parent: &Parent) -> Result<Measured, Fault> {
        let network = parent.network().map_err(|fault| fault.inside("parents"))?;
        for column in network.inputs().iter().chain(network.targets()) {
            complete(&self.on, &column.name, "on")?;
        }
        let rows: Vec<u32> = (0..self.on.rows() as u32).collect();
        let (mut loss, mut right) = (0.0, 0.0);
        for rows in rows.chunks(BLOCK) {
            let samples = network.samples(&self.on.take(rows))?;
            let outputs = network.evaluate(&parent.weights, &samples.inputs, samples.rows);
            loss += network.mean_loss(&outputs, &samples.targets) * rows.len() as f64;
            let classes = network.unscale(&outputs);
            let classes = classes.iter().zip(&samples.targets);
            right += classes
                .filter(|(class, truth)| **class == f64::from(**truth))
                .count() as f64;
        }
        let share = |sum: f64| sum / rows.len() as f64;
        let value = |metric: &Quality| match metric {
            Quality::Loss => share(loss),
            Quality::Accuracy => share(right),
        };
        Ok(self.metrics.iter().map(value).map(Some).collect())
    }
}
