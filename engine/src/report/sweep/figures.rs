//! The pictures of a sweep: the score against each param, and all params beside each other.

use std::collections::BTreeMap;

use dsl::sweep::{Best, Setting};

use super::runs::{Group, Runs};
use crate::artifact::{Figure, Series, Style};

/// A param with more values than this has no line through the means at each.
const MOST_MEANS: usize = 12;
/// More points than this are not drawn as lines beside each other.
const MOST_LINES: usize = 200;
/// Values that span more than this ratio are drawn on a log axis.
const WIDE: f64 = 50.0;

/// The score against one param: members, points, the mean at each value, the choice.
pub fn response(runs: &Runs, param: usize) -> Option<Figure> {
    let places = Places::of(runs, param);
    let at = |group: &Group| places.of_setting(group.settings[param].as_ref()?);
    let values: Vec<(f64, &Group)> = runs
        .groups
        .iter()
        .filter_map(|group| Some((at(group)?, group)))
        .collect();
    let mut columns: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let mut series = [
        dots("members", 2),
        dots("points", 0),
        Series {
            style: Style::Line,
            ..dots("mean at each value", 0)
        },
        dots("chosen", 1),
    ];
    for (x, group) in &values {
        for run in &group.runs {
            let members = run.members.iter().map(|value| (*x, *value));
            series[0].points.extend(members);
            series[1].points.extend(run.value.map(|value| (*x, value)));
        }
        if let Some(mean) = group.mean {
            columns.entry(x.to_bits()).or_default().push(mean);
        }
    }
    if columns.len() < 2 {
        return None;
    }
    if columns.len() <= MOST_MEANS {
        let mut xs: Vec<f64> = values.iter().map(|(x, _)| *x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let means = xs.iter().filter_map(|x| {
            let column = columns.get(&x.to_bits())?;
            Some((*x, column.iter().sum::<f64>() / column.len() as f64))
        });
        series[2].points = means.collect();
    }
    if let Some(group) = chosen(runs) {
        let point = at(group).and_then(|x| Some((x, group.mean?)));
        series[3].points.extend(point);
    }
    Some(Figure {
        title: format!("`{}`", runs.params[param].name),
        x: runs.params[param].name.clone(),
        y: runs.heading.clone(),
        log_x: places.is_log,
        x_names: places.names,
        series: series
            .into_iter()
            .filter(|series| !series.points.is_empty())
            .collect(),
        ..Figure::default()
    })
}

/// One line for each point across all params to its score, each from its lowest to its highest
/// value; the best tenth stands out.
pub fn parallel(runs: &Runs) -> Option<Figure> {
    let ranked = runs.ranked();
    if runs.params.len() < 2 || ranked.len() > MOST_LINES {
        return None;
    }
    let places: Vec<Places> = (0..runs.params.len())
        .map(|at| Places::of(runs, at))
        .collect();
    let means = || ranked.iter().filter_map(|group| group.mean);
    let least = means().fold(f64::INFINITY, f64::min);
    let most = means().fold(f64::NEG_INFINITY, f64::max);
    let best = ranked.len().div_ceil(10);
    let chosen = chosen(runs).map(|group| group.number);
    let lines = ranked.iter().enumerate().rev().map(|(rank, group)| {
        let mut points: Vec<(f64, f64)> = places
            .iter()
            .zip(&group.settings)
            .enumerate()
            .map(|(at, (places, setting))| {
                let share = setting.as_ref().and_then(|setting| places.share(setting));
                (at as f64, share.unwrap_or(f64::NAN))
            })
            .collect();
        let share = (group.mean.unwrap_or(least) - least) / (most - least).max(f64::MIN_POSITIVE);
        points.push((runs.params.len() as f64, share));
        let (name, style, color) = match () {
            () if chosen == Some(group.number) => ("chosen", Style::Line, 1),
            () if rank < best => ("best tenth", Style::Faint, 1),
            () => ("points", Style::Faint, 0),
        };
        Series {
            name: name.to_owned(),
            style,
            color,
            points,
        }
    });
    let names = runs.params.iter().map(|param| param.name.clone());
    Some(Figure {
        title: "All params beside each other".to_owned(),
        x: "param".to_owned(),
        y: "from lowest to highest".to_owned(),
        x_names: names.chain([runs.heading.clone()]).collect(),
        series: lines.collect(),
        ..Figure::default()
    })
}

fn chosen<'r, 'a>(runs: &'r Runs<'a>) -> Option<&'r Group<'a>> {
    let Best::Trial(at) = runs.sweep.best else {
        return None;
    };
    runs.groups.get(runs.sweep.trials.get(at)?.group)
}

fn dots(name: &str, color: usize) -> Series {
    Series {
        name: name.to_owned(),
        style: Style::Dots,
        color,
        points: Vec::new(),
    }
}

/// The positions of the values of one param on an axis.
struct Places {
    /// Words in the order of first use; empty for numbers.
    names: Vec<String>,
    is_log: bool,
    least: f64,
    most: f64,
}

impl Places {
    fn of(runs: &Runs, param: usize) -> Self {
        let settings = runs
            .groups
            .iter()
            .filter_map(|group| group.settings[param].as_ref());
        let settings: Vec<&Setting> = settings.collect();
        let numbers: Option<Vec<f64>> = settings.iter().map(|setting| setting.number).collect();
        let mut names: Vec<String> = Vec::new();
        let Some(numbers) = numbers else {
            for setting in settings {
                if !names.contains(&setting.text) {
                    names.push(setting.text.clone());
                }
            }
            let most = names.len() as f64 - 1.0;
            return Self {
                names,
                is_log: false,
                least: 0.0,
                most,
            };
        };
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self {
            names,
            is_log: least > 0.0 && (runs.params[param].is_log || most / least > WIDE),
            least,
            most,
        }
    }

    fn of_setting(&self, setting: &Setting) -> Option<f64> {
        match self.names.is_empty() {
            true => setting.number,
            false => {
                let at = self.names.iter().position(|name| *name == setting.text);
                at.map(|at| at as f64)
            }
        }
    }

    fn share(&self, setting: &Setting) -> Option<f64> {
        let along = |value: f64| if self.is_log { value.ln() } else { value };
        let (least, most) = (along(self.least), along(self.most));
        let share = (along(self.of_setting(setting)?) - least) / (most - least);
        Some(if share.is_finite() { share } else { 0.5 })
    }
}
