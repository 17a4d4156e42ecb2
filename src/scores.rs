//! The score table at the end of a run.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, Table, presets};
use engine::table::ScoreLine;

/// How many lines a table shows; the others are counted.
const SHOWN: usize = 40;

/// The scores without groups as a table: the ensemble first, then the spread over members.
pub fn table(lines: &[ScoreLine]) -> String {
    let whole: Vec<&ScoreLine> = lines.iter().filter(|line| line.group.is_none()).collect();
    let mut metrics: Vec<&str> = Vec::new();
    for line in &whole {
        if !metrics.contains(&line.metric.as_str()) {
            metrics.push(&line.metric);
        }
    }
    let mut rows = rows(&whole);
    // The scores that depend on the choice of a sweep come before those of its points.
    rows.sort_by_key(|(key, _)| !key.point.is_empty());
    let has_points = rows.iter().any(|(key, _)| !key.point.is_empty());
    let has_horizons = rows.iter().any(|(key, _)| !key.horizon.is_empty());
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let mut header = vec!["score".to_owned(), "model".to_owned(), "role".to_owned()];
    header.extend(has_points.then(|| "point".to_owned()));
    header.extend(has_horizons.then(|| "horizon".to_owned()));
    header.push("member".to_owned());
    header.extend(metrics.iter().map(|metric| {
        let line = whole.iter().find(|line| line.metric == *metric);
        line.map_or_else(String::new, |line| line.heading())
    }));
    table.set_header(header);
    for (key, values) in rows.iter().take(SHOWN) {
        let mut cells = vec![
            Cell::new(&key.statement),
            Cell::new(&key.model),
            Cell::new(&key.role),
        ];
        cells.extend(has_points.then(|| Cell::new(&key.point)));
        cells.extend(has_horizons.then(|| Cell::new(&key.horizon)));
        cells.push(Cell::new(&key.member));
        for metric in &metrics {
            let text = values.get(*metric).map_or("", String::as_str);
            cells.push(Cell::new(text).set_alignment(CellAlignment::Right));
        }
        table.add_row(cells);
    }
    let mut text = format!("{table}\n");
    if rows.len() > SHOWN {
        text.push_str(&format!(
            "… and {} more lines in scores.csv\n",
            rows.len() - SHOWN
        ));
    }
    text
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Key {
    statement: String,
    model: String,
    role: String,
    point: String,
    horizon: String,
    member: String,
}

/// Lines in the order of the scores; numbered members become one line, `min … max`.
fn rows(lines: &[&ScoreLine]) -> Vec<(Key, BTreeMap<String, String>)> {
    let mut rows: Vec<(Key, BTreeMap<String, String>)> = Vec::new();
    let mut spreads: Vec<(Key, BTreeMap<String, Vec<f64>>)> = Vec::new();
    for line in lines {
        let mut key = Key {
            statement: line.statement.clone(),
            model: line.model.clone(),
            role: line.role.clone(),
            point: line.point.clone(),
            horizon: line.horizon.map_or(String::new(), |h| h.to_string()),
            member: line.member.clone(),
        };
        if line.member.parse::<u32>().is_ok() {
            key.member = String::new();
            let spread = entry(&mut spreads, key);
            if let Some(value) = line.value {
                spread.entry(line.metric.clone()).or_default().push(value);
            }
        } else {
            let shown = line.value.map_or("none".to_owned(), number);
            entry(&mut rows, key).insert(line.metric.clone(), shown);
        }
    }
    for (mut key, values) in spreads {
        let count = values.values().map(Vec::len).max().unwrap_or(0);
        if count == 0 {
            continue;
        }
        key.member = match count {
            1 => "1 member".to_owned(),
            count => format!("{count} members"),
        };
        let shown = values.into_iter().map(|(metric, values)| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let shown = match count {
                1 => number(least),
                _ => format!("{} … {}", number(least), number(most)),
            };
            (metric, shown)
        });
        let line = (key, shown.collect());
        let same = |row: &(Key, _)| {
            row.0.statement == line.0.statement
                && row.0.model == line.0.model
                && row.0.point == line.0.point
                && row.0.horizon == line.0.horizon
        };
        match rows.iter().rposition(same) {
            Some(index) => rows.insert(index + 1, line),
            None => rows.push(line),
        }
    }
    rows
}

fn entry<T: Default>(rows: &mut Vec<(Key, T)>, key: Key) -> &mut T {
    let index = rows
        .iter()
        .position(|(other, _)| *other == key)
        .unwrap_or_else(|| {
            rows.push((key, T::default()));
            rows.len() - 1
        });
    &mut rows[index].1
}

/// Four significant digits.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let decimals = if size == 0.0 {
        1
    } else {
        (3 - size.log10().floor() as i32).max(0) as usize
    };
    format!("{value:.decimals$}")
}
