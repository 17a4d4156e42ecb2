//! Children: networks for rows no network was trained on, one per row, never materialised.

mod apply;
mod forward;

use dsl::types::Kind;
use engine::artifact::{Artifact, Dataset, Layout, Metadata, Parts, Tensor};
use engine::error::Fault;
use engine::plugin::Registry;

use crate::parents::Parent;
use crate::regressions::Regression;

pub use apply::Apply;

/// Adds the children.
pub fn register(registry: &mut Registry) {
    registry.plugin::<Apply>();
}

/// A parent and the regression that moves its weights: a network for every row of any data.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Where the weights start.
    pub parent: Parent,
    /// How they move with the predictors.
    pub regression: Regression,
}

impl Child {
    /// The target for each row, in its own unit, by the row's own network; `[rows, targets]`.
    ///
    /// Rows with a missing input or predictor are NaN.
    ///
    /// # Errors
    /// When the data lack an input or a predictor.
    pub fn predict(&self, data: &Dataset) -> Result<Vec<f64>, Fault> {
        let outputs = forward::Stack::new(self).run(self, data)?;
        Ok(self.parent.network.unscale(&outputs))
    }

    /// The weights of the network of one row, in parameter order.
    ///
    /// `predictors` are those of the row, in their own units.
    pub fn weights(&self, predictors: &[f64]) -> Vec<f32> {
        let form = &self.regression.form;
        let standardised = form.standardised(predictors);
        let mut weights: Vec<f64> = self.parent.weights.iter().map(|w| f64::from(*w)).collect();
        for (index, term) in form.terms().iter().enumerate() {
            let value = term.value(&standardised);
            let coefficients = self.regression.coefficients_of(index);
            for (weight, coefficient) in weights.iter_mut().zip(coefficients) {
                *weight += value * f64::from(*coefficient);
            }
        }
        weights.into_iter().map(|weight| weight as f32).collect()
    }
}

impl Artifact for Child {
    const KIND: Kind = Kind::Child;

    fn to_parts(&self) -> Result<Parts, Fault> {
        let mut parts = self.parent.to_parts()?;
        parts.0.extend(self.regression.to_parts()?.0);
        Ok(parts)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        Ok(Self {
            parent: Parent::from_parts(parts)?,
            regression: Regression::from_parts(parts)?,
        })
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
        ];
        Layout { tensors }
            .to_safetensors(&weights, metadata.into_iter().chain(made_by))
            .map(Some)
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Bug(error.to_string()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::parents::{Activation, Loss, Network, Scaled};
    use crate::predictors::Fitted;
    use crate::predictors::tests::dataset;
    use crate::regressions::{Basis, Form};

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
        let network = Network {
            inputs: vec![scaled("a", 1.0, 2.0), scaled("b", -0.5, 0.3)],
            targets: vec![scaled("t", 10.0, 3.0)],
            widths: vec![2, 5, 4, 1],
            activation: Activation::Tanh,
            loss: Loss::Mse,
        };
        let layout = network.layout();
        let terms = degree + 1;
        Child {
            parent: Parent {
                weights: made_up(layout.len(), 1).collect(),
                network,
                losses: vec![],
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
