//! A comparison as one self-contained page in the style of the report.

use askama::Template;

use super::page::prose;
use crate::compare::{
    Comparison, RunHead, ScoreComparison, ScoreDifference, letter, method, of, shown, signed,
};
use crate::error::Fault;

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage<'a> {
    title: String,
    runs: Vec<(String, &'a RunHead)>,
    /// What differs, as HTML, with a cell for each run.
    given: Vec<(String, Vec<&'a str>)>,
    tables: Vec<Table>,
    letters: Vec<String>,
}

/// The scores of one metric of one statement.
struct Table {
    statement: String,
    metric: String,
    rows: Vec<View>,
}

struct View {
    what: String,
    of: String,
    values: Vec<String>,
    differences: Vec<DifferenceView>,
}

/// A difference in words, and its interval as a picture on the scale of its table.
struct DifferenceView {
    /// `B − A`.
    what: String,
    value: String,
    interval: String,
    method: String,
    verdict: &'static str,
    picture: String,
}

/// The comparison as HTML.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render_comparison(comparison: &Comparison) -> Result<String, Fault> {
    let letters: Vec<String> = (0..comparison.runs.len()).map(letter).collect();
    let mut titles: Vec<&str> = Vec::new();
    for run in &comparison.runs {
        if !run.experiment.is_empty() && !titles.contains(&run.experiment.as_str()) {
            titles.push(&run.experiment);
        }
    }
    let given = comparison.given.iter().map(|given| {
        let values = given.values.iter();
        let values = values.map(|value| value.as_deref().unwrap_or("none"));
        (prose(&given.what), values.collect())
    });
    let page = ComparePage {
        title: match titles.as_slice() {
            [] => "Comparison".to_owned(),
            titles => titles.join(" / "),
        },
        runs: letters.iter().cloned().zip(&comparison.runs).collect(),
        given: given.collect(),
        tables: tables(&comparison.scores),
        letters,
    };
    page.render().map_err(|error| Fault::Bug(error.to_string()))
}

fn tables(rows: &[ScoreComparison]) -> Vec<Table> {
    let mut groups: Vec<Vec<&ScoreComparison>> = Vec::new();
    for row in rows {
        let same = |group: &&mut Vec<&ScoreComparison>| {
            group[0].statement == row.statement && group[0].metric == row.metric
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups.iter().map(|group| table(group)).collect()
}

fn table(rows: &[&ScoreComparison]) -> Table {
    let differences = || rows.iter().flat_map(|row| row.differences.iter().flatten());
    let ends = differences().flat_map(|difference| {
        let (low, high) = difference.interval.unwrap_or_default();
        [difference.value.abs(), low.abs(), high.abs()]
    });
    let scale = ends.fold(0.0, f64::max);
    let several_points = rows.iter().any(|row| row.point != rows[0].point);
    let view = |row: &&ScoreComparison| View {
        what: what(row, several_points),
        of: of(row),
        values: row.values.iter().map(|value| shown(*value)).collect(),
        differences: row
            .differences
            .iter()
            .enumerate()
            .map(|(index, difference)| described(index + 1, difference.as_ref(), scale))
            .collect(),
    };
    Table {
        statement: rows[0].statement.clone(),
        metric: rows[0].metric.clone(),
        rows: rows.iter().map(view).collect(),
    }
}

fn what(row: &ScoreComparison, with_point: bool) -> String {
    let mut what = format!("{} ({})", row.model, row.role);
    if with_point && !row.point.is_empty() {
        what.push_str(&format!(" at {}", row.point));
    }
    if let Some(horizon) = row.horizon {
        what.push_str(&format!(", {horizon} steps ahead"));
    }
    what
}

fn described(run: usize, difference: Option<&ScoreDifference>, scale: f64) -> DifferenceView {
    let interval = difference.and_then(|difference| Some((difference, difference.interval?)));
    DifferenceView {
        what: format!("{} − A", letter(run)),
        value: difference.map_or_else(String::new, |difference| signed(difference.value)),
        interval: interval.map_or_else(String::new, |(_, (low, high))| {
            format!("{} … {}", signed(low), signed(high))
        }),
        method: difference.map_or_else(String::new, |difference| method(difference.method)),
        verdict: difference.map_or("", |difference| difference.verdict),
        picture: interval.map_or_else(String::new, |(difference, ends)| {
            picture(difference, ends, scale)
        }),
    }
}

/// The interval as a bar about its mean, beside the line of no difference.
fn picture(difference: &ScoreDifference, (low, high): (f64, f64), scale: f64) -> String {
    let x = |value: f64| {
        if scale > 0.0 {
            70.0 + 64.0 * value / scale
        } else {
            70.0
        }
    };
    let ink = match difference.verdict {
        "better" => "var(--good)",
        "worse" => "var(--bad)",
        _ => "currentColor",
    };
    format!(
        "<svg width=\"140\" height=\"16\" viewBox=\"0 0 140 16\" role=\"img\" aria-label=\"interval\">\
         <path d=\"M70 0V16\" stroke=\"var(--soft)\" stroke-dasharray=\"2 2\"/>\
         <path d=\"M{:.1} 8H{:.1}\" stroke=\"{ink}\" stroke-width=\"2.5\" stroke-linecap=\"round\"/>\
         <circle cx=\"{:.1}\" cy=\"8\" r=\"3.5\" fill=\"{ink}\"/></svg>",
        x(low),
        x(high),
        x(difference.value)
    )
}
