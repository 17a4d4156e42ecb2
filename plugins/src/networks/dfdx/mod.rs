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
/// `[channels and rows, rows of a window, columns, columns of a window, batch]`.
type Windows = Tensor<(usize, usize, usize, usize, usize), f32, Cpu, OwnedTape<f32, Cpu>>;

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
        let values: Windows = values.reshape_like(&windows);
        let chosen = self.device.tensor_from_vec(largest(&values), windows);
        let pooled: Tensor<(usize, usize, usize), _, _, _> =
            (values * chosen).sum::<_, Axes2<1, 3>>();
        pooled.reshape_like(&(channels * rows * columns, batch))
    }

    fn matrix(&self, values: Vec<f32>, rows: usize) -> TapeMatrix {
        let width = values.len() / rows;
        self.device.tensor_from_vec(values, (rows, width))
    }
}

/// Numbers as their activations, with the tangent of the kernels.
pub(super) fn activated<S: Shape>(
    activation: Activation,
    values: Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>,
) -> Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>> {
    // sqrt(2 / π).
    const SCALE: f32 = 0.797_884_6;
    const CUBIC: f32 = 0.044_715;
    match activation {
        Activation::Tanh => tangent(values),
        Activation::Relu => values.relu(),
        Activation::Gelu => gelu(values),
        Activation::GeluTanh => {
            let (values, tape) = values.split_tape();
            let traced = || values.retaped::<OwnedTape<f32, Cpu>>();
            let inner = traced() * (traced().square() * CUBIC + 1.0) * SCALE;
            (tangent(inner) * 0.5 + 0.5) * values.put_tape(tape)
        }
        Activation::Sigmoid => logistic(values),
        Activation::Silu => {
            let (values, tape) = values.split_tape();
            let share = logistic(values.retaped::<OwnedTape<f32, Cpu>>());
            share * values.put_tape(tape)
        }
    }
}

fn logistic<S: Shape>(
    values: Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>,
) -> Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>> {
    tangent(values * 0.5) * 0.5 + 0.5
}

/// The tangent of the kernels: dfdx's, and how the former differs from it, a constant.
fn tangent<S: Shape>(
    values: Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>,
) -> Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>> {
    let mut own = values.as_vec();
    Activation::Tanh.apply(&mut own);
    let theirs = values.tanh();
    let apart = own.iter().zip(theirs.as_vec()).map(|(own, it)| own - it);
    let apart = (theirs.device()).tensor_from_vec(apart.collect(), *theirs.shape());
    theirs + apart
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

/// One for the first of the largest numbers of each window, zero for the others.
///
/// Among equals dfdx's maximum passes the whole gradient to each: too much, as often as there are
/// equals.
fn largest(values: &Windows) -> Vec<f32> {
    let (above, height, columns, width, batch) = *values.shape();
    let numbers = values.as_vec();
    let mut chosen = vec![0.0; numbers.len()];
    for (at, column) in grid(above, columns) {
        for row in 0..batch {
            let places = grid(height, width)
                .map(|(y, x)| (((at * height + y) * columns + column) * width + x) * batch + row);
            let first = places.reduce(|best, place| {
                let larger = numbers[place] > numbers[best] || numbers[place].is_nan();
                if larger { place } else { best }
            });
            if let Some(first) = first {
                chosen[first] = 1.0;
            }
        }
    }
    chosen
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
