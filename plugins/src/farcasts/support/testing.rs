//! Runs whose weights are known by formula.

use std::sync::Arc;

use engine::artifact::{Blob, Layout, Trajectory};
use engine::params::{Gather, Label};
use polars::prelude::{DataFrame, NamedFrom, Series};

use crate::farcasts::Farcast;

/// Made-up numbers between -1 and 1.
pub fn made_up(count: usize, salt: usize) -> Vec<f32> {
    (0..count)
        .map(|k| ((k * 37 + salt * 101) as f32 * 0.618).sin())
        .collect()
}

/// A run recorded at these steps, its weights in blocks of five columns.
pub fn run_of(steps: &[u64], weight: impl Fn(usize, u64) -> f32) -> Trajectory {
    let layout = Layout::mlp(&[3, 4, 2]);
    let series = Series::new("step".into(), steps);
    let coordinates = DataFrame::new(steps.len(), vec![series.into()]).unwrap();
    let keep = |bytes: &[u8]| Ok(Blob::in_memory(bytes));
    Trajectory::write(layout, coordinates, 5, keep, |columns, weights| {
        let row = |step: &u64| {
            let weights = columns.clone().map(|k| weight(k, *step).to_le_bytes());
            weights.collect::<Vec<_>>()
        };
        weights.copy_from_slice(&steps.iter().flat_map(row).collect::<Vec<_>>());
        Ok(())
    })
    .unwrap()
}

/// A run of steps 0, 10, … 60 whose weights relax towards others: `b + (a - b) exp(-rate t / 10)`.
pub fn run(rate: f32) -> Trajectory {
    let steps: Vec<u64> = (0..7).map(|at| at * 10).collect();
    let (a, b) = (made_up(26, 1), made_up(26, 2));
    run_of(&steps, |k, step| {
        b[k] + (a[k] - b[k]) * (-rate * step as f32 / 10.0).exp()
    })
}

/// Members of a statement named `w`.
pub fn gather(members: impl IntoIterator<Item = Option<Trajectory>>) -> Gather<Trajectory> {
    Gather {
        label: Label("w".to_owned()),
        members: members.into_iter().map(|run| run.map(Arc::new)).collect(),
    }
}

/// The predictions of a farcast, row after row.
pub fn predictions(farcast: &Farcast) -> Vec<Vec<f32>> {
    let rows: Vec<usize> = (0..farcast.predicted.rows()).collect();
    farcast.predicted.networks(&rows).unwrap()
}
