//! The figures about errors by group, parity and training.

use std::collections::{BTreeMap, HashMap, HashSet};

use dsl::calendar::{Calendar, DAY, DateTime};
use engine::artifact::{Figure, ScoreRow, Scores, Section, Series, Style};
use engine::params::Gather;

use crate::networks::Loss;
use crate::parents::Parent;
use crate::scores::{TRUSTED, UNTRUSTED};

/// Lines whose peaks differ by more than this factor get a logarithmic axis.
const WIDE: f64 = 30.0;

/// Of more groups with names those with the largest errors are drawn.
const MOST_NAMES: usize = 60;

/// What the horizons of farcasts are called.
const AHEAD: &str = "steps ahead";

/// The error by group, or by steps ahead for farcasts.
pub fn error(scores: &[(&str, &Scores)], by: Option<&str>) -> Section {
    let mut section = Section {
        heading: match by {
            Some(by) => format!("Error by {by}"),
            None => "Error by group".to_owned(),
        },
        ..Section::default()
    };
    for (label, scores) in scores {
        match error_figure(label, scores, by) {
            Ok(figure) => section.figures.extend(figure),
            Err(reason) => section.text.push(reason),
        }
    }
    if section.figures.is_empty() {
        return section;
    }
    let bold = match section.figures.iter().all(|figure| figure.x == AHEAD) {
        true => {
            section.heading = format!("Error by {AHEAD}");
            "members"
        }
        false => "ensemble's predictions",
    };
    let text = format!("Bold: the mean of the {bold}. Faint: single members.");
    section.text.insert(0, text);
    section
}

/// What a row of scores is about beside model and member.
enum PlotAxis {
    Group,
    Horizon,
}

/// None of scores that have neither groups nor steps ahead; the reason where they have others.
fn error_figure(label: &str, scores: &Scores, by: Option<&str>) -> Result<Option<Figure>, String> {
    let grouped = scores.rows.iter().any(|row| row.group.is_some());
    let ahead = scores.rows.iter().any(|row| row.horizon.is_some());
    let (against, name) = match (&scores.group_by, by) {
        (Some(group), Some(by)) if group != by => {
            return Err(format!("`{label}` has errors by `{group}`, not by `{by}`"));
        }
        (Some(group), _) if grouped => (PlotAxis::Group, group.as_str()),
        (_, None) if ahead => (PlotAxis::Horizon, AHEAD),
        _ => return Ok(None),
    };
    let (metric, mut rows) = error_rows(scores, |row| match against {
        // Those of trust are not values of a column.
        PlotAxis::Group => {
            (row.group.as_deref()).is_some_and(|group| ![TRUSTED, UNTRUSTED].contains(&group))
        }
        PlotAxis::Horizon => row.group.is_none() && row.horizon.is_some(),
    });
    let calendar = calendar(&rows);
    let mut names = match calendar {
        Some(_) => Vec::new(),
        None => names(&rows, &against),
    };
    let mut title = format!("{metric} in `{label}` by {name}");
    if names.len() > MOST_NAMES {
        title += &format!(": the {MOST_NAMES} largest of {}", names.len());
        names = largest(names, &rows);
        let kept: HashSet<&str> = names.iter().map(String::as_str).collect();
        rows.retain(|row| row.group.as_deref().is_some_and(|it| kept.contains(it)));
    }
    let places = names.iter().enumerate();
    let places: HashMap<&str, f64> = places.map(|(at, it)| (it.as_str(), at as f64)).collect();
    let lines = lines(&rows, |row| match (&against, calendar) {
        (PlotAxis::Group, Some(calendar)) => day(row.group.as_deref()?, calendar),
        (PlotAxis::Group, None) => {
            let group = row.group.as_deref()?;
            places.get(group).copied().or_else(|| group.parse().ok())
        }
        (PlotAxis::Horizon, _) => row.horizon,
    });
    let axis = axis_label(&metric, scores);
    let profile = names.is_empty() && matches!(name, "depth" | "pressure" | "p");
    let log = is_wide(&lines);
    let figure = Figure {
        title,
        x: name.to_owned(),
        y: axis,
        x_names: names,
        days: calendar.map(|calendar| calendar.name().to_owned()),
        log_y: log,
        series: lines,
        ..Figure::default()
    };
    Ok(Some(if profile { turned(figure) } else { figure }))
}

/// The rows of the error metric, which is `rmse` when there is one, that `keep` keeps.
pub(crate) fn error_rows(
    scores: &Scores,
    keep: impl Fn(&ScoreRow) -> bool,
) -> (String, Vec<&ScoreRow>) {
    let kept: Vec<&ScoreRow> = scores.rows.iter().filter(|row| keep(row)).collect();
    let rmse = kept.iter().find(|row| row.metric == "rmse");
    let metric = rmse
        .or(kept.first())
        .map_or(String::new(), |row| row.metric.clone());
    let rows = kept
        .into_iter()
        .filter(|row| row.metric == metric)
        .collect();
    (metric, rows)
}

/// The calendar in which all groups are dates; none where one is something else.
fn calendar(rows: &[&ScoreRow]) -> Option<Calendar> {
    let calendars = [
        Calendar::ProlepticGregorian,
        Calendar::AllLeap,
        Calendar::Day360,
    ];
    let groups = || rows.iter().map(|row| row.group.as_deref());
    let has_all = |calendar: &Calendar| {
        groups().all(|group| group.is_some_and(|group| day(group, *calendar).is_some()))
    };
    calendars
        .into_iter()
        .find(has_all)
        .filter(|_| !rows.is_empty())
}

/// The days from 1970-01-01 to a date, with their fraction.
fn day(date: &str, calendar: Calendar) -> Option<f64> {
    let moment = DateTime::read(date)?.moment(calendar)?;
    Some(moment.day as f64 + moment.micros as f64 / DAY as f64)
}

/// The names of groups that are not numbers, in order of first use.
fn names(rows: &[&ScoreRow], against: &PlotAxis) -> Vec<String> {
    let groups = rows.iter().filter_map(|row| row.group.as_deref());
    let is_number = |group: &str| group.parse::<f64>().is_ok();
    if matches!(against, PlotAxis::Horizon) || groups.clone().all(is_number) {
        return Vec::new();
    }
    let mut known = HashSet::new();
    let first = groups.filter(|group| known.insert(*group));
    first.map(str::to_owned).collect()
}

/// The names whose errors are largest, in the order that they have.
fn largest(mut names: Vec<String>, rows: &[&ScoreRow]) -> Vec<String> {
    let mut peaks: HashMap<&str, f64> = HashMap::new();
    for row in rows {
        if let (Some(group), Some(value)) = (row.group.as_deref(), row.value) {
            let peak = peaks.entry(group).or_default();
            *peak = peak.max(value.abs());
        }
    }
    let peak = |name: &str| peaks.get(name).copied().unwrap_or_default();
    let mut sizes: Vec<f64> = names.iter().map(|name| peak(name)).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let least = sizes[MOST_NAMES - 1];
    names.retain(|name| peak(name) >= least);
    names.truncate(MOST_NAMES);
    names
}

/// A line for each model and member: members first, so that ensembles lie on top.
fn lines(rows: &[&ScoreRow], x: impl Fn(&ScoreRow) -> Option<f64>) -> Vec<Series> {
    let colors = colors(rows);
    let mut lines: BTreeMap<(PlotLayer, usize, &str), Series> = BTreeMap::new();
    for row in rows {
        let (Some(x), Some(color)) = (x(row), colors.get(row.model.as_str())) else {
            continue;
        };
        let layer = match row.member.as_str() {
            "mean" => PlotLayer::Mean,
            // A second bold line beside the mean would say little more.
            "median" => continue,
            _ => PlotLayer::Member,
        };
        let line = lines
            .entry((layer, *color, row.member.as_str()))
            .or_insert_with(|| Series {
                name: match layer {
                    PlotLayer::Mean => row.model.clone(),
                    PlotLayer::Member => String::new(),
                },
                style: match layer {
                    PlotLayer::Mean => Style::Line,
                    PlotLayer::Member => Style::Faint,
                },
                color: *color,
                points: Vec::new(),
            });
        line.points.push((x, row.value.unwrap_or(f64::NAN)));
    }
    let mut lines: Vec<Series> = lines.into_values().collect();
    for line in &mut lines {
        line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    lines
}

/// What lies behind comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PlotLayer {
    Member,
    Mean,
}

/// A colour for each model in order of first use: ink for the first parent, then the palette.
pub(crate) fn colors<'a>(rows: &[&'a ScoreRow]) -> BTreeMap<&'a str, usize> {
    let mut colors = BTreeMap::new();
    let (mut next, mut ink) = (1, Some(0));
    for row in rows {
        colors.entry(row.model.as_str()).or_insert_with(|| {
            if row.role == "parent"
                && let Some(ink) = ink.take()
            {
                return ink;
            }
            next += 1;
            next - 1
        });
    }
    colors
}

pub(crate) fn axis_label(metric: &str, scores: &Scores) -> String {
    let unitless = matches!(
        metric,
        "skill" | "accuracy" | "r2" | "correlation" | "anomaly_correlation"
    );
    match &scores.unit {
        Some(unit) if !unitless => format!("{metric} of {} ({})", scores.target, raised(unit)),
        _ if scores.target.is_empty() => metric.to_owned(),
        _ => format!("{metric} of {}", scores.target),
    }
}

/// A unit as the conventions for data files write it, `kg m-3`, with true exponents; degrees by their sign.
pub(crate) fn raised(unit: &str) -> String {
    let degrees = match unit {
        "degree_Celsius" | "degrees_Celsius" | "degree_C" | "degrees_C" | "deg_C" | "degC"
        | "Celsius" | "celsius" => "°C",
        "degree_north" | "degrees_north" => "° N",
        "degree_east" | "degrees_east" => "° E",
        _ => "",
    };
    if !degrees.is_empty() {
        return degrees.to_owned();
    }
    let mut raised = String::new();
    let mut before = ' ';
    for character in unit.chars() {
        let follows = before.is_alphabetic() || "⁻⁰¹²³⁴⁵⁶⁷⁸⁹".contains(before);
        before = match character {
            '-' if before.is_alphabetic() => '⁻',
            digit @ '0'..='9' if follows => "⁰¹²³⁴⁵⁶⁷⁸⁹"
                .chars()
                .nth(digit as usize - '0' as usize)
                .unwrap_or(digit),
            other => other,
        };
        raised.push(before);
    }
    raised
}

/// Whether one of these would be flat at the bottom beside another one on a linear axis.
pub(crate) fn is_wide(series: &[Series]) -> bool {
    let peaks = series.iter().map(|series| {
        let values = series.points.iter().map(|(_, y)| *y);
        values.filter(|y| y.is_finite()).fold(0.0, f64::max)
    });
    let peaks: Vec<f64> = peaks.filter(|peak| *peak > 0.0).collect();
    let low = peaks.iter().copied().fold(f64::INFINITY, f64::min);
    peaks.iter().any(|peak| *peak > WIDE * low)
}

/// As a profile: the horizontal axis becomes the vertical one and grows downwards.
fn turned(figure: Figure) -> Figure {
    let turn = |series: Series| Series {
        points: series.points.into_iter().map(|(x, y)| (y, x)).collect(),
        ..series
    };
    Figure {
        x: figure.y,
        y: figure.x,
        log_x: figure.log_y,
        log_y: figure.log_x,
        down: true,
        series: figure.series.into_iter().map(turn).collect(),
        ..figure
    }
}

/// Prediction against truth.
pub fn parity(scores: &[(&str, &Scores)]) -> Section {
    let mut section = Section {
        heading: "Parity".to_owned(),
        ..Section::default()
    };
    for (label, scores) in scores {
        if scores.parity.is_empty() {
            continue;
        }
        let rows: Vec<&ScoreRow> = scores.rows.iter().collect();
        let colors = colors(&rows);
        let unit = scores.unit.as_ref();
        let unit = unit.map_or(String::new(), |unit| format!(" ({})", raised(unit)));
        section.figures.push(Figure {
            title: format!("Truth and prediction in `{label}`"),
            x: format!("true {}{unit}", scores.target),
            y: format!("predicted {}{unit}", scores.target),
            diagonal: true,
            series: scores
                .parity
                .iter()
                .map(|(model, points)| Series {
                    name: model.clone(),
                    style: Style::Dots,
                    color: colors.get(model.as_str()).copied().unwrap_or_default(),
                    points: points.clone(),
                })
                .collect(),
            ..Figure::default()
        });
    }
    section
}

/// The loss of each member along training, and the mean over members.
pub fn loss(parents: &[Gather<Parent>]) -> Section {
    let mut section = Section {
        heading: "Training of the parents".to_owned(),
        ..Section::default()
    };
    for parents in parents {
        let label = &parents.label;
        let members: Vec<&Parent> = parents
            .members
            .iter()
            .flatten()
            .map(AsRef::as_ref)
            .collect();
        if members.iter().all(|member| member.losses.is_empty()) {
            section.text.push(format!("`{label}` was not trained here"));
            continue;
        }
        let training = members.iter().map(|member| {
            let losses = member.losses.iter();
            losses
                .map(|(step, training, _)| (*step as f64, *training))
                .collect()
        });
        let held_out = members.iter().map(|member| {
            let losses = member.losses.iter();
            losses
                .filter_map(|(step, _, held_out)| Some((*step as f64, (*held_out)?)))
                .collect()
        });
        let mut series = curves("training", 0, training.collect());
        series.extend(curves("held out", 1, held_out.collect()));
        // Means last, so that they lie on top.
        series.sort_by_key(|series| series.style == Style::Line);
        let trained_by = members
            .iter()
            .find_map(|member| Some(member.network.as_ref()?.loss()));
        section.figures.push(Figure {
            title: format!("Loss of `{label}`"),
            x: "step".to_owned(),
            y: match trained_by {
                // Classes are not standardised.
                Some(Loss::CrossEntropy) => "loss (cross-entropy)".to_owned(),
                _ => "loss (standardised)".to_owned(),
            },
            log_y: true,
            series,
            ..Figure::default()
        });
    }
    if parents.is_empty() {
        section
            .text
            .push("no parents stand behind these scores".to_owned());
    }
    section
}

/// Faint members and their mean by step.
fn curves(name: &str, color: usize, members: Vec<Vec<(f64, f64)>>) -> Vec<Series> {
    let mut sums: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for (step, loss) in members.iter().flatten() {
        let sum = sums.entry(*step as u64).or_default();
        *sum = (sum.0 + loss, sum.1 + 1);
    }
    if sums.is_empty() {
        return Vec::new();
    }
    let mean = Series {
        name: name.to_owned(),
        style: Style::Line,
        color,
        points: sums
            .into_iter()
            .map(|(step, (sum, count))| (step as f64, sum / count as f64))
            .collect(),
    };
    let members = members.into_iter().map(|points| Series {
        name: String::new(),
        style: Style::Faint,
        color,
        points,
    });
    members.chain([mean]).collect()
}
