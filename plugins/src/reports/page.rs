//! `page(skill, plots: [error(by: depth), parity])`: plots and tables about scores.

use dsl::experiment::Value;
use dsl::facts::About;
use engine::artifact::{Page, Scores, Section, WeightTable};
use engine::error::Fault;
use engine::params::{Ancestors, Column, Gather};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{constructor, made, plugin};

use super::support::{anomalies, members, plots};
use crate::parents::Parent;
use crate::regressions::Regression;

constructor! {
    /// Error by group: each member faint, the ensemble bold.
    ///
    /// Of more than 60 groups with names, such as the layers of a large network, those with the
    /// largest errors are drawn.
    ///
    /// Of scores with groups, `compare(…, by: depth)`, or with steps ahead; others have no such
    /// figure. Against `depth` or `pressure` it is a profile with the surface on top.
    ///
    /// ```farcast
    /// report profile = page(skill, plots: [error(by: z)])
    /// ```
    "error"
    pub struct ErrorByGroup {
        /// The columns the groups are of; whatever the scores were grouped by when left out.
        by: Vec<Column> = "[]";
    }
}

constructor! {
    /// Prediction against truth, with the line on which both are equal.
    ///
    /// ```farcast
    /// report scatter = page(skill, plots: [parity])
    /// ```
    "parity"
    pub struct Parity {}
}

constructor! {
    /// The loss along the training of the parents.
    ///
    /// ```farcast
    /// report training = page(skill, plots: [loss])
    /// ```
    "loss"
    pub struct LossCurves {}
}

constructor! {
    /// How far fine-tuning moved the weights, and how much of that the predictors explain.
    ///
    /// Tensor by tensor, relative to the parent's weights.
    ///
    /// ```farcast
    /// report moves = page(skill, plots: [anomalies])
    /// ```
    "anomalies"
    pub struct AnomalySize {}
}

constructor! {
    /// The error of each member of the ensembles, and their spread against it.
    ///
    /// The spread is drawn by group, from scores with `spread` among their metrics and `by`.
    ///
    /// ```farcast
    /// report spread = page(skill, plots: [ensemble])
    /// ```
    "ensemble"
    pub struct EachMember {}
}

made! {
    /// What a page shows.
    pub enum Plot { ErrorByGroup, Parity, LossCurves, AnomalySize, EachMember }
}

plugin! {
    /// A page of plots and tables about scores and what they were made from.
    ///
    /// It becomes part of `report.html`, beside the text of the experiment, its graph and the
    /// table of scores. What the scores have nothing for is left out. Where children trust their predictors in some rows only, the errors of
    /// those rows and of the others follow.
    ///
    /// ```farcast
    /// report summary = page(skill, plots: [error(by: z), parity, anomalies])
    /// ```
    "page" version 5
    pub struct Summary {
        /// The scores to show.
        scores: Vec<Gather<Scores>>, variadic();
        /// What to show of them, in this order.
        plots: Vec<Plot> = "[error, parity, loss, anomalies]";
        /// The parents behind the scores.
        parents: Ancestors<Parent>, ancestors("scores");
        /// The anomalies behind the scores.
        anomalies: Ancestors<WeightTable>, ancestors("scores");
        /// The regressions behind the scores.
        regressions: Ancestors<Regression>, ancestors("scores");
    }
}

impl Plugin for Summary {
    type Output = Page;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let plots = call.get::<Vec<Plot>>("plots").unwrap_or_default();
        let scores = call.inputs("scores");
        let wrong = plots.iter().find_map(|plot| match plot {
            Plot::ErrorByGroup(error) => not_by(error.groups()?, &scores),
            _ => None,
        });
        wrong.into_iter().collect()
    }

    fn run(self, _: &Context) -> Result<Page, Fault> {
        let sections = self.plots.iter().map(|plot| self.section(plot));
        let has_content = |section: &Section| {
            let Section {
                figures,
                table,
                warnings,
                ..
            } = section;
            !figures.is_empty() || table.is_some() || !warnings.is_empty()
        };
        let sections = sections.filter(has_content);
        Ok(Page {
            sections: sections.chain(members::trust(&self.scores())).collect(),
        })
    }
}

impl ErrorByGroup {
    /// The columns, as the scores name them.
    fn groups(&self) -> Option<String> {
        let names: Vec<&str> = self.by.iter().map(|Column(name)| name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// That none of the scores has groups of these columns.
fn not_by(by: String, scores: &[About<'_>]) -> Option<Complaint> {
    let column = |value: &Value| match value {
        Value::Text(column) => Some(column.clone()),
        _ => None,
    };
    let groups: Vec<String> = { scores.iter() }
        .filter_map(|it| match &it.args.get("by")?.value {
            Value::List(columns) if columns.is_empty() => None,
            Value::List(columns) => {
                let columns: Option<Vec<String>> = columns.iter().map(column).collect();
                Some(columns?.join(", "))
            }
            value => column(value),
        })
        .collect();
    if scores.is_empty() || groups.contains(&by) {
        return None;
    }
    let message = format!("no score has groups of `{by}`");
    let hint = match (groups.first(), by.contains(", ")) {
        (Some(other), _) => format!("they have groups of `{other}`"),
        (None, true) => format!("`compare` gives them with `by: [{by}]`"),
        (None, false) => format!("`compare` gives them with `by: {by}`"),
    };
    Some(Complaint::at("plots", message).with_hint(hint))
}

impl Summary {
    fn section(&self, plot: &Plot) -> Section {
        match plot {
            Plot::ErrorByGroup(error) => plots::error(&self.scores(), error.groups().as_deref()),
            Plot::Parity(_) => plots::parity(&self.scores()),
            Plot::LossCurves(_) => plots::loss(&self.parents.0),
            Plot::AnomalySize(_) => {
                anomalies::section(&self.anomalies.0, &self.parents.0, &self.regressions.0)
            }
            Plot::EachMember(_) => members::section(&self.scores()),
        }
    }

    /// Label and scores of each score statement.
    fn scores(&self) -> Vec<(&str, &Scores)> {
        self.scores
            .iter()
            .flat_map(|gather| {
                let made = gather.members.iter().flatten();
                made.map(|scores| (gather.label.0.as_str(), scores.as_ref()))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
