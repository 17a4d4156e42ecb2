//! The reference gradients, by dfdx's tape, one operation after another.

mod encoder;

use dfdx::losses::mse_loss;
use dfdx::prelude::*;

use encoder::EncoderLeaves;

use super::{Activation, Convolution, Differentiate, Encoder, Loss, Network, Samples};

type Matrix<T = NoneTape> = Tensor<(usize, usize), f32, Cpu, T>;
pub(super) type Taped = Matrix<OwnedTape<f32, Cpu>>;
pub(super) type Vector = Tensor<(usize,), f32, Cpu>;
type Indices = Tensor<(usize,), usize, Cpu>;

/// Gradients by dfdx tensors of runtime sizes; its own layers need constant ones.
///
/// Values go feature by feature with the rows of the batch side by side, so that a layer is
/// `weight · values` with the weight as it is stored. dfdx's convolution needs nightly Rust:
/// here the values under the kernel at every place are gathered, and multiplied by the kernels.
/// What encoders do is in a file of its own.
pub struct Tape<'a> {
    network: &'a Network,
    gradient: Vec<f32>,
    device: Cpu,
    /// The convolutions, each with the features its kernels see.
    convolutions: Vec<(Convolution, Indices)>,
}

impl<'a> Tape<'a> {
    /// Gradients of networks of this shape.
    pub fn new(network: &'a Network) -> Self {
        let device = Cpu::default();
        let convolutions = network.convolutions().into_iter().map(|layer| {
            let seen = seen(&layer);
            let count = seen.len();
            (layer, device.tensor_from_vec(seen, (count,)))
        });
        Self {
            network,
            gradient: Vec::new(),
            convolutions: convolutions.collect(),
            device,
        }
    }

    fn loss_and_gradient(&self, weights: &[f32], batch: &Samples) -> (f64, Vec<f32>) {
        let encoder = self.network.encoder();
        let encoder = encoder.map(|encoder| EncoderLeaves::new(encoder, &self.device, weights));
        let layers = self.layers(weights);
        let (convolutions, dense) = layers.split_at(self.convolutions.len());
        let mut values = match &encoder {
            Some(encoder) => encoder.encode(self.network.activation, &batch.inputs),
            None => {
                let width = batch.inputs.len() / batch.rows;
                let inputs = transposed(&batch.inputs, batch.rows, width);
                self.matrix(inputs, width).leaky_traced()
            }
        };
        for ((weight, bias), (layer, seen)) in convolutions.iter().zip(&self.convolutions) {
            values = self.convolve(layer, seen, weight, bias, values);
        }
        for (at, (weight, bias)) in dense.iter().enumerate() {
            values = affine(weight, bias, values);
            if at + 1 < dense.len() {
                values = activated(self.network.activation, values);
            }
        }
        let loss = self.loss(values, batch);
        let mean = f64::from(loss.array());
        let gradients = loss.backward();
        let mut flat = Vec::with_capacity(weights.len());
        if let Some(encoder) = &encoder {
            encoder.add_gradient(&gradients, &mut flat);
        }
        for (weight, bias) in &layers {
            flat.extend(gradients.get(weight).as_vec());
            flat.extend(gradients.get(bias).as_vec());
        }
        (mean, flat)
    }

    /// The mean loss of outputs, `[out, batch]`.
    fn loss(&self, outputs: Taped, batch: &Samples) -> Tensor<(), f32, Cpu, OwnedTape<f32, Cpu>> {
        let rows = batch.rows;
        let out = outputs.shape().0;
        match self.network.loss {
            Loss::Mse => {
                let targets = transposed(&batch.targets, rows, out);
                mse_loss(outputs, self.matrix(targets, out))
            }
            Loss::CrossEntropy => {
                let mut truth = vec![0.0; out * rows];
                for (row, class) in batch.targets.iter().enumerate() {
                    truth[*class as usize * rows + row] = 1.0;
                }
                let chosen = outputs.log_softmax::<Axis<0>>() * self.matrix(truth, out);
                chosen.sum() * (-1.0 / rows as f32)
            }
        }
    }

    /// The weight, `[out, in]`, and bias of each layer that is no encoder's.
    fn layers(&self, weights: &[f32]) -> Vec<(Matrix, Vector)> {
        let layout = self.network.layout();
        let encoder = self.network.encoder().map_or(Vec::new(), Encoder::tensors);
        let tensors: Vec<_> = layout.ranges().skip(encoder.len()).collect();
        let layer = |pair: &[(_, std::ops::Range<usize>)]| {
            let [weight, bias] = [0, 1].map(|at| weights[pair[at].1.clone()].to_vec());
            let out = bias.len();
            (
                self.matrix(weight, out),
                self.device.tensor_from_vec(bias, (out,)),
            )
        };
        tensors.chunks_exact(2).map(layer).collect()
    }

    /// A convolution, the activation and the pooling; `[channels · rows · columns, batch]`.
    fn convolve(
        &self,
        layer: &Convolution,
        seen: &Indices,
        weight: &Matrix,
        bias: &Vector,
        values: Taped,
    ) -> Taped {
        let batch = values.shape().1;
        let [channels, rows, columns] = layer.to;
        let [height, width] = layer.covered();
        let places = height * width * batch;
        let seen = values
            .gather(seen.clone())
            .reshape_like(&(layer.inputs(), places));
        let values = activated(self.network.activation, affine(weight, bias, seen));
        let windows = (channels * rows, layer.pool, columns, layer.pool, batch);
        let pooled: Tensor<(usize, usize, usize), _, _, _> =
            values.reshape_like(&windows).max::<_, Axes2<1, 3>>();
        pooled.reshape_like(&(channels * rows * columns, batch))
    }

    fn matrix(&self, values: Vec<f32>, rows: usize) -> Matrix {
        let width = values.len() / rows;
        self.device.tensor_from_vec(values, (rows, width))
    }
}

/// Numbers as their activations.
pub(super) fn activated<S: Shape>(
    activation: Activation,
    values: Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>,
) -> Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>> {
    match activation {
        Activation::Tanh => values.tanh(),
        Activation::Relu => values.relu(),
        Activation::Gelu => values.fast_gelu(),
        Activation::Sigmoid => values.sigmoid(),
    }
}

/// `weight · values + bias`, `[out, places]`.
fn affine(weight: &Matrix, bias: &Vector, values: Taped) -> Taped {
    let values = weight.retaped::<OwnedTape<f32, Cpu>>().matmul(values);
    let shape = *values.shape();
    let bias = bias.retaped::<OwnedTape<f32, Cpu>>();
    values + bias.broadcast_like::<_, Axis<1>>(&shape)
}

/// The features under each weight of a kernel at each place: `[inputs, rows, columns]`.
fn seen(layer: &Convolution) -> Vec<usize> {
    let [channels, rows, columns] = layer.from;
    let [height, width] = layer.covered();
    let mut seen = Vec::with_capacity(layer.inputs() * height * width);
    for channel in 0..channels {
        for (ky, kx) in grid(layer.kernel, layer.kernel) {
            let start = (channel * rows + ky) * columns + kx;
            seen.extend(grid(height, width).map(|(y, x)| start + y * columns + x));
        }
    }
    seen
}

/// All rows and columns, row after row.
fn grid(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

impl Differentiate for Tape<'_> {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        let (loss, gradient) = self.loss_and_gradient(weights, batch);
        self.gradient = gradient;
        (loss, &self.gradient)
    }
}

/// A `[rows, columns]` matrix as `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::encoder::tests as encoding;
    use crate::networks::images::tests::by_definition;
    use crate::networks::testing::{encoder, made_up};
    use crate::networks::{Front, Images, Scaled};

    fn network(inputs: usize, front: Front, features: usize, loss: Loss) -> Network {
        Network {
            inputs: vec![Scaled::as_is("x"); inputs],
            targets: vec![Scaled::as_is("y")],
            front: Some(front),
            widths: vec![features, if loss == Loss::Mse { 1 } else { 3 }],
            activation: Activation::Tanh,
            loss,
        }
    }

    fn convolutions(depth: usize, loss: Loss) -> Network {
        let images = Images {
            depth,
            height: 8,
            width: 7,
            channels: vec![2, 3],
            kernel: 2,
            pool: 2,
        };
        let features = images
            .convolutions()
            .last()
            .map_or(0, |l| l.to.iter().product());
        let mut network = network(depth * 56, Front::Images(images), features, loss);
        network.widths.insert(1, 4);
        network
    }

    fn transformer(loss: Loss) -> Network {
        let encoder = encoder();
        let width = encoder.width;
        network(encoder.tokens, Front::Encoder(encoder), width, loss)
    }

    fn batch(network: &Network) -> Samples {
        Samples {
            inputs: made_up(5 * network.inputs.len(), 3),
            targets: vec![0.0, 2.0, 1.0, 1.0, 0.0],
            rows: 5,
        }
    }

    /// The mean loss with everything written out, in f64.
    fn loss_by_definition(network: &Network, weights: &[f64], batch: &Samples) -> f64 {
        let mut losses = 0.0;
        let rows = batch.inputs.chunks(network.inputs.len());
        for (row, target) in rows.zip(&batch.targets) {
            let mut values: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
            let mut start = 0;
            for layer in network.convolutions() {
                values = by_definition(&layer, &weights[start..], &values);
                start += layer.weights() + layer.to[0];
            }
            if let Some(encoder) = network.encoder() {
                values = encoding::by_definition(encoder, weights, &values);
                start = encoding::count(encoder);
            }
            for (at, pair) in network.widths.windows(2).enumerate() {
                let (weight, bias) = weights[start..].split_at(pair[0] * pair[1]);
                let rows = weight.chunks(pair[0]).zip(bias);
                let sums = rows.map(|(weight, bias)| {
                    bias + weight.iter().zip(&values).map(|(w, v)| w * v).sum::<f64>()
                });
                let last = at + 2 == network.widths.len();
                values = sums
                    .map(|sum| if last { sum } else { sum.tanh() })
                    .collect();
                start += (pair[0] + 1) * pair[1];
            }
            losses += match network.loss {
                Loss::Mse => (values[0] - f64::from(*target)).powi(2),
                Loss::CrossEntropy => {
                    let sum: f64 = values.iter().map(|logit| logit.exp()).sum();
                    sum.ln() - values[*target as usize]
                }
            };
        }
        losses / batch.rows as f64
    }

    #[test]
    fn gradients_are_the_differences_of_the_loss() {
        for network in [
            convolutions(1, Loss::Mse),
            convolutions(3, Loss::CrossEntropy),
            transformer(Loss::Mse),
            transformer(Loss::CrossEntropy),
        ] {
            let batch = batch(&network);
            let weights = made_up(network.layout().len(), 1);
            let (mean, gradient) = Tape::new(&network).loss_and_gradient(&weights, &batch);
            let mut exact: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let expected = loss_by_definition(&network, &exact, &batch);
            assert!((mean - expected).abs() < 1e-5, "{mean} {expected}");
            let forward = batch.loss(&network, &weights);
            assert!((forward - expected).abs() < 1e-5, "{forward} {expected}");
            assert_eq!(gradient.len(), weights.len());
            for (at, gradient) in gradient.iter().enumerate() {
                let mut at_shifted = |shift: f64| {
                    let before = exact[at];
                    exact[at] = before + shift;
                    let loss = loss_by_definition(&network, &exact, &batch);
                    exact[at] = before;
                    loss
                };
                let difference = (at_shifted(1e-5) - at_shifted(-1e-5)) / 2e-5;
                assert!(
                    (f64::from(*gradient) - difference).abs() < 1e-5,
                    "weight {at}: {gradient} {difference}"
                );
            }
        }
    }
}
