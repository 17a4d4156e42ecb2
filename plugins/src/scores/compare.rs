//! `compare(net, adapted, on: deep)`: parents, children and baselines against the truth.

use dsl::experiment::Value;
use dsl::types::{Kind, Type};
use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Bindings, Column, Formula, Gather, Input, ParamType};
use engine::plugin;
use engine::plugin::{Complaint, Context, InParts, NetworkFacts, Plugin, Sketch};

use super::Metric;
use super::support::ensemble::Ensemble;
use super::support::measure;
use super::support::scoring::{Entrant, Runs, Scoring};
use super::support::trial::{Agreement, Trial};
use crate::calls::{complaints, distinct};
use crate::children::Child;
use crate::data::support::counted::AllRows;
use crate::parents::{Parent, not_runnable};
use crate::row_weights::constant_weight;

plugin! {
    /// Parents, children and baselines against the truth, member by member and as ensembles.
    ///
    /// Every metric is given for each member and for the `mean` and the `median` of the
    /// members' predictions, over all rows and, with `by`, for each group of rows. Rows
    /// without a truth or an input take no part, nor do rows without a predictor where a child
    /// leaves them out. A diverged member, and a metric over predictions that are not all
    /// finite, has no value.
    ///
    /// Where there are eight groups or more, the headline also says between which differences
    /// from its rival 95 % would lie if groups were drawn anew (block bootstrap): what other rows
    /// may decide, where rows of one group depend on each other, such as those of a region. The
    /// interval over members covers the randomness of training alone. `share` is the share of
    /// the rows, as `weights` count them, that a group has.
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
    "compare" version 6
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
        /// many rows when there are more than 64. Of several columns, each combination of their
        /// groups is one.
        by: Vec<Column> = "[]", texts();
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
    /// It as one of those that are compared.
    ///
    /// # Errors
    /// When all members diverged.
    pub(crate) fn entrant(&self) -> Result<Entrant<'_>, Fault> {
        Ok(match self {
            Model::Child(children) => {
                let role = match measure::first(children)?.is_baseline() {
                    true => "baseline",
                    false => "child",
                };
                Entrant::new(&children.label.0, role, Runs::Children(children))
            }
            Model::Baseline(parents) => {
                measure::first(parents)?;
                Entrant::new(&parents.label.0, "baseline", Runs::Parents(parents))
            }
        })
    }
}

/// One finished member of each child: what is known of a row is the same for all members.
pub(crate) fn children(models: &[Model]) -> impl Iterator<Item = &Child> {
    models.iter().filter_map(|model| match model {
        Model::Child(children) => children.members.iter().flatten().next().map(|c| &**c),
        Model::Baseline(_) => None,
    })
}

/// The parent, then every model.
fn entrants<'a>(
    parent: &'a Gather<Parent>,
    models: &'a [Model],
) -> Result<Vec<Entrant<'a>>, Fault> {
    let parent = Entrant::new(&parent.label.0, "parent", Runs::Parents(parent));
    let models = models.iter().map(Model::entrant);
    [Ok(parent)].into_iter().chain(models).collect()
}

/// The predictions of the parent, then of every model.
pub(crate) fn ensembles(
    parent: &Gather<Parent>,
    models: &[Model],
    data: &Dataset,
    context: &Context,
) -> Result<Vec<Ensemble>, Fault> {
    let predict = |entrant: Entrant| {
        context.check_stop()?;
        entrant.predict(data, context)
    };
    entrants(parent, models)?.into_iter().map(predict).collect()
}

/// That one of the models predicts something else than the parent.
pub(crate) fn mismatch(call: &Sketch) -> Option<Complaint> {
    let parent = call.input("parent")?;
    let network = parent.facts.network.as_ref()?;
    call.inputs("models").iter().find_map(|model| {
        let other = model.facts.network.as_ref()?;
        let differs = other.targets != network.targets;
        let predicts = |network: &NetworkFacts| network.targets.join("`, `");
        differs.then(|| {
            let message = format!(
                "`{}` predicts `{}`, `{}` predicts `{}`",
                model.name,
                predicts(other),
                parent.name,
                predicts(network)
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
            measure::of_one_target(call),
            distinct(call, "by"),
            constant_weight(call),
        ])
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Rereads("on"))
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        self.scores(&|each| context.rows(&self.on, each), context)
    }
}

impl Compare {
    /// The scores over rows that `rows` passes on in parts, anew at every call.
    fn scores(&self, rows: AllRows<'_>, context: &Context) -> Result<Scores, Fault> {
        let network = measure::network(&self.parent, "parent")?;
        let targets = measure::targets(network, "parent")?;
        let mut scoring = Scoring {
            rows,
            param: "on",
            network,
            children: children(&self.models).collect(),
            entrants: Vec::new(),
            targets,
            metrics: &self.metrics,
            by: &self.by,
            bins: self.bins,
            weights: self.weights.as_ref().map(|formula| &formula.0),
            climatology: self.climatology.as_ref().map(|column| &column.0[..]),
            unit: self.unit.as_ref(),
            parity: PARITY,
        };
        let survey = scoring.survey(context)?;
        scoring.entrants = entrants(&self.parent, &self.models)?;
        for Column(name) in &self.baselines {
            let column = Entrant::new(name, "baseline", Runs::Column(name));
            scoring.entrants.push(column);
        }
        let trials = self.combine(&mut scoring.entrants)?;
        let tally = scoring.tally(survey, context)?;
        for (entrant, (bad, all)) in scoring.entrants.iter().zip(&tally.not_finite) {
            measure::note_not_finite(&entrant.label, *bad, *all, context);
        }
        tally.missing.iter().for_each(|note| context.note(note));
        let parent = &scoring.entrants[0];
        let counts = tally.by_trust([TRUSTED, UNTRUSTED]).into_iter();
        let mut rows: Vec<ScoreRow> = counts
            .map(|group| ScoreRow {
                group: group.name.clone(),
                ..parent.row("all", "rows", Some(tally.rows(&group) as f64))
            })
            .collect();
        let groups = tally.groups([TRUSTED, UNTRUSTED]);
        for target in &tally.targets {
            // What is of all targets stands beside the one, or all together.
            let is_whole = target.suffix.is_empty();
            for (which, (entrant, trial)) in scoring.entrants.iter().zip(&trials).enumerate() {
                let scores = groups.iter();
                rows.extend(scores.flat_map(|group| target.scores(&scoring, which, group)));
                if let (Some(trial), "child", true) = (trial, entrant.role, is_whole) {
                    let here = target.skills(which, trial.skills().len());
                    rows.extend(inner_rows(entrant, trial, &here, context));
                }
                if is_whole {
                    rows.extend(self.inner_rmse(entrant));
                }
            }
        }
        rows.extend(tally.shares().map(|(name, share)| ScoreRow {
            group: Some(name.to_owned()),
            ..parent.row("all", "share", Some(share))
        }));
        let labels = scoring.entrants.iter().map(|entrant| entrant.label.clone());
        Ok(Scores {
            rows,
            unit: tally.targets.first().and_then(|first| first.unit.clone()),
            parity: labels.zip(tally.parity).collect(),
            target: measure::named(targets),
            group_by: (!self.by.is_empty()).then(|| self.by_text()),
        })
    }

    /// The columns of the groups, as text.
    fn by_text(&self) -> String {
        let names = self.by.iter().map(|Column(name)| name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

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

    /// The error of a model in its inner extrapolation, where there are rivals to choose from.
    fn inner_rmse(&self, entrant: &Entrant) -> Option<ScoreRow> {
        let inside = self.inner.iter().chain(&self.rivals);
        let mut lines = inside
            .filter(|_| !self.rivals.is_empty())
            .flat_map(|scores| &scores.rows);
        let line = lines.find(|row| {
            row.model == entrant.label
                && row.metric == Metric::Rmse.word()
                && row.member == "mean"
                && row.group.is_none()
        })?;
        Some(entrant.row("all", "inner_rmse", line.value))
    }

    /// Adds the combinations that the inner scores allow; what these say of each model.
    fn combine(&self, entrants: &mut [Entrant]) -> Result<Vec<Option<Trial>>, Fault> {
        let Some(inner) = &self.inner else {
            return Ok(entrants.iter().map(|_| None).collect());
        };
        let trials: Vec<Option<Trial>> = entrants
            .iter()
            .map(|entrant| Trial::of(inner, &entrant.label))
            .collect();
        if trials.iter().all(Option::is_none) {
            let message = format!("`{}` says nothing about what is compared", inner.label);
            return Err(Fault::at("inner", message).with_hint(INNER));
        }
        for (entrant, trial) in entrants.iter_mut().zip(&trials) {
            if let Some(trial) = trial {
                entrant.combinations.push(("weighted", trial.weights()));
                entrant.combinations.push(("best", trial.best(self.best)));
            }
        }
        Ok(trials)
    }
}

/// The group of rows whose predictors all children trust.
pub const TRUSTED: &str = "trusted";
/// The group of the other rows.
pub const UNTRUSTED: &str = "untrusted";

/// The inner skill of each member, and whether it told the skill here.
fn inner_rows(
    entrant: &Entrant,
    trial: &Trial,
    here: &[Option<f64>],
    context: &Context,
) -> Vec<ScoreRow> {
    let label = &entrant.label;
    let worse: Vec<String> = trial.worse().iter().map(usize::to_string).collect();
    if !worse.is_empty() {
        context.note(format!(
            "worse than their parents in the inner extrapolation: {} of `{label}`",
            worse.join(", ")
        ));
    }
    let inner = trial.skills();
    let agreement = Agreement::of(&inner, here);
    if let (Some(linear), Some(ranks)) = (agreement.linear, agreement.ranks) {
        context.note(format!(
            "inner skill and skill over {} members of `{label}`: correlation {linear:.2}, of \
             ranks {ranks:.2}",
            agreement.members
        ));
    }
    let skills = inner.iter().enumerate();
    let skills = skills.map(|(at, skill)| entrant.row(&at.to_string(), "inner_skill", *skill));
    let correlations = [
        ("inner_correlation", agreement.linear),
        ("inner_rank_correlation", agreement.ranks),
    ];
    let correlations = correlations.map(|(metric, value)| entrant.row("all", metric, value));
    skills.chain(correlations).collect()
}

/// How many points a parity plot has at most.
const PARITY: usize = 2000;

#[cfg(test)]
mod tests;
