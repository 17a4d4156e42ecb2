//! What a page says of ensembles: the error of each member, their spread against it, and the
//! rows whose predictors are trusted.

use std::collections::BTreeMap;

use engine::artifact::{Figure, ScoreRow, Scores, Section, Series, Style};

use super::plots::{axis_label, colors, error_rows, is_wide};
use crate::scores::{TRUSTED, UNTRUSTED};

/// Up to this many members have their numbers below their bars.
const MOST_NUMBERED: usize = 24;

/// The error of each member of each model, and by group how far the members differ.
pub fn section(scores: &[(&str, &Scores)]) -> Section {
    let mut section = Section {
        heading: "Members".to_owned(),
        ..Section::default()
    };
    for (label, scores) in scores {
        match errors(label, scores) {
            Some(figure) => section.figures.push(figure),
            None => section
                .text
                .push(format!("`{label}` has no scores of single members")),
        }
        section.figures.extend(spread(label, scores));
    }
    section
}

fn errors(label: &str, scores: &Scores) -> Option<Figure> {
    let (metric, rows) = error_rows(scores, |row| {
        row.group.is_none() && row.horizon.is_none() && row.member.parse::<u32>().is_ok()
    });
    if rows.is_empty() {
        return None;
    }
    let mut series: Vec<Series> = Vec::new();
    for (model, color) in colors(&rows) {
        let rows = rows.iter().filter(|row| row.model == model);
        series.push(Series {
            name: model.to_owned(),
            style: Style::Bars,
            color,
            points: rows
                .filter_map(|row| Some((row.member.parse().ok()?, row.value?)))
                .collect(),
        });
    }
    series.sort_by_key(|series| series.color);
    let members = series.iter().flat_map(|series| &series.points);
    let last = members
        .map(|(member, _)| *member as usize)
        .max()
        .unwrap_or(0);
    // Each member has its number below; of many, some have.
    let x_names = match last {
        ..MOST_NUMBERED => (0..=last).map(|member| member.to_string()).collect(),
        _ => Vec::new(),
    };
    Some(Figure {
        title: format!("{metric} of each member in `{label}`"),
        x: "member".to_owned(),
        x_names,
        y: axis_label(&metric, scores),
        log_y: is_wide(&series),
        series,
        ..Figure::default()
    })
}

/// For each group of rows, the error of the members' mean against their spread: above the
/// diagonal they agree more than they are right. None without `spread` among the metrics.
fn spread(label: &str, scores: &Scores) -> Option<Figure> {
    let rows: Vec<&ScoreRow> = scores.rows.iter().collect();
    let by_group = |metric: &str| -> BTreeMap<(&str, &str), f64> {
        let rows = scores.rows.iter().filter(|row| {
            let group = row.group.as_deref();
            (row.metric == metric && row.member == "mean")
                && (row.value.is_some_and(|value| value > 0.0))
                && group.is_some_and(|group| ![TRUSTED, UNTRUSTED].contains(&group))
        });
        rows.filter_map(|row| Some(((&row.model[..], row.group.as_deref()?), row.value?)))
            .collect()
    };
    let (spreads, errors) = (by_group("spread"), by_group("rmse"));
    let mut series: Vec<Series> = Vec::new();
    for (model, color) in colors(&rows) {
        let of_model = spreads.iter().filter(|((other, _), _)| *other == model);
        let points: Vec<(f64, f64)> = of_model
            .filter_map(|(key, spread)| Some((*spread, *errors.get(key)?)))
            .collect();
        series.extend((!points.is_empty()).then(|| Series {
            name: model.to_owned(),
            style: Style::Dots,
            color,
            points,
        }));
    }
    series.sort_by_key(|series| series.color);
    (!series.is_empty()).then(|| Figure {
        title: format!("Spread of the members and error of their mean in `{label}`, by group"),
        x: axis_label("spread", scores),
        y: axis_label("rmse", scores),
        log_x: true,
        log_y: true,
        diagonal: true,
        series,
        ..Figure::default()
    })
}

/// The error in rows whose predictors are trusted and in the others, where there are both.
pub fn trust(scores: &[(&str, &Scores)]) -> Vec<Section> {
    let sections = scores.iter().map(|(label, scores)| {
        let (metric, rows) = error_rows(scores, |row| {
            let group = row.group.as_deref();
            row.member == "mean" && group.is_some_and(|group| [TRUSTED, UNTRUSTED].contains(&group))
        });
        let value = |model: &str, group: &str| {
            let of = |row: &&&ScoreRow| row.model == model && row.group.as_deref() == Some(group);
            rows.iter().find(of).and_then(|row| row.value)
        };
        let count = |group: &str| {
            let mut rows = scores.rows.iter();
            let found =
                rows.find(|row| row.metric == "rows" && row.group.as_deref() == Some(group))?;
            found.value
        };
        let (trusted, untrusted) = (count(TRUSTED)?, count(UNTRUSTED)?);
        let mut models: Vec<&str> = Vec::new();
        for row in &rows {
            if !models.contains(&&row.model[..]) {
                models.push(&row.model);
            }
        }
        let text =
            |value: Option<f64>| value.map_or("none".to_owned(), |value| format!("{value:.4}"));
        let row = |model: &str| {
            let values = [TRUSTED, UNTRUSTED].map(|group| text(value(model, group)));
            let mut row = vec![model.to_owned()];
            row.extend(values);
            row
        };
        let heads = ["model", TRUSTED, UNTRUSTED].map(str::to_owned);
        Some(Section {
            heading: format!("Trusted rows in `{label}`"),
            text: vec![format!(
                "The {metric} of the ensemble mean in the {trusted} rows whose predictors lie \
                 within the trusted distance from those of the subsets, and in the other \
                 {untrusted}."
            )],
            table: Some((heads.to_vec(), models.into_iter().map(row).collect())),
            ..Section::default()
        })
    });
    sections.flatten().collect()
}
