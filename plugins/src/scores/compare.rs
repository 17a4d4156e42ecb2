//! `compare(net, adapted, on: deep)`: parents and children against the truth.

use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Column, Gather, Input};
use engine::plugin;
use engine::plugin::{Context, Plugin};

use super::Metric;
use super::ensemble::Ensemble;
use super::groups::{Group, groups};
use crate::children::Child;
use crate::parents::{Loss, Network, Parent};

plugin! {
    /// Parents and children against the truth, member by member and as ensembles.
    ///
    /// Every metric is given for each member and for the `mean` and the `median` of the
    /// members' predictions, over all rows and, with `by`, for each group of rows. Rows
    /// without a truth or an input take no part. A diverged member, and a metric over
    /// predictions that are not all finite, has no value.
    "compare" version 1
    pub struct Compare {
        /// The network the others started from.
        parent: Gather<Parent>;
        /// What is compared with it.
        models: Vec<Gather<Child>>, variadic();
        /// The rows to predict, with the truth.
        on: Input<Dataset>, with_truth();
        /// What is measured.
        metrics: Vec<Metric> = "[rmse, mae, bias]";
        /// The column whose values group the rows: each value a group, or `bins` of equally
        /// many rows when there are more than 64.
        by: Option<Column>;
        /// How many groups a column of many values makes, each named by its mean.
        bins: usize = "20", range("1..=1000");
    }
}

impl Plugin for Compare {
    type Output = Scores;

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let target = self.target()?;
        let scored = self.rows(&target, context)?;
        let data = self.on.take(&scored);
        let truth = data.values(&target)?;
        let ensembles = self.ensembles(&data, context)?;
        let groups = match &self.by {
            Some(by) => groups(&data, &by.0, self.bins, context)?,
            None => vec![Group::all(data.rows())],
        };
        let mut rows = Vec::new();
        for ensemble in &ensembles {
            for group in &groups {
                rows.extend(self.scores(ensemble, &ensembles[0], group, truth));
            }
        }
        Ok(Scores {
            rows,
            parity: ensembles
                .iter()
                .map(|ensemble| parity(ensemble, truth))
                .collect(),
            unit: self
                .on
                .schema()
                .find(&target)
                .and_then(|column| column.unit.clone()),
            target,
            group_by: self.by.map(|by| by.0),
        })
    }
}

impl Compare {
    fn network(&self) -> Result<&Network, Fault> {
        match self.parent.members.iter().flatten().next() {
            Some(parent) => Ok(&parent.network),
            None => Err(all_diverged("parent", &self.parent.label.0)),
        }
    }

    /// The one column that is predicted.
    fn target(&self) -> Result<String, Fault> {
        match (&self.network()?.targets[..], self.network()?.loss) {
            ([target], Loss::Mse) => Ok(target.name.clone()),
            _ => Err(Fault::at(
                "parent",
                "expected a network with one target that is a quantity, found classes or several",
            )),
        }
    }

    /// The rows with a truth and all inputs.
    fn rows(&self, target: &str, context: &Context) -> Result<Vec<u32>, Fault> {
        let inputs = self
            .network()?
            .inputs
            .iter()
            .map(|input| input.name.as_str());
        let columns = inputs
            .chain([target])
            .map(|name| self.on.values(name))
            .collect::<Result<Vec<_>, _>>()?;
        let scored: Vec<u32> = (0..self.on.rows())
            .filter(|row| columns.iter().all(|column| column[*row].is_finite()))
            .map(|row| row as u32)
            .collect();
        let left_out = self.on.rows() - scored.len();
        if scored.is_empty() {
            return Err(Fault::at(
                "on",
                format!(
                    "expected rows with `{target}` and all inputs, found none among {}",
                    self.on.rows()
                ),
            ));
        }
        if left_out > 0 {
            context.note(format!(
                "{left_out} of {} rows lack `{target}` or an input and were left out",
                self.on.rows()
            ));
        }
        Ok(scored)
    }

    /// The predictions of the parent, then of every model.
    fn ensembles(&self, data: &Dataset, context: &Context) -> Result<Vec<Ensemble>, Fault> {
        let predict = |parent: &Parent| predictions(parent, data);
        let mut ensembles = vec![Ensemble::of(&self.parent, "parent", predict)?];
        for model in &self.models {
            context.check_stop()?;
            if model.members.iter().all(Option::is_none) {
                return Err(all_diverged("models", &model.label.0));
            }
            ensembles.push(Ensemble::of(model, "child", |child| child.predict(data))?);
        }
        for ensemble in &ensembles {
            let (bad, all) = ensemble.not_finite();
            if bad > 0 {
                context.note(format!(
                    "{bad} of {all} predictions of `{}` are not finite: what is measured over \
                     them has no value",
                    ensemble.label
                ));
            }
        }
        Ok(ensembles)
    }

    fn scores(
        &self,
        ensemble: &Ensemble,
        parent: &Ensemble,
        group: &Group,
        truth: &[f64],
    ) -> Vec<ScoreRow> {
        let truth = group.take(truth);
        let mut rows = Vec::new();
        for (member, predictions) in &ensemble.series {
            let found = predictions.as_ref().map(|values| group.take(values));
            let reference = parent.series(member).map(|values| group.take(values));
            rows.extend(self.metrics.iter().map(|metric| {
                ScoreRow {
                    member: member.clone(),
                    model: ensemble.label.clone(),
                    role: ensemble.role.to_owned(),
                    metric: metric.word().to_owned(),
                    horizon: None,
                    group: group.name.clone(),
                    value: found
                        .as_ref()
                        .and_then(|found| metric.of(found, &truth, reference.as_deref())),
                }
            }));
        }
        rows
    }
}

fn all_diverged(param: &'static str, label: &str) -> Fault {
    Fault::at(param, format!("all members of `{label}` diverged"))
        .with_hint("a lower rate or fewer steps may keep them finite")
}

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 4096;

/// The target for each row, in its own unit.
fn predictions(parent: &Parent, data: &Dataset) -> Result<Vec<f64>, Fault> {
    let network = &parent.network;
    let width = network.inputs.len().max(1);
    let inputs = network.inputs_of(data)?;
    Ok(inputs
        .chunks(BLOCK * width)
        .flat_map(|inputs| {
            let rows = inputs.len() / width;
            network.unscale(&network.evaluate(&parent.weights, inputs, rows))
        })
        .collect())
}

/// How many points a parity plot has at most.
const PARITY: usize = 2000;

/// Truth and the ensemble's mean prediction at evenly spaced rows.
fn parity(ensemble: &Ensemble, truth: &[f64]) -> (String, Vec<(f64, f64)>) {
    let points = truth.len().min(PARITY);
    let mean = ensemble.series("mean").unwrap_or_default();
    let points = (0..points)
        .map(|point| point * truth.len() / points)
        .filter_map(|row| Some((truth[row], *mean.get(row)?)))
        .filter(|(_, prediction)| prediction.is_finite())
        .collect();
    (ensemble.label.clone(), points)
}
