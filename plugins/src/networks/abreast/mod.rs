//! Gradients of many small multilayer perceptrons abreast, one in each lane of the registers.
//!
//! A network of a few hundred weights does not fill the registers: its layers are as narrow as a
//! register, and its rows have to be exchanged with its features between layers. So number `n` of
//! [`ABREAST`] networks side by side is lane `n` everywhere, each with its own weights and its own
//! rows. All three products of a layer, over a tile of rows `r`,
//!
//! `z[o,r] = b[o] + Σ_i W[o,i] x[i,r]`, `d[i,r] = Σ_o W[o,i] δ[o,r]`, `g[o,i] = Σ_r δ[o,r] x[i,r]`,
//!
//! are then products of registers, with no number spread over lanes and no sum over them, and
//! a layer of any width, one output or two inputs included, takes whole registers.
//!
//! Roofline: two multiply-adds and two loads a cycle. A block of 8 × 2 sums loads 10 registers for
//! 16 multiply-adds, so that loads do not bound it; a weight is loaded from the second cache once
//! for the [`TILE`] multiply-adds of a tile. A tangent takes as long as some 14 multiply-adds.
//!
//! No lane reads another: the numbers of a network do not depend on which others go with it, and
//! where fewer go than there are lanes, the first goes in those that are left.

mod losses;
mod products;
mod tile;

use pulp::{Arch, Simd, WithSimd};

use losses::{LaneTruth, derive};
use products::{forward, pass_back, sum_gradients};
use tile::{ABREAST, Exchange, Rows, TILE};

use super::activation::activate;
use super::{Layers, Loss, Samples};

/// The gradients of many networks of the same shape at a time; see the module.
pub(super) struct Abreast {
    shape: Layers,
    loss: Loss,
    layers: Vec<AbreastLayer>,
    /// What the outputs should be, `[out]`, or the class.
    targets: Vec<Rows>,
    /// How much each row counts; nothing where there is none.
    counts: [Rows; 1],
    exchange: Exchange,
    /// `[weights, ABREAST]`, where fewer networks than that are given.
    weights: Vec<f32>,
    /// `[weights, ABREAST]`.
    gradients: Vec<f32>,
    arch: Arch,
}

/// An affine map and what a pass keeps of it.
struct AbreastLayer {
    /// Where its weights start among all.
    start: usize,
    /// `[width]`.
    inputs: Vec<Rows>,
    /// Outputs, then the derivatives of the activation by them, then those of the loss, `[out]`.
    outputs: Vec<Rows>,
}

impl AbreastLayer {
    /// The places of its weights and of its biases among all numbers, `[.., ABREAST]`.
    fn places(&self) -> [std::ops::Range<usize>; 2] {
        let out = self.outputs.len();
        let bias = self.start + self.inputs.len() * out;
        [self.start..bias, bias..bias + out].map(|range| range.start * ABREAST..range.end * ABREAST)
    }
}

impl Abreast {
    /// More weights than this, times sixteen, crowd the second cache: one network at a time is as fast.
    const MOST_WEIGHTS: usize = 2500;

    /// Fewer networks than this are as fast one after the other.
    const FEWEST: usize = 12;

    /// Gradients of networks of this shape, by these instructions; none for one so large that one
    /// network at a time is faster.
    pub fn new(shape: &Layers, loss: Loss, arch: Arch) -> Option<Self> {
        let mut weights = 0;
        let layers = shape.widths.windows(2).map(|pair| {
            let start = weights;
            weights += (pair[0] + 1) * pair[1];
            AbreastLayer {
                start,
                inputs: vec![Rows::ZERO; pair[0]],
                outputs: vec![Rows::ZERO; pair[1]],
            }
        });
        let layers = layers.collect();
        let targets = match loss {
            Loss::Mse => shape.outputs(),
            Loss::CrossEntropy => 1,
        };
        (weights <= Self::MOST_WEIGHTS).then(|| Self {
            shape: shape.clone(),
            loss,
            layers,
            targets: vec![Rows::ZERO; targets],
            counts: [Rows::ZERO],
            exchange: Exchange::default(),
            weights: Vec::new(),
            gradients: vec![0.0; weights * ABREAST],
            arch,
        })
    }

    /// How many of `count` networks are best treated at a time.
    pub fn at_once(count: usize) -> usize {
        match count {
            0..Self::FEWEST => 1,
            _ => ABREAST,
        }
    }

    /// See [`gradients`](super::Differentiate::gradients).
    pub fn gradients(&mut self, weights: &[f32], batch: &Samples, losses: &mut [f64]) -> &[f32] {
        let networks = losses.len();
        let mut filled = std::mem::take(&mut self.weights);
        let all = match networks {
            ABREAST => weights,
            _ => {
                filled.clear();
                let lane = |lane| if lane < networks { lane } else { 0 };
                let weights = weights.chunks_exact(networks);
                filled.extend(weights.flat_map(|own| (0..ABREAST).map(move |at| own[lane(at)])));
                &filled
            }
        };
        let mut found = [0.0; ABREAST];
        let arch = self.arch;
        arch.dispatch(AbreastPass {
            kernel: self,
            weights: all,
            batch,
            networks,
            losses: &mut found,
        });
        losses.copy_from_slice(&found[..networks]);
        self.weights = filled;
        if networks < ABREAST {
            for at in 0..self.gradients.len() / ABREAST {
                self.gradients
                    .copy_within(at * ABREAST..at * ABREAST + networks, at * networks);
            }
        }
        &self.gradients[..weights.len()]
    }
}

/// One pass forward and backward over the batches of all networks.
struct AbreastPass<'a> {
    kernel: &'a mut Abreast,
    /// `[weights, ABREAST]`.
    weights: &'a [f32],
    batch: &'a Samples,
    /// How many are not copies.
    networks: usize,
    losses: &'a mut [f64; ABREAST],
}

impl WithSimd for AbreastPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let rows = self.batch.rows / self.networks;
        for start in (0..rows).step_by(TILE) {
            self.load(simd, start, rows);
            self.forward(simd);
            self.derive_loss(simd, rows);
            self.backward(simd, start > 0);
        }
    }
}

impl AbreastPass<'_> {
    /// Takes the rows from `start` of all networks.
    #[inline(always)]
    fn load<S: Simd>(&mut self, simd: S, start: usize, rows: usize) {
        let Abreast {
            layers,
            targets,
            counts,
            exchange,
            ..
        } = &mut *self.kernel;
        let mut load = |numbers: &[f32], to: &mut [Rows]| {
            exchange.load(simd, numbers, (start, rows, self.networks), to);
        };
        if let Some(layer) = layers.first_mut() {
            load(&self.batch.inputs, &mut layer.inputs);
        }
        load(&self.batch.targets, targets);
        if self.batch.weights.is_empty() {
            for (row, count) in counts[0].0.chunks_exact_mut(ABREAST).enumerate() {
                count.fill(if start + row < rows { 1.0 } else { 0.0 });
            }
        } else {
            load(&self.batch.weights, counts);
        }
    }

    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S) {
        let layers = &mut self.kernel.layers;
        for at in 0..layers.len() {
            let (before, after) = layers.split_at_mut(at + 1);
            let layer = &mut before[at];
            let [weight, bias] = layer.places().map(|place| &self.weights[place]);
            let activation = self.kernel.shape.activation;
            let mut next = after.first_mut().map(|layer| &mut layer.inputs);
            forward(
                simd,
                &layer.inputs,
                [weight, bias],
                &mut layer.outputs,
                #[inline(always)]
                |at, output| {
                    if let Some(inputs) = &mut next {
                        activate(simd, activation, output, &mut inputs[at]);
                    }
                },
            );
        }
    }

    /// Turns the last outputs into derivatives of the mean loss, and adds the tile's part of it.
    #[inline(always)]
    fn derive_loss<S: Simd>(&mut self, simd: S, rows: usize) {
        let kernel = &mut *self.kernel;
        if let Some(layer) = kernel.layers.last_mut() {
            let truth = LaneTruth {
                targets: &kernel.targets,
                counts: &kernel.counts[0],
                rows,
            };
            derive(simd, kernel.loss, &mut layer.outputs, truth, self.losses);
        }
    }

    /// Adds the tile's part of the gradients to those of earlier tiles, where there are any.
    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S, adds: bool) {
        let Abreast {
            layers, gradients, ..
        } = &mut *self.kernel;
        for at in (0..layers.len()).rev() {
            let (before, after) = layers.split_at_mut(at);
            let layer = &after[0];
            let [weight, bias] = layer.places();
            let gradients = &mut gradients[weight.start..bias.end];
            let sums = gradients.split_at_mut(weight.len());
            sum_gradients(simd, (&layer.inputs, &layer.outputs), sums, adds);
            if let Some(previous) = before.last_mut() {
                pass_back(
                    simd,
                    &layer.outputs,
                    &self.weights[weight],
                    &mut previous.outputs,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
