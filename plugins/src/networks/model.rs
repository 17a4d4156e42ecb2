//! How to run rows of weights: what every network is to the rest of the program.

use std::fmt;
use std::sync::Arc;

use engine::artifact::Layout;
use faer::Mat;

use super::{Activation, Columns, Differentiate, Layers, Loss, TrainerChoice};

/// How to run rows of weights of one shape.
///
/// Callers reach it through [`Network`](super::Network), with one dynamic call for many rows of
/// data. A row of weights is flat, in the order of the layout.
pub trait Model: fmt::Debug + Send + Sync {
    /// The tensors of a row of weights, in order.
    fn layout(&self) -> Layout;

    /// The columns it reads and predicts, with their scaling.
    fn columns(&self) -> &Columns;

    /// How many numbers it returns for each row of data.
    fn outputs(&self) -> usize;

    /// What training minimises.
    fn loss(&self) -> Loss;

    /// The outputs with one row of weights, `[rows, outputs]`: standardised targets, or the
    /// logits of the classes. `inputs` are standardised, `[rows, inputs]`.
    fn evaluate(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Vec<f32>;

    /// What computes gradients for one row of weights after another.
    fn differentiate(&self, choice: TrainerChoice) -> Box<dyn Differentiate>;

    /// Evaluates weights `W_0 + Σ_s b_s W_s` with other factors in each row of data, where that
    /// is faster than to make the weights of each row; `sets` are the rows `W_0`, `W_1`, ….
    fn sums(&self, sets: &[&[f32]]) -> Option<Box<dyn Sums>> {
        let _ = sets;
        None
    }

    /// Its layers, where it is dense layers and nothing else.
    fn dense(&self) -> Option<&Layers> {
        None
    }

    /// What follows each hidden layer, where that is known.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// What each layer but the first takes of rows of standardised inputs, `[rows, numbers]` each,
    /// those of a channel one after another; none where there are other layers than convolutions
    /// and dense ones.
    fn hidden(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Option<Vec<Mat<f64>>> {
        let _ = (weights, inputs, rows);
        None
    }

    /// The same layers with other columns and loss, where they are known.
    fn reading(&self, columns: Columns, loss: Loss) -> Option<Arc<dyn Model>> {
        let _ = (columns, loss);
        None
    }

    /// How many heads each layer has, where it is a transformer.
    fn heads(&self) -> Option<usize> {
        None
    }

    /// The program that runs it, if one does.
    fn program(&self) -> Option<&str> {
        None
    }

    /// What is stored of it: all but the weights.
    ///
    /// # Errors
    /// When it is not JSON.
    fn to_json(&self) -> serde_json::Result<serde_json::Value>;
}

/// Rows of weights that are sums of the same rows.
pub trait Sums {
    /// The outputs, `[rows, outputs]`; `inputs` are `[rows, inputs]`, `factors` those of `W_1`,
    /// …, `[rows, sets - 1]`.
    fn evaluate(&self, inputs: &[f32], factors: &[f32], rows: usize) -> Vec<f32>;
}
