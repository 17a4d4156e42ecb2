//! How far farcast weights are from others, tensor by tensor, in one go over the columns.

use engine::artifact::Trajectory;
use engine::error::Fault;

use crate::farcasts::{Farcast, tensors_in};

/// Sums over some weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Distances {
    /// How many weights.
    pub count: f64,
    /// Absolute errors.
    pub absolute: f64,
    /// Squared errors.
    pub squared: f64,
    /// Squared errors of the last weights observed.
    pub persistence: f64,
}

/// The errors at one horizon.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// For each tensor of the layout.
    pub tensors: Vec<Distances>,
    /// Root of the mean squared distance to the nearest state seen.
    pub nearest: Option<f64>,
}

impl Found {
    /// All tensors together.
    pub fn all(&self) -> Distances {
        let mut sum = Distances::default();
        for part in &self.tensors {
            sum.count += part.count;
            sum.absolute += part.absolute;
            sum.squared += part.squared;
            sum.persistence += part.persistence;
        }
        sum
    }
}

/// The errors of a farcast's rows `predicted` against the rows `truth` of a run, whose row
/// `last` was the last observed; `seen` are runs and their rows.
pub(crate) fn distances(
    run: &Trajectory,
    last: usize,
    truth: &[usize],
    made: &Farcast,
    predicted: &[usize],
    seen: &[(&Trajectory, Vec<usize>)],
) -> Result<Vec<Found>, Fault> {
    let mut found = vec![
        Found {
            tensors: vec![Distances::default(); run.layout.tensors.len()],
            nearest: None,
        };
        truth.len()
    ];
    // For each horizon the squared distance to each state seen.
    let states = seen.iter().map(|(_, rows)| rows.len()).sum();
    let mut to_seen = vec![vec![0.0; states]; truth.len()];
    let reached = [&[last], truth].concat();
    let rows = reached.len() + predicted.len() + states;
    for columns in run.spans(0..run.layout.len(), rows) {
        let reached = run.read(&reached, columns.clone())?;
        let made = made.predicted.read(predicted, columns.clone())?;
        let last = reached.row(0);
        for (at, (truth, guess)) in reached.rows().skip(1).zip(made.rows()).enumerate() {
            for (tensor, _, part) in tensors_in(&run.layout, &columns) {
                let sums = &mut found[at].tensors[tensor];
                sums.count += part.len() as f64;
                let (guess, truth) = (&guess[part.clone()], &truth[part.clone()]);
                sums.absolute += errors(guess, truth).map(f64::abs).sum::<f64>();
                // Summed alike, so that persistence is exactly as good as itself.
                sums.squared += squared(guess, truth);
                sums.persistence += squared(&last[part], truth);
            }
        }
        let mut state = 0;
        for (run, rows) in seen {
            for row in run.read(rows, columns.clone())?.rows() {
                for (to_seen, guess) in to_seen.iter_mut().zip(made.rows()) {
                    to_seen[state] += squared(guess, row);
                }
                state += 1;
            }
        }
    }
    for (found, to_seen) in found.iter_mut().zip(to_seen) {
        let nearest = to_seen.into_iter().fold(f64::INFINITY, f64::min);
        found.nearest = Some((nearest / found.all().count).sqrt());
    }
    Ok(found)
}

fn errors(a: &[f32], b: &[f32]) -> impl Iterator<Item = f64> {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b))
}

fn squared(a: &[f32], b: &[f32]) -> f64 {
    errors(a, b).map(|error| error * error).sum()
}
