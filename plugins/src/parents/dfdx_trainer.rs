//! The reference trainer: gradients by dfdx's tape, one operation after another.

use dfdx::losses::{cross_entropy_with_logits_loss, mse_loss};
use dfdx::prelude::*;

use super::{Activation, Network};
use crate::training::{Optimizer, OptimizerState, Samples, Trainer};

type Matrix<T = NoneTape> = Tensor<(usize, usize), f32, Cpu, T>;
type Vector = Tensor<(usize,), f32, Cpu>;

/// Trains by dfdx tensors of runtime sizes; its own layers need constant ones.
pub struct DfdxTrainer<'a> {
    network: &'a Network,
    optimizer: &'a Optimizer,
    state: OptimizerState,
    device: Cpu,
}

impl<'a> DfdxTrainer<'a> {
    /// A trainer of a network of this shape.
    pub fn new(network: &'a Network, optimizer: &'a Optimizer) -> Self {
        Self {
            network,
            optimizer,
            state: OptimizerState::new(network.layout().len()),
            device: Cpu::default(),
        }
    }

    /// The mean loss of a batch and its gradient by the weights, in parameter order.
    pub fn gradient(&self, weights: &[f32], batch: &Samples) -> (f64, Vec<f32>) {
        let layers = self.layers(weights);
        let inputs = self.matrix(batch.inputs.clone(), batch.rows);
        let mut values: Matrix<OwnedTape<f32, Cpu>> = inputs.leaky_traced();
        for (at, (weight, bias)) in layers.iter().enumerate() {
            values = values.matmul(weight.clone());
            let shape = *values.shape();
            let bias = bias.retaped::<OwnedTape<f32, Cpu>>();
            values = values + bias.broadcast_like::<_, Axis<0>>(&shape);
            if at + 1 < layers.len() {
                values = match self.network.activation {
                    Activation::Tanh => values.tanh(),
                    Activation::Relu => values.relu(),
                    Activation::Gelu => values.fast_gelu(),
                    Activation::Sigmoid => values.sigmoid(),
                };
            }
        }
        let loss = match self.network.loss {
            super::Loss::Mse => mse_loss(values, self.matrix(batch.targets.clone(), batch.rows)),
            super::Loss::CrossEntropy => {
                cross_entropy_with_logits_loss(values, self.one_hot(&batch.targets))
            }
        };
        let mean = f64::from(loss.array());
        let gradients = loss.backward();
        let mut flat = Vec::with_capacity(weights.len());
        for (weight, bias) in &layers {
            let (width, out) = *weight.shape();
            flat.extend(transposed(&gradients.get(weight).as_vec(), width, out));
            flat.extend(gradients.get(bias).as_vec());
        }
        (mean, flat)
    }

    /// Each layer's weight, `[in, out]` for `inputs · weight`, and bias.
    fn layers(&self, weights: &[f32]) -> Vec<(Matrix, Vector)> {
        let mut rest = weights;
        let pairs = self.network.widths.windows(2);
        pairs
            .map(|pair| {
                let (width, out) = (pair[0], pair[1]);
                let (weight, after) = rest.split_at(width * out);
                let (bias, after) = after.split_at(out);
                rest = after;
                let weight = transposed(weight, out, width);
                (
                    self.device.tensor_from_vec(weight, (width, out)),
                    self.device.tensor_from_vec(bias.to_vec(), (out,)),
                )
            })
            .collect()
    }

    fn matrix(&self, values: Vec<f32>, rows: usize) -> Matrix {
        let width = values.len() / rows;
        self.device.tensor_from_vec(values, (rows, width))
    }

    fn one_hot(&self, classes: &[f32]) -> Matrix {
        let width = self.network.widths.last().copied().unwrap_or(1);
        let mut values = vec![0.0; classes.len() * width];
        for (row, class) in values.chunks_exact_mut(width).zip(classes) {
            row[*class as usize] = 1.0;
        }
        self.matrix(values, classes.len())
    }
}

impl Trainer for DfdxTrainer<'_> {
    fn step(&mut self, weights: &mut [f32], batch: &Samples, share: f64) -> f64 {
        let (loss, gradient) = self.gradient(weights, batch);
        self.optimizer
            .update(&mut self.state, weights, &gradient, share);
        loss
    }
}

/// A `[rows, columns]` matrix as `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
