//! Rows for models with an exact solution, and least squares of least norm.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Formula};
use faer::Mat;

use super::targets::Targets;
use crate::networks::{Columns, Loss, Scaled, TrainingRows, scaled_inputs};
use crate::row_weights::row_weights;

/// Standardised inputs and targets in double precision, a list for each column.
pub struct ExactRows {
    pub columns: Columns,
    pub inputs: Vec<Vec<f64>>,
    pub targets: Vec<Vec<f64>>,
    /// How much each row counts; all the same when left out.
    pub weights: Option<Vec<f64>>,
}

impl ExactRows {
    /// Those of a call.
    ///
    /// # Errors
    /// When there are no rows, a column is missing or has gaps, or weights are none.
    pub fn of(
        data: &Dataset,
        inputs: &[Column],
        targets: &Targets,
        weights: Option<&Formula>,
    ) -> Result<Self, Fault> {
        let train = TrainingRows::weighted(
            data.clone(),
            row_weights(weights.map(|Formula(weights)| weights), data)?,
        );
        let inputs = scaled_inputs(inputs, data, &train)?;
        let (targets, _) = targets.scaled(Loss::Mse, data, &train)?;
        if data.rows() == 0 {
            return Err(Fault::at("data", "expected rows to learn from, found none"));
        }
        let standardised = |scaled: &Scaled| -> Result<Vec<f64>, Fault> {
            let values = data.values(&scaled.name)?.iter();
            let values = values.map(|value| (value - scaled.mean) / scaled.std);
            Ok(values.collect())
        };
        Ok(Self {
            inputs: inputs.iter().map(standardised).collect::<Result<_, _>>()?,
            targets: targets.iter().map(standardised).collect::<Result<_, _>>()?,
            columns: Columns { inputs, targets },
            weights: train.weights,
        })
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.targets[0].len()
    }

    /// What a row is multiplied by so that its square counts: by its weight, 1 on average.
    pub fn shares(&self) -> Vec<f64> {
        let Some(weights) = &self.weights else {
            return vec![1.0; self.rows()];
        };
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        weights
            .iter()
            .map(|weight| (weight / mean).sqrt())
            .collect()
    }
}

/// Singular values below this share of the largest count as zero, as in numpy's `lstsq` up to
/// the number of rows.
const RANK: f64 = 1e-12;

/// `V diag(s / (s² + cost)) Uᵀ y` of each target: the solution of least norm.
///
/// # Errors
/// When the decomposition does not converge: a bug.
pub fn least_norm(
    design: &Mat<f64>,
    targets: &[Vec<f64>],
    cost: f64,
) -> Result<Vec<Vec<f64>>, Fault> {
    let svd = (design.thin_svd())
        .map_err(|error| Fault::Bug(format!("the decomposition failed: {error:?}")))?;
    let values = svd.S().column_vector();
    let largest = values.iter().copied().fold(0.0, f64::max);
    let solution = |target: &Vec<f64>| {
        let mut weights = vec![0.0; design.ncols()];
        let modes = values.iter().enumerate();
        for (mode, s) in modes.filter(|(_, s)| **s > RANK * largest) {
            let pairs = svd.U().col(mode).iter().zip(target);
            let projected: f64 = pairs.map(|(u, y)| u * y).sum();
            let factor = s / (s * s + cost) * projected;
            for (weight, v) in weights.iter_mut().zip(svd.V().col(mode).iter()) {
                *weight += factor * v;
            }
        }
        weights
    };
    Ok(targets.iter().map(solution).collect())
}
