//! `farcast compare`: compares runs.

use std::collections::BTreeSet;
use std::path::Path;

use dsl::render::printable;
use engine::compare::{Comparison, ScoreComparison, ScoreDifference, Side, compare};
use engine::compare::{letter, method, of, shown, signed};
use engine::output::write_file;
use engine::report::render_comparison;
use engine::store::Access;

use super::run::{Job, default_out, in_threads};
use crate::args::{Compare, ExperimentArgs, RunOptions};
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::session::open;
use crate::settings::Settings;
use crate::stored_run::{StoredRun, report_fault};
use crate::terminal::Terminal;

pub fn run(args: &Compare, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let sides: Result<Vec<Side>, Abort> = args
        .runs
        .iter()
        .map(|named| side(named, settings, terminal))
        .collect();
    let comparison = compare(&sides?);
    if let Some(file) = &args.html {
        render_comparison(&comparison)
            .and_then(|page| write_file(file, page.as_bytes()))
            .map_err(|fault| report_fault(&fault, terminal))?;
        terminal.say(format!("wrote `{}`", file.display()));
    }
    if args.json {
        let answer = serde_json::to_string(&comparison).unwrap_or_default();
        terminal.answer(&answer);
    } else {
        terminal.out(words(&comparison, terminal.width()));
    }
    Ok(Exit::Fine)
}

fn side(named: &str, settings: &Settings, terminal: &Terminal) -> Result<Side, Abort> {
    let path = Path::new(named);
    if path.extension().is_some_and(|end| end == "farcast") {
        return experiment(path, settings, terminal);
    }
    let found = StoredRun::find(named, settings, terminal)?;
    let lines = found
        .scores()
        .map_err(|fault| report_fault(&fault, terminal))?;
    Ok(Side {
        name: found.name,
        record: found.record,
        lines,
    })
}

/// An experiment file as a run: results that are not in the store are computed first.
fn experiment(file: &Path, settings: &Settings, terminal: &Terminal) -> Result<Side, Abort> {
    let experiment = ExperimentArgs {
        file: file.to_owned(),
        settings: Vec::new(),
    };
    let (mut study, store) = open(&experiment, settings, Access::Write, terminal)?;
    let job = Job {
        options: &RunOptions::default(),
        backend: in_threads(settings),
        out: default_out(settings, file),
    };
    let finished = job.make(&mut study, &store, terminal)?;
    if finished.complain(terminal) != Exit::Fine {
        return Err(Abort::Failed);
    }
    Ok(Side {
        name: file.display().to_string(),
        record: finished.record.clone(),
        lines: finished.lines.clone(),
    })
}

/// The runs, what differs, and a table of scores.
fn words(comparison: &Comparison, width: Option<u16>) -> String {
    let heads = comparison.runs.iter().enumerate().map(|(index, run)| {
        let cells = [&letter(index), &run.name, &run.file, &run.when];
        cells.map(|cell| printable(cell)).to_vec()
    });
    let mut text = aligned_within(&heads.collect::<Vec<_>>(), width);
    text.push('\n');
    if comparison.given.is_empty() {
        text.push_str("texts, params, data and versions are equal\n");
    }
    let given = comparison.given.iter().map(|given| {
        let values = given.values.iter();
        let values = values.map(|value| value.clone().unwrap_or_else(|| "none".to_owned()));
        let cells = std::iter::once(given.what.clone()).chain(values);
        cells.map(|cell| printable(&cell)).collect()
    });
    text.push_str(&aligned_within(&given.collect::<Vec<_>>(), width));
    text.push('\n');
    if comparison.scores.is_empty() {
        return text + "there are no scores\n";
    }
    let letters = (0..comparison.runs.len()).map(letter);
    let words = ["", "difference", "95 % interval"].map(str::to_owned);
    let header = ["score", "model", "metric", "of"].map(str::to_owned);
    let mut table: Vec<Vec<String>> =
        vec![header.into_iter().chain(letters).chain(words).collect()];
    let (shown, left) = worth_showing(comparison);
    table.extend(shown.iter().flat_map(|row| lines(row)));
    if table.len() > 1 {
        text.push_str(&aligned_within(&table, width));
    }
    let left: Vec<Vec<String>> = left.into_iter().map(|line| vec![line]).collect();
    text + &aligned_within(&left, width)
}

/// How many scores of points of sweeps are shown.
const POINTS_SHOWN: usize = 20;

/// The scores that differ, those at points of sweeps from the largest difference to the least;
/// what is left out, in words.
fn worth_showing(comparison: &Comparison) -> (Vec<&ScoreComparison>, Vec<String>) {
    let mut left = Vec::new();
    let all = comparison.scores.iter();
    let has_points = { all.clone() }.any(|row| !row.point.is_empty());
    if !has_points {
        return (all.collect(), Vec::new());
    }
    let is_equal = |row: &ScoreComparison| row.values.iter().all(|it| *it == row.values[0]);
    let (equal, other): (Vec<_>, Vec<_>) = all.partition(|row| is_equal(row));
    let is_shared =
        |row: &&ScoreComparison| row.point.is_empty() || row.values.iter().all(Option::is_some);
    let (mut shared, lone): (Vec<_>, Vec<_>) = other.into_iter().partition(is_shared);
    // The largest difference relative to the value: metrics have different units.
    let size = |row: &ScoreComparison| {
        let differences = row.differences.iter().flatten();
        let sizes = differences.map(|it| (it.value / row.values[0].unwrap_or(1.0)).abs());
        sizes.fold(0.0, f64::max)
    };
    let is_point = |row: &&ScoreComparison| !row.point.is_empty();
    shared.sort_by(|one, other| {
        let by_point = is_point(one).cmp(&is_point(other));
        by_point.then(match is_point(one) {
            true => size(other).total_cmp(&size(one)),
            false => std::cmp::Ordering::Equal,
        })
    });
    let whole = shared.iter().filter(|row| !is_point(row)).count();
    if let more @ 1.. = shared.len().saturating_sub(whole + POINTS_SHOWN) {
        left.push(format!("{more} smaller differences at points of sweeps"));
        shared.truncate(whole + POINTS_SHOWN);
    }
    for (at, run) in comparison.runs.iter().enumerate() {
        let points: BTreeSet<&str> = { lone.iter() }
            .filter(|row| row.values.get(at).is_some_and(Option::is_some))
            .map(|row| &*row.point)
            .collect();
        if !points.is_empty() {
            let some: Vec<&str> = points.iter().take(3).copied().collect();
            let dots = if points.len() > 3 { ", …" } else { "" };
            left.push(format!(
                "{} that not all runs have, in {} ({}): {}{dots}",
                match points.len() {
                    1 => "1 point".to_owned(),
                    count => format!("{count} points"),
                },
                letter(at),
                run.name,
                some.join("; ")
            ));
        }
    }
    if !equal.is_empty() {
        left.push(format!("{} scores are equal", equal.len()));
    }
    let left = left.iter().map(|line| printable(line));
    (shared, left.collect())
}

/// A line for each difference; the first names the score.
fn lines(row: &ScoreComparison) -> Vec<Vec<String>> {
    let mut model = row.model.clone();
    if !row.point.is_empty() {
        model.push_str(&format!(" at {}", row.point));
    }
    if let Some(horizon) = row.horizon {
        model.push_str(&format!(" +{horizon}"));
    }
    let mut about = vec![row.statement.clone(), model, row.metric.clone(), of(row)];
    about.extend(row.values.iter().map(|value| shown(*value)));
    let mut lines = Vec::new();
    for (index, difference) in row.differences.iter().enumerate() {
        let what = format!("{} − A", letter(index + 1));
        let words = difference.as_ref().map(words_of).unwrap_or_default();
        let cells = about.iter().cloned().chain([what]).chain(words);
        lines.push(cells.map(|cell| printable(&cell)).collect());
        about.fill(String::new());
    }
    lines
}

/// ScoreDifference, interval, method and verdict.
fn words_of(difference: &ScoreDifference) -> [String; 3] {
    let interval = difference.interval;
    let interval = interval.map_or_else(String::new, |(low, high)| {
        format!("{} … {}", signed(low), signed(high))
    });
    let how = [method(difference.method), difference.verdict.to_owned()];
    let how: Vec<String> = how.into_iter().filter(|word| !word.is_empty()).collect();
    [signed(difference.value), interval, how.join(", ")]
}
