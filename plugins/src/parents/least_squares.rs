//! `least_squares`: linear regression with its exact solution, as a network of one layer.

use std::borrow::Cow;
use std::ops::Range;

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::{Column, Formula, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch, Training};
use faer::Mat;

use super::Parent;
use super::support::exact::{ExactRows, Normal};
use super::support::examine;
use super::support::targets::Targets;
use crate::calls::complaints;
use crate::networks::{Activation, Expanded, Feedforward, Layers, Loss, Network, Product, Scaled};
use crate::row_weights::constant_weight;
use crate::triangle::PANEL;

plugin! {
    /// Ridge regression of the target on the inputs: the exact linear model.
    ///
    /// Solves `min Σ (y - x·w)² / n + penalty · |w|²` for standardised inputs and target
    /// (Hoerl & Kennard 1970); of inputs that are linear combinations of others the solution
    /// of least norm is taken. The result is a network without hidden layers, so that it can
    /// be fine-tuned and compared as any other parent: given the predictors of a method as
    /// further inputs it is the baseline that the method has to beat: with `products: z` its
    /// coefficients of the other inputs are linear in `z`, as those of a child by `ols` of a
    /// network without hidden layers are.
    ///
    /// Products are of inputs in their own units, and standardised as the inputs are. Rows are read some
    /// at a time, into the triangle of their QR decomposition.
    ///
    /// ```farcast
    /// parent line = least_squares(seen, inputs: [x, z], target: y)
    /// parent turning = least_squares(seen, inputs: [x, z], target: y, products: z)
    /// parent bowl = least_squares(seen, inputs: [x, z], target: y, degree: 2, penalty: 1e-4)
    /// ```
    "least_squares" version 2
    pub struct LeastSquares {
        /// The training data.
        data: Input<Dataset>, with_truth();
        /// The input columns.
        inputs: Vec<Column>, needed();
        /// The column to be predicted, or several, `[u, v]`, each as if alone.
        target: Targets, target();
        /// How much large weights cost.
        penalty: f64 = "0", range("0..");
        /// An input whose products with the others are inputs, too.
        products: Option<Column>;
        /// With 2, squares of all inputs and products of any two are inputs, too.
        degree: Option<usize>, range("1..=2");
        /// How much each row counts: a column, or a formula such as `area(lat)`. The solution is
        /// that of rows repeated that often.
        weights: Option<Formula>;
    }
}

impl Plugin for LeastSquares {
    type Output = Parent;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let mut found = examine::columns(call);
        found.extend(complaints([
            Self::not_an_input(call),
            constant_weight(call),
        ]));
        found
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let facts = examine::network(call, None, Training::Solved, None);
        let inputs = call.get::<Vec<Column>>("inputs").unwrap_or_default();
        let with = call.get::<Option<Column>>("products").flatten();
        let products = products(&inputs, with.as_ref(), call.get("degree"));
        let features = inputs.len() + products.len();
        let layout = |targets| Layout::mlp(&[features, targets]);
        let facts = examine::with_tensors(facts, examine::targets(call).map(layout));
        match products.is_empty() {
            true => facts,
            false => examine::with_other(facts, "products"),
        }
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let weights = self.weights.as_ref();
        let rows = ExactRows::of(&self.data, &self.inputs, &self.target, weights)?;
        let products = products(&self.inputs, self.products.as_ref(), self.degree);
        let counts = rows.weights.as_deref();
        let products = products.into_iter().map(|of| self.product(of, counts));
        let products = products.collect::<Result<Vec<_>, Fault>>()?;
        let (inputs, targets) = (rows.columns.inputs.len(), rows.columns.targets.len());
        let mut normal = Normal::new(inputs + products.len(), targets);
        for block in rows.blocks() {
            context.check_stop()?;
            let (range, mut block) = block?;
            for product in &products {
                let values = self.factors(&product.of, range.clone())?.into_iter();
                let values = values.map(|value| (value - product.mean) / product.std);
                block.inputs.push(values.collect());
            }
            normal.add(&block, |row, at| block.inputs[at][row]);
        }
        let cost = rows.rows() as f64 * self.penalty;
        let none = Mat::zeros(0, inputs + products.len());
        let mut weights = normal.solve(&none, cost)?.concat();
        // Standardised columns have mean zero, and so has what is left of the targets.
        weights.extend(vec![0.0; targets]);
        let columns = rows.columns;
        let loss = Loss::Mse;
        let network: Network = match products.is_empty() {
            true => {
                let activation = Activation::Tanh;
                let widths = vec![inputs, targets];
                let layers = Layers { widths, activation };
                Network::from(Feedforward {
                    layers,
                    columns,
                    loss,
                })
            }
            false => Network::from(Expanded {
                columns,
                products,
                curves: Vec::new(),
                loss,
            }),
        };
        let weights = weights.into_iter().map(|weight| weight as f32).collect();
        Ok(Parent::new(network, weights))
    }
}

impl LeastSquares {
    /// Refuses products with a column that is not an input.
    fn not_an_input(call: &Sketch) -> Option<Complaint> {
        let inputs = call.get::<Vec<Column>>("inputs")?;
        let with = call.get::<Option<Column>>("products")??;
        let message = format!("expected one of the inputs, found `{}`", with.0);
        let hint = format!("inputs: {}", names(&inputs).join(", "));
        let complaint = Complaint::at("products", message).with_hint(hint);
        (!inputs.contains(&with)).then_some(complaint)
    }

    /// A product with its mean and deviation.
    fn product(&self, of: Vec<usize>, counts: Option<&[f64]>) -> Result<Product, Fault> {
        self.factors(&of, 0..0)?;
        let rows = self.data.rows();
        let pieces = || {
            let starts = (0..rows).step_by(PANEL);
            let pieces = starts.map(|start| self.factors(&of, start..rows.min(start + PANEL)));
            pieces.flatten().map(Cow::Owned)
        };
        let Scaled { mean, std, .. } = Scaled::of_pieces("", rows, pieces, counts);
        Ok(Product { of, mean, std })
    }

    /// The products of some neighbouring rows, in their own units.
    fn factors(&self, of: &[usize], rows: Range<usize>) -> Result<Vec<f64>, Fault> {
        let mut values = vec![1.0; rows.len()];
        for at in of {
            let factors = self.data.column(&self.inputs[*at].0)?;
            let factors = factors.values.part(rows.clone());
            let pairs = values.iter_mut().zip(factors.iter());
            pairs.for_each(|(value, factor)| *value *= factor);
        }
        Ok(values)
    }
}

/// The products that are inputs, too, by numbers of inputs: those with one input, or of any two.
fn products(inputs: &[Column], with: Option<&Column>, degree: Option<usize>) -> Vec<Vec<usize>> {
    let count = inputs.len();
    let is_with = |at: usize| Some(&inputs[at]) == with;
    let all = (0..count).flat_map(|first| (first..count).map(move |second| [first, second]));
    let wanted = all.filter(|[first, second]| {
        let is_product = first != second && (is_with(*first) || is_with(*second));
        is_product || degree == Some(2)
    });
    wanted.map(Vec::from).collect()
}

fn names(columns: &[Column]) -> Vec<String> {
    let quoted = columns.iter().map(|Column(name)| format!("`{name}`"));
    quoted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset as table;
    use crate::testing::{call, given};

    fn fitted(a: &[f64], b: &[f64], y: &[f64], penalty: f64) -> Vec<f64> {
        let data = table(&[("a", a), ("b", b), ("y", y)]);
        let call = LeastSquares {
            data: Input::new(data.clone()),
            inputs: ["a", "b"].map(|name| Column(name.to_owned())).to_vec(),
            target: Targets(vec![Column("y".to_owned())]),
            penalty,
            products: None,
            degree: None,
            weights: None,
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
    fn weighted_predictions_agree_with_numpy() {
        // As above with w = [1, 3, 0, 2, 1]: np.average(…, weights=w) for means and deviations,
        // np.linalg.solve((Z.T * w) @ Z / 7 + penalty * np.eye(2), (Z.T * w) @ t / 7).
        let data = table(&[
            ("a", &[0.0, 1.0, 2.0, 3.0, 5.0]),
            ("b", &[1.0, 0.0, 2.0, 1.0, 4.0]),
            ("y", &[1.0, 2.5, 2.0, 4.0, 5.5]),
            ("w", &[1.0, 3.0, 0.0, 2.0, 1.0]),
        ]);
        for (penalty, expected) in [
            (
                "0",
                [
                    1.142857143,
                    2.392857143,
                    2.892857143,
                    4.142857143,
                    5.392857143,
                ],
            ),
            (
                "0.5",
                [
                    2.195488722,
                    2.484962406,
                    3.327067669,
                    3.616541353,
                    5.116541353,
                ],
            ),
        ] {
            let written =
                format!("rows, inputs: [a, b], target: y, penalty: {penalty}, weights: w");
            let fit: LeastSquares = call(&written, &[("rows", given(data.clone()))]);
            let parent = fit.run(&Context::alone("least_squares"));
            let parent = parent.expect("a parent");
            let network = parent.network().expect("a network");
            let inputs = network.inputs_of(&data).expect("inputs");
            let found = network.unscale(&network.evaluate(&parent.weights, &inputs, 5));
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn products_are_as_good_as_columns_of_them() {
        let numbers = |salt: f64| -> Vec<f64> {
            (0..20).map(|k| 3.0 + (salt * f64::from(k)).sin()).collect()
        };
        let (a, b, c, y) = (numbers(0.7), numbers(1.9), numbers(2.3), numbers(0.4));
        let times =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
        let (ab, bc, ac) = (times(&a, &b), times(&b, &c), times(&a, &c));
        let (aa, bb, cc) = (times(&a, &a), times(&b, &b), times(&c, &c));
        let named = [
            ("a", &a),
            ("b", &b),
            ("c", &c),
            ("y", &y),
            ("ab", &ab),
            ("bc", &bc),
            ("ac", &ac),
            ("aa", &aa),
            ("bb", &bb),
            ("cc", &cc),
        ];
        let data = table(&named.map(|(name, values)| (name, &values[..])));
        let predicted = |inputs: &[&str], products: Option<&str>, degree| {
            let call = LeastSquares {
                data: Input::new(data.clone()),
                inputs: inputs
                    .iter()
                    .map(|name| Column((*name).to_owned()))
                    .collect(),
                target: Targets(vec![Column("y".to_owned())]),
                penalty: 0.01,
                products: products.map(|name| Column(name.to_owned())),
                degree,
                weights: None,
            };
            let parent = call.run(&Context::alone("products")).expect("a parent");
            let network = parent.network().expect("a network");
            let inputs = network.inputs_of(&data).expect("inputs");
            network.unscale(&network.evaluate(&parent.weights, &inputs, data.rows()))
        };
        let all = ["a", "b", "c", "ab", "bc", "ac", "aa", "bb", "cc"];
        for (found, expected) in [
            (
                predicted(&all[..3], Some("b"), None),
                predicted(&all[..5], None, None),
            ),
            (
                predicted(&all[..3], None, Some(1)),
                predicted(&all[..3], None, None),
            ),
            (
                predicted(&all[..3], None, Some(2)),
                predicted(&all, None, None),
            ),
        ] {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn several_targets_are_each_as_if_alone() {
        let (a, b) = ([0.0, 1.0, 2.0, 3.0, 5.0], [1.0, 0.0, 2.0, 1.0, 4.0]);
        let (u, v) = ([1.0, 2.5, 2.0, 4.0, 5.5], [300.0, -20.0, 10.0, 0.5, 70.0]);
        let data = table(&[("a", &a), ("b", &b), ("u", &u), ("v", &v)]);
        for more in ["", ", products: a", ", degree: 2, weights: a + 1"] {
            let predicted = |target: &str| {
                let written = format!("rows, inputs: [a, b], target: {target}, penalty: 0.1{more}");
                let fit: LeastSquares = call(&written, &[("rows", given(data.clone()))]);
                let parent = fit.run(&Context::alone("several")).expect("a parent");
                let network = parent.network().expect("a network");
                let inputs = network.inputs_of(&data).expect("inputs");
                assert_eq!(network.layout().len(), parent.weights.len());
                network.unscale(&network.evaluate(&parent.weights, &inputs, 5))
            };
            let (u, v) = (predicted("u"), predicted("v"));
            let alone = u.iter().zip(&v).flat_map(|(u, v)| [*u, *v]);
            assert_eq!(predicted("[u, v]"), alone.collect::<Vec<_>>(), "{more}");
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
