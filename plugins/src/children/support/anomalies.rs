//! The anomalies of subsets in place of what a regression makes of them.

use engine::artifact::{Parts, WeightTable};
use engine::error::Fault;

/// What anomalies must be.
pub(crate) const ONCE: &str = "each subset must be fine-tuned once";

/// The anomalies of subsets, to be taken unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The standardised predictors of each subset.
    points: Vec<Vec<f64>>,
    /// The anomaly of each, row after row.
    anomalies: Vec<f32>,
}

impl Nearest {
    /// Of the subsets that did not diverge and lack no predictor.
    pub(crate) fn of(points: Vec<Vec<f64>>, table: &WeightTable) -> Result<Self, Fault> {
        if points.len() != table.rows() {
            return Err(Fault::at(
                "regression",
                format!("{} anomalies of {} subsets", table.rows(), points.len()),
            )
            .with_hint(ONCE));
        }
        let mut nearest = Self {
            points: Vec::new(),
            anomalies: Vec::new(),
        };
        for (row, point) in points.into_iter().enumerate() {
            let anomaly = table.row(row);
            let known = point.iter().all(|value| value.is_finite());
            if known && anomaly.iter().all(|weight| weight.is_finite()) {
                nearest.points.push(point);
                nearest.anomalies.extend_from_slice(anomaly);
            }
        }
        match nearest.points.is_empty() {
            true => Err(Fault::at("regression", "no subset has all predictors")),
            false => Ok(nearest),
        }
    }

    /// The anomaly of the subset nearest to standardised predictors; NaN where one is missing.
    pub(crate) fn corrections(&self, standardised: &[f64], weights: usize) -> Vec<f64> {
        let distance = |point: &Vec<f64>| -> f64 {
            point
                .iter()
                .zip(standardised)
                .map(|(a, b)| (a - b).powi(2))
                .sum()
        };
        let distances = self.points.iter().map(distance).enumerate();
        match distances.min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((subset, distance)) if distance.is_finite() => {
                let anomaly = &self.anomalies[subset * weights..(subset + 1) * weights];
                anomaly.iter().map(|weight| f64::from(*weight)).collect()
            }
            _ => vec![f64::NAN; weights],
        }
    }

    pub(crate) fn add_to(&self, parts: Parts) -> Result<Parts, Fault> {
        let bytes = self
            .anomalies
            .iter()
            .flat_map(|weight| weight.to_le_bytes());
        parts
            .with("nearest.f32", bytes.collect::<Vec<u8>>())
            .with_json("nearest.json", &self.points)
    }

    pub(crate) fn from_parts(parts: &Parts) -> Result<Option<Self>, Fault> {
        if !parts.has("nearest.json") {
            return Ok(None);
        }
        Ok(Some(Self {
            points: parts.json("nearest.json")?,
            anomalies: floats(parts.get("nearest.f32")?),
        }))
    }
}

/// Numbers of four bytes.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let fours = bytes.chunks_exact(4);
    fours
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect()
}
