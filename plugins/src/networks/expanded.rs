//! Networks of one layer on functions of their inputs: the exact models of `least_squares` and
//! `additive`.

use engine::artifact::Layout;
use engine::plugin::Cores;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::dense::Dense;
use super::fused::Fused;
use super::{Activation, Columns, Differentiate, Layers, Loss, Model, Samples, TrainerChoice};
use crate::splines::cardinal;

/// A product of inputs in their own units, standardised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Which inputs, counted from 0; one twice is its square.
    pub of: Vec<usize>,
    /// Its mean over the rows trained on.
    pub mean: f64,
    /// Its standard deviation there.
    pub std: f64,
}

/// One affine layer on the inputs, on products of them and on curves of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expanded {
    /// What it reads and predicts.
    #[serde(flatten)]
    pub columns: Columns,
    /// What the layer sees after the inputs.
    pub products: Vec<Product>,
    /// The knots of a curve of each standardised input: after the products the layer sees, for
    /// each knot but the first and the last, the natural spline that is 1 there and 0 at the
    /// others. Without any the inputs have no curves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Vec<f64>>,
    /// What training minimises.
    pub loss: Loss,
}

impl Expanded {
    fn layers(&self) -> Layers {
        Layers {
            widths: vec![self.features_of_row(), self.columns.targets.len()],
            activation: Activation::Tanh,
        }
    }

    fn features_of_row(&self) -> usize {
        let inner = self
            .curves
            .iter()
            .map(|knots| knots.len().saturating_sub(2));
        self.columns.inputs.len() + self.products.len() + inner.sum::<usize>()
    }

    /// What the layer sees of standardised inputs, row after row.
    fn features(&self, inputs: &[f32]) -> Vec<f32> {
        let width = self.columns.inputs.len();
        let mut features = Vec::with_capacity(inputs.len() / width.max(1) * self.features_of_row());
        for row in inputs.chunks_exact(width.max(1)) {
            features.extend_from_slice(row);
            features.extend(self.products.iter().map(|product| {
                let values = product.of.iter().map(|at| {
                    let scaled = &self.columns.inputs[*at];
                    scaled.mean + scaled.std * f64::from(row[*at])
                });
                ((values.product::<f64>() - product.mean) / product.std) as f32
            }));
            for (knots, value) in self.curves.iter().zip(row) {
                let shares = cardinal(knots, f64::from(*value));
                let inner = shares.get(1..knots.len().saturating_sub(1));
                features.extend(inner.unwrap_or_default().iter().map(|share| *share as f32));
            }
        }
        features
    }
}

impl Model for Expanded {
    fn layout(&self) -> Layout {
        Layout::mlp(&self.layers().widths)
    }

    fn columns(&self) -> &Columns {
        &self.columns
    }

    fn outputs(&self) -> usize {
        self.layers().outputs()
    }

    fn loss(&self) -> Loss {
        self.loss
    }

    fn evaluate(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Vec<f32> {
        Dense::of(&self.layers(), &[weights]).run(rows, &self.features(inputs), &[])
    }

    fn differentiate(&self, _: TrainerChoice) -> Box<dyn Differentiate> {
        Box::new(ByFeatures {
            network: self.clone(),
            layer: Fused::new(&self.layers(), self.loss, Arch::new()),
        })
    }

    fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// Gradients of the layer on the features of a batch.
struct ByFeatures {
    network: Expanded,
    layer: Fused,
}

impl Differentiate for ByFeatures {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        let batch = Samples {
            inputs: self.network.features(&batch.inputs),
            targets: batch.targets.clone(),
            weights: batch.weights.clone(),
            rows: batch.rows,
        };
        self.layer.gradient(weights, &batch)
    }

    fn use_cores(&mut self, cores: &Cores) {
        self.layer.use_cores(cores);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Network, Scaled};
    use super::*;

    fn network() -> Network {
        let scaled = |name: &str, mean, std| Scaled {
            name: name.to_owned(),
            mean,
            std,
        };
        let product = |of: &[usize], mean, std| Product {
            of: of.to_vec(),
            mean,
            std,
        };
        let network = Expanded {
            columns: Columns {
                inputs: vec![scaled("a", 1.0, 2.0), scaled("b", -3.0, 0.5)],
                targets: vec![scaled("t", 0.0, 1.0)],
            },
            products: vec![product(&[0, 1], 4.0, 8.0), product(&[1, 1], 9.0, 2.0)],
            curves: Vec::new(),
            loss: Loss::Mse,
        };
        network.into()
    }

    const WEIGHTS: [f32; 5] = [0.5, -1.0, 2.0, 0.25, 0.125];

    #[test]
    fn products_are_of_inputs_in_their_own_units() {
        // a = 2, b = -2: standardised 0.5, 2; a b = -4 is -1, b b = 4 is -2.5.
        let found = network().evaluate(&WEIGHTS, &[0.5, 2.0], 1);
        let expected = 0.5 * 0.5 - 2.0 + -2.0 + 0.25 * -2.5 + 0.125;
        assert!((found[0] - expected).abs() < 1e-6, "{found:?} {expected}");
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let network = network();
        let batch = Samples {
            inputs: vec![0.5, 2.0, -1.0, 0.3, 0.1, -0.7],
            targets: vec![1.0, -1.0, 0.5],
            weights: vec![0.5, 2.0, 0.5],
            rows: 3,
        };
        let mut differentiate = network.differentiate(TrainerChoice::Auto);
        let (_, gradient) = differentiate.gradient(&WEIGHTS, &batch);
        for at in 0..WEIGHTS.len() {
            let loss = |by: f32| {
                let mut weights = WEIGHTS;
                weights[at] += by;
                network.loss_on(&batch, &weights)
            };
            let expected = (loss(1e-2) - loss(-1e-2)) / 2e-2;
            assert!((f64::from(gradient[at]) - expected).abs() < 1e-3, "{at}");
        }
    }

    #[test]
    fn it_is_stored_and_read_back() {
        let text = serde_json::to_string(&network()).expect("json");
        let read: Network = serde_json::from_str(&text).expect("a network");
        assert_eq!(read, network());
        assert_eq!(read.layout().len(), 5);
    }

    /// 1 + 2a + 4 (the curve of knots -1, 0, 2 that is 1 at 0), b straight.
    fn bent() -> Network {
        let columns = Columns {
            inputs: vec![Scaled::as_is("a"), Scaled::as_is("b")],
            targets: vec![Scaled::as_is("t")],
        };
        let network = Expanded {
            columns,
            products: Vec::new(),
            curves: vec![vec![-1.0, 0.0, 2.0], vec![0.5]],
            loss: Loss::Mse,
        };
        network.into()
    }

    #[test]
    fn curves_are_added_to_straight_lines() {
        let weights = [2.0, 0.0, 4.0, 1.0];
        assert_eq!(bent().layout().len(), weights.len());
        let inputs = [-1.0, 9.0, 0.0, 9.0, 2.0, 9.0, f32::NAN, 9.0];
        let found = bent().evaluate(&weights, &inputs, 4);
        assert_eq!(found[..3], [-1.0, 5.0, 5.0]);
        assert!(found[3].is_nan());
        let text = serde_json::to_string(&bent()).expect("json");
        assert_eq!(
            serde_json::from_str::<Network>(&text).expect("a network"),
            bent()
        );
    }
}
