//! Sums over the subsets of the anomalies of each weight: what least squares needs of them.

use faer::Mat;

use super::rows;

/// Sums over the rows of some right-hand sides `y`, less a number of each.
pub(crate) struct Moments {
    /// `Σ y f` for each factor `f`, `[right-hand sides, factors]`.
    pub products: Mat<f64>,
    /// `Σ y²`.
    pub squares: Vec<f64>,
}

impl Moments {
    /// Of right-hand sides `[right-hand sides, rows]` and factors `[rows, factors]`.
    pub fn of(values: &Mat<f64>, factors: &Mat<f64>) -> Self {
        Self {
            products: values * factors,
            squares: rows::squares(values),
        }
    }

    /// Those of the rows that are not among those of `part`.
    pub fn less(&self, part: &Self) -> Self {
        let squares = self.squares.iter().zip(&part.squares);
        Self {
            products: &self.products - &part.products,
            squares: squares.map(|(all, part)| all - part).collect(),
        }
    }

    /// Those with other factors, sums of the first of these: `turn` is `[those, others]`.
    pub fn turned(&self, turn: &Mat<f64>) -> Self {
        Self {
            products: self.products.get(.., ..turn.nrows()) * turn,
            squares: self.squares.clone(),
        }
    }
}
