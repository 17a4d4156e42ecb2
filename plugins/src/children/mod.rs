//! Children: networks for rows no network was trained on, one per row, never materialised.

mod adopt;
mod apply;
mod forward;
mod guard;
mod nearest;
mod tangent;

use std::sync::Arc;

use dsl::types::Kind;
use engine::artifact::{AnyArtifact, Artifact, Dataset, Layout, Metadata, Parts, Tensor, downcast};
use engine::error::Fault;
use engine::plugin::Registry;

use crate::parents::Parent;
use crate::predictors::PredictorRows;
use crate::regressions::{Basis, Evidence, Form, Regression, Term};

pub use adopt::Adopt;
pub use apply::Apply;
pub use guard::{Clip, Cloud, Guard, Missing, Outside};
pub use nearest::{Nearest, NearestSubset};

use tangent::Tangent;

/// Adds the children.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Child>();
    registry.plugin::<Apply>();
    registry.plugin::<NearestSubset>();
    registry.plugin::<Adopt>();
}

/// A parent and the regression that moves its weights: a network for every row of any data.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Where the weights start.
    pub parent: Parent,
    /// How they move with the predictors.
    pub regression: Regression,
    /// What it does where the subsets showed nothing.
    pub guard: Guard,
    /// The range of each weight's correction, when it is limited.
    pub clip: Option<Clip>,
    /// Anomalies that are taken as they are, instead of what the regression gives.
    pub nearest: Option<Nearest>,
}

impl Child {
    /// The target for each row, in its own unit, by the row's own network; `[rows, targets]`.
    ///
    /// Rows with a missing input are NaN, as are those with a missing predictor unless the
    /// guard says otherwise.
    ///
    /// # Errors
    /// When the data lack an input or a predictor.
    pub fn predict(&self, data: &Dataset) -> Result<Vec<f64>, Fault> {
        let network = &self.parent.network;
        let rows = data.rows();
        let inputs = network.inputs_of(data)?;
        let width = network.inputs().len();
        let inputs_of = |row: usize| &inputs[row * width..(row + 1) * width];
        let points = self.points(data)?;
        let Some(mut outputs) = self.outputs(rows, &inputs, &points) else {
            // These are no sums of a few terms: every row's weights are made.
            let outputs = (0..rows).flat_map(|row| {
                let weights = self.weights_at(points.row(row));
                network.evaluate(&weights, inputs_of(row), 1)
            });
            return Ok(network.unscale(&outputs.collect::<Vec<f32>>()));
        };
        let falls_back = |row: &usize| self.guard.falls_back(points.row(*row));
        let fallen: Vec<usize> = (0..rows).filter(falls_back).collect();
        let theirs: Vec<f32> = fallen
            .iter()
            .flat_map(|row| inputs_of(*row))
            .copied()
            .collect();
        let parent = network.evaluate(&self.parent.weights, &theirs, fallen.len());
        let width = outputs.len() / rows.max(1);
        for (at, row) in fallen.into_iter().enumerate() {
            outputs[row * width..][..width].copy_from_slice(&parent[at * width..][..width]);
        }
        Ok(network.unscale(&outputs))
    }

    /// The weights of the network of one row, in parameter order.
    ///
    /// `predictors` are those of the row, in their own units.
    pub fn weights(&self, predictors: &[f64]) -> Vec<f32> {
        self.weights_at(&self.regression.form.standardised(predictors))
    }

    fn weights_at(&self, standardised: &[f64]) -> Vec<f32> {
        if self.guard.falls_back(standardised) {
            return self.parent.weights.clone();
        }
        let mut corrections = self.corrections(standardised);
        if let Some(clip) = &self.clip {
            clip.apply(&mut corrections);
        }
        let weights = self.parent.weights.iter().zip(corrections);
        weights
            .map(|(weight, correction)| (f64::from(*weight) + correction) as f32)
            .collect()
    }

    /// What is added to each weight of the parent, before any limit.
    fn corrections(&self, standardised: &[f64]) -> Vec<f64> {
        if let Some(nearest) = &self.nearest {
            return nearest.corrections(standardised, self.parent.weights.len());
        }
        let terms = self.regression.form.terms();
        let mut corrections = vec![0.0; self.parent.weights.len()];
        for (index, value) in self.values(&terms, standardised).enumerate() {
            let coefficients = self.regression.coefficients_of(index);
            for (correction, coefficient) in corrections.iter_mut().zip(coefficients) {
                *correction += value * f64::from(*coefficient);
            }
        }
        corrections
    }

    /// The terms at standardised predictors; with `outside: linear` their tangents at the edge
    /// of the range of the subsets, beyond it.
    fn values<'a>(
        &self,
        terms: &'a [Term],
        standardised: &'a [f64],
    ) -> impl Iterator<Item = f64> + use<'a> {
        let tangent = match self.guard.outside {
            Outside::Linear => Tangent::of(&self.regression.form, standardised),
            Outside::Keep | Outside::Parent => None,
        };
        terms.iter().map(move |term| match &tangent {
            Some(tangent) => tangent.value(term),
            None => term.value(standardised),
        })
    }

    /// The standardised predictors of every row.
    fn points(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        let mut rows = self.predictors(data)?;
        let form = &self.regression.form;
        for row in rows.values.chunks_exact_mut(form.names.len().max(1)) {
            form.standardise(row);
        }
        Ok(rows)
    }

    fn predictors(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        PredictorRows::of(&self.regression.form.predictors, data)
    }

    /// For every row whether its predictors are farther from the subsets than is trusted;
    /// those with a missing predictor are not.
    ///
    /// # Errors
    /// When the data lack a predictor.
    pub fn outside(&self, data: &Dataset) -> Result<Vec<bool>, Fault> {
        let points = self.points(data)?;
        let outside = |row| self.guard.is_outside(points.row(row));
        Ok((0..data.rows()).map(outside).collect())
    }

    /// For every row whether it has no prediction, because a predictor is missing.
    ///
    /// # Errors
    /// When the data lack a predictor.
    pub fn left_out(&self, data: &Dataset) -> Result<Vec<bool>, Fault> {
        let predictors = self.predictors(data)?;
        let missing = |row| predictors.row(row).iter().any(|value| !value.is_finite());
        let leave_out = self.guard.missing == Missing::LeaveOut;
        Ok((0..data.rows())
            .map(|row| leave_out && missing(row))
            .collect())
    }
}

impl Artifact for Child {
    const KIND: Kind = Kind::Child;
    const PARTS: &'static [&'static str] = &[
        "weights.safetensors",
        "network.json",
        "losses.json",
        "training.json",
        "coefficients.f32",
        "layout.json",
        "form.json",
        "guard.json",
    ];

    fn to_parts(&self) -> Result<Parts, Fault> {
        let mut parts = self.parent.to_parts()?.and(self.regression.to_parts()?);
        if let Some(clip) = &self.clip {
            let bounds = clip.low.iter().chain(&clip.high);
            let bytes: Vec<u8> = bounds.flat_map(|bound| bound.to_le_bytes()).collect();
            parts = parts.with("clip.f32", bytes);
        }
        if let Some(nearest) = &self.nearest {
            parts = nearest.add_to(parts)?;
        }
        parts.with_json("guard.json", &self.guard)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        Ok(Self {
            parent: Parent::from_parts(parts)?,
            regression: Regression::from_parts(parts)?,
            guard: parts.json("guard.json")?,
            clip: match parts.has("clip.f32") {
                true => Some(clip(parts)?),
                false => None,
            },
            nearest: Nearest::from_parts(parts)?,
        })
    }

    /// A network alone is a child too: the same for all rows.
    fn from_stored(stored: &AnyArtifact) -> Option<Arc<Self>> {
        if let Some(child) = downcast(stored) {
            return Some(child);
        }
        let parent = Parent::clone(&*Parent::from_stored(stored)?);
        let layout = parent.network.layout();
        let form = Form {
            predictors: Vec::new(),
            names: Vec::new(),
            scaling: Vec::new(),
            seen: Vec::new(),
            basis: Basis::Polynomial(0),
            rows: 0,
            evidence: Evidence::default(),
            explained: vec![0.0; layout.tensors.len()],
            pruned: vec![0.0; layout.tensors.len()],
        };
        Some(Arc::new(Self {
            regression: Regression {
                form,
                coefficients: vec![0.0; layout.len()],
                layout,
            },
            parent,
            guard: Guard::default(),
            clip: None,
            nearest: None,
        }))
    }

    /// The parent's weights as they are, and one group of tensors per term: `terms.{t}.` and
    /// the tensor's name. The metadata say what to multiply each group by: `terms` the
    /// products of predictors in order, `names` and `scaling` the predictors with what is
    /// subtracted from each and what it is divided by, `form` the fitted recipes.
    fn weights_file(&self, made_by: Metadata) -> Result<Option<Vec<u8>>, Fault> {
        let form = &self.regression.form;
        let terms = form.terms();
        let groups = (0..terms.len()).flat_map(|term| {
            self.regression
                .layout
                .tensors
                .iter()
                .map(move |tensor| Tensor {
                    name: format!("terms.{term}.{}", tensor.name),
                    shape: tensor.shape.clone(),
                })
        });
        let mut tensors = self.regression.layout.tensors.clone();
        tensors.extend(groups);
        let weights = [&self.parent.weights[..], &self.regression.coefficients].concat();
        let names: Vec<String> = terms.iter().map(|term| term.name(&form.names)).collect();
        let metadata = [
            ("format".to_owned(), "pt".to_owned()),
            ("network".to_owned(), json(&self.parent.network)?),
            ("terms".to_owned(), json(&names)?),
            ("names".to_owned(), json(&form.names)?),
            ("scaling".to_owned(), json(&form.scaling)?),
            ("form".to_owned(), json(form)?),
            ("guard".to_owned(), json(&self.guard)?),
        ];
        Layout { tensors }
            .to_safetensors(&weights, metadata.into_iter().chain(made_by))
            .map(Some)
    }
}

fn clip(parts: &Parts) -> Result<Clip, Fault> {
    let mut low = floats(parts.get("clip.f32")?);
    let high = low.split_off(low.len() / 2);
    Ok(Clip { low, high })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let fours = bytes.chunks_exact(4);
    fours
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect()
}

fn json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Bug(error.to_string()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::networks::testing::network;
    use crate::networks::{Loss, Scaled};
    use crate::predictors::Fitted;
    use crate::predictors::tests::dataset;

    /// Made-up weights of magnitude up to one.
    fn made_up(count: usize, salt: usize) -> impl Iterator<Item = f32> {
        (0..count).map(move |index| ((index * 37 + salt * 101) as f32 * 0.618).sin())
    }

    /// A child of a 2-5-4-1 network with one predictor, `z`.
    pub(crate) fn child(degree: usize) -> Child {
        let scaled = |name: &str, mean, std| Scaled {
            name: name.to_owned(),
            mean,
            std,
        };
        let network = network(
            [
                vec![scaled("a", 1.0, 2.0), scaled("b", -0.5, 0.3)],
                vec![scaled("t", 10.0, 3.0)],
            ],
            &[2, 5, 4, 1],
            Loss::Mse,
        );
        let layout = network.layout();
        let terms = degree + 1;
        Child {
            parent: Parent {
                weights: made_up(layout.len(), 1).collect(),
                network,
                losses: vec![],
                training: None,
            },
            regression: Regression {
                form: Form {
                    predictors: vec![Fitted::Columns(vec!["z".to_owned()])],
                    names: vec!["z".to_owned()],
                    scaling: vec![(1.5, 1.2)],
                    seen: vec![(0.0, 3.0)],
                    basis: Basis::Polynomial(degree),
                    rows: 9,
                    explained: vec![0.5; layout.tensors.len()],
                    pruned: vec![0.0; layout.tensors.len()],
                    evidence: Default::default(),
                },
                coefficients: made_up(terms * layout.len(), 2).map(|c| c * 0.2).collect(),
                layout,
            },
            guard: Guard::default(),
            clip: None,
            nearest: None,
        }
    }

    /// Rows with inputs `a`, `b` and predictor `z` = 0, 1, 2, … modulo 5.
    pub(crate) fn data(rows: usize) -> Dataset {
        let values = |salt| -> Vec<f64> { made_up(rows, salt).map(f64::from).collect() };
        let z: Vec<f64> = (0..rows).map(|row| (row % 5) as f64).collect();
        dataset(&[("a", &values(3)), ("b", &values(4)), ("z", &z)])
    }

    #[test]
    fn a_child_comes_back_from_its_parts() {
        let child = child(2);
        assert_eq!(
            Child::from_parts(&child.to_parts().unwrap()).unwrap(),
            child
        );
    }

    #[test]
    fn the_weights_file_holds_the_parent_and_a_group_per_term() {
        let child = child(2);
        let bytes = child.weights_file(Vec::new()).unwrap().unwrap();
        let layout = &child.regression.layout;
        assert_eq!(
            layout.from_safetensors(&bytes).unwrap(),
            child.parent.weights
        );
        for term in 0..3 {
            let mut group = layout.clone();
            for tensor in &mut group.tensors {
                tensor.name = format!("terms.{term}.{}", tensor.name);
            }
            assert_eq!(
                group.from_safetensors(&bytes).unwrap(),
                child.regression.coefficients_of(term)
            );
        }
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let metadata = &header["__metadata__"];
        assert_eq!(metadata["terms"], r#"["1","z","z^2"]"#);
        assert_eq!(metadata["scaling"], "[[1.5,1.2]]");
    }
}
