//! The reference gradients, by dfdx's tape, one operation after another.

mod encoder;

use dfdx::losses::mse_loss;
use dfdx::prelude::*;

use encoder::EncoderLeaves;

use super::encoder::taken;
use super::{
    Activation, Convolution, Differentiate, Encoder, Images, Layers, Loss, Samples, transposed,
};

type TapeMatrix<T = NoneTape> = Tensor<(usize, usize), f32, Cpu, T>;
pub(super) type Taped = TapeMatrix<OwnedTape<f32, Cpu>>;
pub(super) type Vector = Tensor<(usize,), f32, Cpu>;
type Indices = Tensor<(usize,), usize, Cpu>;

/// Gradients by dfdx tensors of runtime sizes; its own layers need constant ones.
///
/// Values go feature by feature with the rows of the batch side by side, so that a layer is
/// `weight · values` with the weight as it is stored. dfdx's convolution needs nightly Rust:
/// here the values under the kernel at every place are gathered, and multiplied by the kernels.
/// What encoders do is in a file of its own.
pub struct Tape {
    dense: Layers,
    objective: Loss,
    gradient: Vec<f32>,
    device: Cpu,
    encoder: Option<Encoder>,
    /// The convolutions, each with the features its kernels see.
    convolutions: Vec<(Convolution, Indices)>,
}

impl Tape {
    /// Gradients of networks of these dense layers.
    pub fn new(dense: &Layers, loss: Loss) -> Self {
        Self {
            dense: dense.clone(),
            objective: loss,
            gradient: Vec::new(),
            device: Cpu::default(),
            encoder: None,
            convolutions: Vec::new(),
        }
    }

    /// The same with convolutions before the dense layers.
    pub fn after_convolutions(mut self, images: &Images) -> Self {
        let convolutions = images.convolutions().into_iter().map(|layer| {
            let seen = seen(&layer);
            let count = seen.len();
            (layer, self.device.tensor_from_vec(seen, (count,)))
        });
        self.convolutions = convolutions.collect();
        self
    }

    /// The same with an encoder before the dense layers.
    pub fn after_encoder(mut self, encoder: &Encoder) -> Self {
        self.encoder = Some(encoder.clone());
        self
    }

    fn loss_and_gradient(&self, weights: &[f32], batch: &Samples) -> (f64, Vec<f32>) {
        let encoder = self.encoder.as_ref();
        let encoder = encoder.map(|encoder| EncoderLeaves::new(encoder, &self.device, weights));
        let layers = self.layers(weights);
        let (convolutions, dense) = layers.split_at(self.convolutions.len());
        let mut values = match &encoder {
            Some(encoder) => encoder.encode(self.dense.activation, &batch.inputs),
            None => {
                let width = batch.inputs.len() / batch.rows;
                let inputs = transposed(&batch.inputs, width);
                self.matrix(inputs, width).leaky_traced()
            }
        };
        for ((weight, bias), (layer, seen)) in convolutions.iter().zip(&self.convolutions) {
            values = self.convolve(layer, seen, weight, bias, values);
        }
        for (at, (weight, bias)) in dense.iter().enumerate() {
            values = affine(weight, bias, values);
            if at + 1 < dense.len() {
                values = activated(self.dense.activation, values);
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
        match self.objective {
            Loss::Mse => {
                let targets = transposed(&batch.targets, out);
                let targets = self.matrix(targets, out);
                match batch.weights.is_empty() {
                    true => mse_loss(outputs, targets),
                    false => {
                        let counts = self.matrix(batch.weights.repeat(out), out);
                        ((outputs - targets).square() * counts).mean()
                    }
                }
            }
            Loss::CrossEntropy => {
                let mut truth = vec![0.0; out * rows];
                for (row, class) in batch.targets.iter().enumerate() {
                    let counts = batch.weights.get(row).copied().unwrap_or(1.0);
                    truth[*class as usize * rows + row] = counts;
                }
                let chosen = outputs.log_softmax::<Axis<0>>() * self.matrix(truth, out);
                chosen.sum() * (-1.0 / rows as f32)
            }
        }
    }

    /// The weight, `[out, in]`, and bias of each layer that is not an encoder's.
    fn layers(&self, mut weights: &[f32]) -> Vec<(TapeMatrix, Vector)> {
        let encoder = self.encoder.as_ref().map_or(0, Encoder::weights);
        taken(&mut weights, encoder);
        let convolutions = self.convolutions.iter();
        let convolutions = convolutions.map(|(layer, _)| [layer.inputs(), layer.to[0]]);
        let dense = self.dense.widths.windows(2).map(|pair| [pair[0], pair[1]]);
        let layers = convolutions.chain(dense).map(|[inputs, outputs]| {
            let weight = taken(&mut weights, outputs * inputs).to_vec();
            let bias = taken(&mut weights, outputs).to_vec();
            (
                self.matrix(weight, outputs),
                self.device.tensor_from_vec(bias, (outputs,)),
            )
        });
        layers.collect()
    }

    /// A convolution, the activation and the pooling; `[channels · rows · columns, batch]`.
    fn convolve(
        &self,
        layer: &Convolution,
        seen: &Indices,
        weight: &TapeMatrix,
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
        let values = activated(self.dense.activation, affine(weight, bias, seen));
        let windows = (channels * rows, layer.pool, columns, layer.pool, batch);
        let pooled: Tensor<(usize, usize, usize), _, _, _> =
            values.reshape_like(&windows).max::<_, Axes2<1, 3>>();
        pooled.reshape_like(&(channels * rows * columns, batch))
    }

    fn matrix(&self, values: Vec<f32>, rows: usize) -> TapeMatrix {
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
        Activation::Gelu => gelu(values),
        Activation::GeluTanh => values.fast_gelu(),
        Activation::Sigmoid => values.sigmoid(),
        Activation::Silu => {
            let (values, tape) = values.split_tape();
            let share = values.retaped::<OwnedTape<f32, Cpu>>().sigmoid();
            share * values.put_tape(tape)
        }
    }
}

/// The exact GELU.
///
/// dfdx takes `Φ + √2 x φ` for its derivative, with `φ` the normal density, instead of `Φ + x φ`:
/// a sum whose value is zero but whose derivative is not makes up for the difference.
fn gelu<S: Shape>(
    values: Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>,
) -> Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>> {
    const EXCESS: f32 = (std::f32::consts::SQRT_2 - 1.0) * 0.398_942_3;
    let (values, tape) = values.split_tape();
    let bell = (values.clone().square() * -0.5).exp() * EXCESS;
    let traced = values.retaped::<OwnedTape<f32, Cpu>>();
    let bend = (traced.square() * -0.5).exp() * EXCESS - bell;
    values.put_tape(tape).accurate_gelu() + bend
}

/// `weight · values + bias`, `[out, places]`.
fn affine(weight: &TapeMatrix, bias: &Vector, values: Taped) -> Taped {
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

impl Differentiate for Tape {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        let (loss, gradient) = self.loss_and_gradient(weights, batch);
        self.gradient = gradient;
        (loss, &self.gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::encoder::tests as encoding;
    use crate::networks::images::tests::by_definition;
    use crate::networks::testing::{encoder, made_up};
    use crate::networks::{Columns, Convolutional, EncoderNetwork, Model, Scaled};

    fn columns(inputs: usize) -> Columns {
        Columns {
            inputs: vec![Scaled::as_is("x"); inputs],
            targets: vec![Scaled::as_is("y")],
        }
    }

    fn layers(hidden: &[usize], loss: Loss) -> Layers {
        let outputs = if loss == Loss::Mse { 1 } else { 3 };
        Layers {
            widths: [hidden, &[outputs]].concat(),
            activation: Activation::Tanh,
        }
    }

    fn convolutional(depth: usize, loss: Loss) -> Convolutional {
        let images = Images {
            depth,
            height: 8,
            width: 7,
            channels: vec![2, 3],
            kernel: 2,
            pool: 2,
        };
        let last = images.convolutions().pop();
        let features = last.map_or(0, |last| last.to.iter().product());
        Convolutional {
            columns: columns(depth * 56),
            images,
            layers: layers(&[features, 4], loss),
            loss,
        }
    }

    fn transformer(loss: Loss) -> EncoderNetwork {
        let encoder = encoder();
        EncoderNetwork {
            columns: columns(encoder.tokens),
            layers: layers(&[encoder.width], loss),
            encoder,
            loss,
        }
    }

    /// Features and how many weights they took, with everything written out, in f64.
    type Front<'a> = &'a dyn Fn(&[f64], Vec<f64>) -> (Vec<f64>, usize);

    /// The mean loss with everything written out, in f64.
    fn loss_by_definition(
        front: Front,
        layers: &Layers,
        loss: Loss,
        weights: &[f64],
        batch: &Samples,
    ) -> f64 {
        let mut losses = 0.0;
        let rows = batch.inputs.chunks(batch.inputs.len() / batch.rows);
        let truth = batch.targets.iter().zip(&batch.weights);
        for (row, (target, counts)) in rows.zip(truth) {
            let row = row.iter().map(|value| f64::from(*value)).collect();
            let (mut values, mut start) = front(weights, row);
            for (at, pair) in layers.widths.windows(2).enumerate() {
                let (weight, bias) = weights[start..].split_at(pair[0] * pair[1]);
                let rows = weight.chunks(pair[0]).zip(bias);
                let sums = rows.map(|(weight, bias)| {
                    bias + weight.iter().zip(&values).map(|(w, v)| w * v).sum::<f64>()
                });
                let last = at + 2 == layers.widths.len();
                values = sums
                    .map(|sum| if last { sum } else { sum.tanh() })
                    .collect();
                start += (pair[0] + 1) * pair[1];
            }
            losses += f64::from(*counts)
                * match loss {
                    Loss::Mse => (values[0] - f64::from(*target)).powi(2),
                    Loss::CrossEntropy => {
                        let sum: f64 = values.iter().map(|logit| logit.exp()).sum();
                        sum.ln() - values[*target as usize]
                    }
                };
        }
        losses / batch.rows as f64
    }

    fn expect_differences(model: &dyn Model, layers: &Layers, front: Front) {
        let batch = Samples {
            inputs: made_up(5 * model.columns().inputs.len(), 3),
            targets: vec![0.0, 2.0, 1.0, 1.0, 0.0],
            weights: vec![0.5, 2.0, 0.0, 1.0, 1.5],
            rows: 5,
        };
        let weights = made_up(model.layout().len(), 1);
        let mut differentiate = model.differentiate(crate::networks::TrainerChoice::Dfdx);
        let (mean, gradient) = differentiate.gradient(&weights, &batch);
        let mut exact: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
        let by_definition =
            |exact: &[f64]| loss_by_definition(front, layers, model.loss(), exact, &batch);
        let expected = by_definition(&exact);
        assert!((mean - expected).abs() < 1e-5, "{mean} {expected}");
        assert_eq!(gradient.len(), weights.len());
        for (at, gradient) in gradient.iter().enumerate() {
            let mut at_shifted = |shift: f64| {
                let before = exact[at];
                exact[at] = before + shift;
                let loss = by_definition(&exact);
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

    #[test]
    fn gradients_of_convolutional_networks_are_the_differences_of_the_loss() {
        for network in [
            convolutional(1, Loss::Mse),
            convolutional(3, Loss::CrossEntropy),
        ] {
            let front = |weights: &[f64], mut values: Vec<f64>| {
                let mut start = 0;
                for layer in network.images.convolutions() {
                    values = by_definition(&layer, &weights[start..], &values);
                    start += layer.weights() + layer.to[0];
                }
                (values, start)
            };
            expect_differences(&network, &network.layers, &front);
        }
    }

    #[test]
    fn gradients_of_transformers_are_the_differences_of_the_loss() {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            let network = transformer(loss);
            let encoder = &network.encoder;
            let front = |weights: &[f64], values: Vec<f64>| {
                let values = encoding::by_definition(encoder, weights, &values);
                (values, encoder.weights())
            };
            expect_differences(&network, &network.layers, &front);
        }
    }
}
