//! The triangle of the QR decomposition of many rows, which need not be in memory together.

use faer::Mat;

/// `R` of the rows so far: `RᵀR` is the sum of the products of their numbers, without squares of
/// its condition. With fewer rows than columns it has as many rows as these.
pub(crate) struct Triangle(Mat<f64>);

/// As many rows are best added at once.
pub(crate) const PANEL: usize = 4096;

impl Triangle {
    /// That of no rows with this many numbers.
    pub fn new(width: usize) -> Self {
        Self(Mat::zeros(0, width))
    }

    /// Adds rows by their numbers, `number(row, column)`.
    pub fn add(&mut self, rows: usize, number: impl Fn(usize, usize) -> f64) {
        let Self(r) = self;
        let own = r.nrows();
        let stacked = Mat::from_fn(own + rows, r.ncols(), |row, at| {
            match row.checked_sub(own) {
                None => r[(row, at)],
                Some(row) => number(row, at),
            }
        });
        *r = stacked.qr().thin_R().to_owned();
    }

    /// Its numbers.
    pub fn r(&self) -> &Mat<f64> {
        &self.0
    }
}
