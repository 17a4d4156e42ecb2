//! Gradients for fan-out training: thousands of short fine-tunes from one parent.

use engine::plugin::Cores;
use pulp::Arch;

use super::abreast::Abreast;
use super::fused::Fused;
use super::{Differentiate, Layers, Loss, Moves, Samples};

/// Gradients of multilayer perceptrons: of one at a time, or of many small ones abreast.
pub(crate) struct FanOut {
    one: Fused,
    many: Option<Abreast>,
}

impl FanOut {
    /// Gradients of networks of this shape, by these instructions.
    pub fn new(shape: &Layers, loss: Loss, arch: Arch) -> Self {
        Self {
            one: Fused::new(shape, loss, arch),
            many: Abreast::pays(shape, arch).then(|| Abreast::new(shape, loss, arch)),
        }
    }
}

impl Differentiate for FanOut {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        self.one.gradient(weights, batch)
    }

    fn at_once(&self, count: usize) -> usize {
        match self.many {
            Some(_) => Abreast::at_once(count),
            None => 1,
        }
    }

    fn gradients(&mut self, weights: &[f32], batch: &Samples, losses: &mut [f64]) -> &[f32] {
        match &mut self.many {
            Some(many) if losses.len() > 1 => many.gradients(weights, batch, losses),
            _ => {
                let (loss, gradient) = self.one.gradient(weights, batch);
                losses.fill(loss);
                gradient
            }
        }
    }

    fn descend(
        &mut self,
        weights: &mut [f32],
        batch: &Samples,
        losses: &mut [f64],
        moves: &mut Moves,
    ) {
        let many = self.many.as_mut();
        let moved = many.and_then(|it| it.descend(weights, batch, losses, moves));
        if moved.is_none() {
            let gradients = self.gradients(weights, batch, losses);
            moves.part(0, weights, gradients);
        }
    }

    fn use_cores(&mut self, cores: &Cores) {
        self.one.use_cores(cores);
    }
}
