//! Sums of regression trees: splits are the network, the values of the leaves its weights.

use engine::artifact::Layout;
use serde::{Deserialize, Serialize};

use super::{Columns, Differentiate, Loss, Model, Samples, TrainerChoice};

/// A node of a tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Node {
    /// Which weight a row that ends here adds.
    Leaf(usize),
    /// Which input decides, up to which value a row goes to the next node, and which node it
    /// goes to beyond: a later one.
    Split(usize, f32, usize),
}

/// Regression trees, summed: one affine layer on the leaves that a row falls in. Of several targets
/// each has as many trees of its own, one target after the other, and a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    /// What it reads and predicts.
    #[serde(flatten)]
    pub columns: Columns,
    /// The nodes of each tree, its root first.
    pub trees: Vec<Vec<Node>>,
    /// What training minimises.
    pub loss: Loss,
}

impl Trees {
    fn leaves(&self) -> usize {
        let nodes = self.trees.iter().flatten();
        nodes.filter(|node| matches!(node, Node::Leaf(_))).count()
    }

    /// Which of the weights make up an output of a row: a leaf of each of its trees, then its bias.
    fn weights_of(
        &self,
        output: usize,
        weights: &[f32],
        row: &[f32],
    ) -> impl Iterator<Item = usize> {
        let outputs = self.outputs().max(1);
        let each = self.trees.len() / outputs;
        let trees = self.trees.iter().skip(output * each).take(each);
        let leaves = trees.filter_map(|tree| leaf(tree, row));
        leaves.chain(weights.len().checked_sub(outputs - output))
    }

    /// An output for one row; not a number where an input is none.
    fn output(&self, output: usize, weights: &[f32], row: &[f32]) -> f32 {
        if row.iter().any(|value| value.is_nan()) {
            return f32::NAN;
        }
        let parts = self
            .weights_of(output, weights, row)
            .map(|at| f64::from(weights[at]));
        parts.sum::<f64>() as f32
    }
}

/// The leaf that a row falls in; none in a tree that does not lead to one.
fn leaf(tree: &[Node], row: &[f32]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *tree.get(at)? {
            Node::Leaf(leaf) => return Some(leaf),
            Node::Split(input, bound, _) if *row.get(input)? <= bound => at += 1,
            Node::Split(_, _, beyond) if beyond > at => at = beyond,
            Node::Split(..) => return None,
        }
    }
}

impl Model for Trees {
    fn layout(&self) -> Layout {
        let mut layout = Layout::mlp(&[self.leaves(), 1]);
        // A leaf is of one target; each target has a bias.
        if let (Some(bias), true) = (layout.tensors.last_mut(), self.outputs() > 1) {
            bias.shape = vec![self.outputs()];
        }
        layout
    }

    fn columns(&self) -> &Columns {
        &self.columns
    }

    fn outputs(&self) -> usize {
        self.columns.targets.len()
    }

    fn loss(&self) -> Loss {
        self.loss
    }

    fn evaluate(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Vec<f32> {
        let width = self.columns.inputs.len();
        let inputs = inputs.chunks_exact(width.max(1)).take(rows);
        let outputs = |row| (0..self.outputs()).map(move |at| self.output(at, weights, row));
        inputs.flat_map(outputs).collect()
    }

    fn differentiate(&self, _: TrainerChoice) -> Box<dyn Differentiate> {
        Box::new(ByLeaves {
            network: self.clone(),
            gradient: Vec::new(),
        })
    }

    fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// Gradients by the values of the leaves: the splits stay.
struct ByLeaves {
    network: Trees,
    gradient: Vec<f32>,
}

impl Differentiate for ByLeaves {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        self.gradient.clear();
        self.gradient.resize(weights.len(), 0.0);
        let width = self.network.columns.inputs.len();
        let outputs = self.network.outputs();
        let targets = batch.targets.chunks_exact(outputs.max(1));
        let rows = batch.inputs.chunks_exact(width.max(1)).zip(targets);
        let mut loss = 0.0;
        for (number, (row, targets)) in rows.enumerate() {
            let counts = batch.weights.get(number).copied().unwrap_or(1.0);
            for (output, target) in targets.iter().enumerate() {
                let error = self.network.output(output, weights, row) - target;
                loss += f64::from(counts) * f64::from(error).powi(2);
                for at in self.network.weights_of(output, weights, row) {
                    self.gradient[at] += 2.0 * counts * error / (batch.rows * outputs) as f32;
                }
            }
        }
        (loss / (batch.rows * outputs) as f64, &self.gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Network, Scaled};
    use super::*;

    /// 10 + (a ≤ 0.5: 1, else b ≤ -1: 2, else 4) + (8 everywhere).
    fn network() -> Network {
        network_of(&["t"])
    }

    fn network_of(targets: &[&str]) -> Network {
        let scaled = |name: &str| Scaled::as_is(name);
        let trees = Trees {
            columns: Columns {
                inputs: vec![scaled("a"), scaled("b")],
                targets: targets.iter().map(|name| scaled(name)).collect(),
            },
            trees: vec![
                vec![
                    Node::Split(0, 0.5, 2),
                    Node::Leaf(0),
                    Node::Split(1, -1.0, 4),
                    Node::Leaf(1),
                    Node::Leaf(2),
                ],
                vec![Node::Leaf(3)],
            ],
            loss: Loss::Mse,
        };
        trees.into()
    }

    const WEIGHTS: [f32; 5] = [1.0, 2.0, 4.0, 8.0, 10.0];

    #[test]
    fn a_row_adds_a_leaf_of_each_tree() {
        let inputs = [0.5, 9.0, 0.6, -1.0, 0.6, 0.0, 0.0, f32::NAN];
        let found = network().evaluate(&WEIGHTS, &inputs, 4);
        assert_eq!(found[..3], [19.0, 20.0, 22.0]);
        assert!(found[3].is_nan());
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let network = network();
        let batch = Samples {
            inputs: vec![0.5, 9.0, 0.6, -1.0, 0.6, 0.0, 0.7, 1.0],
            targets: vec![18.0, 20.5, 22.0, 23.5],
            weights: vec![0.5, 2.0, 1.0, 0.5],
            rows: 4,
        };
        let mut differentiate = network.differentiate(TrainerChoice::Auto);
        let (loss, gradient) = differentiate.gradient(&WEIGHTS, &batch);
        assert!(
            (loss - (0.5 + 0.5 + 0.5 * 2.25) / 4.0).abs() < 1e-6,
            "{loss}"
        );
        for at in 0..WEIGHTS.len() {
            let loss = |by: f32| {
                let mut weights = WEIGHTS;
                weights[at] += by;
                network.loss_on(&batch, &weights)
            };
            let expected = (loss(0.25) - loss(-0.25)) / 0.5;
            assert!((f64::from(gradient[at]) - expected).abs() < 1e-5, "{at}");
        }
    }

    /// The same trees: of two targets the first is 10 + the first tree, the second 3 + the other.
    #[test]
    fn each_target_has_trees_and_a_bias_of_its_own() {
        let network = network_of(&["t", "u"]);
        let weights = [1.0, 2.0, 4.0, 8.0, 10.0, 3.0];
        assert_eq!(network.layout().len(), 6);
        let inputs = [0.5, 9.0, 0.6, -1.0, 0.6, 0.0];
        let found = network.evaluate(&weights, &inputs, 3);
        assert_eq!(found, [11.0, 11.0, 12.0, 11.0, 14.0, 11.0]);
        let batch = Samples {
            inputs: inputs.to_vec(),
            targets: vec![10.5, 11.0, 12.0, 13.0, 14.5, 10.0],
            weights: vec![0.5, 2.0, 0.5],
            rows: 3,
        };
        let mut differentiate = network.differentiate(TrainerChoice::Auto);
        let (loss, gradient) = differentiate.gradient(&weights, &batch);
        assert!((loss - network.loss_on(&batch, &weights)).abs() < 1e-6);
        for at in 0..weights.len() {
            let loss = |by: f32| {
                let mut weights = weights;
                weights[at] += by;
                network.loss_on(&batch, &weights)
            };
            let expected = (loss(0.25) - loss(-0.25)) / 0.5;
            assert!((f64::from(gradient[at]) - expected).abs() < 1e-5, "{at}");
        }
    }

    #[test]
    fn it_is_stored_and_read_back() {
        let text = serde_json::to_string(&network()).expect("json");
        let read: Network = serde_json::from_str(&text).expect("a network");
        assert_eq!(read, network());
        assert_eq!(read.layout().len(), 5);
    }

    #[test]
    fn a_tree_that_leads_nowhere_ends() {
        let round = [Node::Split(0, 0.0, 0)];
        assert_eq!(leaf(&round, &[1.0]), None);
        assert_eq!(leaf(&round, &[-1.0]), None);
        assert_eq!(leaf(&[Node::Split(3, 0.0, 1)], &[1.0]), None);
    }
}
