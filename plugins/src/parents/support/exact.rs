//! Rows for models with an exact solution, and least squares of least norm.

use std::ops::Range;

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Formula};
use faer::Mat;

use super::targets::Targets;
use crate::networks::{Columns, Loss, Scaled, TrainingRows, scaled_inputs};
use crate::row_weights::row_weights;
use crate::splines::Seen;
use crate::triangle::{PANEL, Triangle};

/// Rows as models with an exact solution see them, in double precision; standardised some at a time.
pub struct ExactRows<'a> {
    data: &'a Dataset,
    pub columns: Columns,
    /// How much each row counts; all the same when left out.
    pub weights: Option<Vec<f64>>,
    /// The mean of these.
    mean: f64,
}

/// Some neighbouring rows: lists of numbers, one for each column.
pub struct ExactBlock {
    pub inputs: Vec<Vec<f64>>,
    pub targets: Vec<Vec<f64>>,
    /// What a row is multiplied by so that its square counts: by its weight, 1 on average.
    pub shares: Vec<f64>,
}

impl<'a> ExactRows<'a> {
    /// Those of a call.
    ///
    /// # Errors
    /// When there are no rows, a column is missing or has gaps, or weights are none.
    pub fn of(
        data: &'a Dataset,
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
        let weights = train.weights;
        let mean = weights.iter().flatten().sum::<f64>() / data.rows() as f64;
        Ok(Self {
            data,
            columns: Columns { inputs, targets },
            weights,
            mean,
        })
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.data.rows()
    }

    /// Some neighbouring rows of a column.
    ///
    /// # Errors
    /// When it is missing.
    pub fn standardised(&self, scaled: &Scaled, rows: Range<usize>) -> Result<Vec<f64>, Fault> {
        let values = self.data.column(&scaled.name)?.values.part(rows);
        let values = values.iter();
        let values = values.map(|value| (value - scaled.mean) / scaled.std);
        Ok(values.collect())
    }

    /// The square root of how much a row counts, 1 on average.
    pub fn share(&self, row: usize) -> f64 {
        let weight = self.weights.as_ref().map(|weights| weights[row]);
        weight.map_or(1.0, |weight| (weight / self.mean).sqrt())
    }

    /// All rows, some at a time, and where these start.
    pub fn blocks(&self) -> impl Iterator<Item = Result<(Range<usize>, ExactBlock), Fault>> {
        let starts = (0..self.rows()).step_by(PANEL);
        starts.map(|start| {
            let rows = start..self.rows().min(start + PANEL);
            let columns = |scaled: &[Scaled]| -> Result<Vec<Vec<f64>>, Fault> {
                let columns = scaled.iter();
                columns
                    .map(|scaled| self.standardised(scaled, rows.clone()))
                    .collect()
            };
            let block = ExactBlock {
                inputs: columns(&self.columns.inputs)?,
                targets: columns(&self.columns.targets)?,
                shares: rows.clone().map(|row| self.share(row)).collect(),
            };
            Ok((rows, block))
        })
    }
}

/// Of rows of terms with targets as their last columns: the triangle, whose right part is `Qᵀ y`
/// above and what lies outside of `Q` below.
pub struct Normal {
    triangle: Triangle,
    terms: usize,
}

impl Normal {
    /// That of no rows.
    pub fn new(terms: usize, targets: usize) -> Self {
        let triangle = Triangle::new(terms + targets);
        Self { triangle, terms }
    }

    /// Adds rows, each multiplied by its share; `term` is one of a row.
    pub fn add(&mut self, block: &ExactBlock, term: impl Fn(usize, usize) -> f64) {
        let terms = self.terms;
        self.triangle.add(block.shares.len(), |row, at| {
            let number = match at.checked_sub(terms) {
                None => term(row, at),
                Some(target) => block.targets[target][row],
            };
            block.shares[row] * number
        });
    }

    fn r(&self) -> &Mat<f64> {
        self.triangle.r()
    }

    /// How many of its rows are of the terms.
    fn within(&self) -> usize {
        self.terms.min(self.r().nrows())
    }

    /// What penalties are chosen by.
    pub fn seen(&self, rows: usize) -> Seen {
        let (within, terms) = (self.within(), self.terms);
        let mut seen = Seen::through(rows, self.r().get(..within, ..terms).to_owned());
        let targets = self.r().get(..within, terms..).transpose().to_owned();
        seen.add(targets, self.r().get(within.., terms..).squared_norm_l2());
        seen
    }

    /// The coefficients for each target, of least norm, where their squares cost `cost`, with the
    /// rows of another penalty below.
    ///
    /// # Errors
    /// As [`least_norm`].
    pub fn solve(&self, below: &Mat<f64>, cost: f64) -> Result<Vec<Vec<f64>>, Fault> {
        let (r, within, terms) = (self.r(), self.within(), self.terms);
        let height = within + below.nrows();
        let design = Mat::from_fn(height, terms, |row, at| match row.checked_sub(within) {
            None => r[(row, at)],
            Some(row) => below[(row, at)],
        });
        let target = |at: usize| (0..height).map(move |row| (row < within).then_some((row, at)));
        let targets = (terms..r.ncols()).map(|at| {
            let values = target(at).map(|it| it.map_or(0.0, |it| r[it]));
            values.collect()
        });
        least_norm(&design, &targets.collect::<Vec<_>>(), cost)
    }
}

/// Singular values below this share of the largest count as zero, as in numpy's `lstsq` up to
/// the number of rows.
const RANK: f64 = 1e-12;

/// `V diag(s / (s² + cost)) Uᵀ y` of each target: the solution of least norm.
///
/// # Errors
/// When the decomposition does not converge: a bug.
fn least_norm(design: &Mat<f64>, targets: &[Vec<f64>], cost: f64) -> Result<Vec<Vec<f64>>, Fault> {
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
