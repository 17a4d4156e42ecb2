//! Scores as lines of one long table, with the names of statements in them.

use std::any::Any;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dsl::experiment::Experiment;
use dsl::types::Kind;
use polars::prelude::*;
use serde::Serialize;

use crate::artifact::{Page, Scores, Stored, to_parquet};
use crate::error::Fault;
use crate::graph::Graph;
use crate::names::Names;
use crate::run::Outcome;

/// One number of the score table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreLine {
    /// The score statement.
    pub statement: String,
    /// The swept parameters as `name=value,…`; empty without a sweep.
    pub point: String,
    /// A number, `mean` or `median`.
    pub member: String,
    /// The scored statement.
    pub model: String,
    /// `parent`, `child`, `baseline` or `farcast`.
    pub role: String,
    /// The metric.
    pub metric: String,
    /// Steps ahead, for farcasts.
    pub horizon: Option<f64>,
    /// The group; none for all rows together.
    pub group: Option<String>,
    /// The value, if it exists.
    pub value: Option<f64>,
    /// The unit of the value, for tables that people read; not a column of files.
    #[serde(skip)]
    pub unit: Option<String>,
}

impl ScoreLine {
    /// The metric with its unit, such as `rmse [kg m-3]`: the head of a column.
    pub fn heading(&self) -> String {
        match &self.unit {
            Some(unit) => format!("{} [{unit}]", self.metric),
            None => self.metric.clone(),
        }
    }
}

/// The score lines of a run, statement by statement in the order of the file.
pub fn score_lines(experiment: &Experiment, graph: &Graph, outcome: &Outcome) -> Vec<ScoreLine> {
    let names = Names::of(experiment, graph);
    let mut lines = Vec::new();
    for (statement, point, scores) in results::<Scores>(experiment, graph, outcome, Kind::Score) {
        lines.extend(scores.rows.iter().map(|row| ScoreLine {
            statement: statement.to_owned(),
            point: point.to_owned(),
            member: row.member.clone(),
            model: names.put_in_at(point, &row.model).into_owned(),
            role: row.role.clone(),
            metric: row.metric.clone(),
            horizon: row.horizon,
            group: row.group.clone(),
            value: row.value,
            unit: row.unit.clone(),
        }));
    }
    lines
}

/// The pages of a run, with the names of the file in them. Headings, captions and sentences name
/// the point of a sweep where there is one.
pub fn pages(experiment: &Experiment, graph: &Graph, outcome: &Outcome) -> Vec<Page> {
    let names = Names::of(experiment, graph);
    results::<Page>(experiment, graph, outcome, Kind::Report)
        .into_iter()
        .filter_map(|(_, point, page)| {
            let mut page = Page::clone(&page);
            for section in &mut page.sections {
                // Statements with the same call share a figure.
                section.figures.dedup();
                let captions = section.figures.iter_mut().map(|figure| &mut figure.title);
                let named = section.text.iter_mut().chain(captions);
                for text in named.chain([&mut section.heading]) {
                    *text = names.put_in_with_points(text).into_owned();
                }
            }
            let text = serde_json::to_string(&page).ok()?;
            serde_json::from_str(&names.put_in_at(point, &text)).ok()
        })
        .collect()
}

/// The results of the statements of a kind: statement, point, artifact.
fn results<'a, T: Any + Send + Sync>(
    experiment: &'a Experiment,
    graph: &Graph,
    outcome: &Outcome,
    kind: Kind,
) -> Vec<(&'a str, &'a str, Arc<T>)> {
    let mut found = Vec::new();
    for (node, actions) in experiment.nodes.iter().zip(&graph.of_node) {
        if node.kind != kind || !node.named {
            continue;
        }
        for action in actions {
            let result = outcome.results.get(action).map(Arc::clone);
            if let Some(Ok(artifact)) = result.map(|made| Stored::as_any(made).downcast::<T>()) {
                found.push((node.name.as_str(), node.point.as_str(), artifact));
            }
        }
    }
    found
}

/// The lines as a table with the columns of [`ScoreLine`], in its order.
///
/// # Errors
/// When polars cannot build it.
pub fn score_frame(lines: &[ScoreLine]) -> Result<DataFrame, Fault> {
    let text = |name: &str, get: &dyn Fn(&ScoreLine) -> Option<&str>| {
        Column::new(name.into(), lines.iter().map(get).collect::<Vec<_>>())
    };
    let number = |name: &str, get: &dyn Fn(&ScoreLine) -> Option<f64>| {
        Column::new(name.into(), lines.iter().map(get).collect::<Vec<_>>())
    };
    Ok(DataFrame::new(
        lines.len(),
        vec![
            text("statement", &|line| Some(&line.statement)),
            text("point", &|line| Some(&line.point)),
            text("member", &|line| Some(&line.member)),
            text("model", &|line| Some(&line.model)),
            text("role", &|line| Some(&line.role)),
            text("metric", &|line| Some(&line.metric)),
            number("horizon", &|line| line.horizon),
            text("group", &|line| line.group.as_deref()),
            number("value", &|line| line.value),
        ],
    )?)
}

/// The lines of a `scores.parquet`; they have no units.
///
/// # Errors
/// [`Fault::User`] when it is not a score table.
pub fn read_scores(bytes: &[u8]) -> Result<Vec<ScoreLine>, Fault> {
    // The reader panics on some damaged files.
    let read = || ParquetReader::new(Cursor::new(bytes)).finish();
    let frame = catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| Fault::user("not a score table: its Parquet is damaged"))?
        .map_err(|error| Fault::user(format!("not a score table: {error}")))?;
    let wrong = |error: PolarsError| Fault::user(format!("not a score table: {error}"));
    let text = |name: &str| frame.column(name).and_then(Column::str).map_err(wrong);
    let number = |name: &str| frame.column(name).and_then(Column::f64).map_err(wrong);
    let (statement, point, member) = (text("statement")?, text("point")?, text("member")?);
    let (model, role, metric) = (text("model")?, text("role")?, text("metric")?);
    let (horizon, group, value) = (number("horizon")?, text("group")?, number("value")?);
    let word = |column: &StringChunked, row| column.get(row).unwrap_or_default().to_owned();
    let line = |row| ScoreLine {
        statement: word(statement, row),
        point: word(point, row),
        member: word(member, row),
        model: word(model, row),
        role: word(role, row),
        metric: word(metric, row),
        horizon: horizon.get(row),
        group: group.get(row).map(str::to_owned),
        value: value.get(row),
        unit: None,
    };
    Ok((0..frame.height()).map(line).collect())
}

/// The score table as Parquet and as CSV.
///
/// # Errors
/// When polars cannot write it.
pub fn score_files(lines: &[ScoreLine]) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let mut frame = score_frame(lines)?;
    let mut csv = Vec::new();
    CsvWriter::new(&mut csv).finish(&mut frame)?;
    Ok((to_parquet(&mut frame)?, csv))
}
