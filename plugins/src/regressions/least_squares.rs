//! Ordinary least squares for all weights at once: one QR decomposition of the design, every
//! weight a right-hand side.

use dsl::column::ColumnExpr;
use engine::error::Fault;
use engine::plugin::Context;
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Qr;
use faer::{Accum, Mat, Par};

use super::sample::{Fit, Sample};
use super::{Basis, Regression, rows};

/// The name of |estimate| / standard error in a `keep` condition.
pub(super) const SNR: &str = "snr";

/// Fits the basis to the anomalies; slopes for which `keep` does not hold become zero.
///
/// Terms that do not vary, or are linear combinations of those before them, are dropped with
/// a note. After pruning the other coefficients are left as they are.
pub(super) fn fit(
    sample: &Sample,
    basis: Basis,
    keep: Option<&ColumnExpr>,
    context: &Context,
) -> Result<Regression, Fault> {
    let columns = sample.design(&basis)?;
    let (design, kept) = Design::independent(&columns);
    sample.note_constant(context);
    sample.note_collinear(&basis, &kept, context);
    if design.freedom() == 0 {
        let message = format!("{} usable subsets for as many terms", sample.rows());
        if keep.is_some() {
            return Err(Fault::at(
                "keep",
                format!("{message}: their standard errors do not exist"),
            ));
        }
        context.note(format!("{message}: the fit is exact and says nothing"));
    }

    let weights = sample.weights();
    let mut fit = Fit::new(columns.len(), weights);
    for range in sample.blocks() {
        context.check_stop()?;
        context.progress(range.start as u64, weights as u64, None);
        let anomalies = sample.block(&range);
        let mut estimates = design.solve(&anomalies);
        let pruned = match keep {
            Some(keep) => {
                let errors = design.errors(&design.residual(&anomalies, &estimates));
                prune(&mut estimates, &errors, keep)?
            }
            None => vec![0.0; range.len()],
        };
        fit.residual.extend(design.residual(&anomalies, &estimates));
        let means = rows::means(&anomalies);
        fit.variance.extend(rows::variances(&anomalies, &means));
        fit.pruned.extend(pruned);
        fit.slopes
            .extend(vec![(kept.len() - 1) as f64; range.len()]);
        for (column, term) in kept.iter().enumerate() {
            fit.set(*term, &range, estimates.col_as_slice(column));
        }
    }
    Ok(sample.regression(basis, fit, context))
}

/// Sets slopes to zero where `keep` does not hold; how many for each weight.
fn prune(
    estimates: &mut Mat<f64>,
    errors: &Mat<f64>,
    keep: &ColumnExpr,
) -> Result<Vec<f64>, Fault> {
    let mut pruned = vec![0.0; estimates.nrows()];
    for slope in 1..estimates.ncols() {
        let ratios = estimates.col(slope).iter().zip(errors.col(slope).iter());
        let snr: Vec<f64> = ratios.map(|(value, error)| value.abs() / error).collect();
        let kept = keep
            .evaluate(snr.len(), &|name| (name == SNR).then_some(&snr[..]))
            .map_err(Fault::Bug)?;
        for (weight, kept) in kept.iter().enumerate() {
            if *kept != 1.0 {
                estimates[(weight, slope)] = 0.0;
                pruned[weight] += 1.0;
            }
        }
    }
    Ok(pruned)
}

/// A design matrix of full rank and its thin QR decomposition.
struct Design {
    /// `[rows, terms]`.
    matrix: Mat<f64>,
    /// Orthonormal columns of the same span.
    q: Mat<f64>,
    /// The inverse of `R`.
    inverse: Mat<f64>,
}

/// A column whose part orthogonal to those before it is no more than this share of it counts
/// as their linear combination: the tolerance of `lm` in R.
const COLLINEAR: f64 = 1e-7;

impl Design {
    /// The columns that are no linear combination of those before them, and which they are.
    fn independent(columns: &[Vec<f64>]) -> (Self, Vec<usize>) {
        let rows = columns.first().map_or(0, Vec::len);
        let mut kept: Vec<usize> = (0..columns.len()).collect();
        loop {
            let matrix = Mat::from_fn(rows, kept.len(), |row, column| columns[kept[column]][row]);
            let qr = matrix.qr();
            let dependent = (0..kept.len()).find(|column| {
                let orthogonal = qr.R()[(*column, *column)].abs();
                orthogonal <= COLLINEAR * matrix.col(*column).norm_l2()
            });
            match dependent {
                Some(column) => _ = kept.remove(column),
                None => return (Self::new(matrix, &qr), kept),
            }
        }
    }

    fn new(matrix: Mat<f64>, qr: &Qr<f64>) -> Self {
        let mut inverse = Mat::identity(matrix.ncols(), matrix.ncols());
        qr.thin_R().solve_upper_triangular_in_place(&mut inverse);
        Self {
            q: qr.compute_thin_Q(),
            matrix,
            inverse,
        }
    }

    /// Rows less terms.
    fn freedom(&self) -> usize {
        self.matrix.nrows() - self.matrix.ncols()
    }

    /// The coefficients `[weights, terms]` for right-hand sides `[weights, rows]`.
    ///
    /// The transpose of `R⁻¹ Qᵀ y`, so that the rows of a weight table are columns in memory.
    fn solve(&self, anomalies: &Mat<f64>) -> Mat<f64> {
        anomalies * &self.q * self.inverse.transpose()
    }

    /// The squared residuals of each weight, summed over the rows.
    fn residual(&self, anomalies: &Mat<f64>, estimates: &Mat<f64>) -> Vec<f64> {
        let mut residual = anomalies.clone();
        let fitted_by = self.matrix.transpose();
        matmul(
            &mut residual,
            Accum::Add,
            estimates,
            fitted_by,
            -1.0,
            Par::Seq,
        );
        rows::squares(&residual)
    }

    /// The standard errors `[weights, terms]`: `sqrt(σ² diag((XᵀX)⁻¹))` with
    /// `σ² = residual / (rows - terms)` and `(XᵀX)⁻¹ = R⁻¹ R⁻ᵀ`.
    fn errors(&self, residual: &[f64]) -> Mat<f64> {
        let freedom = self.freedom() as f64;
        let spread: Vec<f64> = self
            .inverse
            .row_iter()
            .map(|row| row.squared_norm_l2())
            .collect();
        Mat::from_fn(residual.len(), spread.len(), |weight, term| {
            (residual[weight] / freedom * spread[term]).sqrt()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_errors_agree_with_numpy() {
        // X = np.c_[np.ones(5), [0, 1, 2, 3, 5], [1, 0, 2, 1, 4]]
        // y = np.array([1, 2.5, 2, 4, 5.5])
        // B, rss = np.linalg.lstsq(X, y, rcond=None)[:2]
        // print(B, rss, np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * rss / 2))
        let columns = [
            vec![1.0; 5],
            vec![0.0, 1.0, 2.0, 3.0, 5.0],
            vec![1.0, 0.0, 2.0, 1.0, 4.0],
        ];
        let (design, kept) = Design::independent(&columns);
        assert_eq!(kept, [0, 1, 2]);
        let y = [1.0, 2.5, 2.0, 4.0, 5.5];
        let anomalies = Mat::from_fn(1, 5, |_, row| y[row]);
        let estimates = design.solve(&anomalies);
        let residual = design.residual(&anomalies, &estimates);
        let errors = design.errors(&residual);
        for (term, (estimate, error)) in [
            (1.14644351464435, 0.39972395544865),
            (1.12552301255230, 0.23869550298498),
            (-0.38912133891213, 0.30274792904001),
        ]
        .into_iter()
        .enumerate()
        {
            assert!((estimates[(0, term)] - estimate).abs() < 1e-12);
            assert!((errors[(0, term)] - error).abs() < 1e-12);
        }
        assert!((residual[0] - 0.59205020920502).abs() < 1e-12);
    }
}
