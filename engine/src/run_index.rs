//! The runs of a store as one table: a line each, with a column for every param.

use std::collections::BTreeSet;
use std::path::Path;

use polars::prelude::*;

use crate::artifact::to_parquet;
use crate::error::Fault;
use crate::record::RunRecord;
use crate::table::{settings, text_or_number};

/// The table in both formats.
pub struct RunIndex {
    /// As CSV.
    pub csv: Vec<u8>,
    /// As Parquet.
    pub parquet: Vec<u8>,
}

/// The columns that are not params.
const COLUMNS: [&str; 16] = [
    "run",
    "when",
    "experiment",
    "file",
    "set",
    "ended",
    "seconds",
    "ran",
    "cached",
    "failed",
    "chosen",
    "headline",
    "host",
    "farcast",
    "out",
    "name",
];

/// The value of a param in a run: that of the points chosen, where sweeps set it and agree.
fn value<'a>(run: &'a RunRecord, param: &str) -> Option<&'a str> {
    let chosen = run
        .choices
        .iter()
        .flat_map(|choice| settings(&choice.point));
    let mut chosen = chosen
        .filter(|(name, _)| *name == param)
        .map(|(_, value)| value);
    match chosen.next() {
        Some(first) => chosen.all(|value| value == first).then_some(first),
        None => run.params.get(param).map(String::as_str),
    }
}

/// The table of these runs, with their names. A param has no value where a run does not have it,
/// or sweeps it without a choice.
///
/// # Errors
/// When polars cannot build or write it.
pub fn run_index(runs: &[(&str, &RunRecord)]) -> Result<RunIndex, Fault> {
    let text = |name: &str, get: &dyn Fn(&RunRecord) -> String| {
        let values = runs.iter().map(|(_, run)| get(run));
        Column::new(name.into(), values.collect::<Vec<String>>())
    };
    let count = |name: &str, get: &dyn Fn(&RunRecord) -> usize| {
        let values = runs.iter().map(|(_, run)| get(run) as u64);
        Column::new(name.into(), values.collect::<Vec<u64>>())
    };
    let joined = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(",");
    let names: Vec<&str> = runs.iter().map(|(name, _)| *name).collect();
    let seconds: Vec<f64> = runs.iter().map(|(_, run)| run.seconds).collect();
    let set = |run: &RunRecord| {
        let set = run.set.iter();
        joined(&mut set.map(|(name, value)| format!("{name}={value}")))
    };
    let chosen = |run: &RunRecord| joined(&mut run.choices.iter().map(|it| it.point.clone()));
    let mut columns = vec![
        Column::new("run".into(), names),
        text("when", &RunRecord::time),
        text("experiment", &|run| run.experiment.clone()),
        text("file", &|run| run.file().to_owned()),
        text("set", &set),
        text("ended", &|run| run.ended().to_owned()),
        Column::new("seconds".into(), seconds),
        count("ran", &|run| run.counts.ran),
        count("cached", &|run| run.counts.cached),
        count("failed", &|run| run.counts.failed),
        text("chosen", &chosen),
        text("headline", &|run| {
            run.headlines.first().cloned().unwrap_or_default()
        }),
        text("host", &|run| run.host.clone()),
        text("farcast", &|run| run.farcast.clone()),
        text("out", &|run| run.out.clone()),
        // What the column `run` of its scores says.
        text("name", &|run| {
            let file = Path::new(run.file()).file_stem().unwrap_or_default();
            file.to_string_lossy().into_owned()
        }),
    ];
    let params: BTreeSet<&str> = { runs.iter() }
        .flat_map(|(_, run)| {
            let chosen = run
                .choices
                .iter()
                .flat_map(|choice| settings(&choice.point));
            let params = run.params.keys().map(String::as_str);
            params.chain(chosen.map(|(name, _)| name))
        })
        .collect();
    columns.extend(params.into_iter().map(|param| {
        let values: Vec<Option<&str>> = runs.iter().map(|(_, run)| value(run, param)).collect();
        text_or_number(param, &COLUMNS, &values)
    }));
    let mut frame = DataFrame::new(runs.len(), columns)?;
    let mut csv = Vec::new();
    CsvWriter::new(&mut csv).finish(&mut frame)?;
    Ok(RunIndex {
        csv,
        parquet: to_parquet(&mut frame)?,
    })
}
