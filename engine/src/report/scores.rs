//! Scores for readers: one wide table per score statement.

use std::collections::BTreeMap;

use super::csv;
use crate::artifact::is_prediction;
use crate::headline::{by, ensemble, firsts, having, lowest, statements};
use crate::metric::{Better, significant};
use crate::table::ScoreLine;

/// Rows of a table beyond this are only counted.
const MOST_ROWS: usize = 50;
/// The same of a sweep, whose points are ranked in a section of their own.
const MOST_SWEPT: usize = 12;

/// The numbers of one score statement, a row for each model and member.
pub struct ScoreTable {
    /// The score statement.
    pub statement: String,
    /// The head of each column.
    pub header: Vec<String>,
    /// How many columns of text precede the numbers.
    pub words: usize,
    /// Ensemble rows first; in a sweep those only, the best point first.
    pub rows: Vec<TableRow>,
    /// How many rows were left out.
    pub more: usize,
}

impl ScoreTable {
    /// The rows shown, as a link to a file.
    pub fn csv(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.cells.clone()).collect();
        csv::link(&self.header, &rows)
    }
}

/// One row of a [`ScoreTable`].
pub struct TableRow {
    /// Whether it is about all members together.
    pub ensemble: bool,
    /// The cells in the order of the header.
    pub cells: Vec<String>,
}

/// One table for each score statement, numbers by group left out.
pub fn tables(scores: &[ScoreLine]) -> Vec<ScoreTable> {
    let whole: Vec<&ScoreLine> = scores.iter().filter(|line| line.group.is_none()).collect();
    statements(&whole)
        .into_iter()
        .map(|statement| table(statement, &having(&whole, |l| l.statement == statement)))
        .collect()
}

fn table(statement: &str, lines: &[&ScoreLine]) -> ScoreTable {
    let metrics = firsts(lines, |line| &line.metric);
    let headings = metrics.iter().map(|metric| {
        let line = lines.iter().find(|line| line.metric == *metric);
        line.map_or_else(String::new, |line| line.heading())
    });
    let points = ranked_points(lines, metrics.first().copied().unwrap_or_default());
    let models = firsts(lines, |line| &line.model);
    let swept = points.len() > 1;
    let ahead = lines.iter().any(|line| line.horizon.is_some());
    let [point_places, model_places] = [&points, &models].map(|names| places(names));
    let key = |line: &ScoreLine| {
        let member = line.member.parse::<u64>();
        (
            point_places.get(&*line.point),
            member.is_ok(),
            model_places.get(&*line.model),
            order(line.horizon.unwrap_or(0.0)),
            member.unwrap_or(0),
            line.member.clone(),
        )
    };
    let mut sorted: Vec<_> = lines.iter().map(|line| (key(line), *line)).collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut rows: Vec<TableRow> = sorted
        .chunk_by(|(a, _), (b, _)| a == b)
        .map(|cells| {
            let cells: Vec<&ScoreLine> = cells.iter().map(|(_, line)| *line).collect();
            wide_row(&cells, &metrics, swept, ahead)
        })
        .collect();
    let all = rows.len();
    if swept && rows.iter().any(|row| row.ensemble) {
        // Readers compare points with each other; members would separate them.
        rows.retain(|row| row.ensemble);
    }
    rows.truncate(if swept { MOST_SWEPT } else { MOST_ROWS });
    let more = all - rows.len();
    let mut header = vec!["model", "role", "member"];
    if ahead {
        header.push("steps ahead");
    }
    if swept {
        header.insert(0, "point");
    }
    ScoreTable {
        statement: statement.to_owned(),
        words: header.len(),
        header: header
            .into_iter()
            .map(str::to_owned)
            .chain(headings)
            .collect(),
        rows,
        more,
    }
}

/// One row from the lines that differ in the metric only.
fn wide_row(lines: &[&ScoreLine], metrics: &[&str], swept: bool, ahead: bool) -> TableRow {
    let mut cells = Vec::new();
    let Some(line) = lines.first() else {
        return TableRow {
            ensemble: false,
            cells,
        };
    };
    if swept {
        cells.push(line.point.replace(',', ", "));
    }
    cells.extend([&line.model, &line.role, &line.member].map(String::clone));
    if ahead {
        cells.push(line.horizon.map_or_else(String::new, |h| h.to_string()));
    }
    cells.extend(metrics.iter().map(|metric| {
        let value = lines.iter().find(|line| line.metric == *metric);
        value.map_or_else(String::new, |line| {
            line.value.map_or_else(|| "none".to_owned(), significant)
        })
    }));
    TableRow {
        ensemble: line.member.parse::<u64>().is_err(),
        cells,
    }
}

/// The points of a sweep, that of the best scored ensemble first.
fn ranked_points<'a>(lines: &[&'a ScoreLine], metric: &str) -> Vec<&'a str> {
    let aim = Better::of(metric);
    let cost = |at_point: &[&ScoreLine]| {
        let scored = having(at_point, |line| {
            line.metric == metric && is_prediction(&line.role)
        });
        lowest(&ensemble(&scored), aim).map_or(f64::INFINITY, |(_, value)| aim.cost(value))
    };
    let mut points: Vec<(f64, &str)> = by(lines, |line| &line.point)
        .into_iter()
        .map(|(point, at_point)| (cost(&at_point), point))
        .collect();
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    points.into_iter().map(|(_, point)| point).collect()
}

/// Where each of different names is among them.
fn places<'a>(names: &[&'a str]) -> BTreeMap<&'a str, usize> {
    let names = names.iter().enumerate();
    names.map(|(at, name)| (*name, at)).collect()
}

/// A number that sorts as the value does.
fn order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

#[cfg(test)]
mod tests {
    use dsl::experiment::Experiment;

    use super::*;
    use crate::headline::headlines;
    use crate::headline::tests::{line, two_members};

    #[test]
    fn ensemble_rows_come_first() {
        let table = &tables(&two_members())[0];
        assert_eq!(table.header, ["model", "role", "member", "rmse", "bias"]);
        let cells: Vec<String> = table.rows.iter().map(|row| row.cells.join(" ")).collect();
        assert_eq!(
            cells,
            [
                "net parent mean 10.00 ",
                "adapted child mean 7.500 −0.5000",
                "net parent 0 8.000 ",
                "net parent 1 12.00 ",
                "adapted child 0 2.000 ",
                "adapted child 1 13.00 ",
            ]
        );
    }

    #[test]
    fn the_best_point_of_a_sweep_comes_first_and_the_rest_is_counted() {
        let lines: Vec<ScoreLine> = (0..60)
            .map(|point| ScoreLine {
                point: format!("width={point}"),
                ..line("adapted", "child", "mean", "rmse", 100.0 - f64::from(point))
            })
            .collect();
        let table = &tables(&lines)[0];
        assert_eq!(table.rows[0].cells[0], "width=59");
        assert_eq!((table.rows.len(), table.more), (12, 48));
        let headline = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(headline.notes[1], "middle of 60 points: width=30");
    }

    #[test]
    fn horizons_sort_as_numbers() {
        assert!(order(-2.0) < order(-1.0) && order(-1.0) < order(0.0) && order(9.0) < order(10.0));
    }
}
