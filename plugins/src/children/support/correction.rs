//! What moves the weights of a network from row to row.

use engine::artifact::Dataset;
use engine::error::Fault;

use super::anomalies::Nearest;
use super::guard::{Clip, Guard, Missing, Outside};
use super::tangent::Tangent;
use crate::networks::Network;
use crate::predictors::PredictorRows;
use crate::regressions::{Regression, Term};

/// The corrections of a parent's weights, for every row of any data.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// How the weights move with the predictors.
    pub regression: Regression,
    /// What it does where the subsets showed nothing.
    pub guard: Guard,
    /// The range of each weight's correction, when it is limited.
    pub clip: Option<Clip>,
    /// Anomalies that are taken unchanged, instead of what the regression predicts.
    pub nearest: Option<Nearest>,
}

impl Correction {
    /// The outputs of the row's own network for each row of data, `[rows, outputs]`; `parent` are
    /// the weights that are corrected, `inputs` those of the network.
    pub(crate) fn outputs(
        &self,
        parent: &[f32],
        network: &Network,
        inputs: &[f32],
        data: &Dataset,
    ) -> Result<Vec<f32>, Fault> {
        let rows = data.rows();
        let width = network.inputs().len();
        let inputs_of = |row: usize| &inputs[row * width..(row + 1) * width];
        let points = self.points(data)?;
        let Some(mut outputs) = self.outputs_by_sums(parent, network, inputs, &points, rows) else {
            let outputs = (0..rows).flat_map(|row| {
                let weights = self.weights_at(parent, points.row(row));
                network.evaluate(&weights, inputs_of(row), 1)
            });
            return Ok(outputs.collect());
        };
        let falls_back = |row: &usize| self.guard.falls_back(points.row(*row));
        let fallen: Vec<usize> = (0..rows).filter(falls_back).collect();
        let theirs: Vec<f32> = fallen
            .iter()
            .flat_map(|row| inputs_of(*row))
            .copied()
            .collect();
        let parent = network.evaluate(parent, &theirs, fallen.len());
        let width = outputs.len() / rows.max(1);
        for (at, row) in fallen.into_iter().enumerate() {
            outputs[row * width..][..width].copy_from_slice(&parent[at * width..][..width]);
        }
        Ok(outputs)
    }

    /// The weights of the network of one row, in parameter order.
    ///
    /// `predictors` are those of the row, in their own units.
    pub fn weights(&self, parent: &[f32], predictors: &[f64]) -> Vec<f32> {
        self.weights_at(parent, &self.regression.form.standardised(predictors))
    }

    fn weights_at(&self, parent: &[f32], standardised: &[f64]) -> Vec<f32> {
        if self.guard.falls_back(standardised) {
            return parent.to_vec();
        }
        let mut corrections = self.corrections(standardised);
        if let Some(clip) = &self.clip {
            clip.apply(&mut corrections);
        }
        let weights = parent.iter().zip(corrections);
        weights
            .map(|(weight, correction)| (f64::from(*weight) + correction) as f32)
            .collect()
    }

    /// What is added to each weight of the parent, before any limit.
    pub(crate) fn corrections(&self, standardised: &[f64]) -> Vec<f64> {
        let count = self.regression.layout.len();
        if let Some(nearest) = &self.nearest {
            return nearest.corrections(standardised, count);
        }
        let terms = self.regression.form.terms();
        let mut corrections = vec![0.0; count];
        for (index, value) in self.values(&terms, standardised).enumerate() {
            let coefficients = self.regression.coefficients_of(index);
            for (correction, coefficient) in corrections.iter_mut().zip(coefficients) {
                *correction += value * f64::from(*coefficient);
            }
        }
        corrections
    }

    /// The terms at standardised predictors; with `outside: linear` their tangents at the edge
    /// of the range of the subsets, beyond it.
    pub(crate) fn values<'a>(
        &self,
        terms: &'a [Term],
        standardised: &'a [f64],
    ) -> impl Iterator<Item = f64> + use<'a> {
        let tangent = match self.guard.outside {
            Outside::Linear => Tangent::of(&self.regression.form, standardised),
            Outside::Keep | Outside::Parent => None,
        };
        terms.iter().map(move |term| match &tangent {
            Some(tangent) => tangent.value(term),
            None => term.value(standardised),
        })
    }

    /// The standardised predictors of every row.
    fn points(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        let mut rows = self.predictors(data)?;
        let form = &self.regression.form;
        for row in rows.values.chunks_exact_mut(form.names.len().max(1)) {
            form.standardise(row);
        }
        Ok(rows)
    }

    fn predictors(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        PredictorRows::of(&self.regression.form.predictors, data)
    }

    /// For every row whether its predictors are farther from the subsets than is trusted;
    /// those with a missing predictor are not.
    pub(crate) fn outside(&self, data: &Dataset) -> Result<Vec<bool>, Fault> {
        let points = self.points(data)?;
        let outside = |row| self.guard.is_outside(points.row(row));
        Ok((0..data.rows()).map(outside).collect())
    }

    /// For every row whether it has no prediction, because a predictor is missing.
    pub(crate) fn left_out(&self, data: &Dataset) -> Result<Vec<bool>, Fault> {
        let predictors = self.predictors(data)?;
        let missing = |row| predictors.row(row).iter().any(|value| !value.is_finite());
        let leave_out = self.guard.missing == Missing::LeaveOut;
        Ok((0..data.rows())
            .map(|row| leave_out && missing(row))
            .collect())
    }
}
