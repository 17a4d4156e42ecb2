//! Gradients of all networks that have more than dense layers, by all that computes them, against
//! finite differences of a loss with everything written out, in f64; and what tests of their
//! kernels share.

use super::encoder::tests as encoding;
use super::fused::{FrontEnd, Fused};
use super::images::tests as imaging;
use super::testing::{ACTIVATIONS, distance, exactly, instruction_sets, made_up};
use super::{
    Activation, Columns, Convolutional, Differentiate, Encoder, EncoderNetwork, Images, Layers,
    Loss, Model, Samples, Scaled, TrainerChoice,
};

fn columns(inputs: usize) -> Columns {
    Columns {
        inputs: vec![Scaled::as_is("x"); inputs],
        targets: vec![Scaled::as_is("y")],
    }
}

fn layers(hidden: &[usize], activation: Activation, loss: Loss) -> Layers {
    let outputs = if loss == Loss::Mse { 1 } else { 3 };
    Layers {
        widths: [hidden, &[outputs]].concat(),
        activation,
    }
}

/// A network of these images.
pub(super) fn convolutional(images: Images, activation: Activation, loss: Loss) -> Convolutional {
    let last = images.convolutions().pop();
    let features = last.map_or(0, |last| last.to.iter().product());
    Convolutional {
        columns: columns(images.depth * images.height * images.width),
        images,
        layers: layers(&[features, 4], activation, loss),
        loss,
    }
}

/// A network of this encoder.
pub(super) fn transformer(encoder: Encoder, activation: Activation, loss: Loss) -> EncoderNetwork {
    EncoderNetwork {
        columns: columns(encoder.tokens),
        layers: layers(&[encoder.width], activation, loss),
        encoder,
        loss,
    }
}

/// Rows of such a network, some of which count more than others.
pub(super) fn batch(model: &dyn Model, rows: usize) -> Samples {
    Samples {
        inputs: made_up(rows * model.columns().inputs.len(), 3),
        targets: (0..rows).map(|row| [0.0, 2.0, 1.0][row % 3]).collect(),
        weights: (0..rows)
            .map(|row| [0.5, 2.0, 0.0, 1.0, 1.5][row % 5])
            .collect(),
        rows,
    }
}

/// Compares gradients with `front` before the dense layers, on all instructions, with those of dfdx.
pub(super) fn expect_reference<F: FrontEnd>(
    model: &dyn Model,
    layers: &Layers,
    front: impl Fn() -> F,
    batch: &Samples,
) {
    let mut weights = made_up(model.layout().len(), 4);
    weights.iter_mut().for_each(|weight| *weight *= 0.5);
    let mut reference = model.differentiate(TrainerChoice::Dfdx);
    let (expected_loss, expected) = reference.gradient(&weights, batch);
    for arch in instruction_sets() {
        let kernel = || Fused::after(front(), layers, model.loss(), arch);
        let (mut kernel, mut shared) = (kernel(), kernel().shared_by(2));
        for _ in 0..2 {
            let (loss, gradient) = kernel.gradient(&weights, batch);
            assert_eq!((loss, gradient), shared.gradient(&weights, batch));
            assert!((loss - expected_loss).abs() < 1e-5 * expected_loss.max(1.0));
            let apart = distance(gradient, expected);
            assert!(apart < 2e-5, "{arch:?} {model:?} {}: {apart}", batch.rows);
        }
    }
}

/// Checks that the loss is not a number where a weight is not, at each of some places.
pub(super) fn expect_no_number(model: &dyn Model, places: [usize; 4]) {
    let batch = batch(model, 5);
    for at in places {
        let mut weights = made_up(model.layout().len(), 4);
        weights[at] = f32::NAN;
        let mut trainer = model.differentiate(TrainerChoice::Auto);
        let (loss, _) = trainer.gradient(&weights, &batch);
        assert!(loss.is_nan(), "{model:?} weight {at}");
    }
}

/// The rows of one tile and some of the next.
const ROWS: usize = 35;

/// Features and how many weights they took, with everything written out, in f64.
type FeaturesOf<'a> = &'a dyn Fn(&[f64], Vec<f64>) -> (Vec<f64>, usize);

/// The mean loss with everything written out, in f64.
fn loss_by_definition(
    front: FeaturesOf,
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
                let sum = bias + weight.iter().zip(&values).map(|(w, v)| w * v).sum::<f64>();
                match at + 2 == layers.widths.len() {
                    true => sum,
                    false => exactly(layers.activation, sum),
                }
            });
            values = sums.collect();
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

fn expect_differences(model: &dyn Model, layers: &Layers, batch: &Samples, front: FeaturesOf) {
    let weights = made_up(model.layout().len(), 1);
    let mut exact: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
    let by_definition =
        |exact: &[f64]| loss_by_definition(front, layers, model.loss(), exact, batch);
    let expected_loss = by_definition(&exact);
    let mut at_shifted = |at: usize, shift: f64| {
        let before = exact[at];
        exact[at] = before + shift;
        let loss = by_definition(&exact);
        exact[at] = before;
        loss
    };
    // Small enough that no ReLU or maximum of these rows changes side.
    let differences: Vec<f64> = (0..weights.len())
        .map(|at| (at_shifted(at, 1e-6) - at_shifted(at, -1e-6)) / 2e-6)
        .collect();
    for choice in [TrainerChoice::Dfdx, TrainerChoice::Auto] {
        let mut differentiate = model.differentiate(choice);
        let (mean, gradient) = differentiate.gradient(&weights, batch);
        assert!(
            (mean - expected_loss).abs() < 1e-5,
            "{mean} {expected_loss}"
        );
        assert_eq!(gradient.len(), weights.len());
        for (at, (found, expected)) in gradient.iter().zip(&differences).enumerate() {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5,
                "{choice:?} {:?} weight {at}: {found} {expected}",
                layers.activation
            );
        }
    }
}

#[test]
fn gradients_of_convolutional_networks_are_the_differences_of_the_loss() {
    for activation in ACTIVATIONS {
        for (depth, pool, loss) in [(1, 2, Loss::Mse), (3, 2, Loss::CrossEntropy)] {
            let images = Images {
                depth,
                height: 8,
                width: 7,
                channels: vec![2, 3],
                kernel: 2,
                pool,
            };
            let network = convolutional(images, activation, loss);
            let front = |weights: &[f64], mut values: Vec<f64>| {
                let mut start = 0;
                for layer in network.images.convolutions() {
                    values = imaging::by_definition(&layer, activation, &weights[start..], &values);
                    start += layer.weights() + layer.to[0];
                }
                (values, start)
            };
            let mut batch = batch(&network, ROWS);
            expect_differences(&network, &network.layers, &batch, &front);
            // Of one colour: all numbers under a window are equal.
            let pixels = batch.inputs.len() / ROWS;
            for (row, image) in batch.inputs.chunks_exact_mut(pixels).enumerate() {
                image.fill(row as f32 / 20.0 - 0.8);
            }
            expect_differences(&network, &network.layers, &batch, &front);
        }
    }
}

#[test]
fn gradients_of_transformers_are_the_differences_of_the_loss() {
    for activation in ACTIVATIONS {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            let network = transformer(super::testing::encoder(), activation, loss);
            let encoder = &network.encoder;
            let front = |weights: &[f64], values: Vec<f64>| {
                let values = encoding::by_definition(encoder, activation, weights, &values);
                (values, encoder.weights())
            };
            let batch = batch(&network, ROWS);
            expect_differences(&network, &network.layers, &batch, &front);
        }
    }
}
