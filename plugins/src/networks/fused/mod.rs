//! Fast gradients of one multilayer perceptron at a time: one fused pass forward and backward.
//! Many small ones go [`abreast`](super::abreast).
//!
//! A batch is cut into tiles of [`TILE`] rows. Activations are kept feature by feature with
//! the rows of the tile side by side in vector lanes, so forward and backward are sums of
//! `weight * lanes`. The gradient of a weight is a sum over rows: of a narrow layer it is the
//! sum of the lanes of `delta * input`; for a wide one the inputs are also kept row by row, and
//! the gradients of several weights lie side by side. Nothing is allocated after the first batch.
//!
//! A large batch is summed in parts, each by itself, which are then added in order: long steps let
//! idle cores sum some of them, to the same bits.
//!
//! What a [`FrontEnd`] makes of the rows, such as an encoder, may come before the dense layers.
//!
//! The pass is compiled for several instruction sets and the best one the machine has is
//! taken. Machines that differ in this may give results that differ in the last bits; on one
//! machine they are always the same.

mod front;
mod layer;
mod pass;
mod places;
mod products;
mod tile;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::plugin::{Cores, Helpers};
use pulp::Arch;

pub(super) use front::{FrontEnd, InputRows};
pub(super) use layer::FusedLayer;
pub(super) use places::{PlaceSums, sum_pairs, sum_planes};
pub(super) use products::{
    Affine, Blocks, MOST_ROWS, Onto, PassBack, RegisterSums, add_products, in_blocks,
};
pub(super) use tile::{Rows, TILE};

use front::Bare;
use pass::{FusedPart, FusedPass, Scratch};

use super::{Activation, Differentiate, Layers, Loss, Samples};

/// The gradients of one network after another of the same shape; see the module.
pub struct Fused<F = Bare> {
    activation: Activation,
    loss: Loss,
    arch: Arch,
    weights: usize,
    /// What passes work in: one, and one for each further core that helps.
    scratch: Vec<Mutex<Scratch<F>>>,
    /// The gradients of the first part, then of all, in parameter order; those of further parts.
    parts: Vec<Mutex<FusedPart>>,
    helpers: Helpers,
    pace: Pace,
}

impl Fused {
    /// Gradients of networks of this shape, by these instructions.
    pub fn new(shape: &Layers, loss: Loss, arch: Arch) -> Self {
        Self::after(Bare, shape, loss, arch)
    }
}

impl<F: FrontEnd> Fused<F> {
    /// Gradients of networks of this shape after a front, by these instructions.
    pub(in crate::networks) fn after(front: F, shape: &Layers, loss: Loss, arch: Arch) -> Self {
        let mut weights = front.weights();
        let layers = shape
            .widths
            .windows(2)
            .map(|pair| {
                let layer = FusedLayer::new(weights, pair[0], pair[1]);
                weights += (pair[0] + 1) * pair[1];
                layer
            })
            .collect();
        Self {
            activation: shape.activation,
            loss,
            arch,
            weights,
            scratch: vec![Mutex::new(Scratch { front, layers })],
            parts: Vec::new(),
            helpers: Helpers::default(),
            pace: Pace::default(),
        }
    }

    /// The same, shared by this many cores from the first step on.
    #[cfg(test)]
    pub(in crate::networks) fn shared_by(mut self, cores: usize) -> Self {
        self.helpers = Helpers::of(&Cores::idle(cores));
        self.pace = Pace::long();
        self
    }

    /// Cuts the tiles of a batch into parts; which, depends on nothing but its rows and the network.
    fn cut(&mut self, rows: usize) {
        let tiles = rows.div_ceil(TILE);
        let most = (MOST_SUMS / self.weights.max(1)).clamp(1, MOST_PARTS);
        let count = (tiles / F::PART).clamp(1, most);
        self.parts.resize_with(count, Mutex::default);
        for (at, part) in self.parts.iter_mut().enumerate() {
            let part = own(part);
            let tile = |at: usize| (at * tiles / count * TILE).min(rows);
            part.rows = tile(at)..tile(at + 1);
            part.gradients.resize(self.weights, 0.0);
        }
    }

    /// The loss and the gradients of each part, by the caller alone.
    fn pass_alone(&mut self, weights: &[f32], batch: &Samples) {
        let scratch = own(&mut self.scratch[0]);
        for part in &mut self.parts {
            self.arch.dispatch(FusedPass {
                activation: self.activation,
                loss: self.loss,
                scratch,
                part: own(part),
                weights,
                batch,
            });
        }
    }

    /// The same with the help of idle cores.
    fn pass_shared(&mut self, weights: &[f32], batch: &Samples) {
        let cores = self.helpers.count().min(self.parts.len());
        while self.scratch.len() < cores {
            let another = own(&mut self.scratch[0]).clone();
            self.scratch.push(Mutex::new(another));
        }
        self.helpers.share(&self.parts, |part| {
            let free = self.scratch.iter().find_map(|it| it.try_lock().ok());
            self.arch.dispatch(FusedPass {
                activation: self.activation,
                loss: self.loss,
                scratch: &mut free.unwrap_or_else(|| lock(&self.scratch[0])),
                part: &mut lock(part),
                weights,
                batch,
            });
        });
    }
}

/// How many parts of a batch may be summed by themselves.
const MOST_PARTS: usize = 8;
/// How many gradients the parts may have together: a wide network has few parts.
const MOST_SUMS: usize = 1 << 22;

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn own<T>(of: &mut Mutex<T>) -> &mut T {
    of.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl<F: FrontEnd> Differentiate for Fused<F> {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        self.cut(batch.rows);
        let may_share = self.parts.len() > 1 && self.helpers.count() > 1;
        match may_share {
            true if self.pace.is_long(batch.rows) => self.pass_shared(weights, batch),
            true => {
                let start = Instant::now();
                self.pass_alone(weights, batch);
                self.pace.add(batch.rows, start.elapsed());
            }
            false => self.pass_alone(weights, batch),
        }
        let (first, others) = self.parts.split_at_mut(1);
        let first = own(&mut first[0]);
        for part in others {
            let part = own(part);
            first.loss += part.loss;
            for (sum, other) in first.gradients.iter_mut().zip(&part.gradients) {
                *sum += other;
            }
        }
        (first.loss, &first.gradients)
    }

    fn use_cores(&mut self, cores: &Cores) {
        self.helpers = Helpers::of(cores);
    }
}

/// Whether a step is long enough that others help: by the fastest of the first few, since the
/// very first waits for memory.
#[derive(Default)]
struct Pace {
    steps: u32,
    seconds_per_row: f64,
}

impl Pace {
    const STEPS: u32 = 4;
    /// In seconds. To hand work to another core and back takes some microseconds.
    const LONG: f64 = 1e-4;

    /// That of long steps.
    #[cfg(test)]
    fn long() -> Self {
        Self {
            steps: Self::STEPS,
            seconds_per_row: Self::LONG,
        }
    }

    fn add(&mut self, rows: usize, step: Duration) {
        let seconds_per_row = step.as_secs_f64() / rows as f64;
        if self.steps == 0 || seconds_per_row < self.seconds_per_row {
            self.seconds_per_row = seconds_per_row;
        }
        self.steps += 1;
    }

    fn is_long(&self, rows: usize) -> bool {
        self.steps >= Self::STEPS && self.seconds_per_row * rows as f64 >= Self::LONG
    }
}

#[cfg(test)]
mod tests;
