//! Means and products of features and targets over any number of weights, and the exact
//! least-squares map between them.

use engine::error::Fault;
use faer::{Mat, Side};

/// Sums over weights, in double precision.
#[derive(Clone, Debug)]
pub struct Moments {
    count: f64,
    features: usize,
    /// Of every feature, then of every target.
    sums: Vec<f64>,
    /// Of every feature with every feature and target, row by row.
    products: Vec<f64>,
}

/// Directions in the space of features in which they vary, each scaled to unit variance.
#[derive(Clone, Debug)]
pub struct Whitening {
    /// The mean of each feature.
    pub center: Vec<f64>,
    /// One row of factors of the centred features per direction.
    pub directions: Vec<Vec<f64>>,
}

/// Directions whose share of the variance is smaller are rounding of single precision: its
/// relative error, 6e-8, squared.
const SINGULAR: f64 = 1e-13;

impl Moments {
    /// No weights yet.
    pub fn new(features: usize, targets: usize) -> Self {
        Self {
            count: 0.0,
            features,
            sums: vec![0.0; features + targets],
            products: vec![0.0; features * (features + targets)],
        }
    }

    /// Adds weights: one row per feature, one row per target.
    pub fn add(&mut self, features: &[&[f32]], targets: &[&[f32]]) {
        let all: Vec<&[f32]> = features.iter().chain(targets).copied().collect();
        self.count += all.first().map_or(0, |row| row.len()) as f64;
        for (sum, row) in self.sums.iter_mut().zip(&all) {
            *sum += row.iter().map(|value| f64::from(*value)).sum::<f64>();
        }
        let width = all.len();
        for (at, feature) in features.iter().enumerate() {
            for (other, row) in all.iter().enumerate().skip(at) {
                let product = dot(feature, row);
                self.products[at * width + other] += product;
                if other > at && other < self.features {
                    self.products[other * width + at] += product;
                }
            }
        }
    }

    /// The mean of a feature, or of a target after them.
    pub fn mean(&self, at: usize) -> f64 {
        self.sums[at] / self.count
    }

    fn covariance(&self, feature: usize, other: usize) -> f64 {
        let product = self.products[feature * self.sums.len() + other] / self.count;
        product - self.mean(feature) * self.mean(other)
    }

    /// The directions in which the features vary, the strongest last.
    ///
    /// # Errors
    /// When they are not finite.
    pub fn whitening(&self) -> Result<Whitening, Fault> {
        let size = self.features;
        let deviations: Vec<f64> = (0..size)
            .map(|at| self.covariance(at, at).max(0.0).sqrt())
            .map(|deviation| {
                if deviation > 0.0 {
                    deviation
                } else {
                    f64::INFINITY
                }
            })
            .collect();
        let correlations = Mat::from_fn(size, size, |row, column| {
            self.covariance(row, column) / (deviations[row] * deviations[column])
        });
        let eigen = correlations.self_adjoint_eigen(Side::Lower);
        let eigen = eigen.map_err(|_| Fault::user("the observed states have no covariance"))?;
        let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
        let largest = values.iter().copied().fold(0.0, f64::max);
        let kept = (0..size).filter(|at| values[*at] > SINGULAR * largest);
        let direction = |at: usize| {
            let vector = eigen.U().col(at).iter().zip(&deviations);
            vector
                .map(|(part, deviation)| part / (deviation * values[at].sqrt()))
                .collect()
        };
        Ok(Whitening {
            center: (0..size).map(|at| self.mean(at)).collect(),
            directions: kept.map(direction).collect(),
        })
    }

    /// The least-squares slopes of every target along the directions, target by target.
    pub fn slopes(&self, whitening: &Whitening) -> Vec<f64> {
        let targets = self.features..self.sums.len();
        let slope = |target: usize, direction: &Vec<f64>| {
            let parts = direction.iter().enumerate();
            parts
                .map(|(at, part)| part * self.covariance(at, target))
                .sum()
        };
        targets
            .flat_map(|target| whitening.directions.iter().map(move |d| slope(target, d)))
            .collect()
    }
}

/// `Σ a b` in double precision, in lanes that the compiler turns into vectors.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest = a_rest.iter().zip(b_rest);
    sums.iter().sum::<f64>()
        + rest
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
}
