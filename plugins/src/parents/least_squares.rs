//! `least_squares`: linear regression with its exact solution, as a network of one layer.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch, Training};
use faer::Mat;

use super::Parent;
use super::support::examine;
use crate::complete::complete;
use crate::networks::{Activation, Columns, Feedforward, Layers, Loss, Scaled};

plugin! {
    /// Ridge regression of the target on the inputs: the exact linear model.
    ///
    /// Solves `min Σ (y - x·w)² / n + penalty · |w|²` for standardised inputs and target
    /// (Hoerl & Kennard 1970); of inputs that are linear combinations of others the solution
    /// of least norm is taken. The result is a network without hidden layers, so that it can
    /// be fine-tuned and compared as any other parent: given the predictors of a method as
    /// further inputs it is the baseline that the method has to beat.
    ///
    /// ```farcast
    /// parent line = least_squares(seen, inputs: [x, z], target: y)
    /// ```
    "least_squares" version 1
    pub struct LeastSquares {
        /// The training data.
        data: Input<Dataset>, with_truth();
        /// The input columns.
        inputs: Vec<Column>, needed();
        /// The column to be predicted.
        target: Column, target();
        /// How much large weights cost.
        penalty: f64 = "0", range("0..");
    }
}

impl Plugin for LeastSquares {
    type Output = Parent;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::columns(call)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::network(call, None, Training::Solved, None)
    }

    fn run(self, _: &Context) -> Result<Parent, Fault> {
        let inputs = (self.inputs.iter())
            .map(|Column(name)| Ok(Scaled::of(name, complete(&self.data, name, "inputs")?)))
            .collect::<Result<Vec<_>, Fault>>()?;
        let name = &self.target.0;
        let target = Scaled::of(name, complete(&self.data, name, "target")?);
        let standardised = |scaled: &Scaled| -> Result<Vec<f64>, Fault> {
            let values = self.data.values(&scaled.name)?.iter();
            Ok(values
                .map(|value| (value - scaled.mean) / scaled.std)
                .collect())
        };
        let columns = inputs
            .iter()
            .map(standardised)
            .collect::<Result<Vec<_>, _>>()?;
        let mut weights = ridge(&columns, &standardised(&target)?, self.penalty)?;
        // Standardised columns have mean zero, and so has what is left of the target.
        weights.push(0.0);
        let network = Feedforward {
            layers: Layers {
                widths: vec![inputs.len(), 1],
                activation: Activation::Tanh,
            },
            columns: Columns {
                inputs,
                targets: vec![target],
            },
            loss: Loss::Mse,
        };
        let weights = weights.into_iter().map(|weight| weight as f32).collect();
        Ok(Parent::new(network.into(), weights))
    }
}

/// Singular values below this share of the largest count as zero, as in numpy's `lstsq` up to
/// the number of rows.
const RANK: f64 = 1e-12;

/// `V diag(s / (s² + n penalty)) Uᵀ y`.
fn ridge(columns: &[Vec<f64>], target: &[f64], penalty: f64) -> Result<Vec<f64>, Fault> {
    let rows = target.len();
    if rows == 0 {
        return Err(Fault::at("data", "expected rows to learn from, found none"));
    }
    let design = Mat::from_fn(rows, columns.len(), |row, column| columns[column][row]);
    let svd = design
        .thin_svd()
        .map_err(|error| Fault::Bug(format!("the decomposition failed: {error:?}")))?;
    let values = svd.S().column_vector();
    let largest = values.iter().copied().fold(0.0, f64::max);
    let cost = rows as f64 * penalty;
    let mut weights = vec![0.0; columns.len()];
    for (mode, s) in values
        .iter()
        .enumerate()
        .filter(|(_, s)| **s > RANK * largest)
    {
        let projected: f64 = svd
            .U()
            .col(mode)
            .iter()
            .zip(target)
            .map(|(u, y)| u * y)
            .sum();
        let factor = s / (s * s + cost) * projected;
        for (weight, v) in weights.iter_mut().zip(svd.V().col(mode).iter()) {
            *weight += factor * v;
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset as table;

    fn fitted(a: &[f64], b: &[f64], y: &[f64], penalty: f64) -> Vec<f64> {
        let data = table(&[("a", a), ("b", b), ("y", y)]);
        let call = LeastSquares {
            data: Input::new(data.clone()),
            inputs: ["a", "b"].map(|name| Column(name.to_owned())).to_vec(),
            target: Column("y".to_owned()),
            penalty,
        };
        let parent = call
            .run(&Context::alone("least_squares"))
            .expect("a parent");
        let network = parent.network().expect("a network");
        let inputs = network.inputs_of(&data).expect("inputs");
        network.unscale(&network.evaluate(&parent.weights, &inputs, data.rows()))
    }

    #[test]
    fn predictions_agree_with_numpy() {
        // X = np.c_[[0, 1, 2, 3, 5], [1, 0, 2, 1, 4]]; y = np.array([1, 2.5, 2, 4, 5.5])
        // Z = (X - X.mean(0)) / X.std(0); t = (y - y.mean()) / y.std()
        // w = np.linalg.solve(Z.T @ Z + 5 * penalty * np.eye(2), Z.T @ t)
        // y.mean() + y.std() * (Z @ w)
        let (a, b) = ([0.0, 1.0, 2.0, 3.0, 5.0], [1.0, 0.0, 2.0, 1.0, 4.0]);
        let y = [1.0, 2.5, 2.0, 4.0, 5.5];
        for (penalty, expected) in [
            (
                0.0,
                [
                    0.757322176,
                    2.271966527,
                    2.619246862,
                    4.133891213,
                    5.217573222,
                ],
            ),
            (
                0.5,
                [
                    1.762201835,
                    2.131009174,
                    2.956697248,
                    3.325504587,
                    4.824587156,
                ],
            ),
        ] {
            for (found, expected) in fitted(&a, &b, &y, penalty).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn equal_inputs_share_the_weight() {
        let a = [0.0, 1.0, 2.0];
        let found = fitted(&a, &a, &[1.0, 3.0, 5.0], 0.0);
        for (found, expected) in found.iter().zip([1.0, 3.0, 5.0]) {
            assert!((found - expected).abs() < 1e-5, "{found}");
        }
    }
}
