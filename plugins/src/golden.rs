//! Figures of statsmodels, patsy, scipy and scikit-learn; `testdata/golden/methods.py` says of what.

use serde::Deserialize;

/// What the script wrote.
#[derive(Deserialize)]
pub struct Methods {
    /// The standardised predictors of each subset.
    pub z: Vec<[f64; 2]>,
    /// The weights of each subset.
    pub y: Vec<[f64; 3]>,
    /// Where predictions are asked for.
    pub at: Vec<[f64; 2]>,
    /// The weights there by natural splines.
    pub spline: Vec<[f64; 3]>,
    /// One weight there by a smoothing spline of a given penalty.
    pub smooth: Smooth,
    /// The same with the penalty of least generalised cross-validation.
    pub gcv: Smooth,
    /// Ridge regression with its penalty of least generalised cross-validation.
    pub ridge: Ridge,
    /// Mahalanobis distances.
    pub distances: Vec<f64>,
    /// Principal components.
    pub modes: Modes,
}

/// Values of a smoothing spline.
#[derive(Deserialize)]
pub struct Smooth {
    pub penalty: f64,
    pub values: Vec<f64>,
}

/// Slopes of each weight.
#[derive(Deserialize)]
pub struct Ridge {
    pub penalty: f64,
    pub slopes: Vec<[f64; 2]>,
}

/// Shares of the variance, and unit vectors.
#[derive(Deserialize)]
pub struct Modes {
    pub shares: Vec<f64>,
    pub components: Vec<Vec<f64>>,
}

/// The figures.
pub fn methods() -> Methods {
    serde_json::from_str(include_str!("../testdata/golden/methods.json")).expect("figures")
}
