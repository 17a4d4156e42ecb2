//! `compare(net, adapted, on: deep)`: parents, children and baselines against the truth.

use dsl::experiment::Value;
use dsl::types::{Kind, Type};
use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Bindings, Column, Formula, Gather, Input, ParamType};
use engine::plugin;
use engine::plugin::{Complaint, Context, Plugin, Sketch};

use super::Metric;
use super::support::ensemble::Ensemble;
use super::support::groups::{Group, groups};
use super::support::measure::{self, Measure};
use super::support::metric::Rows;
use super::support::trial::{Agreement, Trial};
use crate::calls::complaints;
use crate::children::Child;
use crate::parents::{Parent, not_runnable};

plugin! {
    /// Parents, children and baselines against the truth, member by member and as ensembles.
    ///
    /// Every metric is given for each member and for the `mean` and the `median` of the
    /// members' predictions, over all rows and, with `by`, for each group of rows. Rows
    /// without a truth or an input take no part, nor do rows without a predictor where a child
    /// leaves them out. A diverged member, and a metric over predictions that are not all
    /// finite, has no value.
    ///
    /// Other parents beside the first, children made by `nearest` and columns of the data are
    /// baselines. Where children trust their predictors in some rows only (`trust` of `apply`),
    /// the groups `trusted` and `untrusted` are scored too, with the number of their `rows`.
    ///
    /// With the scores of an `inner` the members are combined in two more ways: `weighted` by
    /// one over their inner mean squared error, and `best`, the mean of the share of them with
    /// the least of it that are no worse there than their parents. Each child's `inner_skill`
    /// is given, and its correlation with the skill here, over the members (`all`).
    ///
    /// With the scores of `inner` calls in `rivals` as well, each model's `inner_rmse` is given, and
    /// the headline measures the child against the rival that is best there: the one that would
    /// have been taken without the truth.
    ///
    /// ```farcast
    /// score inside = inner(adapted, by: z)
    /// score errors = compare(
    ///     net,
    ///     adapted,
    ///     on: unseen,
    ///     metrics: [rmse, skill, spread],
    ///     by: z,
    ///     bins: 5,
    ///     inner: inside,
    ///     baselines: [x],
    /// )
    /// ```
    "compare" version 4
    pub struct Compare {
        /// The network the others started from.
        parent: Gather<Parent>;
        /// What is compared with it: children, and parents as baselines.
        models: Vec<Model> = "[]", variadic();
        /// The rows to predict, with the truth.
        on: Input<Dataset>, with_truth();
        /// What is measured.
        metrics: Vec<Metric> = "[rmse, mae, bias]";
        /// The column whose values group the rows: each value a group, or `bins` of equally
        /// many rows when there are more than 64.
        by: Option<Column>, texts();
        /// The unit of the target, where the data do not say it.
        unit: Option<String>;
        /// How many groups a column of many values makes, each named by its mean.
        bins: usize = "20", range("1..=1000");
        /// What an inner extrapolation says of the members.
        inner: Option<Input<Scores>>;
        /// What inner extrapolations say of other models that are compared.
        rivals: Vec<Input<Scores>> = "[]";
        /// The share of the members that `best` is the mean of.
        best: f64 = "50 %", range("0..=1");
        /// Columns that are predictions themselves, such as the value before.
        baselines: Vec<Column> = "[]";
        /// How much each row counts: a column, or a formula such as `area(lat)`.
        weights: Option<Formula>;
        /// The column of what is usual in each row, for `anomaly_correlation`.
        climatology: Option<Column>;
    }
}

/// What is compared with a parent.
#[derive(Debug)]
pub enum Model {
    /// Children of it.
    Child(Gather<Child>),
    /// Networks trained otherwise.
    Baseline(Gather<Parent>),
}

impl ParamType for Model {
    const GATHER: bool = true;

    fn ty() -> Type {
        Type::OneOf(vec![Type::Kind(Kind::Child), Type::Kind(Kind::Parent)])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        // A parent could be read as a child that is the same for all rows.
        match bindings.kind(field, value) {
            Some(Kind::Parent) => Gather::from_value(field, value, bindings).map(Model::Baseline),
            _ => Gather::from_value(field, value, bindings).map(Model::Child),
        }
    }
}

impl Model {
    /// What all members predict for each row.
    pub(crate) fn predict(&self, data: &Dataset) -> Result<Ensemble, Fault> {
        match self {
            Model::Child(children) => {
                let role = match measure::first(children)?.is_baseline() {
                    true => "baseline",
                    false => "child",
                };
                Ensemble::of(children, role, |child| child.predict(data))
            }
            Model::Baseline(parents) => {
                measure::first(parents)?;
                let predict = |parent: &Parent| measure::predictions(parent, data);
                Ensemble::of(parents, "baseline", predict)
            }
        }
    }
}

/// One finished member of each child: what is known of a row is the same for all members.
pub(crate) fn children(models: &[Model]) -> impl Iterator<Item = &Child> {
    models.iter().filter_map(|model| match model {
        Model::Child(children) => children.members.iter().flatten().next().map(|c| &**c),
        Model::Baseline(_) => None,
    })
}

/// The predictions of the parent, then of every model.
pub(crate) fn ensembles(
    parent: &Gather<Parent>,
    models: &[Model],
    data: &Dataset,
    context: &Context,
) -> Result<Vec<Ensemble>, Fault> {
    let predict = |parent: &Parent| measure::predictions(parent, data);
    let mut ensembles = vec![Ensemble::of(parent, "parent", predict)?];
    for model in models {
        context.check_stop()?;
        ensembles.push(model.predict(data)?);
    }
    Ok(ensembles)
}

/// That one of the models predicts something else than the parent.
pub(crate) fn mismatch(call: &Sketch) -> Option<Complaint> {
    let parent = call.input("parent")?;
    let network = parent.facts.network.as_ref()?;
    call.inputs("models").iter().find_map(|model| {
        let other = model.facts.network.as_ref()?;
        let differs = other.target != network.target;
        differs.then(|| {
            let message = format!(
                "`{}` predicts `{}`, `{}` predicts `{}`",
                model.name, other.target, parent.name, network.target
            );
            Complaint::at("models", message).with_hint("compare models of one target")
        })
    })
}

const INNER: &str = "give `inner` one of these models, with `rmse` among its metrics";

impl Plugin for Compare {
    type Output = Scores;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let bare = ["parent", "models"].map(|param| not_runnable(call, param));
        if call.network("parent").is_none() {
            return complaints(bare);
        }
        let [_, model] = bare;
        complaints([
            measure::quantity(call, "parent"),
            model,
            mismatch(call),
            Self::not_inside(call),
            Self::strange_rival(call),
            Self::no_climatology(call),
        ])
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let network = measure::network(&self.parent, "parent")?;
        let target = measure::target(network, "parent")?;
        let data = measure::scored(&self.on, network, children(&self.models), "on", context)?;
        let weights = measure::weights(self.weights.as_ref(), &data)?;
        let mut ensembles = self.ensembles(&data, context)?;
        let trials = self.combine(&mut ensembles)?;
        let mut groups = match &self.by {
            Some(by) => groups(&data, &by.0, self.bins, context)?,
            None => vec![Group::all(data.rows())],
        };
        let by_trust = self.by_trust(&data)?;
        let unit = measure::unit(&data, target, self.unit.as_ref());
        let measure = Measure {
            metrics: &self.metrics,
            truth: data.values(target)?,
            parent: &ensembles[0],
            unit: unit.as_deref(),
            weights: weights.as_deref(),
            climatology: match &self.climatology {
                Some(Column(name)) => Some(&data.values(name)?[..]),
                None => None,
            },
        };
        let mut rows = self.counts(&ensembles[0], &by_trust);
        groups.extend(by_trust);
        for (ensemble, trial) in ensembles.iter().zip(&trials) {
            rows.extend(
                groups
                    .iter()
                    .flat_map(|group| measure.rows(ensemble, group)),
            );
            if let (Some(trial), "child") = (trial, ensemble.role) {
                rows.extend(inner_rows(ensemble, trial, &measure, context));
            }
            rows.extend(self.inner_rmse(ensemble));
        }
        Ok(Scores {
            rows,
            parity: ensembles
                .iter()
                .map(|ensemble| parity(ensemble, measure.truth))
                .collect(),
            unit,
            target: target.to_owned(),
            group_by: self.by.map(|by| by.0),
        })
    }
}

impl Compare {
    /// Why anomalies cannot be measured.
    fn no_climatology(call: &Sketch) -> Option<Complaint> {
        let metrics = call.get::<Vec<Metric>>("metrics").unwrap_or_default();
        let is_wanted = metrics.contains(&Metric::AnomalyCorrelation);
        let message = "`anomaly_correlation` needs `climatology`";
        let hint = "name the column of what is usual: `climatology: usual`, made by `aggregate` \
                    and `join`";
        (is_wanted && !call.has("climatology"))
            .then(|| Complaint::at("metrics", message).with_hint(hint))
    }

    /// Why the scores in `inner` cannot weight what is compared.
    fn not_inside(call: &Sketch) -> Option<Complaint> {
        let inner = call.input("inner")?;
        let Some(model) = inner.facts.inside else {
            let message = format!("`{}` is not scored inside the training data", inner.name);
            let hint = "`inner` takes the scores of a call of `inner`";
            return Some(Complaint::at("inner", message).with_hint(hint));
        };
        let metrics = inner.args.get("metrics").map(|metrics| &metrics.value);
        let is_rmse = |value: &Value| *value == Value::Text(Metric::Rmse.word().to_owned());
        let has_rmse = match metrics {
            Some(Value::List(metrics)) => metrics.iter().any(is_rmse),
            _ => true,
        };
        let models = call.inputs("models");
        let is_compared = models.iter().any(|compared| compared.node == model);
        let message = format!("`{}` says nothing about what is compared", inner.name);
        let complaint = Complaint::at("inner", message).with_hint(INNER);
        (!is_compared || !has_rmse).then_some(complaint)
    }

    /// Why one of the scores in `rivals` says nothing of what is compared.
    fn strange_rival(call: &Sketch) -> Option<Complaint> {
        let compared = [call.inputs("parent"), call.inputs("models")].concat();
        call.inputs("rivals").into_iter().find_map(|rival| {
            let inside = rival.facts.inside;
            let is_known = inside.is_some_and(|model| compared.iter().any(|it| it.node == model));
            let message = format!("`{}` says nothing about what is compared", rival.name);
            (!is_known).then(|| Complaint::at("rivals", message).with_hint(INNER))
        })
    }

    /// The error of the ensemble in its inner extrapolation, where there are rivals to choose from.
    fn inner_rmse(&self, ensemble: &Ensemble) -> Option<ScoreRow> {
        let inside = self.inner.iter().chain(&self.rivals);
        let mut lines = inside
            .filter(|_| !self.rivals.is_empty())
            .flat_map(|scores| &scores.rows);
        let line = lines.find(|row| {
            row.model == ensemble.label
                && row.metric == Metric::Rmse.word()
                && row.member == "mean"
                && row.group.is_none()
        })?;
        Some(ensemble.row("all", "inner_rmse", line.value))
    }

    /// The predictions of the parent, then of every model and baseline.
    fn ensembles(&self, data: &Dataset, context: &Context) -> Result<Vec<Ensemble>, Fault> {
        let mut ensembles = ensembles(&self.parent, &self.models, data, context)?;
        for Column(name) in &self.baselines {
            let values = data.values(name)?.to_vec();
            ensembles.push(Ensemble::single(name, "baseline", values));
        }
        for ensemble in &ensembles {
            measure::note_not_finite(ensemble, context);
        }
        Ok(ensembles)
    }

    /// Adds the combinations that the inner scores allow; what these say of each ensemble.
    fn combine(&self, ensembles: &mut [Ensemble]) -> Result<Vec<Option<Trial>>, Fault> {
        let Some(inner) = &self.inner else {
            return Ok(ensembles.iter().map(|_| None).collect());
        };
        let trials: Vec<Option<Trial>> = ensembles
            .iter()
            .map(|ensemble| Trial::of(inner, &ensemble.label))
            .collect();
        if trials.iter().all(Option::is_none) {
            let message = format!("`{}` says nothing about what is compared", inner.label);
            return Err(Fault::at("inner", message).with_hint(INNER));
        }
        for (ensemble, trial) in ensembles.iter_mut().zip(&trials) {
            if let Some(trial) = trial {
                ensemble.combine("weighted", &trial.weights());
                ensemble.combine("best", &trial.best(self.best));
            }
        }
        Ok(trials)
    }

    /// The rows in which all children trust their predictors, and the others; nothing unless
    /// there are both.
    fn by_trust(&self, data: &Dataset) -> Result<Vec<Group>, Fault> {
        let mut trusted = vec![true; data.rows()];
        for child in children(&self.models) {
            for (trusted, outside) in trusted.iter_mut().zip(child.outside(data)?) {
                *trusted &= !outside;
            }
        }
        let trusted = &trusted;
        let of = |wanted| (0..trusted.len()).filter(move |row| trusted[*row] == wanted);
        let groups = vec![
            Group::named(TRUSTED, of(true)),
            Group::named(UNTRUSTED, of(false)),
        ];
        Ok(match groups.iter().any(|group| group.len() == 0) {
            true => Vec::new(),
            false => groups,
        })
    }

    /// How many rows each group has.
    fn counts(&self, ensemble: &Ensemble, groups: &[Group]) -> Vec<ScoreRow> {
        let row = |group: &Group| ScoreRow {
            group: group.name.clone(),
            ..ensemble.row("all", "rows", Some(group.len() as f64))
        };
        groups.iter().map(row).collect()
    }
}

/// The group of rows whose predictors all children trust.
pub const TRUSTED: &str = "trusted";
/// The group of the other rows.
pub const UNTRUSTED: &str = "untrusted";

/// The inner skill of each member, and whether it told the skill here.
fn inner_rows(
    ensemble: &Ensemble,
    trial: &Trial,
    measure: &Measure,
    context: &Context,
) -> Vec<ScoreRow> {
    let label = &ensemble.label;
    let worse: Vec<String> = trial.worse().iter().map(usize::to_string).collect();
    if !worse.is_empty() {
        context.note(format!(
            "worse than their parents in the inner extrapolation: {} of `{label}`",
            worse.join(", ")
        ));
    }
    let inner = trial.skills();
    let parents = measure.parent.members();
    let here: Vec<Option<f64>> = (ensemble.members().zip(parents))
        .map(|(own, parent)| {
            let rows = Rows {
                truth: measure.truth,
                parent,
                weights: measure.weights,
                climatology: None,
            };
            Metric::Skill.of(own?, &rows)
        })
        .collect();
    let agreement = Agreement::of(&inner, &here);
    if let (Some(linear), Some(ranks)) = (agreement.linear, agreement.ranks) {
        context.note(format!(
            "inner skill and skill over {} members of `{label}`: correlation {linear:.2}, of \
             ranks {ranks:.2}",
            agreement.members
        ));
    }
    let skills = inner.iter().enumerate();
    let skills = skills.map(|(at, skill)| ensemble.row(&at.to_string(), "inner_skill", *skill));
    let correlations = [
        ("inner_correlation", agreement.linear),
        ("inner_rank_correlation", agreement.ranks),
    ];
    let correlations = correlations.map(|(metric, value)| ensemble.row("all", metric, value));
    skills.chain(correlations).collect()
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
    use crate::children::tests::{child, correction_mut, data};
    use crate::children::{Cloud, Missing};
    use crate::networks::testing::network;
    use crate::networks::{Loss, Scaled};

    /// The children's data with a truth, `t`, of 10 in every row.
    fn scored(rows: usize) -> Dataset {
        let truth =
            DataColumn::numbers("t".to_owned(), Some("kg m-3".to_owned()), vec![10.0; rows]);
        data(rows).with(truth).unwrap()
    }

    /// A child whose network gives `10 + 3 * bias` in every row, whatever its inputs.
    fn constant(bias: f32) -> Child {
        let mut child = child(1);
        child.parent.weights.fill(0.0);
        correction_mut(&mut child).regression.coefficients.fill(0.0);
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
            models: vec![Model::Child(gather(
                "adapted",
                children.map(|b| b.map(constant)),
            ))],
            on: Input::new(data),
            metrics: vec![Metric::Rmse, Metric::Skill],
            by: None,
            bins: 20,
            unit: None,
            inner: None,
            rivals: vec![],
            best: 0.5,
            baselines: vec![],
            weights: None,
            climatology: None,
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
        with_value(data, name, row, f64::NAN)
    }

    fn with_value(data: &Dataset, name: &str, row: usize, value: f64) -> Dataset {
        let columns = data.columns().iter().map(|column| {
            let mut column = column.clone();
            if column.name == name {
                let mut values = column.values.to_vec();
                values[row] = value;
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
        let mut call = compare(with_value(&scored(10), "z", 7, 1e300));
        let mut moving = constant(0.0);
        *correction_mut(&mut moving)
            .regression
            .coefficients
            .last_mut()
            .unwrap() = 1e-3;
        let members = [Some(moving), None, Some(constant(1.0))];
        call.models = vec![Model::Child(gather("adapted", members))];
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
            ]
        );
    }

    #[test]
    fn rows_without_a_predictor_are_left_out_for_all_unless_the_parent_takes_them() {
        let context = Context::alone("compare");
        let scores = compare(with_gap(&scored(10), "z", 7))
            .run(&context)
            .unwrap();
        assert_eq!(scores.parity[0].1.len(), 9);
        assert_eq!(
            context.take_notes(),
            ["1 of 10 rows lack a predictor and were left out"]
        );
        let mut call = compare(with_gap(&scored(10), "z", 7));
        let mut falling_back = constant(0.0);
        correction_mut(&mut falling_back).guard.missing = Missing::Parent;
        call.models = vec![Model::Child(gather("adapted", [Some(falling_back)]))];
        let scores = call.run(&context).unwrap();
        assert_eq!(scores.parity[1].1.len(), 10);
        assert!(context.take_notes().is_empty());
    }

    #[test]
    fn parents_and_columns_are_baselines() {
        let mut call = compare(scored(10));
        let rival = gather("rival", [Some(constant(3.0).parent)]);
        call.models.push(Model::Baseline(rival));
        call.baselines = vec![Column("z".to_owned())];
        let scores = call.run(&Context::alone("compare")).unwrap();
        assert_eq!(value(&scores, "rival", "0", "rmse", None), Some(9.0));
        // z is 0, 1, 2, 3, 4, off by 10, 9, 8, 7, 6: squares 330 / 5.
        let rmse = 66f64.sqrt();
        assert_eq!(value(&scores, "z", "mean", "rmse", None), Some(rmse));
        let roles: Vec<&str> = scores.rows.iter().map(|row| &row.role[..]).collect();
        assert_eq!(roles.iter().filter(|role| **role == "baseline").count(), 12);
    }

    #[test]
    fn trusted_rows_are_scored_apart() {
        let mut call = compare(scored(10));
        let mut child = constant(0.0);
        let points: Vec<Vec<f64>> = (-1..=1).map(|x| vec![f64::from(x)]).collect();
        correction_mut(&mut child).guard.cloud = Cloud::of(&points);
        correction_mut(&mut child).guard.trust = 1.5;
        call.models = vec![Model::Child(gather("adapted", [Some(child)]))];
        // Standardised, z is -1.25, -0.42, 0.42, 1.25 and 2.08; the subsets vary by 1.
        let scores = call.run(&Context::alone("compare")).unwrap();
        assert_eq!(
            value(&scores, "net", "all", "rows", Some(TRUSTED)),
            Some(8.0)
        );
        assert_eq!(
            value(&scores, "net", "all", "rows", Some(UNTRUSTED)),
            Some(2.0)
        );
        let trusted = value(&scores, "net", "2", "rmse", Some(TRUSTED));
        assert_eq!(trusted, Some(6.0));
    }

    #[test]
    fn members_are_weighted_and_chosen_by_their_inner_errors() {
        let rmse = |label: &str, role: &str, values: [f64; 3]| {
            let ensemble = Ensemble::single(label, "child", vec![]);
            let rows = values
                .into_iter()
                .enumerate()
                .map(|(member, value)| ScoreRow {
                    role: role.to_owned(),
                    ..ensemble.row(&member.to_string(), "rmse", Some(value))
                });
            rows.collect::<Vec<_>>()
        };
        let inner = Scores {
            rows: [
                rmse("net", "parent", [2.0, 2.0, 2.0]),
                rmse("adapted", "child", [1.0, 4.0, 0.5]),
            ]
            .concat(),
            ..Scores::default()
        };
        let mut call = compare(scored(10));
        let parents = [1.0, 1.0, 1.0].map(|bias| Some(constant(bias).parent));
        call.parent = gather("net", parents);
        let children = [0.5, -1.0, 0.25].map(|bias| Some(constant(bias)));
        call.models = vec![Model::Child(gather("adapted", children))];
        call.inner = Some(Input::new(inner));
        call.best = 0.3;
        let context = Context::alone("compare");
        let scores = call.run(&context).unwrap();
        // Errors 1.5, -3, 0.75 with weights 1, 1 / 16, 4: 4.3125 / 5.0625.
        let found = value(&scores, "adapted", "weighted", "rmse", None).unwrap();
        assert!((found - 4.3125 / 5.0625).abs() < 1e-6);
        assert_eq!(value(&scores, "adapted", "best", "rmse", None), Some(0.75));
        assert_eq!(value(&scores, "net", "weighted", "rmse", None), Some(3.0));
        assert_eq!(
            value(&scores, "adapted", "1", "inner_skill", None),
            Some(-3.0)
        );
        // Inner skills 0.75, -3, 0.9375 and skills 0.75, 0, 0.9375:
        // scipy.stats.pearsonr gives 0.98908….
        let found = value(&scores, "adapted", "all", "inner_correlation", None).unwrap();
        assert!((found - 0.989_081_897_347).abs() < 1e-6, "{found}");
        let ranks = value(&scores, "adapted", "all", "inner_rank_correlation", None);
        assert!((ranks.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(
            context.take_notes()[0],
            "worse than their parents in the inner extrapolation: 1 of `adapted`"
        );
    }

    #[test]
    fn what_inner_extrapolations_say_of_rivals_is_given() {
        let inside = |label: &str, value: f64| {
            let ensemble = Ensemble::single(label, "parent", vec![]);
            Input::new(Scores {
                rows: vec![ensemble.row("mean", "rmse", Some(value))],
                ..Scores::default()
            })
        };
        let mut call = compare(scored(10));
        let baseline = |label| Model::Baseline(gather(label, [Some(constant(3.0).parent)]));
        call.models.extend([baseline("one"), baseline("two")]);
        call.rivals = vec![inside("one", 0.5), inside("two", 0.25)];
        let scores = call.run(&Context::alone("compare")).unwrap();
        let found = ["one", "two"].map(|label| value(&scores, label, "all", "inner_rmse", None));
        assert_eq!(found, [Some(0.5), Some(0.25)]);
        assert!(
            scores
                .rows
                .iter()
                .all(|row| row.model != "net" || row.metric != "inner_rmse")
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
        call.models = vec![Model::Child(gather("adapted", [None, None, None]))];
        assert_eq!(refused(call), "all members of `adapted` diverged");
        let mut call = compare(scored(3));
        call.parent = gather("net", [None]);
        assert_eq!(refused(call), "all members of `net` diverged");
        assert_eq!(
            refused(compare(scored(0))),
            "expected rows with `t` and all inputs, found none among 0"
        );
        let mut classes = constant(0.0).parent;
        let quantity = classes.network().unwrap();
        let columns = [quantity.inputs(), quantity.targets()].map(<[Scaled]>::to_vec);
        classes.network = Some(network(columns, &[2, 5, 4, 1], Loss::CrossEntropy));
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
