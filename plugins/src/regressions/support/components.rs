//! Leading principal components of the anomalies.

use engine::error::Fault;
use engine::plugin::Context;
use faer::{Mat, Side};

use super::rows;
use super::sample::Sample;

/// Anomalies less their mean as sums of a few directions: `Y ≈ scoresᵀ · loadings`.
pub(crate) struct Components {
    /// `[components, rows]`, the largest variance first.
    pub scores: Mat<f64>,
    /// What turns anomalies `[weights, rows]` into loadings `[weights, components]`.
    onto: Mat<f64>,
}

/// Variances below this share of the largest are rounding.
const RANK: f64 = 1e-12;

impl Components {
    /// Up to this many components, fewer where the anomalies have no more.
    ///
    /// From the eigenvectors of `YYᵀ` `[rows, rows]`, which is the smaller side: there are
    /// mostly more weights than subsets.
    pub fn of(sample: &Sample, count: usize, context: &Context) -> Result<Self, Fault> {
        let mut gram = Mat::zeros(sample.rows(), sample.rows());
        for range in sample.blocks() {
            context.check_stop()?;
            let centred = rows::centred(sample.block(&range)).0;
            gram += centred.transpose() * &centred;
        }
        let modes = gram.self_adjoint_eigen(Side::Lower).map_err(|_| {
            Fault::user("the principal components of the anomalies did not converge")
        })?;
        let values = modes.S().column_vector();
        let largest = values.iter().copied().fold(0.0, f64::max);
        let leading: Vec<usize> = (0..sample.rows())
            .rev()
            .filter(|mode| values[*mode] > RANK * largest)
            .take(count)
            .collect();
        let vector = |row: usize, component: usize| modes.U()[(row, leading[component])];
        let size = |component: usize| values[leading[component]].sqrt();
        // Eigenvectors have no sign of their own; this one does not depend on the order of rows.
        let signs: Vec<f64> = (0..leading.len())
            .map(|component| {
                let cubes = (0..sample.rows()).map(|row| vector(row, component).powi(3));
                cubes.sum::<f64>().signum()
            })
            .collect();
        Ok(Self {
            scores: Mat::from_fn(leading.len(), sample.rows(), |c, row| {
                signs[c] * vector(row, c) * size(c)
            }),
            onto: Mat::from_fn(sample.rows(), leading.len(), |row, c| {
                signs[c] * vector(row, c) / size(c)
            }),
        })
    }

    /// The factors `[rows, components]` whose sums are how much each weight moves with each
    /// component: they sum to zero over the rows, so that anomalies need not be centred.
    pub fn onto(&self) -> &Mat<f64> {
        &self.onto
    }
}
