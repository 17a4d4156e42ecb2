//! Straight lines beyond the range of the subsets.

use crate::regressions::{Form, Term};

/// Where a point beyond the range of the subsets leaves it, and which way.
pub(crate) struct Tangent {
    edge: Vec<f64>,
    ahead: Vec<f64>,
    behind: Vec<f64>,
    /// How far these two are from the edge, as a share of the way from there to the point.
    step: f64,
}

impl Tangent {
    /// Of a point in standardised predictors; none within the range.
    pub fn of(form: &Form, standardised: &[f64]) -> Option<Self> {
        let edge = (standardised.iter().zip(&form.seen).zip(&form.scaling)).map(
            |((x, (low, high)), (mean, std))| x.max((low - mean) / std).min((high - mean) / std),
        );
        let way = standardised.iter().zip(edge.clone());
        let way = way.map(|(x, edge)| x - edge);
        let farthest = way.clone().map(f64::abs).fold(0.0, f64::max);
        if farthest == 0.0 {
            return None;
        }
        // A ten-thousandth of a standard deviation.
        let step = 1e-4 / farthest;
        let moved = |share: f64| {
            let edge = edge.clone().zip(way.clone());
            edge.map(|(edge, way)| edge + share * way).collect()
        };
        Some(Self {
            ahead: moved(step),
            behind: moved(-step),
            edge: edge.clone().collect(),
            step,
        })
    }

    /// The tangent of a term at the edge, at the point, by central differences along the way out.
    pub fn value(&self, term: &Term) -> f64 {
        let slope = (term.value(&self.ahead) - term.value(&self.behind)) / (2.0 * self.step);
        term.value(&self.edge) + slope
    }
}
