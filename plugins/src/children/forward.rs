//! Every row by its own network, without making the weights of any.
//!
//! The weights of a row are `W = Σ_s b_s W_s`, `W_0` the parent's (and the intercept of the
//! regression, `b_0 = 1`), so that a layer is `W x = [W_0 W_1 …] (b ⊗ x)`: one matrix for all
//! rows, applied to the products of basis values and inputs. A bias is a weight of a constant
//! input. Rows go side by side in lanes, which the compiler turns into vectors.

use pulp::Arch;

use super::Child;
use crate::parents::Activation;
use crate::predictors::PredictorRows;
use crate::regressions::Term;

/// How many rows go side by side.
const LANES: usize = 16;

/// One number for each row of a block.
type Lanes = [f32; LANES];

/// The layers, with the weights of all terms side by side.
pub(super) struct Stack {
    layers: Vec<Layer>,
    /// The terms with a coefficient other than zero, the intercept left out.
    terms: Vec<Term>,
    activation: Activation,
}

/// `[outputs, terms * (inputs + 1)]`: for each output and term the weights, then the bias.
struct Layer {
    matrix: Vec<f32>,
    outputs: usize,
}

impl Stack {
    /// The layers of all networks of a child.
    pub fn new(child: &Child) -> Self {
        let regression = &child.regression;
        let all = regression.form.terms();
        let base: Vec<f32> = child
            .parent
            .weights
            .iter()
            .zip(regression.coefficients_of(0))
            .map(|(weight, intercept)| weight + intercept)
            .collect();
        let used: Vec<usize> = (1..all.len())
            .filter(|term| regression.coefficients_of(*term).iter().any(|c| *c != 0.0))
            .collect();
        let sets: Vec<&[f32]> = std::iter::once(&base[..])
            .chain(used.iter().map(|term| regression.coefficients_of(*term)))
            .collect();
        let mut start = 0;
        let layers = child
            .parent
            .network
            .widths
            .windows(2)
            .map(|pair| {
                let (inputs, outputs) = (pair[0], pair[1]);
                let layer = Layer::new(&sets, start, inputs, outputs);
                start += outputs * (inputs + 1);
                layer
            })
            .collect();
        Self {
            layers,
            terms: used.into_iter().map(|term| all[term].clone()).collect(),
            activation: child.parent.network.activation,
        }
    }

    /// The outputs of the row's own network for each of `count` rows, `[rows, outputs]`.
    pub fn run(
        &self,
        child: &Child,
        inputs: &[f32],
        predictors: &PredictorRows,
        count: usize,
    ) -> Vec<f32> {
        let arch = Arch::new();
        let form = &child.regression.form;
        let width = child.parent.network.inputs.len();
        let mut outputs = Vec::new();
        for start in (0..count).step_by(LANES) {
            let rows = start..(start + LANES).min(count);
            let mut scales = vec![[1.0; LANES]; self.terms.len() + 1];
            let mut values = vec![[0.0; LANES]; width];
            for (lane, row) in rows.clone().enumerate() {
                let standardised = form.standardised(predictors.row(row));
                let terms = child.values(&self.terms, &standardised);
                for (scale, value) in scales[1..].iter_mut().zip(terms) {
                    scale[lane] = value as f32;
                }
                for (value, input) in values.iter_mut().zip(&inputs[row * width..]) {
                    value[lane] = *input;
                }
            }
            let block = arch.dispatch(
                #[inline(always)]
                || self.forward(&scales, values),
            );
            outputs.extend((0..rows.len()).flat_map(|lane| block.iter().map(move |o| o[lane])));
        }
        outputs
    }

    #[inline(always)]
    fn forward(&self, scales: &[Lanes], mut values: Vec<Lanes>) -> Vec<Lanes> {
        for (index, layer) in self.layers.iter().enumerate() {
            values = layer.forward(scales, &values);
            if index + 1 < self.layers.len() {
                self.activation.apply(values.as_flattened_mut());
            }
        }
        values
    }
}

impl Layer {
    /// The weights from `start` on of each set, those of one output together.
    fn new(sets: &[&[f32]], start: usize, inputs: usize, outputs: usize) -> Self {
        let biases = start + outputs * inputs;
        let mut matrix = Vec::with_capacity(outputs * sets.len() * (inputs + 1));
        for output in 0..outputs {
            for set in sets {
                matrix.extend_from_slice(&set[start + output * inputs..][..inputs]);
                matrix.push(set[biases + output]);
            }
        }
        Self { matrix, outputs }
    }

    #[inline(always)]
    fn forward(&self, scales: &[Lanes], values: &[Lanes]) -> Vec<Lanes> {
        // Loops rather than iterators: their bodies become vectors of the widest registers.
        let mut products = Vec::with_capacity(scales.len() * (values.len() + 1));
        for scale in scales {
            for value in values {
                let mut product = *scale;
                for (product, value) in product.iter_mut().zip(value) {
                    *product *= value;
                }
                products.push(product);
            }
            products.push(*scale);
        }
        let mut outputs = vec![[0.0; LANES]; self.outputs];
        let weights = self.matrix.chunks_exact(products.len());
        for (output, weights) in outputs.iter_mut().zip(weights) {
            let mut sum = [0.0; LANES];
            for (weight, product) in weights.iter().zip(&products) {
                for (sum, product) in sum.iter_mut().zip(product) {
                    *sum += weight * product;
                }
            }
            *output = sum;
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Dataset;

    use super::*;
    use crate::children::tests::{child, data};

    #[test]
    fn a_row_is_what_its_materialised_network_gives() {
        for degree in [1, 2, 3] {
            let child = child(degree);
            let data = data(37);
            let network = &child.parent.network;
            let predictors = PredictorRows::of(&child.regression.form.predictors, &data).unwrap();
            let inputs = network.inputs_of(&data).unwrap();
            let found = child.predict(&data).unwrap();
            assert_eq!(found.len(), data.rows());
            for row in 0..data.rows() {
                let weights = child.weights(predictors.row(row));
                let outputs = network.evaluate(&weights, &inputs[row * 2..row * 2 + 2], 1);
                let expected = network.unscale(&outputs)[0];
                let error = (found[row] - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-5, "degree {degree} row {row}: {error}");
            }
        }
    }

    #[test]
    fn networks_differ_from_row_to_row_and_from_the_parent() {
        let (child, data) = (child(1), data(2));
        let predictors = PredictorRows::of(&child.regression.form.predictors, &data).unwrap();
        assert_ne!(
            child.weights(predictors.row(0)),
            child.weights(predictors.row(1))
        );
        let network = &child.parent.network;
        let inputs = network.inputs_of(&data).unwrap();
        let parent = network.unscale(&network.evaluate(&child.parent.weights, &inputs, 2));
        for (child, parent) in child.predict(&data).unwrap().iter().zip(parent) {
            assert!((child - parent).abs() > 1e-3);
        }
    }

    #[test]
    fn a_missing_value_stays_in_its_row() {
        let child = child(2);
        let (whole, mut gap) = (data(20), data(20));
        let values = gap.values("z").unwrap().to_vec();
        gap = data_with(&gap, "z", values, 3);
        let (whole, gap) = (child.predict(&whole).unwrap(), child.predict(&gap).unwrap());
        assert!(gap[3].is_nan());
        for row in (0..20).filter(|row| *row != 3) {
            assert_eq!(gap[row], whole[row]);
        }
    }

    fn data_with(data: &Dataset, name: &str, mut values: Vec<f64>, gap: usize) -> Dataset {
        values[gap] = f64::NAN;
        let columns = data.columns().iter().map(|column| {
            let mut column = column.clone();
            if column.name == name {
                column.values = values.clone().into();
            }
            column
        });
        Dataset::new(columns.collect()).unwrap()
    }
}
