//! `least_squares`: linear regression with its exact solution, as a network of one layer.

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::{Column, Formula, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch, Training};
use faer::Mat;

use super::Parent;
use super::support::exact::{ExactRows, least_norm};
use super::support::examine;
use super::support::targets::Targets;
use crate::calls::complaints;
use crate::networks::{Activation, Expanded, Feedforward, Layers, Loss, Network, Product, Scaled};
use crate::row_weights::constant_weight;

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
    /// Products are of inputs in their own units, and standardised as the inputs are.
    ///
    /// ```farcast
    /// parent line = least_squares(seen, inputs: [x, z], target: y)
    /// parent turning = least_squares(seen, inputs: [x, z], target: y, products: z)
    /// parent bowl = least_squares(seen, inputs: [x, z], target: y, degree: 2, penalty: 1e-4)
    /// ```
    "least_squares" version 1
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

    fn run(self, _: &Context) -> Result<Parent, Fault> {
        let weights = self.weights.as_ref();
        let mut rows = ExactRows::of(&self.data, &self.inputs, &self.target, weights)?;
        let products = products(&self.inputs, self.products.as_ref(), self.degree);
        let counts = rows.weights.as_deref();
        let products = products.into_iter().map(|of| self.product(of, counts));
        let products = products.collect::<Result<Vec<_>, Fault>>()?;
        let widths = vec![rows.inputs.len(), rows.targets.len()];
        let shares = rows.shares();
        rows.inputs
            .extend(products.iter().map(|(_, values)| values.clone()));
        let all = rows.inputs.iter_mut().chain(&mut rows.targets);
        all.for_each(|values| count(values, &shares));
        let features = &rows.inputs;
        let design = Mat::from_fn(rows.rows(), features.len(), |row, at| features[at][row]);
        let cost = rows.rows() as f64 * self.penalty;
        let mut weights = least_norm(&design, &rows.targets, cost)?.concat();
        // Standardised columns have mean zero, and so has what is left of the targets.
        weights.extend(vec![0.0; rows.targets.len()]);
        let columns = rows.columns;
        let loss = Loss::Mse;
        let network: Network = match products.is_empty() {
            true => {
                let activation = Activation::Tanh;
                let layers = Layers { widths, activation };
                Network::from(Feedforward {
                    layers,
                    columns,
                    loss,
                })
            }
            false => Network::from(Expanded {
                columns,
                products: products.into_iter().map(|(product, _)| product).collect(),
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

    /// A product with its standardised values.
    fn product(
        &self,
        of: Vec<usize>,
        counts: Option<&[f64]>,
    ) -> Result<(Product, Vec<f64>), Fault> {
        let mut values = vec![1.0; self.data.rows()];
        for at in &of {
            let factors = self.data.values(&self.inputs[*at].0)?;
            let pairs = values.iter_mut().zip(factors.iter());
            pairs.for_each(|(value, factor)| *value *= factor);
        }
        let Scaled { mean, std, .. } = Scaled::weighted("", &values, counts);
        values
            .iter_mut()
            .for_each(|value| *value = (*value - mean) / std);
        Ok((Product { of, mean, std }, values))
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

/// Multiplies each value by the share of its row.
fn count(values: &mut [f64], shares: &[f64]) {
    let pairs = values.iter_mut().zip(shares);
    pairs.for_each(|(value, share)| *value *= share);
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
