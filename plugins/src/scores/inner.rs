//! `inner(adapted, by: depth)`: how the whole method does at the edge of its training data.

use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::Column;
use engine::params::{Fold, Formula, Replay};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Metric;
use super::support::measure;
use super::support::scoring::{Entrant, Runs, Scoring};
use crate::calls::complaints;
use crate::children::Child;
use crate::data::{EdgeReach, Side, one_matched, room_for_layers};
use crate::parents::Parent;
use crate::row_weights::constant_weight;

plugin! {
    /// The whole method repeated inside its training data, and scored on the edge of them.
    ///
    /// The training data of the children's parents are cut by `edge`: the layer nearest to
    /// the data the children are applied to is held out, everything from training to the
    /// regression is repeated with the rest, and children and parents are scored on the rows
    /// held out. With `folds` further layers are held out, each with all rows beyond the ones
    /// before it left out too; a number is then the mean over the folds, beside one for each.
    ///
    /// Where the subsets, or the rows of `joint`, are not among the parent's training data, as
    /// where few rows have the predictors, they are what is cut, and the parent stays: it must not
    /// have learned from the rows held out. A parent is a model, too: what has the predictors as
    /// inputs can be asked the same question. It is applied to no data, so say on which `side` the
    /// edge is.
    ///
    /// With `reach: matched` the layer held out lies as far from the rest, in ranges of `by`, as the
    /// data the children are applied to lie from all training data: a choice between settings asks
    /// for that, since what interpolates well may bend away further out.
    ///
    /// No target of the data the children are applied to takes part, so settings may be chosen
    /// by it. The children themselves are not made for it.
    ///
    /// ```farcast
    /// score alike = inner(net, by: z, hold: 25 %, side: upper)
    /// score inside = inner(adapted, by: z, hold: 25 %, folds: 2)
    /// ```
    "inner" version 3
    pub struct Inner {
        /// The children whose making is repeated, or a parent.
        model: Replay<Child, Parent>, replay("edge");
        /// The column along which the edge is held out.
        by: Column;
        /// The share of rows held out.
        hold: f64 = "20 %", range("0..=0.9");
        /// What says how far the layer reaches: `hold`, or how far the data the children are applied
        /// to lie away.
        reach: EdgeReach = "share";
        /// How many layers are held out in turn.
        folds: usize = "1", range("1..=20");
        /// Which end of the rows is the edge.
        side: Side = "auto";
        /// What is measured; `rmse` is what ensembles are weighted by.
        metrics: Vec<Metric> = "[rmse, skill]";
        /// The unit of the target, where the data do not say it.
        unit: Option<String>;
        /// How much each row counts: a column, or a formula such as `area(lat)`.
        weights: Option<Formula>;
    }
}

impl Plugin for Inner {
    type Output = Scores;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints([
            measure::quantity(call, "model"),
            room_for_layers(call, "folds"),
            one_matched(call, "folds"),
            not_applied(call),
            no_climatology(call),
            constant_weight(call),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            inside: call.input("model").map(|model| model.node),
            ..call.inherited()
        }
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let mut scores = Scores::default();
        let mut folds = Vec::new();
        for (index, fold) in self.model.folds.iter().enumerate() {
            context.check_stop()?;
            let name = format!("fold {}", index + 1);
            folds.push(self.fold(fold, &name, &mut scores, context)?);
        }
        let several = folds.len() > 1;
        scores.rows = mean_over(&folds);
        if several {
            scores.rows.extend(folds.into_iter().flatten());
        }
        Ok(scores)
    }
}

/// The data of an inner extrapolation have no climatology.
fn no_climatology(call: &Sketch) -> Option<Complaint> {
    let metrics = call.get::<Vec<Metric>>("metrics").unwrap_or_default();
    let message = "`anomaly_correlation` is measured by `compare` alone";
    let is_wanted = metrics.contains(&Metric::AnomalyCorrelation);
    is_wanted.then(|| Complaint::at("metrics", message).with_hint("`correlation` needs nothing"))
}

/// Only what is made from data of the file can be made again on other rows.
fn not_applied(call: &Sketch) -> Option<Complaint> {
    let model = call.input("model")?;
    if model.args.get("data").is_none() {
        let message = format!("`{}` is not made from data of this file", model.name);
        let hint = "expected a child made by `apply`, or a parent";
        return Some(Complaint::at("model", message).with_hint(hint));
    }
    // A parent names its columns; a child what moves it.
    let is_parent = model.args.get("regression").is_none();
    let is_auto = call.get::<Side>("side") == Some(Side::Auto);
    let message = format!(
        "`{}` is applied to no data: nothing says where the edge is",
        model.name
    );
    let complaint = Complaint::at("model", message).with_hint("say `side: upper` or `side: lower`");
    if is_parent && call.get::<EdgeReach>("reach") == Some(EdgeReach::Matched) {
        let message = format!(
            "`{}` is applied to no data: nothing says how far they lie",
            model.name
        );
        return Some(Complaint::at("reach", message).with_hint("say how much with `hold`"));
    }
    (is_parent && is_auto).then_some(complaint)
}

impl Inner {
    /// The numbers of one fold, in a group of this name.
    fn fold(
        &self,
        fold: &Fold<Child, Parent>,
        name: &str,
        scores: &mut Scores,
        context: &Context,
    ) -> Result<Vec<ScoreRow>, Fault> {
        let network = measure::network(&fold.parent, "model")?;
        let targets = measure::targets(network, "model")?;
        let is_parent = self.model.label == self.model.parent;
        let parent = Runs::Parents(&fold.parent);
        let child = Runs::Children(&fold.model);
        let mut entrants = vec![Entrant::new(&self.model.parent.0, "parent", parent)];
        if !is_parent {
            entrants.push(Entrant::new(&self.model.label.0, "child", child));
        }
        let scoring = Scoring {
            rows: &|each| each(Dataset::clone(&fold.edge)).map(|_| ()),
            param: "by",
            network,
            // All children may have diverged: then they have no numbers.
            children: { fold.model.members.iter().flatten().next() }
                .map(|child| &**child)
                .into_iter()
                .collect(),
            entrants,
            targets,
            metrics: &self.metrics,
            by: &[],
            bins: 1,
            weights: self.weights.as_ref().map(|formula| &formula.0),
            climatology: None,
            unit: self.unit.as_ref(),
            parity: 0,
        };
        let survey = scoring.survey(context)?;
        let tally = scoring.tally(survey, context)?;
        let last = scoring.entrants.iter().zip(&tally.not_finite).next_back();
        if let Some((entrant, (bad, all))) = last {
            measure::note_not_finite(&entrant.label, *bad, *all, context);
        }
        let mut rows = Vec::new();
        let mut all = tally.all();
        all.name = Some(name.to_owned());
        for target in &tally.targets {
            let models = 0..scoring.entrants.len();
            rows.extend(models.flat_map(|which| target.scores(&scoring, which, &all)));
        }
        scores.target = measure::named(targets);
        scores.unit = tally.targets.first().and_then(|first| first.unit.clone());
        Ok(rows)
    }
}

/// The mean of every number over the folds; none where it is missing in one.
fn mean_over(folds: &[Vec<ScoreRow>]) -> Vec<ScoreRow> {
    let Some(first) = folds.first() else {
        return Vec::new();
    };
    let mean = |row: usize| {
        let values = folds.iter().map(|rows| rows.get(row)?.value);
        let sum: Option<f64> = values.sum();
        sum.map(|sum| sum / folds.len() as f64)
    };
    let rows = first.iter().enumerate().map(|(index, row)| ScoreRow {
        group: None,
        value: mean(index),
        ..row.clone()
    });
    rows.collect()
}
