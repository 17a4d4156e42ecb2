//! The network of WNN and KNOWN: five states of a weight and their differences to the next.

use engine::artifact::{Layout, Tensor, TensorFile};
use engine::error::Fault;
use engine::plugin::Context;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::super::adam::AdamOptions;
use super::super::plateau::{self, Learner, divided};
use super::at_weights;
use super::dense::Dense;
use crate::networks::Activation;
use crate::training::{Adam, Optimizer, OptimizerState};

/// How many states the network sees.
pub const INPUTS: usize = 5;

/// The slope of the leaky rectifier below zero.
const LEAK: f32 = 0.3;

/// A network from five states of one weight, oldest first, to the next state.
///
/// Two streams, one of the states and one of their differences: `h = in(x)`,
/// `z = relu(compress(h))`, `y = gain(z) ⊙ exp(rate(z) ⊙ h) + base(z)`, `leaky(out(y))`; the
/// head sees both, and the next state is the newest plus the hyperbolic tangent of its output.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownNet {
    weights: Vec<f32>,
}

/// The layers of one stream.
struct Stream {
    input: Dense,
    compress: Dense,
    gain: Dense,
    rate: Dense,
    base: Dense,
    out: Dense,
}

/// What a stream gave on the way, row after row.
struct Trace {
    x: Vec<f32>,
    h: Vec<f32>,
    z: Vec<f32>,
    gain: Vec<f32>,
    rate: Vec<f32>,
    y: Vec<f32>,
    out: Vec<f32>,
}

/// The layers of a stream, with inputs and outputs; the first has the stream's inputs.
const LAYERS: [(&str, usize, usize); 6] = [
    ("in", 0, 64),
    ("act.compress", 64, 8),
    ("act.gain", 8, 64),
    ("act.rate", 8, 64),
    ("act.base", 8, 64),
    ("out", 64, 32),
];

/// The streams, with inputs.
const STREAMS: [(&str, usize); 2] = [("w", INPUTS), ("d", INPUTS - 1)];

/// How many outputs both streams have.
const HEAD: usize = 64;

impl KnownNet {
    /// The tensors, kernels `[inputs, outputs]`.
    pub fn layout() -> Layout {
        let mut tensors = Vec::new();
        let mut add = |name: String, inputs: usize, outputs: usize| {
            for (part, shape) in [("kernel", vec![inputs, outputs]), ("bias", vec![outputs])] {
                let name = format!("{name}.{part}");
                tensors.push(Tensor { name, shape });
            }
        };
        for (stream, width) in STREAMS {
            for (layer, inputs, outputs) in LAYERS {
                let inputs = if inputs == 0 { width } else { inputs };
                add(format!("{stream}.{layer}"), inputs, outputs);
            }
        }
        add("head".to_owned(), HEAD, 1);
        Layout { tensors }
    }

    /// The network in a file whose names start with `prefix`.
    ///
    /// # Errors
    /// The user's fault when a tensor is missing or of another shape.
    pub fn load(file: &TensorFile, prefix: &str) -> Result<Self, Fault> {
        let mut weights = Vec::new();
        for tensor in Self::layout().tensors {
            let name = format!("{prefix}{}", tensor.name);
            weights.extend(file.tensor(&name, &tensor.shape).map_err(at_weights)?);
        }
        Ok(Self { weights })
    }

    /// A network with random weights (Glorot & Bengio 2010), biases zero.
    pub fn random(context: &Context, name: &str) -> Self {
        let mut rng = context.rng(name);
        let mut weights = Vec::new();
        for tensor in Self::layout().tensors {
            match tensor.shape[..] {
                [inputs, outputs] => {
                    let limit = (6.0 / (inputs + outputs) as f32).sqrt();
                    weights.extend((0..tensor.len()).map(|_| rng.random_range(-limit..limit)));
                }
                _ => weights.extend(std::iter::repeat_n(0.0, tensor.len())),
            }
        }
        Self { weights }
    }

    /// The next state of every weight; `states` are `[weights, 5]`.
    pub fn next(&self, states: &[f32]) -> Vec<f32> {
        let (_, moves) = self.forward(states);
        let newest = states.iter().skip(INPUTS - 1).step_by(INPUTS);
        newest.zip(moves).map(|(newest, by)| newest + by).collect()
    }

    /// Multiplications and additions for one weight.
    pub fn operations() -> f64 {
        2.0 * Self::layout().len() as f64
    }

    fn forward(&self, states: &[f32]) -> ([Trace; 2], Vec<f32>) {
        let differences = states
            .chunks_exact(INPUTS)
            .flat_map(|row| row.windows(2).map(|pair| pair[1] - pair[0]));
        let differences = differences.collect();
        let (streams, head) = layers();
        let traces = [
            streams[0].forward(&self.weights, states.to_vec()),
            streams[1].forward(&self.weights, differences),
        ];
        let mut moves = head.forward(&self.weights, &joined(&traces));
        Activation::Tanh.apply(&mut moves);
        (traces, moves)
    }

    /// The mean absolute error of the next states and its gradient by the weights.
    fn loss(&self, states: &[f32], truth: &[f32]) -> (f64, Vec<f32>) {
        let (traces, moves) = self.forward(states);
        let count = truth.len() as f32;
        let newest = states.iter().skip(INPUTS - 1).step_by(INPUTS);
        let mut loss = 0.0;
        let by_head: Vec<f32> = (newest.zip(&moves).zip(truth))
            .map(|((newest, by), truth)| {
                let error = newest + by - truth;
                loss += f64::from(error.abs());
                let sign = if error == 0.0 { 0.0 } else { error.signum() };
                sign * (1.0 - by * by) / count
            })
            .collect();
        let mut gradient = vec![0.0; self.weights.len()];
        let (streams, head) = layers();
        let by_joined = head.backward(&self.weights, &joined(&traces), &by_head, &mut gradient);
        for (at, (stream, trace)) in streams.iter().zip(&traces).enumerate() {
            let half = by_joined
                .chunks_exact(HEAD)
                .flat_map(|row| row[at * HEAD / 2..][..HEAD / 2].iter().copied());
            stream.backward(&self.weights, trace, half.collect(), &mut gradient);
        }
        (loss / f64::from(count), gradient)
    }

    /// Trains it on examples of six states, `[examples, 6]`, the last of which is to be
    /// predicted; the best on held-out ones stays. Gives the multiplications and additions.
    ///
    /// # Errors
    /// When the run is stopped.
    pub fn train(
        &mut self,
        examples: &[StateWindow],
        training: AdamOptions,
        context: &Context,
        name: &str,
    ) -> Result<f64, Fault> {
        let optimizer = Optimizer::Adam(Adam {
            rate: training.rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        });
        let (order, held_out) = divided(examples.len());
        let count = order.len();
        let mut descent = AbsoluteDescent {
            state: OptimizerState::new(self.weights.len()),
            best: self.weights.clone(),
            held_out: batch(examples, &held_out),
            net: self,
            examples,
            size: training.batch,
            order,
            optimizer,
            rng: context.rng(&format!("order {name}")),
            context,
        };
        let epochs = plateau::train(&mut descent, count, training, context)?;
        Ok(3.0 * Self::operations() * (epochs * examples.len()) as f64)
    }
}

/// Six states of a weight, the last of which is to be predicted.
type StateWindow = [f32; INPUTS + 1];

/// The states seen and those to be predicted of some examples.
fn batch(examples: &[StateWindow], rows: &[usize]) -> (Vec<f32>, Vec<f32>) {
    let states = rows.iter().flat_map(|row| &examples[*row][..INPUTS]);
    let truth = rows.iter().map(|row| examples[*row][INPUTS]);
    (states.copied().collect(), truth.collect())
}

/// A network on its way down the absolute error.
struct AbsoluteDescent<'a, R> {
    net: &'a mut KnownNet,
    best: Vec<f32>,
    examples: &'a [StateWindow],
    order: Vec<usize>,
    /// Examples in a minibatch.
    size: usize,
    held_out: (Vec<f32>, Vec<f32>),
    optimizer: Optimizer,
    state: OptimizerState,
    rng: R,
    context: &'a Context<'a>,
}

impl<R: Rng> Learner for AbsoluteDescent<'_, R> {
    fn pass(&mut self, share: f64) -> Result<(), Fault> {
        self.order.shuffle(&mut self.rng);
        for rows in self.order.chunks(self.size) {
            self.context.check_stop()?;
            let (states, truth) = batch(self.examples, rows);
            let (_, gradient) = self.net.loss(&states, &truth);
            let weights = &mut self.net.weights;
            self.optimizer
                .update(&mut self.state, weights, &gradient, share);
        }
        Ok(())
    }

    fn held_out_loss(&self) -> f64 {
        self.net.loss(&self.held_out.0, &self.held_out.1).0
    }

    fn keep(&mut self) {
        self.best.copy_from_slice(&self.net.weights);
    }

    fn restart(&mut self) {
        self.net.weights.copy_from_slice(&self.best);
        self.state.reset();
    }
}

/// The layers of both streams, and the head.
fn layers() -> ([Stream; 2], Dense) {
    let mut at = 0;
    let mut dense = |inputs: usize, outputs: usize| {
        let kernel = at..at + inputs * outputs;
        at = kernel.end + outputs;
        let bias = kernel.end..at;
        Dense { kernel, bias }
    };
    let streams = STREAMS.map(|(_, width)| {
        let [input, compress, gain, rate, base, out] = LAYERS
            .map(|(_, inputs, outputs)| dense(if inputs == 0 { width } else { inputs }, outputs));
        Stream {
            input,
            compress,
            gain,
            rate,
            base,
            out,
        }
    });
    (streams, dense(HEAD, 1))
}

/// The outputs of both streams side by side.
fn joined(traces: &[Trace; 2]) -> Vec<f32> {
    let [first, second] = traces
        .each_ref()
        .map(|trace| trace.out.chunks_exact(HEAD / 2));
    first
        .zip(second)
        .flat_map(|(first, second)| [first, second].concat())
        .collect()
}

impl Stream {
    fn forward(&self, weights: &[f32], x: Vec<f32>) -> Trace {
        let h = self.input.forward(weights, &x);
        let mut z = self.compress.forward(weights, &h);
        z.iter_mut().for_each(|value| *value = value.max(0.0));
        let gain = self.gain.forward(weights, &z);
        let rate = self.rate.forward(weights, &z);
        let mut y = self.base.forward(weights, &z);
        for (((y, gain), rate), h) in y.iter_mut().zip(&gain).zip(&rate).zip(&h) {
            *y += gain * (rate * h).exp();
        }
        let mut out = self.out.forward(weights, &y);
        out.iter_mut().for_each(|value| *value *= leak(*value));
        Trace {
            x,
            h,
            z,
            gain,
            rate,
            y,
            out,
        }
    }

    fn backward(&self, weights: &[f32], trace: &Trace, mut by_out: Vec<f32>, gradient: &mut [f32]) {
        // A leaky rectifier keeps signs, so that its outputs tell its slopes.
        by_out
            .iter_mut()
            .zip(&trace.out)
            .for_each(|(d, out)| *d *= leak(*out));
        let by_y = self.out.backward(weights, &trace.y, &by_out, gradient);
        let mut by_gain = Vec::with_capacity(by_y.len());
        let mut by_rate = Vec::with_capacity(by_y.len());
        let mut by_h = Vec::with_capacity(by_y.len());
        let parts = by_y.iter().zip(&trace.gain).zip(&trace.rate).zip(&trace.h);
        for (((d, gain), rate), h) in parts {
            let growth = d * (rate * h).exp();
            by_gain.push(growth);
            by_rate.push(growth * gain * h);
            by_h.push(growth * gain * rate);
        }
        let mut by_z = self.base.backward(weights, &trace.z, &by_y, gradient);
        for (layer, by) in [(&self.gain, by_gain), (&self.rate, by_rate)] {
            let more = layer.backward(weights, &trace.z, &by, gradient);
            by_z.iter_mut().zip(more).for_each(|(sum, d)| *sum += d);
        }
        by_z.iter_mut()
            .zip(&trace.z)
            .filter(|(_, z)| **z <= 0.0)
            .for_each(|(d, _)| *d = 0.0);
        let more = self.compress.backward(weights, &trace.h, &by_z, gradient);
        by_h.iter_mut().zip(more).for_each(|(sum, d)| *sum += d);
        self.input.backward(weights, &trace.x, &by_h, gradient);
    }
}

fn leak(value: f32) -> f32 {
    if value < 0.0 { LEAK } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine::files::Files;

    use super::*;

    fn golden(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/networks")
            .join(name)
    }

    #[test]
    fn rows_and_three_recurrences_are_those_of_the_golden_file() {
        let file =
            TensorFile::open(&golden("known_random.safetensors"), &Files::unchecked()).unwrap();
        let net = KnownNet::load(&file, "").unwrap();
        let text = std::fs::read_to_string(golden("known_random.json")).unwrap();
        let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows =
            |name: &str| -> Vec<Vec<f64>> { serde_json::from_value(golden[name].clone()).unwrap() };
        let next: Vec<f64> = serde_json::from_value(golden["pred"].clone()).unwrap();
        let inputs = rows("inputs");
        assert!(inputs.len() > 30 && inputs.len() == next.len());
        for ((states, next), rollout) in inputs.iter().zip(next).zip(rows("rollout3")) {
            let mut states: Vec<f32> = states.iter().map(|state| *state as f32).collect();
            let tolerance = 2e-6;
            let found = f64::from(net.next(&states)[0]);
            assert!((found - next).abs() < tolerance, "{found} {next}");
            for expected in rollout {
                let found = net.next(&states)[0];
                assert!(
                    (f64::from(found) - expected).abs() < tolerance,
                    "{found} {expected}"
                );
                states.remove(0);
                states.push(found);
            }
        }
    }

    /// Examples of weights that relax at many rates.
    fn examples() -> Vec<[f32; INPUTS + 1]> {
        let rates = (1..=200).map(|k| k as f32 / 100.0);
        rates
            .map(|rate| std::array::from_fn(|at| (-rate * at as f32).exp() - 0.3))
            .collect()
    }

    /// For each tensor the derivative of the loss along `sin(1), sin(2), …`, as central
    /// differences in double precision gave it: numpy, the network of the golden file (whose
    /// predictions came out to 1e-9), its inputs, truth `0.9 w_4`, steps 1e-6 (with 1e-7 the
    /// same to five digits); `loss = lambda W: abs(next(W) - truth).mean()`.
    const DIFFERENCES: [(&str, f64); 26] = [
        ("w.in.kernel", 9.937_262e-4),
        ("w.in.bias", -2.995_720e-2),
        ("w.act.compress.kernel", 4.532_821e-3),
        ("w.act.compress.bias", -7.009_754e-2),
        ("w.act.gain.kernel", -8.620_567e-3),
        ("w.act.gain.bias", -5.990_146e-2),
        ("w.act.rate.kernel", -6.886_231e-5),
        ("w.act.rate.bias", 2.265_513e-4),
        ("w.act.base.kernel", -8.618_186e-3),
        ("w.act.base.bias", -5.954_932e-2),
        ("w.out.kernel", 4.644_371e-1),
        ("w.out.bias", -7.559_233e-1),
        ("d.in.kernel", -2.660_453e-3),
        ("d.in.bias", 3.282_851e-2),
        ("d.act.compress.kernel", 5.553_016e-2),
        ("d.act.compress.bias", -9.140_942e-2),
        ("d.act.gain.kernel", -3.314_955e-2),
        ("d.act.gain.bias", -6.123_645e-1),
        ("d.act.rate.kernel", 1.594_960e-6),
        ("d.act.rate.bias", -4.486_064e-6),
        ("d.act.base.kernel", -3.314_024e-2),
        ("d.act.base.bias", -6.123_746e-1),
        ("d.out.kernel", 2.091_447e-1),
        ("d.out.bias", 1.329_884e0),
        ("head.kernel", 8.024_039e-2),
        ("head.bias", 8.019_996e-1),
    ];

    #[test]
    fn gradients_agree_with_finite_differences() {
        let file =
            TensorFile::open(&golden("known_random.safetensors"), &Files::unchecked()).unwrap();
        let net = KnownNet::load(&file, "").unwrap();
        let text = std::fs::read_to_string(golden("known_random.json")).unwrap();
        let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
        let inputs: Vec<Vec<f32>> = serde_json::from_value(golden["inputs"].clone()).unwrap();
        let truth: Vec<f32> = inputs
            .iter()
            .map(|states| 0.9 * states[INPUTS - 1])
            .collect();
        let (_, gradient) = net.loss(&inputs.concat(), &truth);
        let layout = KnownNet::layout();
        assert_eq!(layout.tensors.len(), DIFFERENCES.len());
        for ((tensor, range), (name, expected)) in layout.ranges().zip(DIFFERENCES) {
            assert_eq!(tensor.name, name);
            let along = gradient[range].iter().zip(1..);
            let found: f64 = along
                .map(|(d, at)| f64::from(*d) * f64::from(at).sin())
                .sum();
            let error = (found - expected).abs();
            assert!(
                error < 1e-4 * expected.abs() + 1e-7,
                "{name}: {found} {expected}"
            );
        }
    }

    #[test]
    fn training_learns_how_weights_relax() {
        let context = Context::alone("training");
        let mut net = KnownNet::random(&context, "net");
        let training = AdamOptions {
            sample: 0,
            epochs: 60,
            batch: 16,
            rate: 1e-3,
        };
        let examples = examples();
        let states: Vec<f32> = examples.iter().flat_map(|e| e[..INPUTS].to_vec()).collect();
        let truth: Vec<f32> = examples.iter().map(|example| example[INPUTS]).collect();
        net.train(&examples, training, &context, "net").unwrap();
        let (loss, _) = net.loss(&states, &truth);
        let moves = examples
            .iter()
            .map(|e| f64::from((e[INPUTS] - e[INPUTS - 1]).abs()));
        let persistence = moves.sum::<f64>() / examples.len() as f64;
        assert!(loss < 0.3 * persistence, "{loss} {persistence}");
    }
}
