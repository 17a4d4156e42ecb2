//! Scores as lines of one long table, with the names of statements in them.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dsl::experiment::{Experiment, Node};
use dsl::types::Kind;
use polars::prelude::*;
use serde::Serialize;

use crate::artifact::{Page, ScoreRow, Scores, Stored, to_parquet};
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
    for (node, scores) in results::<Scores>(experiment, graph, outcome, Kind::Score) {
        let (point, referred) = (&node.point, names.referred(node));
        lines.extend(once_each(&scores.rows).map(|row| ScoreLine {
            statement: node.name.clone(),
            point: point.clone(),
            member: row.member.clone(),
            model: names.put_in_of(&referred, point, &row.model).into_owned(),
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

/// The rows, each once: a model that is scored under two names, as it may be at a point that a sweep
/// chose, has the same rows twice, which would count as those of more members.
fn once_each(rows: &[ScoreRow]) -> impl Iterator<Item = &ScoreRow> {
    let mut met = BTreeSet::new();
    rows.iter().filter(move |row| {
        let numbers = [row.horizon, row.value].map(|value| value.map(f64::to_bits));
        let of = (&row.member, &row.model, &row.role, &row.metric, &row.group);
        met.insert((of, numbers))
    })
}

/// The pages of a run, with the names of the file in them. Headings, captions and sentences name
/// the point of a sweep where there is one.
pub fn pages(experiment: &Experiment, graph: &Graph, outcome: &Outcome) -> Vec<Page> {
    let names = Names::of(experiment, graph);
    results::<Page>(experiment, graph, outcome, Kind::Report)
        .into_iter()
        .filter_map(|(node, page)| {
            let point = &node.point;
            let mut page = Page::clone(&page);
            for section in &mut page.sections {
                // Statements with the same call share a figure.
                section.figures.dedup();
                let captions = section.figures.iter_mut().map(|figure| &mut figure.title);
                let named = section.text.iter_mut().chain(captions);
                for text in named.chain([&mut section.heading]) {
                    *text = names.put_in_with_points(text).into_owned();
                }
                let rows = section.table.iter_mut().flat_map(|(_, rows)| rows);
                let mut heads: Vec<&mut String> = rows.filter_map(|row| row.first_mut()).collect();
                let plain = heads.iter().map(|head| names.put_in_at(point, head));
                let mut known = BTreeSet::new();
                // Rows of several points would be called alike.
                if !plain
                    .into_iter()
                    .all(|head| known.insert(head.into_owned()))
                {
                    for head in &mut heads {
                        **head = names.put_in_with_points(head).into_owned();
                    }
                }
            }
            let text = serde_json::to_string(&page).ok()?;
            serde_json::from_str(&names.put_in_at(point, &text)).ok()
        })
        .collect()
}

/// The results of the statements of a kind.
fn results<'a, T: Any + Send + Sync>(
    experiment: &'a Experiment,
    graph: &Graph,
    outcome: &Outcome,
    kind: Kind,
) -> Vec<(&'a Node, Arc<T>)> {
    let mut found = Vec::new();
    for (node, actions) in experiment.nodes.iter().zip(&graph.of_node) {
        if node.kind != kind || !node.named {
            continue;
        }
        for action in actions {
            let result = outcome.results.get(action).map(Arc::clone);
            if let Some(Ok(artifact)) = result.map(|made| Stored::as_any(made).downcast::<T>()) {
                found.push((node, artifact));
            }
        }
    }
    found
}

/// What the files of scores say beside the scores.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// The name of the experiment's file, to tell apart the lines of several runs.
    pub run: String,
    /// The value of every param outside a sweep.
    pub params: BTreeMap<String, String>,
}

/// The columns that are not params.
const COLUMNS: [&str; 10] = [
    "statement",
    "point",
    "member",
    "model",
    "role",
    "metric",
    "horizon",
    "group",
    "value",
    "run",
];

/// The lines as a table with the columns of [`ScoreLine`], in its order, then the run and a
/// column for every param: numbers where all its values are. A param has no value where a score
/// does not depend on it, or where a sweep gives it no say.
///
/// # Errors
/// When polars cannot build it.
pub fn score_frame(lines: &[ScoreLine], labels: &Labels) -> Result<DataFrame, Fault> {
    let points: Vec<Vec<(&str, &str)>> = lines.iter().map(|line| settings(&line.point)).collect();
    let constant = labels.params.keys().map(String::as_str);
    let swept = points.iter().flatten().map(|(name, _)| *name);
    let names: BTreeSet<&str> = constant.chain(swept).collect();
    let param = |name: &str| {
        let values = points.iter().map(|point| {
            let set = point.iter().find(|(known, _)| *known == name);
            let constant = || labels.params.get(name).map(String::as_str);
            set.map(|(_, value)| *value).or_else(constant)
        });
        text_or_number(name, &COLUMNS, &values.collect::<Vec<_>>())
    };
    let text = |name: &str, get: &dyn Fn(&ScoreLine) -> Option<&str>| {
        Column::new(name.into(), lines.iter().map(get).collect::<Vec<_>>())
    };
    let number = |name: &str, get: &dyn Fn(&ScoreLine) -> Option<f64>| {
        Column::new(name.into(), lines.iter().map(get).collect::<Vec<_>>())
    };
    let mut columns = vec![
        text("statement", &|line| Some(&line.statement)),
        text("point", &|line| Some(&line.point)),
        text("member", &|line| Some(&line.member)),
        text("model", &|line| Some(&line.model)),
        text("role", &|line| Some(&line.role)),
        text("metric", &|line| Some(&line.metric)),
        number("horizon", &|line| line.horizon),
        text("group", &|line| line.group.as_deref()),
        number("value", &|line| line.value),
        Column::new("run".into(), vec![labels.run.as_str(); lines.len()]),
    ];
    columns.extend(names.into_iter().map(param));
    Ok(DataFrame::new(lines.len(), columns)?)
}

/// A column of the values of a param: of numbers when all of them are. It is called `param NAME`
/// where another column has its name.
pub(crate) fn text_or_number(name: &str, taken: &[&str], values: &[Option<&str>]) -> Column {
    let title = match taken.contains(&name) {
        true => format!("param {name}"),
        false => name.to_owned(),
    };
    let whole = values.iter().map(|value| match value {
        Some(value) => value.parse::<i64>().ok().map(Some),
        None => Some(None),
    });
    if let Some(whole) = whole.collect::<Option<Vec<Option<i64>>>>() {
        return Column::new(title.as_str().into(), whole);
    }
    let numbers = values.iter().map(|value| match value {
        Some(value) if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            value.parse::<f64>().ok().map(Some)
        }
        Some(_) => None,
        None => Some(None),
    });
    match numbers.collect::<Option<Vec<Option<f64>>>>() {
        Some(numbers) => Column::new(title.as_str().into(), numbers),
        None => {
            let values: Vec<Option<String>> = values.iter().map(|it| it.map(unquoted)).collect();
            Column::new(title.as_str().into(), values)
        }
    }
}

/// A value without the quotes of a text.
fn unquoted(value: &str) -> String {
    match value.starts_with('"') {
        true => serde_json::from_str(value).unwrap_or_else(|_| value.to_owned()),
        false => value.to_owned(),
    }
}

/// The settings of a point, `name=value,…`: commas in brackets and quotes separate nothing.
pub fn settings(point: &str) -> Vec<(&str, &str)> {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_u32, false, false);
    let parts = point.split(|c: char| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '[' | '(' if !is_quoted => depth += 1,
            ']' | ')' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0 && !is_quoted
    });
    parts.filter_map(|part| part.split_once('=')).collect()
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
pub fn score_files(lines: &[ScoreLine], labels: &Labels) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let mut frame = score_frame(lines, labels)?;
    let mut csv = Vec::new();
    CsvWriter::new(&mut csv).finish(&mut frame)?;
    Ok((to_parquet(&mut frame)?, csv))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_equal_count_once() {
        let row = |member: &str, value: Option<f64>| ScoreRow {
            member: member.to_owned(),
            model: "net".to_owned(),
            role: "child".to_owned(),
            metric: "rmse".to_owned(),
            horizon: None,
            group: None,
            value,
            unit: None,
        };
        let own = [row("0", Some(1.0)), row("1", None), row("mean", Some(1.0))];
        let twice = [own.clone(), own.clone()].concat();
        let kept: Vec<ScoreRow> = once_each(&twice).cloned().collect();
        assert_eq!(kept, own);
    }

    #[test]
    fn a_point_is_its_settings() {
        let point = "rate=0.1,hidden=[16, 16],name=\"a,b=\\\"c\",opt=sgd(rate: 1, momentum: 0)";
        let found = settings(point);
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["rate", "hidden", "name", "opt"]);
        assert_eq!(found[1].1, "[16, 16]");
        assert_eq!(settings(""), []);
    }
}
