//! Least squares for all weights at once: one QR decomposition of the design, every weight a
//! right-hand side. A quadratic penalty is rows below the design whose right-hand sides are zero.

use std::cell::OnceCell;

use faer::linalg::solvers::Qr;
use faer::{Col, Mat, Scale};

use super::moments::Moments;

/// A design matrix of full rank and the thin QR decomposition of it and its penalty.
pub(crate) struct Design {
    /// The orthonormal columns, without the rows of the penalty: `Q Qᵀ` gives fitted values.
    q: Mat<f64>,
    r: Mat<f64>,
    /// The inverse of `R`.
    inverse: Mat<f64>,
    /// `QᵀQ - 1`, once it is known.
    bend: OnceCell<Mat<f64>>,
}

/// A column whose part orthogonal to those before it is no more than this share of it counts
/// as their linear combination: the tolerance of `lm` in R.
const COLLINEAR: f64 = 1e-7;

impl Design {
    /// The columns that are not a linear combination of those before them, and which they are.
    ///
    /// `penalty` has a column for each of the design; no more columns are kept than both have
    /// rows.
    pub fn independent(matrix: &Mat<f64>, penalty: &Mat<f64>) -> (Self, Vec<usize>) {
        let all: Vec<usize> = (0..matrix.ncols()).collect();
        Self::independent_of(&all, matrix, penalty)
    }

    /// The same of `some` columns.
    pub fn independent_of(
        some: &[usize],
        matrix: &Mat<f64>,
        penalty: &Mat<f64>,
    ) -> (Self, Vec<usize>) {
        let rows = matrix.nrows();
        let height = rows + penalty.nrows();
        let entry = |row: usize, column: usize| match row.checked_sub(rows) {
            None => matrix[(row, column)],
            Some(below) => penalty[(below, column)],
        };
        let of = |columns: &[usize]| {
            Mat::from_fn(height, columns.len(), |row, column| {
                entry(row, columns[column])
            })
        };
        let whole = of(some);
        let qr = whole.qr();
        // The columns of `R` are to each other as those that it is of, and shorter.
        let kept = independent_columns(&qr.thin_R().to_owned());
        let kept: Vec<usize> = kept.into_iter().map(|at| some[at]).collect();
        if kept == some {
            return (Self::new(whole, rows, &qr), kept);
        }
        let whole = of(&kept);
        let qr = whole.qr();
        (Self::new(whole, rows, &qr), kept)
    }

    /// Of a matrix whose columns are known to be independent, the design in its first rows.
    fn new(whole: Mat<f64>, rows: usize, qr: &Qr<f64>) -> Self {
        let mut inverse = Mat::identity(whole.ncols(), whole.ncols());
        qr.thin_R().solve_upper_triangular_in_place(&mut inverse);
        Self {
            q: qr.compute_thin_Q().get(..rows, ..).to_owned(),
            r: qr.thin_R().to_owned(),
            inverse,
            bend: OnceCell::new(),
        }
    }

    /// Whether its columns are surely independent where no more than these shares of the parts orthogonal to those
    /// before them are left.
    pub fn is_independent(&self, left: &[f64]) -> bool {
        let orthogonal = |column: usize| left[column] * self.r[(column, column)].abs();
        // Ten times the tolerance: what is left is not known to its last digit.
        let is_enough =
            |column| orthogonal(column) > 10.0 * COLLINEAR * self.r.col(column).norm_l2();
        (0..left.len()).all(is_enough)
    }

    /// The products with each other of rows of terms, by the factors: `R⁻ᵀ BᵀB R⁻¹`.
    pub fn gram_of(&self, rows: &Mat<f64>) -> Mat<f64> {
        let turned = rows * &self.inverse;
        turned.transpose() * &turned
    }

    /// The effective number of terms: the trace of the matrix that gives fitted values.
    pub fn effective(&self) -> f64 {
        self.q.squared_norm_l2()
    }

    /// Rows less effective terms; 0 up to rounding is 0.
    pub fn freedom(&self) -> f64 {
        let freedom = self.q.nrows() as f64 - self.effective();
        if freedom > 1e-9 { freedom } else { 0.0 }
    }

    /// The factors `[rows, terms]` of the moments that the rest takes: `Q`.
    pub fn factors(&self) -> &Mat<f64> {
        &self.q
    }

    /// The moments with its factors from those with its terms: `Q = X R⁻¹`.
    pub fn of_terms(&self, moments: &Moments) -> Moments {
        moments.turned(&self.inverse)
    }

    /// The moments with its terms from those with its factors, over any of its rows: `X = Q R`.
    pub fn in_terms(&self, moments: &Moments) -> Moments {
        moments.turned(&self.r)
    }

    /// What turns coefficients by the factors of another design, whose terms are some `columns` of its own, into those by
    /// its own factors: `R Rₒ⁻¹`.
    pub fn turned_by(&self, other: &Self, columns: &[usize]) -> Mat<f64> {
        columns_of(&self.r, columns) * &other.inverse
    }

    /// The mean of each right-hand side.
    ///
    /// The first column is the intercept, which no penalty touches: `Q` begins with `±1/√rows`.
    pub fn means(&self, moments: &Moments) -> Vec<f64> {
        let first = moments.products.col_as_slice(0).iter();
        first.map(|product| product * self.q[(0, 0)]).collect()
    }

    /// The squared deviations of each right-hand side from its mean, summed over the rows.
    pub fn variances(&self, moments: &Moments) -> Vec<f64> {
        let first = moments.products.col_as_slice(0).iter();
        let sums = moments.squares.iter().zip(first);
        sums.map(|(squares, product)| (squares - product * product).max(0.0))
            .collect()
    }

    /// The coefficients `[weights, terms]`: the transpose of `R⁻¹ Qᵀ y`.
    pub fn solve(&self, moments: &Moments) -> Mat<f64> {
        &moments.products * self.inverse.transpose()
    }

    /// The squared residuals of each right-hand side, summed over the rows.
    ///
    /// With `z = Qᵀ y` and `u = R b`: `‖y - Q u‖² = ‖y‖² - ‖z‖² + ‖u - z‖² + uᵀ (QᵀQ - 1) u`;
    /// the last term is that of a penalty.
    pub fn residual(&self, moments: &Moments, estimates: &Mat<f64>) -> Vec<f64> {
        let u = estimates * self.r.transpose();
        let bend = self.bend.get_or_init(|| {
            self.q.transpose() * &self.q - Mat::<f64>::identity(u.ncols(), u.ncols())
        });
        let bent = &u * bend;
        let mut left = moments.squares.clone();
        for term in 0..u.ncols() {
            let z = moments.products.col_as_slice(term).iter();
            let u = u.col_as_slice(term).iter().zip(bent.col_as_slice(term));
            for (left, (z, (u, bent))) in left.iter_mut().zip(z.zip(u)) {
                *left += (u - z).powi(2) - z * z + u * bent;
            }
        }
        left.iter_mut().for_each(|left| *left = left.max(0.0));
        left
    }

    /// The standard errors `[weights, terms]`: `sqrt(σ² diag(V))` with
    /// `σ² = residual / (rows - effective terms)` and `V = R⁻¹ QᵀQ R⁻ᵀ`, which is `(XᵀX)⁻¹`
    /// without a penalty.
    pub fn errors(&self, residual: &[f64]) -> Mat<f64> {
        let freedom = self.freedom();
        let spread: Vec<f64> = (&self.inverse * self.q.transpose())
            .row_iter()
            .map(|row| row.squared_norm_l2())
            .collect();
        Mat::from_fn(residual.len(), spread.len(), |weight, term| {
            (residual[weight] / freedom * spread[term]).sqrt()
        })
    }
}

/// Some columns of a matrix.
pub(crate) fn columns_of(matrix: &Mat<f64>, columns: &[usize]) -> Mat<f64> {
    let entry = |row, column: usize| matrix[(row, columns[column])];
    Mat::from_fn(matrix.nrows(), columns.len(), entry)
}

/// The columns that are not a linear combination of those before them.
fn independent_columns(matrix: &Mat<f64>) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut basis: Vec<Col<f64>> = Vec::new();
    for (at, column) in matrix.col_iter().enumerate() {
        let mut left = column.to_owned();
        // A second time takes away what the first left by rounding (Giraud et al. 2005).
        for _ in 0..2 {
            for direction in &basis {
                let along = direction.transpose() * &left;
                left -= direction * Scale(along);
            }
        }
        let orthogonal = left.norm_l2();
        if orthogonal <= COLLINEAR * column.norm_l2() {
            continue;
        }
        kept.push(at);
        basis.push(left * Scale(1.0 / orthogonal));
    }
    kept
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
            [1.0; 5],
            [0.0, 1.0, 2.0, 3.0, 5.0],
            [1.0, 0.0, 2.0, 1.0, 4.0],
        ];
        let matrix = Mat::from_fn(5, 3, |row, column| columns[column][row]);
        let (design, kept) = Design::independent(&matrix, &Mat::zeros(0, 3));
        assert_eq!(kept, [0, 1, 2]);
        let y = [1.0, 2.5, 2.0, 4.0, 5.5];
        let anomalies = Mat::from_fn(1, 5, |_, row| y[row]);
        let moments = Moments::of(&anomalies, design.factors());
        let estimates = design.solve(&moments);
        let residual = design.residual(&moments, &estimates);
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

    #[test]
    fn means_variances_and_penalties_follow_from_moments() {
        let matrix = Mat::from_fn(6, 2, |row, term| [1.0, (row as f64).sin()][term]);
        let penalty = Mat::from_fn(1, 2, |_, term| [0.0, 1.5][term]);
        let (design, _) = Design::independent(&matrix, &penalty);
        let values = [[2.0, 3.0, 2.5, 7.0, 1.0, 0.5], [0.1; 6]];
        let right = Mat::from_fn(2, 6, |side, row| values[side][row] - values[side][0]);
        let moments = Moments::of(&right, design.factors());
        let mean = 16.0 / 6.0 - 2.0;
        assert!((design.means(&moments)[0] - mean).abs() < 1e-14);
        let variance = |y: f64| (y - 16.0 / 6.0).powi(2);
        let expected: f64 = values[0].into_iter().map(variance).sum();
        assert!((design.variances(&moments)[0] - expected).abs() < 1e-12);
        // Numbers that are all the same do not vary, whatever their rounding.
        assert_eq!(design.variances(&moments)[1], 0.0);
        let estimates = design.solve(&moments);
        let fitted = &matrix * estimates.transpose();
        let left = |row: usize| right[(0, row)] - fitted[(row, 0)];
        let expected: f64 = (0..6).map(|row| left(row).powi(2)).sum();
        assert!((design.residual(&moments, &estimates)[0] - expected).abs() < 1e-12);
    }

    #[test]
    fn no_more_columns_are_kept_than_there_are_rows() {
        let matrix = Mat::from_fn(2, 4, |row, column| {
            ((row + 1) * (column + 1)) as f64 + (row * column * column) as f64
        });
        let (design, kept) = Design::independent(&matrix, &Mat::zeros(0, 4));
        assert_eq!(kept.len(), 2);
        assert_eq!(design.freedom(), 0.0);
    }
}
