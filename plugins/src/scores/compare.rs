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
    ///
    /// ```farcast
    /// score errors = compare(net, adapted, on: unseen, metrics: [rmse, skill], by: z, bins: 5)
    /// ```
    "compare" version 1
    pub struct Compare {
        /// The network the others started from.
        parent: Gather<Parent>;
        /// What is compared with it.
        models: Vec<Gather<Child>> = "[]", variadic();
        /// The rows to predict, with the truth.
        on: Input<Dataset>, with_truth();
        /// What is measured.
        metrics: Vec<Metric> = "[rmse, mae, bias]";
        /// The column whose values group the rows: each value a group, or `bins` of equally
        /// many rows when there are more than 64.
        by: Option<Column>;
        /// The unit of the target, where the data do not say it.
        unit: Option<String>;
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
        let schema = self.on.schema();
        let known = schema.find(&target).and_then(|column| column.unit.clone());
        let unit = known.or(self.unit);
        for row in &mut rows {
            let metric = self
                .metrics
                .iter()
                .find(|metric| metric.word() == row.metric);
            if metric.is_some_and(|metric| metric.has_unit()) {
                row.unit.clone_from(&unit);
            }
        }
        Ok(Scores {
            rows,
            parity: ensembles
                .iter()
                .map(|ensemble| parity(ensemble, truth))
                .collect(),
            unit,
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
                    unit: None,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::artifact::DataColumn;
    use engine::params::Label;

    use super::*;
    use crate::children::tests::{child, data};

    /// The children's data with a truth, `t`, of 10 in every row.
    fn scored(rows: usize) -> Dataset {
        let truth = DataColumn {
            name: "t".to_owned(),
            unit: Some("kg m-3".to_owned()),
            values: vec![10.0; rows].into(),
        };
        data(rows).with(truth).unwrap()
    }

    /// A child whose network gives `10 + 3 * bias` in every row, whatever its inputs.
    fn constant(bias: f32) -> Child {
        let mut child = child(1);
        child.parent.weights.fill(0.0);
        child.regression.coefficients.fill(0.0);
        *child.parent.weights.last_mut().unwrap() = bias;
        child
    }

    fn gather<T>(label: &str, members: impl IntoIterator<Item = Option<T>>) -> Gather<T> {
        Gather {
            label: Label(label.to_owned()),
            members: members.into_iter().map(|m| m.map(Arc::new)).collect(),
        }
    }

    /// Three members, the second diverged; parents are off by 3 and 6, children by 0 and 3.
    fn compare(data: Dataset) -> Compare {
        let parents = [Some(1.0), None, Some(2.0)];
        let children = [Some(0.0), None, Some(1.0)];
        Compare {
            parent: gather("net", parents.map(|bias| bias.map(|b| constant(b).parent))),
            models: vec![gather("adapted", children.map(|bias| bias.map(constant)))],
            on: Input::new(data),
            metrics: vec![Metric::Rmse, Metric::Skill],
            by: None,
            bins: 20,
            unit: None,
        }
    }

    fn value(
        scores: &Scores,
        model: &str,
        member: &str,
        metric: &str,
        group: Option<&str>,
    ) -> Option<f64> {
        let found: Vec<&ScoreRow> = scores
            .rows
            .iter()
            .filter(|row| (&row.model[..], &row.member[..]) == (model, member))
            .filter(|row| (&row.metric[..], row.group.as_deref()) == (metric, group))
            .collect();
        assert_eq!(found.len(), 1, "{model} {member} {metric} {group:?}");
        found[0].value
    }

    #[test]
    fn members_and_ensembles_are_scored_against_the_parent() {
        let context = Context::alone("compare");
        let scores = compare(scored(10)).run(&context).unwrap();
        assert_eq!(scores.rows.len(), 2 * 5 * 2);
        for (model, member, rmse, skill) in [
            ("net", "0", Some(3.0), Some(0.0)),
            ("net", "1", None, None),
            ("net", "2", Some(6.0), Some(0.0)),
            ("net", "mean", Some(4.5), Some(0.0)),
            ("adapted", "0", Some(0.0), Some(1.0)),
            ("adapted", "1", None, None),
            ("adapted", "2", Some(3.0), Some(0.75)),
            // The mean prediction is off by 1.5, the parents' by 4.5: 1 - 2.25 / 20.25.
            ("adapted", "mean", Some(1.5), Some(1.0 - 2.25 / 20.25)),
            ("adapted", "median", Some(1.5), Some(1.0 - 2.25 / 20.25)),
        ] {
            assert_eq!(value(&scores, model, member, "rmse", None), rmse);
            assert_eq!(value(&scores, model, member, "skill", None), skill);
        }
        assert_eq!(scores.rows[0].role, "parent");
        assert_eq!(scores.rows[10].role, "child");
        assert_eq!(
            (&scores.target[..], scores.unit.as_deref()),
            ("t", Some("kg m-3"))
        );
        assert_eq!(
            scores.parity[1],
            ("adapted".to_owned(), vec![(10.0, 11.5); 10])
        );
        assert!(context.take_notes().is_empty());
    }

    #[test]
    fn groups_are_scored_apart() {
        let mut call = compare(scored(10));
        call.by = Some(Column("z".to_owned()));
        let scores = call.run(&Context::alone("compare")).unwrap();
        // All rows and z = 0, 1, 2, 3, 4, for two models, five series, two metrics.
        assert_eq!(scores.rows.len(), 6 * 2 * 5 * 2);
        assert_eq!(value(&scores, "adapted", "2", "rmse", Some("4")), Some(3.0));
        assert_eq!(scores.group_by.as_deref(), Some("z"));
    }

    fn with_gap(data: &Dataset, name: &str, row: usize) -> Dataset {
        let columns = data.columns().iter().map(|column| {
            let mut column = column.clone();
            if column.name == name {
                let mut values = column.values.to_vec();
                values[row] = f64::NAN;
                column.values = values.into();
            }
            column
        });
        Dataset::new(columns.collect()).unwrap()
    }

    #[test]
    fn rows_without_truth_or_input_are_left_out_and_counted() {
        let context = Context::alone("compare");
        let data = with_gap(&with_gap(&scored(10), "t", 3), "a", 4);
        let scores = compare(data).run(&context).unwrap();
        assert_eq!(value(&scores, "net", "0", "rmse", None), Some(3.0));
        assert_eq!(scores.parity[0].1.len(), 8);
        assert_eq!(
            context.take_notes(),
            ["2 of 10 rows lack `t` or an input and were left out"]
        );
    }

    #[test]
    fn predictions_that_are_not_finite_leave_no_value_and_are_counted() {
        let context = Context::alone("compare");
        let mut call = compare(with_gap(&scored(10), "z", 7));
        let mut moving = constant(0.0);
        *moving.regression.coefficients.last_mut().unwrap() = 1e-3;
        call.models = vec![gather("adapted", [Some(moving), None, Some(constant(1.0))])];
        call.by = Some(Column("z".to_owned()));
        let scores = call.run(&context).unwrap();
        assert_eq!(value(&scores, "adapted", "0", "rmse", None), None);
        assert_eq!(value(&scores, "adapted", "mean", "rmse", None), None);
        assert_eq!(value(&scores, "adapted", "2", "rmse", None), Some(3.0));
        assert!(value(&scores, "adapted", "0", "rmse", Some("3")).is_some());
        assert_eq!(scores.parity[1].1.len(), 9);
        assert_eq!(
            context.take_notes(),
            [
                "1 of 20 predictions of `adapted` are not finite: what is measured over them has no value",
                "1 of 10 rows lack `z` and are in no group",
            ]
        );
    }

    #[test]
    fn what_cannot_be_scored_is_refused() {
        let refused = |call: Compare| {
            call.run(&Context::alone("compare"))
                .unwrap_err()
                .to_string()
        };
        let mut call = compare(scored(3));
        call.models = vec![gather("adapted", [None, None, None])];
        assert_eq!(refused(call), "all members of `adapted` diverged");
        let mut call = compare(scored(3));
        call.parent = gather("net", [None]);
        assert_eq!(refused(call), "all members of `net` diverged");
        assert_eq!(
            refused(compare(scored(0))),
            "expected rows with `t` and all inputs, found none among 0"
        );
        let mut classes = constant(0.0).parent;
        classes.network.loss = Loss::CrossEntropy;
        let mut call = compare(scored(3));
        call.parent = gather("net", [Some(classes)]);
        assert_eq!(
            refused(call),
            "expected a network with one target that is a quantity, found classes or several"
        );
    }

    #[test]
    fn parity_has_evenly_spaced_rows() {
        let scores = compare(scored(5000))
            .run(&Context::alone("compare"))
            .unwrap();
        assert_eq!(scores.parity[0].1.len(), PARITY);
    }
}
