//! `boost`: gradient boosting of regression trees.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Formula, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch, Training};

use super::Parent;
use super::support::boosting::{Binned, Growth};
use super::support::examine;
use super::support::targets::Targets;
use crate::networks::{
    Columns, Loss, Network, Node, TrainingRows, Trees, scaled_inputs, standardised,
};
use crate::row_weights::row_weights;

plugin! {
    /// Gradient boosting of regression trees: the baseline for tables of numbers.
    ///
    /// Each tree is fitted to what those before left over (Friedman 2001), on histograms of the
    /// inputs, and grows at the leaf where the squared error falls most. Settings and results
    /// are those of scikit-learn's `HistGradientBoostingRegressor` without early stopping; its
    /// name of a setting is in brackets. Beyond the training data a tree predicts what it does
    /// at their edge.
    ///
    /// The values of the leaves are its weights, and the splits its network: it can be compared,
    /// given to `inner` and fine-tuned as any other parent, which moves the leaves. Of several
    /// targets each has `iterations` trees of its own, those that it would have alone.
    ///
    /// Quantiles of inputs are found by sorting one at a time, at about 40 bytes a row; then an input has a
    /// byte a row, and a tree that grows about 60.
    ///
    /// ```farcast
    /// parent trees = boost(seen, inputs: [x, z], target: y, iterations: 20)
    /// ```
    "boost" version 1
    pub struct Boost {
        /// The training data.
        data: Input<Dataset>, with_truth();
        /// The input columns.
        inputs: Vec<Column>, needed();
        /// The column to be predicted, or several, `[u, v]`: each has trees of its own.
        target: Targets, target();
        /// How many trees (`max_iter`).
        iterations: usize = "100", range("1..=100000");
        /// The share of each tree that is added (`learning_rate`).
        learning_rate: f64 = "0.1", range("1e-6..=1");
        /// The most leaves of a tree (`max_leaf_nodes`).
        leaves: usize = "31", range("2..=4096");
        /// The fewest rows of a leaf (`min_samples_leaf`).
        min_leaf: usize = "20", range("1..");
        /// How much large values of leaves cost (`l2_regularization`).
        l2: f64 = "0", range("0..");
        /// The most bins of an input (`max_bins`).
        bins: usize = "255", range("2..=255");
        /// How much each row counts (`sample_weight`, 1 on average): a column, or a formula such
        /// as `area(lat)`. It counts in `l2` and in quantiles, not in `min_leaf`.
        weights: Option<Formula>;
    }
}

impl Plugin for Boost {
    type Output = Parent;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::columns(call)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let facts = examine::network(call, None, Training::Solved, None);
        examine::with_other(facts, "trees")
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let data = &*self.data;
        if data.rows() == 0 {
            return Err(Fault::at("data", "expected rows to learn from, found none"));
        }
        let weights = self.weights.as_ref().map(|Formula(weights)| weights);
        let train = TrainingRows::weighted(data.clone(), row_weights(weights, data)?);
        let (targets, _) = self.target.scaled(Loss::Mse, data, &train)?;
        let columns = Columns {
            inputs: scaled_inputs(&self.inputs, data, &train)?,
            targets,
        };
        let growth = Growth {
            iterations: self.iterations,
            learning_rate: self.learning_rate,
            leaves: self.leaves,
            min_leaf: self.min_leaf,
            l2: self.l2,
        };
        let mut binned = Binned::new(data.rows(), train.weights.as_deref());
        for input in &columns.inputs {
            context.check_stop()?;
            let alone = standardised(std::slice::from_ref(input), data)?;
            binned.add(&alone, self.bins);
        }
        let (mut trees, mut leaves, mut bases) = (Vec::new(), Vec::new(), Vec::new());
        for target in &columns.targets {
            let alone = standardised(std::slice::from_ref(target), data)?;
            let boosted = growth.boost(&binned, &alone, context)?;
            let before = leaves.len();
            let numbered = |node| match node {
                Node::Leaf(leaf) => Node::Leaf(before + leaf),
                split => split,
            };
            let numbered = |tree: Vec<Node>| tree.into_iter().map(numbered).collect();
            trees.extend(boosted.trees.into_iter().map(numbered));
            leaves.extend(boosted.leaves);
            bases.push(boosted.base);
        }
        let weights = leaves.into_iter().chain(bases);
        let network = Network::from(Trees {
            columns,
            trees,
            loss: Loss::Mse,
        });
        Ok(Parent::new(
            network,
            weights.map(|weight| weight as f32).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::predictors::tests::dataset as table;
    use crate::testing::{call, given};

    /// What the script wrote.
    #[derive(Deserialize)]
    struct Golden {
        x: Vec<[f64; 3]>,
        y: Vec<f64>,
        w: Vec<f64>,
        at: Vec<[f64; 3]>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        max_iter: usize,
        learning_rate: f64,
        max_leaf_nodes: usize,
        min_samples_leaf: usize,
        l2_regularization: f64,
        max_bins: usize,
        weighted: bool,
        predictions: Vec<f64>,
    }

    fn data(x: &[[f64; 3]], y: &[f64], w: &[f64]) -> Dataset {
        let column = |at: usize| -> Vec<f64> { x.iter().map(|row| row[at]).collect() };
        let (a, b, c) = (column(0), column(1), column(2));
        table(&[("a", &a), ("b", &b), ("c", &c), ("y", y), ("w", w)])
    }

    fn boost(data: Dataset) -> Boost {
        Boost {
            data: Input::new(data),
            inputs: ["a", "b", "c"].map(|it| Column(it.to_owned())).to_vec(),
            target: Targets(vec![Column("y".to_owned())]),
            iterations: 100,
            learning_rate: 0.1,
            leaves: 31,
            min_leaf: 20,
            l2: 0.0,
            bins: 255,
            weights: None,
        }
    }

    fn predicted(parent: &Parent, data: &Dataset) -> Vec<f64> {
        let network = parent.network().expect("a network");
        let inputs = network.inputs_of(data).expect("inputs");
        network.unscale(&network.evaluate(&parent.weights, &inputs, data.rows()))
    }

    #[test]
    fn predictions_agree_with_scikit_learn() {
        let golden: Golden =
            serde_json::from_str(include_str!("../../testdata/golden/boost.json")).expect("json");
        let at = data(&golden.at, &[0.0; 12], &[0.0; 12]);
        assert_eq!(golden.cases.len(), 8);
        for case in &golden.cases {
            let data = data(&golden.x, &golden.y, &golden.w);
            let counted: Boost = call(
                "rows, inputs: [a], target: y, weights: w",
                &[("rows", given(data.clone()))],
            );
            let call = Boost {
                iterations: case.max_iter,
                learning_rate: case.learning_rate,
                leaves: case.max_leaf_nodes,
                min_leaf: case.min_samples_leaf,
                l2: case.l2_regularization,
                bins: case.max_bins,
                weights: counted.weights.filter(|_| case.weighted),
                ..boost(data)
            };
            let parent = call.run(&Context::alone("boost")).expect("a parent");
            for (found, expected) in predicted(&parent, &at).iter().zip(&case.predictions) {
                let trees = case.max_iter;
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{trees}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_tree_divides_where_the_error_falls_most() {
        // One tree of two leaves, by hand: the means of the rows up to and beyond 2.
        let x = [1.0, 2.0, 3.0, 4.0].map(|a| [a, 0.0, 0.0]);
        let data = data(&x, &[0.0, 1.0, 5.0, 7.0], &[1.0; 4]);
        let call = Boost {
            iterations: 1,
            learning_rate: 1.0,
            leaves: 2,
            min_leaf: 1,
            ..boost(data.clone())
        };
        let parent = call.run(&Context::alone("boost")).expect("a parent");
        assert_eq!(parent.weights.len(), 3);
        let found = predicted(&parent, &data);
        for (found, expected) in found.iter().zip([0.5, 0.5, 6.0, 6.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn each_target_is_predicted_as_if_it_were_alone() {
        let golden: Golden =
            serde_json::from_str(include_str!("../../testdata/golden/boost.json")).expect("json");
        let data = data(&golden.x, &golden.y, &golden.w);
        let both = |names: &[&str]| {
            let targets = names.iter().map(|name| Column((*name).to_owned()));
            let call = Boost {
                target: Targets(targets.collect()),
                iterations: 20,
                ..boost(data.clone())
            };
            predicted(
                &call.run(&Context::alone("boost")).expect("a parent"),
                &data,
            )
        };
        let [y, w] = [both(&["y"]), both(&["w"])];
        let alone: Vec<f64> = y.iter().zip(&w).flat_map(|(y, w)| [*y, *w]).collect();
        assert_eq!(both(&["y", "w"]), alone);
    }

    #[test]
    fn too_few_rows_to_divide_leave_the_mean() {
        let data = data(&[[1.0, 2.0, 3.0], [2.0, 1.0, 0.0]], &[3.0, 4.0], &[1.0; 2]);
        let call = Boost {
            iterations: 3,
            ..boost(data.clone())
        };
        let parent = call.run(&Context::alone("boost")).expect("a parent");
        assert_eq!(predicted(&parent, &data), [3.5, 3.5]);
    }
}
