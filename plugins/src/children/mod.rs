//! Children: networks for rows no network was trained on, one per row, never materialised.

mod adopt;
mod apply;
mod nearest;
pub(crate) mod support;

use std::sync::Arc;

use dsl::types::Kind;
use engine::artifact::{
    AnyArtifact, Artifact, Dataset, Layout, Metadata, Parts, Tensor, WeightsFile, WeightsFiles,
    downcast,
};
use engine::error::Fault;
use engine::plugin::{ReadColumns, Registry};

use crate::parents::Parent;
use crate::predictors::Fitted;
use crate::regressions::Regression;

pub use adopt::Adopt;
pub use apply::Apply;
pub use nearest::NearestSubset;
pub use support::anomalies::Nearest;
use support::anomalies::floats;
pub use support::architecture::{Architecture, Perceptron};
pub use support::correction::Correction;
pub use support::guard::{Clip, Cloud, Guard, Missing, Outside};

/// Adds the children.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Child>();
    registry.maker_of(Kind::Child, support::foreign::Reweigh);
    registry.plugin::<Apply>();
    registry.plugin::<NearestSubset>();
    registry.plugin::<Adopt>();
    registry.constructors(Architecture::CONSTRUCTORS);
}

/// A parent and what moves its weights: a network for every row of any data.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Where the weights start.
    pub parent: Parent,
    /// What moves them; without it, all rows have the parent's.
    pub correction: Option<Correction>,
}

impl Child {
    /// The target for each row, in its own unit, by the row's own network; `[rows, targets]`.
    ///
    /// Rows with a missing input are NaN, as are those with a missing predictor unless the
    /// guard says otherwise.
    ///
    /// # Errors
    /// When the data lack an input or a predictor, or when the weights cannot be run.
    pub fn predict(&self, data: &Dataset) -> Result<Vec<f64>, Fault> {
        let network = self.parent.network()?;
        let inputs = network.inputs_of(data)?;
        let weights = &self.parent.weights;
        let outputs = match &self.correction {
            Some(correction) => correction.outputs(weights, network, &inputs, data)?,
            None => network.evaluate(weights, &inputs, data.rows()),
        };
        Ok(network.unscale(&outputs))
    }

    /// The weights of the network of one row, in parameter order.
    ///
    /// `predictors` are those of the row, in their own units.
    pub fn weights(&self, predictors: &[f64]) -> Vec<f32> {
        match &self.correction {
            Some(correction) => correction.weights(&self.parent.weights, predictors),
            None => self.parent.weights.clone(),
        }
    }

    /// Whether its weights are those of subsets: the baseline of a regression.
    pub fn is_baseline(&self) -> bool {
        let correction = self.correction.as_ref();
        correction.is_some_and(|correction| correction.nearest.is_some())
    }

    /// Whether the predictions of a row follow from that row alone.
    pub fn is_by_row(&self) -> bool {
        self.predictors().all(|fitted| fitted.of_row().is_some())
    }

    /// The columns that its predictions read.
    pub fn reads(&self) -> ReadColumns {
        let read = self.predictors().map(|fitted| match fitted.of_row() {
            Some(names) => ReadColumns::none().and(names),
            None => ReadColumns::All,
        });
        read.fold(self.parent.reads(), ReadColumns::or)
    }

    fn predictors(&self) -> impl Iterator<Item = &Fitted> {
        let corrections = self.correction.iter();
        corrections.flat_map(|it| &it.regression.form.predictors)
    }

    /// For every row whether its predictors are farther from the subsets than is trusted;
    /// those with a missing predictor are not.
    ///
    /// # Errors
    /// When the data lack a predictor.
    pub fn outside(&self, data: &Dataset) -> Result<Vec<bool>, Fault> {
        match &self.correction {
            Some(correction) => correction.outside(data),
            None => Ok(vec![false; data.rows()]),
        }
    }

    /// For every row whether it has no prediction, because a predictor is missing.
    ///
    /// # Errors
    /// When the data lack a predictor.
    pub fn left_out(&self, data: &Dataset) -> Result<Vec<bool>, Fault> {
        match &self.correction {
            Some(correction) => correction.left_out(data),
            None => Ok(vec![false; data.rows()]),
        }
    }
}

impl Artifact for Child {
    const KIND: Kind = Kind::Child;
    const PARTS: &'static [&'static str] = &[
        "weights.safetensors",
        "losses.json",
        "training.json",
        "coefficients.f32",
        "layout.json",
        "form.json",
        "guard.json",
    ];

    fn to_parts(&self) -> Result<Parts, Fault> {
        let parts = self.parent.to_parts()?;
        let Some(correction) = &self.correction else {
            return Ok(parts);
        };
        let mut parts = parts.and(correction.regression.to_parts()?);
        if let Some(clip) = &correction.clip {
            let bounds = clip.low.iter().chain(&clip.high);
            let bytes: Vec<u8> = bounds.flat_map(|bound| bound.to_le_bytes()).collect();
            parts = parts.with("clip.f32", bytes);
        }
        if let Some(nearest) = &correction.nearest {
            parts = nearest.add_to(parts)?;
        }
        parts.with_json("guard.json", &correction.guard)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let correction = Correction {
            regression: Regression::from_parts(parts)?,
            guard: parts.json("guard.json")?,
            clip: match parts.has("clip.f32") {
                true => Some(clip(parts)?),
                false => None,
            },
            nearest: Nearest::from_parts(parts)?,
        };
        Ok(Self {
            parent: Parent::from_parts(parts)?,
            correction: Some(correction),
        })
    }

    /// A network alone is a child too: the same for all rows.
    fn from_stored(stored: &AnyArtifact) -> Option<Arc<Self>> {
        if let Some(child) = downcast(stored) {
            return Some(child);
        }
        let parent = Parent::clone(&*Parent::from_stored(stored)?);
        let correction = None;
        Some(Arc::new(Self { parent, correction }))
    }

    /// Two files: the network where every predictor is at its mean, and what moves it from there.
    fn weights_files(&self, stem: &str, made_by: Metadata) -> Result<WeightsFiles<'_>, Fault> {
        let Some(correction) = &self.correction else {
            return self.parent.weights_files(stem, made_by);
        };
        let means: Vec<f64> = { correction.regression.form.scaling.iter() }
            .map(|(mean, _)| *mean)
            .collect();
        let layout = &correction.regression.layout;
        let metadata = [
            ("format".to_owned(), "pt".to_owned()),
            ("network".to_owned(), json(self.parent.network()?)?),
            ("names".to_owned(), json(&correction.regression.form.names)?),
            ("predictors".to_owned(), json(&means)?),
        ];
        let metadata = metadata.into_iter().chain(made_by.clone());
        let child = layout.to_safetensors(&self.weights(&means), metadata)?;
        let mut files = vec![WeightsFile::of(format!("{stem}.safetensors"), child)];
        if !self.is_baseline() {
            let terms = self.terms_file(correction, made_by)?;
            let name = format!("{stem}.terms.safetensors");
            files.push(WeightsFile::of(name, terms));
        }
        Ok(files)
    }
}

impl Child {
    /// The weights of the network of every row as a sum: the parent's, as `parent.` and the
    /// tensor's name, and one group of tensors for each term, as `terms.{t}.` and the name, with
    /// the limits of the sum, if any, as `least.` and `most.`.
    ///
    /// The metadata say what to multiply each group by: `functions` the functions of the
    /// standardised predictors, in order, `terms` the same for people, `names` and `scaling` the
    /// predictors with what is subtracted from each and what it is divided by, `form` the fitted
    /// recipes, `guard` what happens to rows that are far from the subsets.
    fn terms_file(&self, correction: &Correction, made_by: Metadata) -> Result<Vec<u8>, Fault> {
        let regression = &correction.regression;
        let form = &regression.form;
        let terms = form.terms();
        let group = |name: String| {
            let tensors = regression.layout.tensors.iter();
            tensors.map(move |tensor| Tensor {
                name: format!("{name}.{}", tensor.name),
                shape: tensor.shape.clone(),
            })
        };
        let mut tensors: Vec<Tensor> = group("parent".to_owned()).collect();
        tensors.extend((0..terms.len()).flat_map(|term| group(format!("terms.{term}"))));
        let mut weights = [&self.parent.weights[..], &regression.coefficients].concat();
        if let Some(clip) = &correction.clip {
            tensors.extend(
                ["least", "most"]
                    .into_iter()
                    .flat_map(|name| group(name.to_owned())),
            );
            weights.extend(clip.low.iter().chain(&clip.high));
        }
        let names: Vec<String> = terms.iter().map(|term| term.name(&form.names)).collect();
        let metadata = [
            ("format".to_owned(), "pt".to_owned()),
            ("terms".to_owned(), json(&names)?),
            ("functions".to_owned(), json(&terms)?),
            ("names".to_owned(), json(&form.names)?),
            ("scaling".to_owned(), json(&form.scaling)?),
            ("form".to_owned(), json(form)?),
            ("guard".to_owned(), json(&correction.guard)?),
        ];
        Layout { tensors }.to_safetensors(&weights, metadata.into_iter().chain(made_by))
    }
}

fn clip(parts: &Parts) -> Result<Clip, Fault> {
    let mut low = floats(parts.get("clip.f32")?);
    let high = low.split_off(low.len() / 2);
    Ok(Clip { low, high })
}

fn json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Bug(error.to_string()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::networks::testing::network;
    use crate::networks::{Loss, Scaled};
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
            parent: Parent::new(network, made_up(layout.len(), 1).collect()),
            correction: Some(Correction {
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
            }),
        }
    }

    pub(crate) fn correction(child: &Child) -> &Correction {
        child.correction.as_ref().expect("a correction")
    }

    pub(crate) fn correction_mut(child: &mut Child) -> &mut Correction {
        child.correction.as_mut().expect("a correction")
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
    fn its_files_hold_the_network_at_the_mean_and_all_it_moves_by() {
        let mut child = child(2);
        let clip = Clip {
            low: vec![-0.1; child.parent.weights.len()],
            high: vec![0.1; child.parent.weights.len()],
        };
        correction_mut(&mut child).clip = Some(clip);
        let files = child.weights_files("far", Vec::new()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| &file.name[..]).collect();
        assert_eq!(names, ["far.safetensors", "far.terms.safetensors"]);
        let layout = &correction(&child).regression.layout;
        let named = |name: &str| {
            let mut group = layout.clone();
            for tensor in &mut group.tensors {
                tensor.name = format!("{name}.{}", tensor.name);
            }
            group.from_safetensors(&files[1].bytes().unwrap()).unwrap()
        };
        // The predictor of the rows has the mean 1.5 and the standard deviation 1.2.
        let mean = layout.from_safetensors(&files[0].bytes().unwrap()).unwrap();
        assert_eq!(mean, child.weights(&[1.5]));
        assert_ne!(mean, child.parent.weights);
        // What other programs compute from the second file, at z = 2.1 and thus 0.5.
        let terms: Vec<Vec<f32>> = (0..3).map(|term| named(&format!("terms.{term}"))).collect();
        let (parent, least, most) = (named("parent"), named("least"), named("most"));
        let expected = child.weights(&[2.1]);
        for (at, expected) in expected.iter().enumerate() {
            let sum = terms[0][at] + 0.5 * terms[1][at] + 0.25 * terms[2][at];
            let found = parent[at] + sum.clamp(least[at], most[at]);
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let length =
            u64::from_le_bytes(files[1].bytes().unwrap()[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value =
            serde_json::from_slice(&files[1].bytes().unwrap()[8..8 + length]).unwrap();
        let metadata = &header["__metadata__"];
        assert_eq!(metadata["terms"], r#"["1","z","z^2"]"#);
        assert_eq!(
            metadata["functions"],
            r#"[{"product":[]},{"product":[0]},{"product":[0,0]}]"#
        );
        assert_eq!(metadata["scaling"], "[[1.5,1.2]]");
    }
}
