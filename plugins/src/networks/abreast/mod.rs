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
//! Roofline: one multiply-add and one load a cycle, of 16 numbers each. A block of 4 × 4 sums loads 8
//! registers for 16 multiply-adds, so that loads do not bound it. Forward and back, the numbers of a
//! tile stay in the first cache, and a weight is loaded from the second once for the [`TILE`]
//! multiply-adds of a tile; a tangent takes as long as some 12, beside those of the next outputs. Gradients are
//! summed over [`TILES`] tiles at once; weights move by Adam beside the sums of the next, in registers, a step as long
//! as some 12 multiply-adds. All numbers are [`Aligned`].
//!
//! No lane reads another: the numbers of a network do not depend on which others go with it, and
//! where fewer go than there are lanes, the first goes in those that are left.

mod gradients;
mod losses;
mod products;
mod tile;

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use gradients::{KeptGradients, LaneGradients, MovingByAdam};
use losses::{LaneTruth, derive};
use products::{forward, pass_back};
use tile::{ABREAST, Exchange, Rows, TILE, TILES, parts, stride};

use super::activation::{OnCurve, on_curve};
use super::adam::AdamRegisters;
use super::aligned::Aligned;
use super::dense::Dense;
use super::{Layers, Loss, Moves, Samples};

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
    gradients: Aligned,
    arch: Arch,
}

/// An affine map and what a pass keeps of it.
struct AbreastLayer {
    /// Where its weights start among all.
    start: usize,
    width: usize,
    out: usize,
    /// `[TILES, width]`.
    inputs: Vec<Rows>,
    /// Outputs, then the derivatives of the activation by them, then those of the loss,
    /// `[TILES, out]`.
    outputs: Vec<Rows>,
}

impl AbreastLayer {
    /// The places of its weights and of its biases among all numbers, `[.., ABREAST]`.
    fn places(&self) -> [Range<usize>; 2] {
        let bias = self.start + self.width * self.out;
        [self.start..bias, bias..bias + self.out]
            .map(|range| range.start * ABREAST..range.end * ABREAST)
    }
}

impl Abreast {
    /// Fewer networks than this are as fast one after the other.
    const FEWEST: usize = 12;

    /// Whether many networks of this shape are faster abreast than one after the other.
    ///
    /// The weights of sixteen crowd the second cache where they are many; where registers hold fewer than
    /// sixteen numbers, each line of the caches is read several times.
    pub fn pays(shape: &Layers, arch: Arch) -> bool {
        struct Most;

        impl WithSimd for Most {
            type Output = usize;

            fn with_simd<S: Simd>(self, _: S) -> usize {
                match S::F32_LANES {
                    ABREAST.. => 6000,
                    _ => 200,
                }
            }
        }

        Dense::weights(&shape.widths) <= arch.dispatch(Most)
    }

    /// Gradients of networks of this shape, by these instructions.
    pub fn new(shape: &Layers, loss: Loss, arch: Arch) -> Self {
        let mut weights = 0;
        let layers = shape.widths.windows(2).map(|pair| {
            let start = weights;
            weights += (pair[0] + 1) * pair[1];
            AbreastLayer {
                start,
                width: pair[0],
                out: pair[1],
                inputs: vec![Rows::ZERO; TILES * stride(pair[0])],
                outputs: vec![Rows::ZERO; TILES * stride(pair[1])],
            }
        });
        let layers = layers.collect();
        let targets = match loss {
            Loss::Mse => shape.outputs(),
            Loss::CrossEntropy => 1,
        };
        Self {
            shape: shape.clone(),
            loss,
            layers,
            targets: vec![Rows::ZERO; targets],
            counts: [Rows::ZERO],
            exchange: Exchange::default(),
            weights: Vec::new(),
            gradients: Aligned::zeros(weights * ABREAST),
            arch,
        }
    }

    /// How many of `count` networks are best treated at a time.
    pub fn at_once(count: usize) -> usize {
        match count {
            0..Self::FEWEST => 1,
            _ => ABREAST,
        }
    }

    /// See [`descend`](super::Differentiate::descend); nothing for fewer networks than there are
    /// lanes.
    pub fn descend(
        &mut self,
        weights: &mut [f32],
        batch: &Samples,
        losses: &mut [f64],
        moves: &mut Moves,
    ) -> Option<()> {
        let losses: &mut [f64; ABREAST] = losses.try_into().ok()?;
        losses.fill(0.0);
        let arch = self.arch;
        arch.dispatch(AbreastPass {
            kernel: self,
            weights: LaneWeights::Moving(weights, moves),
            batch,
            networks: ABREAST,
            losses,
        });
        Some(())
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
            weights: LaneWeights::Fixed(all),
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
struct AbreastPass<'a, 'b> {
    kernel: &'a mut Abreast,
    weights: LaneWeights<'a, 'b>,
    batch: &'a Samples,
    /// How many are not copies.
    networks: usize,
    losses: &'a mut [f64; ABREAST],
}

/// The weights of all networks, `[weights, ABREAST]`.
enum LaneWeights<'a, 'b> {
    /// Whose gradients are wanted.
    Fixed(&'a [f32]),
    /// That move.
    Moving(&'a mut [f32], &'a mut Moves<'b>),
}

impl LaneWeights<'_, '_> {
    #[inline(always)]
    fn all(&self) -> &[f32] {
        match self {
            LaneWeights::Fixed(weights) => weights,
            LaneWeights::Moving(weights, _) => weights,
        }
    }
}

impl WithSimd for AbreastPass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let rows = self.batch.rows / self.networks;
        for start in (0..rows).step_by(TILE * TILES) {
            let tiles = (rows - start).div_ceil(TILE).min(TILES);
            for tile in 0..tiles {
                self.load(simd, start + tile * TILE, rows, tile);
                self.forward(simd, tile);
                self.derive_loss(simd, rows, tile);
            }
            let is_last = start + TILE * TILES >= rows;
            self.backward(simd, tiles, start > 0, is_last);
        }
    }
}

impl AbreastPass<'_, '_> {
    /// Takes the rows from `start` of all networks.
    #[inline(always)]
    fn load<S: Simd>(&mut self, simd: S, start: usize, rows: usize, tile: usize) {
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
            let own = of_tile(tile, layer.width);
            load(&self.batch.inputs, &mut layer.inputs[own]);
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
    fn forward<S: Simd>(&mut self, simd: S, tile: usize) {
        let activation = self.kernel.shape.activation;
        let layers = &mut self.kernel.layers;
        for at in 0..layers.len() {
            let (before, after) = layers.split_at_mut(at + 1);
            let layer = &mut before[at];
            let weights = layer.places().map(|place| &self.weights.all()[place]);
            let inputs = &layer.inputs[of_tile(tile, layer.width)];
            let outputs = &mut layer.outputs[of_tile(tile, layer.out)];
            match after.first_mut() {
                Some(next) => {
                    let hidden = HiddenForward {
                        simd,
                        inputs,
                        weights,
                        outputs,
                        next: &mut next.inputs[of_tile(tile, layer.out)],
                    };
                    on_curve(simd, activation, hidden);
                }
                None => forward(
                    simd,
                    inputs,
                    weights,
                    outputs,
                    #[inline(always)]
                    |_, _, _| (),
                ),
            }
        }
    }

    /// Turns the last outputs into derivatives of the mean loss, and adds the tile's part of it.
    #[inline(always)]
    fn derive_loss<S: Simd>(&mut self, simd: S, rows: usize, tile: usize) {
        let kernel = &mut *self.kernel;
        if let Some(layer) = kernel.layers.last_mut() {
            let truth = LaneTruth {
                targets: &kernel.targets,
                counts: &kernel.counts[0],
                rows,
            };
            let outputs = &mut layer.outputs[of_tile(tile, layer.out)];
            derive(simd, kernel.loss, outputs, truth, self.losses);
        }
    }

    /// Adds the gradients of some tiles to those of earlier ones, where there are any; with the
    /// last, weights that move do so.
    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S, tiles: usize, adds: bool, is_last: bool) {
        let Abreast {
            layers, gradients, ..
        } = &mut *self.kernel;
        for at in (0..layers.len()).rev() {
            let (before, after) = layers.split_at_mut(at);
            let layer = &after[0];
            let [weight, bias] = layer.places();
            // Before the weights move.
            if let Some(previous) = before.last_mut() {
                for tile in 0..tiles {
                    pass_back(
                        simd,
                        &layer.outputs[of_tile(tile, layer.out)],
                        &self.weights.all()[weight.clone()],
                        &mut previous.outputs[of_tile(tile, layer.width)],
                    );
                }
            }
            let sums = LaneGradients {
                inputs: &layer.inputs,
                deltas: &layer.outputs,
                tiles,
                width: layer.width,
                out: layer.out,
                adds,
            };
            let (weight_sums, rest) = gradients.split_at_mut(bias.start);
            let weight_sums = &mut weight_sums[weight.clone()];
            let bias_sums = &mut rest[..bias.len()];
            match &mut self.weights {
                LaneWeights::Moving(weights, Moves::Adam(step))
                    if is_last && step.rule.is_plain() =>
                {
                    let numbers = [&mut **weights, &mut *step.means, &mut *step.squares]
                        .map(|all| S::as_mut_simd_f32s(&mut all[weight.clone()]).0);
                    let rule = AdamRegisters::new(simd, step.rule);
                    let earlier = S::as_simd_f32s(weight_sums).0;
                    let mut moving = MovingByAdam::new(rule, earlier, numbers);
                    sums.sum_all(simd, &mut moving, bias_sums);
                    moving.finish(simd);
                    step.move_part(bias.start, &mut weights[bias], bias_sums);
                }
                any => {
                    let mut kept = KeptGradients(S::as_mut_simd_f32s(weight_sums).0);
                    sums.sum_all(simd, &mut kept, bias_sums);
                    if let LaneWeights::Moving(weights, moves) = any
                        && is_last
                    {
                        moves.part(weight.start, &mut weights[weight], weight_sums);
                        moves.part(bias.start, &mut weights[bias], bias_sums);
                    }
                }
            }
        }
    }
}

/// The numbers of one tile among those of all, `[TILES, count]`.
fn of_tile(tile: usize, count: usize) -> Range<usize> {
    let start = tile * stride(count);
    start..start + count
}

/// A layer forward on a tile, whose outputs become the inputs of the `next` and derivatives of
/// the activation.
struct HiddenForward<'a, S> {
    simd: S,
    inputs: &'a [Rows],
    weights: [&'a [f32]; 2],
    outputs: &'a mut [Rows],
    next: &'a mut [Rows],
}

impl<S: Simd> OnCurve<S> for HiddenForward<'_, S> {
    #[inline(always)]
    fn on(self, curve: impl Fn(S::f32s) -> (S::f32s, S::f32s)) {
        let next = self.next;
        forward(
            self.simd,
            self.inputs,
            self.weights,
            self.outputs,
            #[inline(always)]
            |first, outputs, register| {
                let of_one = TILE * parts::<S>();
                let (at, register) = (register / of_one, register % of_one);
                let output = &mut outputs[at].registers_mut::<S>()[register];
                let input = &mut next[first + at].registers_mut::<S>()[register];
                (*input, *output) = curve(*output);
            },
        );
    }
}

#[cfg(test)]
mod tests;
