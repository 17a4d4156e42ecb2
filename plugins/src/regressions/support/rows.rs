//! Sums along the rows of matrices that lie column by column in memory.

use faer::Mat;

/// The mean of each row.
pub(crate) fn means(matrix: &Mat<f64>) -> Vec<f64> {
    let mut means = vec![0.0; matrix.nrows()];
    for column in 0..matrix.ncols() {
        for (sum, value) in means.iter_mut().zip(matrix.col_as_slice(column)) {
            *sum += value;
        }
    }
    let count = matrix.ncols() as f64;
    means.iter_mut().for_each(|sum| *sum /= count);
    means
}

/// The squares of each row, summed.
pub(crate) fn squares(matrix: &Mat<f64>) -> Vec<f64> {
    let mut sums = vec![0.0; matrix.nrows()];
    for column in 0..matrix.ncols() {
        for (sum, value) in sums.iter_mut().zip(matrix.col_as_slice(column)) {
            *sum += value * value;
        }
    }
    sums
}

/// Subtracts from each row a number of its own.
pub(crate) fn subtract(matrix: &mut Mat<f64>, centers: &[f64]) {
    for column in 0..matrix.ncols() {
        for (value, center) in matrix.col_as_slice_mut(column).iter_mut().zip(centers) {
            *value -= center;
        }
    }
}

/// Each row less its mean, and the means.
pub(crate) fn centred(mut matrix: Mat<f64>) -> (Mat<f64>, Vec<f64>) {
    let means = means(&matrix);
    subtract(&mut matrix, &means);
    (matrix, means)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_along_rows() {
        let rows = [[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]];
        let mut matrix = Mat::from_fn(2, 3, |row, column| rows[row][column]);
        assert_eq!(means(&matrix), [3.0, 0.0]);
        assert_eq!(squares(&matrix), [41.0, 2.0]);
        subtract(&mut matrix, &[3.0, 0.0]);
        assert_eq!(means(&matrix), [0.0, 0.0]);
    }
}
