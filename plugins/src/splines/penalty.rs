//! What coefficients cost, and how much of it is right.

use faer::Mat;

use super::Curve;

/// Quadratic costs of the coefficients: `n Σ_j strength_j ‖root_j b‖²` over `n` rows.
pub(crate) struct Penalty {
    /// `[any, terms]` each.
    roots: Vec<Mat<f64>>,
    /// How much they count.
    strength: Strength,
}

/// How strong penalties are.
#[derive(Clone, Copy)]
pub(crate) enum Strength {
    /// As given, all the same.
    Given(f64),
    /// The same for all, by generalised cross-validation.
    Common,
    /// Each its own, by generalised cross-validation.
    Each,
}

/// The exponents of ten of the strengths tried, in tenths.
const TENTHS: std::ops::RangeInclusive<i32> = -60..=60;

/// So often each strength is chosen anew at most.
const ROUNDS: usize = 20;

impl Penalty {
    /// Coefficients cost nothing.
    pub fn none() -> Self {
        Self {
            roots: Vec::new(),
            strength: Strength::Given(0.0),
        }
    }

    /// The squares of this many slopes, which follow the intercept.
    pub fn of_slopes(slopes: usize, strength: Strength) -> Self {
        let root = Mat::from_fn(slopes, slopes + 1, |slope, term| {
            f64::from(u8::from(term == slope + 1))
        });
        Self {
            roots: vec![root],
            strength,
        }
    }

    /// The squared second derivatives of natural splines with these knots, integrated.
    ///
    /// Second derivatives are straight between knots: two points of Gauss make it exact.
    pub fn of_roughness(knots: &[Vec<f64>], strength: Strength) -> Self {
        let curves = |predictor: usize| Curve::all(predictor, &knots[predictor]);
        let terms = 1 + knots.len() + (0..knots.len()).map(|p| curves(p).len()).sum::<usize>();
        let mut first = 1 + knots.len();
        let mut roots = Vec::new();
        for (predictor, knots) in knots.iter().enumerate() {
            let curves = curves(predictor);
            if curves.is_empty() {
                continue;
            }
            let points: Vec<(f64, f64)> = knots.windows(2).flat_map(gauss).collect();
            roots.push(Mat::from_fn(points.len(), terms, |row, term| {
                let curve = term.checked_sub(first).and_then(|index| curves.get(index));
                let (at, weight) = points[row];
                curve.map_or(0.0, |curve| weight.sqrt() * curve.bend(at))
            }));
            first += curves.len();
        }
        Self { roots, strength }
    }

    /// The rows that add the penalty below a design with this many rows and terms.
    pub fn below(&self, strengths: &[f64], rows: usize, terms: usize) -> Mat<f64> {
        let costs = strengths.iter().filter(|strength| **strength > 0.0).count();
        if costs == 0 {
            return Mat::zeros(0, terms);
        }
        let scaled = self
            .roots
            .iter()
            .zip(strengths)
            .flat_map(|(root, strength)| {
                let scale = (rows as f64 * strength).sqrt();
                root.row_iter()
                    .map(move |row| row.iter().map(|value| scale * value).collect::<Vec<_>>())
            });
        let below: Vec<Vec<f64>> = scaled.collect();
        Mat::from_fn(below.len(), terms, |row, term| below[row][term])
    }

    /// The strengths that are given; none when cross-validation has to choose them.
    pub fn given(&self) -> Option<Vec<f64>> {
        match self.strength {
            Strength::Given(strength) => Some(vec![strength; self.roots.len()]),
            _ if self.roots.is_empty() => Some(Vec::new()),
            _ => None,
        }
    }

    /// The strengths of least generalised cross-validation, the first of equals.
    pub fn chosen(&self, seen: &Seen) -> Vec<f64> {
        let score = |strengths: &[f64]| seen.criterion(self, strengths);
        let count = self.roots.len();
        let mut best = least(|strength| score(&vec![strength; count])).map_or_else(
            || vec![exponent(*TENTHS.end()); count],
            |strength| vec![strength; count],
        );
        if let (Strength::Each, 2..) = (self.strength, count) {
            for _ in 0..ROUNDS {
                let before = best.clone();
                for root in 0..count {
                    let mut tried = best.clone();
                    let found = least(|strength| {
                        tried[root] = strength;
                        score(&tried)
                    });
                    best[root] = found.unwrap_or(best[root]);
                }
                if best == before {
                    break;
                }
            }
        }
        best
    }
}

/// Which strengths were chosen, in words.
pub(crate) fn chosen_words(chosen: &[f64]) -> String {
    let mut shown: Vec<String> = chosen.iter().map(|s| format!("{s:.3e}")).collect();
    shown.dedup();
    format!(
        "penalty {} by generalised cross-validation",
        shown.join(", ")
    )
}

/// The two points of Gauss of an interval with their weights.
fn gauss(interval: &[f64]) -> [(f64, f64); 2] {
    let (middle, half) = (
        (interval[0] + interval[1]) / 2.0,
        (interval[1] - interval[0]) / 2.0,
    );
    [-1.0, 1.0].map(|side| (middle + side * half / 3f64.sqrt(), half))
}

fn exponent(tenth: i32) -> f64 {
    10f64.powf(f64::from(tenth) / 10.0)
}

/// The strength with the least score; none when no score is a number.
fn least(mut score: impl FnMut(f64) -> f64) -> Option<f64> {
    let mut best = (f64::INFINITY, None);
    for strength in TENTHS.map(exponent) {
        let score = score(strength);
        if score < best.0 {
            best = (score, Some(strength));
        }
    }
    best.1
}

/// All that cross-validation needs of the right-hand sides, gathered in one pass.
///
/// With `X = QR` fitted values are `Q M Qᵀ y`, so that of all right-hand sides only the products
/// of `Qᵀ y` and what lies outside of `Q` count.
pub(crate) struct Seen {
    rows: usize,
    r: Mat<f64>,
    /// `Σ Qᵀ y yᵀ Q` over the right-hand sides.
    products: Mat<f64>,
    /// `Σ ‖y - Q Qᵀ y‖²`.
    beyond: f64,
}

impl Seen {
    /// Nothing yet, through a design of this many rows whose `R` is this.
    pub fn through(rows: usize, r: Mat<f64>) -> Self {
        let (within, beyond) = (r.nrows(), 0.0);
        let products = Mat::zeros(within, within);
        Self {
            rows,
            r,
            products,
            beyond,
        }
    }

    /// Adds right-hand sides: `yᵀ Q`, a row for each, and the sum of their `‖y - Q Qᵀ y‖²`.
    ///
    /// The intercept, which costs nothing, takes the mean of each whatever the penalty.
    pub fn add(&mut self, mut within: Mat<f64>, beyond: f64) {
        self.beyond += beyond.max(0.0);
        within.col_as_slice_mut(0).fill(0.0);
        self.products += within.transpose() * &within;
    }

    /// Golub, Heath & Wahba (1979), eq. 1.4, summed over the right-hand sides.
    fn criterion(&self, penalty: &Penalty, strengths: &[f64]) -> f64 {
        let (rows, (within, terms)) = (self.rows, self.r.shape());
        let below = penalty.below(strengths, rows, terms);
        let whole = Mat::from_fn(within + below.nrows(), terms, |row, term| {
            match row.checked_sub(within) {
                None => self.r[(row, term)],
                Some(row) => below[(row, term)],
            }
        });
        let thin = whole.qr().compute_thin_Q();
        let top = thin.get(..within, ..);
        let left = Mat::<f64>::identity(within, within) - top * top.transpose();
        let residual = self.beyond
            + (&left * &self.products * &left)
                .diagonal()
                .column_vector()
                .sum();
        let freedom = rows as f64 - top.squared_norm_l2();
        if freedom <= 1e-9 {
            return f64::INFINITY;
        }
        let rows = rows as f64;
        (residual / rows) / (freedom / rows).powi(2)
    }
}
