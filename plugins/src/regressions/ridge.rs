//! `ridge(shift, z)`: straight lines with shrunken slopes, the penalty by cross-validation.

use engine::artifact::{Dataset, WeightTable};
use engine::error::Fault;
use engine::params::{Input, Via};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use faer::Mat;

use super::sample::{Fit, Sample, Sources};
use super::{Basis, Regression, rows};
use crate::predictors::Predictors;
use crate::subsets::Subsets;

plugin! {
    /// Straight lines from predictors to the anomalies of all weights, slopes held small.
    ///
    /// Minimises `‖Y - X B‖² / n + penalty ‖B‖²` over `n` subsets with standardised
    /// predictors; the intercept is free. Without a penalty the one of least generalised
    /// cross-validation is taken (Golub, Heath & Wahba 1979, eq. 1.4), one for all weights:
    /// `V = (Σ ‖(I - A) y‖² / n) / (trace(I - A) / n)²`, `A` the matrix that turns anomalies
    /// into fitted ones and the sum over weights, over ten penalties a decade from 1e-6 to 1e3.
    ///
    /// ```farcast
    /// regression held = ridge(shift, regime, penalty: 0.1)
    /// ```
    "ridge" version 1
    pub struct Ridge {
        /// The fine-tuned weights to explain.
        anomalies: Input<WeightTable>;
        /// What explains them.
        predictors: Vec<Input<Predictors>>, variadic();
        /// What a squared slope costs; by generalised cross-validation when left out.
        penalty: Option<f64>, range("0..");
        /// The rows of each subset.
        subsets: Via<Subsets>, via("anomalies.subsets");
        /// The data the subsets were drawn from.
        data: Via<Dataset>, via("anomalies.subsets.data");
        /// The data the parent was trained on.
        training: Via<Dataset>, via("anomalies.parent.data");
    }
}

impl Plugin for Ridge {
    type Output = Regression;

    fn run(self, context: &Context) -> Result<Regression, Fault> {
        let sources = Sources {
            anomalies: &self.anomalies,
            predictors: &self.predictors,
            subsets: &self.subsets,
            data: &self.data,
            training: &self.training,
        };
        let sample = Sample::gather(&sources, context)?;
        fit(&sample, self.penalty, context)
    }
}

/// The exponents of ten of the penalties tried, in tenths.
const TENTHS: std::ops::RangeInclusive<i32> = -60..=30;

fn fit(sample: &Sample, penalty: Option<f64>, context: &Context) -> Result<Regression, Fault> {
    let basis = Basis::Polynomial(1);
    let columns = sample.design(&basis)?;
    let spectrum = Spectrum::of(&columns[1..])?;
    sample.note_constant(context);
    let penalty = match penalty {
        Some(penalty) => penalty,
        None => spectrum.cross_validated(sample, context)?,
    };

    let weights = sample.weights();
    let mut fit = Fit::new(columns.len(), weights);
    for range in sample.blocks() {
        context.check_stop()?;
        context.progress(range.start as u64, weights as u64, None);
        let mut centred = sample.block(&range);
        let means = rows::means(&centred);
        fit.variance.extend(rows::variances(&centred, &means));
        rows::subtract(&mut centred, &means);
        let slopes = spectrum.slopes(&centred, penalty);
        fit.residual.extend(rows::squares(
            &(centred - &slopes * spectrum.design.transpose()),
        ));
        fit.pruned.extend(vec![0.0; range.len()]);
        fit.slopes.extend(vec![slopes.ncols() as f64; range.len()]);
        fit.set(0, &range, &means);
        for predictor in 0..slopes.ncols() {
            fit.set(predictor + 1, &range, slopes.col_as_slice(predictor));
        }
    }
    Ok(sample.regression(basis, fit, context))
}

/// The singular value decomposition of the standardised predictors.
struct Spectrum {
    design: Mat<f64>,
    u: Mat<f64>,
    v: Mat<f64>,
    values: Vec<f64>,
}

/// Singular values below this share of the largest are rounding.
const RANK: f64 = 1e-12;

impl Spectrum {
    fn of(columns: &[Vec<f64>]) -> Result<Self, Fault> {
        let rows = columns.first().map_or(0, Vec::len);
        let design = Mat::from_fn(rows, columns.len(), |row, column| columns[column][row]);
        let svd = design
            .thin_svd()
            .map_err(|_| Fault::user("the singular values of the predictors did not converge"))?;
        let values: Vec<f64> = svd.S().column_vector().iter().copied().collect();
        let largest = values.iter().copied().fold(0.0, f64::max);
        Ok(Self {
            u: svd.U().to_owned(),
            v: svd.V().to_owned(),
            values: values
                .into_iter()
                .map(|value| if value > RANK * largest { value } else { 0.0 })
                .collect(),
            design,
        })
    }

    fn rows(&self) -> f64 {
        self.design.nrows() as f64
    }

    /// What is left of each singular direction: `s² / (s² + n penalty)`.
    fn shrinkage(&self, penalty: f64) -> impl Iterator<Item = f64> {
        let cost = self.rows() * penalty;
        self.values.iter().map(move |s| {
            if *s > 0.0 {
                s * s / (s * s + cost)
            } else {
                0.0
            }
        })
    }

    /// The slopes `[weights, predictors]` for centred anomalies `[weights, rows]`: the
    /// transpose of `V diag(s / (s² + n penalty)) Uᵀ y`.
    fn slopes(&self, centred: &Mat<f64>, penalty: f64) -> Mat<f64> {
        let mut projected = centred * &self.u;
        for (mode, (kept, s)) in self.shrinkage(penalty).zip(&self.values).enumerate() {
            let factor = if *s > 0.0 { kept / s } else { 0.0 };
            for value in projected.col_as_slice_mut(mode) {
                *value *= factor;
            }
        }
        projected * self.v.transpose()
    }

    /// The penalty of least generalised cross-validation, the first of equals.
    fn cross_validated(&self, sample: &Sample, context: &Context) -> Result<f64, Fault> {
        let mut beyond = 0.0;
        let mut energies = vec![0.0; self.values.len()];
        for range in sample.blocks() {
            context.check_stop()?;
            let mut centred = sample.block(&range);
            let means = rows::means(&centred);
            rows::subtract(&mut centred, &means);
            let projected = &centred * &self.u;
            for (mode, energy) in energies.iter_mut().enumerate() {
                *energy += projected.col(mode).squared_norm_l2();
            }
            let rest = centred - projected * self.u.transpose();
            beyond += rest.squared_norm_l2();
        }
        let mut best = (f64::INFINITY, 0.0);
        for tenth in TENTHS {
            let penalty = 10f64.powf(f64::from(tenth) / 10.0);
            let score = self.criterion(beyond, &energies, penalty);
            if score < best.0 {
                best = (score, penalty);
            }
        }
        context.note(format!(
            "penalty {:.3e} by generalised cross-validation",
            best.1
        ));
        Ok(best.1)
    }

    /// Golub, Heath & Wahba (1979), eq. 1.4, summed over the weights. The free intercept
    /// takes one from the trace.
    fn criterion(&self, beyond: f64, energies: &[f64], penalty: f64) -> f64 {
        let shrinkage: Vec<f64> = self.shrinkage(penalty).collect();
        let within = shrinkage.iter().zip(energies);
        let residual = beyond + within.map(|(f, e)| (1.0 - f).powi(2) * e).sum::<f64>();
        let trace = self.rows() - 1.0 - shrinkage.iter().sum::<f64>();
        (residual / self.rows()) / (trace / self.rows()).powi(2)
    }
}
