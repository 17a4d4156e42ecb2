//! Sums over the subsets, for all weights at once: what least squares needs of the anomalies,
//! in one pass over the table at about the speed of memory.

use faer::Mat;
use pulp::{Arch, Simd, WithSimd};

use super::rows;

/// Sums over the rows of some right-hand sides `y`, less a number of each.
pub(super) struct Moments {
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

    /// Of right-hand sides given row by row, each less its `shift`.
    ///
    /// A shift near the values keeps what is common to all rows from drowning what differs.
    pub fn of_rows(rows: &[&[f32]], shift: &[f32], factors: &Mat<f64>) -> Self {
        let terms = factors.ncols();
        let mut sums = vec![Chunk([0.0; CHUNK]); shift.len().div_ceil(CHUNK) * (terms + 1)];
        Arch::new().dispatch(Pass {
            rows,
            shift,
            factors,
            sums: &mut sums,
        });
        let mut products = Mat::zeros(shift.len(), terms);
        let mut squares = vec![0.0; shift.len()];
        for term in 0..=terms {
            let into = match term < terms {
                true => products.col_as_slice_mut(term),
                false => &mut squares[..],
            };
            let chunks = sums.iter().skip(term).step_by(terms + 1);
            for (into, sums) in into.chunks_mut(CHUNK).zip(chunks) {
                into.copy_from_slice(&sums.0[..into.len()]);
            }
        }
        Self { products, squares }
    }
}

/// How many right-hand sides are treated together.
const CHUNK: usize = 128;
/// How many rows are added to a sum while it is in a register.
const PANEL: usize = 8;

/// One number for each of some right-hand sides.
#[derive(Clone)]
#[repr(C, align(64))]
struct Chunk([f64; CHUNK]);

struct Pass<'a> {
    rows: &'a [&'a [f32]],
    shift: &'a [f32],
    factors: &'a Mat<f64>,
    /// For each chunk of right-hand sides the sums of each factor, then of the squares.
    sums: &'a mut [Chunk],
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let terms = self.factors.ncols();
        for (panel, rows) in self.rows.chunks(PANEL).enumerate() {
            let mut values: [Chunk; PANEL] = std::array::from_fn(|_| Chunk([0.0; CHUNK]));
            for (chunk, sums) in self.sums.chunks_exact_mut(terms + 1).enumerate() {
                let start = chunk * CHUNK;
                let shift = &self.shift[start..self.shift.len().min(start + CHUNK)];
                for (values, row) in values.iter_mut().zip(rows) {
                    let row = row[start..].iter().zip(shift);
                    for (value, (weight, shift)) in values.0.iter_mut().zip(row) {
                        *value = f64::from(*weight) - f64::from(*shift);
                    }
                }
                for (term, sum) in sums[..terms].iter_mut().enumerate() {
                    let mut factors = [0.0; PANEL];
                    let column = &self.factors.col_as_slice(term)[panel * PANEL..];
                    factors[..rows.len()].copy_from_slice(&column[..rows.len()]);
                    add_products(simd, sum, &values, factors);
                }
                add_squares(simd, &mut sums[terms], &values);
            }
        }
    }
}

/// `sum += Σ_row factor · value`.
#[inline(always)]
fn add_products<S: Simd>(simd: S, sum: &mut Chunk, values: &[Chunk; PANEL], factors: [f64; PANEL]) {
    let factors = factors.map(|factor| simd.splat_f64s(factor));
    let values = values.each_ref().map(|row| S::as_simd_f64s(&row.0).0);
    for (at, sum) in S::as_mut_simd_f64s(&mut sum.0).0.iter_mut().enumerate() {
        for row in 0..PANEL {
            *sum = simd.mul_add_e_f64s(factors[row], values[row][at], *sum);
        }
    }
}

/// `sum += Σ_row value²`.
#[inline(always)]
fn add_squares<S: Simd>(simd: S, sum: &mut Chunk, values: &[Chunk; PANEL]) {
    let values = values.each_ref().map(|row| S::as_simd_f64s(&row.0).0);
    for (at, sum) in S::as_mut_simd_f64s(&mut sum.0).0.iter_mut().enumerate() {
        for row in values {
            *sum = simd.mul_add_e_f64s(row[at], row[at], *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_plain_formulas() {
        // More right-hand sides than a chunk and more rows than a panel, with rests of both.
        let (rows, weights) = (19, 200);
        let value = |row: usize, weight: usize| ((row * 31 + weight * 17) as f32).sin() + 3.0;
        let table: Vec<Vec<f32>> = (0..rows)
            .map(|row| (0..weights).map(|weight| value(row, weight)).collect())
            .collect();
        let table: Vec<&[f32]> = table.iter().map(Vec::as_slice).collect();
        let factors = Mat::from_fn(rows, 3, |row, term| (row as f64).powi(term as i32));
        let found = Moments::of_rows(&table, table[4], &factors);
        let shifted = Mat::from_fn(weights, rows, |weight, row| {
            f64::from(table[row][weight]) - f64::from(table[4][weight])
        });
        let expected = Moments::of(&shifted, &factors);
        for weight in 0..weights {
            assert!((found.squares[weight] - expected.squares[weight]).abs() < 1e-12);
            for term in 0..3 {
                let error = found.products[(weight, term)] - expected.products[(weight, term)];
                assert!(error.abs() < 1e-10, "weight {weight} term {term}: {error}");
            }
        }
    }
}
